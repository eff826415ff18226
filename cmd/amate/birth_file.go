package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/registry/birth"
	"github.com/amate-health/amate/fhir/registry/birth/sinac"
)

// birthExport writes births as SINAC publishes them.
type birthExport struct {
	Storage storage `embed:""`
	Year    int     `help:"Year of birth." required:"" placeholder:"YYYY"`
	Out     string  `help:"File to write; standard output, when left out." placeholder:"FILE" type:"path"`
}

func (e *birthExport) Run(ctx context.Context, out streams, log *slog.Logger) (err error) {
	if e.Year < 1900 || e.Year > 9998 {
		return usagef("--year %d: a year is YYYY", e.Year)
	}
	store, err := e.Storage.open(ctx, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if err := e.Storage.recordExport(ctx, store, "$giis-export", log); err != nil {
		return err
	}
	into := out.out
	if e.Out != "" {
		f, err := os.CreateTemp(dirOf(e.Out), ".births-*")
		if err != nil {
			return err
		}
		defer os.Remove(f.Name())
		into = f
		if err := e.write(ctx, store, into); err != nil {
			return errors.Join(err, f.Close())
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return err
		}
		return os.Rename(f.Name(), e.Out) // it is there as a whole, or not
	}
	return e.write(ctx, store, into)
}

func dirOf(file string) string {
	if i := strings.LastIndexByte(file, os.PathSeparator); i > 0 {
		return file[:i]
	}
	return "."
}

// write writes the births that were certified here, and those that were loaded.
func (e *birthExport) write(ctx context.Context, store birthLedger, into io.Writer) error {
	buffered := bufio.NewWriterSize(into, 256<<10)
	w, err := sinac.NewWriter(buffered)
	if err != nil {
		return err
	}
	q := birth.Query{From: fmt.Sprintf("%04d-01-01", e.Year), Until: fmt.Sprintf("%04d-01-01", e.Year+1)}
	for _, s := range birth.States {
		if s.Live() {
			q.States = append(q.States, s)
		}
	}
	if err := (birth.Book{Rows: store}).Each(ctx, q, func(c *birth.Certificate) error { return w.Write(&c.Row) }); err != nil {
		return err
	}
	for after := (fhir.OldBirth{}); ; {
		some, err := store.OldBirths(ctx, e.Year, after, oldBirths)
		if err != nil {
			return err
		}
		for i := range some {
			var row sinac.Row
			copy(row[:], some[i].Row)
			if err := w.Write(&row); err != nil {
				return err
			}
		}
		if len(some) < oldBirths {
			break
		}
		after = some[len(some)-1]
	}
	return errors.Join(w.Close(), buffered.Flush())
}

// oldBirths is how many of them are read or written at a time.
const oldBirths = 1000

// birthImport loads published births.
type birthImport struct {
	Storage  storage  `embed:""`
	Files    []string `arg:"" help:"CSV files as published." type:"existingfile"`
	Strict   bool     `help:"Leave out rows that break a rule. Without it, only those are left out whose day of birth cannot be read."`
	Problems int      `help:"How many problems of a file are printed one by one; all are counted." default:"20"`
}

func (b *birthImport) Run(ctx context.Context, out streams, log *slog.Logger) (err error) {
	store, err := b.Storage.open(ctx, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	for _, file := range b.Files {
		if err := b.file(ctx, store, file, out); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	return nil
}

// imported counts what became of a file.
type imported struct {
	file              string
	out               streams
	rows, added, left int
	rules             map[string]int
	printed, most     int
}

func (r *imported) problem(line int, what, rule string) {
	r.rules[rule]++
	if r.printed < r.most {
		r.printed++
		fmt.Fprintf(r.out.err, "%s, line %d: %s (%s)\n", r.file, line, what, rule)
	}
}

// file loads one file. The same file again adds nothing.
func (b *birthImport) file(ctx context.Context, store birthLedger, name string, out streams) error {
	source, err := digestOf(name)
	if err != nil {
		return err
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	in, err := sinac.NewReader(f)
	if err != nil {
		return err
	}
	report := &imported{file: name, out: out, rules: map[string]int{}, most: b.Problems}
	if len(in.Unknown) > 0 {
		fmt.Fprintf(out.err, "%s: these columns are passed over: %s\n", name, strings.Join(in.Unknown, " "))
	}
	var batch []fhir.OldBirth
	flush := func() error {
		added, err := store.AddOldBirths(ctx, batch)
		report.added += added
		batch = batch[:0]
		return err
	}
	for err == nil {
		if err = ctx.Err(); err != nil {
			break
		}
		var row sinac.Row
		row, err = in.Read()
		var syntax *csv.ParseError
		switch {
		case errors.Is(err, io.EOF):
			if err := flush(); err != nil {
				return err
			}
			return report.print()
		case errors.As(err, &syntax):
			report.rows, report.left = report.rows+1, report.left+1
			report.problem(syntax.StartLine, syntax.Err.Error(), "csv")
			err = nil
		case err == nil:
			report.rows++
			if born, ok := b.keep(&row, in.Line(), report); ok {
				batch = append(batch, fhir.OldBirth{Source: source, Line: int64(in.Line()), Year: born.Year(), Row: append([]string(nil), row[:]...)})
			} else {
				report.left++
			}
			if len(batch) == oldBirths {
				err = flush()
			}
		}
	}
	return err
}

// keep reports what is wrong with a row, and whether it is kept all the same.
func (b *birthImport) keep(row *sinac.Row, line int, report *imported) (time.Time, bool) {
	faulty := false
	for _, p := range sinac.Check(row, time.Now()) {
		if p.Rule == "sinac-required" { // the public files have not all that a certificate needs
			continue
		}
		faulty = faulty || !p.Warning
		report.problem(line, p.Column.String()+": "+p.Text, p.Rule)
	}
	born, ok := row.Date(sinac.Born)
	if !ok {
		report.problem(line, "FECHANACIMIENTO: the day of birth is not known", "no-birth-date")
	}
	return born, ok && !(b.Strict && faulty)
}

func (r *imported) print() error {
	fmt.Fprintf(r.out.out, "%s: %d rows, %d added, %d there already, %d left out\n", r.file, r.rows, r.added, r.rows-r.added-r.left, r.left)
	for rule, n := range r.rules {
		fmt.Fprintf(r.out.out, "  %s: %d\n", rule, n)
	}
	return nil
}

// digestOf names a file by what it holds.
func digestOf(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)[:16]), nil
}
