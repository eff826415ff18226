package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/store/storetest"
)

// plannedDose is a dose that children of the cohort get: at an age in months, and how many
// of them do.
type plannedDose struct {
	cvx    string
	months int
	share  float64
}

// plannedDoses are those of Mexico's schedule until the age of six.
var plannedDoses = []plannedDose{
	{"19", 0, .97}, {"08", 0, .95}, {"146", 2, .94}, {"119", 2, .9}, {"133", 2, .92}, {"146", 4, .91}, {"119", 4, .86}, {"133", 4, .89}, {"146", 6, .88},
	{"141", 6, .7}, {"141", 7, .6}, {"03", 12, .9}, {"133", 12, .86}, {"146", 18, .8}, {"03", 18, .78}, {"141", 18, .5}, {"141", 30, .4}, {"01", 48, .75}, {"141", 54, .4},
}

// cohort makes children with histories of vaccination as they are met: most doses in
// time, some weeks late, some missed, a few too early, in 200 establishments and 100
// municipalities.
type cohort struct {
	rng   *rand.Rand
	today time.Time
	next  int
}

// child returns the resources of one more child, as JSON, by their places.
func (c *cohort) child() (refs []fhir.Ref, resources []string) {
	c.next++
	id := fmt.Sprintf("child-%07d", c.next)
	born := c.today.AddDate(0, 0, -c.rng.IntN(6*365))
	post, town := c.rng.IntN(200), 9001+c.rng.IntN(100)
	refs = append(refs, fhir.Ref{Type: "Patient", ID: id})
	resources = append(resources, fmt.Sprintf(`{"resourceType":"Patient","id":%q,"name":[{"family":"Pérez","given":["N%d"]}],"gender":%q,"birthDate":%q,"address":[{"_district":{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/iso21090-SC-coding","valueCoding":{"system":"https://www.inegi.org.mx/app/ageeml/","code":"%05d"}}]}}],"managingOrganization":{"identifier":{"system":"urn:oid:2.16.840.1.113883.4.631","value":"DFSSA%06d"}}}`,
		id, c.next, []string{"female", "male"}[c.rng.IntN(2)], born.Format(time.DateOnly), town, post))
	late := c.rng.IntN(4) * c.rng.IntN(40) // days, of all that this child gets
	for n, d := range plannedDoses {
		given := born.AddDate(0, d.months, c.rng.IntN(12)+late-2*(c.rng.IntN(40)/39)*c.rng.IntN(20))
		if d.months == 0 {
			given = born.AddDate(0, 0, c.rng.IntN(3))
		}
		if c.rng.Float64() > d.share || given.After(c.today) {
			continue
		}
		dose := fmt.Sprintf("%s-%02d", id, n)
		refs = append(refs, fhir.Ref{Type: "Immunization", ID: dose})
		resources = append(resources, fmt.Sprintf(`{"resourceType":"Immunization","id":%q,"status":"completed","vaccineCode":{"coding":[{"system":"http://hl7.org/fhir/sid/cvx","code":%q}]},"patient":{"reference":"Patient/%s"},"occurrenceDateTime":%q,"primarySource":true,"lotNumber":"L%04d","location":{"identifier":{"system":"urn:oid:2.16.840.1.113883.4.631","value":"DFSSA%06d"}}}`,
			dose, d.cvx, id, given.Format(time.DateOnly), c.rng.IntN(10_000), post))
	}
	return refs, resources
}

// load stores n children.
func (c *cohort) load(b *testing.B, o *opened, n int) (resources int) {
	b.Helper()
	maker := makerFor(o)
	batch := &bundle.Batch{}
	flush := func() {
		if _, err := o.Apply(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
		batch = &bundle.Batch{}
	}
	for range n {
		refs, texts := c.child()
		for i, text := range texts {
			source, err := bundle.Parse([]byte(text))
			if err != nil {
				b.Fatal(err)
			}
			change, err := maker.Update(source, refs[i], false)
			if err != nil {
				b.Fatal(err)
			}
			batch.Changes = append(batch.Changes, change)
		}
		resources += len(refs)
		if len(batch.Changes) > 2000 {
			flush()
		}
	}
	flush()
	return resources
}

// BenchmarkRecompute works out anew what is due to a cohort of children under six, as
// 'amate immunization recompute' does: for the first time, when all is written, and once
// more, when nothing has changed. AMATE_CHILDREN says how many; there are 1000 otherwise.
func BenchmarkRecompute(b *testing.B) {
	children := 1000
	if n, err := strconv.Atoi(os.Getenv("AMATE_CHILDREN")); err == nil {
		children = n
	}
	for engine, where := range map[string]func() storage{
		"sqlite":   func() storage { return storage{Data: b.TempDir()} },
		"postgres": func() storage { return storage{Data: b.TempDir(), Database: storetest.Postgres(b)} },
	} {
		b.Run(engine, func(b *testing.B) {
			log := slog.New(slog.DiscardHandler)
			s := where()
			o, err := s.open(b.Context(), log)
			if err != nil {
				b.Fatal(err)
			}
			c := &cohort{rng: rand.New(rand.NewPCG(1, 2)), today: time.Now()}
			began := time.Now()
			n := c.load(b, o, children)
			b.Logf("%d resources of %d children are stored in %v", n, children, time.Since(began))
			if err := o.Close(); err != nil {
				b.Fatal(err)
			}
			for _, run := range []struct {
				name string
				c    recompute
			}{{"rows", recompute{RowsOnly: true}}, {"first", recompute{}}, {"again", recompute{}}} {
				b.Run(run.name, func(b *testing.B) {
					for b.Loop() {
						r := run.c
						r.Storage, r.Schedule = s, forecasting{Schedule: "mx"}
						var out, errs bytes.Buffer
						began := time.Now()
						if err := r.Run(context.WithoutCancel(b.Context()), streams{out: &out, err: &errs}, log); err != nil {
							b.Fatalf("%v\n%s", err, errs.Bytes())
						}
						b.ReportMetric(float64(children)/time.Since(began).Seconds(), "children/s")
						b.Log(out.String())
					}
				})
			}
		})
	}
}
