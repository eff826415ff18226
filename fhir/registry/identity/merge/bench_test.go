package merge

import (
	"context"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/search"
)

// BenchmarkIndex is what a write of any resource pays for there being merges.
func BenchmarkIndex(b *testing.B) {
	json := []byte(`{"resourceType":"Observation","id":"o","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"1-8"}]},"subject":{"reference":"Patient/x"},"encounter":{"reference":"Encounter/e"},"performer":[{"reference":"Practitioner/d"}]}`)
	d, err := element.Parse(json)
	if err != nil {
		b.Fatal(err)
	}
	ix, err := search.Extract(d, 0, "")
	if err != nil {
		b.Fatal(err)
	}
	l := &Links{}
	for i := range 100_000 {
		l.set(fmt.Sprint("s", i), fmt.Sprint("t", i))
	}
	r := &fhir.Resource{Ref: fhir.Ref{Type: "Observation", ID: "o"}, JSON: json}
	b.ReportAllocs()
	for b.Loop() {
		l.Index(r, ix)
	}
}

// BenchmarkMerge merges and parts Patients of whom one has a thousand results.
func BenchmarkMerge(b *testing.B) {
	w := newWorld(b, open(b))
	w.put(`{"resourceType":"Patient","id":"s"}`)
	w.put(`{"resourceType":"Patient","id":"t"}`)
	var changes []bundle.Change
	for i := range 1000 {
		src, err := bundle.Parse(fmt.Appendf(nil, `{"resourceType":"Observation","id":"o%d","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/s"}}`, i))
		if err != nil {
			b.Fatal(err)
		}
		c, err := w.Maker("").Update(src, fhir.Ref{Type: "Observation", ID: src.ID()}, false)
		if err != nil {
			b.Fatal(err)
		}
		changes = append(changes, c)
	}
	if _, err := w.at.Apply(context.Background(), &bundle.Batch{Changes: changes}); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		rec, err := w.Merge(context.Background(), &Request{Source: "s", Target: "t", By: "me"})
		if err != nil {
			b.Fatal(err)
		}
		if err := w.Resume(context.Background(), "s", rec.ID); err != nil {
			b.Fatal(err)
		}
		if _, err := w.Unmerge(context.Background(), &Parting{Source: "s", By: "me"}); err != nil {
			b.Fatal(err)
		}
	}
}

var _ rapid.TB = (*testing.B)(nil) // worlds are made in tests of all kinds
