package referral

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
)

// Store is where referrals are.
type Store interface {
	Search(ctx context.Context, q *search.Query) (*search.Result, error)
	Apply(ctx context.Context, b *bundle.Batch) ([]bundle.Result, error)
	Entry(ctx context.Context, kind, key string) (fhir.Entry, error)
	Entries(ctx context.Context, kind, group, after string, limit int) ([]fhir.Entry, error)
	Remove(ctx context.Context, kind, key string, version int64) error
}

// Config is what the operations work with. Store, Maker and Calendar must be set.
type Config struct {
	Store     Store
	Maker     func(base string) bundle.Maker
	Calendar  Calendar
	Deadlines Deadlines // nil is DefaultDeadlines

	// Draft returns a draft, not stored, of a nota de referencia with all that is known of a
	// visit; author is who writes it. nil leaves all of it to the author.
	Draft func(ctx context.Context, call *operation.Call, encounter, author fhir.Ref) ([]byte, error)
	// Summary returns the International Patient Summary, as the caller may see it. nil for a
	// server without.
	Summary func(ctx context.Context, call *operation.Call, patient fhir.Ref) ([]byte, error)

	Zone  *time.Location // of business days; nil is that of central Mexico
	Now   func() time.Time
	NewID func() string
}

type service struct{ Config }

// central is the time of most of Mexico, which has no summer time since 2022.
var central = time.FixedZone("UTC-6", -6*60*60)

func (cfg Config) filled() Config {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.NewID == nil {
		cfg.NewID = func() string { return uuid.Must(uuid.NewV7()).String() }
	}
	if cfg.Zone == nil {
		cfg.Zone = central
	}
	if cfg.Deadlines == nil {
		cfg.Deadlines = DefaultDeadlines()
	}
	return cfg
}

const own = "https://github.com/amate-health/amate/fhir/OperationDefinition/"

// Operations returns
//
//   - Encounter/[id]/$refer and Patient/[id]/$refer, which send a patient to another
//     establishment,
//   - Task/[id]/$accept-referral, $reject-referral, $schedule-referral and
//     $answer-referral, by the establishment that receives,
//   - Task/[id]/$cancel-referral, by the one that sent,
//   - Task/$referrals, what the caller's establishment has sent or received.
func Operations(cfg Config) []operation.Operation {
	s := &service{cfg.filled()}
	on := func(name string, run func(context.Context, *operation.Call) (*operation.Answer, error)) operation.Operation {
		return operation.Operation{Name: name, URL: own + name, Scope: operation.OnInstance, Types: []string{"Task"}, Changes: true, Whole: true, Run: run}
	}
	refer := on("refer", s.refer)
	refer.Types = []string{"Encounter", "Patient"}
	return []operation.Operation{
		refer, on("accept-referral", s.accept), on("reject-referral", s.reject), on("schedule-referral", s.schedule),
		on("answer-referral", s.answer), on("cancel-referral", s.cancel),
		{Name: "referrals", URL: own + "referrals", Scope: operation.OnType, Types: []string{"Task"}, Run: s.list},
	}
}

// one returns the resource at ref as far as only shows it. Errors: fhir.NotFound.
func (s *service) one(ctx context.Context, only *search.Restriction, ref fhir.Ref) (*fhir.Resource, *element.Doc, error) {
	where := search.And{search.Types{Any: []string{ref.Type}}, search.IDs{Any: []string{ref.ID}}}
	found, err := s.Store.Search(ctx, &search.Query{Where: []search.Expr{where}, Count: 1, Restriction: only})
	if err != nil {
		return nil, nil, err
	}
	if len(found.Matches) == 0 {
		return nil, nil, fhir.Errorf(fhir.NotFound, "no such resource").With("%s is not known", ref)
	}
	d, err := element.Parse(found.Matches[0].JSON)
	return &found.Matches[0], d, err
}

// find searches for what only shows, so many at most.
func (s *service) find(ctx context.Context, only *search.Restriction, typ string, count int, params ...search.Param) ([]fhir.Resource, error) {
	q, err := search.Parse(typ, params, search.Options{DefaultCount: count, MaxCount: count})
	if err != nil {
		return nil, err
	}
	q.Restriction = only
	found, err := s.Store.Search(ctx, q)
	if err != nil {
		return nil, err
	}
	return found.Matches, nil
}

// writing are the changes of a call, which are done together.
type writing struct {
	maker   bundle.Maker
	changes []bundle.Change
	entries []fhir.Entry
	err     error
}

func (w *writing) create(ref fhir.Ref, json []byte) {
	w.add(json, func(src *bundle.Source) (bundle.Change, error) { return w.maker.Create(src, ref) })
}

// update replaces the version that r is.
func (w *writing) update(r *fhir.Resource, json []byte) {
	w.add(json, func(src *bundle.Source) (bundle.Change, error) {
		c, err := w.maker.Update(src, r.Ref.Current(), false)
		c.IfMatch = r.Ref.Version
		return c, err
	})
}

func (w *writing) add(json []byte, made func(*bundle.Source) (bundle.Change, error)) {
	src, err := bundle.Parse(json)
	if err == nil {
		var c bundle.Change
		if c, err = made(src); err == nil {
			w.changes = append(w.changes, c)
		}
	}
	if w.err == nil {
		w.err = err
	}
}

// apply does them by the right of this package.
func (s *service) apply(ctx context.Context, w *writing) ([]bundle.Result, error) {
	if w.err != nil {
		return nil, w.err
	}
	results, err := s.Store.Apply(ctx, &bundle.Batch{Changes: w.changes, Rights: []string{Right}, Entries: func([]bundle.Result) []fhir.Entry { return w.entries }})
	var at *bundle.ChangeError
	if errors.As(err, &at) {
		err = at.Err
	}
	if code := fhir.CodeOf(err); code == fhir.Stale || code == fhir.Conflict {
		var told *fhir.Error
		if errors.As(err, &told) && len(told.Issues) > 0 {
			return nil, err
		}
		return nil, fhir.Errorf(fhir.Conflict, "the referral has just been changed by somebody else: look at it again")
	}
	return results, err
}
