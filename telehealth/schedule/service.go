package schedule

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
)

// Store is where agendas and appointments are.
type Store interface {
	Search(ctx context.Context, q *search.Query) (*search.Result, error)
	Apply(ctx context.Context, b *bundle.Batch) ([]bundle.Result, error)
	Entry(ctx context.Context, kind, key string) (fhir.Entry, error)
	Entries(ctx context.Context, kind, group, after string, limit int) ([]fhir.Entry, error)
	Put(ctx context.Context, entries ...fhir.Entry) error
	Remove(ctx context.Context, kind, key string, version int64) error
}

// Config is what a Service works with. Store and Maker must be set.
type Config struct {
	Store Store
	Maker func(base string) bundle.Maker // makes changes for a FHIR base

	HoldFor  time.Duration // how long a slot is held; 0 for five minutes
	OfferFor time.Duration // how long somebody on the waiting list has to take what became free; 0 for two hours
	// Reminders are how long before a visit its patient is to be reminded; nil for a day.
	Reminders []time.Duration
	// Begun reports whether the visit of an Appointment has begun, which is of its
	// professional then. nil knows of none.
	Begun func(ctx context.Context, appointment string) (bool, error)
	// UnderWay reports whether the patient is in the visit of an Appointment, or was, and it
	// has not ended. nil knows of none.
	UnderWay func(ctx context.Context, appointment string) (bool, error)

	MostOpen    int // bookings of a patient that are still to come; 0 for 20
	MostOpenApp int // likewise those that an app booked by itself; 0 for 2,000
	// Bound are the roles of apps that have only those visits which they booked; nil is
	// telehealth-app.
	Bound []string

	Now   func() time.Time // nil is time.Now
	NewID func() string    // nil makes UUIDs of version 7
}

// Service books appointments.
type Service struct{ Config }

// New returns a Service.
func New(cfg Config) *Service {
	if cfg.HoldFor == 0 {
		cfg.HoldFor = 5 * time.Minute
	}
	if cfg.OfferFor == 0 {
		cfg.OfferFor = 2 * time.Hour
	}
	if cfg.Reminders == nil {
		cfg.Reminders = []time.Duration{24 * time.Hour}
	}
	if cfg.Begun == nil {
		cfg.Begun = func(context.Context, string) (bool, error) { return false, nil }
	}
	if cfg.UnderWay == nil {
		cfg.UnderWay = func(context.Context, string) (bool, error) { return false, nil }
	}
	if cfg.MostOpen == 0 {
		cfg.MostOpen = 20
	}
	if cfg.MostOpenApp == 0 {
		cfg.MostOpenApp = 2000
	}
	if cfg.Bound == nil {
		cfg.Bound = []string{"telehealth-app"}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.NewID == nil {
		cfg.NewID = func() string { return uuid.Must(uuid.NewV7()).String() }
	}
	return &Service{cfg}
}

// Operations returns the operations of agendas.
func (s *Service) Operations() []operation.Operation {
	on := []string{"Appointment"}
	of := func(name string, scope operation.Scope, changes bool, run func(context.Context, *operation.Call) (*operation.Answer, error)) operation.Operation {
		return operation.Operation{Name: name, URL: base + "OperationDefinition/appointment-" + name, Scope: scope, Types: on, Changes: changes, Run: run}
	}
	calendar := func(o operation.Operation) operation.Operation {
		o.Media = []string{calendarMedia}
		return o
	}
	return []operation.Operation{
		of("find", operation.OnType, false, s.find),
		of("hold", operation.OnType, true, s.hold),
		of("book", operation.OnType, true, s.current(s.book)),
		of("wait", operation.OnType, true, s.wait),
		of("reschedule", operation.OnInstance, true, s.current(s.reschedule)),
		of("cancel", operation.OnInstance, true, s.current(s.cancel)),
		calendar(of("calendar", operation.OnInstance, false, s.calendarOf)),
		{Name: "calendar-link", URL: base + "OperationDefinition/calendar-link", Scope: operation.OnInstance, Types: []string{"Schedule"}, Changes: true, Run: s.calendarLink},
	}
}

// current runs an operation again that began with an Appointment which somebody else has
// written since: nothing was done, and who called has asked for no version of it.
func (s *Service) current(run func(context.Context, *operation.Call) (*operation.Answer, error)) func(context.Context, *operation.Call) (*operation.Answer, error) {
	return func(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
		for try := 1; ; try++ {
			answer, err := run(ctx, call)
			if fhir.CodeOf(err) != fhir.Stale || try == mostTries {
				return answer, err
			}
			if err := s.pause(ctx, try); err != nil {
				return nil, err
			}
		}
	}
}

// pause waits a little, not everybody as long.
func (s *Service) pause(ctx context.Context, try int) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Duration(1+int(s.random()[0])%(4*try)) * time.Millisecond):
		return nil
	}
}

// agenda returns a Schedule by a reference or an id. When somebody can be seen is told to
// whoever may ask for it by an operation here, even where the right to that is of one
// patient alone, as is that of patients: a Schedule tells of those who give care.
// Errors: fhir.Unprocessable, also for one that is not shown.
func (s *Service) agenda(ctx context.Context, only *search.Restriction, named string) (*Agenda, error) {
	id := strings.TrimPrefix(named, "Schedule/")
	if !fhir.ValidID(id) {
		return nil, fhir.Errorf(fhir.Invalid, "the parameter schedule is a reference to a Schedule").With("%.100q", named)
	}
	r, err := s.one(ctx, only, fhir.Ref{Type: "Schedule", ID: id})
	if err != nil {
		return nil, err
	}
	if r == nil {
		return nil, fhir.Errorf(fhir.Unprocessable, "there is no such Schedule, or it is not shown to you").With("Schedule/%s", id)
	}
	return ReadAgenda(r)
}

// one returns a resource that a caller may see, nil when there is none.
func (s *Service) one(ctx context.Context, only *search.Restriction, ref fhir.Ref) (*fhir.Resource, error) {
	q := &search.Query{Where: []search.Expr{search.Types{Any: []string{ref.Type}}, search.IDs{Any: []string{ref.ID}}}, Count: 1, Restriction: only}
	found, err := s.Store.Search(ctx, q)
	if err != nil || len(found.Matches) == 0 {
		return nil, err
	}
	return &found.Matches[0], nil
}

// agendas returns those Schedules that have rules, of somebody or for a kind of service.
func (s *Service) agendas(ctx context.Context, only *search.Restriction, actor, service string) ([]*Agenda, error) {
	params := []search.Param{{Name: "_count", Value: "50"}, {Name: "active:not", Value: "false"}}
	if actor != "" {
		params = append(params, search.Param{Name: "actor", Value: actor})
	}
	if service != "" {
		params = append(params, search.Param{Name: "service-type", Value: service})
	}
	q, err := search.Parse("Schedule", params, search.Options{})
	if err != nil {
		return nil, err
	}
	q.Restriction = only
	found, err := s.Store.Search(ctx, q)
	if err != nil {
		return nil, err
	}
	var all []*Agenda
	for i := range found.Matches {
		if a, err := ReadAgenda(&found.Matches[i]); err == nil {
			all = append(all, a)
		}
	}
	return all, nil
}

// mostTries is how often a slot is tried for when others write the same day.
const mostTries = 40

// arrangement is what is written together: resources, and sheets beside those of the days
// themselves.
type arrangement struct {
	changes []bundle.Change
	sheets  sheets
	entries []fhir.Entry
}

// arrange changes the sheets of the days of some times and writes them with what else
// change returns, or nothing. change is called with those sheets and with what is taken
// elsewhere; again when somebody else was faster.
func (s *Service) arrange(ctx context.Context, a *Agenda, times []Span, change func(days sheets, others []Taken) (arrangement, error)) ([]bundle.Result, error) {
	for try := 1; ; try++ {
		all, err := s.sheets(ctx, a, times...)
		if err != nil {
			return nil, err
		}
		var others []Taken
		for _, at := range times {
			more, err := s.others(ctx, a, a.Rules.wide(at))
			if err != nil {
				return nil, err
			}
			others = append(others, more...)
		}
		done, err := change(all, others)
		if err != nil {
			return nil, err
		}
		done.sheets = append(done.sheets, all...)
		results, err := s.write(ctx, done)
		if fhir.CodeOf(err) != fhir.Conflict || try == mostTries {
			return results, err
		}
		// Somebody else wrote this day: look again, not all at once.
		if err := s.pause(ctx, try); err != nil {
			return nil, err
		}
	}
}

// write writes an arrangement, or nothing of it.
func (s *Service) write(ctx context.Context, done arrangement) ([]bundle.Result, error) {
	entries := done.entries
	for _, sh := range done.sheets {
		e, err := sh.write(s.Now())
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	if len(done.changes) == 0 {
		return nil, s.Store.Put(ctx, entries...)
	}
	results, err := s.Store.Apply(ctx, &bundle.Batch{
		Changes: done.changes, Rights: []string{Right}, Entries: func([]bundle.Result) []fhir.Entry { return slices.Clone(entries) },
	})
	if at, ok := err.(*bundle.ChangeError); ok {
		err = at.Err
	}
	return results, err
}

// random returns 16 random bytes.
func (s *Service) random() [16]byte {
	var b [16]byte
	rand.Read(b[:]) // never fails
	return b
}

// secret returns a new secret, and the digest by which it is known.
func (s *Service) secret() (secret, digest string) {
	b := s.random()
	secret = base64.RawURLEncoding.EncodeToString(b[:])
	return secret, digestOf(secret)
}

func digestOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// resource returns JSON as what an operation answers, of what was written first.
func resource(results []bundle.Result) *operation.Answer {
	return &operation.Answer{JSON: results[0].Resource.JSON}
}

// collection returns the Appointments that were written.
func collection(results []bundle.Result) *operation.Answer {
	var entries []compose.Object
	for i := range results {
		if r := &results[i].Resource; r.Ref.Type == "Appointment" {
			entries = append(entries, compose.Object{"resource": json.RawMessage(r.JSON)})
		}
	}
	return &operation.Answer{JSON: compose.JSON(compose.Object{"resourceType": "Bundle", "type": "collection", "entry": entries})}
}

// create returns the change that creates v.
func create(m bundle.Maker, v compose.Object, id string) (bundle.Change, error) {
	typ := v["resourceType"].(string)
	v["id"] = id
	source, err := bundle.Parse(compose.JSON(v))
	if err != nil {
		return bundle.Change{}, err
	}
	return m.Update(source, fhir.Ref{Type: typ, ID: id}, false)
}

// update returns the change that puts raw in place of a version.
func update(m bundle.Maker, raw []byte, was fhir.Ref) (bundle.Change, error) {
	source, err := bundle.Parse(raw)
	if err != nil {
		return bundle.Change{}, err
	}
	change, err := m.Update(source, was.Current(), false)
	change.IfMatch = was.Version
	return change, err
}
