package authz

import (
	"maps"
	"slices"
	"strings"

	"github.com/amate-health/amate/authz/rbac"
	"github.com/amate-health/amate/authz/scope"
	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
)

// perms are the permissions of SMART that acts need.
var perms = map[string]scope.Perms{
	"create": scope.Create, "read": scope.Read, "update": scope.Update, "delete": scope.Delete, "search": scope.Search,
}

// viewing are the operations whose answers are made of the records of many, and so work
// for those as well who may view records and not read them one by one. Those that are true
// show records, or rows of them; the others count.
var viewing = map[string]bool{
	"$viewdefinition-run": true, "$run": true, "$sql-run": true, "$viewdefinition-export": true, "$sql-export": true, "$export": true,
	"$immunization-coverage": false, "$birth-report": false, "$esavi-by-lot": false, "$evaluate-measure": false,
}

// hearing is the making of one decision.
type hearing struct {
	*profile
	personal bool // it has come to something that is not the same for all whose class is
}

// judge makes a decision: what is shown of every type, and what may be done with the
// type that is asked about.
func (f *hearing) judge(ask *question) (rest.Decision, error) {
	d := rest.Decision{Principal: f.ID, Caller: f.asCaller()}
	shared, err := f.sharedBy(ask)
	if err != nil {
		return d, err
	}
	masks := maps.Clone(shared.masks)
	d.Restriction = &search.Restriction{Types: map[string][]search.Expr{}, Base: shared.shown}
	f.personal = len(shared.personal) > 0
	for _, typ := range shared.personal {
		where, veils, err := f.look(typ, ask)
		if err != nil {
			return d, err
		}
		if where == nil {
			continue
		}
		d.Restriction.Types[typ] = where
		if len(veils) > 0 {
			masks[typ] = veils
		}
	}
	if len(masks) > 0 {
		d.Mask = rest.NewMask(masks)
	}
	err = f.permit(ask, &d)
	if everything(d.Restriction) {
		d.Restriction = search.Unrestricted
	} else if seen, ok := d.Restriction.Of("Binary"); ok {
		d.Restriction.Types["Binary"] = append(slices.Clip(seen), search.ByContext)
	}
	return d, err
}

// asCaller is the caller as operations know them.
func (f *profile) asCaller() operation.Caller {
	return operation.Caller{Principal: f.ID, Client: f.Client, User: f.User, Org: f.Org, Roles: f.Roles, Purpose: f.Purpose}
}

// everything reports whether a restriction restricts nothing.
func everything(r *search.Restriction) bool {
	types := 0
	for _, where := range r.All() {
		if len(where) > 0 {
			return false
		}
		types++
	}
	return types == len(spec.Resources())
}

// nothingAt reports whether a restriction shows nothing at all.
func nothingAt(r *search.Restriction) bool {
	for range r.All() {
		return false
	}
	return true
}

// permit refuses what may not be done, and narrows a decision to what it may be
// done with.
func (f *hearing) permit(ask *question, d *rest.Decision) error {
	switch ask.act {
	case "": // a transaction
		return nil
	case "read", "search":
		if _, ok := d.Restriction.Of(ask.typ); !ok && (ask.typ != "" || nothingAt(d.Restriction)) {
			return f.why(ask)
		}
		return nil
	}
	// An export needs the scopes of what it exports, and no other.
	s, err := f.show(ask.typ, []string{ask.act}, f.needs(ask), ask.typ != "" && ask.act != "$export")
	if err != nil {
		return err
	}
	if s == nil {
		return f.why(ask)
	}
	if ask.typ == "" {
		return nil
	}
	if _, listed := d.Restriction.Of(ask.typ); ask.typ == "Group" && ask.act == "$export" && !listed {
		return f.roster(ask, s, d)
	}
	if ask.act == "create" || ask.act == "update" {
		d.Content = s.where
		if !s.blocked { // who may not see what is blocked may not hide anything that way either
			d.Content = append(slices.Clip(d.Content), unblocked())
		}
	}
	if ask.act != "create" {
		if seen, ok := d.Restriction.Of(ask.typ); ok {
			d.Restriction.Types[ask.typ] = append(slices.Clip(seen), s.where...)
		}
		f.personal = f.personal || ask.typ == "Consent"
		f.keepRefusals(ask, d)
	}
	if ask.act == "update" {
		return f.permitNew(ask, d)
	}
	return nil
}

// roster says under which conditions the Group is read whose members are exported, where
// the token does not name Groups: those of the role, of consents and of what is blocked.
func (f *hearing) roster(ask *question, s *showing, d *rest.Decision) error {
	seen, err := f.show("Group", []string{"read", "search", "view"}, scope.Read|scope.Search, false)
	if err != nil {
		return err
	}
	if seen == nil {
		return f.why(ask)
	}
	d.Roster = &search.Restriction{Types: map[string][]search.Expr{"Group": append(f.covered("Group", seen, ask), s.where...)}}
	return nil
}

// permitNew says whether an update may create.
func (f *hearing) permitNew(ask *question, d *rest.Decision) error {
	upsert, err := f.rules.allowed(f.profile, ask.typ, "upsert")
	if err != nil {
		return err
	}
	d.Existing = len(upsert) == 0
	if !ask.criterion || !d.Existing {
		return nil
	}
	// Without a match it creates, at an id that the server makes.
	s, err := f.show(ask.typ, []string{"create"}, scope.Create, true)
	if err == nil && s == nil {
		err = refusal("a conditional update may create, and you may not create", &question{typ: ask.typ})
	}
	return err
}

// needs returns the permissions of which an act needs one.
func (f *profile) needs(ask *question) scope.Perms {
	if !strings.HasPrefix(ask.act, "$") {
		return perms[ask.act]
	}
	if ask.changes {
		return scope.Create | scope.Update
	}
	return scope.Read | scope.Search
}

// why explains a refusal: it is the role, or the token.
func (f *hearing) why(ask *question) error {
	grants, err := f.rules.allowed(f.profile, ask.typ, ask.act)
	if err != nil {
		return err
	}
	if len(grants) == 0 {
		return refusal("your role, for this purpose, may not", ask)
	}
	return refusal("the scopes of the token, or the patient it is for, do not let you", ask)
}

// showing is what is shown of a type.
type showing struct {
	where   []search.Expr // all must hold
	blocked bool          // what is blocked as well
	veils   []*rest.Veil
}

// show returns what a caller may do acts with, of resources of type typ; nil for
// nothing. With scoped, the token must let it through.
func (f *hearing) show(typ string, acts []string, need scope.Perms, scoped bool) (*showing, error) {
	s := &showing{}
	var any search.Or
	unconditional := false
	for _, act := range acts {
		grants, err := f.rules.allowed(f.profile, typ, act)
		if err != nil {
			return nil, err
		}
		for _, g := range grants {
			where, ok := f.granted(typ, &g, s, writes(need))
			if !ok {
				continue
			}
			if v := f.rules.veils[g.Mask]; v != nil && !slices.Contains(s.veils, v) {
				s.veils = append(s.veils, v)
			}
			unconditional = unconditional || len(where) == 0
			any = addOnce(any, where)
		}
	}
	if len(any) == 0 {
		return nil, nil
	}
	if !unconditional {
		s.where = append(s.where, anyOf(any))
	}
	if !scoped {
		if !f.set.Allows("", need) {
			return nil, nil
		}
		return s, nil
	}
	in, ok, err := f.scoped(typ, need)
	if err != nil || !ok {
		return nil, err
	}
	s.where = append(s.where, in...)
	return s, nil
}

// addOnce adds the conjunction where, unless it is there.
func addOnce(any search.Or, where []search.Expr) search.Or {
	text := search.And(where).String()
	if slices.ContainsFunc(any, func(e search.Expr) bool { return e.String() == text }) {
		return any
	}
	return append(any, search.And(where))
}

// anyOf unfolds what has one part only.
func anyOf(any search.Or) search.Expr {
	if len(any) > 1 {
		return any
	}
	if all, ok := any[0].(search.And); ok && len(all) == 1 {
		return all[0]
	}
	return any[0]
}

// scoped returns the condition under which the token lets resources of a type
// through, and whether it ever does.
func (f *hearing) scoped(typ string, need scope.Perms) ([]search.Expr, bool, error) {
	grants, err := f.set.Grants(typ, need, f.base)
	if err != nil {
		return nil, false, err
	}
	var any search.Or
	for _, g := range grants {
		where := g.Where
		if g.Context == scope.Patient {
			in, ok := f.inRecord(typ, writes(need))
			if !ok {
				continue
			}
			where = append(slices.Clip(in), where...)
		}
		if len(where) == 0 {
			return nil, true, nil
		}
		any = addOnce(any, where)
	}
	if len(any) == 0 {
		return nil, false, nil
	}
	return []search.Expr{anyOf(any)}, true, nil
}

// inRecord returns the condition that a resource is in the record of the patient in
// context, or belongs to no patient at all; for a write, that it is about that patient.
func (f *hearing) inRecord(typ string, write bool) ([]search.Expr, bool) {
	f.personal = true
	if f.Patient == "" {
		return nil, false
	}
	if in := concerning([]string{f.Patient}, typ, write); in != nil {
		return []search.Expr{in}, true
	}
	return nil, f.rules.policy.Shared(typ)
}

// granted returns the condition that a rule names, and whether it can hold for
// resources of type typ. It notes in s when the rule shows what is blocked.
func (f *hearing) granted(typ string, g *rbac.Grant, s *showing, write bool) (where []search.Expr, ok bool) {
	parts, err := rbac.ParseRestriction(g.Restriction)
	if err != nil {
		return nil, false // it was checked when the policy was read
	}
	for _, part := range parts {
		e, holds := f.named(typ, &part, write)
		if !holds {
			return nil, false
		}
		if e != nil {
			where = append(where, e)
		}
		s.blocked = s.blocked || part.Name == rbac.AllAndBlocked
	}
	return where, true
}

// named returns the condition of one part of a restriction: nil when it asks for
// nothing.
func (f *hearing) named(typ string, part *rbac.Part, write bool) (search.Expr, bool) {
	if part.Params != nil {
		q, err := search.Parse(typ, part.Params, search.Options{Base: f.base})
		if err != nil || len(q.Where) == 0 {
			return nil, false
		}
		return search.And(q.Where), true
	}
	if part.Name == rbac.All || part.Name == rbac.AllAndBlocked {
		return nil, true
	}
	f.personal = true
	switch part.Name {
	case rbac.OwnCompartment:
		return about(typ, f.self(), write)
	case rbac.Wards:
		return about(typ, f.wards, write)
	case rbac.OwnUnit:
		return f.own.condition(typ, 0)
	case rbac.OwnJurisdiction:
		return f.own.condition(typ, 1)
	case rbac.OwnState:
		return f.own.condition(typ, 2)
	case rbac.Self:
		return f.themselves(typ)
	case rbac.Own:
		return f.made(typ)
	}
	return nil, false
}

// made returns the condition that a resource is one that the caller has made: only of
// Subscriptions it is noted whose they are.
func (f *profile) made(typ string) (search.Expr, bool) {
	q, err := search.Parse(typ, []search.Param{{Name: "_tag", Value: fhir.OwnerSystem + "|" + fhir.OwnerCode(f.ID)}}, search.Options{})
	if err != nil || typ != "Subscription" || f.ID == "" {
		return nil, false
	}
	return search.And(q.Where), true
}

// self returns the patient whose record is the caller's own: themselves, or for an
// app without a person, the one in context.
func (f *profile) self() []string {
	switch {
	case f.User.Type == "Patient":
		return []string{f.User.ID}
	case f.User.ID == "" && f.Patient != "":
		return []string{f.Patient}
	}
	return nil
}

// themselves returns the condition that a resource is the caller, or a role of theirs.
func (f *profile) themselves(typ string) (search.Expr, bool) {
	if f.User.ID == "" {
		return nil, false
	}
	if typ == f.User.Type {
		return search.IDs{Any: []string{f.User.ID}}, true
	}
	for _, code := range []string{"practitioner", "relatedperson"} {
		if p := spec.Param(typ, code); p != nil && p.Type == spec.Reference && slices.Contains(p.Targets, f.User.Type) {
			return refers(p, f.User), true
		}
	}
	return nil, false
}
