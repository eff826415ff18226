package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/registry/demo"
	"github.com/amate-health/amate/fhir/rest"
)

// seed makes up a population, and puts it into the database or into files.
type seed struct {
	Storage    storage `embed:""`
	Patients   int     `help:"How many people, newborns included." required:""`
	RandomSeed uint64  `help:"Another number gives other people; the same one always the same." default:"1"`
	Today      string  `help:"The last day of their lives so far, YYYY-MM-DD." placeholder:"DATE" default:"${today}"`
	Out        string  `help:"Write the transaction bundles as files into this folder, instead of applying them." placeholder:"DIR" type:"path"`
}

func (s *seed) Run(ctx context.Context, out streams, log *slog.Logger) error {
	today, err := time.Parse(time.DateOnly, s.Today)
	if err != nil {
		return usagef("--today %q: want a date such as %s", s.Today, demo.ReferenceDate.Format(time.DateOnly))
	}
	if s.Patients < 1 {
		return usagef("--patients %d: want at least 1", s.Patients)
	}
	options := demo.Options{Patients: s.Patients, Seed: s.RandomSeed, Date: today}
	if s.Out != "" {
		return writeFiles(s.Out, options, out)
	}
	store, err := s.Storage.open(ctx, log)
	if err != nil {
		return err
	}
	started := time.Now()
	// The base is of no account: the population holds relative references only.
	n, err := populate(ctx, store, options)
	if err = errors.Join(err, store.Close()); err != nil {
		return err
	}
	fmt.Fprintf(out.out, "%d resources of %d people in %.1f s\n", n, s.Patients, time.Since(started).Seconds())
	return nil
}

// writeFiles writes each transaction to a file, named so that their order is kept.
func writeFiles(dir string, o demo.Options, out streams) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	files := 0
	for b := range demo.Population(o) {
		name := "household"
		if b.Patients == 0 {
			name = "hospitalInformation" // what "amate import" loads first
		}
		files++
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%07d-%s.json", files, name)), b.JSON, 0o644); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(out.out, "%d files in %s\n", files, dir)
	return err
}

// populate applies a population to a store, and returns how many resources it has.
// Doing it again changes nothing.
func populate(ctx context.Context, store rest.Store, o demo.Options) (int64, error) {
	var n counter
	households, within := errgroup.WithContext(ctx)
	households.SetLimit(runtime.GOMAXPROCS(0) + 1)
	for b := range demo.Population(o) {
		work := func() error {
			n.Add(int64(b.Entries))
			return applyTransaction(within, store, b.JSON)
		}
		if within.Err() != nil {
			break
		}
		if b.Patients > 0 {
			households.Go(work)
		} else if err := work(); err != nil { // the facilities come before those who go there
			return 0, err
		}
	}
	return n.Load(), households.Wait()
}

// applyTransaction applies a transaction of the program's own making.
func applyTransaction(ctx context.Context, store rest.Store, text []byte) error {
	s, err := bundle.Parse(text)
	if err != nil {
		return err
	}
	b, err := bundle.Open(s, math.MaxInt)
	if err != nil {
		return err
	}
	plan, err := bundle.NewPlan(b, bundle.Options{Maker: makerFor(store), NewID: uuid.NewString})
	if err != nil {
		return err
	}
	if _, err := store.Apply(ctx, &plan.Batch); err != nil {
		return plan.Explain(err)
	}
	return nil
}
