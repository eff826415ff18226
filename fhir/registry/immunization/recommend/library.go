package recommend

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/registry/immunization"
	"github.com/amate-health/amate/fhir/registry/immunization/history"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
)

// Library holds the versions of schedules that can be asked for. It is safe for use by
// many goroutines.
type Library struct {
	name  string // of the schedule that is meant where none is named
	books []*Book
}

// Book is one version of a schedule, ready to assess by.
type Book struct {
	Schedule *schedule.Schedule
	Reader   *history.Reader // of what it asks of a person

	compile func() (immunization.Assessor, error)
	turning func() *turning
	shape   func() *fhir.VaccineeSchedule
}

// NewLibrary returns a library of schedules, versions of one name in their order; those of
// name are meant where nobody names one. compile makes the assessor of a version, when it
// is first needed.
// Errors: there is none of that name.
func NewLibrary(name string, all []*schedule.Schedule, compile func(*schedule.Schedule) (immunization.Assessor, error)) (*Library, error) {
	l := &Library{name: name}
	for _, s := range all {
		l.books = append(l.books, &Book{
			Schedule: s, Reader: history.For(s),
			compile: sync.OnceValues(func() (immunization.Assessor, error) { return compile(s) }),
			turning: sync.OnceValue(func() *turning { return turningOf(s) }),
			shape: sync.OnceValue(func() *fhir.VaccineeSchedule {
				v := ScheduleRow(s)
				return &v
			}),
		})
	}
	if !slices.ContainsFunc(l.books, func(b *Book) bool { return b.Schedule.Name == name }) {
		return nil, fmt.Errorf("there is no immunization schedule %q; there is %s", name, strings.Join(l.names(), ", "))
	}
	return l, nil
}

// names lists the schedules, each once.
func (l *Library) names() (names []string) {
	for _, b := range l.books {
		if !slices.Contains(names, b.Schedule.Name) {
			names = append(names, b.Schedule.Name)
		}
	}
	return names
}

// Find returns what is asked for: "" for the schedule that is meant where none is named,
// "name" for another, each in the version that holds on a day; "name|version" for one
// version. On a day before the first version holds, and after the last, these do.
// Errors: fhir.Invalid.
func (l *Library) Find(asked string, on schedule.Date) (*Book, error) {
	name, version, exact := strings.Cut(asked, "|")
	if name == "" && !exact {
		name = l.name
	}
	var found *Book
	for _, b := range l.books {
		s := b.Schedule
		switch {
		case s.Name != name || exact && s.Version != version:
		case found == nil, exact, s.From <= on && (s.To.IsZero() || on <= s.To), s.From <= on && found.Schedule.From <= s.From:
			found = b
		}
	}
	if found == nil {
		return nil, fhir.Errorf(fhir.Invalid, "there is no such immunization schedule").With("%.100q; there is %s", asked, strings.Join(l.versions(), ", "))
	}
	return found, nil
}

// versions lists what Find takes.
func (l *Library) versions() (all []string) {
	for _, b := range l.books {
		all = append(all, b.Schedule.Name+"|"+b.Schedule.Version)
	}
	return all
}

// Until returns the first day from which Find returns another version than on a day;
// NoDate for none that is known.
func (l *Library) Until(asked string, on schedule.Date) (next schedule.Date) {
	if strings.Contains(asked, "|") {
		return schedule.NoDate
	}
	name := asked
	if name == "" {
		name = l.name
	}
	for _, b := range l.books {
		if s := b.Schedule; s.Name == name {
			for _, day := range []schedule.Date{s.From, s.To + 1} {
				if day > on && (next.IsZero() || day < next) {
					next = day
				}
			}
		}
	}
	return next
}

// Assessor returns what judges doses by b. Errors: the schedule cannot be used.
func (b *Book) Assessor() (immunization.Assessor, error) { return b.compile() }

// Assess assesses by b on a day. Errors: the schedule cannot be used.
func (b *Book) Assess(h *immunization.History, on schedule.Date) (*immunization.Assessment, error) {
	a, err := b.compile()
	if err != nil {
		return nil, err
	}
	return a.Assess(h, on), nil
}

// explainer is an Assessor that gives its reasons.
type explainer interface {
	Explain(h *immunization.History, on schedule.Date) *immunization.Explanation
}

// Explain assesses as Assess does, and gives the reasons in words; "" when the assessor
// has none.
func (b *Book) Explain(h *immunization.History, on schedule.Date) (*immunization.Assessment, string, error) {
	a, err := b.compile()
	if err != nil {
		return nil, "", err
	}
	if e, ok := a.(explainer); ok {
		x := e.Explain(h, on)
		return x.Assessment, x.String(), nil
	}
	return a.Assess(h, on), "", nil
}

// Name names the version: "mx|2026.1".
func (b *Book) Name() string { return b.Schedule.Name + "|" + b.Schedule.Version }
