package bundle

import (
	"errors"
	"slices"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
)

// Options says how a transaction is planned.
type Options struct {
	Maker
	NewID func() string // ids for what is created

	// Allow is asked once for each entry before anything else is done with it. What
	// it returns limits what a criterion of the entry can select. nil allows all.
	Allow func(*Action) (*search.Restriction, error)

	// References limits what conditional references can select. nil selects from all.
	References *search.Restriction
}

// Plan is a transaction, ready to be applied.
type Plan struct {
	Batch   Batch
	Actions []Action // one for each entry, in the order of the Bundle
	lookups []string // for each of Batch.Lookups, the FHIRPath of the first reference that asks for it
	order   []int    // for each of Batch.Changes, its Action
}

// planner is the state of NewPlan.
type planner struct {
	Options
	bundle  *Bundle
	plan    *Plan
	places  map[string]int     // fullUrl, made absolute -> Action
	lookups map[string]rewrite // conditional reference -> where it leads
}

// NewPlan turns a transaction into the Batch that performs it: it classifies the
// entries, puts them in the order that FHIR asks for, assigns ids, finds out where
// references lead, and does all the work on the resources that needs no database.
// The Doc of b must not change while the Plan is in use.
//
// Errors are about one entry, and say which in Expression.
//
// See https://hl7.org/fhir/R4/http.html#trules.
func NewPlan(b *Bundle, o Options) (*Plan, error) {
	if o.References == nil {
		o.References = search.Unrestricted
	}
	p := &planner{
		Options: o,
		bundle:  b,
		plan:    &Plan{Actions: make([]Action, len(b.Entries))},
		places:  make(map[string]int, len(b.Entries)),
		lookups: map[string]rewrite{},
	}
	for _, step := range []func() error{p.classify, p.distinct, p.place, p.arrange, p.build} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return p.plan, nil
}

// classify understands every entry, and asks whether it is allowed.
func (p *planner) classify() error {
	for i := range p.bundle.Entries {
		e := &p.bundle.Entries[i]
		a, err := p.action(e)
		if err == nil {
			err = p.allow(&a)
		}
		if err != nil {
			return Within(err, e.At(""))
		}
		p.plan.Actions[i] = a
	}
	return nil
}

// allow asks for permission, and parses the criterion within it.
func (p *planner) allow(a *Action) (err error) {
	only := search.Unrestricted
	if p.Allow != nil {
		if only, err = p.Allow(a); err != nil {
			return err
		}
	}
	if a.Conditional {
		a.where, err = p.Criterion(a.Ref.Type, a.Criterion, only)
	}
	return err
}

// distinct makes sure that no resource is written twice, and finds the creates
// that share one criterion: together they make one resource.
func (p *planner) distinct() error {
	written := map[fhir.Ref]int{}
	twins := map[string]int{}
	for i := range p.plan.Actions {
		a := &p.plan.Actions[i]
		switch {
		case a.Op == 0:
		case a.Op == Create && a.Conditional:
			key := a.Ref.Type + "?" + a.Entry.IfNoneExist
			if first, ok := twins[key]; ok {
				a.twin = first
			} else {
				twins[key] = i
			}
		case !a.Conditional && a.Op != Create:
			if first, ok := written[a.Ref]; ok {
				return fhir.Errorf(fhir.Invalid, "a transaction may write a resource once; entry %d writes this one already", first).
					At(a.Entry.At(".request.url"))
			}
			written[a.Ref] = i
		}
	}
	return nil
}

// place notes under which URLs the resources of the Bundle are known.
func (p *planner) place() error {
	for i := range p.plan.Actions {
		a := &p.plan.Actions[i]
		if a.Entry.FullURL == "" || a.Op == 0 {
			continue
		}
		url := p.absolute(a.Entry.FullURL, p.Base+"/")
		if first, ok := p.places[url]; ok {
			return fhir.Errorf(fhir.Invalid, "entry %d has this fullUrl already", first).At(a.Entry.At(".fullUrl"))
		}
		p.places[url] = i
	}
	return nil
}

// arrange puts the changes in order: DELETE, POST, PUT and PATCH.
func (p *planner) arrange() error {
	for i := range p.plan.Actions {
		if a := &p.plan.Actions[i]; a.Op != 0 && a.twin < 0 {
			p.plan.order = append(p.plan.order, i)
		}
	}
	slices.SortStableFunc(p.plan.order, func(a, b int) int {
		return p.plan.Actions[a].rank() - p.plan.Actions[b].rank()
	})
	for position, i := range p.plan.order {
		p.plan.Actions[i].change = position
	}
	return nil
}

// build makes the Change of every action.
func (p *planner) build() error {
	p.plan.Batch.Changes = make([]Change, len(p.plan.order))
	for position, i := range p.plan.order {
		a := &p.plan.Actions[i]
		c, err := p.change(a)
		if err != nil {
			return Within(err, a.Entry.At(""))
		}
		c.Where, c.IfMatch, c.IfNoneMatch = a.where, a.IfMatch, a.IfNoneMatch
		if a.Conditional && (a.Op == Update || a.Op == Patch) {
			c.Build = p.once(position, c.Build)
		}
		p.plan.Batch.Changes[position] = c
	}
	return nil
}

// change makes the Change of one action.
func (p *planner) change(a *Action) (Change, error) {
	switch a.Op {
	case Delete:
		return Change{Op: Delete, Ref: a.Ref}, nil
	case Patch:
		return p.patchLinked(a)
	}
	c, err := p.putLinked(a)
	c.FixedID = a.Op == Update && a.Conditional && a.source.ID() != ""
	return c, err
}

// once wraps the Build of a change that a criterion places, so that it fails when
// another change of the transaction writes the same resource.
func (p *planner) once(position int, build func(*Env, fhir.Ref, *fhir.Resource) (*Content, error)) func(*Env, fhir.Ref, *fhir.Resource) (*Content, error) {
	plan := p.plan
	return func(env *Env, at fhir.Ref, current *fhir.Resource) (*Content, error) {
		for other, target := range env.Targets {
			op := plan.Batch.Changes[other].Op
			if other != position && op != Create && target.Current() == at.Current() {
				return nil, fhir.Errorf(fhir.Invalid, "a transaction may write a resource once; entry %d writes this one too", plan.order[other])
			}
		}
		return build(env, at, current)
	}
}

// Change returns the position in Batch.Changes of the change that performs an
// entry, and whether there is one: a read has none.
func (p *Plan) Change(entry int) (int, bool) {
	a := &p.Actions[entry]
	if a.twin >= 0 {
		a = &p.Actions[a.twin]
	}
	return a.change, a.change >= 0
}

// Entry returns the position in the Bundle of the entry that a change performs.
func (p *Plan) Entry(change int) int { return p.order[change] }

// Twin reports whether an entry made nothing of its own, since an earlier one has
// the same ifNoneExist.
func (p *Plan) Twin(entry int) bool { return p.Actions[entry].twin >= 0 }

// Explain gives an error of Store.Apply the place in the Bundle that it is about.
func (p *Plan) Explain(err error) error {
	var at *ChangeError
	if !errors.As(err, &at) {
		return err
	}
	if at.Index < 0 {
		return Within(at.Err, p.lookups[-1-at.Index])
	}
	e := p.Actions[p.order[at.Index]].Entry
	return Within(at.Err, e.At(""))
}
