package referral

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/search"
)

// dueKind is the kind of the entries that say when to look at a Task: the time begins
// their key. One that is not needed any more is passed over.
const dueKind = "referral-due"

var noTime time.Time

func dueEntry(id string, version int64, due time.Time) fhir.Entry {
	if whole := due.Truncate(time.Second); !whole.Equal(due) {
		due = whole.Add(time.Second)
	}
	return fhir.Entry{Kind: dueKind, Key: fmt.Sprintf("%s/%s/%d", stamp(due), id, version), Value: []byte(`{}`)}
}

// Keeper does what becomes of referrals without anybody acting on them: it closes those
// whose counter-referral was signed, and marks those whose time has run out. One at a time
// works on a database. What it is told twice it does once.
type Keeper struct {
	s    *service
	Base string // of what it writes
	Log  *slog.Logger

	Tally Tally
}

// Tally counts what a Keeper did.
type Tally struct {
	Closed  int `json:"closed"`
	Overdue int `json:"overdue"`
	Failed  int `json:"failed"`
}

// NewKeeper returns a Keeper.
func NewKeeper(cfg Config, base string, log *slog.Logger) *Keeper {
	return &Keeper{s: &service{cfg.filled()}, Base: base, Log: log}
}

// atOnce is how many entries and referrals are looked at together.
const atOnce = 500

// Follow looks at the notes that changed. Errors: those of the store.
func (k *Keeper) Follow(ctx context.Context, changes []fhir.Change) error {
	for i := range changes {
		if changes[i].Ref.Type != "Composition" {
			continue
		}
		e, err := k.s.Store.Entry(ctx, noteKind, changes[i].Ref.ID)
		if fhir.CodeOf(err) == fhir.NotFound {
			continue
		}
		if err != nil {
			return err
		}
		var id string
		if err := json.Unmarshal(e.Value, &id); err != nil {
			return err
		}
		done, err := k.tried(again(func() (bool, error) { return k.signed(ctx, id, changes[i].Ref.Current()) }))
		if err != nil {
			return err
		}
		if done {
			if err := k.s.Store.Remove(ctx, noteKind, e.Key, 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// Begin looks at all referrals whose note is to be signed: where what changed until now is
// not known.
func (k *Keeper) Begin(ctx context.Context) error {
	q, err := search.Parse("Task", []search.Param{
		{Name: "code", Value: System + "|" + codeReferral}, {Name: "business-status", Value: StateSystem + "|" + string(Answering)},
	}, search.Options{DefaultCount: atOnce, MaxCount: atOnce})
	if err != nil {
		return err
	}
	q.Restriction = search.Unrestricted
	for {
		found, err := k.s.Store.Search(ctx, q)
		if err != nil {
			return err
		}
		for i := range found.Matches {
			t, err := readTask(&found.Matches[i])
			if err != nil {
				return err
			}
			if _, err := k.tried(again(func() (bool, error) { return k.signed(ctx, t.r.Ref.ID, t.output("counter-note")) })); err != nil {
				return err
			}
		}
		if q.After = found.Next; q.After == "" {
			return nil
		}
	}
}

// overtaken is how often it is tried again to follow a note whose referral somebody else has
// just written: of that nobody tells a second time, since the note stays as it is.
const overtaken = 5

// again does f, which reads what it is about, until nobody is faster.
func again(f func() (bool, error)) (done bool, err error) {
	for range overtaken {
		if done, err = f(); fhir.CodeOf(err) != fhir.Conflict {
			break
		}
	}
	return done, err
}

// tried passes over what is refused, which would be refused again; it is counted.
func (k *Keeper) tried(done bool, err error) (bool, error) {
	switch fhir.CodeOf(err) {
	case fhir.Conflict: // somebody else has just written it, and it is looked at the next time
		return false, nil
	case fhir.NotFound, fhir.Gone, fhir.Unprocessable, fhir.Invalid:
		k.Tally.Failed++
		if k.Log != nil {
			k.Log.Warn("a referral could not be looked after", "error", err.Error())
		}
		return true, nil
	}
	return done, err
}

// signed closes a referral when its note is signed, and reports whether there is nothing
// left to wait for.
func (k *Keeper) signed(ctx context.Context, id string, note fhir.Ref) (bool, error) {
	t, err := k.task(ctx, id)
	if err != nil || t == nil || t.state != Answering || t.output("counter-note") != note {
		return true, err
	}
	_, d, err := k.s.one(ctx, search.Unrestricted, note)
	if err != nil || !final(d) {
		return false, err
	}
	w := &writing{maker: k.s.Maker(k.Base)}
	if err := k.s.close(ctx, w, t); err != nil {
		return false, err
	}
	if _, err := k.s.apply(ctx, w); err != nil {
		return false, err
	}
	k.Tally.Closed++
	return true, nil
}

// task reads a referral; nil when it is gone.
func (k *Keeper) task(ctx context.Context, id string) (*task, error) {
	r, _, err := k.s.one(ctx, search.Unrestricted, fhir.Ref{Type: "Task", ID: id})
	if code := fhir.CodeOf(err); code == fhir.NotFound || code == fhir.Gone {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return readTask(r)
}

// Tick looks at those whose time has come, and returns how many there were.
func (k *Keeper) Tick(ctx context.Context) (int, error) {
	now := stamp(k.s.Now())
	list, err := k.s.Store.Entries(ctx, dueKind, "", "", atOnce)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, e := range list {
		parts := strings.Split(e.Key, "/")
		if len(parts) < 2 || parts[0] > now {
			break
		}
		done, err := k.tried(true, k.late(ctx, parts[1]))
		if err != nil {
			return n, err
		}
		if !done {
			continue // the next time
		}
		if err := k.s.Store.Remove(ctx, dueKind, e.Key, 0); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// late marks a referral whose time has run out, and raises a Flag on the patient's record.
// Both are changes like any other, so that subscribers are told.
func (k *Keeper) late(ctx context.Context, id string) error {
	t, err := k.task(ctx, id)
	if err != nil || t == nil || !t.state.Open() || t.overdue || t.due.IsZero() || t.due.After(k.s.Now()) {
		return err
	}
	now := k.s.Now()
	w := &writing{maker: k.s.Maker(k.Base)}
	t.o.set("businessStatus", status(t.state, true))
	t.o.set("lastModified", stamp(now))
	w.update(t.r, compose.JSON(t.o))
	flag := fhir.Ref{Type: "Flag", ID: id}
	v := compose.JSON(compose.Object{
		"resourceType": "Flag", "id": id, "language": "es-MX", "status": "active", "subject": compose.Reference(t.patient), "author": compose.Reference(t.receiver),
		"category": []compose.Object{compose.Concept("http://terminology.hl7.org/CodeSystem/flag-category", "admin", "")},
		"code":     compose.Object{"coding": []compose.Object{compose.Coding(StateSystem, overdue, "Vencida")}, "text": lateText[t.state]},
		"period":   compose.Object{"start": stamp(now)},
	})
	old, _, err := k.s.one(ctx, search.Unrestricted, flag)
	switch code := fhir.CodeOf(err); {
	case code == fhir.NotFound || code == fhir.Gone:
		w.create(flag, v)
	case err != nil:
		return err
	default:
		w.update(old, v)
	}
	if _, err := k.s.apply(ctx, w); err != nil {
		return err
	}
	k.Tally.Overdue++
	return nil
}

// lateText is what a Flag says.
var lateText = map[State]string{
	Sent:      "Referencia vencida: el establecimiento receptor no ha respondido",
	Accepted:  "Referencia vencida: aceptada y sin cita ni atención",
	Scheduled: "Referencia vencida: sin contrarreferencia después de la cita",
	Answering: "Referencia vencida: la contrarreferencia no está firmada",
}
