package rights

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
)

// Store is where records are. What Apply is given passes Hold.
type Store interface {
	Search(ctx context.Context, q *search.Query) (*search.Result, error)
	Apply(ctx context.Context, b *bundle.Batch) ([]bundle.Result, error)
}

// Kept is where legal holds are.
type Kept interface {
	Entry(ctx context.Context, kind, key string) (fhir.Entry, error)
	Put(ctx context.Context, entries ...fhir.Entry) error
	Entries(ctx context.Context, kind, group, after string, limit int) ([]fhir.Entry, error)
}

// Config is what the operations need. Store, Kept and Maker must be set.
type Config struct {
	Store    Store
	Kept     Kept
	Maker    func(base string) bundle.Maker
	Calendar *Calendar      // nil has no days beside those of the law
	Regime   Regime         // zero is Public
	Zone     *time.Location // whose days count; nil is that of Mexico City
	Label    Label          // of what is blocked
	Now      func() time.Time
	// Signed reports whether a resource is a signed document, which is not corrected but
	// gets an addendum. nil says so of none.
	Signed func(r *fhir.Resource) bool
}

// Label is the security label on the Patient of a record that is blocked.
type Label struct{ System, Code string }

// mexicoCity is its time, which has known no summer time since 2022.
var mexicoCity = time.FixedZone("America/Mexico_City", -6*60*60)

// Operations returns the operations of this package.
func Operations(cfg Config) []operation.Operation {
	d := newDesk(cfg)
	patient, task := []string{"Patient"}, []string{"Task"}
	op := func(name string, types []string, scope operation.Scope, changes bool, run func(context.Context, *operation.Call) (*operation.Answer, error)) operation.Operation {
		return operation.Operation{
			Name: name, URL: canonical + "OperationDefinition/" + name, Scope: scope, Types: types, Changes: changes, Run: run,
		}
	}
	return []operation.Operation{
		op("arco-request", patient, operation.OnInstance, true, d.file),
		op("arco-resolve", task, operation.OnInstance, true, d.resolve),
		op("arco-due", task, operation.OnType, false, d.due),
		op("arco-package", patient, operation.OnInstance, false, d.packed),
		op("arco-unblock", patient, operation.OnInstance, true, d.unblock),
		op("legal-hold", patient, operation.OnInstance, true, d.hold),
		op("legal-holds", patient, operation.OnInstance, false, d.holds),
	}
}

// desk is where requests come in and are dealt with.
type desk struct{ Config }

func newDesk(cfg Config) *desk {
	if cfg.Calendar == nil {
		cfg.Calendar, _ = NewCalendar() // without entries it cannot fail
	}
	if cfg.Regime == (Regime{}) {
		cfg.Regime = Public
	}
	if cfg.Zone == nil {
		cfg.Zone = mexicoCity
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Signed == nil {
		cfg.Signed = func(*fhir.Resource) bool { return false }
	}
	return &desk{cfg}
}

// now is the present by the clock of the zone, to the second.
func (d *desk) now() time.Time { return d.Now().In(d.Zone).Truncate(time.Second) }

// HoldName names Hold, and the right by which the operations pass it.
const HoldName = "arco-request"

// Hold keeps the Tasks of requests from being written in any other way than by the
// operations, so that none skips a state or moves a deadline.
var Hold = bundle.Hold{
	Name: HoldName, Types: []string{"Task"},
	Check: func(before, after *fhir.Resource) error {
		if after.JSON != nil && IsRequest(after.JSON) || before != nil && IsRequest(before.JSON) {
			return fhir.Errorf(fhir.Conflict, "requests of ARCO rights are made by Patient/[id]/$arco-request and decided by Task/[id]/$arco-resolve, and not written otherwise")
		}
		return nil
	},
}

// seen returns a resource that the caller may see. Errors: fhir.NotFound.
func (d *desk) seen(ctx context.Context, call *operation.Call, ref fhir.Ref) (*fhir.Resource, error) {
	found, err := d.Store.Search(ctx, &search.Query{
		Type: ref.Type, Where: []search.Expr{search.IDs{Any: []string{ref.ID}}}, Count: 1, Restriction: call.Restriction,
	})
	if err != nil {
		return nil, err
	}
	if len(found.Matches) == 0 {
		return nil, fhir.Errorf(fhir.NotFound, "there is no such resource").With("%s is not known", ref)
	}
	return &found.Matches[0], nil
}

// batch is what an operation is about to write, all or nothing.
type batch struct {
	maker bundle.Maker
	bundle.Batch
}

func (d *desk) batch(base string) *batch {
	return &batch{maker: d.Maker(base), Batch: bundle.Batch{Rights: []string{HoldName}}}
}

// create adds a new resource and returns where it will be.
func (b *batch) create(resource any, typ string) (fhir.Ref, error) {
	ref := fhir.Ref{Type: typ, ID: uuid.NewString()}
	src, err := source(resource)
	if err != nil {
		return ref, err
	}
	c, err := b.maker.Create(src, ref)
	b.Changes = append(b.Changes, c)
	return ref, err
}

// update replaces a resource whose version must be current still.
func (b *batch) update(resource any, ref fhir.Ref) error {
	src, err := source(resource)
	if err != nil {
		return err
	}
	c, err := b.maker.Update(src, ref.Current(), false)
	c.IfMatch = ref.Version
	b.Changes = append(b.Changes, c)
	return err
}

// patch changes a resource.
func (b *batch) patch(p bundle.Patcher, ref fhir.Ref) {
	b.Changes = append(b.Changes, b.maker.Patch(p, ref.Current()))
}

func source(resource any) (*bundle.Source, error) {
	var raw bytes.Buffer
	enc := json.NewEncoder(&raw)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(resource); err != nil {
		return nil, fmt.Errorf("a resource of our own: %w", err)
	}
	return bundle.Parse(raw.Bytes())
}

// edited is a Patcher that a function is.
type edited func(json []byte) ([]byte, error)

// Apply implements bundle.Patcher.
func (e edited) Apply(json []byte) ([]byte, error) { return e(json) }

// who is the caller as an agent.
func who(call *operation.Call) reference {
	if call.Caller.User.ID != "" {
		return reference{Reference: call.Caller.User.Current().String()}
	}
	if call.Caller.Principal != "" {
		return reference{Display: call.Caller.Principal}
	}
	return reference{Display: "amate"}
}

// provenance adds a record of who did what to targets, and why.
func (b *batch) provenance(call *operation.Call, now time.Time, activity, reason, task string, targets ...fhir.Ref) error {
	type agent struct {
		Who reference `json:"who"`
	}
	type entity struct {
		Role string    `json:"role"`
		What reference `json:"what"`
	}
	p := struct {
		ResourceType string      `json:"resourceType"`
		Target       []reference `json:"target"`
		Recorded     string      `json:"recorded"`
		Reason       []concept   `json:"reason,omitempty"`
		Activity     concept     `json:"activity"`
		Agent        []agent     `json:"agent"`
		Entity       []entity    `json:"entity,omitempty"`
	}{ResourceType: "Provenance", Recorded: now.Format(time.RFC3339), Activity: concept{Text: activity}, Agent: []agent{{who(call)}}}
	for _, t := range targets {
		p.Target = append(p.Target, reference{Reference: t.Current().String()})
	}
	if reason != "" {
		p.Reason = []concept{{Text: reason}}
	}
	if task != "" {
		p.Entity = []entity{{"source", reference{Reference: task}}}
	}
	_, err := b.create(p, "Provenance")
	return err
}

// folio returns a number for a request that people can read out.
func folio(now time.Time) string {
	return fmt.Sprintf("ARCO-%d-%s", now.Year(), strings.ToUpper(rand.Text()[:8]))
}

// text reads a parameter that must be given.
func required(call *operation.Call, name string) (string, error) {
	v, err := call.In.Text(name)
	if err == nil && strings.TrimSpace(v) == "" {
		err = fhir.Errorf(fhir.Invalid, "the parameter %s must be given", name)
	}
	return v, err
}

// known refuses parameters that an operation does not take.
func known(call *operation.Call, names ...string) error {
	for _, name := range call.In.Names() {
		found := false
		for _, n := range names {
			found = found || n == name
		}
		if !found && !call.Lenient {
			return fhir.Errorf(fhir.Invalid, "the operation does not take this parameter").
				With("it takes %s, not %.100q%s", join(names), name, search.Nearest(name, names))
		}
	}
	return nil
}

// referenced reads a parameter that refers to a resource of this server.
func referenced(call *operation.Call, v operation.Value, name string) (fhir.Ref, error) {
	text := v.Text
	if n, property := v.Typed(); property == "valueReference" {
		if r := v.Doc.Get(n, "reference"); r >= 0 {
			text = v.Doc.Text(r)
		}
	}
	ref, ok := fhir.ParseRef(strings.TrimPrefix(text, call.Base+"/"))
	if !ok {
		return ref, fhir.Errorf(fhir.Invalid, "the parameter %s refers to a resource of this server, as Observation/1", name).With("%s=%.200s", name, text)
	}
	return ref, nil
}
