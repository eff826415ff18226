package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/identity"
	"github.com/amate-health/amate/fhir/registry/immunization"
	"github.com/amate-health/amate/fhir/registry/immunization/recommend"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
	"github.com/amate-health/amate/store"
)

// forecasting says by which schedule it is told which vaccines are due.
type forecasting struct {
	Schedule string `help:"Immunization schedule by which it is told which vaccines are due: the name of one that comes with amate, the folder or .tar.gz of CDC's supporting data (CDSi), or a schedule as .json. Of its versions, that holds which the day asks for." default:"mx" placeholder:"NAME|PATH"`
}

// schedules are the versions of schedules of immunization, ready for use.
type schedules struct {
	*recommend.Library
	print string // of all that they say
}

// open reads the schedule.
func (f *forecasting) open() (*schedules, error) {
	all, err := openSchedule(f.Schedule)
	if err != nil {
		return nil, err
	}
	if len(all.shelf) == 0 {
		return nil, usagef("--schedule %s: there is no schedule in it", f.Schedule)
	}
	library, err := recommend.NewLibrary(all.shelf[0].Name, all.shelf, func(s *schedule.Schedule) (immunization.Assessor, error) { return immunization.New(s) })
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(all.shelf)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(text)
	return &schedules{Library: library, print: hex.EncodeToString(sum[:8])}, nil
}

// mexicoCity is its time, which has known no summer time since 2022.
var mexicoCity = time.FixedZone("America/Mexico_City", -6*60*60)

// zone is the one whose days count.
func (o *opened) zone() *time.Location {
	if o.office.zone != nil {
		return o.office.zone
	}
	return mexicoCity
}

// forecasts are the schedules; those that come with amate where none was asked for.
func (o *opened) forecasts() *schedules {
	if o.schedules == nil {
		s, err := (&forecasting{Schedule: "mx"}).open()
		if err != nil {
			panic(err) // it is part of the program
		}
		o.schedules = s
	}
	return o.schedules
}

// assessor judges doses by the schedule that is in force on a day.
func (o *opened) assessor(day schedule.Date) (immunization.Assessor, error) {
	book, err := o.forecasts().Find("", day)
	if err != nil {
		return nil, err
	}
	return book.Assessor()
}

// recommendOperations tell which vaccines are due.
func (o *opened) recommendOperations() []operation.Operation {
	desk := recommend.Desk{Store: o, Library: o.forecasts().Library, Zone: o.zone(), Now: time.Now}
	return desk.Operations()
}

// vaccinationKeeper keeps what the schedule says of each Patient.
func (o *opened) vaccinationKeeper() *recommend.Keeper {
	clues := &facilities{engine: o.engine}
	return &recommend.Keeper{
		Store: o.engine, Library: o.forecasts().Library, Write: rightsStore{o}.Apply, Maker: o.maker, Facility: clues.of, CLUES: identity.SystemCLUES,
		Blocked: blockedLabel.System + "|" + blockedLabel.Code, Zone: o.zone(), Now: time.Now, Log: o.log,
		Purge: func(ctx context.Context, refs []fhir.Ref) error {
			_, err := o.engine.Purge(ctx, refs, o.indexer())
			if errors.Is(err, store.ErrUnscrubbed) {
				err = nil
			}
			return err
		},
	}
}

// facilities knows the CLUES of Organizations and Locations. What it has read it believes
// for a while.
type facilities struct {
	engine engine

	mu    sync.Mutex
	known map[fhir.Ref]string
	since time.Time
}

const (
	facilitiesFor  = 10 * time.Minute
	facilitiesMost = 100_000
)

// of returns the CLUES of an Organization, of a Location or of who manages it; "" for none.
func (f *facilities) of(ctx context.Context, ref fhir.Ref) string {
	f.mu.Lock()
	if f.known == nil || time.Since(f.since) > facilitiesFor || len(f.known) > facilitiesMost {
		f.known, f.since = map[fhir.Ref]string{}, time.Now()
	}
	clues, ok := f.known[ref]
	f.mu.Unlock()
	if ok {
		return clues
	}
	clues, ok = f.read(ctx, ref, ref.Type == "Location")
	if !ok {
		return ""
	}
	f.mu.Lock()
	f.known[ref] = clues
	f.mu.Unlock()
	return clues
}

// read is false where it could not be read now, which says nothing about it.
func (f *facilities) read(ctx context.Context, ref fhir.Ref, managed bool) (clues string, ok bool) {
	r, err := f.engine.Read(ctx, ref)
	if err != nil {
		code := fhir.CodeOf(err)
		return "", code == fhir.NotFound || code == fhir.Gone
	}
	var place struct {
		Identifier []struct{ System, Value string }
		Managing   struct{ Reference string } `json:"managingOrganization"`
	}
	if json.Unmarshal(r.JSON, &place) != nil {
		return "", true
	}
	for _, id := range place.Identifier {
		if id.System == identity.SystemCLUES {
			return strings.TrimSpace(id.Value), true
		}
	}
	if to, ok := fhir.ParseRef(place.Managing.Reference); ok && managed && to.Type == "Organization" {
		return f.read(ctx, to.Current(), false)
	}
	return "", true
}
