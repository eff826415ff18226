package giis

import (
	"context"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/registry/identity"
	"github.com/amate-health/amate/fhir/search"
)

// What is done with rows in which there are errors.
const (
	Refuse = "refuse" // no file is made
	Omit   = "omit"   // they are left out of the file
	Keep   = "keep"   // they stand in it all the same
)

// Export says what a file is to hold.
type Export struct {
	CLUES       []string  // facilities, all of one institution in one entity, as the file's name says
	Month       time.Time // its first day
	Faulty      string    // Refuse, Omit or Keep; "" is Refuse
	Defaults    map[int]string
	Catalogue   Catalogue
	Now         time.Time
	Restriction *search.Restriction // what may be read
	Limit       int                 // visits of a facility at most; 0 is 100,000
}

// Made is a file with the report about it.
type Made struct {
	Name   string
	File   []byte // nil when it was refused, for the errors of the report
	Report *Report
}

// check returns what keeps an export from being tried. Errors: fhir.Invalid.
func (e *Export) check() error {
	if len(e.CLUES) == 0 {
		return fhir.Errorf(fhir.Invalid, "a CLUES says of which facility the file is to be")
	}
	for _, c := range e.CLUES {
		if len(identity.Check(identity.SystemCLUES, c, e.Now)) > 0 {
			return fhir.Errorf(fhir.Invalid, "a CLUES has 11 characters: 2 letters of the entity, 3 of the institution, 6 digits").With("%.100q", c)
		}
		if !strings.HasPrefix(c, e.CLUES[0][:5]) {
			return fhir.Errorf(fhir.Invalid, "one file is of facilities of one institution in one entity").With("%s and %s", e.CLUES[0], c)
		}
	}
	switch e.Faulty {
	case "", Refuse, Omit, Keep:
	default:
		return fhir.Errorf(fhir.Invalid, "faulty rows are dealt with by refuse, omit or keep").With("%.100q", e.Faulty)
	}
	if e.Month.Day() != 1 || e.Month.After(e.Now) {
		return fhir.Errorf(fhir.Invalid, "the month is one that has begun, as YYYY-MM")
	}
	return nil
}

// Run makes the file. Errors: fhir.Invalid for what was asked, fhir.Unprocessable when no
// facility has the CLUES, fhir.TooCostly.
func (e *Export) Run(ctx context.Context, store Store) (*Made, error) {
	if err := e.check(); err != nil {
		return nil, err
	}
	limit := e.Limit
	if limit == 0 {
		limit = 100_000
	}
	l := &loader{store: store, restriction: e.Restriction, limit: limit}
	made := &Made{Name: FileName(e.CLUES[0], e.Month), Report: &Report{Findings: []Finding{}}}
	var rows []Row
	seen := map[string]bool{}
	for _, clues := range e.CLUES {
		if seen[clues] {
			continue
		}
		seen[clues] = true
		visits, err := l.visits(ctx, clues, e.Month)
		if err != nil {
			return nil, err
		}
		for _, v := range visits {
			v.catalogue = e.Catalogue
			v.fill(e.Defaults)
			rows = e.judge(v, rows, made.Report)
		}
	}
	checker := Checker{Catalogue: e.Catalogue, Today: e.Now}
	for _, f := range checker.Whole(rows) {
		made.Report.add(f)
	}
	made.Report.Rows = len(rows)
	if made.Report.Errors > 0 && (e.Faulty == "" || e.Faulty == Refuse) {
		return made, nil
	}
	file, err := Encode(rows)
	if err != nil {
		return nil, fhir.Errorf(fhir.Unprocessable, "a faulty row holds what no file can: leave faulty rows out")
	}
	made.File = file
	return made, nil
}

// judge checks the row of a visit, reports on it, and appends it to those that stand in
// the file.
func (e *Export) judge(v *visit, rows []Row, report *Report) []Row {
	checker := Checker{Catalogue: e.Catalogue, Today: e.Now}
	line := len(rows) + 2
	found := checker.Row(&v.row, line)
	for _, f := range v.lost() {
		f.Line = line
		found = append(found, f)
	}
	bad := false
	for _, f := range found {
		bad = bad || !f.Warning
	}
	omitted := bad && e.Faulty == Omit
	for _, f := range found {
		f.Visit = v.ref
		if omitted {
			f.Line = 0
		}
		report.add(f)
	}
	if omitted {
		report.Left++
		return rows
	}
	return append(rows, v.row)
}
