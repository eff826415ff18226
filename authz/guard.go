package authz

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/amate-health/amate/authz/rbac"
	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/fhir/search"
)

// Reader is what a guard looks things up in: establishments, guardians, and whether
// there are consents at all.
type Reader interface {
	Read(ctx context.Context, ref fhir.Ref) (fhir.Resource, error)
	Search(ctx context.Context, q *search.Query) (*search.Result, error)
}

// GuardConfig is what a Guard needs. Store and Base must be set.
type GuardConfig struct {
	Store  Reader
	Base   string       // the server's FHIR base URL, without a slash at the end
	Policy *rbac.Policy // nil is the default policy

	// NeedConsent lists the purposes for which nobody whom consents bind sees a
	// record unless its patient permits it: codes of v3-PurposeOfUse. For all others
	// a record is seen unless the patient refuses, as the law has it for treatment.
	NeedConsent []string

	// BreakGlass is how long a token for an emergency may be good; 0 is an hour.
	BreakGlass time.Duration
	// Alarm is told of every request by which the glass is broken; nil tells nobody.
	Alarm func(ctx context.Context, p *Principal, req *rest.Request)

	// Whole is told of every request by which somebody who may only view records is shown
	// them whole: who they are of is in the rows. nil tells nobody.
	Whole func(ctx context.Context, p *Principal, req *rest.Request)

	// Seen returns a number that changes when resources of a type may have been written,
	// here or elsewhere, at most a second after they were. As long as it stays, what was
	// looked up is believed; nil looks again and again.
	Seen func(ctx context.Context, typ string) (uint64, error)

	Now func() time.Time // nil is time.Now
}

// Guard answers the one question for callers who are signed in: it joins what their
// roles allow, what the scopes of their token let through, whose record they are in,
// and what patients consent to.
type Guard struct {
	GuardConfig
	rules   atomic.Pointer[ruleset]
	changes atomic.Int64 // counts the writes here that may bind others
	blocked presence
}

// NewGuard returns the guard that cfg describes.
func NewGuard(cfg GuardConfig) *Guard {
	if cfg.Policy == nil {
		cfg.Policy = rbac.Default()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.BreakGlass == 0 {
		cfg.BreakGlass = time.Hour
	}
	g := &Guard{GuardConfig: cfg}
	g.Replace(cfg.Policy)
	return g
}

// Replace puts another role policy in place; what was decided by the old one is
// forgotten. Requests under way are finished by the old one.
func (g *Guard) Replace(p *rbac.Policy) { g.rules.Store(newRuleset(p)) }

// Rules returns the role policy in force.
func (g *Guard) Rules() *rbac.Policy { return g.rules.Load().policy }

// acts are the interactions in the words of the role policy.
var acts = map[rest.Interaction]string{
	rest.Read: "read", rest.VRead: "read", rest.HistoryInstance: "read",
	rest.Create: "create", rest.Update: "update", rest.Patch: "update", rest.Delete: "delete",
	rest.SearchType: "search", rest.SearchSystem: "search", rest.HistoryType: "search", rest.HistorySystem: "search",
	rest.Transaction: "", // its entries are asked about one by one
}

// actOf returns what a request does, in the words of the role policy. An interaction
// that nobody has thought about here is refused.
func actOf(req *rest.Request) (string, error) {
	if req.Interaction == rest.Operation {
		return "$" + req.Operation, nil
	}
	act, ok := acts[req.Interaction]
	if !ok {
		return "", fhir.Errorf(fhir.Forbidden, "there is no rule about who may do this")
	}
	return act, nil
}

// nothing is what a caller sees who is not signed in.
var nothing = &search.Restriction{}

// Check implements rest.Guard.
func (g *Guard) Check(ctx context.Context, req *rest.Request) (rest.Decision, error) {
	if err := Admit(ctx, req); err != nil {
		return rest.Decision{}, err
	}
	p := From(ctx)
	if req.Interaction == rest.Capabilities || req.Interaction == rest.Versions {
		d := rest.Decision{Restriction: nothing}
		if p != nil {
			d.Principal = p.ID
		}
		return d, nil
	}
	act, err := actOf(req)
	if err != nil {
		return rest.Decision{}, err
	}
	f, err := g.profile(ctx, p)
	if err != nil {
		return rest.Decision{}, err
	}
	ask := question{typ: req.Type, act: act, changes: req.Changes(), criterion: act == "update" && req.ID == "" && req.Type != ""}
	label, tokens := labelled()
	if ask.labels, err = g.blocked.any(ctx, g, "", label, tokens); err != nil {
		return rest.Decision{}, err
	}
	emergency := false
	if f.bound {
		if emergency, err = g.emergency(ctx, p, req); err != nil {
			return rest.Decision{}, err
		}
		if !emergency {
			if ask.consents, err = g.binding(ctx, f); err != nil {
				return rest.Decision{}, err
			}
		}
	}
	d, err := f.decide(ask)
	if err != nil {
		return rest.Decision{}, err
	}
	d.Emergency = emergency
	if g.Whole != nil && viewing[act] {
		whole, err := f.viewsWhole()
		if err != nil {
			return rest.Decision{}, err
		}
		if whole {
			g.Whole(ctx, p, req)
		}
	}
	return d, nil
}

// viewsWhole reports whether the caller views Patients as they are, whom they may not
// search for.
func (f *profile) viewsWhole() (bool, error) {
	views, err := f.rules.allowed(f, "Patient", "view")
	if err != nil {
		return false, err
	}
	searches, err := f.rules.allowed(f, "Patient", "search")
	whole := func(g rbac.Grant) bool { return g.Mask == "" }
	return slices.ContainsFunc(views, whole) && !slices.ContainsFunc(searches, whole), err
}

// seen is Seen, and whether it is known; that of all types never is.
func (g *Guard) seen(ctx context.Context, typ string) (n uint64, known bool) {
	if g.Seen == nil || typ == "" {
		return 0, false
	}
	n, err := g.Seen(ctx, typ)
	return n, err == nil
}

// binding reports whether consents have to be looked at: where none denies anything
// to callers like this one, none can refuse them.
func (g *Guard) binding(ctx context.Context, f *profile) (bool, error) {
	if f.needed {
		return true, nil
	}
	return f.denials.any(ctx, g, "Consent", search.DenialParam, f.concern)
}

// emergency reports whether the caller breaks the glass: consents do not bind them
// then, for a short time and a stated reason. What is blocked stays so.
func (g *Guard) emergency(ctx context.Context, p *Principal, req *rest.Request) (bool, error) {
	if p.Purpose != "BTG" {
		return false, nil
	}
	if p.Reason == "" {
		return false, fhir.Errorf(fhir.Forbidden, "emergency access needs a reason")
	}
	if left := p.Expires.Sub(g.Now()); p.Expires.IsZero() || left > g.BreakGlass || left <= 0 {
		return false, fhir.Errorf(fhir.Forbidden, "emergency access is for a short time: the token must expire within %s", g.BreakGlass)
	}
	if g.Alarm != nil {
		g.Alarm(ctx, p, req)
	}
	return true, nil
}

// Written tells the guard of a resource that was written here. A Consent, or a label
// that blocks, binds from the next request on; servers elsewhere notice within a
// second.
func (g *Guard) Written(r *fhir.Resource) {
	if r.Ref.Type == "Consent" || bytes.Contains(r.JSON, []byte(Blocked)) {
		g.changes.Add(1)
	}
}

// refusal says that a caller may not do what they ask for, and why.
func refusal(why string, ask *question) error {
	what := ask.act
	called := strings.HasPrefix(what, "$")
	if called {
		what = "call " + what
	}
	switch {
	case ask.typ == "":
	case called:
		what += " on " + ask.typ
	default:
		what += " " + ask.typ
	}
	return fhir.Errorf(fhir.Forbidden, "%s %s", why, what)
}
