package message

import (
	"context"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/rest"
)

// orders is an API with one patient and some orders.
type orders struct {
	found  string // entries of a search for orders
	denied bool
	wrote  string
}

func (o *orders) Do(_ context.Context, req *rest.Request) (*rest.Response, error) {
	entries := ""
	switch {
	case req.Interaction == rest.Batch:
		o.wrote = string(req.Body)
	case req.Type == "Patient":
		entries = `{"resource":{"resourceType":"Patient","id":"p","identifier":[{"system":"urn:h1","value":"1"}]}}`
	case o.denied:
		return nil, fhir.Errorf(fhir.Forbidden, "no orders")
	default:
		entries = o.found
	}
	return &rest.Response{Body: []byte(`{"entry":[` + entries + `]}`)}, nil
}

// TestPlacedOrders: results belong to the order that was placed by another way, under the
// placer's number, where it is one of the same patient and no other is.
func TestPlacedOrders(t *testing.T) {
	text := strings.Replace(header, "OBR|1||F1", "OBR|1|P77^H1|F1", 1) + "OBX|1|NM|A^A^L||1\r"
	drafts, _ := mapText(t, text)
	own := ""
	for i := range drafts {
		if drafts[i].Type == "ServiceRequest" {
			own = drafts[i].Link()
		}
	}
	order := func(id, subject string) string {
		return `{"resource":{"resourceType":"ServiceRequest","id":"` + id + `","identifier":[{"system":"urn:h1","value":"P77"}],"subject":{"reference":"` + subject + `"}}}`
	}
	for name, of := range map[string]struct {
		api  orders
		want string // what the results are based on
	}{
		"none":               {orders{}, own},
		"one":                {orders{found: order("x", "Patient/p")}, "ServiceRequest/x"},
		"of another patient": {orders{found: order("x", "Patient/q")}, own},
		"beside another's":   {orders{found: order("y", "Patient/q") + "," + order("x", "Patient/p")}, "ServiceRequest/x"},
		"two":                {orders{found: order("x", "Patient/p") + "," + order("y", "Patient/p")}, own},
		"its own as well":    {orders{found: order("x", "Patient/p") + "," + order(strings.TrimPrefix(own, "ServiceRequest/"), "Patient/p")}, own},
		"none to be seen":    {orders{found: order("x", "Patient/p"), denied: true}, own},
	} {
		api := of.api
		p := testProcessor(t, &api, newMemory())
		a, err := p.Submit(t.Context(), Incoming{Raw: []byte(text), Sender: func(string, string) (*Sender, error) { return testSender(), nil }}).Wait(t.Context())
		if err != nil || a.Verdict != Accept {
			t.Fatalf("%s: %v %v", name, a.Verdict, err)
		}
		if n := strings.Count(api.wrote, `"basedOn":[{"reference":"`+of.want+`"}]`); n != 2 {
			t.Errorf("%s: %d of the result and its report are based on %s: %s", name, n, of.want, api.wrote)
		}
		if puts := strings.Contains(api.wrote, `"PUT","url":"`+own+`"`); puts != (of.want == own) {
			t.Errorf("%s: an order of the sender's own is written: %v", name, puts)
		}
	}
}
