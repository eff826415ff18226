package monitor

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/search"
)

// Keeper watches the measurements of patients for whom there are rules, by what changes.
// One at a time works on a database. What it is told twice it does once, so whoever
// follows the changes may begin anew anywhere.
type Keeper struct {
	*Service
	Base string // of what it writes
	Log  *slog.Logger

	Tally Tally

	watched map[string]bool // patients of whom it is known whether there is anything of them
}

// Tally counts what a Keeper did.
type Tally struct {
	Looks  int `json:"looks"`  // at a patient
	Alerts int `json:"alerts"` // changes of alerts that were written
	Failed int `json:"failed"` // patients whose alerts could not be written
}

const (
	mostKnown = 100_000 // patients that are remembered as watched or not
	mostTries = 5       // when others write the same Task
	readAtOne = 500     // resources
)

// piece is what is to be done of a patient.
type piece struct {
	observations []string
	reread       bool
	tasks        []string
	due          bool // a time has come
}

// Follow looks at what changes concern.
func (k *Keeper) Follow(ctx context.Context, list []fhir.Change) error {
	work := map[string]*piece{}
	of := func(patient string) *piece {
		if work[patient] == nil {
			work[patient] = &piece{}
		}
		return work[patient]
	}
	for i := range list {
		c := &list[i]
		switch c.Ref.Type {
		case "Goal", "CareTeam", "Observation":
		case "Task":
			if strings.HasPrefix(c.Ref.ID, alertPrefix) {
				patient, err := k.taskOf(ctx, c.Ref.ID)
				if err != nil {
					return err
				}
				if patient != "" {
					of(patient).tasks = append(of(patient).tasks, c.Ref.ID)
				}
			}
			continue
		default:
			continue
		}
		for _, t := range c.Targets {
			if t.Type != "Patient" {
				continue
			}
			if c.Ref.Type == "Goal" {
				delete(k.watched, t.ID)
				of(t.ID).reread = true
				continue
			}
			watched, err := k.isWatched(ctx, t.ID)
			if err != nil {
				return err
			}
			switch {
			case !watched:
			case c.Ref.Type == "CareTeam":
				of(t.ID).reread = true
			default:
				of(t.ID).observations = append(of(t.ID).observations, c.Ref.ID)
			}
		}
	}
	return k.do(ctx, work)
}

// isWatched reports whether something is remembered of a patient.
func (k *Keeper) isWatched(ctx context.Context, patient string) (bool, error) {
	if is, ok := k.watched[patient]; ok {
		return is, nil
	}
	_, err := k.Store.Entry(ctx, stateKind, patient)
	if err != nil && fhir.CodeOf(err) != fhir.NotFound {
		return false, err
	}
	if k.watched == nil || len(k.watched) >= mostKnown {
		k.watched = map[string]bool{}
	}
	k.watched[patient] = err == nil
	return err == nil, nil
}

// taskOf returns whom the Task of an alert is about, "" when it is gone.
func (k *Keeper) taskOf(ctx context.Context, id string) (string, error) {
	r, err := k.one(ctx, search.Unrestricted, fhir.Ref{Type: "Task", ID: id})
	if err != nil || r == nil {
		return "", err
	}
	d, err := element.Parse(r.JSON)
	if err != nil {
		return "", err
	}
	ref, _ := fhir.ParseRef(d.TextAt(d.Get(0, "for"), "reference"))
	return ref.ID, nil
}

// do does all pieces. Observations of all patients are read together.
func (k *Keeper) do(ctx context.Context, work map[string]*piece) error {
	var ids []string
	for _, p := range work {
		ids = append(ids, p.observations...)
	}
	slices.Sort(ids)
	found := map[string]*fhir.Resource{}
	for some := range slices.Chunk(slices.Compact(ids), readAtOne) {
		r, err := k.Store.Search(ctx, &search.Query{Type: "Observation", Where: []search.Expr{search.IDs{Any: some}}, Count: len(some), Restriction: search.Unrestricted})
		if err != nil {
			return err
		}
		for i := range r.Matches {
			found[r.Matches[i].Ref.ID] = &r.Matches[i]
		}
	}
	for patient, p := range work {
		if err := k.look(ctx, patient, p, found); err != nil {
			return err
		}
	}
	return nil
}

// look brings what is remembered of a patient up to date, and their alerts. A patient of
// whom nothing can be written keeps nobody else waiting.
func (k *Keeper) look(ctx context.Context, patient string, p *piece, found map[string]*fhir.Resource) error {
	for try := 1; ; try++ {
		err := k.lookOnce(ctx, patient, p, found)
		code := fhir.CodeOf(err)
		switch {
		case err == nil:
			return nil
		case code == 0 || code == fhir.Unavailable || ctx.Err() != nil:
			return err
		case (code == fhir.Conflict || code == fhir.Stale) && try < mostTries:
			continue
		}
		k.Tally.Failed++
		k.Log.Error("the alerts of a patient cannot be written", "error", err)
		return nil
	}
}

func (k *Keeper) lookOnce(ctx context.Context, patient string, p *piece, found map[string]*fhir.Resource) error {
	st, err := k.load(ctx, patient)
	if err != nil {
		return err
	}
	k.Tally.Looks++
	if p.due && !st.Due.After(k.Now()) {
		st.Due = time.Time{}
	}
	for _, id := range p.observations {
		var values []valued
		if r := found[id]; r != nil {
			if whose, all := valuesOf(r, k.Late); whose == patient {
				values = all
			}
		}
		st.take(id, values)
	}
	if p.reread {
		if err := k.reread(ctx, st); err != nil {
			return err
		}
		if len(st.Rules) == 0 && st.entry.Version == 0 {
			return nil // a Goal that asks for nothing
		}
	}
	for _, id := range p.tasks {
		if err := k.noticed(ctx, st, id); err != nil {
			return err
		}
	}
	return k.save(ctx, st)
}

// noticed takes over what people have made of the Task of an alert.
func (k *Keeper) noticed(ctx context.Context, st *state, id string) error {
	r, err := k.one(ctx, search.Unrestricted, fhir.Ref{Type: "Task", ID: id})
	if err != nil || r == nil {
		return err
	}
	for key, a := range st.Alerts {
		if alertID(st.entry.Key, ended(key), a) == id {
			a.heed(r)
		}
	}
	return nil
}

// save writes what is remembered of a patient, with the changes of their alerts.
func (k *Keeper) save(ctx context.Context, st *state) error {
	list, err := k.reconcile(ctx, st, k.Maker(k.Base))
	if err != nil {
		return err
	}
	entries, err := st.entries()
	if err != nil {
		return err
	}
	if len(list) == 0 {
		err = k.Store.Put(ctx, entries...)
	} else {
		_, err = k.Store.Apply(ctx, &bundle.Batch{Changes: list, Entries: func([]bundle.Result) []fhir.Entry { return slices.Clone(entries) }})
		k.Tally.Alerts += len(list)
	}
	if err == nil && k.watched != nil {
		k.watched[st.entry.Key] = true
	}
	return err
}

// Tick looks at those for whom a time has come: an alert that nobody took, a silence.
// It returns how many there were.
func (k *Keeper) Tick(ctx context.Context) (int, error) {
	now := k.Now().UTC().Format(time.RFC3339)
	list, err := k.Store.Entries(ctx, dueKind, "", "", readAtOne)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, e := range list {
		parts := strings.Split(e.Key, "/")
		if len(parts) < 2 || parts[0] > now {
			break
		}
		if err := k.look(ctx, parts[1], &piece{due: true}, nil); err != nil {
			return n, err
		}
		if err := k.Store.Remove(ctx, dueKind, e.Key, 0); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// Begin looks at everybody who has a Goal: where what changed until now is not known.
func (k *Keeper) Begin(ctx context.Context) error {
	q, err := search.Parse("Goal", []search.Param{{Name: "lifecycle-status", Value: "active"}, {Name: "_count", Value: "200"}}, search.Options{})
	if err != nil {
		return err
	}
	q.Restriction = search.Unrestricted
	for {
		found, err := k.Store.Search(ctx, q)
		if err != nil {
			return err
		}
		work := map[string]*piece{}
		for i := range found.Matches {
			d, err := element.Parse(found.Matches[i].JSON)
			if err != nil {
				return err
			}
			if ref, ok := fhir.ParseRef(d.TextAt(d.Get(0, "subject"), "reference")); ok && ref.Type == "Patient" {
				work[ref.ID] = &piece{reread: true}
			}
		}
		if err := k.do(ctx, work); err != nil {
			return err
		}
		if found.Next == "" {
			return nil
		}
		q.After = found.Next
	}
}
