package chart

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
)

// everything answers $everything: a patient or an encounter, all that is in its
// compartment, and what that refers to. One search finds the compartment, another
// what it refers to; neither depends on how much there is of others.
//
// See https://hl7.org/fhir/R4/patient-operation-everything.html and
// https://hl7.org/fhir/R4/encounter-operation-everything.html.
type everything struct{ store Store }

const (
	// wholeRecord is how many resources of one compartment come in one answer when
	// the client does not ask for pages.
	wholeRecord = 10_000

	// together is how many patients are read at a time when all are asked for.
	together = 10
)

func (e *everything) run(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	ask, err := parseAsked(call)
	if err != nil {
		return nil, err
	}
	at := &state{}
	if call.Cursor != "" {
		if at, err = parseState(call.Cursor); err != nil {
			return nil, err
		}
	}
	set := &operation.Set{Result: search.Result{Total: -1}, Self: ask.self, Ignored: ask.ignored}
	p := &reading{everything: e, call: call, ask: ask, at: at, set: set}
	if call.ID != "" {
		err = p.one(ctx)
	} else {
		err = p.many(ctx)
	}
	if err != nil {
		return nil, err
	}
	return &operation.Answer{Set: set, Tag: tagOf(set)}, nil
}

// tagOf is of what an answer says: who has it is told that nothing changed, which is all
// that a telephone on a bad network has to load. A page that others follow has none, since
// its link to them is of its moment.
func tagOf(set *operation.Set) string {
	if set.Next != "" {
		return ""
	}
	h := sha256.New()
	part := func(b []byte) {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(b)))
		h.Write(size[:])
		h.Write(b)
	}
	for _, list := range [][]fhir.Resource{set.Matches, set.Included} {
		for i := range list {
			part(list[i].JSON) // and not its version alone: less of it may be shown than before
		}
		part(nil)
	}
	for _, p := range set.Self {
		part([]byte(p.Name + "=" + p.Value))
	}
	for _, name := range set.Ignored {
		part([]byte(name))
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// reading is one page of $everything on its way.
type reading struct {
	*everything
	call *operation.Call
	ask  *asked
	at   *state
	set  *operation.Set

	owners []fhir.Ref // whose compartments are read
}

// one reads about the instance that was called on. Errors: fhir.NotFound.
func (p *reading) one(ctx context.Context) error {
	p.owners = []fhir.Ref{p.call.Ref()}
	if err := p.page(ctx, p.count(wholeRecord)); err != nil {
		return err
	}
	if p.call.Cursor == "" && !p.first() {
		if err := p.exists(ctx); err != nil {
			return err
		}
	}
	if p.at.at != "" {
		p.set.Next = p.at.String()
	}
	return nil
}

// many reads about all patients that the caller may see, a few at a time.
func (p *reading) many(ctx context.Context) error {
	for more := true; more && len(p.set.Matches) == 0; {
		if len(p.at.owners) == 0 {
			if err := p.owned(ctx); err != nil || len(p.at.owners) == 0 {
				return err
			}
		}
		p.owners = nil
		for _, id := range p.at.owners {
			p.owners = append(p.owners, fhir.Ref{Type: p.call.Type, ID: id})
		}
		if err := p.page(ctx, p.count(p.call.MaxCount)); err != nil {
			return err
		}
		if p.at.at == "" {
			p.at.owners = nil
		}
		more = len(p.at.owners) > 0 || p.at.next != ""
		p.set.Next = ""
		if more {
			p.set.Next = p.at.String()
		}
	}
	return nil
}

// owned fills in the patients that come next.
func (p *reading) owned(ctx context.Context) error {
	res, err := p.store.Search(ctx, &search.Query{Type: p.call.Type, Count: together, After: p.at.next, Restriction: p.call.Restriction})
	if err != nil {
		return err
	}
	p.at.next = res.Next
	for i := range res.Matches {
		p.at.owners = append(p.at.owners, res.Matches[i].Ref.ID)
	}
	return nil
}

// count is how many resources of compartments a page has at most.
func (p *reading) count(otherwise int) int {
	if p.ask.count == 0 {
		return otherwise
	}
	return min(p.ask.count, p.call.MaxCount)
}

// page adds to the set up to count resources of the compartments, and what they
// refer to; and moves p.at.at on, to "" at the end.
func (p *reading) page(ctx context.Context, count int) error {
	q := &search.Query{
		Where: p.where(), Count: count, Bytes: p.call.MaxBytes, After: p.at.at, Restriction: p.call.Restriction,
	}
	res, err := p.store.Search(ctx, q)
	if err != nil {
		return err
	}
	whole := p.at.at == "" && res.Next == "" && !p.ask.bounded()
	p.at.at = res.Next
	came := make(map[int64]bool, len(p.at.seen))
	for _, m := range p.at.seen {
		came[m] = true
	}
	found := newGather(p.call.Base)
	for i := range res.Matches {
		found.from(res.Matches[i].JSON)
	}
	if err := p.bring(ctx, p.others(found, res.Matches, came), whole); err != nil {
		return err
	}
	for _, m := range res.Matches {
		if p.ask.wants(m.Ref.Type) && !came[mark(m.Ref)] { // it can have come with the record of another
			p.set.Matches = append(p.set.Matches, m)
		}
	}
	return nil
}

// where is what a resource of the compartments must meet to be a match.
func (p *reading) where() []search.Expr {
	where := []search.Expr{search.Record(p.owners)}
	if types := p.ask.members(p.call.Type); types != nil {
		where = append(where, search.Types{Any: types})
	}
	if p.ask.since != nil {
		where = append(where, p.ask.since)
	}
	if p.ask.bounded() {
		where = append(where, care(p.call.Type, p.ask.start, p.ask.end))
	}
	return where
}

// others returns those of what was found that are not here yet, and have not come
// with an earlier page.
func (p *reading) others(found *gather, matches []fhir.Resource, came map[int64]bool) []fhir.Ref {
	here := make(map[fhir.Ref]bool, len(matches))
	for i := range matches {
		here[matches[i].Ref.Current()] = true
	}
	all := p.call.ID == "" // then each patient comes with the own record
	return found.left(func(ref fhir.Ref) bool {
		return here[ref] || !p.ask.wants(ref.Type) || came[mark(ref)] || all && ref.Type == p.call.Type
	})
}

// bring adds refs to the set, those that the caller may see. Unless whole says that
// the compartments are on this page entirely, what is in them is left out: it comes
// on a page of its own, or not at all.
func (p *reading) bring(ctx context.Context, refs []fhir.Ref, whole bool) error {
	if len(refs) == 0 {
		return nil
	}
	where := []search.Expr{named(refs)}
	if !whole {
		where = append(where, search.Not{X: search.Record(p.owners)})
	}
	if p.ask.since != nil {
		where = append(where, p.ask.since)
	}
	res, err := p.store.Search(ctx, &search.Query{Where: where, Count: len(refs), Bytes: p.call.MaxBytes, Restriction: p.call.Restriction})
	if err != nil {
		return err
	}
	if res.Next != "" {
		return fhir.Errorf(fhir.TooCostly, "the page and what it refers to would be larger than answers may be; ask for smaller pages with _count")
	}
	p.set.Included = append(p.set.Included, res.Matches...)
	for i := range res.Matches {
		p.at.seen = append(p.at.seen, mark(res.Matches[i].Ref))
	}
	return nil
}

// named is the condition of being one of refs.
func named(refs []fhir.Ref) search.Expr {
	ids := map[string][]string{}
	var types []string
	for _, ref := range refs {
		if ids[ref.Type] == nil {
			types = append(types, ref.Type)
		}
		ids[ref.Type] = append(ids[ref.Type], ref.ID)
	}
	slices.Sort(types)
	var any search.Or
	for _, typ := range types {
		any = append(any, search.And{search.Types{Any: []string{typ}}, search.IDs{Any: ids[typ]}})
	}
	return any
}

// first puts the instance that was called on before everything else, and reports
// whether it is there.
func (p *reading) first() bool {
	all := p.set.Matches
	i := slices.IndexFunc(all, func(m fhir.Resource) bool { return m.Ref.Current() == p.call.Ref() })
	if i < 0 {
		return false
	}
	it := all[i]
	copy(all[1:i+1], all[:i])
	all[0] = it
	return true
}

// exists refuses an instance that is not there, or that the caller may not see.
func (p *reading) exists(ctx context.Context) error {
	res, err := p.store.Search(ctx, &search.Query{
		Type: p.call.Type, Where: []search.Expr{search.IDs{Any: []string{p.call.ID}}}, Count: 1, Restriction: p.call.Restriction,
	})
	if err == nil && len(res.Matches) == 0 {
		err = fhir.Errorf(fhir.NotFound, "no such resource").With("%s is not known", p.call.Ref())
	}
	return err
}
