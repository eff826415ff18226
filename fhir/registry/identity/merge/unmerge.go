package merge

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
)

// Parting asks for the reverse of a merge.
type Parting struct {
	Source   string // id of the Patient who was replaced
	By       string // reference or stable key of who asks
	Reason   string
	Reassign []fhir.Ref // written after the merge, with the target, and to be the source's
}

// Unmerge makes two Patients of one again. When it returns, the Patients are two; a job
// gives back the rest when the Stage of what it returns is Undoing.
func (s *Service) Unmerge(ctx context.Context, p *Parting) (*Record, error) {
	for attempt := 1; ; attempt++ {
		rec, err := s.part(ctx, p)
		if raced(err) && attempt < attempts && !settled(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		s.Links.drop(rec.Source)
		if s.Wake != nil {
			s.Wake()
		}
		_ = s.giveBack(ctx, rec) // the Patients are two, and durably so: what fails is left to the job
		return rec, nil
	}
}

// notNow is a refusal that trying again at once does not change.
type notNow struct{ err error }

func (n notNow) Error() string { return n.err.Error() }
func (n notNow) Unwrap() error { return n.err }

func settled(err error) bool {
	var n notNow
	return errors.As(err, &n)
}

// standing returns the merge of a source that can be undone.
func (s *Service) standing(ctx context.Context, source string) (*Record, error) {
	rec, err := s.Of(ctx, source)
	switch {
	case fhir.CodeOf(err) == fhir.NotFound || err == nil && (rec.Stage == Undone || rec.Stage == Undoing):
		return nil, fhir.Errorf(fhir.Unprocessable, "this Patient was not merged into another by $merge, or is parted from it already")
	case err != nil:
		return nil, err
	case rec.Stage == Moving:
		return nil, notNow{fhir.Errorf(fhir.Conflict, "the merge is still under way: try again when it is done")}
	}
	if by, err := s.Of(ctx, rec.Target); err == nil && by.Stage != Undone {
		return nil, fhir.Errorf(fhir.Unprocessable, "the target was merged into another Patient since: undo that first").With("call Patient/%s/$unmerge", rec.Target)
	}
	return rec, nil
}

// part writes both Patients as they were.
func (s *Service) part(ctx context.Context, p *Parting) (*Record, error) {
	rec, err := s.standing(ctx, p.Source)
	if err != nil {
		return nil, err
	}
	b := s.batch()
	source, sourceRef, err := s.before(ctx, rec.Source, rec.SourceBefore, rec.SourceAfter)
	if err != nil {
		return nil, err
	}
	if rec.SourceBefore == 0 {
		source = source.With("active", "")
	}
	if err := b.put(unlinked(source, replaced, rec.Target), sourceRef); err != nil {
		return nil, err
	}
	target, targetRef, err := s.before(ctx, rec.Target, rec.TargetBefore, rec.TargetAfter)
	if err != nil {
		return nil, err
	}
	if err := b.put(unlinked(target, replacing, rec.Source), targetRef); err != nil {
		return nil, err
	}
	if err := b.provenance(p.By, s.now(), "Separación de registros que se habían fusionado", p.Reason, sourceRef, targetRef); err != nil {
		return nil, err
	}
	if err := s.reassign(ctx, b, rec, p.Reassign); err != nil {
		return nil, err
	}
	rec.Stage, rec.UndoneAt, rec.UndoneBy = Undoing, s.now(), p.By
	l, err := s.linkEntry(ctx, rec.Source, rec.Target, true)
	if err != nil {
		return nil, err
	}
	j, err := s.Job(rec.Source, rec.ID, s.now().Add(late))
	if err != nil {
		return nil, err
	}
	entries := []fhir.Entry{l, j, rec.entry()}
	if s.Carry != nil { // what was to be kept while they were one is to be kept of both
		since, err := s.Carry(ctx, rec.Target, rec.Source, rec.At.Truncate(time.Second)) // as holds are dated
		if err != nil {
			return nil, err
		}
		entries = append(entries, since...)
	}
	for _, name := range rec.Holds {
		kind, key, _ := strings.Cut(name, "\n")
		e, err := s.State.Entry(ctx, kind, key)
		if fhir.CodeOf(err) == fhir.NotFound || err == nil && e.Version > 1 {
			continue // gone, or changed on the target since
		}
		if err != nil {
			return nil, err
		}
		e.Expires = s.now().Add(-time.Second)
		entries = append(entries, e)
	}
	b.Entries = func([]bundle.Result) []fhir.Entry { return entries }
	if _, err := s.Store.Apply(ctx, &b.Batch); err != nil {
		return nil, err
	}
	rec.version++
	return rec, nil
}

// before returns a Patient as it was before a merge, but for what somebody has changed since.
func (s *Service) before(ctx context.Context, id string, before, after int64) (object, fhir.Ref, error) {
	ref := fhir.Ref{Type: "Patient", ID: id}
	now, err := s.Store.Read(ctx, ref)
	if err != nil {
		return nil, ref, err
	}
	n, err := parseObject(now.JSON)
	if err != nil || before == 0 {
		return n, now.Ref, err
	}
	var versions [2]object
	for i, v := range []int64{before, after} {
		r, err := s.Store.Read(ctx, fhir.Ref{Type: "Patient", ID: id, Version: v})
		if err == nil {
			versions[i], err = parseObject(r.JSON)
		}
		if err != nil {
			return nil, ref, err
		}
	}
	if now.Ref.Version == after {
		return versions[0], now.Ref, nil
	}
	return restore(versions[0], versions[1], n), now.Ref, nil
}

// reassign moves to the source what was written with the target.
func (s *Service) reassign(ctx context.Context, b *batch, rec *Record, refs []fhir.Ref) error {
	if len(refs) > atOnce {
		return fhir.Errorf(fhir.TooLarge, "reassign names %d resources at most", atOnce)
	}
	for _, ref := range refs {
		r, err := s.Store.Read(ctx, ref.Current())
		if err != nil {
			return err
		}
		if slices.Contains(left, ref.Type) || s.Fixed != nil && s.Fixed(&r) {
			return fhir.Errorf(fhir.Unprocessable, "this cannot be reassigned: it stays as it is").With("%s", ref)
		}
		out, n, _, err := repoint(r.JSON, s.Base(), rec.Target, rec.Source)
		if err != nil {
			return err
		}
		if n == 0 {
			return fhir.Errorf(fhir.Unprocessable, "what is to be reassigned does not refer to the target").With("%s", ref)
		}
		if err := b.update(out, r.Ref); err != nil {
			return err
		}
	}
	return nil
}

// giveBack returns what a merge moved, transaction by transaction, and has the rest indexed
// without what was known of the merge.
func (s *Service) giveBack(ctx context.Context, rec *Record) error {
	for {
		chunks, err := s.State.Entries(ctx, movedKind, rec.ID, "", 100)
		if err != nil {
			return err
		}
		if len(chunks) == 0 {
			break
		}
		for i := range chunks {
			if err := s.giveBackChunk(ctx, rec, &chunks[i]); err != nil {
				return err
			}
		}
	}
	if err := s.reindex(ctx, rec); err != nil {
		return err
	}
	return s.stage(ctx, rec, Undoing, Undone)
}

// giveBackChunk returns what one transaction moved.
func (s *Service) giveBackChunk(ctx context.Context, rec *Record, e *fhir.Entry) error {
	var m moved
	if err := json.Unmarshal(e.Value, &m); err != nil {
		return err
	}
	done := *e
	done.Expires = s.now().Add(-time.Second)
	for range attempts {
		b := s.batch()
		for _, it := range m.Items {
			if err := s.giveBackOne(ctx, rec, b, &it); err != nil && !errors.Is(err, errStays) {
				return err
			}
		}
		b.Entries = func([]bundle.Result) []fhir.Entry { return []fhir.Entry{done} }
		_, err := s.Store.Apply(ctx, &b.Batch)
		if err == nil || !overtaken(err) {
			return err
		}
		if _, gone := s.State.Entry(ctx, movedKind, e.Key); fhir.CodeOf(gone) == fhir.NotFound {
			return nil // somebody else has done it
		}
	}
	return fhir.Errorf(fhir.Conflict, "what is to be given back is written all the time")
}

// giveBackOne adds to b the change that gives one resource back: as it was when nobody has
// written it since, and otherwise its references only.
func (s *Service) giveBackOne(ctx context.Context, rec *Record, b *batch, it *item) error {
	ref, ok := fhir.ParseRef(it.Ref)
	if !ok {
		return errStays
	}
	now, err := s.Store.Read(ctx, ref)
	if code := fhir.CodeOf(err); code == fhir.Gone || code == fhir.NotFound {
		return errStays
	}
	if err != nil {
		return err
	}
	if s.Fixed != nil && s.Fixed(&now) {
		return errStays // it was signed since, with the target as its subject
	}
	if now.Ref.Version == it.After {
		old, err := s.Store.Read(ctx, fhir.Ref{Type: ref.Type, ID: ref.ID, Version: it.Before})
		if err == nil {
			return b.update(old.JSON, now.Ref)
		}
		if fhir.CodeOf(err) == 0 {
			return err
		}
	}
	if it.Mixed {
		return errStays // which of its references were the source's cannot be told any more
	}
	out, n, _, err := repoint(now.JSON, s.Base(), rec.Target, rec.Source)
	if err != nil || n == 0 {
		return cmpErr(err, errStays)
	}
	return b.update(out, now.Ref)
}

func cmpErr(err, other error) error {
	if err != nil {
		return err
	}
	return other
}
