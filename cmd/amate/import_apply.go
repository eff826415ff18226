package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/fhir/search"
)

// apply imports one unit. It returns an error only when the import cannot go on;
// what is wrong with the input is reported.
func (im *importer) apply(ctx context.Context, u unit) error {
	if u.track != nil {
		return im.applyLines(ctx, u)
	}
	defer im.progress.file()
	text, err := im.read(u.file)
	if err != nil {
		return im.report.refuse(refusal{File: u.file.path}, err)
	}
	before := im.report.of(u.file.path)
	at, err := im.applyText(ctx, u.file, text)
	if err != nil || im.report.of(u.file.path) > before {
		return err
	}
	return im.journal.add(u.file, record{Done: true, Marker: at})
}

func (im *importer) read(f input) ([]byte, error) {
	r, err := f.open(&im.progress.bytes)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// applyText imports the content of a .json file: a transaction, a batch, or one
// resource, which is put at its id. It returns a resource that is there from now on.
func (im *importer) applyText(ctx context.Context, f input, text []byte) (fhir.Ref, error) {
	s, err := bundle.Parse(text)
	if err != nil {
		return fhir.Ref{}, im.report.refuse(refusal{File: f.path}, err)
	}
	if s.Type() != "Bundle" {
		return im.applyPuts(ctx, f, []line{{number: 1, text: text}})
	}
	b, err := bundle.Open(s, math.MaxInt)
	if err != nil {
		return fhir.Ref{}, im.report.refuse(refusal{File: f.path}, err)
	}
	if b.Type == "transaction" {
		return im.transaction(ctx, f, b, idsOf(text))
	}
	var last fhir.Ref
	for entries := range slices.Chunk(b.Entries, unitLines) {
		part := bundle.Bundle{Doc: b.Doc, Type: b.Type, Entries: entries}
		at, err := im.independent(ctx, f, &part, idsOf(text), nil)
		if err != nil {
			return last, err
		}
		if at != (fhir.Ref{}) {
			last = at
		}
	}
	return last, nil
}

// applyLines imports some lines of an NDJSON file.
func (im *importer) applyLines(ctx context.Context, u unit) error {
	before := im.report.of(u.file.path)
	at, err := im.applyPuts(ctx, u.file, u.lines)
	if err != nil {
		return err
	}
	if im.report.of(u.file.path) > before {
		u.track.fail()
	}
	if lines, done, ok := u.track.finished(u.last); ok {
		return im.journal.add(u.file, record{Lines: lines, Done: done, Marker: at})
	}
	return nil
}

// applyPuts puts resources at their ids. A resource that comes twice is put twice, in order.
func (im *importer) applyPuts(ctx context.Context, f input, lines []line) (fhir.Ref, error) {
	var doc element.Doc
	var puts []put
	var last fhir.Ref
	seen := map[string]bool{}
	flush := func() error {
		if len(puts) == 0 {
			return nil
		}
		b, err := asTransaction(puts)
		if err != nil {
			return err // each of them was read before, so this is no fault of theirs
		}
		at, err := im.independent(ctx, f, b, idMaker{}, puts)
		if at != (fhir.Ref{}) {
			last = at
		}
		puts = puts[:0]
		clear(seen)
		return err
	}
	for _, l := range lines {
		p, err := readPut(&doc, l)
		if err != nil {
			if err := im.report.refuse(refusal{File: f.path, Line: l.number}, err); err != nil {
				return last, err
			}
			continue
		}
		if seen[p.typ+"/"+p.id] {
			if err := flush(); err != nil {
				return last, err
			}
		}
		seen[p.typ+"/"+p.id] = true
		puts = append(puts, p)
	}
	return last, flush()
}

// plan plans the entries of b. ids makes the id of what an entry creates from the
// entry's position, so that the same entry always gets the same one.
func (im *importer) plan(b *bundle.Bundle, ids idMaker) (*bundle.Plan, error) {
	next := 0 // entries are understood in order, each once
	return bundle.NewPlan(b, bundle.Options{
		Maker: im.maker,
		NewID: func() string { return ids.id(b.Entries[next].Index) },
		Allow: func(a *bundle.Action) (*search.Restriction, error) {
			next++
			if a.Op == bundle.Patch {
				// A patch done twice is not the same as done once, and a killed import
				// may have to do the last file again.
				return nil, fhir.Errorf(fhir.NotSupported, "an import takes POST, PUT and DELETE; send patches over HTTP")
			}
			return search.Unrestricted, nil
		},
	})
}

// transaction applies all of b, or nothing.
func (im *importer) transaction(ctx context.Context, f input, b *bundle.Bundle, ids idMaker) (fhir.Ref, error) {
	plan, err := im.plan(b, ids)
	if err != nil {
		return fhir.Ref{}, im.refuseOrStop(refusal{File: f.path}, err)
	}
	// Its ids follow from its text, and it is applied as a whole: if one resource
	// that it creates is there, then so are all.
	for i := range plan.Actions {
		a := &plan.Actions[i]
		if a.Op != bundle.Create || a.Conditional {
			continue
		}
		there, err := exists(ctx, im.store, a.Ref)
		if err != nil {
			return fhir.Ref{}, err
		}
		if there {
			im.skipped.Add(1)
			return a.Ref, nil
		}
		break
	}
	results, err := im.store.Apply(ctx, &plan.Batch)
	if err != nil {
		return fhir.Ref{}, im.refuseOrStop(refusal{File: f.path}, plan.Explain(err))
	}
	return im.count(results), nil
}

// independent applies those entries of b that can be, each for itself, though as
// many as possible in one go. puts is where they came from in an NDJSON file.
func (im *importer) independent(ctx context.Context, f input, b *bundle.Bundle, ids idMaker, puts []put) (fhir.Ref, error) {
	left := *b
	one := func(e *bundle.Entry) refusal {
		if puts != nil {
			return refusal{File: f.path, Line: puts[e.Index].line, Type: puts[e.Index].typ}
		}
		return refusal{File: f.path, Entry: entryName(e.Index)}
	}
	for tries := 0; len(left.Entries) > 0; tries++ {
		plan, err := im.plan(&left, ids)
		if err != nil {
			if len(left.Entries) == 1 {
				return fhir.Ref{}, im.refuseOrStop(one(&left.Entries[0]), err)
			}
			good, err := im.sift(&left, ids, one)
			if err != nil {
				return fhir.Ref{}, err
			}
			if len(good) == len(left.Entries) { // each is in order, but two of them collide
				return im.oneByOne(ctx, f, &left, ids, puts)
			}
			left.Entries = good
			continue
		}
		if dropped, err := im.dropMade(ctx, &left, plan); err != nil {
			return fhir.Ref{}, err
		} else if dropped {
			continue
		}
		results, err := im.store.Apply(ctx, &plan.Batch)
		if err == nil {
			return im.count(results), nil
		}
		var at *bundle.ChangeError
		if !errors.As(err, &at) || !inputAtFault(err) {
			return fhir.Ref{}, err
		}
		if len(left.Entries) == 1 {
			return fhir.Ref{}, im.report.refuse(one(&left.Entries[0]), plan.Explain(err))
		}
		if tries >= 4 || at.Index < 0 {
			// Which entry a failed lookup belongs to, or which others will fail, shows one by one.
			return im.oneByOne(ctx, f, &left, ids, puts)
		}
		bad := plan.Entry(at.Index)
		if err := im.report.refuse(one(&left.Entries[bad]), plan.Explain(err)); err != nil {
			return fhir.Ref{}, err
		}
		left.Entries = slices.Delete(slices.Clone(left.Entries), bad, bad+1)
	}
	return fhir.Ref{}, nil
}

// oneByOne applies each entry of b in a transaction of its own.
func (im *importer) oneByOne(ctx context.Context, f input, b *bundle.Bundle, ids idMaker, puts []put) (last fhir.Ref, err error) {
	for i := range b.Entries {
		single := *b
		single.Entries = b.Entries[i : i+1]
		at, err := im.independent(ctx, f, &single, ids, puts)
		if err != nil {
			return last, err
		}
		if at != (fhir.Ref{}) {
			last = at
		}
	}
	return last, nil
}

// sift returns the entries of b that can be planned, and reports the others.
func (im *importer) sift(b *bundle.Bundle, ids idMaker, one func(*bundle.Entry) refusal) ([]bundle.Entry, error) {
	var good []bundle.Entry
	for i := range b.Entries {
		single := *b
		single.Entries = b.Entries[i : i+1]
		if _, err := im.plan(&single, ids); err == nil {
			good = append(good, b.Entries[i])
		} else if err := im.refuseOrStop(one(&b.Entries[i]), err); err != nil {
			return nil, err
		}
	}
	return good, nil
}

// dropMade takes out of b what an earlier run has created, and reports whether
// there was anything.
func (im *importer) dropMade(ctx context.Context, b *bundle.Bundle, plan *bundle.Plan) (bool, error) {
	var open []bundle.Entry
	for i := range plan.Actions {
		a := &plan.Actions[i]
		if a.Op == bundle.Create && !a.Conditional {
			there, err := exists(ctx, im.store, a.Ref)
			if err != nil {
				return false, err
			}
			if there {
				continue
			}
		}
		open = append(open, b.Entries[i])
	}
	dropped := len(open) < len(b.Entries)
	b.Entries = open
	return dropped, nil
}

// refuseOrStop reports err when the input is at fault, and returns it otherwise.
func (im *importer) refuseOrStop(r refusal, err error) error {
	if !inputAtFault(err) {
		return err
	}
	return im.report.refuse(r, err)
}

// inputAtFault reports whether doing the same again must fail again.
func inputAtFault(err error) bool {
	var syntax *element.SyntaxError
	switch fhir.CodeOf(err) {
	case 0:
		return errors.As(err, &syntax)
	case fhir.Unavailable, fhir.Throttled:
		return false
	}
	return true
}

// count adds up what was done, and returns a resource that is there now.
func (im *importer) count(results []bundle.Result) (at fhir.Ref) {
	im.progress.resources.Add(int64(len(results)))
	for i := range results {
		if r := &results[i]; r.Outcome != bundle.Removed && r.Outcome != bundle.Absent {
			at = r.Resource.Ref.Current()
		}
	}
	return at
}

// exists reports whether there is, or was, a resource at ref.
func exists(ctx context.Context, store rest.Store, ref fhir.Ref) (bool, error) {
	_, err := store.Read(ctx, ref)
	switch fhir.CodeOf(err) {
	case fhir.NotFound:
		return false, nil
	case fhir.Gone:
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for what an earlier run made: %w", err)
	}
	return true, nil
}
