package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/guide"
	"github.com/amate-health/amate/fhir/registry/birth"
	"github.com/amate-health/amate/fhir/registry/demo"
	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/fhir/search"
)

// Where a database remembers what of the demonstration it has.
const (
	demoKind = "demonstration"
	demoKey  = "country"
)

// demonstration is how far the demonstration of a database is.
type demonstration struct {
	Date  string    `json:"date"`  // last day in the lives of its population, YYYY-MM-DD
	Begun time.Time `json:"begun"` // "now" for all that is made beside the population
	Steps int       `json:"steps"` // how many scenes were begun: none is done twice
}

// options are those of the population.
func (d *demonstration) options() (demo.Options, error) {
	date, err := time.Parse(time.DateOnly, d.Date)
	return demo.Options{Patients: demoPatients, Seed: demoSeed, Date: date}, err
}

// readDemonstration returns how far a database is, and the entry that says so; its Version
// is 0 where there is none.
func readDemonstration(ctx context.Context, store *opened) (d demonstration, e fhir.Entry, err error) {
	e, err = store.Entry(ctx, demoKind, demoKey)
	if fhir.CodeOf(err) == fhir.NotFound {
		return d, fhir.Entry{Kind: demoKind, Key: demoKey}, nil
	}
	if err == nil {
		err = json.Unmarshal(e.Value, &d)
	}
	return d, e, err
}

// keep writes down how far the demonstration is.
func (d *demonstration) keep(ctx context.Context, store *opened, e *fhir.Entry) (err error) {
	if e.Value, err = json.Marshal(d); err == nil {
		err = store.Put(ctx, *e)
	}
	e.Version++
	return err
}

// demoOwns reports whether a database is the demonstration's: it has begun there, or nothing
// is in it. That of an earlier build, which remembers nothing, is left as it is.
func demoOwns(ctx context.Context, store *opened) (bool, error) {
	_, e, err := readDemonstration(ctx, store)
	if err != nil || e.Version > 0 {
		return err == nil, err
	}
	return vacant(ctx, store)
}

// vacant reports whether a database has nothing but what every server puts there.
func vacant(ctx context.Context, store rest.Store) (bool, error) {
	anything, err := store.History(ctx, &search.History{Count: 100, Restriction: search.Unrestricted})
	if err != nil {
		return false, err
	}
	return !slices.ContainsFunc(anything.Entries, func(r fhir.Resource) bool { return !strings.HasPrefix(r.Ref.ID, guide.IDPrefix) }), nil
}

// demonstrate makes the population of --demo, what happens to it through the operations of
// the server, and who may see it.
func (s *serve) demonstrate(ctx context.Context, store *opened, api *rest.API, log *slog.Logger) error {
	d, e, err := readDemonstration(ctx, store)
	if err != nil {
		return err
	}
	if e.Version == 0 {
		empty, err := vacant(ctx, store)
		if err != nil {
			return err
		}
		if empty && !s.DemoPeople {
			now := time.Now()
			d = demonstration{Date: now.In(birth.Zone).AddDate(0, 0, -1).Format(time.DateOnly), Begun: now.UTC().Truncate(time.Second)}
			if err := d.keep(ctx, store, &e); err != nil {
				return err
			}
		} else {
			d.Date = demo.ReferenceDate.Format(time.DateOnly) // as earlier builds made it
			if !empty {
				log.Info("what an earlier build made, or others, stays as it is: an empty database gets the whole demonstration")
			}
		}
	}
	o, err := d.options()
	if err == nil {
		err = seedDemo(ctx, store, o, log)
	}
	if err != nil {
		return err
	}
	if e.Version > 0 {
		if err := s.enliven(ctx, store, api, &d, &e, log); err != nil {
			return err
		}
	}
	if store.access == nil {
		return nil
	}
	return demoAccess(ctx, store.access, s.Storage.Data, log)
}

// seedDemo fills a store with the population of --demo, unless it holds something
// else, or has held it before. An earlier attempt that was cut off is finished.
func seedDemo(ctx context.Context, store rest.Store, o demo.Options, log *slog.Logger) error {
	last := fhir.Ref{Type: "Patient", ID: demo.PatientID(o.Seed, o.Patients)}
	if there, err := exists(ctx, store, last); err != nil || there {
		return err
	}
	begun, err := exists(ctx, store, fhir.Ref{Type: "Organization", ID: demo.FirstFacility()})
	if err != nil {
		return err
	}
	if !begun {
		empty, err := vacant(ctx, store)
		if err != nil {
			return err
		}
		if !empty {
			log.Info("the database is in use already, so it gets no demonstration data")
			return nil
		}
	}
	started := time.Now()
	n, err := populate(ctx, store, o)
	if err != nil {
		return fmt.Errorf("make demonstration data: %w", err)
	}
	log.Info("made demonstration data", "patients", o.Patients, "resources", n, "seconds", time.Since(started).Seconds())
	return nil
}
