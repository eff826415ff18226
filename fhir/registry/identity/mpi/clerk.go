package mpi

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/registry/identity/match"
	"github.com/amate-health/amate/fhir/search"
)

// Clerk keeps the work list of pairs of Patients that somebody should look at. It is
// safe for concurrent use; two that decide about one pair at once do not undo one
// another, since each Task is written over the version that was read.
type Clerk struct {
	Finder
	Maker func(base string) bundle.Maker
	Write func(ctx context.Context, b *bundle.Batch) ([]bundle.Result, error)
	Least match.Grade // of the pairs that come on the list
	Log   *slog.Logger
	Now   func() time.Time
}

// mostPairs is how many Patients are put on the list for one, at most: a record that is
// like more than that says too little.
const mostPairs = 20

// Tally is what the Clerk did.
type Tally struct {
	Patients, Opened, Changed, Closed int
}

// Add adds o to t.
func (t *Tally) Add(o Tally) {
	t.Patients, t.Opened, t.Changed, t.Closed = t.Patients+o.Patients, t.Opened+o.Opened, t.Changed+o.Changed, t.Closed+o.Closed
}

// look is one look at some Patients.
type look struct {
	*Clerk
	now   time.Time
	ended map[string]bool  // Patients that another has replaced
	want  map[string]*pair // by the id of their Task
	tally Tally
}

// attempts is how often a look is taken again since somebody else wrote a Task.
const attempts = 5

// Look brings the work list into step with how some Patients are now. It may be called
// again for the same ones: what is on the list already, or was decided on the same
// data, stays as it is.
func (c *Clerk) Look(ctx context.Context, ids []string) (Tally, error) {
	for n := 1; ; n++ {
		l := &look{Clerk: c, now: c.Now().UTC().Truncate(time.Second), ended: map[string]bool{}, want: map[string]*pair{}}
		err := l.compare(ctx, ids)
		if err == nil {
			err = l.write(ctx, ids)
		}
		if code := fhir.CodeOf(err); err == nil || n == attempts || code != fhir.Stale && code != fhir.Conflict {
			return l.tally, err
		}
	}
}

// compare finds the pairs that the Patients are in.
func (l *look) compare(ctx context.Context, ids []string) error {
	records, err := load(ctx, l.Store, "Patient", ids, search.Unrestricted)
	if err != nil {
		return err
	}
	for i := range records {
		s := stateOf(records[i].JSON)
		if !s.active || s.replacedBy != "" {
			continue
		}
		if err := l.pairs(ctx, &records[i]); err != nil {
			return err
		}
	}
	l.tally.Patients = len(ids)
	return nil
}

// pairs adds those that a Patient is in.
func (l *look) pairs(ctx context.Context, r *fhir.Resource) error {
	p, err := l.person(r)
	if err != nil {
		return err
	}
	found, err := l.Find(ctx, &p, Wish{Restriction: search.Unrestricted, Count: mostPairs + 1, Least: l.Least})
	if err != nil {
		return err
	}
	for i := range found {
		f := &found[i]
		if f.Patient.Ref.ID == r.Ref.ID {
			continue
		}
		other, err := l.person(&f.Patient)
		if err != nil {
			return err
		}
		of := pairOf(r.Ref.ID, f.Patient.Ref.ID)
		of.labelled(r, &f.Patient)
		of.grade, of.score, of.rule, of.print = f.Grade, f.Score, l.Model.Compare(&p, f.Alike).Rule, printOf(&p, &other)
		l.want[of.id()] = &of
	}
	return nil
}

// person returns what of a Patient is compared.
func (c *Clerk) person(r *fhir.Resource) (match.Person, error) {
	d, err := element.Parse(r.JSON)
	if err != nil {
		return match.Person{}, err
	}
	return c.Reading.Patient(d, 0), nil
}

// verify looks at the pairs of open Tasks that were not found: not everything is that
// shares common keys alone. What is alike still is wanted.
func (l *look) verify(ctx context.Context, tasks map[string]*task) error {
	var ids []string
	for id, t := range tasks {
		if t.open() && l.want[id] == nil {
			ids = append(ids, t.patients()...)
		}
	}
	slices.Sort(ids)
	records, err := load(ctx, l.Store, "Patient", slices.Compact(ids), search.Unrestricted)
	if err != nil {
		return err
	}
	alive := map[string]*fhir.Resource{}
	for i := range records {
		s := stateOf(records[i].JSON)
		l.ended[records[i].Ref.ID] = s.replacedBy != ""
		if s.active && s.replacedBy == "" {
			alive[records[i].Ref.ID] = &records[i]
		}
	}
	for id, t := range tasks {
		two := t.patients()
		if !t.open() || l.want[id] != nil || len(two) != 2 || alive[two[0]] == nil || alive[two[1]] == nil {
			continue
		}
		p, err := l.pairOf(alive[two[0]], alive[two[1]])
		if err != nil {
			return err
		}
		if p.grade > match.Not { // also below Least: another run may have had another
			l.want[id] = p
		}
	}
	return nil
}

// write writes the Tasks that are not as they should be.
func (l *look) write(ctx context.Context, ids []string) error {
	tasks, err := l.tasks(ctx, ids)
	if err == nil {
		err = l.verify(ctx, tasks)
	}
	if err != nil {
		return err
	}
	var b bundle.Batch
	maker := l.Maker("")
	add := func(t *task) error {
		c, err := t.change(maker)
		b.Changes = append(b.Changes, c)
		return err
	}
	for _, t := range tasks {
		p := l.want[t.ID]
		delete(l.want, t.ID)
		if l.move(t, p) {
			if err := add(t); err != nil {
				return err
			}
		}
	}
	for _, p := range sorted(l.want) {
		t := newTask(p, l.now)
		t.set("requested", stateOpen, "", l.now)
		l.tally.Opened++
		if err := add(t); err != nil {
			return err
		}
	}
	if len(b.Changes) == 0 {
		return nil
	}
	_, err = l.Write(ctx, &b)
	return err
}

// sorted returns pairs in the order of their Tasks.
func sorted(pairs map[string]*pair) []*pair {
	ids := make([]string, 0, len(pairs))
	for id := range pairs {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	all := make([]*pair, len(ids))
	for i, id := range ids {
		all[i] = pairs[id]
	}
	return all
}

// tasks returns the Tasks that are about the Patients, by id, and those of the pairs
// that are wanted.
func (l *look) tasks(ctx context.Context, ids []string) (map[string]*task, error) {
	q, err := tasksOf(ids)
	if err != nil {
		return nil, err
	}
	all := map[string]*task{}
	for {
		page, err := l.Store.Search(ctx, &q)
		if err != nil {
			return nil, err
		}
		for i := range page.Matches {
			t, err := readTask(&page.Matches[i])
			if err != nil {
				return nil, err
			}
			all[t.ID] = t
		}
		if q.After = page.Next; q.After == "" {
			return all, nil
		}
	}
}

// move brings a Task into step with p, nil when its Patients are no such pair any more,
// and reports whether it changed. What somebody has decided stands until the data that
// it was decided on is other data.
func (l *look) move(t *task, p *pair) bool {
	switch {
	case p == nil && !t.open():
		return false
	case p == nil:
		l.tally.Closed++
		l.close(t)
		return true
	case t.print() == p.print:
		return t.label(p)
	case t.open():
		l.tally.Changed++
		t.say(p)
		t.LastModified = l.now.Format(time.RFC3339)
		return true
	}
	l.tally.Opened++
	t.say(p)
	t.set("requested", stateOpen, "", l.now)
	return true
}

// close ends a Task of which a Patient is gone, or not like the other any more.
func (l *look) close(t *task) {
	for _, id := range t.patients() {
		if l.ended[id] {
			t.set("completed", stateMerged, "", l.now)
			return
		}
	}
	t.set("cancelled", stateNoLonger, "", l.now)
}
