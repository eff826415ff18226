package audit

import (
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/fhir/search"
)

// The trail keeps what was asked for without what identifies a person, and the same value
// is the same there each time.
func TestPseudonyms(t *testing.T) {
	trail := &Trail{Config: Config{Pseudonyms: []byte("key")}}
	const kept = "ÚNICA"
	for _, c := range []struct {
		typ, query string
		keeps      bool
	}{
		{"Patient", "family=ÚNICA", false}, {"Patient", "name:exact=ÚNICA", false}, {"Patient", "given:contains=x,ÚNICA", false}, {"Patient", "phonetic=ÚNICA", false},
		{"Patient", "address-city=ÚNICA", false}, {"Patient", "email=ÚNICA", false}, {"RelatedPerson", "name=ÚNICA", false}, {"", "_type=Patient&name=ÚNICA", false},
		{"Observation", "patient.name=ÚNICA", false}, {"Observation", "subject:Patient.family:exact=ÚNICA", false}, {"Observation", "subject:Patient.link.other.given=ÚNICA", false},
		{"Practitioner", "_has:Observation:performer:patient.family=ÚNICA", false}, {"Encounter", "_has:Patient:link:name=ÚNICA", false},
		{"Group", "_content=ÚNICA", false}, {"Group", "_text=ÚNICA", false}, {"Group", "member:text=ÚNICA", false}, {"Patient", `_filter=family co "ÚNICA"`, false}, {"Patient", "_filter=name eq ÚNICA", false},
		{"Patient", "identifier=urn:x|ÚNICA", false}, {"Patient", "identifier=ÚNICA,b", false}, {"Group", "member:identifier=urn:x|ÚNICA", false},

		{"Organization", "name=ÚNICA", true}, {"Practitioner", "family=ÚNICA", true}, {"ValueSet", "name=ÚNICA", true}, {"Organization", "address-state=ÚNICA", true},
		{"Patient", "gender=ÚNICA", true}, {"Observation", "code=ÚNICA", true}, {"Observation", "status:not=ÚNICA", true}, {"Patient", "family:missing=ÚNICA", true},
		{"Patient", "_filter=birthdate eq ÚNICA", true}, {"Patient", "_sort=ÚNICA", true},
	} {
		params, err := search.SplitQuery(c.query)
		if err != nil {
			t.Fatal(err)
		}
		got := trail.query(&rest.Access{Type: c.typ, Params: params})
		if strings.Contains(got, kept) != c.keeps {
			t.Errorf("of %s?%s the trail has %s", c.typ, c.query, got)
		}
		if again := trail.query(&rest.Access{Type: c.typ, Params: params}); again != got {
			t.Errorf("of %s?%s the trail has %s, and then %s", c.typ, c.query, got, again)
		}
		if name, _, _ := strings.Cut(c.query, "="); !strings.Contains(got, name+"=") {
			t.Errorf("of %s?%s the trail does not say what was asked by: %s", c.typ, c.query, got)
		}
		if got := trail.query(&rest.Access{Type: c.typ, Criterion: strings.NewReplacer(" ", "%20", `"`, "%22", "Ú", "%C3%9A").Replace(c.query)}); strings.Contains(got, "NICA") != c.keeps {
			t.Errorf("of the criterion %s?%s the trail has %s", c.typ, c.query, got)
		}
	}
	for _, q := range []string{"family=pérez", "family=PÉREZ"} {
		params, err := search.SplitQuery(q)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := trail.query(&rest.Access{Type: "Patient", Params: params, Within: fhir.Ref{}}), "Patient?family="+trail.pseudonym("Pérez"); got != want {
			t.Errorf("%s is kept as %s, want %s", q, got, want)
		}
	}
}
