package dose

import (
	"strings"
	"time"

	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
)

// span is a time that is known to a precision: from its first instant to before its end.
type span struct {
	from, until time.Time
	day         bool // it is known to the day
}

// first and last are the days that it may be on.
func (s span) first(zone *time.Location) schedule.Date { return schedule.DateOf(s.from.In(zone)) }

func (s span) last(zone *time.Location) schedule.Date {
	return schedule.DateOf(s.until.Add(-1).In(zone))
}

// written is the last day that it may be on as it was written, in the zone of the writer.
func (s span) written() schedule.Date { return schedule.DateOf(s.until.Add(-1)) }

// readSpan reads a date or dateTime of FHIR; one without a zone is of the given one.
//
// See https://hl7.org/fhir/R4/datatypes.html#dateTime.
func readSpan(text string, zone *time.Location) (span, bool) {
	if strings.Contains(text, "T") {
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04Z07:00"} {
			if t, err := time.Parse(layout, text); err == nil && t.Year() > 1800 {
				return span{t, t.Add(1), true}, true
			}
		}
		return span{}, false
	}
	layouts := map[int]string{4: "2006", 7: "2006-01", 10: time.DateOnly}
	t, err := time.ParseInLocation(layouts[len(text)], text, zone)
	if layouts[len(text)] == "" || err != nil || t.Year() <= 1800 {
		return span{}, false
	}
	switch len(text) {
	case 4:
		return span{t, t.AddDate(1, 0, 0), false}, true
	case 7:
		return span{t, t.AddDate(0, 1, 0), false}, true
	}
	return span{t, t.AddDate(0, 0, 1), true}, true
}
