package store

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store/index"
)

// Whose a resource is that names no patient follows from what it refers to (search.TiedTo,
// search.Named), and is written beside that as search.Owner or search.Sharers: so a search
// that leaves out what is blocked or refused looks at one row, however far the way is.
// When something in between changes hands, what is tied to it changes with it in the same
// transaction, without a new version.
//
// Two that write at a time cannot pass each other: who ties something to a resource
// rewrites the row of that, so that who changes it meanwhile has to look again.

// owned says by type which parameters lead to the patients of a resource that names them.
var owned = sync.OnceValue(func() map[string]map[uint16]bool {
	all := map[string]map[uint16]bool{}
	for number := int16(1); index.TypeName(number) != ""; number++ {
		typ := index.TypeName(number)
		ids := map[uint16]bool{}
		for _, p := range search.ConcernParams(typ) {
			ids[p.ID] = true
		}
		all[typ] = ids
	}
	return all
})

// bond is a resource as far as it matters to whose another one is.
type bond struct {
	ref      fhir.Ref
	exists   bool    // or has existed: it is no placeholder
	live     bool    //
	open     bool    // whose it is has to be found out anew
	postings []int64 // that it has, or of what is deleted in this batch, had
	before   []int64 // those of an open one before
}

// linked returns what postings refer to by a parameter.
func linked(postings []int64, param uint16) (keys []int64) {
	from, to := index.LinkSpan(param)
	at, _ := slices.BinarySearch(postings, from)
	for ; at < len(postings) && postings[at] < to; at++ {
		keys = append(keys, index.LinkTarget(postings[at]))
	}
	return keys
}

// named returns what a resource of type typ refers to as those whom it is about.
func named(typ string, postings []int64) (keys []int64) {
	ids := owned()[typ]
	for _, p := range postings {
		if p > 0 && ids[paramOf(p)] {
			keys = append(keys, index.LinkTarget(p))
		}
	}
	return keys
}

func paramOf(posting int64) uint16 {
	from, _ := index.LinkSpan(1)
	return uint16(posting / from)
}

// hands returns the postings that say whose a resource of type typ is.
func hands(typ string, postings []int64) (all []int64) {
	ids := owned()[typ]
	for _, p := range postings {
		if p > 0 && (ids[paramOf(p)] || derived(p)) {
			all = append(all, p)
		}
	}
	return all
}

// derived reports whether a posting is one that is worked out here.
func derived(p int64) bool {
	return p > 0 && (paramOf(p) == search.Owner.ID || paramOf(p) == search.Sharers.ID)
}

func tied(postings []int64) bool {
	return len(linked(postings, search.TiedTo.ID)) > 0 || len(linked(postings, search.Named.ID)) > 0
}

// tying works out whose the resources of a batch are, and what else changes hands by it.
type tying struct {
	*run
	bonds map[int64]*bond
	rows  map[int64]*Row // locked, of what is not in the batch
	steps map[int64]*step
	touch []int64 // what something is newly tied to
}

// tie completes the postings of the batch, and adds to r.more what must be written
// beside it.
func (r *run) tie(ctx context.Context) error {
	t := &tying{run: r, bonds: map[int64]*bond{}, rows: map[int64]*Row{}, steps: map[int64]*step{}}
	r.more = nil
	var open []int64
	for i := range r.steps {
		s := &r.steps[i]
		if s.write == nil {
			continue
		}
		t.steps[s.write.Key] = s
		if s.content != nil && tied(s.write.Index.Postings) {
			open = append(open, s.write.Key)
		}
	}
	if len(open) > 0 {
		t.begin()
		if err := t.settle(ctx, open); err != nil {
			return err
		}
	}
	if err := t.spread(ctx); err != nil {
		return err
	}
	return t.finish()
}

// begin notes the resources of the batch.
func (t *tying) begin() {
	for key, s := range t.steps {
		b := &bond{ref: s.ref, exists: true, live: s.content != nil, postings: s.write.Index.Postings, before: s.row.Index.Postings}
		if s.content == nil {
			b.postings = b.before
		}
		b.open = b.live && tied(b.postings)
		t.bonds[key] = b
	}
}

// settle finds out whose the open resources are, and writes it into their postings.
func (t *tying) settle(ctx context.Context, open []int64) error {
	if err := t.load(ctx, open); err != nil {
		return err
	}
	for range len(open) { // chains within the batch, at their longest
		changed := false
		for _, key := range open {
			b := t.bonds[key]
			owners := map[int64]bool{}
			t.owners(key, map[int64]bool{}, owners)
			now := slices.DeleteFunc(slices.Clone(b.postings), derived)
			param := search.Owner.ID
			if len(owners) > 1 {
				param = search.Sharers.ID
			}
			for owner := range owners {
				now = append(now, index.Link(param, owner))
			}
			slices.Sort(now)
			changed = changed || !slices.Equal(now, b.postings)
			b.postings = now
		}
		if !changed {
			break
		}
	}
	return nil
}

// owners adds the patients whose the resource with a key is.
func (t *tying) owners(key int64, on, found map[int64]bool) {
	b := t.bonds[key]
	if b == nil || on[key] {
		return
	}
	on[key] = true
	defer delete(on, key)
	direct := false
	for _, k := range named(b.ref.Type, b.postings) {
		if to := t.bonds[k]; to != nil && to.ref.Type == "Patient" {
			found[k], direct = true, true
		} else if b.ref.Type == "Binary" {
			t.owners(k, on, found)
		}
	}
	if direct {
		return
	}
	if !b.open {
		t.kept(b.postings, found)
		return
	}
	for _, k := range linked(b.postings, search.Named.ID) {
		found[k] = true
	}
	for _, k := range linked(b.postings, search.TiedTo.ID) {
		to := t.bonds[k]
		if to != nil && to.exists && !to.live { // what was deleted takes nothing away
			t.kept(b.before, found)
			t.kept(hands(to.ref.Type, to.postings), found)
		}
		t.owners(k, on, found)
	}
}

// kept adds what postings already say.
func (t *tying) kept(postings []int64, found map[int64]bool) {
	for _, p := range postings {
		if derived(p) {
			found[index.LinkTarget(p)] = true
		}
	}
}

// load reads what has to be known to find out whose the open resources are, and locks
// what they are tied to.
func (t *tying) load(ctx context.Context, open []int64) error {
	var to, further []int64
	for _, key := range open {
		to = append(to, linked(t.bonds[key].postings, search.TiedTo.ID)...)
	}
	for round := 0; round < 2; round++ { // the context of a Binary is one step further
		locked, err := t.lock(ctx, to)
		if err != nil {
			return err
		}
		if round == 0 {
			t.touch = append(t.touch, locked...)
		}
		to = nil
		for _, b := range t.bonds {
			ids := named(b.ref.Type, b.postings)
			further = append(further, ids...)
			if b.ref.Type == "Binary" {
				to = append(to, ids...)
			}
		}
	}
	further = slices.DeleteFunc(further, func(k int64) bool { return t.bonds[k] != nil })
	found, err := t.read(ctx, further)
	for i := range found {
		t.bonds[found[i].Key] = &bond{ref: found[i].Resource.Ref, exists: found[i].Resource.Ref.Version > 0, live: !found[i].Resource.Deleted()}
	}
	return err
}

// read returns the rows with some keys.
func (t *tying) read(ctx context.Context, keys []int64) ([]Found, error) {
	slices.Sort(keys)
	if keys = slices.Compact(keys); len(keys) == 0 {
		return nil, nil
	}
	compiler := newCompiler(t.tx, nil)
	rows, err := t.tx.Select(ctx, compiler.Rows(keys))
	if err != nil {
		return nil, err
	}
	return rows[0].Found, nil
}

// lock reads and locks the rows with some keys, and returns those that were not known.
func (t *tying) lock(ctx context.Context, keys []int64) ([]int64, error) {
	keys = slices.DeleteFunc(slices.Clone(keys), func(k int64) bool { return t.bonds[k] != nil })
	if len(keys) == 0 {
		return nil, nil
	}
	if !t.locked {
		return nil, ErrMoved // nothing can be locked but in another attempt
	}
	found, err := t.read(ctx, keys)
	if err != nil {
		return nil, err
	}
	refs := make([]fhir.Ref, len(found))
	for i := range found {
		refs[i] = found[i].Resource.Ref.Current()
	}
	rows, err := t.tx.Current(ctx, refs)
	if err != nil {
		return nil, err
	}
	for i := range rows {
		row := &rows[i]
		row.Index.Sort()
		t.rows[row.Key] = row
		t.bonds[row.Key] = &bond{
			ref: refs[i], exists: row.Resource.Ref.Version > 0, live: row.live(), postings: row.Index.Postings, before: row.Index.Postings,
		}
	}
	return slices.Collect(maps.Keys(t.rows)), nil
}

// mostSteps is how far a change of hands is followed.
const mostSteps = 8

// spread finds what is tied to what changes hands, and finds out anew whose that is.
func (t *tying) spread(ctx context.Context) error {
	var changed []int64
	for key, s := range t.steps {
		if s.content == nil || s.write.Fresh || !search.Ties(s.ref.Type) {
			continue
		}
		now := s.write.Index.Postings
		if b := t.bonds[key]; b != nil {
			now = b.postings
		}
		if !slices.Equal(hands(s.ref.Type, s.row.Index.Postings), hands(s.ref.Type, now)) {
			changed = append(changed, key)
		}
	}
	for range mostSteps {
		if len(changed) == 0 {
			return nil
		}
		compiler := newCompiler(t.tx, nil)
		rows, err := t.tx.Select(ctx, compiler.TiedTo(changed))
		if err != nil {
			return err
		}
		if changed, err = t.follow(ctx, rows[0].Found); err != nil {
			return err
		}
	}
	return nil
}

// follow finds out anew whose some resources are, and returns those of them that are
// somebody else's now.
func (t *tying) follow(ctx context.Context, found []Found) (changed []int64, err error) {
	var keys []int64
	for i := range found {
		if t.steps[found[i].Key] == nil { // else it is settled already
			keys = append(keys, found[i].Key)
		}
	}
	if len(keys) == 0 {
		return nil, nil
	}
	if len(t.bonds) == 0 {
		t.begin()
	}
	if _, err := t.lock(ctx, keys); err != nil {
		return nil, err
	}
	before := map[int64][]int64{}
	for _, key := range keys {
		b := t.bonds[key]
		b.open, before[key] = b.live && tied(b.postings), hands(b.ref.Type, b.postings)
	}
	keys = slices.DeleteFunc(keys, func(k int64) bool { return !t.bonds[k].open })
	touched := t.touch
	if err := t.settle(ctx, keys); err != nil {
		return nil, err
	}
	t.touch = touched // nothing is newly tied
	for _, key := range keys {
		if b := t.bonds[key]; !slices.Equal(before[key], hands(b.ref.Type, b.postings)) {
			changed = append(changed, key)
		}
	}
	return changed, nil
}

// finish puts what was found out into what is written.
func (t *tying) finish() error {
	write := map[int64]bool{}
	for key, b := range t.bonds {
		if s := t.steps[key]; s != nil {
			if b.open {
				s.write.Index.Postings = b.postings
			}
			continue
		}
		if b.open && !slices.Equal(b.before, b.postings) {
			write[key] = true
		}
	}
	for _, key := range t.touch {
		write[key] = true
	}
	for _, key := range slices.Sorted(maps.Keys(write)) {
		row, b := t.rows[key], t.bonds[key]
		at := row.Resource.Ref
		w := Write{
			Key: key, Was: at.Version, Stamp: row.Stamp, Ref: at, Updated: row.Resource.Updated, Method: row.Resource.Method,
			Content: row.Content, Index: row.Index, Reindex: true,
		}
		if !b.live {
			w.Method = fhir.DELETE
		}
		w.Index.Postings = b.postings
		w.Gone, w.Added = index.Diff(&row.Index, &w.Index)
		t.more = append(t.more, w)
	}
	return nil
}
