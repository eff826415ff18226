package authz_test

import (
	"bytes"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/amate-health/amate/authz"
	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/rest"
)

const benchPatients = 10_000

// load fills a store with patients, five observations each, and as many consents.
func load(b *testing.B, store rest.Store, consents int) {
	maker := bundle.Maker{Base: base}
	var batch bundle.Batch
	flush := func() {
		if _, err := store.Apply(b.Context(), &batch); err != nil {
			b.Fatal(err)
		}
		batch = bundle.Batch{}
	}
	add := func(typ, id, format string, args ...any) {
		src, err := bundle.Parse([]byte(fmt.Sprintf(`{"resourceType":%q,"id":%q,`+format+`}`, append([]any{typ, id}, args...)...)))
		if err != nil {
			b.Fatal(err)
		}
		c, err := maker.Create(src, fhir.Ref{Type: typ, ID: id})
		if err != nil {
			b.Fatal(err)
		}
		if batch.Changes = append(batch.Changes, c); len(batch.Changes) == 2000 {
			flush()
		}
	}
	for i := range benchPatients {
		add("Patient", fmt.Sprint("p", i), `"name":[{"family":"F%d","given":["G%d"]}],"gender":"female"`, i%500, i%70)
		for k := range 5 {
			add("Observation", fmt.Sprint("o", i, "-", k), `"status":"final","category":[{"coding":[{"system":"http://c","code":"c%d"}]}],"code":{"coding":[{"system":"http://loinc.org","code":"%d"}]},"subject":{"reference":"Patient/p%d"},"effectiveDateTime":"2026-01-%02d"`, k%2, i%40, i, 1+i%28)
		}
	}
	for i := range consents {
		add("Consent", fmt.Sprint("k", i), `"status":"active","scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},"category":[{"coding":[{"code":"x"}]}],"patient":{"reference":"Patient/p%d"},"policyRule":{"text":"x"},
			"provision":{"type":"permit","provision":[{"type":"deny","actor":[{"role":{"text":"x"},"reference":{"reference":"Practitioner/d%d"}}]},{"type":"deny","class":[{"system":"http://hl7.org/fhir/resource-types","code":"Condition"}],"purpose":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActReason","code":"HRESCH"}]}]}`, i%benchPatients, i%100)
	}
	flush()
}

// asking returns a function that sends a request for p through a guard; nil is no
// access control.
func asking(b *testing.B, store rest.Store, guard rest.Guard, p *authz.Principal) func(path string) {
	api, err := rest.New(rest.Config{Store: store, Guard: guard, BaseURL: base, CursorKey: bytes.Repeat([]byte{1}, 32)})
	if err != nil {
		b.Fatal(err)
	}
	return func(path string) {
		r := httptest.NewRequest("GET", base+path, nil)
		a := httptest.NewRecorder()
		api.ServeHTTP(a, r.WithContext(p.With(r.Context())))
		if a.Code != 200 {
			b.Fatalf("%s: %d %s", path, a.Code, a.Body)
		}
	}
}

var clinician = &authz.Principal{
	ID: "a", Client: "c", Roles: []string{"clinician"}, Org: "DFSSA000001", User: fhir.Ref{Type: "Practitioner", ID: "d777"}, Scopes: []string{"openid", "fhirUser", "user/*.cruds"}, Token: "t",
}

// BenchmarkConsents compares searches of a clinician with 10,000 consents in the
// system, searches without any, and searches without access control.
func BenchmarkConsents(b *testing.B) {
	for _, engine := range []string{"sqlite", "postgres"} {
		for _, consents := range []int{0, benchPatients} {
			store := engines[engine](b)
			load(b, store, consents)
			guard := authz.NewGuard(authz.GuardConfig{Store: store, Base: base})
			guards := map[string]rest.Guard{"open": authz.Open{}, "clinician": guard, "named": guard}
			for _, q := range []string{
				"/Observation/o%[1]d-1", "/Observation?patient=p%[1]d", "/Observation?patient=p%[1]d&code=http://loinc.org|%[2]d&_sort=-date", "/Observation?code=http://loinc.org|%[2]d&_count=20",
				"/Observation?code=http://loinc.org|%[2]d&_count=20&_include=Observation:subject", "/Patient?family=F%[2]d&_count=20", "/Observation?code=http://loinc.org|%[2]d&_summary=count", "/Patient?_has:Observation:patient:code=http://loinc.org|%[2]d&_count=20",
			} {
				for _, who := range []string{"open", "clinician", "named"} {
					p := *clinician
					if who == "named" { // by the consents of a hundred patients
						p.User.ID = "d7"
					}
					ask := asking(b, store, guards[who], &p)
					name := strings.NewReplacer("%[1]d", "", "%[2]d", "", "http://loinc.org|", "").Replace(q)
					b.Run(fmt.Sprintf("%s/%d consents%s/%s", engine, consents, name, who), func(b *testing.B) {
						b.ReportAllocs()
						for i := 0; b.Loop(); i++ {
							ask(fmt.Sprintf(q, i*7919*2%benchPatients, i%40))
						}
					})
				}
			}
		}
	}
}
