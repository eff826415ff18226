package recommend

import (
	"context"
	"log/slog"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
	"github.com/amate-health/amate/fhir/search"
)

// Store is where records and rows are.
type Store interface {
	Search(ctx context.Context, q *search.Query) (*search.Result, error)
	Records(ctx context.Context, q *search.PatientQuery) ([]search.PatientRecord, error)
	SaveVaccinees(ctx context.Context, all []fhir.Vaccinee) error
	DropVaccinees(ctx context.Context, patients []string) error
	Vaccinees(ctx context.Context, q *fhir.VaccineeQuery, each func(*fhir.Vaccinee) error) error
	AddVaccineeSchedule(ctx context.Context, v fhir.VaccineeSchedule) error
	Linked(ctx context.Context, keys []int64) (map[int64][]int64, error)
}

// Keeper keeps what the schedule says of each Patient: one ImmunizationRecommendation in
// their record and one row. It writes only what has changed, and does the same when it is
// asked again, so that it can be asked more than once. All fields but those that say
// otherwise must be set. It is safe for concurrent use.
type Keeper struct {
	Store   Store
	Library *Library

	Write func(ctx context.Context, b *bundle.Batch) ([]bundle.Result, error)
	// Purge removes resources for good. nil where only versions that say so are left.
	Purge func(ctx context.Context, refs []fhir.Ref) error
	Maker func(base string) bundle.Maker
	// Facility returns the CLUES of an Organization or of that of a Location; "" for none.
	Facility func(ctx context.Context, ref fhir.Ref) string

	Schedule string         // which schedule, as Library.Find takes it
	CLUES    string         // system of identifiers that are CLUES
	Blocked  string         // security label of records that are blocked: "system|code"
	Zone     *time.Location // whose day it is
	Now      func() time.Time
	Log      *slog.Logger
	Workers  int  // at a time; 0 for one
	RowsOnly bool // resources are left as they are

	once   sync.Once
	links  []search.PatientLink
	tokens map[int64]bool // postings of Observations that can say something
	failed error

	mu    sync.Mutex
	added map[int64]bool // schedules of rows
	own   map[fhir.Ref]bool
}

// Tally counts what a Keeper has done.
type Tally struct {
	Patients int // looked at
	Rows     int // Patients of whom a row is kept
	Written  int // resources
	Removed  int // resources
	Refused  int // resources that could not be written
}

// Add adds another tally.
func (t *Tally) Add(o Tally) {
	t.Patients += o.Patients
	t.Rows += o.Rows
	t.Written += o.Written
	t.Removed += o.Removed
	t.Refused += o.Refused
}

// Today is the day in the zone of k.
func (k *Keeper) Today() schedule.Date { return schedule.DateOf(k.Now().In(k.Zone)) }

// prepare works out what the records are asked for.
func (k *Keeper) prepare() error {
	k.once.Do(func() {
		var b *Book
		if b, k.failed = k.Library.Find(k.Schedule, k.Today()); k.failed == nil {
			k.links, k.failed = linksOf(b.Reader)
		}
		k.tokens = map[int64]bool{}
		for _, l := range k.links {
			for _, hash := range l.Among {
				k.tokens[hash|math.MinInt64] = true // as postings are
			}
		}
		k.added, k.own = map[int64]bool{}, map[fhir.Ref]bool{}
	})
	return k.failed
}

// Look brings up to date what is kept of Patients, by their ids; also of those who are not
// there any more. With verify, resources are compared as they are stored, since somebody
// else may have written them.
func (k *Keeper) Look(ctx context.Context, patients []string, verify bool) (Tally, error) {
	if err := k.prepare(); err != nil {
		return Tally{}, err
	}
	patients = slices.Clone(patients)
	slices.Sort(patients)
	patients = slices.Compact(patients)
	records, err := k.Store.Records(ctx, &search.PatientQuery{Patients: patients, Limit: len(patients), Links: k.links})
	if err != nil {
		return Tally{}, err
	}
	return k.keep(ctx, patients, records, verify)
}

// Next brings up to date what is kept of up to limit Patients whose row keys come after
// one, and returns the last of them; 0 when there are no more.
func (k *Keeper) Next(ctx context.Context, after int64, limit int) (last int64, t Tally, err error) {
	records, err := k.Read(ctx, after, limit)
	if err != nil || len(records) == 0 {
		return 0, t, err
	}
	t, err = k.Keep(ctx, records)
	return records[len(records)-1].Key, t, err
}

// Read reads the records of up to limit Patients whose row keys come after one.
func (k *Keeper) Read(ctx context.Context, after int64, limit int) ([]search.PatientRecord, error) {
	if err := k.prepare(); err != nil {
		return nil, err
	}
	return k.Store.Records(ctx, &search.PatientQuery{After: after, Limit: limit, Links: k.links})
}

// Keep brings up to date what is kept of Patients whose records were read.
func (k *Keeper) Keep(ctx context.Context, records []search.PatientRecord) (Tally, error) {
	patients := make([]string, len(records))
	for i := range records {
		patients[i] = records[i].Patient.Ref.ID
	}
	return k.keep(ctx, patients, records, false)
}

func (k *Keeper) keep(ctx context.Context, patients []string, records []search.PatientRecord, verify bool) (Tally, error) {
	drafts, err := k.drafts(ctx, records)
	if err != nil {
		return Tally{}, err
	}
	was := make(map[string]int64, len(patients)) // prints
	err = k.Store.Vaccinees(ctx, &fhir.VaccineeQuery{Patients: patients}, func(v *fhir.Vaccinee) error {
		was[v.Patient] = v.Print
		return nil
	})
	if err != nil {
		return Tally{}, err
	}
	w := &work{Keeper: k, tally: Tally{Patients: len(patients)}}
	there := make(map[string]bool, len(drafts))
	for _, d := range drafts {
		there[d.patient] = true
		old, had := was[d.patient]
		switch {
		case d.row == nil:
			w.gone = append(w.gone, d.patient)
		case k.RowsOnly && had:
			d.row.Print = old
		case k.RowsOnly:
			d.row.Print = 0
		case verify || old != d.row.Print:
			w.changed = append(w.changed, d)
		}
		if d.row != nil {
			w.rows = append(w.rows, *d.row)
			w.shapes = append(w.shapes, d.paper.book.shape())
		}
	}
	for _, id := range patients {
		if !there[id] {
			w.missing = append(w.missing, id)
		}
	}
	err = w.run(ctx)
	return w.tally, err
}

// drafts works out what is to be kept of records.
func (k *Keeper) drafts(ctx context.Context, records []search.PatientRecord) ([]*draft, error) {
	drafts, on := make([]*draft, len(records)), k.Today()
	errs := make([]error, max(1, k.Workers))
	var all sync.WaitGroup
	for worker := range errs {
		all.Go(func() {
			for i := worker; i < len(records) && errs[worker] == nil; i += len(errs) {
				drafts[i], errs[worker] = k.draft(ctx, &records[i], on)
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return drafts, nil
}

// Own reports whether a version of a resource was written by k, and forgets that.
func (k *Keeper) Own(ref fhir.Ref) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	own := k.own[ref]
	delete(k.own, ref)
	return own
}

// mostOwn bounds what is remembered of what was written.
const mostOwn = 100_000

// wrote remembers what was written.
func (k *Keeper) wrote(results []bundle.Result) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.own) > mostOwn {
		clear(k.own)
	}
	for i := range results {
		k.own[results[i].Resource.Ref] = true
		for _, ref := range results[i].Deleted {
			k.own[ref] = true
		}
	}
}

// stored returns the recommendations that are there of Patients.
func (k *Keeper) stored(ctx context.Context, patients []string) (map[string]*fhir.Resource, error) {
	found := make(map[string]*fhir.Resource, len(patients))
	for some := range slices.Chunk(patients, atOnce) {
		ids := make([]string, len(some))
		for i := range some {
			ids[i] = ForecastID(some[i])
		}
		result, err := k.Store.Search(ctx, &search.Query{
			Type: "ImmunizationRecommendation", Where: []search.Expr{search.IDs{Any: ids}}, Count: len(ids), Restriction: search.Unrestricted,
		})
		if err != nil {
			return nil, err
		}
		for i := range result.Matches {
			found[result.Matches[i].Ref.ID] = &result.Matches[i]
		}
	}
	return found, nil
}

// same reports whether a stored resource says what another text of it does, whatever the
// date, and has its labels; there may be more of these.
func same(stored, wanted []byte) bool {
	a, errA := element.Parse(stored)
	b, errB := element.Parse(wanted)
	if errA != nil || errB != nil {
		return false
	}
	have := labels(a)
	for _, l := range labels(b) {
		if !slices.Contains(have, l) {
			return false
		}
	}
	return said(a) == said(b)
}

// said is the text of a resource but for what is said of it.
func said(d *element.Doc) string {
	var all []byte
	for c := d.First(0); c != element.None; c = d.Next(0, c) {
		if name := string(d.Name(c)); name != "meta" && name != "date" {
			all = append(append(append(all, name...), ':'), d.Raw(c)...)
		}
	}
	return string(all)
}
