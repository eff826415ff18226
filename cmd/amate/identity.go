package main

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/amate-health/amate/fhir/registry/identity/match"
	"github.com/amate-health/amate/fhir/registry/identity/match/trial"
)

// identities works with how the records of one person are found.
type identities struct {
	Duplicates duplicates    `cmd:"" help:"Look for duplicates among all Patients that are stored, and make a Task of each pair. A server does the same with what is written to it."`
	Train      matchTraining `cmd:"" help:"Learn the parameters of matching from what is stored, or from files, without anybody saying which records belong together."`
	Evaluate   matchTrial    `cmd:"" help:"Measure how well records are matched, on a file that says which are of one person."`
}

// matchTrial measures how well records are matched.
type matchTrial struct {
	Layout     string   `help:"How the files are laid out: febrl (rec-N-org, rec-N-dup-M), dsgen (the last digit of rec_id numbers a person's records) or pairs (JSON lines)." enum:"febrl,dsgen,pairs" required:""`
	Parameters string   `help:"File of parameters, as amate identity train writes it. Without it, records are matched by the default ones and by what can be learned from the files without their labels." placeholder:"FILE" type:"existingfile"`
	Files      []string `arg:"" help:"Files to read, .gz too. Several are taken as one." type:"existingfile"`
}

func (c *matchTrial) Run(_ context.Context, out streams) error {
	m := match.Default()
	if c.Parameters != "" {
		f, err := os.Open(c.Parameters)
		if err != nil {
			return err
		}
		defer f.Close()
		if m, err = match.Read(f); err != nil {
			return fmt.Errorf("%s: %w", c.Parameters, err)
		}
	}
	if c.Layout == "pairs" {
		return c.pairs(m, out)
	}
	read := trial.ReadFEBRL
	if c.Layout == "dsgen" {
		read = trial.ReadDSGen
	}
	all, err := readAll(c.Files, read)
	if err != nil {
		return err
	}
	if c.Parameters == "" {
		m = trial.Learn(m, all)
	}
	pairs, linked := trial.Records(m, all)
	fmt.Fprintf(out.out, "%d records\npair by pair: %d right, %d wrong, %d missed: %s\nput together: %d right, %d wrong, %d missed\n%s\n",
		len(all), pairs.Right, pairs.Wrong, pairs.Missed, pairs, linked.Right, linked.Wrong, linked.Missed, linked)
	return nil
}

// pairs evaluates pairs.
func (c *matchTrial) pairs(m *match.Model, out streams) error {
	all, err := readAll(c.Files, trial.ReadPairs)
	if err != nil {
		return err
	}
	r, table := trial.Pairs(m, all)
	fmt.Fprintf(out.out, "%d pairs; those said to be a Possible Match count for neither side\n%-16s %9s %9s %9s %9s\n", len(all), "said to be", "certain", "probable", "possible", "not")
	for _, said := range []string{"Match", "Possible Match", "Not a Match"} {
		t := table[said]
		fmt.Fprintf(out.out, "%-16s %9d %9d %9d %9d\n", said, t[match.Certain], t[match.Probable], t[match.Possible], t[match.Not])
	}
	fmt.Fprintln(out.out, r)
	return nil
}

// readAll reads files one after another.
func readAll[T any](files []string, read func(io.Reader) ([]T, error)) ([]T, error) {
	var all []T
	for _, name := range files {
		some, err := readOne(name, read)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, some...)
	}
	return all, nil
}

func readOne[T any](name string, read func(io.Reader) ([]T, error)) ([]T, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if !strings.HasSuffix(name, ".gz") {
		return read(f)
	}
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	return read(z)
}
