package storetest

import (
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir/search"
)

// family is resources that refer to one another.
func (f *fixture) family() {
	f.Helper()
	f.load(
		`{"resourceType":"Organization","id":"top","name":"Top"}`,
		`{"resourceType":"Organization","id":"mid","name":"Mid","partOf":{"reference":"Organization/top"}}`,
		`{"resourceType":"Organization","id":"low","name":"Low","partOf":{"reference":"Organization/mid"}}`,
		`{"resourceType":"Practitioner","id":"dr","name":[{"family":"Doc"}]}`,
		`{"resourceType":"Patient","id":"p1","managingOrganization":{"reference":"Organization/low"},"generalPractitioner":[{"reference":"Practitioner/dr"}]}`,
		`{"resourceType":"Patient","id":"p2","managingOrganization":{"reference":"Organization/low"}}`,
		`{"resourceType":"Patient","id":"p3","managingOrganization":{"reference":"Organization/gone"}}`,
		observation("o1", "Patient/p1", "x", "2020", "1"),
		observation("o2", "Patient/p1", "y", "2020", "1"),
		observation("o3", "Patient/p2", "x", "2020", "1"),
		`{"resourceType":"Observation","id":"panel","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/p3"},
"hasMember":[{"reference":"Observation/o1"},{"reference":"Observation/panel2"}]}`,
		`{"resourceType":"Observation","id":"panel2","status":"final","code":{"text":"x"},"hasMember":[{"reference":"Observation/panel"},{"reference":"Observation/o3"}]}`,
	)
}

// brings expects matches and what they include, both in any order.
func (f *fixture) brings(q *search.Query, matches, included string) {
	f.Helper()
	r := f.search(q)
	if got := sortedIDs(r.Matches); got != matches {
		f.Errorf("%s matches %q, want %q", search.And(q.Where), got, matches)
	}
	if got := sortedIDs(r.Included); got != included {
		f.Errorf("%s includes %q, want %q", search.And(q.Where), got, included)
	}
	if all := strings.Fields(ids(r.Included)); len(slices.Compact(slices.Sorted(slices.Values(all)))) != len(all) {
		f.Errorf("%v are included, some twice", all)
	}
}

var includeTests = map[string]func(*fixture){
	"forward and back": func(f *fixture) {
		f.family()
		for _, c := range []struct{ text, matches, included string }{
			{"Observation?code=x&_include=Observation:patient", "o1 o3", "p1 p2"},
			{"Observation?_id=o1&_include=Observation:*", "o1", "p1"},
			{"Patient?_id=p1&_include=Patient:organization&_include=Patient:general-practitioner", "p1", "dr low"},
			{"Patient?_id=p1&_include=Patient:general-practitioner:Practitioner", "p1", "dr"},
			{"Patient?_id=p1&_include=Patient:general-practitioner:Organization", "p1", ""},
			{"Patient?_id=p3&_include=Patient:organization", "p3", ""},
			{"Patient?_id=p1&_include=Patient:organization&_include:iterate=Organization:partof", "p1", "low mid top"},
			{"Observation?_id=o1&_include=Observation:patient&_include:iterate=Patient:organization", "o1", "low p1"},
			{"Patient?_id=p1,p2&_revinclude=Observation:patient", "p1 p2", "o1 o2 o3"},
			{"Organization?_id=top&_revinclude:iterate=Organization:partof&_revinclude:iterate=Patient:organization", "top", "low mid p1 p2"},
			{"Observation?_id=panel&_include:iterate=Observation:has-member", "panel", "o1 o3 panel2"},
			{"Patient?_id=nobody&_revinclude=Observation:patient", "", ""},
			{"Patient?_id=p1&_include=*", "p1", "dr low"},
			{"?_id=p1,o1&_include=*", "o1 p1", "dr low"},
			{"Observation?_id=o1&_include:iterate=*", "o1", "dr low mid p1 top"},
			{"Observation?_id=o1&_include:recurse=*", "o1", "dr low mid p1 top"},
			{"Observation?_id=o1&_include=*", "o1", "p1"},
			{"Patient?_id=p1&_revinclude=*", "p1", "o1 o2"},
			{"Organization?_id=low&_revinclude=*", "low", "p1 p2"},
			{"Organization?_id=low&_revinclude=*&_revinclude:iterate=Observation:patient", "low", "o1 o2 o3 p1 p2"},
			{"Observation?_id=panel2&_include=*&_revinclude=*", "panel2", "o3 panel"},
		} {
			f.brings(query(f, c.text), c.matches, c.included)
		}
	},
	"a match is not included": func(f *fixture) {
		f.family()
		f.brings(query(f, "Organization?_id=low,mid&_include=Organization:partof"), "low mid", "top")
	},
	"includes belong to the page": func(f *fixture) {
		f.family()
		q := query(f, "Patient?_id=p1,p2&_sort=_id&_count=1&_revinclude=Observation:patient")
		f.brings(q, "p1", "o1 o2")
		q.After = f.search(q).Next
		f.brings(q, "p2", "o3")
	},
	"what was deleted is not included": func(f *fixture) {
		f.family()
		f.apply(remove("Organization/low"), remove("Observation/o2"))
		f.brings(query(f, "Patient?_id=p1&_include=Patient:organization&_revinclude=Observation:patient"), "p1", "o1")
	},
}
