package dose

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store/postgres"
	"github.com/amate-health/amate/store/sqlite"
	"github.com/amate-health/amate/store/storetest"
)

// BenchmarkLot finds the 20 recipients of a lot among few doses and among many: the index
// of lot numbers makes that the same.
func BenchmarkLot(b *testing.B) {
	for name, open := range map[string]func() (Store, error){
		"sqlite": func() (Store, error) {
			return sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "lot.db"), sqlite.Options{})
		},
		"postgres": func() (Store, error) {
			return postgres.Open(b.Context(), storetest.Postgres(b), postgres.Options{})
		},
	} {
		store, err := open()
		if err != nil {
			b.Fatal(err)
		}
		doses := 0
		for _, many := range []int{2_000, 40_000} {
			for ; doses < many; doses += 1000 {
				fill(b, store, doses)
			}
			b.Run(fmt.Sprintf("%s/%d", name, many), func(b *testing.B) {
				s := New(Config{Store: store})
				for b.Loop() {
					found := 0
					err := s.find(b.Context(), search.Unrestricted, "Immunization", ofLot("LT-7 x"), func(*fhir.Resource) (bool, error) {
						found++
						return true, nil
					})
					if err != nil || found != 20 {
						b.Fatal(found, err)
					}
				}
			})
		}
		_ = store.(interface{ Close() error }).Close() // it is lent, or its folder goes
	}
}

// fill stores 1,000 doses, from a number on; each of the first 2,000 hundredth is of one lot.
func fill(b *testing.B, store Store, from int) {
	b.Helper()
	var batch bundle.Batch
	for i := from; i < from+1000; i++ {
		lot := fmt.Sprintf("LT-%dA", 10+i)
		if i < 2000 && i%100 == 0 {
			lot = []string{"LT7X", "lt-7-x", "LT 7X"}[i/100%3]
		}
		change, err := created(bundle.Maker{Base: testBase}, object{
			"resourceType": "Immunization", "status": "completed", "vaccineCode": concept(systemCVX, "08", ""), "patient": object{"reference": fmt.Sprint("Patient/", i)},
			"occurrenceDateTime": "2026-03-01", "lotNumber": lot,
		}, fhir.Ref{Type: "Immunization", ID: fmt.Sprint("i", i)})
		if err != nil {
			b.Fatal(err)
		}
		batch.Changes = append(batch.Changes, change)
	}
	if _, err := store.Apply(b.Context(), &batch); err != nil {
		b.Fatal(err)
	}
}
