package feed

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
)

const (
	batch      = 4000 // changes that are looked at together
	batches    = 10   // of those, at most in one request
	lookups    = 200  // resources that are looked up together
	fewBuckets = 8    // that are read one by one
	tries      = 8    // when requests for the same copy meet
)

// advance looks at what has changed since the copy was last asked for, and returns how
// it stands now. more says that not everything was looked at yet.
// Errors: fhir.Conflict when another request was first; aheadError.
func (f *Feed) advance(ctx context.Context, v *view, at *cursor) (*copied, bool, error) {
	c := v.kept // as it was read a moment ago
	if v.kept = nil; c == nil || c.id != at.Copy {
		var err error
		if c, err = f.copy(ctx, at.Copy); err != nil {
			return nil, false, err
		}
	}
	if err := f.readRoots(ctx, c); err != nil {
		return nil, false, err
	}
	if at.Done && at.Mark.Compare(c.Mark) > 0 {
		c.Mark, c.Logs = at.Mark, 0 // up to there, nothing touched it: see Feed.page
	}
	if c.Mark.Compare(v.end) > 0 {
		return nil, false, &aheadError{c.Mark}
	}
	for range batches {
		changes, err := f.Changes.Changes(ctx, c.Mark, batch)
		if err != nil {
			return nil, false, err
		}
		if n := len(changes); n > 0 && changes[n-1].At.Compare(v.end) > 0 {
			changes = changes[:slices.IndexFunc(changes, func(ch fhir.Change) bool { return ch.At.Compare(v.end) > 0 })]
		}
		if err := f.batch(ctx, v, c, changes); err != nil {
			return nil, false, err
		}
		if len(changes) < batch {
			return c, false, nil
		}
	}
	return c, true, nil
}

// batch looks at changes, which follow the mark of c, and saves what they come to, if it
// is anything.
func (f *Feed) batch(ctx context.Context, v *view, c *copied, changes []fhir.Change) error {
	w := &work{Feed: f, v: v, c: c, candidates: map[fhir.Ref]bool{}, dirty: map[fhir.Ref]bool{}, several: map[fhir.Ref]bool{}}
	w.noted = f.Now().Sub(time.UnixMicro(c.Used)) > notedAfter
	w.changed(changes)
	if err := w.members(ctx, len(changes) < batch); err != nil {
		return err
	}
	if err := w.spread(ctx); err != nil {
		return err
	}
	var logs []logged
	idle := len(w.candidates) == 0 && !c.rootsChanged && !w.noted && len(changes) < batch
	if !idle {
		var err error
		if logs, err = w.judge(ctx); err != nil {
			return err
		}
	}
	if len(changes) > 0 {
		c.Mark, c.Logs = changes[len(changes)-1].At, 0
	}
	if idle {
		c.complete = false
		return nil // the cursor moves the mark on
	}
	return f.save(ctx, c, logs)
}

// work is one batch.
type work struct {
	*Feed
	v          *view
	c          *copied
	candidates map[fhir.Ref]bool // may have come into view, or left it
	dirty      map[fhir.Ref]bool // and so may what they decide on
	several    map[fhir.Ref]bool // stay in view, and are shown with other patients than before, it may be
	turns      bool              // Consents have begun or ended to say something
	noted      bool              // something else is to be saved
}

func (w *work) candidate(ref fhir.Ref) {
	if w.v.can(ref.Type) {
		w.candidates[ref.Current()] = true
	}
}

// changed takes in those changes that may matter to the copy.
func (w *work) changed(changes []fhir.Change) {
	in, d := w.v.deps.interest(w.c).and(w.c.Members).and(w.c.Former), w.v.deps // what has left a former member as well
	for i := range changes {
		ch := &changes[i]
		if !in.has(ch) {
			continue
		}
		ref := ch.Ref.Current()
		w.candidate(ref)
		if d.rules == nil {
			continue
		}
		w.dirty[ref] = true
		for _, target := range ch.Targets {
			if ref.Type == "Consent" && target.Type == "Patient" {
				w.dirty[target], w.turns = true, true
			}
			if slices.Contains(d.sources[ref.Type], target.Type) {
				w.candidate(target)
			}
		}
		if d.chained {
			w.c.root(ref)
			for _, target := range ch.Targets {
				w.c.root(target)
			}
		}
	}
}

// members finds who has joined the scope and who has left it since the copy was last
// looked at, and whose consents have begun or ended to say something. Until the last of
// the changes is looked at, former members are of interest.
func (w *work) members(ctx context.Context, last bool) error {
	if last && w.c.Former != nil && w.v.end.Compare(w.c.FormerAt) > 0 {
		w.c.Former, w.noted = nil, true
	}
	if w.v.members != nil && !slices.Equal(w.v.members, w.c.Members) {
		for _, list := range [][2][]string{{w.v.members, w.c.Members}, {w.c.Members, w.v.members}} {
			for _, id := range list[0] {
				if _, both := slices.BinarySearch(list[1], id); !both {
					w.dirty[fhir.Ref{Type: "Patient", ID: id}] = true
					w.candidate(fhir.Ref{Type: "Patient", ID: id})
				}
			}
		}
		if w.noted = true; last {
			w.c.Former, w.c.FormerAt = slices.Concat(w.c.Former, w.c.Members), w.v.end
			w.c.Members = w.v.members
		}
	}
	if w.v.deps.rules == nil {
		return nil
	}
	now := w.Now()
	patients, err := w.turned(ctx, w.c.Looked)
	if err != nil {
		return err
	}
	in := w.v.deps.interest(w.c)
	for _, p := range patients {
		if in.touches(p) {
			w.dirty[p], w.turns = true, true
			w.candidate(p)
		}
	}
	// It is saved with what it comes to; else to look at the same consents again, from
	// time to time, costs less than to write that it was done.
	if len(w.dirty) > 0 || now.UnixMicro()-w.c.Looked > turnsBehind.Microseconds()/2 {
		w.c.Looked, w.noted = now.UnixMicro(), true
	}
	return nil
}

// spread finds what is shown or hidden by what is dirty, and by that in turn.
func (w *work) spread(ctx context.Context) error {
	seen := maps.Clone(w.dirty)
	hides := w.hides()
	for depth := 0; depth < maxDepth && len(w.dirty) > 0; depth++ {
		next := map[fhir.Ref]bool{}
		found := func(r *fhir.Resource) {
			ref := r.Ref.Current()
			w.candidate(ref)
			if hides && w.Several(r) {
				w.several[ref] = true
			}
			if w.v.deps.chained { // it may be about others than what leads to it
				w.c.rootsOf(r)
			}
			if !seen[ref] {
				seen[ref], next[ref] = true, true
			}
		}
		if err := w.records(ctx, found); err != nil {
			return err
		}
		for i := range w.v.deps.rules {
			if err := w.follow(ctx, &w.v.deps.rules[i], found); err != nil {
				return err
			}
		}
		w.dirty = next
	}
	return nil
}

// hides reports whether what is dirty may hide a patient, or show one again, in what is
// about others as well: a Consent has changed, or a patient while some are blocked.
func (w *work) hides() bool {
	if w.Several == nil || len(w.dirty) == 0 {
		return false
	}
	blocks := false
	for _, where := range w.v.call.Restriction.Given() {
		if blocks = slices.ContainsFunc(where, func(e search.Expr) bool { _, ok := e.(search.Unblocked); return ok }); blocks {
			break
		}
	}
	was := w.c.Blocks // the last of them may be none any more
	w.c.Blocks = blocks
	return w.turns || blocks || was
}

// records finds all that is in the records of dirty patients.
func (w *work) records(ctx context.Context, found func(*fhir.Resource)) error {
	var patients []fhir.Ref
	for ref := range w.dirty {
		if ref.Type == "Patient" {
			patients = append(patients, ref)
		}
	}
	for some := range slices.Chunk(patients, 20) {
		if err := w.each(ctx, "", search.Record(some), found); err != nil {
			return err
		}
	}
	return nil
}

// follow finds what refers, as a rule says, to what is dirty.
func (w *work) follow(ctx context.Context, r *rule, found func(*fhir.Resource)) error {
	var refs []fhir.Ref
	for ref := range w.dirty {
		switch {
		case r.targets != nil && !slices.Contains(r.targets, ref.Type):
		case ref.Type == "Patient" && slices.Contains(spec.Compartment("Patient", r.typ), r.param.Code): // it is in the record
		case len(r.param.Targets) > 0 && !slices.Contains(r.param.Targets, ref.Type) && !slices.Contains(r.param.Targets, "Resource"):
		default:
			refs = append(refs, ref)
		}
	}
	if len(refs) == 0 {
		return nil
	}
	if none, err := w.absent(ctx, r.typ, w.c.Mark); none || err != nil {
		return err
	}
	for some := range slices.Chunk(refs, lookups) {
		m := search.Match{Param: r.param, Compared: r.param.Type}
		for _, ref := range some {
			m.Values = append(m.Values, search.Value{Raw: ref.String(), Refs: []fhir.Ref{ref}})
		}
		if err := w.each(ctx, r.typ, m, found); err != nil {
			return err
		}
	}
	return nil
}

// each calls found for all resources that there are of a type for which a condition
// holds, whether or not the client may see them.
func (w *work) each(ctx context.Context, typ string, where search.Expr, found func(*fhir.Resource)) error {
	for after := ""; ; {
		page, err := w.Inside.Search(ctx, &search.Query{Type: typ, Where: []search.Expr{where}, Count: 1000, After: after, Restriction: search.Unrestricted})
		if err != nil {
			return err
		}
		for i := range page.Matches {
			found(&page.Matches[i])
		}
		if after = page.Next; after == "" {
			return nil
		}
	}
}

// judge looks up which candidates the client may see now, and notes what has come into
// view and what has left it.
func (w *work) judge(ctx context.Context) (logs []logged, err error) {
	visible, err := w.visible(ctx, w.Inside, w.v, slices.Collect(maps.Keys(w.candidates)))
	if err != nil {
		return nil, err
	}
	if w.c.found = visible; len(visible) > lookups { // more than a page needs
		w.c.found = nil
	}
	if len(w.candidates) > fewBuckets {
		if err := w.allBuckets(ctx, w.c); err != nil {
			return nil, err
		}
	}
	// A page of a snapshot may have been asked for again, and have lacked what was hidden at
	// that time.
	again := w.c.Mark.Compare(w.c.Shown) < 0
	for ref := range w.candidates {
		_, sees := visible[ref]
		news, err := w.set(ctx, w.c, ref, sees)
		if err != nil {
			return nil, err
		}
		if !news && !(sees && (again || w.several[ref])) {
			continue
		}
		if n := len(logs); n == 0 || len(logs[n-1].Came)+len(logs[n-1].Left) >= maxLogged {
			logs = append(logs, logged{})
		}
		to := &logs[len(logs)-1]
		if sees {
			to.Came = append(to.Came, ref)
		} else {
			to.Left = append(to.Left, ref)
		}
	}
	return logs, nil
}

// visible returns those of refs that the client may see now, within the scope.
func (f *Feed) visible(ctx context.Context, store Store, v *view, refs []fhir.Ref) (map[fhir.Ref]fhir.Resource, error) {
	ids := map[string][]string{}
	for _, ref := range refs {
		if _, listed := v.only.Of(ref.Type); listed {
			ids[ref.Type] = append(ids[ref.Type], ref.ID)
		}
	}
	all := make(map[fhir.Ref]fhir.Resource, len(refs))
	for typ, list := range ids {
		slices.Sort(list)
		for some := range slices.Chunk(slices.Compact(list), lookups) {
			found, err := store.Search(ctx, &search.Query{Type: typ, Where: []search.Expr{search.IDs{Any: some}}, Count: len(some), Restriction: v.only})
			if err != nil {
				return nil, err
			}
			for i := range found.Matches {
				all[found.Matches[i].Ref.Current()] = found.Matches[i]
			}
		}
	}
	return all, nil
}

// firstRoots finds the patients of a new copy whose scope leads through them: those who
// are of it, those whom what leads to it is about, such as an encounter, and those whom
// what is reached by that is about, who may be others.
func (f *Feed) firstRoots(ctx context.Context, v *view, c *copied) error {
	c.roots, c.buckets = map[uint64]fhir.Ref{}, map[int]*bucket{}
	w := &work{Feed: f, v: v, c: c}
	done := map[string]bool{} // most types lead through the same patients
	for _, link := range v.chains() {
		for _, typ := range link.Types {
			what := typ + " " + link.Next.String()
			if !done[what] {
				done[what] = true
				if err := w.each(ctx, typ, link.Next, c.rootsOf); err != nil {
					return err
				}
			}
			if typ == "Patient" {
				continue
			}
			if none, err := f.absent(ctx, link.of, c.Mark); none || err != nil {
				if err != nil {
					return err
				}
				continue
			}
			if err := w.each(ctx, link.of, link.Chain, c.rootsOf); err != nil {
				return err
			}
		}
	}
	return nil
}

// rootsOf notes the patients whom a resource is or refers to.
func (c *copied) rootsOf(r *fhir.Resource) {
	c.root(r.Ref.Current())
	doc, err := element.Parse(r.JSON)
	if err != nil {
		return // it was checked when it was written
	}
	for n := element.Node(0); int(n) < doc.Len(); n++ {
		if doc.Kind(n) == element.String && string(doc.Name(n)) == "reference" {
			if ref, ok := fhir.ParseRef(doc.Text(n)); ok {
				c.root(ref.Current())
			}
		}
	}
}
