package schedule

import (
	"strconv"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/operation"
)

// SeriesSystem is the system of the identifier that Appointments have in common which were
// booked together: the id of the first of them.
const SeriesSystem = base + "NamingSystem/appointment-series"

// Series is how often something takes place.
type Series struct {
	Count int // of visits, the first among them; 1 or more
	Every int // weeks from one to the next; 1 or more
}

// Bounds of a series.
const (
	mostVisits = 20
	mostWeeks  = 8
)

// series reads the parameters repeat and every.
func series(call *operation.Call) (r Series, err error) {
	if r.Count, err = counted(call, "repeat", "how many visits there are, the first among them", 2, mostVisits); err != nil {
		return r, err
	}
	if r.Every, err = counted(call, "every", "how many weeks are from one visit to the next", 1, mostWeeks); err != nil {
		return r, err
	}
	if r.Every > 0 && r.Count == 0 {
		return r, fhir.Errorf(fhir.Invalid, "the parameter every goes with repeat: how many visits there are")
	}
	return Series{max(1, r.Count), max(1, r.Every)}, nil
}

// counted returns a parameter that is a number within bounds, 0 when it is left out.
func counted(call *operation.Call, name, what string, least, most int) (int, error) {
	text, err := call.In.Text(name)
	if err != nil || text == "" {
		return 0, err
	}
	n, bad := strconv.Atoi(text)
	if bad != nil || n < least || n > most {
		return 0, fhir.Errorf(fhir.Invalid, "the parameter %s is a number from %d to %d: %s", name, least, most, what).With("%.20q", text)
	}
	return n, nil
}

// times returns when the visits of a series are: at the same time on the clock of the
// agenda, whose zone may change its hour meanwhile.
func (s *Service) times(a *Agenda, first Span, r Series) ([]Span, error) {
	all := []Span{first}
	for i := 1; i < r.Count; i++ {
		at := a.span(first.Start.In(a.Rules.Zone).AddDate(0, 0, 7*r.Every*i))
		if err := s.offered(a, at); err != nil {
			return nil, err
		}
		all = append(all, at)
	}
	return all, nil
}
