package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/registry/demo"
	"github.com/amate-health/amate/fhir/registry/identity/match"
	"github.com/amate-health/amate/fhir/registry/identity/mpi"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store/storetest"
)

// matchDatabase is a PostgreSQL database to measure on, which is filled when it is
// empty and kept; without it, one of storetest with fewer people. matchPatients is how
// many people it gets.
const (
	matchDatabase = "AMATE_MATCH_DATABASE_URL"
	matchPatients = "AMATE_MATCH_PATIENTS"
)

// BenchmarkMatch measures the search for a person, on both cores at once.
func BenchmarkMatch(b *testing.B) {
	o, n := crowd(b)
	people := sampled(b, o, 2000)
	c := o.clerk(match.Default(), match.Probable)
	o.people = c
	b.ReportMetric(float64(n), "patients")
	b.ResetTimer()
	began := time.Now()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			p := &people[(i*7919)%len(people)]
			found, err := c.Find(context.Background(), p, mpi.Wish{Restriction: search.Unrestricted, Count: 10})
			if err != nil || len(found) == 0 {
				b.Fatalf("%d found, %v", len(found), err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "matches/s")
}

// crowd opens a store full of people, and returns how many there are.
func crowd(tb testing.TB) (*opened, int) {
	tb.Helper()
	url := os.Getenv(matchDatabase)
	n, _ := strconv.Atoi(cmp.Or(os.Getenv(matchPatients), "5000"))
	if url == "" {
		url = storetest.StartServer(tb).URL("postgres")
	}
	o, err := storage{Data: tb.TempDir(), Database: url, FullText: textTypes{}}.open(tb.Context(), slog.New(slog.DiscardHandler))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { o.Close() })
	peopled(tb, o, n, 500)
	return o, n
}

// peopled puts people into a store that has none, and nothing of their lives.
func peopled(tb testing.TB, o *opened, n, at int) {
	tb.Helper()
	last, err := exists(tb.Context(), o, fhir.Ref{Type: "Patient", ID: demo.PatientID(1, n)})
	if err != nil || last {
		return
	}
	maker := makerFor(o)
	var b bundle.Batch
	began, done := time.Now(), 0
	flush := func() {
		if _, err := o.engine.Apply(tb.Context(), &b); err != nil {
			tb.Fatal(err)
		}
		if done += len(b.Changes); done%50_000 < at {
			fmt.Fprintf(os.Stderr, "%d people, %.0f a second\n", done, float64(done)/time.Since(began).Seconds())
		}
		b.Changes = nil
	}
	for json := range demo.People(demo.Options{Patients: n, Seed: 1}) {
		src, err := bundle.Parse(json)
		if err != nil {
			tb.Fatal(err)
		}
		c, err := maker.Update(src, fhir.Ref{Type: "Patient", ID: src.ID()}, false)
		if err != nil {
			tb.Fatal(err)
		}
		if b.Changes = append(b.Changes, c); len(b.Changes) == at {
			flush()
		}
	}
	if len(b.Changes) > 0 {
		flush()
	}
}

// sampled returns what is compared of some of those who are stored.
func sampled(tb testing.TB, o *opened, n int) []match.Person {
	tb.Helper()
	found, err := o.engine.Search(tb.Context(), &search.Query{Type: "Patient", Count: n, Sort: []search.Sort{{Field: "_id", Desc: true}}, Restriction: search.Unrestricted})
	if err != nil {
		tb.Fatal(err)
	}
	var people []match.Person
	for i := range found.Matches {
		d, err := element.Parse(found.Matches[i].JSON)
		if err != nil {
			tb.Fatal(err)
		}
		people = append(people, reading.Patient(d, 0))
	}
	if len(people) == 0 || strings.Join(people[0].Given, "") == "" {
		tb.Fatal("nobody is stored")
	}
	return people
}
