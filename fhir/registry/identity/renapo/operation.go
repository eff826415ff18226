package renapo

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/identity"
	"github.com/amate-health/amate/fhir/registry/identity/check"
	"github.com/amate-health/amate/fhir/registry/identity/members"
	"github.com/amate-health/amate/fhir/registry/identity/merge"
	"github.com/amate-health/amate/fhir/search"
)

// canonical is what the canonical URLs of this project's definitions begin with.
const canonical = "https://github.com/amate-health/amate/fhir/OperationDefinition/"

// Store is where Patients are.
type Store interface {
	Search(ctx context.Context, q *search.Query) (*search.Result, error)
	Apply(ctx context.Context, b *bundle.Batch) ([]bundle.Result, error)
}

// Config is what the operations need. Store and Maker must be set.
type Config struct {
	Store    Store
	Maker    func(base string) bundle.Maker
	Registry Registry         // nil asks nobody
	Timeout  time.Duration    // for one question; 0 is 10 seconds
	Now      func() time.Time // nil is time.Now
}

// desk carries the operations out.
type desk struct{ Config }

// Operations returns $verify-curp and $correct-curp.
func Operations(cfg Config) []operation.Operation {
	if cfg.Timeout == 0 {
		cfg.Timeout = 10 * time.Second
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	d := &desk{cfg}
	op := func(name string, run func(context.Context, *operation.Call) (*operation.Answer, error)) operation.Operation {
		return operation.Operation{Name: name, URL: canonical + name, Scope: operation.OnInstance, Types: []string{"Patient"}, Changes: true, Run: run}
	}
	return []operation.Operation{op("verify-curp", d.verify), op("correct-curp", d.correct)}
}

// attempts is how often a write is tried that somebody else overtakes.
const attempts = 5

// seen returns the Patient that a call is on, if the caller may see it.
func (d *desk) seen(ctx context.Context, call *operation.Call) (*fhir.Resource, members.Object, error) {
	found, err := d.Store.Search(ctx, &search.Query{
		Type: "Patient", Where: []search.Expr{search.IDs{Any: []string{call.ID}}}, Count: 1, Restriction: call.Restriction,
	})
	if err != nil {
		return nil, nil, err
	}
	if len(found.Matches) == 0 {
		return nil, nil, fhir.Errorf(fhir.NotFound, "there is no such resource").With("%s is not known", call.Ref())
	}
	o, err := members.Parse(found.Matches[0].JSON)
	return &found.Matches[0], o, err
}

// current returns the place of the CURP in use among identifiers, -1 for none.
func current(ids []string) int {
	return slices.IndexFunc(ids, func(raw string) bool {
		id := members.Of(raw)
		return id.Text("system") == identity.SystemCURP && id.Text("use") != "old" && id.Text("value") != identity.GenericCURP && id.Text("value") != ""
	})
}

// verified returns an identifier with a level.
func verified(raw, level string) string {
	id := members.Of(raw)
	all := slices.DeleteFunc(members.Items(id.Get("extension")), func(e string) bool { return members.Of(e).Text("url") == identity.Verification })
	all = append(all, `{"url":`+members.Quote(identity.Verification)+`,"valueCode":`+members.Quote(level)+`}`)
	return id.With("extension", members.Array(all)).String()
}

// newCURP is an identifier with a CURP that somebody presented.
func newCURP(value, use, level string) string {
	o := members.Object{}.With("use", members.Quote(use)).With("system", members.Quote(identity.SystemCURP)).With("value", members.Quote(value))
	return verified(o.String(), level)
}

// level says how far a CURP can be relied on without asking anybody.
func (d *desk) level(patient []byte, curp string) string {
	for _, p := range identity.Check(identity.SystemCURP, curp, d.Now()) {
		if !p.Warning {
			return identity.Unverified
		}
	}
	doc, err := element.Parse(patient)
	if err != nil {
		return identity.Unverified
	}
	p := check.PersonOf(doc, 0)
	if p.Father == "" || p.Given == "" || p.Born.IsZero() || p.Sex == 0 || len(identity.CURPProblems(curp, p)) > 0 {
		return identity.ChecksumOnly
	}
	return identity.Consistent
}

// verify is Patient/[id]/$verify-curp: it asks the registry, and notes what it said.
func (d *desk) verify(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if names := call.In.Names(); len(names) > 0 && !call.Lenient {
		return nil, fhir.Errorf(fhir.Invalid, "the operation takes no parameters").With("not %.100q", names[0])
	}
	if d.Registry == nil {
		return nil, fhir.Errorf(fhir.NotSupported, "this server is not set up to ask the population registry; nothing was sent")
	}
	_, p, err := d.seen(ctx, call)
	if err != nil {
		return nil, err
	}
	ids := members.Items(p.Get("identifier"))
	i := current(ids)
	if i < 0 {
		return nil, fhir.Errorf(fhir.Unprocessable, "this Patient has no CURP in use to verify")
	}
	curp := strings.ToUpper(strings.TrimSpace(members.Of(ids[i]).Text("value")))
	if faults := identity.CheckCURP(curp, d.Now()); slices.Contains(faults, identity.Malformed) || slices.Contains(faults, identity.Generic) {
		return nil, fhir.Errorf(fhir.Unprocessable, "what this Patient has is not the form of a CURP; nothing was sent")
	}
	a, err := d.ask(ctx, call, curp)
	if err != nil {
		return nil, err
	}
	for range attempts {
		answer, err := d.note(ctx, call, curp, a)
		if code := fhir.CodeOf(err); code != fhir.Stale && code != fhir.Conflict {
			return answer, err
		}
	}
	return nil, fhir.Errorf(fhir.Conflict, "this Patient is written by others all the time")
}

// ask asks the registry, within a time.
func (d *desk) ask(ctx context.Context, call *operation.Call, curp string) (a *Answer, err error) {
	question := func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, d.Timeout)
		defer cancel()
		a, err = d.Registry.Validate(ctx, curp)
		return nil
	}
	idle := call.Idle
	if idle == nil {
		idle = func(ctx context.Context, f func(context.Context) error) error { return f(ctx) }
	}
	if e := idle(ctx, question); e != nil {
		return nil, e
	}
	if err == nil && a == nil {
		err = ErrUnavailable
	}
	if err != nil { // it may quote what was asked: that is not logged, nor told
		return nil, &fhir.Error{Code: fhir.Unavailable, Details: "the population registry did not answer; try again later", RetryAfter: 60}
	}
	return a, nil
}

// note writes what the registry said of the CURP of a Patient, and returns the answer of the
// operation. A simulated answer changes nothing but the level that follows from the CURP
// itself.
func (d *desk) note(ctx context.Context, call *operation.Call, curp string, a *Answer) (*operation.Answer, error) {
	stored, p, err := d.seen(ctx, call)
	if err != nil {
		return nil, err
	}
	ids := members.Items(p.Get("identifier"))
	i := current(ids)
	if i < 0 || strings.ToUpper(strings.TrimSpace(members.Of(ids[i]).Text("value"))) != curp {
		return nil, fhir.Errorf(fhir.Conflict, "the CURP of this Patient was changed meanwhile")
	}
	level := d.level(stored.JSON, curp)
	var warnings []string
	now := d.Now().UTC()
	simulated := a.Simulated || d.Registry.Simulated()
	same := d.same(stored.JSON, a)
	switch {
	case simulated:
		warnings = append(warnings, "SIMULATED: no registry was asked; this is no confirmation")
		ids[i] = verified(ids[i], level)
	case !same:
		warnings = append(warnings, "the registry has this CURP of somebody with other data: correct one or the other")
		ids[i] = verified(ids[i], level)
	case a.Status == InForce || a.Status == Deceased:
		level = identity.RenapoVerified
		ids[i] = verified(ids[i], level)
	case a.Status == Replaced && len(identity.CheckCURP(a.Current, now)) == 0 && a.Current != curp:
		level = identity.RenapoVerified
		ids[i] = merge.Retire(verified(ids[i], level), now)
		ids = append(ids, newCURP(a.Current, "official", level))
		warnings = append(warnings, "the registry has replaced this CURP: the one now in force was taken over")
	default:
		level = identity.Unverified
		ids[i] = verified(ids[i], level)
		warnings = append(warnings, "the registry does not confirm this CURP")
	}
	if level == identity.RenapoVerified {
		ids = withHistory(ids, a.Historical)
	}
	done, err := d.write(ctx, call, stored, p.With("identifier", members.Array(ids)), now, "Verificación de la CURP ante RENAPO: "+string(a.Status)+mark(simulated), "")
	if err != nil {
		return nil, err
	}
	return answer(done, level, string(a.Status), simulated, warnings), nil
}

func mark(simulated bool) string {
	if simulated {
		return " (simulada, sin valor)"
	}
	return ""
}

// withHistory adds CURPs of before that are not there.
func withHistory(ids, old []string) []string {
	for _, curp := range old {
		have := slices.ContainsFunc(ids, func(raw string) bool {
			id := members.Of(raw)
			return id.Text("system") == identity.SystemCURP && strings.EqualFold(id.Text("value"), curp)
		})
		if !have && curp != "" {
			ids = append(ids, newCURP(curp, "old", identity.RenapoVerified))
		}
	}
	return ids
}

// same reports whether the person of an answer can be the Patient: what both say of birth,
// sex and first surname agrees.
func (d *desk) same(patient []byte, a *Answer) bool {
	doc, err := element.Parse(patient)
	if err != nil {
		return false
	}
	p := check.PersonOf(doc, 0)
	if !p.Born.IsZero() && !a.Person.Born.IsZero() && p.Born.Format(time.DateOnly) != a.Person.Born.Format(time.DateOnly) {
		return false
	}
	if p.Sex != 0 && a.Person.Sex != "" && string(p.Sex) != a.Person.Sex {
		return false
	}
	if p.Father == "" || a.Person.Father == "" {
		return true
	}
	first := func(family string) string {
		return identity.ExpectedCURP(identity.Person{Father: family, Sex: 'X', BirthIn: identity.Abroad})
	}
	return first(p.Father) == first(a.Person.Father)
}

// write stores a Patient, with a Provenance of why.
func (d *desk) write(ctx context.Context, call *operation.Call, stored *fhir.Resource, p members.Object, now time.Time, activity, reason string) (*fhir.Resource, error) {
	maker := d.Maker(call.Base)
	src, err := bundle.Parse([]byte(p.String()))
	if err != nil {
		return nil, err
	}
	update, err := maker.Update(src, stored.Ref.Current(), false)
	if err != nil {
		return nil, err
	}
	update.IfMatch = stored.Ref.Version
	who := `{"display":` + members.Quote(call.Caller.Principal) + `}`
	if call.Caller.User.ID != "" {
		who = `{"reference":` + members.Quote(call.Caller.User.Current().String()) + `}`
	} else if call.Caller.Principal == "" {
		who = `{"display":"amate"}`
	}
	if reason != "" {
		reason = `[{"text":` + members.Quote(reason) + `}]`
	}
	of := func(ref fhir.Ref) string { return `{"reference":` + members.Quote(ref.String()) + `}` }
	why := members.Object{}.With("resourceType", `"Provenance"`).With("target", "["+of(stored.Ref.Current())+"]").
		With("recorded", members.Quote(now.Format(time.RFC3339))).With("reason", reason).With("activity", `{"text":`+members.Quote(activity)+`}`).
		With("agent", `[{"who":`+who+`}]`).With("entity", `[{"role":"revision","what":`+of(stored.Ref)+`}]`)
	if src, err = bundle.Parse([]byte(why.String())); err != nil {
		return nil, err
	}
	create, err := maker.Create(src, fhir.Ref{Type: "Provenance", ID: uuid.NewString()})
	if err != nil {
		return nil, err
	}
	results, err := d.Store.Apply(ctx, &bundle.Batch{Changes: []bundle.Change{update, create}, Rights: []string{check.RightName}})
	if err != nil {
		return nil, err
	}
	return &results[0].Resource, nil
}

// answer is what both operations return.
func answer(patient *fhir.Resource, level, status string, simulated bool, warnings []string) *operation.Answer {
	var b bytes.Buffer
	b.WriteString(`{"resourceType":"Parameters","parameter":[{"name":"level","valueCode":` + members.Quote(level) + `}`)
	if status != "" {
		fmt.Fprintf(&b, `,{"name":"status","valueCode":%s},{"name":"simulated","valueBoolean":%t}`, members.Quote(status), simulated)
	}
	if len(warnings) > 0 {
		var issues []fhir.Issue
		for _, w := range warnings {
			issues = append(issues, fhir.Issue{Severity: "warning", Type: "business-rule", Details: w})
		}
		b.WriteString(`,{"name":"outcome","resource":`)
		b.Write(operation.AppendOutcome(nil, issues))
		b.WriteByte('}')
	}
	b.WriteString(`,{"name":"patient","resource":`)
	b.Write(patient.JSON)
	b.WriteString(`}]}`)
	return &operation.Answer{Status: 200, JSON: b.Bytes()}
}
