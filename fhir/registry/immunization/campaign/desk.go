package campaign

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/immunization/recommend"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
	"github.com/amate-health/amate/fhir/search"
)

const base = "https://github.com/amate-health/amate/fhir/"

const (
	mediaCSV    = "text/csv"
	mediaNDJSON = "application/x-ndjson"
	mediaPDF    = "application/pdf"
	mediaHTML   = "text/html"
)

// Rows are what is kept of each Patient.
type Rows interface {
	Vaccinees(ctx context.Context, q *fhir.VaccineeQuery, each func(*fhir.Vaccinee) error) error
	VaccineeSchedules(ctx context.Context) ([]fhir.VaccineeSchedule, error)
}

// Store is where rows, records and denominators are.
type Store interface {
	Rows
	Search(ctx context.Context, q *search.Query) (*search.Result, error)
	Records(ctx context.Context, q *search.PatientQuery) ([]search.PatientRecord, error)
	Entry(ctx context.Context, kind, key string) (fhir.Entry, error)
}

// Desk answers the operations. All fields but those that say otherwise must be set.
type Desk struct {
	Store    Store
	Library  *recommend.Library
	Schedule string         // which schedule is meant, as Library.Find takes it
	Zone     *time.Location // whose day it is
	Now      func() time.Time

	// Facility returns the CLUES of an Organization or Location; "" for none.
	Facility func(ctx context.Context, ref fhir.Ref) string
	// Below returns how rows name an establishment, by its CLUES, and those that are part
	// of it. nil where establishments are parts of nothing.
	Below func(ctx context.Context, clues string) ([]string, error)

	Smallest int // of how many people a figure is that whoever sees statistics alone is shown; 0 is 11
}

// Operations returns
//
//   - Patient/$immunization-due: who is due for a vaccine, the most urgent first,
//   - $immunization-coverage: how far a population is protected, in figures,
//   - Patient/[id]/$immunization-plan: by which visits somebody is up to date again.
func (d *Desk) Operations() []operation.Operation {
	const own = base + "OperationDefinition/"
	return []operation.Operation{
		{Name: "immunization-due", URL: own + "immunization-due", Scope: operation.OnType, Types: []string{"Patient"}, Whole: true, Media: []string{mediaCSV, mediaNDJSON}, Run: d.due},
		{Name: "immunization-coverage", URL: own + "immunization-coverage", Scope: operation.OnSystem, Media: []string{mediaCSV}, Run: d.coverage},
		{Name: "immunization-plan", URL: own + "immunization-plan", Scope: operation.OnInstance, Types: []string{"Patient"}, Quotes: true, Whole: true, Media: []string{mediaPDF, mediaHTML}, Run: d.plan},
	}
}

func (d *Desk) today() schedule.Date { return schedule.DateOf(d.Now().In(d.Zone)) }

// wide are the roles that see people and figures of wherever they ask for, or of what is
// below their establishment where they act for one.
var wide = []string{"system", "vaccination-manager"}

// runs reports whether a caller runs the programme. Without access control everybody does.
func runs(c *operation.Caller) bool {
	return c.Roles == nil || slices.ContainsFunc(c.Roles, func(role string) bool { return slices.Contains(wide, role) })
}

// form reads the parameters of a call and keeps the first thing that is wrong.
type form struct {
	call *operation.Call
	err  error
}

// formOf refuses parameters that are not known.
func formOf(call *operation.Call, names ...string) *form {
	f := &form{call: call}
	for _, name := range call.In.Names() {
		if name != "_format" && name != "_pretty" && !slices.Contains(names, name) && !call.Lenient {
			f.err = fhir.Errorf(fhir.Invalid, "the operation does not take this parameter").
				With("it takes %s, not %.100q%s", strings.Join(names, ", "), name, search.Nearest(name, names))
			return f
		}
	}
	return f
}

func (f *form) fail(name, value, rule string) {
	if f.err == nil {
		f.err = fhir.Errorf(fhir.Invalid, "the parameter %s %s", name, rule).With("%s=%.50q", name, value).At(name)
	}
}

// text returns a parameter that is given once at most.
func (f *form) text(name string) string {
	v, given, err := f.call.In.One(name)
	switch {
	case err != nil && f.err == nil:
		f.err = err
	case given && v.Text == "":
		f.fail(name, "", "is a plain value")
	}
	return v.Text
}

// list returns the values of a parameter that may be repeated, or written with commas.
func (f *form) list(name string, most int) (all []string) {
	for _, v := range f.call.In.All(name) {
		for one := range strings.SplitSeq(v.Text, ",") {
			if one = strings.TrimSpace(one); one == "" {
				f.fail(name, v.Text, "has an empty value")
			} else if !slices.Contains(all, one) {
				all = append(all, one)
			}
		}
	}
	if len(all) > most {
		f.fail(name, "", "has too many values")
	}
	return all
}

// date returns a day; that which is meant without the parameter.
func (f *form) date(name string, otherwise schedule.Date) schedule.Date {
	text := f.text(name)
	if text == "" {
		return otherwise
	}
	day, err := schedule.ParseDate(text)
	if err != nil || len(text) != len(time.DateOnly) {
		f.fail(name, text, "is a full date, YYYY-MM-DD")
	}
	return day
}

// number returns a whole number of 0 to most.
func (f *form) number(name string, most, otherwise int) int {
	text := f.text(name)
	if text == "" {
		return otherwise
	}
	n := 0
	for _, c := range []byte(text) {
		if c < '0' || c > '9' || n > most {
			f.fail(name, text, "is a whole number that is not too large")
			return otherwise
		}
		n = 10*n + int(c-'0')
	}
	if n > most {
		f.fail(name, text, "is a whole number that is not too large")
	}
	return n
}

// one returns a parameter that is one of some words; the first without it.
func (f *form) one(name string, words ...string) string {
	text := f.text(name)
	if text == "" {
		return words[0]
	}
	if !slices.Contains(words, text) {
		f.fail(name, text, "is one of "+strings.Join(words, ", "))
	}
	return text
}

// self returns the parameters that were given, for the links of an answer.
func (f *form) self(names ...string) (all []search.Param) {
	for _, name := range names {
		for _, v := range f.call.In.All(name) {
			all = append(all, search.Param{Name: name, Value: v.Text})
		}
	}
	return all
}
