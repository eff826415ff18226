package schedule_test

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/amate-health/amate/telehealth/schedule"
)

func zone(name string) *time.Location {
	z, err := time.LoadLocation(name)
	if err != nil {
		panic(err)
	}
	return z
}

func clock(s string) schedule.Clock {
	c, err := schedule.ParseClock(s)
	if err != nil {
		panic(err)
	}
	return c
}

func at(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t
}

func span(start, end string) schedule.Span { return schedule.Span{Start: at(start), End: at(end)} }

func day(s string) time.Time { return at(s + "T00:00:00Z") }

// starts writes slots as their starts on the wall, with how many are left where not 1.
func starts(r *schedule.Rules, slots []schedule.Slot) string {
	var all []string
	for _, s := range slots {
		text := s.Start.In(r.Zone).Format("02 15:04")
		if s.Left != 1 {
			text += "x" + string(rune('0'+s.Left))
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

func TestFree(t *testing.T) {
	mexico := zone("America/Mexico_City")
	weekdays := []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday}
	morning := schedule.Open{Days: weekdays, From: clock("09:00"), To: clock("11:00")}
	longAgo := at("2026-01-01T00:00:00Z")
	week := span("2026-11-23T00:00:00-06:00", "2026-11-25T00:00:00-06:00") // Monday and Tuesday
	for _, c := range []struct {
		name   string
		rules  schedule.Rules
		within schedule.Span
		taken  []schedule.Taken
		now    time.Time
		want   string
	}{
		{name: "a morning", rules: schedule.Rules{Open: []schedule.Open{morning}, Length: 30 * time.Minute},
			want: "23 09:00, 23 09:30, 23 10:00, 23 10:30, 24 09:00, 24 09:30, 24 10:00, 24 10:30"},
		{name: "buffers", rules: schedule.Rules{Open: []schedule.Open{morning}, Length: 30 * time.Minute, Before: 5 * time.Minute, After: 10 * time.Minute},
			want: "23 09:05, 23 09:50, 24 09:05, 24 09:50"},
		{name: "starts closer than the visits are long", rules: schedule.Rules{Open: []schedule.Open{morning}, Length: time.Hour, Step: 30 * time.Minute},
			taken: []schedule.Taken{{Span: span("2026-11-23T10:00:00-06:00", "2026-11-23T11:00:00-06:00")}},
			want:  "23 09:00, 24 09:00, 24 09:30, 24 10:00"},
		{name: "a taken visit keeps its buffers", rules: schedule.Rules{Open: []schedule.Open{morning}, Length: 30 * time.Minute, Step: 30 * time.Minute, After: 15 * time.Minute},
			taken: []schedule.Taken{{Span: span("2026-11-23T09:30:00-06:00", "2026-11-23T10:00:00-06:00")}},
			want:  "24 09:00, 24 09:30, 24 10:00"},
		{name: "two at a time", rules: schedule.Rules{Open: []schedule.Open{morning}, Length: time.Hour, Capacity: 2},
			taken: []schedule.Taken{{Span: span("2026-11-23T09:00:00-06:00", "2026-11-23T10:00:00-06:00")},
				{Span: span("2026-11-24T10:00:00-06:00", "2026-11-24T11:00:00-06:00")}, {Span: span("2026-11-24T10:00:00-06:00", "2026-11-24T11:00:00-06:00")}},
			want: "23 09:00, 23 10:00x2, 24 09:00x2"},
		{name: "closed", rules: schedule.Rules{Open: []schedule.Open{morning}, Length: time.Hour,
			Closed: []schedule.Span{span("2026-11-23T09:59:00-06:00", "2026-11-24T10:00:00-06:00")}},
			want: "24 10:00"},
		{name: "notice", rules: schedule.Rules{Open: []schedule.Open{morning}, Length: time.Hour, Notice: 24 * time.Hour},
			now: at("2026-11-23T09:30:00-06:00"), want: "24 10:00"},
		{name: "horizon", rules: schedule.Rules{Open: []schedule.Open{morning}, Length: time.Hour, Horizon: 24 * time.Hour},
			now: at("2026-11-22T10:00:00-06:00"), want: "23 09:00"},
		{name: "every other week", rules: schedule.Rules{Length: time.Hour, Open: []schedule.Open{
			{Days: []time.Weekday{time.Tuesday}, From: clock("09:00"), To: clock("10:00"), First: day("2026-11-12"), Every: 2}}},
			within: span("2026-11-01T00:00:00-06:00", "2026-12-20T00:00:00-06:00"),
			want:   "24 09:00, 08 09:00"},
		{name: "until a day", rules: schedule.Rules{Length: time.Hour, Open: []schedule.Open{
			{From: clock("23:00"), To: clock("24:00"), First: day("2026-11-23"), Last: day("2026-11-23")}}},
			within: span("2026-11-20T00:00:00-06:00", "2026-12-20T00:00:00-06:00"), want: "23 23:00"},
		{name: "two parts of a day, one within the other", rules: schedule.Rules{Length: time.Hour, Open: []schedule.Open{
			{Days: weekdays, From: clock("10:00"), To: clock("11:00")}, morning}},
			want: "23 09:00, 23 10:00, 24 09:00, 24 10:00"},
		// The municipalities at the border with the United States keep daylight saving time.
		{name: "the day on which the clock is set forward in Tijuana", rules: schedule.Rules{Zone: zone("America/Tijuana"), Length: 30 * time.Minute,
			Open: []schedule.Open{{From: clock("01:00"), To: clock("04:00")}}},
			within: span("2026-03-08T00:00:00-08:00", "2026-03-08T12:00:00-07:00"),
			want:   "08 01:00, 08 01:30, 08 03:00, 08 03:30"},
		{name: "the day on which it is set back", rules: schedule.Rules{Zone: zone("America/Tijuana"), Length: 30 * time.Minute,
			Open: []schedule.Open{{From: clock("00:30"), To: clock("02:00")}}},
			within: span("2026-11-01T00:00:00-07:00", "2026-11-01T12:00:00-08:00"),
			want:   "01 00:30, 01 01:00, 01 01:30, 01 01:00, 01 01:30"},
		{name: "no such thing in Mexico City since 2022", rules: schedule.Rules{Length: time.Hour,
			Open: []schedule.Open{{From: clock("01:00"), To: clock("04:00")}}},
			within: span("2026-04-05T00:00:00-06:00", "2026-04-05T12:00:00-06:00"),
			want:   "05 01:00, 05 02:00, 05 03:00"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.rules.Zone == nil {
				c.rules.Zone = mexico
			}
			if c.within.Start.IsZero() {
				c.within = week
			}
			if c.now.IsZero() {
				c.now = longAgo
			}
			if err := c.rules.Check(); err != nil {
				t.Fatal(err)
			}
			if got := starts(&c.rules, c.rules.Free(c.within, c.taken, c.now, 0)); got != c.want {
				t.Errorf("free are\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// Whatever is offered keeps clear of what is taken, is within what is asked for, and is
// a slot of the rules; and taking it makes it one less.
func TestFreeKeepsClear(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		minutes := func(from, to int, name string) time.Duration {
			return time.Duration(rapid.IntRange(from, to).Draw(t, name)) * time.Minute
		}
		from := rapid.IntRange(0, 22*60).Draw(t, "from")
		r := schedule.Rules{
			Zone:   zone(rapid.SampledFrom([]string{"America/Mexico_City", "America/Tijuana", "America/Cancun"}).Draw(t, "zone")),
			Open:   []schedule.Open{{From: schedule.Clock(from), To: schedule.Clock(rapid.IntRange(from+1, 24*60).Draw(t, "to"))}},
			Length: minutes(5, 90, "length"), Step: minutes(0, 60, "step"),
			Before: minutes(0, 20, "before"), After: minutes(0, 20, "after"),
			Capacity: rapid.IntRange(0, 3).Draw(t, "capacity"),
		}
		if err := r.Check(); err != nil {
			t.Fatal(err)
		}
		start := time.Date(2026, 3, 7, 0, 0, 0, 0, time.UTC).Add(minutes(0, 400*24*60, "start"))
		within := schedule.Span{Start: start, End: start.Add(72 * time.Hour)}
		var taken []schedule.Taken
		for range rapid.IntRange(0, 12).Draw(t, "bookings") {
			free := r.Free(within, taken, start, 0)
			if len(free) == 0 {
				return
			}
			s := rapid.SampledFrom(free).Draw(t, "slot")
			if s.Start.Before(within.Start) || !s.Start.Before(within.End) || !r.Offers(s.Span) || s.End.Sub(s.Start) != r.Length {
				t.Fatalf("%v is offered", s)
			}
			same := 0
			for _, o := range taken {
				if o.Span == s.Span {
					same++
				} else if s.Start.Before(o.End.Add(r.After+r.Before)) && o.Start.Before(s.End.Add(r.After+r.Before)) {
					t.Fatalf("%v is offered beside %v", s, o)
				}
			}
			if s.Left != max(1, r.Capacity)-same {
				t.Fatalf("%v has %d left after %d", s, s.Left, same)
			}
			taken = append(taken, schedule.Taken{Span: s.Span})
		}
	})
}

func TestCheck(t *testing.T) {
	mexico := zone("America/Mexico_City")
	for name, r := range map[string]schedule.Rules{
		"no zone":         {Length: time.Hour},
		"no length":       {Zone: mexico},
		"negative buffer": {Zone: mexico, Length: time.Hour, Before: -1},
		"closes first":    {Zone: mexico, Length: time.Hour, Open: []schedule.Open{{From: clock("10:00"), To: clock("09:00")}}},
		"every other week from when": {Zone: mexico, Length: time.Hour,
			Open: []schedule.Open{{From: clock("09:00"), To: clock("10:00"), Every: 2}}},
		"ends before it begins": {Zone: mexico, Length: time.Hour,
			Open: []schedule.Open{{From: clock("09:00"), To: clock("10:00"), First: day("2026-02-01"), Last: day("2026-01-01")}}},
		"closed for no time": {Zone: mexico, Length: time.Hour, Closed: []schedule.Span{{}}},
	} {
		if r.Check() == nil {
			t.Errorf("%s: nothing was wrong with it", name)
		}
	}
	for _, bad := range []string{"", "9", "25:00", "09:60", "09:30:15", "24:01"} {
		if c, err := schedule.ParseClock(bad); err == nil {
			t.Errorf("%q was read as %v", bad, c)
		}
	}
}
