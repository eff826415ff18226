package monitor

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
)

const (
	trendDays     = 30     // that a trend has unless it is said otherwise
	mostTrendDays = 366    //
	mostTrend     = 20_000 // Observations that a trend is made of
)

// day is what a series has of a day.
type day struct {
	date           string
	min, max, last float64
	sum            float64
	at             time.Time // of last
	n              int
}

// trend answers Patient/[id]/$measurements: what was measured, by days, of what the caller
// may see.
func (s *Service) trend(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := understood(call, "code", "start", "end"); err != nil {
		return nil, err
	}
	patient, err := s.one(ctx, call.Restriction, call.Ref())
	if err != nil {
		return nil, err
	}
	if patient == nil {
		return nil, fhir.Errorf(fhir.NotFound, "no such Patient is shown to you")
	}
	wanted, err := codes(call)
	if err != nil {
		return nil, err
	}
	from, to, err := s.days(call)
	if err != nil {
		return nil, err
	}
	all, err := s.gather(ctx, call, wanted, from, to)
	if err != nil {
		return nil, err
	}
	parts := []compose.Object{compose.Part("start", "Date", from.Format(time.DateOnly)), compose.Part("end", "Date", to.AddDate(0, 0, -1).Format(time.DateOnly))}
	seen := map[string]bool{}
	for _, m := range known.list {
		if days := all[m.Key]; len(days) > 0 && !seen[m.Key] {
			seen[m.Key] = true
			parts = append(parts, series(m, days))
		}
	}
	return &operation.Answer{JSON: compose.Parameters(parts...)}, nil
}

// codes returns the measures that a call asks for: those that it names, or all.
func codes(call *operation.Call) ([]*Measure, error) {
	var all []*Measure
	for _, v := range call.In.All("code") {
		for _, code := range strings.Split(v.Text, ",") {
			code = strings.TrimPrefix(code, loinc+"|")
			m := known.all[code]
			if m == nil {
				m = known.single[code]
			}
			if m == nil {
				return nil, fhir.Errorf(fhir.Invalid, "the parameter code is a code of LOINC of something that is measured at home").With("%.50q", code)
			}
			for _, k := range known.list {
				if k.Key == m.Key || m.component(k.Codes[0]) != nil {
					all = append(all, k)
				}
			}
		}
	}
	if len(all) == 0 {
		all = known.list
	}
	return all, nil
}

// days returns the days that a call asks for: from, and the one after the last.
func (s *Service) days(call *operation.Call) (from, to time.Time, err error) {
	now := s.Now().In(s.Zone)
	to = time.Date(now.Year(), now.Month(), now.Day()+1, 0, 0, 0, 0, s.Zone)
	read := func(name string, otherwise time.Time) time.Time {
		text, bad := call.In.Text(name)
		if bad != nil || text == "" {
			if err == nil {
				err = bad
			}
			return otherwise
		}
		t, bad := time.ParseInLocation(time.DateOnly, text, s.Zone)
		if bad != nil && err == nil {
			err = fhir.Errorf(fhir.Invalid, "the parameter %s is a date, such as 2026-11-22", name).With("%.50q", text)
		}
		return t
	}
	to = read("end", to.AddDate(0, 0, -1)).AddDate(0, 0, 1)
	from = read("start", to.AddDate(0, 0, -trendDays))
	if err == nil && (!from.Before(to) || from.AddDate(0, 0, mostTrendDays).Before(to)) {
		err = fhir.Errorf(fhir.Invalid, "start is before end, by %d days at most", mostTrendDays)
	}
	return from, to, err
}

// gather reads what was measured, by the keys of measures and days.
func (s *Service) gather(ctx context.Context, call *operation.Call, wanted []*Measure, from, to time.Time) (map[string][]day, error) {
	var list []string
	for _, m := range wanted {
		for _, c := range m.Codes {
			list = append(list, loinc+"|"+c)
		}
	}
	opts := call.Search
	opts.MaxCount = mostFound
	q, err := search.Parse("Observation", []search.Param{
		{Name: "patient", Value: call.ID}, {Name: "combo-code", Value: strings.Join(list, ",")}, {Name: "_count", Value: strconv.Itoa(mostFound)},
		{Name: "date", Value: "ge" + from.UTC().Format(time.RFC3339)}, {Name: "date", Value: "lt" + to.UTC().Format(time.RFC3339)},
	}, opts)
	if err != nil {
		return nil, err
	}
	q.Restriction = call.Restriction
	all := map[string][]day{}
	for n := 0; ; {
		found, err := s.Store.Search(ctx, q)
		if err != nil {
			return nil, err
		}
		for i := range found.Matches {
			_, values := valuesOf(&found.Matches[i], s.Late)
			for _, v := range values {
				if slices.ContainsFunc(wanted, func(m *Measure) bool { return m.Key == v.key }) {
					all[v.key] = counted(all[v.key], v.point, s.Zone)
				}
			}
		}
		if n += len(found.Matches); found.Next == "" {
			return all, nil
		}
		if n >= mostTrend {
			return nil, fhir.Errorf(fhir.TooCostly, "there are more than %d measurements: ask for fewer days, or fewer codes", mostTrend)
		}
		q.After = found.Next
	}
}

// counted counts a value into its day.
func counted(days []day, p point, zone *time.Location) []day {
	date := p.At.In(zone).Format(time.DateOnly)
	i, ok := slices.BinarySearchFunc(days, date, func(d day, date string) int { return strings.Compare(d.date, date) })
	if !ok {
		days = slices.Insert(days, i, day{date: date, min: p.Value, max: p.Value})
	}
	d := &days[i]
	d.min, d.max, d.sum, d.n = min(d.min, p.Value), max(d.max, p.Value), d.sum+p.Value, d.n+1
	if !p.At.Before(d.at) {
		d.at, d.last = p.At, p.Value
	}
	return days
}

// series writes the days of a measure.
func series(m *Measure, days []day) compose.Object {
	parts := []compose.Object{
		compose.Part("code", "Coding", compose.Coding(loinc, m.Codes[0], m.Text)), compose.Part("unit", "Code", m.Unit),
	}
	decimal := func(name string, f float64) compose.Object {
		return compose.Part(name, "Decimal", json.RawMessage(strconv.FormatFloat(f, 'f', m.Decimals+1, 64)))
	}
	for i := range days {
		d := &days[i]
		parts = append(parts, compose.Object{"name": "day", "part": []compose.Object{
			compose.Part("date", "Date", d.date), compose.Part("count", "UnsignedInt", d.n), decimal("min", d.min), decimal("max", d.max),
			decimal("mean", d.sum/float64(d.n)), decimal("last", d.last),
		}})
	}
	return compose.Object{"name": "series", "part": parts}
}
