package rest_test

import (
	"context"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/fhir/search"
)

// TestConflict: who writes over a version that is not the current one learns which is,
// and gets both when they ask.
func TestConflict(t *testing.T) {
	s := serve(t)
	s.put(patient("p", "1"))
	s.put(patient("p", "2"))
	mine := patient("p", "mine")
	a := s.want(412, s.do("PUT", "/Patient/p", mine, "If-Match", `W/"1"`))
	if a.header.Get("ETag") != `W/"2"` || a.outcome(t).Issue[0].Code != "conflict" {
		t.Errorf("%v %s", a.header, a.body)
	}
	both := func(a *answer, sent bool) {
		t.Helper()
		for want, there := range map[string]bool{
			`"type":"collection"`: true, `{"resource":{"resourceType":"OperationOutcome"`: true, `"versionId":"2"`: true,
			`"fullUrl":"` + s.url + `/Patient/p"`: true, `"value":"2"`: true, `"value":"mine"`: sent,
		} {
			if strings.Contains(a.body, want) != there {
				t.Errorf("%s: %t, want %t: %s", want, !there, there, a.body)
			}
		}
		if a.header.Get("ETag") != `W/"2"` {
			t.Errorf("ETag %s", a.header.Get("ETag"))
		}
	}
	prefer := []string{"If-Match", `W/"1"`, "Prefer", "return=representation"}
	both(s.want(412, s.do("PUT", "/Patient/p", mine, prefer...)), true)
	both(s.want(412, s.do("DELETE", "/Patient/p", "", prefer...)), false)
	whole := bundleOf("transaction", `{"resource":`+mine+`,"request":{"method":"PUT","url":"Patient/p","ifMatch":"W/\"1\""}}`)
	a = s.want(412, s.do("POST", "/", whole, "Prefer", "return=representation"))
	both(a, true)
	if !strings.Contains(a.body, `"expression":["Bundle.entry[0]"]`) {
		t.Errorf("it does not say which entry: %s", a.body)
	}
	if a := s.want(412, s.do("PUT", "/Patient/p", mine, append(prefer, "Accept", "application/fhir+xml")...)); !strings.Contains(a.body, "<versionId value=\"2\"/>") {
		t.Errorf("in XML: %s", a.body)
	}
	s.want(412, s.do("PUT", "/Patient/none", patient("none", "x"), prefer...))
}

// own lets everyone see and write patients that are active only.
type own struct{}

func (own) Check(context.Context, *rest.Request) (rest.Decision, error) {
	q, err := search.Parse("Patient", []search.Param{{Name: "active", Value: "true"}}, search.Options{})
	return rest.Decision{Restriction: &search.Restriction{Types: map[string][]search.Expr{"Patient": q.Where}}, Principal: "own"}, err
}

// TestConflictShowsNothingHidden: the current version of what one may not see is not told.
func TestConflictShowsNothingHidden(t *testing.T) {
	store := newStore(t)
	all := serveOn(t, store)
	all.put(patient("p", "secret-1"))
	all.put(patient("p", "secret-2"))
	s := serveOn(t, store, func(c *rest.Config) { c.Guard = own{} })
	a := s.do("PUT", "/Patient/p", patient("p", "mine"), "If-Match", `W/"1"`, "Prefer", "return=representation")
	if a.status < 400 || strings.Contains(a.body, "secret") || a.header.Get("ETag") != "" {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
}
