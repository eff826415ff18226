package main

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/registry/demo"
	"github.com/amate-health/amate/fhir/registry/identity/match"
	"github.com/amate-health/amate/fhir/registry/identity/mpi"
	"github.com/amate-health/amate/fhir/search"
)

// TestRecallAmongMany: who is asked for with a slip is found among as many people as
// BenchmarkMatch measures on, though these have few names between them.
func TestRecallAmongMany(t *testing.T) {
	t.Parallel()
	if os.Getenv(matchDatabase) == "" {
		t.Skipf("there is no %s to look for people in", matchDatabase)
	}
	o, n := crowd(t)
	c := o.clerk(match.Default(), match.Probable)
	rng := rand.New(rand.NewPCG(3, 3))
	asked, right, first := map[string]int{}, map[string]int{}, map[string]int{}
	for i := range 600 {
		slip := clerkSlips[i%len(clerkSlips)]
		stored, err := o.Read(t.Context(), fhir.Ref{Type: "Patient", ID: demo.PatientID(1, 1+rng.IntN(n))})
		if err != nil {
			t.Fatal(err)
		}
		r := writtenOf(t, stored.JSON)
		r.Name = []writtenName{{"official", r.Name[0].Family, slices.Clone(r.Name[0].Given)}}
		if r.Identifier = nil; i%2 == 0 {
			r.Telecom = nil
		} else {
			r.Address = nil
		}
		slip.do(rng, &r)
		text, err := json.Marshal(&r)
		if err != nil {
			t.Fatal(err)
		}
		p, err := personOf(&fhir.Resource{JSON: text})
		if err != nil {
			t.Fatal(err)
		}
		found, err := c.Find(t.Context(), &p, mpi.Wish{Restriction: search.Unrestricted, Count: 10, Least: match.Possible})
		if err != nil {
			t.Fatal(err)
		}
		asked[slip.name]++
		at := slices.IndexFunc(found, func(f mpi.Found) bool { return f.Patient.Ref.ID == stored.Ref.ID })
		if at == 0 {
			first[slip.name]++
		}
		if at >= 0 && found[at].Grade >= match.Probable {
			right[slip.name]++
		}
	}
	for name, n := range asked {
		t.Logf("%s: %d asked for, %d found as probable or certain, %d first", name, n, right[name], first[name])
		if right[name]*100 < n*85 {
			t.Errorf("%s: %d of %d found", name, right[name], n)
		}
	}
}
