package store

import (
	"context"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store/query"
)

// maxDeletes is how many resources one conditional delete may remove.
const maxDeletes = 1000

// criterion is a search that decides what a change, or a conditional reference, is about.
type criterion struct {
	query search.Query
	limit int
	found []Found
	taken bool // a change of this batch will make what was not found
	by    int  // the index of that change
}

// resolve finds the final place of every change, and the match of every lookup.
func (r *run) resolve(ctx context.Context) error {
	criteria := r.criteria()
	if len(criteria) > 0 {
		if err := r.match(ctx, criteria); err != nil {
			return err
		}
	}
	r.env = bundle.Env{Targets: make([]fhir.Ref, len(r.batch.Changes)), Lookups: make([]fhir.Ref, len(r.batch.Lookups))}
	r.steps = make([]step, 0, len(r.batch.Changes))
	for i := range r.batch.Changes {
		c := &r.batch.Changes[i]
		r.env.Targets[i] = c.Ref
		if c.Where == nil {
			r.steps = append(r.steps, step{index: i, ref: c.Ref})
			continue
		}
		if err := r.place(i, c, criteria[keyOf(c.Where)]); err != nil {
			return &bundle.ChangeError{Index: i, Err: err}
		}
	}
	return r.lookUp(criteria)
}

// lookUp finds the one resource that each conditional reference is to: a stored one,
// or one that this batch makes.
//
// See https://hl7.org/fhir/R4/http.html#trules.
func (r *run) lookUp(criteria map[criterionKey]*criterion) error {
	var made []search.Subject
	for i, q := range r.batch.Lookups {
		by := criteria[keyOf(q)]
		var err error
		switch {
		case len(by.found) == 1:
			r.env.Lookups[i] = by.found[0].Resource.Ref.Current()
		case len(by.found) > 1:
			err = fhir.Errorf(fhir.MultipleMatches, "a conditional reference matches several resources")
		case by.taken:
			r.env.Lookups[i] = r.env.Targets[by.by]
		default:
			if made == nil {
				if made, err = r.made(); err != nil {
					return err
				}
			}
			r.env.Lookups[i], err = among(made, q)
		}
		if err != nil {
			return &bundle.ChangeError{Index: -1 - i, Err: err}
		}
	}
	return nil
}

// made returns the resources that the batch makes, as far as that is known while
// references are still open, for conditions to be tried on.
func (r *run) made() ([]search.Subject, error) {
	all := []search.Subject{}
	for i := range r.steps {
		s := &r.steps[i]
		c := &r.batch.Changes[s.index]
		if s.match != nil || c.NeedsCurrent || c.Op != bundle.Create && c.Op != bundle.Update {
			continue
		}
		content, err := build(c, s.index, &r.env, s.ref, nil)
		if err != nil {
			return nil, err
		}
		all = append(all, search.Subject{Ref: s.ref, Updated: r.now, Index: &content.Index})
	}
	return all, nil
}

// among returns the one resource of made that q matches.
func among(made []search.Subject, q *search.Query) (fhir.Ref, error) {
	var found []fhir.Ref
	for i := range made {
		if made[i].Ref.Type != q.Type {
			continue
		}
		// What depends on other resources is only found in the database.
		if ok, err := search.Holds(search.And(q.Where), &made[i]); ok && err == nil {
			found = append(found, made[i].Ref)
		}
	}
	switch len(found) {
	case 0:
		return fhir.Ref{}, fhir.Errorf(fhir.Unprocessable, "a conditional reference matches no resource")
	case 1:
		return found[0], nil
	}
	return fhir.Ref{}, fhir.Errorf(fhir.MultipleMatches, "a conditional reference matches several resources of this batch")
}

// criterionKey tells the criteria of a batch apart: the same text may be asked for
// callers who may see different things.
type criterionKey struct {
	name string
	only *search.Restriction
}

func keyOf(q *search.Query) criterionKey { return criterionKey{criterionName(q), q.Restriction} }

// criterionName is the text of a criterion. It is never logged: it quotes what was asked for.
func criterionName(q *search.Query) string { return q.Type + "?" + search.And(q.Where).String() }

// criteria returns all criteria of the batch.
func (r *run) criteria() map[criterionKey]*criterion {
	all := map[criterionKey]*criterion{}
	add := func(q *search.Query, limit int) {
		key := keyOf(q)
		if all[key] == nil {
			all[key] = &criterion{query: search.Query{Type: q.Type, Where: q.Where, Restriction: q.Restriction}}
		}
		all[key].limit = max(all[key].limit, limit)
	}
	for i := range r.batch.Changes {
		if c := &r.batch.Changes[i]; c.Where != nil && c.Many {
			add(c.Where, maxDeletes+1)
		} else if c.Where != nil {
			add(c.Where, 2)
		}
	}
	for _, q := range r.batch.Lookups {
		add(q, 2)
	}
	return all
}

// match locks the criteria that decide about a write, then searches for all. The
// search comes after the lock, so that it sees what the holder before it wrote.
func (r *run) match(ctx context.Context, criteria map[criterionKey]*criterion) error {
	if err := r.tx.Lock(ctx, r.lockNames()); err != nil {
		return err
	}
	all := make([]*criterion, 0, len(criteria))
	var refs []fhir.Ref
	for _, c := range criteria {
		all = append(all, c)
		refs = append(refs, query.References(&c.query)...)
	}
	known, err := r.tx.Known(ctx, refs)
	if err != nil {
		return err
	}
	compiler := newCompiler(r.tx, known)
	statements := make([]*query.Statement, len(all))
	for i, c := range all {
		if statements[i], err = compiler.Page(&c.query, nil, c.limit, false, true); err != nil {
			return err
		}
	}
	results, err := r.tx.Select(ctx, statements...)
	if err != nil {
		return err
	}
	for i, c := range all {
		c.found = results[i].Found
	}
	return nil
}

// lockNames returns what the criteria of changes are about, sorted, each once.
// Lookups only read.
func (r *run) lockNames() []string {
	var names []string
	for i := range r.batch.Changes {
		if q := r.batch.Changes[i].Where; q != nil {
			names = append(names, lockName(q))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// lockName returns what those hold who must not search for q at the same time. A
// criterion that asks for one identifier is about that identifier, however else it
// is written: with the system or without, and with further conditions or none.
func lockName(q *search.Query) string {
	for _, e := range q.Where {
		m, ok := e.(search.Match)
		if !ok || m.Param.Code != "identifier" || m.Modifier != "" || len(m.Values) != 1 {
			continue
		}
		value := m.Values[0].Raw
		return q.Type + "?identifier=" + value[strings.LastIndexByte(value, '|')+1:]
	}
	return criterionName(q)
}

// place says what change i is about, now that its criterion has been searched for.
//
// See https://hl7.org/fhir/R4/http.html#ccreate, #cond-update, #patch and #cdelete.
func (r *run) place(i int, c *bundle.Change, by *criterion) error {
	if len(by.found) > 1 && !c.Many {
		return fhir.Errorf(fhir.MultipleMatches, "the criterion matches several resources")
	}
	if c.Op == bundle.Delete {
		return r.placeDeletes(i, by)
	}
	if len(by.found) == 0 {
		return r.placeNew(i, c, by)
	}
	found := &by.found[0]
	at := found.Resource.Ref.Current()
	r.env.Targets[i] = at
	s := step{index: i, ref: at}
	if c.Op == bundle.Create {
		s.match = found
	}
	if c.FixedID && at.ID != c.Ref.ID {
		return fhir.Errorf(fhir.Invalid, "the criterion matches a resource with another id than the body has")
	}
	r.steps = append(r.steps, s)
	return nil
}

// placeNew places a change whose criterion matches nothing that is stored. What an
// earlier change of the batch makes under the same criterion counts as a match.
func (r *run) placeNew(i int, c *bundle.Change, by *criterion) error {
	if by.taken && c.Op == bundle.Create {
		r.env.Targets[i] = r.env.Targets[by.by]
		r.aliases = append(r.aliases, alias{index: i, of: by.by})
		return nil
	}
	if c.Op == bundle.Patch {
		return fhir.Errorf(fhir.NotFound, "the criterion matches no resource to patch")
	}
	if c.NoneNew {
		return fhir.Errorf(fhir.NotFound, "the criterion matches no resource to update")
	}
	r.steps = append(r.steps, step{index: i, ref: c.Ref, new: true})
	by.taken, by.by = true, i
	return nil
}

func (r *run) placeDeletes(i int, by *criterion) error {
	if len(by.found) > maxDeletes {
		return fhir.Errorf(fhir.TooCostly, "the criterion matches more than %d resources to delete", maxDeletes)
	}
	for j := range by.found {
		r.steps = append(r.steps, step{index: i, ref: by.found[j].Resource.Ref.Current()})
	}
	if len(by.found) == 1 {
		r.env.Targets[i] = by.found[0].Resource.Ref.Current()
	}
	return nil
}

// maxMatched is how many bytes of JSON the conditional creates of one batch may find.
// They stand for whole resources, so that a short batch could ask for very many.
const maxMatched = 128 << 20

// expandMatches unfolds what conditional creates found, each resource once. It comes
// before anything is written, so that a batch it refuses changes nothing.
func (r *run) expandMatches() error {
	size := 0
	for i := range r.steps {
		s := &r.steps[i]
		if s.match == nil {
			continue
		}
		if _, ok := r.matched[s.match.Key]; ok {
			continue
		}
		resource, err := s.match.Expand()
		if err != nil {
			return err
		}
		if size += len(resource.JSON); size > maxMatched {
			return fhir.Errorf(fhir.TooCostly, "the conditional creates match resources of more than %d bytes in all; send fewer of them at a time", maxMatched)
		}
		if r.matched == nil {
			r.matched = map[int64]fhir.Resource{}
		}
		r.matched[s.match.Key] = resource
	}
	return nil
}
