package audit

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/fhir/search"
)

// How many events a search reads at a time, and before it asks for more conditions.
const (
	searchPage = 200
	searchMost = 20000
)

// Search finds AuditEvents in the trail, or asks the inner store. The trail is looked
// into by time, patient, entity, agent and altid; each event found is then held
// against all conditions and the restriction, so that any other parameter works as
// well, if not as fast.
func (s *Store) Search(ctx context.Context, q *search.Query) (*search.Result, error) {
	if q.Type != eventType {
		if err := apart(q); err != nil {
			return nil, err
		}
		return s.Store.Search(ctx, q)
	}
	if q.Restriction == nil {
		return nil, errors.New("audit: a search without a restriction")
	}
	result := &search.Result{Total: -1}
	where := slices.Clone(q.Where)
	if !q.Restriction.Open() {
		only, listed := q.Restriction.Of(eventType)
		if !listed {
			if q.Total != search.TotalNone {
				result.Total = 0
			}
			return result, nil
		}
		where = append(where, only...)
	}
	if len(q.Includes) > 0 {
		return nil, fhir.Errorf(fhir.NotSupported, "a search of AuditEvents includes nothing: read what they name by itself")
	}
	l := &look{Store: s, where: search.And(where)}
	if err := l.order(q.Sort); err != nil {
		return nil, err
	}
	s.trail.settle(ctx)
	l.plan(ctx, where)
	return result, l.run(ctx, q, result)
}

// apart refuses a search of other resources that needs AuditEvents: the trail stands
// apart from them, and to find nothing would be a wrong answer.
func apart(q *search.Query) error {
	if slices.ContainsFunc(q.Where, needsTrail) {
		return errApart
	}
	for _, in := range q.Includes {
		if in.Source == eventType || in.Target == eventType {
			return errApart
		}
	}
	return nil
}

var errApart = fhir.Errorf(fhir.NotSupported, "AuditEvents are searched by themselves (GET [base]/AuditEvent), and not together with other resources")

// needsTrail reports whether e asks something of AuditEvents.
func needsTrail(e search.Expr) bool {
	switch e := e.(type) {
	case search.And:
		return slices.ContainsFunc(e, needsTrail)
	case search.Or:
		return slices.ContainsFunc(e, needsTrail)
	case search.Not:
		return needsTrail(e.X)
	case search.Types:
		return slices.Contains(e.Any, eventType)
	case search.Chain:
		return len(e.Types) == 1 && e.Types[0] == eventType || needsTrail(e.Next)
	case search.Has:
		return e.Source == eventType || needsTrail(e.Next)
	}
	return false
}

// look is one search of the trail.
type look struct {
	*Store
	query fhir.EventQuery
	where search.Expr
	read  int
}

// order takes the order of time, the newest first unless asked otherwise.
func (l *look) order(keys []search.Sort) error {
	if len(keys) == 0 {
		return nil
	}
	k := keys[0]
	if len(keys) > 1 || k.Field != "_lastUpdated" && (k.Param == nil || k.Param.Code != "date") {
		return fhir.Errorf(fhir.NotSupported, "AuditEvents are sorted by date or _lastUpdated only")
	}
	l.query.Oldest = !k.Desc
	return nil
}

// run fills in a page and the total.
func (l *look) run(ctx context.Context, q *search.Query, result *search.Result) error {
	if q.Total != search.TotalNone {
		if err := l.count(ctx, result); err != nil {
			return err
		}
	}
	if q.Count <= 0 {
		return nil
	}
	l.read = 0
	l.query.After = [16]byte{}
	if q.After != "" {
		var err error
		if l.query.After, err = parseCursor(q.After); err != nil {
			return err
		}
	}
	size := int64(0)
	var last [16]byte
	return l.each(ctx, min(searchPage, q.Count+1), func(id [16]byte, r fhir.Resource) bool {
		size += int64(len(r.JSON))
		if n := len(result.Matches); n == q.Count || n > 0 && q.Bytes > 0 && size > q.Bytes {
			result.Next = cursor(last)
			return false
		}
		result.Matches = append(result.Matches, r)
		rest.Touched(ctx, r)
		last = id
		return true
	})
}

func (l *look) count(ctx context.Context, result *search.Result) error {
	result.Total = 0
	return l.each(ctx, searchPage, func([16]byte, fhir.Resource) bool {
		result.Total++
		return true
	})
}

// each calls f for the events that all conditions hold for, until f says no.
func (l *look) each(ctx context.Context, page int, f func([16]byte, fhir.Resource) bool) error {
	for {
		l.query.Limit = page
		events, err := l.trail.Chains.Events(ctx, &l.query)
		if err != nil {
			return err
		}
		for i := range events {
			r, ok, err := l.holds(ctx, &events[i])
			if err != nil {
				return err
			}
			if ok && !f(events[i].ID, r) {
				return nil
			}
		}
		if len(events) < page {
			return nil
		}
		if l.read += len(events); l.read >= searchMost {
			return fhir.Errorf(fhir.TooCostly, "this search would read more than %d events of the audit trail: narrow it by patient, agent, entity or date", searchMost)
		}
		l.query.After = events[len(events)-1].ID
		page = searchPage
	}
}

// holds renders an event and tries all conditions on it.
func (l *look) holds(ctx context.Context, e *fhir.Event) (fhir.Resource, bool, error) {
	r, err := l.renderer.render(ctx, e)
	if err != nil {
		return r, false, nil // Verify finds what cannot be read; nobody else sees it
	}
	doc, err := element.Parse(r.JSON)
	if err != nil {
		return r, false, nil
	}
	index, err := search.Extract(doc, 0, l.renderer.base)
	if err != nil {
		return r, false, nil
	}
	ok, err := search.Holds(l.where, &search.Subject{Ref: r.Ref, Updated: r.Updated, Index: &index})
	return r, ok, err
}

// plan narrows the query to where the events are for which all of where hold. What
// it does not understand it leaves to holds.
func (l *look) plan(ctx context.Context, where []search.Expr) {
	q := &l.query
	for _, e := range where {
		switch e := e.(type) {
		case search.And:
			l.plan(ctx, e)
		case search.IDs:
			planIDs(e.Any, q)
		case search.Updated:
			planTime(&e.Value, q)
		case search.Match:
			if e.Param.Code == "date" && e.Modifier == "" && len(e.Values) == 1 {
				planTime(&e.Values[0], q)
			}
		}
		if keys, ok := l.keysFor(ctx, e); ok {
			q.Keys = append(q.Keys, keys)
		}
	}
}

// keysFor returns keys of which every event has one that e holds for.
func (l *look) keysFor(ctx context.Context, e search.Expr) (keys []int64, ok bool) {
	switch e := e.(type) {
	case search.Or:
		for _, x := range e {
			some, ok := l.keysFor(ctx, x)
			if !ok {
				return nil, false
			}
			keys = append(keys, some...)
		}
		return keys, len(keys) > 0
	case search.And:
		for _, x := range e {
			if keys, ok := l.keysFor(ctx, x); ok {
				return keys, true
			}
		}
	case search.Match:
		if e.Modifier == "" {
			return l.matchKeys(ctx, e.Param.Code, e.Values)
		}
	}
	return nil, false
}

func (l *look) matchKeys(ctx context.Context, code string, values []search.Value) (keys []int64, ok bool) {
	for i := range values {
		v := &values[i]
		if code == "altid" {
			_, name, cut := strings.Cut(v.Raw, "|")
			if !cut {
				name = v.Raw
			}
			if name == "" || strings.ContainsRune(name, '\\') {
				return nil, false
			}
			keys = append(keys, keyAccount(name))
			continue
		}
		if len(v.Refs) == 0 {
			return nil, false
		}
		for _, ref := range v.Refs {
			switch {
			case code == "agent":
				keys = append(keys, keyAgent(ref.Current().String()))
			case code != "patient" && code != "entity":
				return nil, false
			case ref.Type == "Patient":
				keys = append(keys, keyPatient(ref.ID))
			case code == "entity":
				keys = append(keys, keyEntity(ref.Current().String()))
				for _, p := range l.patientsOf(ctx, ref.Current()) {
					keys = append(keys, keyPatient(p))
				}
			}
		}
	}
	return keys, len(keys) > 0
}

// patientsOf returns the patients of a resource, by whom searches that listed it are
// found. Of one that was deleted they are those of the version before.
func (l *look) patientsOf(ctx context.Context, ref fhir.Ref) (patients []string) {
	found, err := l.Store.Store.History(ctx, &search.History{Type: ref.Type, ID: ref.ID, Count: 2, Restriction: search.Unrestricted})
	if err != nil {
		return nil
	}
	for i := range found.Entries {
		patients = append(patients, rest.PatientsIn(found.Entries[i].JSON)...)
	}
	return patients
}

// planTime narrows the time.
func planTime(v *search.Value, q *fhir.EventQuery) {
	from := func(t time.Time) {
		if t.After(q.From) {
			q.From = t
		}
	}
	until := func(t time.Time) {
		if q.Until.IsZero() || t.Before(q.Until) {
			q.Until = t
		}
	}
	lo, hi := time.UnixMicro(v.Lo).UTC(), time.UnixMicro(v.Hi).UTC().Add(time.Millisecond)
	switch v.Prefix {
	case "eq", "ap":
		from(lo)
		until(hi)
	case "ge", "gt", "sa":
		from(lo)
	case "le", "lt", "eb":
		until(hi)
	}
}

// planIDs narrows the time to that of some events.
func planIDs(ids []string, q *fhir.EventQuery) {
	var first, last time.Time
	for _, text := range ids {
		id, err := uuid.Parse(text)
		if err != nil {
			continue
		}
		at := Time(id)
		if first.IsZero() || at.Before(first) {
			first = at
		}
		if at.After(last) {
			last = at
		}
	}
	if first.IsZero() { // none of them can be there
		first, last = time.UnixMilli(1), time.UnixMilli(1)
	}
	planTime(&search.Value{Prefix: "eq", Lo: first.UnixMicro(), Hi: last.Add(time.Millisecond).UnixMicro()}, q)
}
