package rest_test

import (
	"net/http"
	"testing"

	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/rest"
)

// TestOperationItem: a segment after the name of an operation is one of its parameters.
func TestOperationItem(t *testing.T) {
	s := serve(t, func(c *rest.Config) {
		offers(c)
		c.Operations = append(c.Operations, operation.Operation{
			Name: "watch", URL: definition + "watch", Scope: operation.OnSystem, Item: "text", Run: echo,
		})
	})
	for path, want := range map[string]string{
		"/$watch":         "||none|",
		"/$watch/":        "||none|",
		"/$watch/a-1":     "||none|a-1",
		"/%24watch/a%20b": "||none|a b",
		"/$watch?text=c":  "||none|c",
	} {
		r := s.do("GET", path, "")
		if r.status != http.StatusOK || said(t, r.body) != want {
			t.Errorf("%s: %d %s, want %s", path, r.status, r.body, want)
		}
	}
	for path, want := range map[string]int{
		"/$watch/a/b":      http.StatusNotFound,
		"/$watch/a%2Fb":    http.StatusNotFound,
		"/$echo/a":         http.StatusNotFound,
		"/Patient/$watch":  http.StatusNotFound,
		"/$watch/a?text=b": http.StatusBadRequest, // given twice
	} {
		if r := s.do("GET", path, ""); r.status != want {
			t.Errorf("%s: %d %s, want %d", path, r.status, r.body, want)
		}
	}
}
