package rights

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestHolidays: the days as calendars of these years print them.
func TestHolidays(t *testing.T) {
	for year, want := range map[int]string{
		2024: "2024-01-01 2024-02-05 2024-03-18 2024-05-01 2024-09-16 2024-10-01 2024-11-18 2024-12-25",
		2025: "2025-01-01 2025-02-03 2025-03-17 2025-05-01 2025-09-16 2025-11-17 2025-12-25",
		2026: "2026-01-01 2026-02-02 2026-03-16 2026-05-01 2026-09-16 2026-11-16 2026-12-25",
		2027: "2027-01-01 2027-02-01 2027-03-15 2027-05-01 2027-09-16 2027-11-15 2027-12-25",
		2028: "2028-01-01 2028-02-07 2028-03-20 2028-05-01 2028-09-16 2028-11-20 2028-12-25",
		2029: "2029-01-01 2029-02-05 2029-03-19 2029-05-01 2029-09-16 2029-11-19 2029-12-25",
		2030: "2030-01-01 2030-02-04 2030-03-18 2030-05-01 2030-09-16 2030-10-01 2030-11-18 2030-12-25",
		2031: "2031-01-01 2031-02-03 2031-03-17 2031-05-01 2031-09-16 2031-11-17 2031-12-25",
		2032: "2032-01-01 2032-02-02 2032-03-15 2032-05-01 2032-09-16 2032-11-15 2032-12-25",
	} {
		var got []string
		for _, d := range Holidays(year) {
			got = append(got, d.Format(time.DateOnly))
		}
		if !slices.IsSorted(got) || strings.Join(got, " ") != want {
			t.Errorf("%d: %s, want %s", year, strings.Join(got, " "), want)
		}
	}
}

func calendar(t testing.TB, closed ...string) *Calendar {
	t.Helper()
	c, err := NewCalendar(closed...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func day(t testing.TB, text string) time.Time {
	t.Helper()
	d, err := time.Parse(time.DateOnly, text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestAddBusinessDays(t *testing.T) {
	for _, tt := range []struct {
		from   string
		n      int
		closed string
		want   string
	}{
		{"2026-11-20", 0, "", "2026-11-20"},
		{"2026-11-20", 1, "", "2026-11-23"}, // a Friday
		{"2026-11-21", 1, "", "2026-11-23"}, // filed on a Saturday
		{"2026-11-13", 1, "", "2026-11-17"}, // the third Monday of November
		{"2026-12-24", 1, "", "2026-12-28"}, // Christmas on a Friday
		{"2026-03-02", 20, "", "2026-03-31"},
		{"2026-03-02", 15, "", "2026-03-24"},
		{"2026-12-18", 10, "2026-12-21..2027-01-06", "2027-01-20"}, // the authority's own holidays
		{"2024-09-27", 2, "", "2024-10-02"},                        // a President takes office
		{"2025-09-29", 2, "", "2025-10-01"},
	} {
		var closed []string
		if tt.closed != "" {
			closed = append(closed, tt.closed)
		}
		if got := calendar(t, closed...).Add(day(t, tt.from), tt.n).Format(time.DateOnly); got != tt.want {
			t.Errorf("%s and %d: %s, want %s", tt.from, tt.n, got, tt.want)
		}
	}
}

func TestCalendarRefuses(t *testing.T) {
	for _, bad := range []string{"", "2026", "2026-02-30", "24/12/2026", "2026-12-24..2026-12-20", "2026-12-24..", "2020-01-01..2026-01-01"} {
		if _, err := NewCalendar(bad); err == nil || !strings.Contains(err.Error(), bad) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// TestBusinessDaysAgree: what is added can be counted again, and every end counts itself.
func TestBusinessDaysAgree(t *testing.T) {
	c := calendar(t, "2026-12-21..2027-01-06", "2026-04-02")
	rapid.Check(t, func(t *rapid.T) {
		from := date(2024, time.January, 1).AddDate(0, 0, rapid.IntRange(0, 9*365).Draw(t, "day"))
		n := rapid.IntRange(1, 60).Draw(t, "n")
		end := c.Add(from, n)
		if !c.Business(end) || c.Left(from, end) != n || c.Left(end, from) > 0 {
			t.Fatalf("%s and %d: %s, counted %d", from, n, end, c.Left(from, end))
		}
		if again := c.Add(c.Add(from, n-1), 1); !again.Equal(end) {
			t.Fatalf("%s and %d: %s at once, %s in two steps", from, n, end, again)
		}
	})
}
