package monitor_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
)

// systolic is a reading of a blood pressure some minutes before or after noon.
func systolic(id string, value, minutes int) string {
	at := moment("2026-11-22T12:00:00-06:00").Add(time.Duration(minutes) * time.Minute)
	return fmt.Sprintf(`{"id":%q,"code":"85354-9","value":"%d/50","at":%q}`, id, value, at.Format(time.RFC3339))
}

func weight(id string, value float64, hours int) string {
	at := moment("2026-11-22T12:00:00-06:00").Add(time.Duration(hours) * time.Hour)
	return fmt.Sprintf(`{"id":%q,"code":"29463-7","value":%v,"unit":"kg","at":%q}`, id, value, at.Format(time.RFC3339))
}

// high calls from 140 mm[Hg] on, for one and two.
func high(settings ...string) string {
	return target("8480-6", `"detailRange":{"high":`+quantity("140", "mm[Hg]")+`}`, append(settings, notify("Practitioner/one", "Practitioner/two"))...)
}

func status(d *element.Doc) string { return d.TextAt(0, "status") }

func owner(d *element.Doc) string { return d.TextAt(d.Get(0, "owner"), "reference") }

// evidence returns the readings that a Task names, by the ids of their devices.
func (h *home) evidence(task *element.Doc) (all []string) {
	observations := h.found("Observation")
	for n := range task.Items(0, "input") {
		id := strings.TrimPrefix(task.TextAt(n, "valueReference", "reference"), "Observation/")
		if o := observations[id]; o != nil {
			for i := range o.Items(0, "identifier") {
				all = append(all, o.TextAt(i, "value"))
			}
		}
	}
	return all
}

// TestAlert: an alert is opened once, gathers evidence, is handed on until somebody takes
// it, and is closed; what comes later opens another one. Each step is seen by a process
// that has just begun.
func TestAlert(t *testing.T) {
	onEngines(t, func(h *home) {
		h.put(goal("g", "active", high(duration("escalate", "10", "min"))))
		h.send("", systolic("a", 120, -30), systolic("b", 150, -20))
		h.follow()
		task := h.theOnly("Task")
		if got := h.evidence(task); !slices.Equal(got, []string{"b"}) || status(task) != "requested" || owner(task) != "Practitioner/one" || status(h.theOnly("Flag")) != "active" {
			h.Fatalf("%v %s", got, task.Raw(0))
		}
		if n := len(h.found("Communication")); n != 1 {
			h.Errorf("%d Communications", n)
		}
		h.send("", systolic("c", 160, -10))
		h.follow()
		if task = h.theOnly("Task"); !slices.Equal(h.evidence(task), []string{"b", "c"}) {
			h.Errorf("%s", task.Raw(0))
		}
		h.later(11 * time.Minute)
		h.follow()
		if task = h.theOnly("Task"); owner(task) != "Practitioner/two" || task.TextAt(0, "priority") != "asap" || len(h.found("Communication")) != 2 {
			h.Errorf("%s", task.Raw(0))
		}
		id := task.TextAt(0, "id")
		if _, err := h.call("acknowledge", "Task", id, ""); err == nil {
			h.Error("acknowledged by nobody")
		}
		h.caller = operation.Caller{User: ref("Practitioner/two")}
		for range 2 { // the answer was lost
			if d, err := h.call("acknowledge", "Task", id, "", "note=veo al paciente"); err != nil || status(d) != "accepted" || owner(d) != "Practitioner/two" || len(slices.Collect(d.Items(0, "note"))) != 1 {
				h.Fatal(d, err)
			}
		}
		h.later(time.Hour)
		h.send("", systolic("d", 170, 60))
		h.follow()
		if task = h.theOnly("Task"); status(task) != "accepted" || len(h.found("Communication")) != 2 || !slices.Equal(h.evidence(task), []string{"b", "c", "d"}) {
			h.Errorf("%s", task.Raw(0))
		}
		if d, err := h.call("close-alert", "Task", id, "", "note=se ajustó la dosis"); err != nil || status(d) != "completed" {
			h.Fatal(err)
		}
		if f := h.theOnly("Flag"); status(f) != "inactive" || f.TextAt(0, "period", "end") == "" {
			h.Errorf("%s", f.Raw(0))
		}
		h.follow()
		// What was measured before it was closed opens nothing, however late it comes.
		h.send("", systolic("e", 180, 62))
		h.follow()
		if n := len(h.found("Task")); n != 1 {
			h.Errorf("%d Tasks", n)
		}
		h.later(time.Hour)
		h.send("", systolic("f", 180, 120))
		h.follow()
		if n := len(h.found("Task")); n != 2 {
			h.Errorf("%d Tasks", n)
		}
	})
}

// TestRules: what calls for an alert, and what does not.
func TestRules(t *testing.T) {
	gain := target("29463-7", "", `{"url":"change","valueQuantity":`+quantity("2", "kg")+`}`, duration("window", "3", "d"))
	rows := []struct {
		name, rule string
		sent       []string
		want       []string // evidence; nil for no alert
	}{
		{"at the limit", high(), []string{systolic("a", 140, -1)}, nil},
		{"beyond", high(), []string{systolic("a", 141, -1)}, []string{"a"}},
		{"two of three", high(`{"url":"count","valuePositiveInt":2},{"url":"of","valuePositiveInt":3}`), []string{systolic("a", 150, -9), systolic("b", 130, -8), systolic("c", 150, -7)}, []string{"a", "c"}},
		{"two of four", high(`{"url":"count","valuePositiveInt":2},{"url":"of","valuePositiveInt":3}`), []string{systolic("a", 150, -9), systolic("b", 130, -8), systolic("c", 130, -7), systolic("d", 150, -6)}, nil},
		{"too late to call", high(), []string{systolic("a", 190, -25*60)}, nil},
		{"gained", gain, []string{weight("a", 80, -70), weight("b", 79.5, -48), weight("c", 81.5, -1)}, []string{"b", "c"}},
		{"gained slowly", gain, []string{weight("a", 79.5, -75), weight("b", 81.5, -1)}, nil},
		{"lost", gain, []string{weight("a", 82, -40), weight("b", 79, -1)}, nil},
		{"another unit", target("2339-0", `"detailRange":{"low":`+quantity("4", "mmol/L")+`}`),
			[]string{`{"id":"a","code":"41653-7","value":70,"unit":"mg/dL","at":"2026-11-22T11:00:00-06:00"}`, `{"id":"b","code":"15074-8","value":4.1,"unit":"mmol/L","at":"2026-11-22T11:00:00-06:00"}`}, []string{"a"}},
		{"off", "", []string{systolic("a", 250, -1)}, nil},
	}
	onEngines(t, func(h *home) {
		for i, r := range rows {
			id := fmt.Sprint("g", i)
			h.another(fmt.Sprint("p", i))
			if r.rule != "" {
				h.put(goal(id, "active", r.rule))
			}
			h.follow()
			h.send("", r.sent...)
			h.follow()
			var got []string
			for _, task := range h.found("Task") {
				if status(task) == "requested" {
					got = h.evidence(task)
				}
			}
			if !slices.Equal(got, r.want) {
				h.Errorf("%s: %v, want %v", r.name, got, r.want)
			}
			// The rule ends, and with it what it called for.
			if r.rule != "" {
				h.put(goal(id, "completed", r.rule))
			}
			h.follow()
			for _, typ := range []string{"Task", "Flag"} {
				for _, d := range h.found(typ) {
					if s := status(d); s == "requested" || s == "active" {
						h.Errorf("%s: the %s goes on", r.name, typ)
					}
				}
			}
		}
	})
}

// TestSilence: nothing was measured for too long; and then something was.
func TestSilence(t *testing.T) {
	onEngines(t, func(h *home) {
		h.put(goal("g", "active", target("29463-7", "", duration("silence", "36", "h"))))
		h.follow()
		h.later(35 * time.Hour)
		h.follow()
		if n := len(h.found("Task")); n != 0 {
			h.Errorf("%d Tasks", n)
		}
		h.later(2 * time.Hour)
		h.follow()
		if task := h.theOnly("Task"); status(task) != "requested" || owner(task) != "Practitioner/gp" {
			h.Errorf("%s", task.Raw(0))
		}
		h.send("", weight("a", 80, 36))
		h.follow()
		if task := h.theOnly("Task"); status(task) != "cancelled" || status(h.theOnly("Flag")) != "inactive" {
			h.Errorf("%s", task.Raw(0))
		}
		h.later(34 * time.Hour)
		h.follow()
		if task := h.theOnly("Task"); status(task) != "cancelled" {
			h.Errorf("%s", task.Raw(0))
		}
		h.later(2 * time.Hour)
		h.follow()
		if task := h.theOnly("Task"); status(task) != "requested" {
			h.Errorf("%s", task.Raw(0))
		}
	})
}

// TestAnyOrder: however readings are cut into deliveries, ordered and repeated, the same
// Observations are stored, and the same alerts are open with the same evidence.
func TestAnyOrder(t *testing.T) {
	most := map[string]int{"sqlite": 8, "postgres": 4} // each waits for the feed
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			h := newHome(t, engine)
			n, failed := 0, false
			rapid.Check(t, func(r *rapid.T) {
				if n++; n > most[engine] && !failed {
					return
				}
				var readings []string
				for i := range rapid.IntRange(1, 12).Draw(r, "n") {
					minutes := -rapid.IntRange(0, 40).Draw(r, "minutes")*60 - i
					if rapid.Bool().Draw(r, "weight") {
						readings = append(readings, fmt.Sprintf(`{"id":"w%d","code":"29463-7","value":%d,"unit":"kg","at":%q}`, i, rapid.IntRange(80, 83).Draw(r, "kg"), h.time().Add(time.Duration(minutes)*time.Minute).Format(time.RFC3339)))
					} else {
						readings = append(readings, systolic(fmt.Sprint("p", i), rapid.SampledFrom([]int{120, 150}).Draw(r, "mmHg"), minutes))
					}
				}
				first := h.outcome(fmt.Sprint("a", n), [][]string{readings})
				mixed := append(rapid.Permutation(readings).Draw(r, "order"), rapid.SliceOfN(rapid.SampledFrom(readings), 0, 6).Draw(r, "again")...)
				var parts [][]string
				for len(mixed) > 0 {
					k := rapid.IntRange(1, len(mixed)).Draw(r, "part")
					parts, mixed = append(parts, mixed[:k]), mixed[k:]
				}
				if second := h.outcome(fmt.Sprint("b", n), parts); second != first {
					failed = true
					r.Fatalf("in another order:\n%s\nat once:\n%s", second, first)
				}
			})
		})
	}
}

// outcome sends readings of somebody new in parts, each followed by a look, and returns
// what is there at the end.
func (h *home) outcome(who string, parts [][]string) string {
	h.Helper()
	h.another(who)
	h.put(goal(who, "active", high(`{"url":"count","valuePositiveInt":2},{"url":"of","valuePositiveInt":3}`),
		target("29463-7", `"detailQuantity":{"comparator":"<","value":83,"system":"http://unitsofmeasure.org","code":"kg"}`, `{"url":"change","valueQuantity":`+quantity("2", "kg")+`}`, duration("window", "12", "h"))))
	h.follow()
	for _, p := range parts {
		h.send("", p...)
		h.follow()
	}
	var all []string
	for _, d := range h.found("Observation") {
		text := d.TextAt(0, "effectiveDateTime") + d.TextAt(d.Get(0, "valueQuantity"), "value")
		for n := range d.Items(0, "identifier") {
			text += " " + d.TextAt(n, "value")
		}
		for n := range d.Items(0, "component") {
			text += " " + d.TextAt(d.Get(n, "valueQuantity"), "value")
		}
		all = append(all, text)
	}
	for _, d := range h.found("Task") {
		if status(d) == "requested" {
			got := h.evidence(d)
			slices.Sort(got)
			all = append(all, "open "+d.TextAt(0, "description")+" "+strings.Join(got, " "))
		}
	}
	for _, d := range h.found("Flag") {
		if status(d) == "active" {
			all = append(all, "active "+d.TextAt(0, "code", "text"))
		}
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}
