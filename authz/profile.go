package authz

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/amate-health/amate/authz/scope"
	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/fhir/search"
)

// profile is all that decisions about a caller follow from. It is made once for all
// callers who have the same, and does not change.
type profile struct {
	Principal
	rules    *ruleset
	base     string
	set      scope.Set
	purpose  string   // stated, or that of the role
	bound    bool     // consents bind them
	needed   bool     // only who permits it is shown
	wards    []string // ids of the patients whom they are responsible for
	own      own      // their establishment
	areas    string   // its CLUES, and what it is part of, parted by spaces
	facts    []int64  // what is true of them, for consents
	concern  []int64  // the tokens of Consents that may deny something to them
	grantKey string   // what the role policy asks about
	class    string   // that, with scopes: what all that is not personal follows from
	until    time.Time
	seen     uint64 // how often Organizations had been written before they were looked up

	denials presence
}

// profileFor is how long what was looked up about a caller is believed: where their
// establishment belongs, and for whom they are responsible.
const profileFor = time.Minute

// profile returns the profile of p, made at its first use.
func (g *Guard) profile(ctx context.Context, p *Principal) (*profile, error) {
	rules := g.rules.Load()
	var buf [512]byte
	key := p.key(buf[:0])
	if f := rules.kept(key); f != nil && g.current(ctx, f) {
		return f, nil
	}
	set, _ := scope.Known(p.Scopes...)
	f := &profile{Principal: *p, rules: rules, base: g.Base, set: set, purpose: p.Purpose}
	f.seen, _ = g.seen(ctx, "Organization")
	if f.purpose == "" {
		f.purpose = rules.policy.Purpose(p.Roles)
	}
	f.bound = rules.policy.Bound(p.Roles)
	f.needed = f.bound && slices.Contains(g.NeedConsent, f.purpose)
	if err := g.lookUp(ctx, f); err != nil {
		return nil, err
	}
	f.areas = rules.policy.Areas(f.areas)
	f.grantKey = strings.Join([]string{strings.Join(f.Roles, " "), f.areas, f.purpose}, "\x00")
	f.class = f.grantKey + "\x00" + strings.Join(f.Scopes, " ")
	f.facts = f.caller()
	f.concern = search.Denials(f.facts)
	rules.keep(key, f)
	return f, nil
}

// current reports whether what was looked up about a caller is still believed: for
// profileFor, and after that as long as no Organization has been written.
func (g *Guard) current(ctx context.Context, f *profile) bool {
	if f.until.IsZero() || g.Now().Before(f.until) {
		return true
	}
	now, known := g.seen(ctx, "Organization")
	return known && now == f.seen && f.User.Type != "RelatedPerson"
}

// key appends all of p that decisions follow from, each part ended by a zero byte.
func (p *Principal) key(b []byte) []byte {
	part := func(s string) { b = append(append(b, s...), 0) }
	for _, s := range []string{p.ID, p.Client, p.Org, p.User.Type, p.User.ID, p.Patient, p.Encounter, p.Purpose} {
		part(s)
	}
	for _, s := range p.Roles {
		part(s)
	}
	part("")
	for _, s := range p.Scopes {
		part(s)
	}
	return b
}

// purposes that are a kind of another one.
//
// See https://terminology.hl7.org/ValueSet-v3-PurposeOfUse.html.
var widerPurpose = map[string]string{"ETREAT": "TREAT", "BTG": "TREAT", "COC": "TREAT", "CAREMGT": "TREAT", "CLINTRCH": "HRESCH", "BIORCH": "HRESCH"}

// caller returns what is true of the caller, as consents ask for it.
func (f *profile) caller() []int64 {
	var facts []int64
	add := func(kind search.FactKind, text string) { facts = append(facts, search.Fact(kind, text)) }
	if f.User.ID != "" {
		add(search.FactActor, f.User.String())
	}
	for _, level := range f.own.levels {
		for _, ref := range level {
			add(search.FactActor, ref.String())
		}
	}
	for _, id := range f.own.identifiers {
		add(search.FactActor, id)
	}
	for _, role := range f.Roles {
		add(search.FactRole, role)
	}
	for purpose := f.purpose; purpose != ""; purpose = widerPurpose[purpose] {
		add(search.FactPurpose, purpose)
	}
	for _, action := range []string{"access", "use", "disclose"} {
		add(search.FactAction, action)
	}
	return facts
}

// question is what a decision depends on beside the caller.
type question struct {
	typ, act  string
	changes   bool // an operation that changes something
	criterion bool // an update whose criterion may find nothing, which then creates
	consents  bool // there are some, and they bind the caller
	labels    bool // something is blocked
}

// verdict is the answer to a question.
type verdict struct {
	decision rest.Decision
	err      error
}

// decide answers a question, each once for all whom it is the same for.
func (f *profile) decide(ask question) (rest.Decision, error) {
	common, own := asked{class: f.class, question: ask}, asked{of: f, question: ask}
	if v, ok := f.rules.verdicts.Load(own); ok {
		return v.(*verdict).decision, v.(*verdict).err
	}
	if v, ok := f.rules.verdicts.Load(common); ok {
		d := v.(*verdict).decision
		d.Principal, d.Caller = f.ID, f.asCaller()
		return d, v.(*verdict).err
	}
	v, h := new(verdict), hearing{profile: f}
	key := common
	if v.decision, v.err = h.judge(&ask); h.personal {
		key = own
	}
	size := int64(4) // what there is beside the types
	if r := v.decision.Restriction; r != nil {
		size += int64(len(r.Types))
	}
	f.rules.verdicts.keepLarge(key, v, size)
	return v.decision, v.err
}

// asked is a question with whom it is about: one caller, or all of a class.
type asked struct {
	of    *profile
	class string
	question
}
