package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/registry/demo"
	"github.com/amate-health/amate/fhir/registry/identity/match"
	"github.com/amate-health/amate/fhir/registry/identity/mpi"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store/storetest"
)

// written is a Patient as a test changes it.
type written struct {
	ID          string              `json:"id"`
	Type        string              `json:"resourceType"`
	Active      bool                `json:"active"`
	Identifier  []map[string]string `json:"identifier,omitempty"`
	Name        []writtenName       `json:"name"`
	Telecom     []map[string]string `json:"telecom,omitempty"`
	Gender      string              `json:"gender"`
	BirthDate   string              `json:"birthDate"`
	Address     []writtenAddress    `json:"address,omitempty"`
	father, mom string
}

type writtenName struct {
	Use    string   `json:"use"`
	Family string   `json:"family"`
	Given  []string `json:"given"`
}

type writtenAddress struct {
	Line []string `json:"line"`
	City string   `json:"city"`
}

// writtenOf reads a Patient of the demonstration.
func writtenOf(t *testing.T, text []byte) written {
	t.Helper()
	var r written
	var extra struct {
		Identifier []struct{ System, Value string }
		Name       []struct {
			Surnames struct {
				Extension []struct{ ValueString string }
			} `json:"_family"`
		}
	}
	if err := json.Unmarshal(text, &extra); err != nil {
		t.Fatal(err)
	}
	var plain map[string]json.RawMessage
	if err := json.Unmarshal(text, &plain); err != nil {
		t.Fatal(err)
	}
	delete(plain, "identifier")
	short, err := json.Marshal(plain)
	if err == nil {
		err = json.Unmarshal(short, &r)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range extra.Identifier {
		r.Identifier = append(r.Identifier, map[string]string{"system": id.System, "value": id.Value})
	}
	parts := extra.Name[0].Surnames.Extension
	r.father = parts[0].ValueString
	if len(parts) > 1 {
		r.mom = parts[1].ValueString
	}
	return r
}

// clerkSlips are what clerks do to a record that they write once more, without the CURP.
var clerkSlips = []struct {
	name string
	do   func(rng *rand.Rand, r *written)
}{
	{"a letter of the given name", func(rng *rand.Rand, r *written) { r.Name[0].Given[0] = swapLetters(rng, r.Name[0].Given[0]) }},
	{"a letter of the surname", func(rng *rand.Rand, r *written) { r.Name[0].Family = swapLetters(rng, r.Name[0].Family) }},
	{"surnames swapped", func(_ *rand.Rand, r *written) { r.Name[0].Family = strings.TrimSpace(r.mom + " " + r.father) }},
	{"MARIA as MA., in capitals, without accents", func(_ *rand.Rand, r *written) {
		g := strings.ToUpper(strings.Join(r.Name[0].Given, " "))
		r.Name[0].Given = []string{match.Fold(strings.Replace(strings.Replace(g, "MARÍA ", "MA. ", 1), "JOSÉ ", "J. ", 1))}
		r.Name[0].Family = match.Fold(r.Name[0].Family)
	}},
	{"without the second surname", func(_ *rand.Rand, r *written) { r.Name[0].Family = r.father }},
	{"day and month swapped", func(_ *rand.Rand, r *written) {
		p := strings.Split(r.BirthDate, "-")
		if p[2] <= "12" {
			r.BirthDate = p[0] + "-" + p[2] + "-" + p[1]
		}
	}},
}

// swapLetters puts two letters in the wrong order.
func swapLetters(rng *rand.Rand, word string) string {
	letters := []rune(word)
	if len(letters) > 2 {
		i := 1 + rng.IntN(len(letters)-2)
		letters[i], letters[i+1] = letters[i+1], letters[i]
	}
	return string(letters)
}

// plantedCopy is a second record of somebody.
type plantedCopy struct{ of, copy, slip string }

const naivePeople = 300

// peopleAndCopies returns people, and copies of some with a slip each.
func peopleAndCopies(t *testing.T) (all []written, copies []plantedCopy) {
	rng := rand.New(rand.NewPCG(7, 7))
	for text := range demo.People(demo.Options{Patients: naivePeople, Seed: 11}) {
		r := writtenOf(t, text)
		all = append(all, r)
	}
	for i := range naivePeople / 2 {
		r, slip := all[i], clerkSlips[i%len(clerkSlips)]
		r.Name = []writtenName{{"official", r.Name[0].Family, slices.Clone(r.Name[0].Given)}}
		r.ID, r.Identifier = r.ID+"-copy", nil
		switch rng.IntN(3) { // another telephone, another address, or the same
		case 0:
			r.Telecom = nil
		case 1:
			r.Address = nil
		}
		slip.do(rng, &r)
		copies = append(copies, plantedCopy{all[i].ID, r.ID, slip.name})
		all = append(all, r)
	}
	return all, copies
}

// store writes records.
func (o *opened) writeRecords(t *testing.T, all []written) {
	t.Helper()
	maker := makerFor(o)
	var b bundle.Batch
	for i := range all {
		text, err := json.Marshal(&all[i])
		if err != nil {
			t.Fatal(err)
		}
		src, err := bundle.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		c, err := maker.Update(src, fhir.Ref{Type: "Patient", ID: all[i].ID}, false)
		if err != nil {
			t.Fatal(err)
		}
		b.Changes = append(b.Changes, c)
	}
	if _, err := o.Apply(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
}

// onBothOpened runs a test on both engines.
func onBothOpened(t *testing.T, test func(t *testing.T, o *opened)) {
	for engine, url := range map[string]func(testing.TB) string{"sqlite": nil, "postgres": storetest.Postgres} {
		t.Run(engine, func(t *testing.T) {
			where := storage{Data: t.TempDir(), FullText: textTypes{}}
			if url != nil {
				where.Database = url(t)
			}
			o, err := where.open(t.Context(), slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { o.Close() })
			o.people = o.clerk(match.Default(), match.Probable)
			test(t, o)
		})
	}
}

// TestMatchFindsAll: what comparing all with all says is certain is found through the
// keys, nearly all that is probable (two people who are alike by chance may share no
// key), and so are records that were written a second time with a slip.
func TestMatchFindsAll(t *testing.T) {
	t.Parallel()
	onBothOpened(t, func(t *testing.T, o *opened) {
		all, copies := peopleAndCopies(t)
		o.writeRecords(t, all)
		people := o.stored(t, all)
		found := make([]map[string]match.Grade, len(all))
		for i := range people {
			found[i] = map[string]match.Grade{}
			hits, err := o.people.Find(t.Context(), &people[i], mpi.Wish{Restriction: search.Unrestricted, Count: 100, Least: match.Possible})
			if err != nil {
				t.Fatal(err)
			}
			for n := range hits {
				found[i][hits[n].Patient.Ref.ID] = hits[n].Grade
				if n > 0 && hits[n].Score > hits[n-1].Score {
					t.Errorf("%s: a likelier one comes later", all[i].ID)
				}
			}
		}
		pairs, missed := 0, 0
		for i := range people {
			for k := range people {
				g, _ := o.people.Model.Grade(&people[i], &people[k])
				if g < match.Probable {
					continue
				}
				pairs++
				if found[i][all[k].ID] == g {
					continue
				}
				missed++
				if g == match.Certain {
					t.Errorf("%s and %s are certain, found as %v", all[i].ID, all[k].ID, found[i][all[k].ID])
				}
			}
		}
		if missed*100 > pairs || pairs < len(all)+naivePeople/2 {
			t.Errorf("%d of %d pairs were not found", missed, pairs)
		}
		recalled(t, all, copies, found)
	})
}

// recalled fails unless nearly all copies were found.
func recalled(t *testing.T, all []written, copies []plantedCopy, found []map[string]match.Grade) {
	t.Helper()
	at := map[string]int{}
	for i := range all {
		at[all[i].ID] = i
	}
	seen, right := map[string]int{}, map[string]int{}
	for _, p := range copies {
		seen[p.slip]++
		if found[at[p.copy]][p.of] >= match.Probable {
			right[p.slip]++
		}
	}
	for slip, n := range seen {
		t.Logf("%s: %d of %d", slip, right[slip], n)
		if right[slip]*100 < n*90 {
			t.Errorf("%s: %d of %d found", slip, right[slip], n)
		}
	}
}

// stored returns what is compared of the records, in their order.
func (o *opened) stored(t *testing.T, all []written) []match.Person {
	t.Helper()
	people := make([]match.Person, len(all))
	for i := range all {
		r, err := o.Read(t.Context(), fhir.Ref{Type: "Patient", ID: all[i].ID})
		if err == nil {
			people[i], err = personOf(&r)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return people
}

// TestDuplicatesOfAll: a run over everything makes a Task of each pair, once, and can
// be stopped and taken up again.
func TestDuplicatesOfAll(t *testing.T) {
	t.Parallel()
	onBothOpened(t, func(t *testing.T, o *opened) {
		all, copies := peopleAndCopies(t)
		o.writeRecords(t, all)
		out := new(strings.Builder)
		c := &duplicates{Least: "probable"}
		if err := c.walk(t.Context(), o, streams{out: out, err: out}); err != nil {
			t.Fatal(err)
		}
		tasks := o.openTasks(t)
		if len(tasks) < len(copies)*9/10 {
			t.Errorf("%d Tasks for %d copies: %s", len(tasks), len(copies), out)
		}
		if err := c.walk(t.Context(), o, streams{out: out, err: out}); err != nil {
			t.Fatal(err)
		}
		if again := o.openTasks(t); !slices.Equal(again, tasks) {
			t.Errorf("a second run changed Tasks: %s", out)
		}
		at := place{Done: 7}
		at.Walk.Type, at.Walk.Key = "Patient", 1<<40 // as if all but nobody had been met
		_, e, err := o.place(t.Context(), batchKey)
		if err == nil {
			err = o.savePlace(t.Context(), e, at)
		}
		if err == nil {
			err = c.walk(t.Context(), o, streams{out: out, err: out})
		}
		if err != nil || !strings.Contains(out.String(), "going on after 7 Patients") {
			t.Errorf("it does not go on where it was: %v %s", err, out)
		}
	})
}

// openTasks returns the Tasks of the work list with their versions.
func (o *opened) openTasks(t *testing.T) (tasks []string) {
	t.Helper()
	found, err := o.engine.Search(t.Context(), &search.Query{Type: "Task", Count: 1000, Restriction: search.Unrestricted})
	if err != nil {
		t.Fatal(err)
	}
	for i := range found.Matches {
		tasks = append(tasks, fmt.Sprint(found.Matches[i].Ref, found.Matches[i].Ref.Version))
	}
	slices.Sort(tasks)
	return tasks
}

// TestPeopleIndex: the rows follow the Patient, on a change, a deletion and a purge.
func TestPeopleIndex(t *testing.T) {
	onBothOpened(t, func(t *testing.T, o *opened) {
		all, _ := peopleAndCopies(t)
		one := all[:1]
		ask := o.stored
		finds := func(p *match.Person) int {
			found, err := o.people.Find(t.Context(), p, mpi.Wish{Restriction: search.Unrestricted, Count: 5, Least: match.Possible})
			if err != nil {
				t.Fatal(err)
			}
			return len(found)
		}
		o.writeRecords(t, one)
		before := ask(t, one)[0]
		one[0].Name, one[0].BirthDate, one[0].Identifier, one[0].Telecom, one[0].Address = []writtenName{{"official", "Otro Distinto", []string{"Zacarías"}}}, "1931-01-31", nil, nil, nil
		if finds(&before) != 1 {
			t.Fatal("what was written is not found")
		}
		o.writeRecords(t, one)
		after := ask(t, one)[0]
		if n := finds(&before); n != 0 || finds(&after) != 1 {
			t.Errorf("after a change, the old data find %d, the new ones %d", n, finds(&after))
		}
		ref := fhir.Ref{Type: "Patient", ID: one[0].ID}
		if _, err := o.Apply(t.Context(), &bundle.Batch{Changes: []bundle.Change{{Op: bundle.Delete, Ref: ref}}}); err != nil {
			t.Fatal(err)
		}
		if n := finds(&after); n != 0 {
			t.Errorf("after a deletion, %d are found", n)
		}
		rows := 0
		for _, k := range after.IndexKeys() {
			if err := o.engine.People(t.Context(), []int64{int64(k)}, 10, func(int64, []byte) { rows++ }); err != nil {
				t.Fatal(err)
			}
		}
		if rows != 0 {
			t.Errorf("%d rows are left of a deleted Patient", rows)
		}
	})
}
