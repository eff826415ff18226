package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/amate-health/amate/authz/audit"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/record/giis"
	"github.com/amate-health/amate/fhir/search"
)

// mostVisits is how many visits of a facility one answer over HTTP holds: the busiest
// outpatient clinics have some ten thousand a month.
const mostVisits = 30_000

// giisOperations are the exchange files that facilities owe the DGIS.
func (o *opened) giisOperations() []operation.Operation {
	return (&giis.Offer{Store: o, Now: time.Now, Limit: mostVisits}).Operations()
}

// exchange works with the exchange files that facilities owe the DGIS.
type exchange struct {
	Check  exchangeCheck  `cmd:"" help:"Check a file of outpatient visits (GIIS-B015), field by field. Exits with 1 when there are errors."`
	Export exchangeExport `cmd:"" help:"Make the file of outpatient visits of a month (GIIS-B015) from what is stored. Exits with 1 when it is not made."`
}

// exchangeReport is how a report is printed, and the catalogue that rows are checked by.
type exchangeReport struct {
	Report    string `help:"How the report is printed: text, json or csv." enum:"text,json,csv" default:"text"`
	Diagnoses string `help:"Catalogue DIAGNOSTICO_SIS of the DGIS as CSV, for the rules of sex, age and personnel of each diagnosis." placeholder:"FILE" type:"existingfile"`
}

// catalogue reads the catalogue of diagnoses; nil when none is named.
func (r *exchangeReport) catalogue() (giis.Catalogue, error) {
	if r.Diagnoses == "" {
		return nil, nil
	}
	f, err := os.Open(r.Diagnoses)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return giis.ReadCatalogue(f)
}

// print prints a report in the form asked for.
func (r *exchangeReport) print(p *giis.Report, out io.Writer) error {
	switch r.Report {
	case "csv":
		return p.CSV(out)
	case "json":
		raw, err := p.JSON()
		if err == nil {
			_, err = fmt.Fprintf(out, "%s\n", raw)
		}
		return err
	}
	return p.Write(out)
}

// errFaulty ends a command that found errors in a file.
var errFaulty = errors.New("there are errors in the rows")

type exchangeCheck struct {
	Printed exchangeReport `embed:""`
	File    string         `arg:"" help:"File to check, in windows-1252." type:"existingfile"`
}

func (c *exchangeCheck) Run(out streams) error {
	catalogue, err := c.Printed.catalogue()
	if err != nil {
		return err
	}
	raw, err := os.ReadFile(c.File)
	if err != nil {
		return err
	}
	checker := giis.Checker{Catalogue: catalogue, Today: time.Now()}
	report, err := checker.CheckFile(filepath.Base(c.File), raw)
	if err != nil {
		return err
	}
	if err := c.Printed.print(report, out.out); err != nil {
		return err
	}
	if report.Errors > 0 {
		return errFaulty
	}
	return nil
}

type exchangeExport struct {
	Storage storage        `embed:""`
	Printed exchangeReport `embed:""`

	Guide    string   `help:"Guide of the file." enum:"B015" default:"B015"`
	Clues    []string `help:"CLUES of the facility; several of one institution in one entity share a file." required:"" placeholder:"CLUES"`
	Month    string   `help:"Month of the visits." required:"" placeholder:"YYYY-MM"`
	Out      string   `help:"Folder that the file is written to." default:"." placeholder:"DIR" type:"existingdir"`
	Faulty   string   `help:"What becomes of rows with errors: refuse makes no file, omit leaves them out, keep writes them all the same." enum:"refuse,omit,keep" default:"refuse"`
	Defaults []string `name:"default" help:"Value of a variable of which nothing is recorded, as in servicioAtencion=4." placeholder:"NAME=VALUE"`
}

// defaults reads --default.
func (c *exchangeExport) defaults() (map[int]string, error) {
	out := map[int]string{}
	for _, d := range c.Defaults {
		name, value, ok := strings.Cut(d, "=")
		v, known := giis.Find(name)
		if !ok || !known {
			return nil, usagef("--default %s: the name of a variable of the guide, = and a value", d)
		}
		out[v.Number] = value
	}
	return out, nil
}

func (c *exchangeExport) Run(ctx context.Context, out streams, log *slog.Logger) (err error) {
	month, err := time.Parse("2006-01", c.Month)
	if err != nil {
		return usagef("--month %s: a month is YYYY-MM", c.Month)
	}
	e := &giis.Export{CLUES: c.Clues, Month: month, Faulty: c.Faulty, Now: time.Now(), Restriction: search.Unrestricted}
	if e.Defaults, err = c.defaults(); err != nil {
		return err
	}
	if e.Catalogue, err = c.Printed.catalogue(); err != nil {
		return err
	}
	store, err := c.Storage.open(ctx, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if err := c.Storage.recordExport(ctx, store, "$giis-export", log); err != nil {
		return err
	}
	made, err := e.Run(ctx, store)
	if err != nil {
		return err
	}
	if err := c.Printed.print(made.Report, out.out); err != nil {
		return err
	}
	if made.File == nil {
		return errFaulty
	}
	file := filepath.Join(c.Out, made.Name)
	if err := os.WriteFile(file, made.File, 0o600); err != nil { // it names patients
		return err
	}
	fmt.Fprintf(out.err, "%s: %d visits. Encipher it with the tool of the DGIS before it leaves this machine.\n", file, made.Report.Rows)
	return nil
}

// recordExport puts into the audit trail that somebody on this machine takes records out,
// before they do: by what an operation would be called.
func (s storage) recordExport(ctx context.Context, store *opened, operation string, log *slog.Logger) error {
	return s.record(ctx, store, audit.Record{Kind: audit.Access, Action: "E", Interaction: operation, Detail: "from the command line"}, log)
}
