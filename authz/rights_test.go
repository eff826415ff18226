package authz_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/amate-health/amate/authz"
	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/rights"
)

// rightsWays are the ways to what patients demand: all of a record at once, and the
// requests.
var rightsWays = []way{
	{route: "$arco-package", method: "GET", path: "/Patient/p1/$arco-package", act: "either"},
	{route: "$arco-package", method: "GET", path: "/Patient/p2/$arco-package", act: "either"},
	{route: "$arco-due", method: "GET", path: "/Task/$arco-due", act: "either"},
	{route: "$legal-holds", method: "GET", path: "/Patient/p1/$legal-holds", act: "either"},
	{route: "$arco-request", method: "POST", path: "/Patient/p1/$arco-request", body: `{"resourceType":"Parameters","parameter":[{"name":"right","valueCode":"rectificacion"},{"name":"target","valueReference":{"reference":"{ref}"}}]}`, act: "either"},
	{route: "$arco-unblock", method: "POST", path: "/Patient/p1/$arco-unblock", body: `{"resourceType":"Parameters"}`, act: "either"},
	{route: "$legal-hold", method: "POST", path: "/Patient/p1/$legal-hold", body: `{"resourceType":"Parameters"}`, act: "either"},
	{route: "$arco-resolve", method: "POST", path: "/Task/{id}/$arco-resolve", body: `{"resourceType":"Parameters"}`, act: "either"},
}

// rightsOperations are the operations that rightsWays call.
func (w *world) rightsOperations() []operation.Operation {
	kept, _ := w.store.(rights.Kept)
	return rights.Operations(rights.Config{Store: w.store, Kept: kept, Maker: func(string) bundle.Maker { return bundle.Maker{} }})
}

// unzip puts what the files of a package hold in place of the package.
func unzip(a *httptest.ResponseRecorder) error {
	if a.Header().Get("Content-Type") != "application/zip" {
		return nil
	}
	raw := a.Body.Bytes()
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		return err
	}
	var all bytes.Buffer
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			return err
		}
		if _, err := io.Copy(&all, r); err != nil {
			return err
		}
	}
	a.Body = &all
	return nil
}

// blockedMany is how many resources a blocked record has in BenchmarkBlocked.
const blockedMany = 10_000

// BenchmarkBlocked compares searches where nothing is blocked with the same ones where
// one record of 10,000 resources is, among 10,000 patients.
func BenchmarkBlocked(b *testing.B) {
	for _, engine := range []string{"sqlite", "postgres"} {
		store := engines[engine](b)
		load(b, store, 0)
		maker := bundle.Maker{}
		var batch bundle.Batch
		for i := range blockedMany {
			src, err := bundle.Parse(fmt.Appendf(nil, `{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"%d"}]},"subject":{"reference":"Patient/big"},"effectiveDateTime":"2026-02-%02d"}`, i%40, 1+i%28))
			if err != nil {
				b.Fatal(err)
			}
			c, err := maker.Create(src, fhir.Ref{Type: "Observation", ID: fmt.Sprint("big", i)})
			if err != nil {
				b.Fatal(err)
			}
			if batch.Changes = append(batch.Changes, c); len(batch.Changes) == 2000 {
				if _, err := store.Apply(b.Context(), &batch); err != nil {
					b.Fatal(err)
				}
				batch.Changes = nil
			}
		}
		guard := authz.NewGuard(authz.GuardConfig{Store: store, Base: base})
		for _, label := range []string{"", `"meta":{"security":[{"system":"` + authz.LabelSystem + `","code":"` + authz.Blocked + `"}]},`} {
			src, err := bundle.Parse([]byte(`{"resourceType":"Patient","id":"big",` + label + `"active":true}`))
			if err != nil {
				b.Fatal(err)
			}
			c, err := maker.Update(src, fhir.Ref{Type: "Patient", ID: "big"}, false)
			if err != nil {
				b.Fatal(err)
			}
			done, err := store.Apply(b.Context(), &bundle.Batch{Changes: []bundle.Change{c}})
			if err != nil {
				b.Fatal(err)
			}
			guard.Written(&done[0].Resource)
			for _, q := range []string{
				"/Observation/o%[1]d-1", "/Observation?patient=p%[1]d", "/Observation?code=http://loinc.org|%[2]d&_count=20", "/Observation?_count=50&_sort=-date",
				"/Observation?code=http://loinc.org|%[2]d&_summary=count", "/Observation?patient=big&_count=20", "/_history?_count=50",
			} {
				ask := asking(b, store, guard, clinicianOrSystem)
				name := strings.NewReplacer("%[1]d", "", "%[2]d", "", "http://loinc.org|", "").Replace(q)
				b.Run(fmt.Sprintf("%s/blocked=%v%s", engine, label != "", name), func(b *testing.B) {
					for i := 0; b.Loop(); i++ {
						ask(strings.NewReplacer("%[1]d", fmt.Sprint(i*7919*2%benchPatients), "%[2]d", fmt.Sprint(i%40)).Replace(q))
					}
				})
			}
		}
	}
}

// clinicianOrSystem may see everything but what is blocked.
var clinicianOrSystem = &authz.Principal{ID: "s", Client: "s", Roles: []string{"system"}, Scopes: []string{"system/*.cruds"}, Token: "t"}
