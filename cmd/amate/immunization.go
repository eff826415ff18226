package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/amate-health/amate/fhir/registry/immunization"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule/cdsi"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule/mexico"
	"github.com/amate-health/amate/fhir/registry/immunization/vector"
)

// immunizations works with schedules of immunization.
type immunizations struct {
	Check     scheduleCheck `cmd:"" help:"Run test cases of a schedule: evaluation of every dose, status and forecast of the series. Exits with 1 when one fails."`
	Recompute recompute     `cmd:"" help:"Work out anew which vaccines are due to all Patients."`

	Due         immunizationDue         `cmd:"" help:"List children for whom a vaccine is due, the most urgent first, as CSV or JSON lines."`
	Coverage    immunizationCoverage    `cmd:"" help:"Count coverage, timeliness, drop-out and zero-dose children by parts of the population, as CSV or a MeasureReport."`
	Denominator immunizationDenominator `cmd:"" help:"Load the population that coverage is counted against, from a CSV."`
}

// scheduleCheck runs test cases.
type scheduleCheck struct {
	Schedule string `help:"Schedule: the name of one that comes with amate (mx), a folder with a schedule.json, or the folder or .tar.gz of CDC's supporting data (CDSi)." placeholder:"DIR|NAME" required:""`
	Cases    string `help:"File of cases, .json or .json.gz, in the layout of CDC's test cases as JSON." placeholder:"FILE" type:"existingfile" required:""`
	Case     string `help:"Explain one case." placeholder:"ID"`
	Failures bool   `help:"List the cases that fail, each with the first difference."`
}

func (c *scheduleCheck) Run(_ context.Context, out streams) error {
	engines, err := openSchedule(c.Schedule)
	if err != nil {
		return err
	}
	cases, err := vector.Load(c.Cases)
	if err != nil {
		return err
	}
	if c.Case != "" {
		return c.explain(engines, cases, out)
	}
	return c.all(engines, cases, out)
}

// explain prints one case: what is expected, what comes out, and why.
func (c *scheduleCheck) explain(engines *engineShelf, cases []vector.Case, out streams) error {
	i := slices.IndexFunc(cases, func(k vector.Case) bool { return k.ID == c.Case })
	if i < 0 {
		return usagef("--case %s: the file has no such case", c.Case)
	}
	k := &cases[i]
	e, err := engines.on(k.On)
	if err != nil {
		return err
	}
	x := e.Explain(&k.History, k.On)
	fmt.Fprintf(out.out, "%s, %s: %s\nborn %s, assessed on %s with schedule %s %s\n",
		k.ID, k.Group, k.Title, k.History.Born, k.On, x.Assessment.Schedule, x.Assessment.Version)
	for n, d := range k.History.Doses {
		fmt.Fprintf(out.out, "dose %d: CVX %s on %s, expected %s\n", n+1, d.CVX, d.Date, k.Doses[n])
	}
	differences := k.Compare(e.Schedule(), x.Assessment)
	for _, d := range differences {
		fmt.Fprintln(out.out, d)
	}
	if differences == nil {
		fmt.Fprintln(out.out, "passed")
	}
	group := vector.Group(e.Schedule(), k.Group)
	fmt.Fprintf(out.out, "\n%s", x.Of(group))
	if differences != nil {
		return errTold
	}
	return nil
}

// all runs the cases and prints a row for each vaccine group.
func (c *scheduleCheck) all(engines *engineShelf, cases []vector.Case, out streams) error {
	type row struct {
		name           string
		passed, failed int
	}
	var rows []*row
	total := row{}
	for i := range cases {
		k := &cases[i]
		n := slices.IndexFunc(rows, func(r *row) bool { return strings.EqualFold(r.name, k.Group) })
		if n < 0 {
			n = len(rows)
			rows = append(rows, &row{name: k.Group})
		}
		e, err := engines.on(k.On)
		if err != nil {
			return fmt.Errorf("case %s: %w", k.ID, err)
		}
		differences := k.Compare(e.Schedule(), e.Assess(&k.History, k.On))
		if differences == nil {
			rows[n].passed++
			total.passed++
			continue
		}
		rows[n].failed++
		total.failed++
		if c.Failures {
			fmt.Fprintf(out.out, "%s %s: %s\n", k.Group, k.ID, differences[0])
		}
	}
	slices.SortFunc(rows, func(a, b *row) int { return strings.Compare(strings.ToLower(a.name), strings.ToLower(b.name)) })
	table := tabwriter.NewWriter(out.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "group\tpassed\tfailed\t%\t")
	for _, r := range rows {
		fmt.Fprintf(table, "%s\t%d\t%d\t%.1f\t\n", r.name, r.passed, r.failed, 100*float64(r.passed)/float64(r.passed+r.failed))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(out.out, "%d passed, %d failed\n", total.passed, total.failed)
	if total.failed > 0 || total.passed == 0 {
		return errTold
	}
	return nil
}

// engineShelf holds an engine for each version of a schedule that was asked for.
type engineShelf struct {
	shelf   schedule.Shelf
	engines map[*schedule.Schedule]*immunization.Engine
}

// on returns the engine of the version that holds on a day.
// Errors: none does, or the schedule is wrong.
func (s *engineShelf) on(day schedule.Date) (*immunization.Engine, error) {
	version := s.shelf.On(day)
	if version == nil {
		return nil, fmt.Errorf("no version of the schedule holds on %s", day)
	}
	e := s.engines[version]
	if e == nil {
		var err error
		if e, err = immunization.New(version); err != nil {
			return nil, err
		}
		s.engines[version] = e
	}
	return e, nil
}

// shippedSchedules are the schedules that come with amate.
var shippedSchedules = map[string]func() ([]*schedule.Schedule, error){"mx": mexico.Shelf}

// openSchedule returns the schedule of a name or a path.
func openSchedule(name string) (*engineShelf, error) {
	s := &engineShelf{engines: map[*schedule.Schedule]*immunization.Engine{}}
	if shipped := shippedSchedules[strings.ToLower(name)]; shipped != nil {
		var err error
		s.shelf, err = shipped()
		return s, err
	}
	one, err := readSchedule(name)
	if os.IsNotExist(err) {
		return nil, usagef("--schedule %s: it is no file or folder, and no schedule of that name comes with amate: the one that does is %s", name, mexico.Name)
	}
	if err != nil {
		return nil, fmt.Errorf("--schedule: %w", err)
	}
	s.shelf = schedule.Shelf{one}
	return s, nil
}

// readSchedule reads a schedule in our form, or CDC's supporting data.
func readSchedule(path string) (*schedule.Schedule, error) {
	if folder := os.DirFS(path); schedule.IsFolder(folder) {
		return schedule.Load(folder)
	}
	return cdsi.Load(path)
}
