package storetest

import (
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
)

// only returns a restriction to the records of one patient.
func only(f *fixture, id string) *search.Restriction {
	conditions := func(text string) []search.Expr { return query(f, text).Where }
	return &search.Restriction{Types: map[string][]search.Expr{
		"Patient":      conditions("Patient?_id=" + id),
		"Observation":  conditions("Observation?patient=" + id),
		"Organization": nil,
	}}
}

var restrictionTests = map[string]func(*fixture){
	"nothing else in any branch": func(f *fixture) {
		f.family()
		f.load(`{"resourceType":"Encounter","id":"e1","status":"finished","class":{"code":"AMB"},"subject":{"reference":"Patient/p1"}}`)
		for _, c := range []struct{ text, matches, included string }{
			{"Patient", "p1", ""},
			{"Patient?_id=p2", "", ""},
			{"Observation?code=x", "o1", ""},
			{"Observation?patient=p2", "", ""},
			{"Observation?_sort=-date", "o1 o2", ""},
			{"Observation?_sort=-value-quantity,date", "o1 o2", ""},
			{"Encounter", "", ""},
			{"Organization", "low mid top", ""},
			{"?_count=100", "low mid o1 o2 p1 top", ""},
			{"?_type=Patient,Encounter", "p1", ""},
			{"Organization?_id=low&_revinclude=Patient:organization", "low", "p1"},
			{"Organization?_id=low&_revinclude=Patient:organization&_revinclude:iterate=Observation:patient&_revinclude:iterate=Encounter:patient", "low", "o1 o2 p1"},
			{"Patient?_id=p1&_revinclude=Encounter:patient&_include=Patient:general-practitioner", "p1", ""},
			{"Observation?_id=o1&_revinclude=Observation:has-member&_include:iterate=Observation:has-member", "o1", ""},
			{"Organization?_has:Patient:organization:_id=p2", "", ""},
			{"Organization?_has:Patient:organization:_id=p1", "low", ""},
			{"Patient?_has:Encounter:patient:class=AMB", "", ""},
			{"Observation?patient._has:Encounter:patient:class=AMB", "", ""},
			{"Observation?patient.general-practitioner.family=Doc", "", ""},
			{"Observation?patient.organization.name=Low", "o1 o2", ""},
		} {
			q := query(f, c.text)
			q.Restriction = only(f, "p1")
			f.brings(q, c.matches, c.included)
			q.Total = search.TotalAccurate
			if n := f.search(q).Total; n != int64(len(f.search(q).Matches)) {
				f.Errorf("%s has total %d", c.text, n)
			}
		}
	},
	"no type at all": func(f *fixture) {
		f.family()
		for _, text := range []string{"Patient", "?_count=100", "Organization?_id=low&_revinclude=Patient:organization"} {
			q := query(f, text)
			q.Restriction = &search.Restriction{}
			f.brings(q, "", "")
		}
	},
	"history": func(f *fixture) {
		f.family()
		f.apply(remove("Observation/o2"), remove("Organization/top"))
		read := func(h search.History) (*search.Versions, error) {
			h.Restriction = only(f, "p1")
			return f.s.History(f.ctx, &h)
		}
		for _, c := range []struct {
			h    search.History
			want string
		}{
			{search.History{Type: "Patient"}, "p1/1"},
			{search.History{Type: "Observation"}, "o1/1"},
			{search.History{Type: "Organization"}, "top/2 low/1 mid/1 top/1"},
			{search.History{Type: "Encounter"}, ""},
			{search.History{Type: "Patient", ID: "p1"}, "p1/1"},
		} {
			v, err := read(c.h)
			if err != nil {
				f.Errorf("%+v: %v", c.h, err)
				continue
			}
			if got := sortedIDs(v.Entries); got != sortedIDs(byName(c.want)) {
				f.Errorf("%+v: %s, want %s", c.h, names(v.Entries), c.want)
			}
		}
		if v, err := read(search.History{}); err != nil || len(v.Entries) != 6 {
			f.Errorf("of all: %v, %v", v, err)
		}
		if _, err := read(search.History{Type: "Patient", ID: "p2"}); fhir.CodeOf(err) != fhir.NotFound {
			f.Errorf("another patient: %v", err)
		}
	},
	"criteria": func(f *fixture) {
		f.family()
		c := create("Patient/new", "x", search.Index{})
		c.Where = query(f, "Patient?_id=p2")
		c.Where.Restriction = only(f, "p1")
		if r := f.apply(c)[0]; r.Resource.Ref.ID != "new" {
			f.Errorf("a criterion sees more than its restriction shows: %v", r.Resource.Ref)
		}
	},
}

// byName turns "a/1 b/2" into resources with those ids.
func byName(text string) []fhir.Resource {
	var all []fhir.Resource
	for name := range strings.FieldsSeq(text) {
		id, _, _ := strings.Cut(name, "/")
		all = append(all, fhir.Resource{Ref: fhir.Ref{ID: id}})
	}
	return all
}
