package giis

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/registry/identity"
	"github.com/amate-health/amate/fhir/search"
)

// Store finds resources.
type Store interface {
	Search(ctx context.Context, q *search.Query) (*search.Result, error)
}

// loader reads what rows are made from, as far as its restriction shows it.
type loader struct {
	store       Store
	restriction *search.Restriction
	limit       int // visits at most
}

// each calls f with every resource of a search, newest change or not, page by page.
func (l *loader) each(ctx context.Context, typ string, f func(*fhir.Resource) error, params ...search.Param) error {
	q, err := search.Parse(typ, append(params, search.Param{Name: "_count", Value: "500"}), search.Options{})
	if err != nil {
		return err
	}
	q.Restriction = l.restriction
	for {
		found, err := l.store.Search(ctx, q)
		if err != nil {
			return err
		}
		for i := range found.Matches {
			if err := f(&found.Matches[i]); err != nil {
				return err
			}
		}
		if found.Next == "" {
			return nil
		}
		q.After = found.Next
	}
}

// some is how many references one search looks for.
const some = 50

// about is each for resources that refer to one of many by a search parameter.
func (l *loader) about(ctx context.Context, typ, by, prefix string, ids []string, f func(*fhir.Resource) error, more ...search.Param) error {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	for part := range slices.Chunk(slices.Compact(ids), some) {
		params := append([]search.Param{{Name: by, Value: prefix + strings.Join(part, ","+prefix)}}, more...)
		if err := l.each(ctx, typ, f, params...); err != nil {
			return err
		}
	}
	return nil
}

// facilities returns the ids of the organizations that have a CLUES.
func (l *loader) facilities(ctx context.Context, clues string) ([]string, error) {
	var ids []string
	err := l.each(ctx, "Organization", func(r *fhir.Resource) error {
		ids = append(ids, r.Ref.ID)
		return nil
	}, search.Param{Name: "identifier", Value: identity.SystemCLUES + "|" + clues})
	return ids, err
}

// visits returns the outpatient visits of a month at a facility in the order of their
// time, each with all that its row is made from.
func (l *loader) visits(ctx context.Context, clues string, month time.Time) ([]*visit, error) {
	ids, err := l.facilities(ctx, clues)
	if err != nil {
		return nil, err
	}
	if len(ids) == 0 {
		return nil, fhir.Errorf(fhir.Unprocessable, "no Organization that you may see has this CLUES").With("%s", clues)
	}
	all, err := l.encounters(ctx, clues, ids, month)
	if err != nil {
		return nil, err
	}
	for part := range slices.Chunk(all, 200) {
		if err := l.complete(ctx, ids, part); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// outpatient are the classes of encounters that are outpatient visits, at a distance or not.
const outpatient = "AMB,VR"

// encounters returns the finished visits of a month. The month is that of the place: the
// search takes a day more on both sides, since it goes by universal time.
func (l *loader) encounters(ctx context.Context, clues string, ids []string, month time.Time) ([]*visit, error) {
	var all []*visit
	err := l.about(ctx, "Encounter", "service-provider", "Organization/", ids, func(r *fhir.Resource) error {
		v := &visit{ref: r.Ref.Current().String(), id: r.Ref.ID, encounter: read[encounter](r), clues: clues}
		if day := v.day(); day.Year() == month.Year() && day.Month() == month.Month() {
			all = append(all, v)
		}
		if len(all) > l.limit {
			return fhir.Errorf(fhir.TooCostly, "more than %d visits: ask for fewer facilities", l.limit)
		}
		return nil
	}, bounds(month.AddDate(0, 0, -1), month.AddDate(0, 1, 1))...)
	slices.SortStableFunc(all, func(a, b *visit) int {
		return cmp.Or(cmp.Compare(a.encounter.Period.Start, b.encounter.Period.Start), cmp.Compare(a.id, b.id))
	})
	return all, err
}

// bounds are the parameters of a search for finished outpatient visits.
func bounds(from, to time.Time) []search.Param {
	out := []search.Param{{Name: "class", Value: outpatient}, {Name: "status", Value: "finished"}, {Name: "date", Value: "lt" + to.Format(time.DateOnly)}}
	if !from.IsZero() {
		out = append(out, search.Param{Name: "date", Value: "ge" + from.Format(time.DateOnly)})
	}
	return out
}

// gathered is what was read about some visits, by the ids of whom or what it is about.
type gathered struct {
	people       map[string]*person // by Type/id
	roles        map[string][]*role
	coverages    map[string][]*coverage
	conditions   map[string]map[string]*diagnosed // by patient, then by their own id
	observations map[string][]*observation
	requests     map[string][]*request
	visits       map[string][]*visit // of patients, at the facilities
	facilities   []string
}

// steps are the searches that fill a gathered, in their order.
var steps = []struct {
	typ, by string
	of      string // whose ids are looked for; "" for resources that have the ids themselves
	keep    func(g *gathered, r *fhir.Resource)
}{
	{"Patient", "_id", "Patient", (*gathered).person},
	{"Practitioner", "_id", "Practitioner", (*gathered).person},
	{"PractitionerRole", "practitioner", "Practitioner", func(g *gathered, r *fhir.Resource) {
		if x := read[role](r); slices.Contains(g.facilities, x.Organization.of("Organization")) {
			id := x.Practitioner.of("Practitioner")
			g.roles[id] = append(g.roles[id], x)
		}
	}},
	{"Coverage", "beneficiary", "Patient", func(g *gathered, r *fhir.Resource) {
		if x := read[coverage](r); x.Status == "active" {
			id := x.Beneficiary.of("Patient")
			g.coverages[id] = append(g.coverages[id], x)
		}
	}},
	{"Condition", "patient", "Patient", func(g *gathered, r *fhir.Resource) {
		x := read[diagnosed](r)
		id := x.Subject.of("Patient")
		if g.conditions[id] == nil {
			g.conditions[id] = map[string]*diagnosed{}
		}
		g.conditions[id][r.Ref.ID] = x
	}},
	{"Observation", "encounter", "Encounter", func(g *gathered, r *fhir.Resource) {
		if x := read[observation](r); x.Status == "final" || x.Status == "amended" || x.Status == "corrected" {
			id := x.Encounter.of("Encounter")
			g.observations[id] = append(g.observations[id], x)
		}
	}},
	{"ServiceRequest", "encounter", "Encounter", func(g *gathered, r *fhir.Resource) {
		if x := read[request](r); x.counts() {
			id := x.Encounter.of("Encounter")
			g.requests[id] = append(g.requests[id], x)
		}
	}},
	{"Encounter", "patient", "Patient", func(g *gathered, r *fhir.Resource) {
		x := &visit{id: r.Ref.ID, encounter: read[encounter](r)}
		if slices.Contains(g.facilities, x.encounter.ServiceProvider.of("Organization")) {
			id := x.encounter.Subject.of("Patient")
			g.visits[id] = append(g.visits[id], x)
		}
	}},
}

func (g *gathered) person(r *fhir.Resource) { g.people[r.Ref.Type+"/"+r.Ref.ID] = read[person](r) }

// complete fills visits in with what they refer to and what refers to them.
func (l *loader) complete(ctx context.Context, facilities []string, visits []*visit) error {
	ids := map[string][]string{}
	last := time.Time{}
	for _, v := range visits {
		ids["Encounter"] = append(ids["Encounter"], v.id)
		if id := v.encounter.Subject.of("Patient"); id != "" {
			ids["Patient"] = append(ids["Patient"], id)
		}
		if id := v.staffID(); id != "" {
			ids["Practitioner"] = append(ids["Practitioner"], id)
		}
		if v.day().After(last) {
			last = v.day()
		}
	}
	g := &gathered{people: map[string]*person{}, roles: map[string][]*role{}, coverages: map[string][]*coverage{}, facilities: facilities,
		conditions: map[string]map[string]*diagnosed{}, observations: map[string][]*observation{}, requests: map[string][]*request{}, visits: map[string][]*visit{}}
	for _, step := range steps {
		var more []search.Param
		switch step.typ {
		case "Observation":
			more = []search.Param{{Name: "_sort", Value: "-date"}}
		case "Encounter":
			more = bounds(time.Time{}, last.AddDate(0, 0, 2))
		}
		prefix := step.of + "/"
		if step.by == "_id" {
			prefix = ""
		}
		keep := func(r *fhir.Resource) error { step.keep(g, r); return nil }
		if err := l.about(ctx, step.typ, step.by, prefix, ids[step.of], keep, more...); err != nil {
			return err
		}
	}
	g.give(visits)
	return nil
}

// give hands each visit what is its own.
func (g *gathered) give(visits []*visit) {
	for id, list := range g.visits {
		for _, o := range list {
			o.conditions = g.conditions[id]
			o.diagnose()
		}
	}
	for _, v := range visits {
		patient, staff := v.encounter.Subject.of("Patient"), v.staffID()
		v.patient, v.staff = cmp.Or(g.people["Patient/"+patient], &person{}), cmp.Or(g.people["Practitioner/"+staff], &person{})
		v.roles, v.coverages = g.roles[staff], g.coverages[patient]
		v.observations, v.requests, v.conditions = g.observations[v.id], g.requests[v.id], g.conditions[patient]
		for _, o := range g.visits[patient] {
			if o.encounter.Period.Start < v.encounter.Period.Start && o.id != v.id {
				v.others = append(v.others, o)
			}
		}
		v.diagnose()
	}
}
