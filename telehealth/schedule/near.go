package schedule

import (
	"context"
	"slices"
	"time"

	"github.com/amate-health/amate/fhir"
)

// alternatives is how many other slots are named to who comes too late, and aheadFor how far
// after the one that they wanted.
const (
	alternatives = 5
	aheadFor     = 14 * 24 * time.Hour
)

// full tells that a slot is taken, and which ones near it are free.
func (s *Service) full(ctx context.Context, a *Agenda, wanted Span) error {
	return s.elsewhere(ctx, a, wanted, fhir.Issue{
		Severity: "error", Type: "conflict", Rule: "slot-taken", Details: "this time is not free", Diagnostics: "it begins at " + a.wall(wanted.Start),
	})
}

// unheld tells that a hold is over, and whether the slot is free still.
func (s *Service) unheld(ctx context.Context, a *Agenda, wanted Span, free bool) error {
	is := fhir.Issue{Severity: "error", Type: "conflict", Rule: "hold-over", Details: "the slot is not held any more: the hold has expired, or was booked"}
	if free && a.offers(wanted, s.Now()) {
		is.Diagnostics = a.wall(wanted.Start) + " is free still: book it by schedule and start, or hold it again"
		return &fhir.Error{Code: fhir.Conflict, Issues: []fhir.Issue{is}}
	}
	return s.elsewhere(ctx, a, wanted, is)
}

// elsewhere appends to what is told which other slots are free.
func (s *Service) elsewhere(ctx context.Context, a *Agenda, wanted Span, is fhir.Issue) error {
	free, err := s.near(ctx, a, wanted)
	if err != nil {
		return err
	}
	told := &fhir.Error{Code: fhir.Conflict, Issues: []fhir.Issue{is}}
	for _, o := range free {
		told.Issues = append(told.Issues, fhir.Issue{Severity: "information", Type: "informational", Rule: "slot-free", Details: "another time is free", Diagnostics: a.wall(o.Start)})
	}
	if len(free) == 0 {
		told.Issues = append(told.Issues, fhir.Issue{Severity: "information", Type: "informational", Rule: "slot-none",
			Details: "nothing else is free on that day, nor in the two weeks after it: $wait puts the patient on the waiting list"})
	}
	return told
}

// near returns free slots in place of one that is wanted, in order: those of the same day
// that are nearest to it, then the first ones after that day.
func (s *Service) near(ctx context.Context, a *Agenda, wanted Span) ([]Slot, error) {
	day := localDay(wanted.Start.In(a.Rules.Zone))
	begins, ends := Clock(0).on(day, a.Rules.Zone), Clock(24*60).on(day, a.Rules.Zone)
	free, err := s.freeOf(ctx, a, Span{begins, ends}, 0)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(free, func(x, y Slot) int {
		return int(x.Start.Sub(wanted.Start).Abs() - y.Start.Sub(wanted.Start).Abs())
	})
	free = free[:min(len(free), alternatives)]
	slices.SortFunc(free, func(x, y Slot) int { return x.Start.Compare(y.Start) })
	if len(free) == alternatives {
		return free, nil
	}
	later, err := s.freeOf(ctx, a, Span{ends, ends.Add(aheadFor)}, alternatives-len(free))
	return append(free, later...), err
}

// wall writes an instant as the clock on the wall shows it.
func (a *Agenda) wall(t time.Time) string { return t.In(a.Rules.Zone).Format(time.RFC3339) }
