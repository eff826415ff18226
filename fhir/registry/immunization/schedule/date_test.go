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

// The calendar is that of package time.
func TestAddAgreesWithTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := schedule.Day(1600, 1, 1) + schedule.Date(rapid.IntRange(0, 300_000).Draw(t, "days"))
		p := schedule.Period{Months: rapid.IntRange(-500, 2_000).Draw(t, "months"), Set: true}
		from := d.Time()
		want := from.AddDate(0, p.Months, 0)
		if want.Day() != from.Day() { // the month lacks the day
			want = time.Date(want.Year(), want.Month(), 1, 0, 0, 0, 0, time.UTC)
		}
		if got := d.Add(p); got != schedule.DateOf(want) {
			t.Fatalf("%s + %s = %s, want %s", d, p, got, want.Format(time.DateOnly))
		}
	})
}

func TestShelf(t *testing.T) {
	day := func(y int) schedule.Date { return schedule.Day(y, 1, 1) }
	s := schedule.Shelf{{Version: "1", To: day(2020)}, {Version: "2", From: day(2019), To: day(2025)}}
	for _, c := range []struct {
		on   schedule.Date
		want string
	}{{day(1990), "1"}, {day(2019) - 1, "1"}, {day(2019), "2"}, {day(2025), "2"}, {day(2025) + 1, ""}} {
		got := ""
		if v := s.On(c.on); v != nil {
			got = v.Version
		}
		if got != c.want {
			t.Errorf("on %s version %q holds, want %q", c.on, got, c.want)
		}
	}
}
