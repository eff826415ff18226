package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/identity"
	"github.com/amate-health/amate/fhir/registry/identity/match"
	"github.com/amate-health/amate/fhir/registry/identity/mpi"
	"github.com/amate-health/amate/store"
	"github.com/amate-health/amate/store/job"
)

// reading is how Patients are read for matching: beside the CURP, the RFC is a person's
// own. An NSS is not, since families are treated under that of one of them.
var reading = match.Reading{Personal: map[string]bool{identity.SystemRFC: true}}

// matching says how records of one person are found.
type matching struct {
	Parameters string `help:"File of parameters, as amate identity train writes it; without it, those of the program." placeholder:"FILE" type:"existingfile" name:"match-parameters"`
	Duplicates string `help:"From what grade on pairs of Patients that may be one person become Tasks: possible, probable or certain; off for none. Nothing is ever joined of itself." enum:"possible,probable,certain,off" default:"probable"`
}

// grades are those of the flag.
var grades = map[string]match.Grade{"possible": match.Possible, "probable": match.Probable, "certain": match.Certain}

// model returns the model that a file has, the one of the program for "".
func model(file string) (*match.Model, error) {
	if file == "" {
		return match.Default(), nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m, err := match.Read(f)
	if err != nil {
		return nil, usagef("%s: %v", file, err)
	}
	return m, nil
}

// clerk returns who finds Patients by m, and keeps the list of duplicates.
func (o *opened) clerk(m *match.Model, least match.Grade) *mpi.Clerk {
	return &mpi.Clerk{
		Finder: mpi.Finder{Store: o, Model: m, Reading: reading}, Maker: o.maker, Write: rightsStore{o}.Apply, Least: least, Log: o.log, Now: time.Now,
	}
}

// matchOperations are those of the master patient index.
func (o *opened) matchOperations() []operation.Operation {
	if o.people == nil {
		o.people = o.clerk(match.Default(), match.Probable)
	}
	return mpi.Operations(o.people)
}

const (
	duplicatesJob = "identity-duplicates" // kind of the job, and of the entries of how far it is
	feedKey       = "feed"
	batchKey      = "batch"
)

// handleMatching lets this process keep the list of duplicates.
func (o *opened) handleMatching(ctx context.Context, s matching) error {
	m, err := model(s.Parameters)
	if err != nil {
		return err
	}
	o.people = o.clerk(m, grades[s.Duplicates])
	if s.Duplicates == "off" {
		return nil
	}
	o.jobs.Handle(duplicatesJob, 1, o.followDuplicates)
	return o.stand(ctx, duplicatesJob)
}

const (
	duplicatesPage = 500             // changes at a time
	duplicatesLook = 25              // Patients at a time
	duplicatesRest = 5 * time.Second // after an error
)

// followDuplicates compares every Patient that is written with all others, until ctx
// ends. What was there before is for "amate identity duplicates".
func (o *opened) followDuplicates(ctx context.Context, t *job.Task) error {
	var total mpi.Tally
	for {
		err := o.nextDuplicates(ctx, &total)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		t.Progress(int64(total.Patients), 0, fmt.Sprintf("Tasks opened: %d, closed: %d", total.Opened, total.Closed))
		if err != nil {
			o.log.Warn("possible duplicates are not looked for now; it is tried again", "error", err)
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(duplicatesRest):
			}
		}
	}
}

// nextDuplicates waits for changes, looks at the Patients among them, and notes how far it is.
func (o *opened) nextDuplicates(ctx context.Context, total *mpi.Tally) error {
	mark, e, err := o.place(ctx, feedKey)
	if err != nil {
		return err
	}
	if e.Version == 0 {
		if mark.Feed, err = o.Feed().End(ctx); err != nil {
			return err
		}
		return o.savePlace(ctx, e, mark)
	}
	changes, err := o.ahead(ctx, mark.Feed, duplicatesPage, func(ref fhir.Ref) bool { return ref.Type == "Patient" })
	switch {
	case errors.Is(err, store.ErrOtherHistory):
		if mark.Feed, err = o.Feed().End(ctx); err != nil {
			return err
		}
		return o.savePlace(ctx, e, mark)
	case err != nil:
		return err
	}
	var ids []string
	for i := range changes {
		if ref := changes[i].Ref; ref.Type == "Patient" {
			ids = append(ids, ref.ID)
		}
	}
	slices.Sort(ids)
	for some := range slices.Chunk(slices.Compact(ids), duplicatesLook) {
		done, err := o.people.Look(ctx, some)
		if err != nil {
			return err
		}
		total.Add(done)
	}
	mark.Feed = changes[len(changes)-1].At
	return o.savePlace(ctx, e, mark)
}

// place is how far the search for duplicates is.
type place struct {
	Feed  fhir.Mark  `json:"feed,omitzero"`
	Walk  store.Walk `json:"walk,omitzero"`
	Done  int        `json:"done,omitempty"`
	Tally mpi.Tally  `json:"tally,omitzero"`
}

// place returns the place that was noted under a key; its entry has no Version when
// there is none.
func (o *opened) place(ctx context.Context, key string) (at place, e fhir.Entry, err error) {
	e, err = o.Entry(ctx, duplicatesJob, key)
	if fhir.CodeOf(err) == fhir.NotFound {
		return at, fhir.Entry{Kind: duplicatesJob, Key: key}, nil
	}
	if err == nil {
		err = json.Unmarshal(e.Value, &at)
	}
	return at, e, err
}

func (o *opened) savePlace(ctx context.Context, e fhir.Entry, at place) error {
	value, err := json.Marshal(at)
	if err != nil {
		return err
	}
	e.Value = value
	return o.Put(ctx, e)
}

// withPeople opens the store of a command that works with matching.
func withPeople(ctx context.Context, s storage, parameters string, least match.Grade, log *slog.Logger, f func(*opened) error) error {
	m, err := model(parameters)
	if err != nil {
		return err
	}
	o, err := s.open(ctx, log)
	if err != nil {
		return err
	}
	o.people = o.clerk(m, least)
	if err = o.upgradedIndex(ctx); err == nil {
		err = f(o)
	}
	return errors.Join(err, o.Close())
}

// upgradedIndex refuses a database that was indexed before Patients had keys.
func (o *opened) upgradedIndex(ctx context.Context) error {
	version, _, err := o.indexVersion(ctx)
	if err == nil && version < personIndexVersion {
		err = errors.New("the index was made by an older program: start a server on this database, which brings it up to date, or run amate reindex first")
	}
	return err
}

// personIndexVersion is the first reindex.Version in which Patients have keys.
const personIndexVersion = 4
