package monitor

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/search"
)

const (
	// alertPrefix begins the ids of the Task, the Flag and the Communications of an alert.
	alertPrefix = "alert-"
	// AlertSystem is the code system of what a Task is: an alert; of what it is about:
	// limit, change or silence; and of what its inputs are: evidence.
	AlertSystem = canonical + "CodeSystem/monitoring-alert"
	// mostEvidence is how many readings an alert names: the latest.
	mostEvidence = 100
)

// alertID names an alert: the same one while it is open, however often it is looked at.
func alertID(patient string, w watch, a *alert) string {
	sum := sha256.Sum256([]byte(patient + "\x00" + w.key() + "\x00" + strconv.Itoa(a.Episode)))
	return alertPrefix + hex.EncodeToString(sum[:16])
}

// alarm is a watch with what there is of it, while it is looked at.
type alarm struct {
	watch
	*alert
	patient string
	id      string
	now     time.Time
	task    *fhir.Resource // as it is stored; nil when there is none
}

// reconcile makes the alerts of a patient what the series call for, and returns what is to
// be written.
func (s *Service) reconcile(ctx context.Context, st *state, m bundle.Maker) (changes []bundle.Change, err error) {
	now := s.Now()
	live := map[string]bool{}
	for i := range st.Rules {
		for _, w := range st.Rules[i].watches() {
			live[w.key()] = true
			a := st.Alerts[w.key()]
			if a == nil {
				a = &alert{}
			}
			k := &alarm{watch: w, alert: a, patient: st.entry.Key, id: alertID(st.entry.Key, w, a), now: now}
			more, err := s.settle(ctx, st, k, m)
			if err != nil {
				return nil, err
			}
			if a.Status != "" || a.Episode > 0 {
				st.Alerts[w.key()] = a
			}
			changes = append(changes, more...)
		}
	}
	for key, a := range st.Alerts { // of rules that ended
		if !live[key] && a.Status == open {
			k := &alarm{watch: ended(key), alert: a, patient: st.entry.Key, now: now}
			k.id = alertID(k.patient, k.watch, a)
			more, err := s.withdraw(ctx, k, m)
			if err != nil {
				return nil, err
			}
			changes = append(changes, more...)
		}
	}
	return changes, nil
}

// ended returns the watch that had a key.
func ended(key string) watch {
	parts := strings.Split(key, "/")
	target, _ := strconv.Atoi(parts[1])
	return watch{&rule{Goal: parts[0], Target: target}, parts[2]}
}

// settle makes one alert what the series call for.
func (s *Service) settle(ctx context.Context, st *state, k *alarm, m bundle.Maker) ([]bundle.Change, error) {
	series := st.Series[k.rule.Key]
	points, calls := k.evidence(series, k.Closed), false
	if k.kind == silent {
		if heard := st.heard(k.watch, k.alert); k.now.Sub(heard) > k.rule.Silence {
			calls = true
			points = series[max(0, len(series)-1):]
		}
	} else {
		calls = len(points) > 0
	}
	names := make([]string, 0, len(points))
	for _, p := range points[max(0, len(points)-mostEvidence):] {
		names = append(names, p.ID)
	}
	switch {
	case calls && (k.Status == "" || k.Status == withdrawn):
		return s.raise(ctx, st, k, names, m)
	case calls && k.kind != silent && !slices.Equal(names, k.Evidence):
		return s.amend(ctx, k, names, m)
	case !calls && k.Status == open && (k.kind == silent || len(series) < mostPoints):
		return s.withdraw(ctx, k, m)
	case k.Status == open && !k.Next.IsZero() && !k.now.Before(k.Next):
		return s.escalate(ctx, k, m)
	}
	return nil, nil
}

// raise writes an alert: what is wrong (Flag), what is to be done (Task), and that somebody
// was called (Communication).
func (s *Service) raise(ctx context.Context, st *state, k *alarm, names []string, m bundle.Maker) ([]bundle.Change, error) {
	if err := s.current(ctx, k); err != nil {
		return nil, err
	}
	k.Status, k.Evidence, k.Step, k.Line = open, names, 0, k.rule.Notify
	if len(k.Line) == 0 {
		k.Line = st.Line
	}
	k.waits(s.Escalate)
	w := &written{maker: m}
	w.put(k.flag("active"), 0)
	w.put(k.request(), versionOf(k.task))
	w.call(k)
	return w.changes, w.err
}

// waits notes when the next in line is called.
func (k *alarm) waits(otherwise time.Duration) {
	k.Next = time.Time{}
	if k.Step+1 < len(k.Line) {
		wait := k.rule.Escalate
		if wait == 0 {
			wait = otherwise
		}
		k.Next = k.now.Add(wait)
	}
}

// amend adds readings to an alert, or takes away what was corrected.
func (s *Service) amend(ctx context.Context, k *alarm, names []string, m bundle.Maker) ([]bundle.Change, error) {
	if err := s.current(ctx, k); err != nil || k.task == nil || k.Status == "" {
		return nil, err
	}
	k.Evidence = names
	w := &written{maker: m}
	w.edit(k.task, func(e *element.Edit) {
		e.Set(0, "input", compose.Text(k.inputs()))
		e.Set(0, "lastModified", compose.Text(k.now.UTC().Format(time.RFC3339)))
	})
	return w.changes, w.err
}

// withdraw ends an alert that nobody has taken, and that nothing calls for any more.
func (s *Service) withdraw(ctx context.Context, k *alarm, m bundle.Maker) ([]bundle.Change, error) {
	if err := s.current(ctx, k); err != nil || k.task == nil || k.Status != open {
		return nil, err
	}
	why := "Las mediciones ya no indican la alerta"
	if k.kind == silent {
		why = "Se recibieron mediciones de nuevo"
	}
	k.Status, k.Evidence, k.Next = withdrawn, nil, time.Time{}
	w := &written{maker: m}
	w.edit(k.task, func(e *element.Edit) {
		e.Set(0, "status", `"cancelled"`)
		e.Set(0, "statusReason", compose.Text(compose.Object{"text": why}))
		e.Set(0, "lastModified", compose.Text(k.now.UTC().Format(time.RFC3339)))
	})
	err := w.lower(ctx, s, fhir.Ref{Type: "Flag", ID: k.id}, k.now)
	if err == nil {
		err = w.err
	}
	return w.changes, err
}

// escalate calls the next in line.
func (s *Service) escalate(ctx context.Context, k *alarm, m bundle.Maker) ([]bundle.Change, error) {
	if err := s.current(ctx, k); err != nil || k.task == nil || k.Status != open {
		return nil, err
	}
	k.Step++
	k.waits(s.Escalate)
	w := &written{maker: m}
	w.edit(k.task, func(e *element.Edit) {
		e.Set(0, "owner", compose.Text(compose.Object{"reference": k.Line[k.Step]}))
		e.Set(0, "priority", compose.Text(k.priority()))
		e.Set(0, "lastModified", compose.Text(k.now.UTC().Format(time.RFC3339)))
	})
	w.call(k)
	return w.changes, w.err
}

// current reads the Task of an alert, and what people have made of it.
func (s *Service) current(ctx context.Context, k *alarm) error {
	r, err := s.one(ctx, search.Unrestricted, fhir.Ref{Type: "Task", ID: k.id})
	if err != nil || r == nil {
		return err
	}
	k.task = r
	k.heed(r)
	return nil
}

// heed takes over what people have made of the Task of an alert.
func (a *alert) heed(task *fhir.Resource) {
	if a.Status != open && a.Status != taken {
		return
	}
	d, err := element.Parse(task.JSON)
	if err != nil {
		return
	}
	switch d.TextAt(0, "status") {
	case "requested", "draft":
	case "completed", "cancelled", "failed", "rejected", "entered-in-error":
		*a = alert{Episode: a.Episode + 1, Closed: task.Updated}
	default:
		a.Status, a.Next = taken, time.Time{}
	}
}

func versionOf(r *fhir.Resource) int64 {
	if r == nil {
		return 0
	}
	return r.Ref.Version
}

// written gathers changes.
type written struct {
	maker   bundle.Maker
	changes []bundle.Change
	err     error
}

// put writes a resource; version is the one that it replaces, 0 for any.
func (w *written) put(v compose.Object, version int64) {
	w.raw(compose.JSON(v), fhir.Ref{Type: v["resourceType"].(string), ID: v["id"].(string)}, version)
}

func (w *written) raw(json []byte, ref fhir.Ref, version int64) {
	if w.err != nil {
		return
	}
	source, err := bundle.Parse(json)
	if err == nil {
		var c bundle.Change
		if c, err = w.maker.Update(source, ref, false); err == nil {
			c.IfMatch = version
			w.changes = append(w.changes, c)
		}
	}
	w.err = err
}

// edit changes a stored resource.
func (w *written) edit(r *fhir.Resource, change func(*element.Edit)) {
	d, err := element.Parse(r.JSON)
	if err != nil {
		w.err = err
		return
	}
	e := d.Edit(0)
	change(e)
	w.raw(e.AppendTo(nil), r.Ref.Current(), r.Ref.Version)
}

// lower takes a Flag down.
func (w *written) lower(ctx context.Context, s *Service, ref fhir.Ref, now time.Time) error {
	r, err := s.one(ctx, search.Unrestricted, ref)
	if err != nil || r == nil {
		return err
	}
	d, err := element.Parse(r.JSON)
	if err != nil || d.TextAt(0, "status") != "active" {
		return err
	}
	w.edit(r, func(e *element.Edit) {
		e.Set(0, "status", `"inactive"`)
		e.Set(0, "period", compose.Text(compose.Object{"start": d.TextAt(d.Get(0, "period"), "start"), "end": now.UTC().Format(time.RFC3339)}))
	})
	return w.err
}
