package main

import (
	"context"
	"os"
	"slices"
	"time"

	"github.com/amate-health/amate/authz"
	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/birth"
	"github.com/amate-health/amate/fhir/registry/identity/check"
	"github.com/amate-health/amate/fhir/registry/identity/merge"
	"github.com/amate-health/amate/fhir/registry/identity/pix"
	"github.com/amate-health/amate/fhir/registry/identity/renapo"
	"github.com/amate-health/amate/fhir/registry/prescription"
	"github.com/amate-health/amate/fhir/registry/referral"
	"github.com/amate-health/amate/fhir/registry/rights"
	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/view"
	"github.com/amate-health/amate/store"
	"github.com/amate-health/amate/store/job"
)

// mergeJob is the kind of the jobs that finish a merge, or its reverse.
const mergeJob = "merge"

// mergePayload says which.
type mergePayload struct {
	Source string `json:"source"`
	ID     string `json:"id"`
}

// mergeStore is where Patients are merged.
type mergeStore struct{ rightsStore }

// merging marks the context of what a merge itself writes.
type merging struct{}

// Apply implements merge.Store.
func (s mergeStore) Apply(ctx context.Context, b *bundle.Batch) ([]bundle.Result, error) {
	return s.rightsStore.Apply(context.WithValue(ctx, merging{}, true), b)
}

// Reindex implements merge.Store.
func (s mergeStore) Reindex(ctx context.Context, refs []fhir.Ref) error {
	_, err := s.engine.Reindex(ctx, refs, s.indexer(), false)
	return err
}

// indexer indexes resources as this database does.
func (o *opened) indexer() store.Indexer {
	plain := o.parameters.Indexer(o.indexing)
	return func(r *fhir.Resource) (search.Index, error) {
		ix, err := plain(r)
		if err == nil {
			ix = o.replaced.Index(r, ix)
		}
		return ix, err
	}
}

// merger merges Patients.
func (o *opened) merger() *merge.Service {
	pass := []string{rights.HoldName, check.RightName, birth.Right, prescription.Right, referral.Right} // folios, referrals and what is certified go with who they are of
	return &merge.Service{
		Store: mergeStore{rightsStore{o}}, State: o.engine, Links: &o.replaced, Base: func() string { return o.indexing.Base },
		Maker: func(base string) bundle.Maker {
			m := o.maker(base)
			m.Rules = func(*element.Doc, element.Node, string) []fhir.Issue { return nil }
			return m
		},
		Pass: pass, Rules: o.survivorship,
		Fixed: func(r *fhir.Resource) bool {
			after := fhir.Resource{Ref: fhir.Ref{Type: r.Ref.Type, ID: r.Ref.ID, Version: r.Ref.Version + 1}, Method: fhir.PUT, JSON: r.JSON}
			b := bundle.Batch{Holds: o.holds, Rights: pass}
			return b.Held(r, &after) != nil
		},
		Held: func(before, after *fhir.Resource) error { return (&bundle.Batch{Holds: o.holds}).Held(before, after) },
		Carry: func(ctx context.Context, from, to string, since time.Time) ([]fhir.Entry, error) {
			return rights.Carry(ctx, o.engine, from, to, since)
		},
		Job: func(source, id string, due time.Time) (fhir.Entry, error) {
			return o.jobs.Entry(job.New{Kind: mergeJob, Payload: mergePayload{source, id}, Due: due})
		},
		Wake: o.jobs.Wake,
	}
}

// mergedInto returns the id of the Patient that one was merged into, "" for none.
func (o *opened) mergedInto(ctx context.Context, patient string) (string, error) {
	switch rec, err := o.merger().Of(ctx, patient); {
	case fhir.CodeOf(err) == fhir.NotFound:
		return "", nil
	case err != nil:
		return "", err
	case rec.Stage == merge.Moving || rec.Stage == merge.Merged:
		return rec.Target, nil
	}
	return "", nil
}

// handleMerges lets this process finish merges.
func (o *opened) handleMerges() {
	o.jobs.Handle(mergeJob, 1, func(ctx context.Context, t *job.Task) error {
		var p mergePayload
		if err := t.Payload(&p); err != nil {
			return err
		}
		if err := o.replaced.Load(ctx, o.engine, time.Now()); err != nil {
			return err
		}
		return o.merger().Resume(ctx, p.Source, p.ID)
	})
}

// followMerges keeps this process in step with the merges of others until ctx ends.
func (o *opened) followMerges(ctx context.Context) {
	tick := time.NewTicker(refreshEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := o.replaced.Load(ctx, o.engine, time.Now()); err != nil && ctx.Err() == nil {
			o.log.Warn("what other servers merged cannot be read; it is looked for again", "error", err)
		}
	}
}

// together returns the ids of all Patients who are one person with one of them.
func (o *opened) together(id string) []string { return o.replaced.Together(id) }

// holdsOf returns the legal holds on a record, on whichever of the Patients they were set
// that are one person.
func (o *opened) holdsOf(ctx context.Context, patient string) (all []rights.LegalHold, err error) {
	for _, id := range o.together(patient) {
		some, err := rights.Holds(ctx, o.engine, id)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

// patientsWritten does what follows from Patients that were written: one who got a link
// replaced-by, as ITI-104 and ADT^A40 have it, is merged if whoever wrote it may merge; and
// labels bind those whom a Patient stands for.
//
// See https://profiles.ihe.net/ITI/PIXm/ITI-104.html.
func (o *opened) patientsWritten(ctx context.Context, results []bundle.Result) {
	if ctx.Value(merging{}) != nil {
		return
	}
	for i := range results {
		r := &results[i].Resource
		if r.Ref.Type != "Patient" || r.Deleted() || results[i].Outcome == bundle.Unchanged {
			continue
		}
		ctx := context.WithoutCancel(ctx)
		if len(o.replaced.Replaced(r.Ref.ID)) > 0 {
			if err := o.merger().Follow(ctx, r.Ref.ID); err != nil {
				o.log.Error("hand on the labels of a Patient to those it stands for", "error", err)
			}
		}
		target := merge.ReplacedBy(r.JSON, o.indexing.Base)
		if target == "" || o.replaced.Survivor(r.Ref.ID) != r.Ref.ID || !o.mayMerge(ctx, target) {
			continue
		}
		_, err := o.merger().Merge(ctx, &merge.Request{Source: r.Ref.ID, Target: target, By: writer(ctx), Linked: true})
		switch {
		case err == nil:
		case fhir.CodeOf(err) != 0:
			o.log.Warn("a Patient who was given a link replaced-by is not merged", "why", err)
		default:
			o.log.Error("merge a Patient who was given a link replaced-by", "error", err)
		}
	}
}

// mayMerge reports whether whoever writes may merge Patients, and see the target.
func (o *opened) mayMerge(ctx context.Context, target string) bool {
	if o.access == nil {
		return true
	}
	if authz.From(ctx) == nil {
		return false
	}
	d, err := o.guarded.Check(ctx, &rest.Request{Interaction: rest.Operation, Operation: "merge", Type: "Patient"})
	if err != nil {
		return false
	}
	found, err := o.Search(ctx, &search.Query{Type: "Patient", Where: []search.Expr{search.IDs{Any: []string{target}}}, Count: 1, Restriction: d.Restriction})
	return err == nil && len(found.Matches) == 1
}

func writer(ctx context.Context) string {
	p := authz.From(ctx)
	switch {
	case p == nil:
		return "amate"
	case p.User.ID != "":
		return p.User.Current().String()
	}
	return p.ID
}

// identityOperations are those by which it is settled who is who.
func (o *opened) identityOperations() []operation.Operation {
	asked := renapo.Operations(renapo.Config{Store: rightsStore{o}, Maker: o.maker, Registry: o.population})
	return slices.Concat(merge.Operations(o.merger()), []operation.Operation{pix.Operation(o)}, asked)
}

// numbering says how identifiers of people and places are dealt with.
type numbering struct {
	Identifiers     string `help:"What becomes of a resource with a CURP, CLUES, cédula, RFC or NSS that cannot be one: off, warn (it is written; Prefer: return=OperationOutcome tells) or refuse; and by identifier: warn,curp=refuse,rfc=off." default:"warn" placeholder:"MODE"`
	Survivorship    string `help:"JSON file that says what of two Patients survives when they are merged: a list of element and keep (fill, verified, unite, newest, names, numbers, by-url). Without it, the default rules." placeholder:"FILE" type:"existingfile"`
	RenapoSimulator bool   `help:"Let $verify-curp ask a simulator of the population registry, whose answers are marked as such and confirm nothing. So with --demo. Without it, nobody is asked and nothing is sent." name:"renapo-simulator"`
}

// open reads the settings.
func (n *numbering) open(o *opened, demo bool) error {
	policy, err := check.Parse(n.Identifiers)
	if err != nil {
		return usagef("--identifiers: %v", err)
	}
	o.identifiers = policy
	if n.Survivorship != "" {
		in, err := os.Open(n.Survivorship)
		if err != nil {
			return err
		}
		defer in.Close()
		if o.survivorship, err = merge.ReadRules(in); err != nil {
			return usagef("--survivorship %s: %v", n.Survivorship, err)
		}
	}
	if n.RenapoSimulator || demo {
		o.population = &renapo.Simulator{}
	}
	return nil
}

// doubts returns what is doubtful about a resource that was written, its identifiers or the
// profiles of a view, for the client who asks for it.
func (o *opened) doubts(r *fhir.Resource) []fhir.Issue {
	if r.JSON == nil {
		return nil
	}
	d, err := element.Parse(r.JSON)
	if err != nil {
		return nil
	}
	issues := view.Check(d, 0, r.Ref.Type)
	if o.identifiers != nil {
		issues = append(issues, o.identifiers.Check(d, 0, r.Ref.Type)...)
	}
	for i := range issues {
		issues[i].Line, issues[i].Col = 0, 0 // of what is stored, which is not what was sent
	}
	return issues
}
