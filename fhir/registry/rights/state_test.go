package rights

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/amate-health/amate/fhir"
)

// TestStates: every decision in every state, under both laws.
func TestStates(t *testing.T) {
	allowed := map[State]map[Decision]State{
		Received: {Extend: Extended, Grant: Granted, Deny: Denied, Withdraw: Withdrawn},
		Extended: {Grant: Granted, Deny: Denied, Withdraw: Withdrawn},
		Granted:  {Extend: Delayed, Execute: Executed, Withdraw: Withdrawn},
		Delayed:  {Execute: Executed, Withdraw: Withdrawn},
	}
	for _, regime := range []Regime{Public, Private} {
		for _, right := range []Right{Access, Rectification, Cancellation, Opposition, Portability} {
			for _, s := range []State{Received, Extended, Granted, Delayed, Denied, Executed, Withdrawn, ""} {
				for _, d := range append(slices.Clone(decisions), "erase", "") {
					want := allowed[s][d]
					switch {
					case regime.Name == "public" && s == Granted && d == Extend:
						want = ""
					case right == Cancellation && d == Withdraw && (s == Granted || s == Delayed):
						want = "" // it is blocked already
					}
					got, err := regime.Next(right, s, d)
					if got != want || (err == nil) != (want != "") || err != nil && fhir.CodeOf(err) != fhir.Conflict {
						t.Errorf("%s, %s, %q, %q: %q %v, want %q", regime.Name, right, s, d, got, err, want)
					}
				}
			}
		}
	}
}

// TestDeadlines: when a request of a day has to be answered and executed.
func TestDeadlines(t *testing.T) {
	c := calendar(t)
	for _, tt := range []struct {
		regime        Regime
		came, granted string
		state         State
		want          string
	}{
		{Public, "2026-03-02", "", Received, "2026-03-31"},
		{Public, "2026-03-02", "", Extended, "2026-04-14"},
		{Private, "2026-03-02", "", Extended, "2026-04-28"},
		{Public, "2026-03-02", "2026-03-30", Granted, "2026-04-20"},
		{Private, "2026-03-02", "2026-03-30", Delayed, "2026-05-12"}, // past the first of May
		{Public, "2026-12-18", "", Received, "2027-01-19"},
		{Public, "2026-12-18", "", Denied, ""},
		{Public, "2026-12-18", "2026-12-20", Executed, ""},
	} {
		granted := time.Time{}
		if tt.granted != "" {
			granted = day(t, tt.granted)
		}
		got := ""
		if at := tt.regime.term(c, tt.state, day(t, tt.came), granted); !at.IsZero() {
			got = at.Format(time.DateOnly)
		}
		if got != tt.want {
			t.Errorf("%s, %s of %s: %s, want %s", tt.regime.Name, tt.state, tt.came, got, tt.want)
		}
	}
}

// TestLabel: the label goes on and off, and nothing else of the resource changes.
func TestLabel(t *testing.T) {
	l := Label{"urn:s", "b"}
	for _, in := range []string{
		`{"resourceType":"Patient","id":"a"}`,
		`{"resourceType":"Patient","id":"a","meta":{"versionId":"1","lastUpdated":"2026-01-01T00:00:00Z"},"active":true}`,
		`{"resourceType":"Patient","id":"a","meta":{"security":[{"system":"urn:s","code":"other"}],"tag":[{"code":"x"}]}}`,
	} {
		on, err := l.put([]byte(in))
		if err != nil || !l.On(on) || l.On([]byte(in)) {
			t.Fatalf("%s: %s, %v", in, on, err)
		}
		if again, err := l.put(on); err != nil || string(again) != string(on) {
			t.Errorf("twice: %s, %v", again, err)
		}
		off, err := l.drop(on)
		if err != nil || l.On(off) {
			t.Errorf("%s: %s, %v", in, off, err)
		}
		if off2, err := l.drop(off); err != nil || string(off2) != string(off) {
			t.Errorf("dropped twice: %s, %v", off2, err)
		}
		if string(off) != in && in != `{"resourceType":"Patient","id":"a"}` {
			t.Errorf("on and off: %s, was %s", off, in)
		}
	}
}

// TestOver: a record is kept for five years at the least, whatever is configured.
func TestOver(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		last := date(2015, time.January, 1).AddDate(0, 0, rapid.IntRange(0, 4000).Draw(t, "last"))
		now := date(2015, time.January, 1).AddDate(0, 0, rapid.IntRange(0, 8000).Draw(t, "now"))
		years := rapid.IntRange(-3, 20).Draw(t, "years")
		r := Record{LastAct: last, Changed: now}
		if r.Over(years, now) && now.Before(last.AddDate(5, 0, 0)) {
			t.Fatalf("%s is over at %s with %d years", last, now, years)
		}
		if years >= 5 && now.After(last.AddDate(years, 0, 0)) != r.Over(years, now) {
			t.Fatalf("%s at %s with %d years: %v", last, now, years, r.Over(years, now))
		}
	})
	if (&Record{}).Over(5, date(2099, time.January, 1)) {
		t.Error("a record of which nothing is known is over")
	}
}
