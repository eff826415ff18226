package schedule_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
)

// The vectors of the date rules: a day that the month lacks is the first of the next.
func TestAdd(t *testing.T) {
	for _, c := range []struct{ from, period, want string }{
		{"2025-03-15", "2 months", "2025-05-15"},
		{"2025-03-15", "6 weeks", "2025-04-26"},
		{"2025-03-15", "6 weeks - 4 days", "2025-04-22"},
		{"2024-12-31", "2 months", "2025-03-01"},
		{"2024-12-31", "4 months", "2025-05-01"},
		{"2024-12-31", "18 months", "2026-07-01"},
		{"2024-02-29", "12 months", "2025-03-01"},
		{"2024-02-29", "1 year", "2025-03-01"},
		{"2024-02-29", "4 years", "2028-02-29"},
		{"2024-02-29", "11 years", "2035-03-01"},
		{"2024-12-31", "7 months + 29 days", "2025-08-29"},
		{"2024-01-31", "1 month - 4 days", "2024-02-26"},
		{"2024-03-31", "0 days", "2024-03-31"},
	} {
		d, err := schedule.ParseDate(c.from)
		if err != nil {
			t.Fatal(err)
		}
		p, err := schedule.ParsePeriod(c.period)
		if err != nil {
			t.Fatal(err)
		}
		if got := d.Add(p).String(); got != c.want {
			t.Errorf("%s + %s = %s, want %s", c.from, c.period, got, c.want)
		}
	}
}

func TestParsePeriod(t *testing.T) {
	for _, bad := range []string{"months", "2", "2 moons", "2 months 4 days", "two months", "2 months - ", "1 2 days"} {
		if p, err := schedule.ParsePeriod(bad); err == nil {
			t.Errorf("%q was read as %v", bad, p)
		}
	}
	if p, err := schedule.ParsePeriod(""); err != nil || p.Set {
		t.Errorf("an empty period: %v %v", p, err)
	}
}

func TestDatesComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := schedule.Day(1900, 1, 1) + schedule.Date(rapid.IntRange(0, 80_000).Draw(t, "days"))
		back, err := schedule.ParseDate(d.String())
		if err != nil || back != d || schedule.DateOf(d.Time()) != d {
			t.Fatalf("%s came back as %s: %v", d, back, err)
		}
		p := schedule.Period{Months: rapid.IntRange(0, 400).Draw(t, "months"), Days: rapid.IntRange(-40, 40).Draw(t, "extra"), Set: true}
		again, err := schedule.ParsePeriod(p.String())
		if err != nil || again != p {
			t.Fatalf("%v is written %q and read %v: %v", p, p, again, err)
		}
		if next := d + 1; next.Add(p) < d.Add(p) {
			t.Fatalf("%s + %s is after %s + %s", d, p, next, p)
		}
	})
	if d := schedule.Day(1970, time.January, 1); d.String() != "1970-01-01" || d.IsZero() {
		t.Errorf("the day of the epoch is %s", d)
	}
	if s := schedule.NoDate.String(); s != "" {
		t.Errorf("no date is written %q", s)
	}
}
