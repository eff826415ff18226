package referral

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/compose"
)

// TestSteps: whatever is tried in whatever order, a referral ends once and stays ended,
// nobody is answered who was not accepted, and a step that is refused changes nothing.
func TestSteps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at, past := Sent, []State{Sent}
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			s := rapid.SampledFrom(steps).Draw(t, "step")
			next, err := s.take(at)
			if allowed := slices.Contains(s.from, at); allowed != (err == nil) {
				t.Fatalf("%s when it is %s: %v", s.name, at, err)
			}
			if err != nil {
				if next != at || fhir.CodeOf(err) != fhir.Conflict || !strings.Contains(err.Error(), string(at)) {
					t.Fatalf("refused, it goes from %s to %s: %v", at, next, err)
				}
				continue
			}
			if !at.Open() {
				t.Fatalf("it goes on after %s", at)
			}
			if next == Answered && (!slices.Contains(past, Accepted) || at != Answering) {
				t.Fatalf("answered by way of %v", past)
			}
			if s.by == sender && next != Cancelled || s.by == receiver && next == Cancelled {
				t.Fatalf("%s is by the wrong side", s.name)
			}
			at, past = next, append(past, next)
		}
	})
	for _, s := range States() {
		k, ok := kept[s]
		open := slices.Contains([]string{"requested", "accepted", "in-progress"}, k.task)
		if !ok || open != s.Open() || (k.request == "active") != s.Open() || (lateText[s] != "") != s.Open() {
			t.Errorf("%s is kept as %+v", s, k)
		}
		if s.Open() && !slices.ContainsFunc(steps, func(x *step) bool { return slices.Contains(x.from, s) && x.to != s }) {
			t.Errorf("there is no way out of %s", s)
		}
	}
}

// weekdays has no holidays.
type weekdays struct{}

func (weekdays) Add(day time.Time, n int) time.Time {
	for n > 0 {
		if day = day.AddDate(0, 0, 1); day.Weekday() != time.Saturday && day.Weekday() != time.Sunday {
			n--
		}
	}
	return day
}

func TestSpan(t *testing.T) {
	for _, c := range []struct {
		span       Span
		from, want string
	}{
		{Span{Hours: 4}, "2026-11-21T23:30:00Z", "2026-11-22T03:30:00Z"},          // a weekend does not matter
		{Span{Days: 1}, "2026-11-20T12:00:00-06:00", "2026-11-24T00:00:00-06:00"}, // Friday: until Monday is over
		{Span{Days: 1}, "2026-11-21T02:00:00Z", "2026-11-24T00:00:00-06:00"},      // still Friday in Mexico
		{Span{Days: 5}, "2026-11-23T08:00:00-06:00", "2026-12-01T00:00:00-06:00"},
	} {
		from, _ := time.Parse(time.RFC3339, c.from)
		want, _ := time.Parse(time.RFC3339, c.want)
		if got := c.span.after(from, weekdays{}, central); !got.Equal(want) {
			t.Errorf("%+v after %s: %s, want %s", c.span, c.from, got, want)
		}
	}
}

func TestDeadlines(t *testing.T) {
	d := DefaultDeadlines()
	for i, p := range priorities[1:] { // the more urgent, the sooner
		from := time.Date(2026, 11, 23, 16, 0, 0, 0, time.UTC)
		slow, fast := d.of(priorities[i]), d.of(p)
		for _, pair := range [][2]Span{{slow.Respond, fast.Respond}, {slow.Attend, fast.Attend}, {slow.Report, fast.Report}} {
			if pair[1].after(from, weekdays{}, central).After(pair[0].after(from, weekdays{}, central)) {
				t.Errorf("%s has more time than %s: %+v", p, priorities[i], pair)
			}
		}
	}
	if d.of("").Priority != "routine" {
		t.Error(d.of(""))
	}
	good := string(builtIn)
	for name, bad := range map[string]string{
		"no list":             `{}`,
		"not all":             `[]`,
		"twice":               strings.Replace(good, `"urgent"`, `"routine"`, 1),
		"unknown":             strings.Replace(good, `"urgent"`, `"soon"`, 1),
		"both":                strings.Replace(good, `{"hours":1}`, `{"hours":1,"days":1}`, 1),
		"neither":             strings.Replace(good, `{"hours":1}`, `{}`, 1),
		"before it began":     strings.Replace(good, `{"hours":1}`, `{"hours":-1}`, 1),
		"years":               strings.Replace(good, `{"days":30}`, `{"days":3000}`, 1),
		"something else":      strings.Replace(good, `{"hours":1}`, `{"weeks":1}`, 1),
		"a priority too many": strings.Replace(good, `]`, `,{"priority":"x"}]`, 1),
	} {
		if _, err := ParseDeadlines([]byte(bad)); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

// TestHold: no version of a referral is written, changed or deleted without the right.
func TestHold(t *testing.T) {
	task := `{"resourceType":"Task","code":{"coding":[{"system":"` + System + `","code":"referral"}]}}`
	escaped := strings.Replace(task, "CodeSystem/referral", `CodeSystem\/referral`, 1)
	unicode := strings.Replace(task, "CodeSystem/referral", `CodeSystem/r\u0065ferral`, 1)
	request := `{"resourceType":"ServiceRequest","category":[{"text":"x"},{"coding":[{"system":"urn:x","code":"y"},{"system":"` + System + `","code":"counter-referral"}]}]}`
	other := `{"resourceType":"Task","code":{"coding":[{"system":"urn:x","code":"referral"}]},"description":"` + System + `"}`
	at := func(json string) *fhir.Resource { return &fhir.Resource{JSON: []byte(json)} }
	for _, json := range []string{task, escaped, unicode, request} {
		if held(nil, at(json)) == nil || held(at(json), at(other)) == nil || held(at(other), at(json)) == nil || held(at(json), &fhir.Resource{}) == nil {
			t.Errorf("not held: %s", json)
		}
	}
	for _, err := range []error{held(nil, at(other)), held(at(other), at(other)), held(at(other), &fhir.Resource{})} {
		if err != nil {
			t.Error(err)
		}
	}
}

// TestNote: whatever people write stays text, nothing that was there is lost, and what
// nobody wrote stays to be written.
func TestNote(t *testing.T) {
	n := &note{all: object{}}
	n.blank(&making{patient: fhir.Ref{Type: "Patient", ID: "p"}})
	rapid.Check(t, func(t *rapid.T) {
		n := &note{all: object{}, sections: slices.Clone(n.sections)}
		text := rapid.StringMatching(`[a-z<>&"' \n\r]{0,40}`).Draw(t, "text")
		n.write("motivo-de-envio", "Antes")
		n.write("motivo-de-envio", text, fhir.Ref{Type: "Condition", ID: "k"}, fhir.Ref{Type: "Condition", ID: "k"})
		n.write("no-hay", text)
		var c struct {
			Section []struct {
				Text  struct{ Status, Div string }
				Entry []struct{ Reference string }
			}
		}
		if err := json.Unmarshal(n.json(), &c); err != nil {
			t.Fatal(err)
		}
		for i, s := range c.Section {
			if n.sections[i].code != "motivo-de-envio" {
				if s.Text.Status != "empty" {
					t.Fatalf("%s was written", n.sections[i].code)
				}
				continue
			}
			inner := strings.TrimSuffix(strings.TrimPrefix(s.Text.Div, divOpen), divClose)
			if bare := strings.NewReplacer("<p>", "", "</p>", "").Replace(inner); strings.ContainsAny(bare, `<>"`) || !strings.HasPrefix(bare, "Antes") || strings.Count(inner, "<p>") != strings.Count(inner, "</p>") {
				t.Fatalf("%q becomes %s", text, s.Text.Div)
			}
			if len(s.Entry) != 1 || !n.has("motivo-de-envio", fhir.Ref{Type: "Condition", ID: "k"}) {
				t.Fatal(s.Entry)
			}
		}
	})
}

// TestReadTask: what is written of a Task is read again.
func TestReadTask(t *testing.T) {
	s := &service{Config{Calendar: weekdays{}}.filled()}
	m := &making{patient: fhir.Ref{Type: "Patient", ID: "p"}, from: &place{ref: fhir.Ref{Type: "Organization", ID: "a"}}, to: &place{ref: fhir.Ref{Type: "Organization", ID: "b"}}, priority: "stat", reason: "x"}
	now := time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC)
	text := compose.JSON(s.task(m, fhir.Ref{Type: "ServiceRequest", ID: "r"}, []compose.Object{part("note", "", "Reference", compose.Reference(fhir.Ref{Type: "Composition", ID: "n"}))}, now, now.Add(time.Hour)))
	got, err := readTask(&fhir.Resource{Ref: fhir.Ref{Type: "Task", ID: "t", Version: 1}, JSON: text})
	if err != nil || got.state != Sent || got.overdue || got.sender.ID != "a" || got.receiver.ID != "b" || got.patient.ID != "p" || got.request.ID != "r" || !got.due.Equal(now.Add(time.Hour)) {
		t.Fatalf("%+v %v", got, err)
	}
	for _, to := range States() {
		w := &writing{}
		got.move(w, to, now, map[bool]time.Time{true: now.Add(90 * time.Minute)}[to.Open()])
		again, err := readTask(&fhir.Resource{JSON: compose.JSON(got.o)})
		if err != nil || again.state != to || len(w.entries) != map[bool]int{true: 1}[to.Open()] || again.start != stamp(now) {
			t.Errorf("%s: %+v %v %v", to, again, w.entries, err)
		}
	}
	if _, err := readTask(&fhir.Resource{JSON: []byte(`{"resourceType":"Task","code":{"text":"x"}}`)}); fhir.CodeOf(err) != fhir.Unprocessable {
		t.Error(err)
	}
}

func TestStatesOf(t *testing.T) {
	for asked, want := range map[string]int{"": 4, "open": 4, "closed": 3, "all": 0, "overdue": 1, "sent": 1} {
		got, err := statesOf(asked)
		if n := strings.Count(got, StateSystem+"|"); err != nil || n != want {
			t.Errorf("%q: %s %v", asked, got, err)
		}
	}
	if _, err := statesOf("Sent"); fhir.CodeOf(err) != fhir.Invalid {
		t.Error(err)
	}
}
