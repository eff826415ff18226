package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/registry/identity/match"
	"github.com/amate-health/amate/fhir/registry/identity/match/trial"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store"
)

// matchTraining learns the parameters of matching from data that nobody has labelled.
type matchTraining struct {
	Storage storage  `embed:""`
	Layout  string   `help:"Learn from files laid out so, in place of a database: febrl or dsgen." enum:"febrl,dsgen,none" default:"none"`
	Sample  int      `help:"How many Patients of the database are looked at." default:"20000" placeholder:"N"`
	Out     string   `help:"File that gets the parameters, for serve --match-parameters." required:"" placeholder:"FILE" type:"path"`
	Files   []string `arg:"" optional:"" help:"Files to read, .gz too." type:"existingfile"`
}

// commonest is how many people must have a name for the file to hold it: fewer could
// tell of somebody that they are in the data.
const commonest = 11

func (c *matchTraining) Run(ctx context.Context, out streams, log *slog.Logger) error {
	if (c.Layout == "none") != (len(c.Files) == 0) {
		return usagef("--layout says how files are laid out: give both, or neither to learn from a database")
	}
	var m *match.Model
	var err error
	if c.Layout == "none" {
		m, err = c.database(ctx, out, log)
	} else {
		m, err = c.files()
	}
	if err != nil {
		return err
	}
	f, err := os.Create(c.Out)
	if err != nil {
		return err
	}
	if err = errors.Join(m.Write(f), f.Close()); err == nil {
		_, err = fmt.Fprintf(out.out, "%s: prior %.4f, %d common names\n", c.Out, m.Prior, len(m.Common))
	}
	return err
}

// files learns from files.
func (c *matchTraining) files() (*match.Model, error) {
	read := trial.ReadFEBRL
	if c.Layout == "dsgen" {
		read = trial.ReadDSGen
	}
	all, err := readAll(c.Files, read)
	if err != nil {
		return nil, err
	}
	m := trial.Learn(match.Default(), all)
	m.Common = match.Commonness(func(yield func(*match.Person) bool) {
		for i := range all {
			if !yield(&all[i].Person) {
				return
			}
		}
	}, commonest)
	return m, nil
}

// database learns from a sample of what is stored.
func (c *matchTraining) database(ctx context.Context, out streams, log *slog.Logger) (m *match.Model, err error) {
	err = withPeople(ctx, c.Storage, "", match.Probable, log, func(o *opened) error {
		people, err := o.sample(ctx, c.Sample)
		if err != nil {
			return err
		}
		if len(people) < 100 {
			return fmt.Errorf("there are %d Patients of whom enough is known, too few to learn from", len(people))
		}
		fmt.Fprintf(out.err, "learning from %d Patients and those who are like them\n", len(people))
		m, err = o.learn(ctx, people)
		return err
	})
	return m, err
}

// sample returns up to most Patients, spread evenly over all.
func (o *opened) sample(ctx context.Context, most int) (people []match.Person, err error) {
	all, err := o.engine.Search(ctx, &search.Query{Type: "Patient", Total: search.TotalEstimate, Restriction: search.Unrestricted})
	if err != nil {
		return nil, err
	}
	const page = 200
	share := float64(most) / float64(max(all.Total, 1))
	walk, draw := store.Walk{Type: "Patient"}, rand.New(rand.NewPCG(1, 2)) // the same ones each time
	for len(people) < most {
		refs, err := o.engine.Next(ctx, &walk, page)
		if err != nil || len(refs) == 0 {
			return people, err
		}
		var ids []string
		for _, ref := range refs {
			if draw.Float64() < share {
				ids = append(ids, ref.ID)
			}
		}
		some, err := o.read(ctx, ids)
		if err != nil {
			return nil, err
		}
		people = append(people, some...)
	}
	return people[:most], nil
}

// read returns what is compared of some Patients.
func (o *opened) read(ctx context.Context, ids []string) (people []match.Person, err error) {
	if len(ids) == 0 {
		return nil, nil
	}
	found, err := o.engine.Search(ctx, &search.Query{
		Type: "Patient", Where: []search.Expr{search.IDs{Any: ids}}, Count: len(ids), Restriction: search.Unrestricted,
	})
	if err != nil {
		return nil, err
	}
	for i := range found.Matches {
		p, err := personOf(&found.Matches[i])
		if err != nil {
			return nil, err
		}
		if len(p.IndexKeys()) > 0 {
			people = append(people, p)
		}
	}
	return people, nil
}

func personOf(r *fhir.Resource) (match.Person, error) {
	d, err := element.Parse(r.JSON)
	if err != nil {
		return match.Person{}, err
	}
	return reading.Patient(d, 0), nil
}

// fewSure is how many pairs must be of one person, as far as the program's own model can
// tell, for there to be something to learn of how such pairs compare: what stands out in
// data without duplicates are families.
const fewSure = 200

// learn fits the model to how people compare with those who have a key in common with
// them, and with one another. From data with few duplicates it learns only how often
// people are alike by chance, and how common names are.
func (o *opened) learn(ctx context.Context, people []match.Person) (*match.Model, error) {
	const mostOfKey = 32
	before, sure, all := match.Default(), 0.0, 0.0
	candidates, random := match.Pairs{}, match.Pairs{}
	for i := range people {
		p, self, met := &people[i], string(people[i].Features()), false
		var keys []int64
		for _, k := range p.IndexKeys() {
			keys = append(keys, int64(k))
		}
		err := o.engine.People(ctx, keys, mostOfKey, func(_ int64, features []byte) {
			if !met && string(features) == self {
				met = true // itself
				return
			}
			if other, ok := match.PersonOf(features); ok {
				candidates.Add(match.Compare(p, &other))
				all++
				if g, _ := before.Grade(p, &other); g >= match.Probable {
					sure++
				}
			}
		})
		if err != nil {
			return nil, err
		}
	}
	draw := rand.New(rand.NewPCG(3, 4))
	for range min(200_000, len(people)*50) {
		if a, b := draw.IntN(len(people)), draw.IntN(len(people)); a != b {
			random.Add(match.Compare(&people[a], &people[b]))
		}
	}
	if sure < fewSure {
		candidates = nil
	}
	m := match.Learn(before, candidates, random)
	m.Prior = min(m.Prior, max(before.Prior, sure/max(all, 1)))
	m.Common = match.Commonness(func(yield func(*match.Person) bool) {
		for i := range people {
			if !yield(&people[i]) {
				return
			}
		}
	}, commonest)
	return m, nil
}
