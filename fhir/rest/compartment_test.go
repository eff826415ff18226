package rest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
)

// ward stores two patients with records, and what they refer to.
func (s *server) ward() {
	s.t.Helper()
	var entries []string
	for _, json := range []string{
		`{"resourceType":"Organization","id":"hospital","name":"Hospital"}`,
		`{"resourceType":"Organization","id":"contact","name":"Employer"}`,
		`{"resourceType":"Practitioner","id":"doc","name":[{"family":"Ek"}]}`,
		`{"resourceType":"Practitioner","id":"idle"}`,
		`{"resourceType":"Location","id":"room"}`,
		`{"resourceType":"Medication","id":"pill","code":{"text":"x"}}`,
		`{"resourceType":"Device","id":"meter"}`,
		`{"resourceType":"Binary","id":"scan","contentType":"text/plain","data":"eA=="}`,
		`{"resourceType":"Patient","id":"a","birthDate":"1980-05-17","managingOrganization":{"reference":"Organization/hospital"},"contact":[{"organization":{"reference":"Organization/contact"}}]}`,
		`{"resourceType":"Patient","id":"b","link":[{"other":{"reference":"Patient/a"},"type":"seealso"}]}`,
		`{"resourceType":"RelatedPerson","id":"mother","patient":{"reference":"Patient/a"}}`,
		`{"resourceType":"Encounter","id":"visit","status":"finished","class":{"code":"AMB"},"subject":{"reference":"Patient/a"},"period":{"start":"2020-03-01","end":"2020-03-02"},"participant":[{"individual":{"reference":"Practitioner/doc"}}],"location":[{"location":{"reference":"Location/room"}}]}`,
		`{"resourceType":"Encounter","id":"other","status":"finished","class":{"code":"AMB"},"subject":{"reference":"Patient/b"}}`,
		`{"resourceType":"Observation","id":"pulse","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"8867-4"}]},"subject":{"reference":"Patient/a"},"encounter":{"reference":"Encounter/visit"},"effectiveDateTime":"2020-03-01","device":{"reference":"Device/meter"},"performer":[{"reference":"Practitioner/doc"},{"reference":"RelatedPerson/mother"}]}`,
		`{"resourceType":"Observation","id":"undated","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/a"}}`,
		`{"resourceType":"Observation","id":"b","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/b"}}`,
		`{"resourceType":"Observation","id":"by","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/b"},"performer":[{"reference":"Patient/a"}],"effectiveDateTime":"2021-01-01"}`,
		`{"resourceType":"MedicationRequest","id":"rx","status":"active","intent":"order","subject":{"reference":"Patient/a"},"medicationReference":{"reference":"Medication/pill"},"authoredOn":"2022-02-02","requester":{"reference":"Practitioner/doc"}}`,
		`{"resourceType":"DocumentReference","id":"paper","status":"current","subject":{"reference":"Patient/a"},"date":"2019-01-01T10:00:00Z","content":[{"attachment":{"url":"Binary/scan"}}]}`,
	} {
		id := strings.SplitN(strings.SplitN(json, `"id":"`, 2)[1], `"`, 2)[0]
		typ := strings.SplitN(strings.SplitN(json, `"resourceType":"`, 2)[1], `"`, 2)[0]
		entries = append(entries, entry("", "PUT", typ+"/"+id, json, ""))
	}
	s.want(200, s.do("POST", "/", bundleOf("transaction", entries...)))
}

// sorted lists the entries of a Bundle as Type/id, those of another mode than match with it.
func (b *set) sorted() string {
	ids := b.ids()
	slices.Sort(ids)
	return strings.Join(ids, " ")
}

func TestCompartmentSearch(t *testing.T) {
	bothEngines(t, func(t *testing.T, open func(testing.TB) rest.Store) {
		s := serveOn(t, open(t))
		s.ward()
		for _, c := range []struct{ path, want string }{
			{"/Patient/a/Observation", "Observation/by Observation/pulse Observation/undated"},
			{"/Patient/a/Observation?date=2020", "Observation/pulse"},
			{"/Patient/a/Observation?_id=b", ""},
			{"/Patient/a/Patient", "Patient/a Patient/b"},
			{"/Patient/b/Patient", "Patient/b"},
			{"/Patient/nobody/Observation", ""},
			{"/Encounter/visit/Observation", "Observation/pulse"},
			{"/Encounter/visit/Encounter", "Encounter/visit"},
			{"/Encounter/visit/*", "Encounter/visit Observation/pulse"},
			{"/Practitioner/doc/Encounter", "Encounter/visit"},
			{"/Practitioner/doc/*", "Encounter/visit MedicationRequest/rx Observation/pulse Practitioner/doc"},
			{"/RelatedPerson/mother/*", "Observation/pulse RelatedPerson/mother"},
			{"/Device/meter/*", "Device/meter Observation/pulse"},
			{"/Patient/a/*", "DocumentReference/paper Encounter/visit MedicationRequest/rx Observation/by Observation/pulse Observation/undated Patient/a Patient/b RelatedPerson/mother"},
			{"/Patient/a/%2A?_type=Encounter,RelatedPerson", "Encounter/visit RelatedPerson/mother"},
			{"/Patient/b/*", "Encounter/other Observation/b Observation/by Patient/b"},
			{"/Patient/a/Encounter?_include=Encounter:location", "Encounter/visit Location/room include"},
		} {
			if got := s.want(200, s.do("GET", c.path, "")).bundle(t).sorted(); got != c.want {
				t.Errorf("%s: %s, want %s", c.path, got, c.want)
			}
		}
		form := []string{"Content-Type", "application/x-www-form-urlencoded"}
		b := s.want(200, s.do("POST", "/Patient/a/Observation/_search", "date=2020", form...)).bundle(t)
		if got := b.sorted(); got != "Observation/pulse" || b.link("self") != s.url+"/Patient/a/Observation?date=2020" {
			t.Errorf("by POST: %s %v", got, b.Link)
		}
		b = s.want(200, s.do("POST", "/Patient/a/*/_search", "_type=Encounter", form...)).bundle(t)
		if got := b.sorted(); got != "Encounter/visit" || b.link("self") != s.url+"/Patient/a/*?_type=Encounter" {
			t.Errorf("of all by POST: %s %v", got, b.Link)
		}
		if got := s.pages("/Patient/a/*?_count=2"); len(got) != 9 || len(slices.Compact(slices.Sorted(slices.Values(got)))) != 9 {
			t.Errorf("by pages: %v", got)
		}
		a := s.want(200, s.do("POST", "/", bundleOf("batch", entry("", "GET", "Patient/a/Encounter", "", ""), entry("", "GET", "Patient/a/Organization", "", ""))))
		if replies := a.bundle(t); replies.Entry[0].Response.Status != "200 OK" || !strings.Contains(string(replies.Entry[0].Resource), `"id":"visit"`) || !strings.HasPrefix(replies.Entry[1].Response.Status, "400") {
			t.Errorf("in a batch: %s", a.body)
		}
	})
}

// pages follows a search to its end, and returns what it meets.
func (s *server) pages(path string) (all []string) {
	s.t.Helper()
	for n := 0; path != ""; n++ {
		b := s.want(200, s.do("GET", path, "")).bundle(s.t)
		all = append(all, b.ids()...)
		if path = b.link("next"); n > 1000 {
			s.t.Fatal("no end of pages")
		}
	}
	return all
}

func TestCompartmentRefusals(t *testing.T) {
	s := serve(t)
	s.ward()
	for _, c := range []struct {
		method, path string
		status       int
		says         string
	}{
		{"GET", "/Patient/a/Organization", 400, "never in the compartment"},
		{"GET", "/Patient/a/Pacient", 404, "Pacient"},
		{"GET", "/Organization/hospital/Patient", 404, "no compartment"},
		{"GET", "/Patient/a_b/Observation", 400, "id"},
		{"GET", "/Patient/a/*?_type=Organization", 400, "Organization"},
		{"GET", "/Patient/a/Observation?nonsense=1", 400, "nonsense"},
		{"POST", "/Patient/a/Observation", 405, "not offered"},
		{"DELETE", "/Patient/a/*", 405, "not offered"},
	} {
		if a := s.do(c.method, c.path, ""); a.status != c.status || !a.outcome(t).says(c.says) {
			t.Errorf("%s %s: %d %s", c.method, c.path, a.status, a.body)
		}
	}
	next := s.want(200, s.do("GET", "/Patient/a/Observation?_count=1", "")).bundle(t).link("next")
	if a := s.do("GET", strings.Replace(next, "Patient/a", "Patient/b", 1), ""); a.status != 400 {
		t.Errorf("a page link of another compartment: %d", a.status)
	}
}

// TestCompartmentsAreTold: /metadata names all five.
func TestCompartmentsAreTold(t *testing.T) {
	a := serve(t).do("GET", "/metadata", "")
	for _, name := range []string{"patient", "encounter", "relatedPerson", "practitioner", "device"} {
		if !strings.Contains(a.body, `"http://hl7.org/fhir/CompartmentDefinition/`+name+`"`) {
			t.Errorf("%s is missing", name)
		}
	}
}

// TestEveryMember asks for every type in every compartment, so that none of the
// published definitions names a parameter that cannot be searched by.
func TestEveryMember(t *testing.T) {
	s := serve(t)
	for _, compartment := range spec.Compartments() {
		for _, typ := range spec.Resources() {
			want := 400
			if search.InCompartment(compartment, typ) {
				want = 200
			}
			if a := s.do("GET", fmt.Sprintf("/%s/x/%s", compartment, typ), ""); a.status != want {
				t.Errorf("%s/x/%s: %d, want %d: %s", compartment, typ, a.status, want, a.body)
			}
		}
	}
}
