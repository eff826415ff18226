package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store/storetest"
)

// BenchmarkEverything is $everything by 16 clients: of patients of Synthea whose
// records have from 200 to 400 resources, at once; and their compartments by pages.
func BenchmarkEverything(b *testing.B) {
	paths := synthea(b, 100)
	eachEngine(b, func(b *testing.B, s storage) {
		quiet := slog.New(slog.DiscardHandler)
		l := load{Storage: s, BaseURL: "http://127.0.0.1:8080/fhir", Paths: paths}
		if err := l.Run(context.Background(), streams{out: new(bytes.Buffer), err: io.Discard}, quiet); err != nil {
			b.Fatal(err)
		}
		base, store := benchServer(b, s)
		some := chosen(b, store)
		for name, path := range map[string]string{
			"whole":  "$everything",
			"page":   "$everything?_count=50",
			"dated":  "$everything?start=2015-01-01&end=2016-12-31",
			"search": "*?_count=50",
		} {
			b.Run(name, func(b *testing.B) {
				client := benchClient()
				report := storetest.Measure(b)
				defer func() { report(int64(b.N), "answer") }()
				over16(b, func(r *rand.Rand) error {
					out, err := ask(client, "GET", base+"/Patient/"+some[r.IntN(len(some))]+"/"+path, "")
					if err == nil && !strings.Contains(out, `"entry":[`) {
						err = fmt.Errorf("nothing came: %.200s", out)
					}
					return err
				})
			})
		}
	})
}

// chosen returns the ids of patients whose records are of about the size wanted.
func chosen(b *testing.B, store *opened) []string {
	b.Helper()
	q := &search.Query{Type: "Patient", Count: 1000, Restriction: search.Unrestricted}
	res, err := store.Search(context.Background(), q)
	if err != nil {
		b.Fatal(err)
	}
	var some []string
	for _, p := range res.Matches {
		of, err := store.Search(context.Background(), &search.Query{
			Where: []search.Expr{search.WholeCompartment([]fhir.Ref{p.Ref})}, Total: search.TotalAccurate, Restriction: search.Unrestricted,
		})
		if err != nil {
			b.Fatal(err)
		}
		if of.Total >= 200 && of.Total <= 400 {
			some = append(some, p.Ref.ID)
		}
	}
	if len(some) == 0 {
		b.Skip("SKIPPED: no patient with 200 to 400 resources")
	}
	return some
}
