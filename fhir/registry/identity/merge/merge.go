package merge

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/search"
)

// Store is where records are.
type Store interface {
	Read(ctx context.Context, ref fhir.Ref) (fhir.Resource, error)
	Search(ctx context.Context, q *search.Query) (*search.Result, error)
	Apply(ctx context.Context, b *bundle.Batch) ([]bundle.Result, error)
	// Reindex indexes the current versions of resources anew, Links included.
	Reindex(ctx context.Context, refs []fhir.Ref) error
}

// Service merges Patients. Store, State, Maker, Links and Job must be set.
type Service struct {
	Store Store
	State State
	Links *Links
	Maker func(base string) bundle.Maker // without rules: what is stored is taken as it is
	Base  func() string                  // the server's FHIR base URL, without a slash at the end

	// Rules of survivorship; nil are Default.
	Rules []Rule
	// Pass names the Holds that do not bind a merge.
	Pass []string
	// Fixed reports whether a resource has to stay as it is, although it refers to the
	// source: a signed document. nil says so of none.
	Fixed func(r *fhir.Resource) bool
	// Held refuses what no client may change: of the target as the rules make it, into what
	// the caller wants it to be. nil refuses nothing.
	Held func(before, after *fhir.Resource) error
	// Carry returns the entries that make what legal holds there are on the Patient from
	// hold on the Patient to as well. nil for none.
	Carry func(ctx context.Context, from, to string, since time.Time) ([]fhir.Entry, error)
	// Job returns the entry of a job that calls Resume with source and id, not before due;
	// Wake is called once it is stored.
	Job  func(source, id string, due time.Time) (fhir.Entry, error)
	Wake func()

	Now func() time.Time // nil is time.Now
}

const replaced, replacing = "replaced-by", "replaces" // types of Patient.link

// left are the types whose references stay as they are: a Patient's are links, the others
// say what was at a time, or are content that is kept elsewhere. They are found through
// Links.
var left = []string{"Patient", "Bundle", "Binary", "Provenance", "AuditEvent"}

const (
	atOnce   = 200             // resources that one transaction moves
	within   = 1000            // resources that are moved before the caller is answered
	passes   = 20              // over what refers to the source, until nothing is left
	attempts = 5               // when somebody else writes one of the Patients meanwhile
	late     = 5 * time.Second // after which it is looked once more for what was under way
)

func (s *Service) now() time.Time {
	if s.Now == nil {
		return time.Now().UTC().Truncate(time.Millisecond)
	}
	return s.Now().UTC().Truncate(time.Millisecond)
}

func (s *Service) rules() []Rule {
	if s.Rules == nil {
		return Default
	}
	return s.Rules
}

// Request asks for a merge.
type Request struct {
	Source, Target string // ids of Patients
	By             string // reference or stable key of who asks
	Reason         string
	Result         []byte // the target as it is to be; nil leaves that to the rules
	Linked         bool   // the source was given its link already, by who knows that it is the same person
}

// Preview says what a merge would make.
type Preview struct {
	Target []byte // the Patient who survives
	Count  int64  // resources that refer to the source
}

// pair are the two Patients of a merge, as they are.
type pair struct {
	source, target fhir.Resource
	s, t           object
}

// load reads both, and holds them to what a merge asks for.
func (s *Service) load(ctx context.Context, r *Request) (*pair, error) {
	p := &pair{}
	if r.Source == r.Target {
		return nil, fhir.Errorf(fhir.Unprocessable, "a Patient cannot be merged with itself")
	}
	var err error
	if p.source, err = s.Store.Read(ctx, fhir.Ref{Type: "Patient", ID: r.Source}); err != nil {
		return nil, err
	}
	if p.target, err = s.Store.Read(ctx, fhir.Ref{Type: "Patient", ID: r.Target}); err != nil {
		return nil, err
	}
	if p.s, err = parseObject(p.source.JSON); err != nil {
		return nil, err
	}
	if p.t, err = parseObject(p.target.JSON); err != nil {
		return nil, err
	}
	if by := replacedBy(p.s, s.Base()); by != "" && !(r.Linked && by == r.Target) {
		return nil, fhir.Errorf(fhir.Unprocessable, "the source was merged into another Patient already").With("by now it is Patient/%s", by)
	}
	if by := replacedBy(p.t, s.Base()); by != "" || p.t.Get("active") == "false" {
		return nil, fhir.Errorf(fhir.Unprocessable, "the target is not active, or was merged into another Patient itself").With("replaced by %q", by)
	}
	if differ(p.s, p.t) {
		return nil, fhir.Errorf(fhir.Unprocessable, "RENAPO has confirmed two different CURPs: these are two persons").
			With("if one of them was corrected, retire it first by Patient/[id]/$correct-curp")
	}
	return p, nil
}

// result is the target after a merge.
func (s *Service) result(r *Request, p *pair) (object, error) {
	out := survive(s.rules(), p.s, p.t, p.source.Updated.After(p.target.Updated), s.now())
	if r.Result != nil {
		var err error
		ruled := out
		if out, err = s.given(r, p); err != nil {
			return nil, err
		}
		if s.Held != nil {
			before, after := p.target, p.target
			before.JSON, after.JSON = []byte(ruled.String()), []byte(out.String())
			if err := s.Held(&before, &after); err != nil {
				return nil, err
			}
		}
	}
	return labelled(linked(out, replacing, r.Source), p.s), nil
}

// Preview returns what a merge would make, and writes nothing.
func (s *Service) Preview(ctx context.Context, r *Request) (*Preview, error) {
	p, err := s.load(ctx, r)
	if err != nil {
		return nil, err
	}
	out, err := s.result(r, p)
	if err != nil {
		return nil, err
	}
	q := s.referring(r.Source)
	q.Count, q.Total = 0, search.TotalAccurate
	found, err := s.Store.Search(ctx, q)
	if err != nil {
		return nil, err
	}
	return &Preview{Target: []byte(out.String()), Count: found.Total}, nil
}

// Merge makes one Patient of two. When it returns, the Patients are one; a job moves what
// is left when the Stage of what it returns is Moving. The resources that it wrote first
// are the source, the target and a Provenance.
func (s *Service) Merge(ctx context.Context, r *Request) (*Record, error) {
	for attempt := 1; ; attempt++ {
		rec, err := s.begin(ctx, r, attempt < attempts/2)
		if raced(err) && attempt < attempts {
			continue
		}
		if err != nil {
			return nil, err
		}
		s.Links.set(rec.Source, rec.Target)
		if s.Wake != nil {
			s.Wake()
		}
		// The merge is done and durable: what fails from here on is left to the job.
		if done, err := s.sweep(ctx, rec, within); err == nil && done {
			_ = s.stage(ctx, rec, Moving, Merged) // likewise
		}
		return rec, nil
	}
}

// raced reports whether somebody else wrote what an attempt was about to.
func raced(err error) bool {
	var change *bundle.ChangeError
	code := fhir.CodeOf(err)
	return code == fhir.Stale || code == fhir.Conflict && !errors.As(err, &change)
}

// begin writes the Patients, in one transaction with what says so and the job that does the
// rest; with some, also with what comes first of that which refers to the source. Where
// that is written all the time, it is better left to sweep.
func (s *Service) begin(ctx context.Context, r *Request, some bool) (*Record, error) {
	p, err := s.load(ctx, r)
	if err != nil {
		return nil, err
	}
	old, err := s.Of(ctx, r.Source)
	if err != nil && fhir.CodeOf(err) != fhir.NotFound {
		return nil, err
	}
	rec := &Record{
		ID: uuid.NewString(), Source: r.Source, Target: r.Target, Stage: Moving, At: s.now(), By: r.By, Reason: r.Reason,
		SourceBefore: p.source.Ref.Version, SourceAfter: p.source.Ref.Version + 1,
		TargetBefore: p.target.Ref.Version, TargetAfter: p.target.Ref.Version + 1,
	}
	if old != nil {
		if old.Stage != Undone {
			return nil, fhir.Errorf(fhir.Conflict, "an earlier merge of this source stands, or is being undone")
		}
		rec.version = old.version
	}
	b := s.batch()
	gone := labelled(linked(p.s.With("active", "false"), replaced, r.Target), p.t)
	if gone.String() == p.s.String() {
		rec.SourceAfter, rec.SourceBefore = p.source.Ref.Version, 0
	} else if r.Linked {
		rec.SourceBefore = 0
	}
	if err := b.put(gone, p.source.Ref); err != nil {
		return nil, err
	}
	kept, err := s.result(r, p)
	if err != nil {
		return nil, err
	}
	if err := b.put(kept, p.target.Ref); err != nil {
		return nil, err
	}
	if err := b.provenance(r.By, s.now(), "Fusión de registros de una misma persona", r.Reason, p.source.Ref, p.target.Ref); err != nil {
		return nil, err
	}
	entries, err := s.firstEntries(ctx, rec)
	if err != nil {
		return nil, err
	}
	if some {
		found, err := s.Store.Search(ctx, s.referring(r.Source))
		if err != nil {
			return nil, err
		}
		first, _, err := s.move(b, rec, found.Matches)
		if err != nil {
			return nil, err
		}
		if len(first) > 0 {
			entries = append(entries, rec.chunk(first))
		}
	}
	b.Entries = func([]bundle.Result) []fhir.Entry { return append(slices.Clone(entries), rec.entry()) }
	if _, err := s.Store.Apply(ctx, &b.Batch); err != nil {
		return nil, err
	}
	rec.version++
	return rec, nil
}

// firstEntries returns what is stored with the beginning of a merge.
func (s *Service) firstEntries(ctx context.Context, rec *Record) ([]fhir.Entry, error) {
	l, err := s.linkEntry(ctx, rec.Source, rec.Target, false)
	if err != nil {
		return nil, err
	}
	j, err := s.Job(rec.Source, rec.ID, s.now().Add(late))
	if err != nil {
		return nil, err
	}
	entries := []fhir.Entry{l, j}
	if s.Carry == nil {
		return entries, nil
	}
	holds, err := s.Carry(ctx, rec.Source, rec.Target, time.Time{})
	for i := range holds {
		rec.Holds = append(rec.Holds, holds[i].Kind+"\n"+holds[i].Key)
	}
	return append(entries, holds...), err
}

// stage writes that a merge has come further. That somebody else has said so is fine.
func (s *Service) stage(ctx context.Context, rec *Record, from, to Stage) error {
	for range attempts {
		now, err := s.Of(ctx, rec.Source)
		if err != nil {
			return err
		}
		if now.ID != rec.ID || now.Stage != from {
			rec.Stage = now.Stage
			return nil
		}
		now.Stage = to
		if err = s.State.Put(ctx, now.entry()); err == nil {
			rec.Stage, rec.version = to, now.version+1
			return nil
		}
		if fhir.CodeOf(err) != fhir.Conflict {
			return err
		}
	}
	return fhir.Errorf(fhir.Conflict, "this merge is changed by others all the time")
}

// Resume goes on with a merge, or its reverse, wherever it stands: the work of the job.
func (s *Service) Resume(ctx context.Context, source, id string) error {
	rec, err := s.Of(ctx, source)
	if fhir.CodeOf(err) == fhir.NotFound {
		return nil
	}
	if err != nil || rec.ID != id {
		return err
	}
	switch rec.Stage {
	case Moving, Merged:
		s.Links.set(rec.Source, rec.Target)
		if _, err := s.sweep(ctx, rec, 0); err != nil {
			return err
		}
		return s.stage(ctx, rec, Moving, Merged)
	case Undoing:
		s.Links.drop(rec.Source)
		return s.giveBack(ctx, rec)
	}
	return nil
}

// differ reports whether RENAPO has confirmed a CURP of each, and not the same one.
func differ(a, b object) bool {
	x, y := confirmed(a), confirmed(b)
	return x != "" && y != "" && x != y
}

// Follow gives those whom a Patient stands for the labels that it has, which somebody
// changed: a record that is blocked is blocked as a whole.
func (s *Service) Follow(ctx context.Context, target string) error {
	for _, id := range s.Links.Replaced(target) {
		for attempt := 1; ; attempt++ {
			err := s.follow(ctx, id, target)
			if err == nil || !overtaken(err) {
				if err != nil {
					return err
				}
				break
			}
			if attempt == attempts {
				return err
			}
		}
	}
	return nil
}

func (s *Service) follow(ctx context.Context, source, target string) error {
	t, err := s.Store.Read(ctx, fhir.Ref{Type: "Patient", ID: target})
	if err != nil {
		return err
	}
	r, err := s.Store.Read(ctx, fhir.Ref{Type: "Patient", ID: source})
	if code := fhir.CodeOf(err); code == fhir.Gone || code == fhir.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	from, err := parseObject(t.JSON)
	if err != nil {
		return err
	}
	to, err := parseObject(r.JSON)
	if err != nil {
		return err
	}
	meta, want := mustObject(to.Get("meta")), mustObject(from.Get("meta")).Get("security")
	if meta.Get("security") == want {
		return nil
	}
	b := s.batch()
	if err := b.put(to.With("meta", meta.With("security", want).String()), r.Ref); err != nil {
		return err
	}
	_, err = s.Store.Apply(ctx, &b.Batch)
	return err
}
