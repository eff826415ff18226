package document

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
)

var noon = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// shelf is a store that finds by id.
type shelf struct {
	Store
	all map[string]string
}

func (s shelf) Search(_ context.Context, q *search.Query) (*search.Result, error) {
	res := &search.Result{}
	for _, one := range q.Where[0].(search.Or) {
		both := one.(search.And)
		for _, id := range both[1].(search.IDs).Any {
			ref := fhir.Ref{Type: both[0].(search.Types).Any[0], ID: id}
			if members, ok := s.all[ref.String()]; ok {
				ref.Version = 3
				res.Matches = append(res.Matches, fhir.Resource{Ref: ref, JSON: fmt.Appendf(nil, `{"resourceType":%q,"id":%q%s}`, ref.Type, id, members)})
			}
		}
	}
	slices.Reverse(res.Matches) // the order is ours, not the store's
	return res, nil
}

// TestAssemble holds what is in a document, and in which order.
func TestAssemble(t *testing.T) {
	to := func(ref string) string { return `{"reference":"` + ref + `"}` }
	all := map[string]string{
		"Patient/p": `,"generalPractitioner":[` + to("Practitioner/gp") + `],"link":[{"other":` + to("Patient/q") + `}]`, "Patient/q": "", "Practitioner/gp": "", "Practitioner/dr": "",
		"Encounter/e": `,"location":[{"location":` + to("Location/l") + `}],"diagnosis":[{"condition":` + to("Condition/other") + `}],"x":` + to("Practitioner/hidden"),
		"Location/l":  `,"managingOrganization":` + to("http://h/fhir/Organization/o"), "Organization/o": `,"partOf":` + to("Organization/o"), "Condition/other": "",
		"Condition/c": "", "Observation/b": `,"hasMember":[` + to("Observation/b2") + `],"subject":` + to("Patient/p"), "Observation/b2": "", "Composition/n": "",
	}
	s := &service{Config{Store: shelf{all: all}}}
	call := &operation.Call{Base: "http://h/fhir", Restriction: search.Unrestricted}
	for name, c := range map[string]struct{ members, want, absent, fault string }{
		"all of it": {
			`,"subject":` + to("Patient/p") + `,"encounter":` + to("http://h/fhir/Encounter/e") + `,"author":[` + to("Practitioner/dr") + `,{"display":"x"},` + to("#in") + `],"section":[{"entry":[` + to("Condition/c/_history/3") +
				`],"section":[{"focus":` + to("Patient/p") + `,"entry":[` + to("Observation/b") + `]}]}],"relatesTo":[{"targetReference":` + to("Composition/old") + `}]`,
			"Composition/n Patient/p Encounter/e Practitioner/dr Condition/c Observation/b Practitioner/gp Location/l Observation/b2 Organization/o", "Practitioner/hidden", "",
		},
		"nothing":                {"", "Composition/n", "", ""},
		"what is not there":      {`,"author":[{},` + to("Practitioner/none") + `]`, "", "", "Composition.author[1]"},
		"another version":        {`,"section":[{"section":[{"entry":[` + to("Condition/c/_history/2") + `]}]}]`, "", "", "Composition.section[0].section[0].entry[0]"},
		"elsewhere":              {`,"custodian":` + to("http://other/fhir/Organization/o"), "", "", "Composition.custodian"},
		"by a criterion":         {`,"subject":` + to("Patient?identifier=1"), "", "", "Composition.subject"},
		"no resource":            {`,"attester":[{"party":` + to("Nothing/1") + `}]`, "", "", "Composition.attester[0].party"},
		"a detail that is gone":  {`,"event":[{"detail":[` + to("Condition/gone") + `]}]`, "", "", "Composition.event[0].detail[0]"},
		"itself, which is there": {`,"section":[{"entry":[` + to("Composition/n") + `]}]`, "Composition/n", "", ""},
	} {
		composition := []byte(`{"resourceType":"Composition","id":"n"` + c.members + `}`)
		d, err := element.Parse(composition)
		if err != nil {
			t.Fatal(err)
		}
		ref := fhir.Ref{Type: "Composition", ID: "n"}
		a, err := s.assemble(t.Context(), call, ref, d)
		if c.fault != "" {
			var e *fhir.Error
			if e, _ = err.(*fhir.Error); e == nil || e.Code != fhir.Unprocessable || e.Expression != c.fault {
				t.Errorf("%s: %#v", name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := strings.Join(a.absent, " "); got != c.absent {
			t.Errorf("%s: absent %q", name, got)
		}
		var b struct {
			Type, Timestamp string
			Identifier      struct{ Value string }
			Entry           []struct{ FullURL string }
		}
		text := a.bundle("u", noon, ref, composition)
		if err := json.Unmarshal(text, &b); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range b.Entry {
			got = append(got, strings.TrimPrefix(e.FullURL, "http://h/fhir/"))
		}
		if strings.Join(got, " ") != c.want || b.Type != "document" || b.Timestamp != "2026-01-02T03:04:05.000Z" || b.Identifier.Value != "urn:uuid:u" {
			t.Errorf("%s: %s", name, text)
		}
	}
}
