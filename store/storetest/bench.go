package storetest

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/search"
)

// BenchmarkRead reads current versions of an imported patient's records, from as
// many goroutines as -cpu and parallel say.
func BenchmarkRead(b *testing.B, s Store) {
	batch := Synthea(b, 1)[0]
	if _, err := s.Apply(b.Context(), batch); err != nil {
		b.Fatal(err)
	}
	for _, clients := range []int{1, 16} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			m := startMeter()
			defer func() { m.report(b, int64(b.N), "op") }()
			inParallel(b, clients, func(n int64) error {
				_, err := s.Read(b.Context(), batch.Changes[n%int64(len(batch.Changes))].Ref)
				return err
			})
		})
	}
}

// BenchmarkApplySingle creates one Observation a batch.
func BenchmarkApplySingle(b *testing.B, s Store) {
	source := Synthea(b, 1)[0]
	if _, err := s.Apply(b.Context(), source); err != nil {
		b.Fatal(err)
	}
	var observations []bundle.Change
	for _, c := range source.Changes {
		if c.Ref.Type == "Observation" {
			observations = append(observations, c)
		}
	}
	var id atomic.Int64
	for _, clients := range []int{1, 16} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			m := startMeter()
			defer func() { m.report(b, int64(b.N), "op") }()
			inParallel(b, clients, func(n int64) error {
				c := observations[n%int64(len(observations))]
				c.Ref.ID = fmt.Sprintf("018f3c1e-0000-7000-8000-%012x", id.Add(1))
				_, err := s.Apply(b.Context(), &bundle.Batch{Changes: []bundle.Change{c}})
				return err
			})
		})
	}
}

// BenchmarkApplyBundle applies transactions of synthetic patients, and reports
// resources a second.
func BenchmarkApplyBundle(b *testing.B, s Store) {
	batches := Synthea(b, 60)
	var round atomic.Int64
	for _, clients := range []int{1, 4} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			var resources atomic.Int64
			m := startMeter()
			inParallel(b, clients, func(n int64) error {
				batch := renamed(batches[n%int64(len(batches))], round.Add(1))
				resources.Add(int64(len(batch.Changes)))
				_, err := s.Apply(b.Context(), batch)
				return err
			})
			b.ReportMetric(float64(resources.Load())/b.Elapsed().Seconds(), "resources/s")
			m.report(b, resources.Load(), "resource")
		})
	}
}

// renamed returns batch with other ids, so that it can be applied again. Its
// references lead within it, as they did.
func renamed(batch *bundle.Batch, round int64) *bundle.Batch {
	suffix := fmt.Sprintf("-%x", round)
	out := &bundle.Batch{Changes: make([]bundle.Change, len(batch.Changes))}
	for i, c := range batch.Changes {
		content, _ := c.Build(nil, c.Ref, nil) // frozen: it does not fail
		other := *content
		other.Index.Links = append(other.Index.Links[:0:0], content.Index.Links...)
		for j := range other.Index.Links {
			other.Index.Links[j].Target.ID += suffix
		}
		c.Ref.ID += suffix
		c.Build = func(*bundle.Env, fhir.Ref, *fhir.Resource) (*bundle.Content, error) { return &other, nil }
		out.Changes[i] = c
	}
	return out
}

// inParallel calls f b.N times from clients goroutines, each time with another number.
func inParallel(b *testing.B, clients int, f func(n int64) error) {
	b.ReportAllocs()
	b.ResetTimer()
	var next atomic.Int64
	together(clients, func(int) {
		for {
			n := next.Add(1) - 1
			if n >= int64(b.N) {
				return
			}
			if err := f(n); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkScan scans Observations of imported patients, as of now, and reports resources a second.
func BenchmarkScan(b *testing.B, s Scanner) {
	batches := Synthea(b, 10)
	for round := range int64(6) {
		for _, batch := range batches {
			if _, err := s.Apply(b.Context(), renamed(batch, round)); err != nil {
				b.Fatal(err)
			}
		}
	}
	at, err := s.Moment(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	m, n := startMeter(), int64(0)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		scan := search.Scan{Query: search.Query{Type: "Observation", Restriction: search.Unrestricted}, At: at}
		err := s.Scan(b.Context(), &scan, indexed, func(found []fhir.Resource, _ string) error {
			n += int64(len(found))
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	m.report(b, n, "resource")
}
