package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/authz"
	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	tables "github.com/amate-health/amate/fhir/table"
	"github.com/amate-health/amate/store"
	"github.com/amate-health/amate/store/analytics"
	"github.com/amate-health/amate/store/storetest"
)

// tabulating is what keeps tables, a step at a time.
type tabulating struct {
	*tabulator
	testing.TB
	runner analytics.Runner
}

// onBothTabulating runs a test on both engines, with tables that nobody has filled yet.
func onBothTabulating[T interface {
	testing.TB
	Run(string, func(T)) bool
}](t T, f func(t T, k *tabulating)) {
	for name, database := range map[string]func(testing.TB) string{"sqlite": nil, "postgres": storetest.Postgres} {
		t.Run(name, func(t T) {
			s := storage{Data: t.TempDir(), FullText: textTypes{}}
			limits := analytics.Limits{Time: time.Minute, Connections: 2}
			var run func() (analytics.Runner, error)
			if run = func() (analytics.Runner, error) { return analytics.RunSQLite(s.analyticsFile(), limits) }; database != nil {
				s.Database = database(t)
				run = func() (analytics.Runner, error) {
					r, _, err := analytics.RunPostgres(t.Context(), s.Database, limits)
					return r, err
				}
			}
			o, err := s.open(t.Context(), slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { o.Close() })
			o.Feed().Pause(0)
			keeper, err := s.openKeeper(t.Context(), o.log)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { keeper.Close() })
			runner, err := run()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { runner.Close() })
			o.gate, o.analytic = newGate(), &analytic{analysing: analysing{Release: "tables", Rows: 100_000}, keeper: keeper, runner: runner}
			f(t, &tabulating{&tabulator{opened: o, keeper: keeper}, t, runner})
		})
	}
}

// rests reports whether there is nothing left to do.
func (k *tabulating) rests(ctx context.Context) bool {
	if k.at == nil || k.at.Feed == (fhir.Mark{}) || k.unfilled() != nil || k.ready() || k.at.Day != time.Now().UTC().Format(time.DateOnly) {
		return false
	}
	// A transaction of anybody, in another database too, may hold back what was written.
	held, err := k.engine.(store.FeedReader).FeedHeld(ctx)
	if err != nil {
		k.Fatal(err)
	}
	left, err := k.Feed().Changes(ctx, k.at.Feed, 1)
	if err != nil {
		k.Fatal(err)
	}
	return held.Tx == 0 && len(left) == 0
}

// steps takes some steps, or fewer when there is nothing left to do.
func (k *tabulating) steps(most int) {
	k.Helper()
	for n := 0; n < most && !k.rests(k.Context()); n++ {
		if _, err := k.step(k.Context()); err != nil {
			k.Fatal(err)
		}
	}
}

// anew has all tables made anew, as the command does.
func (k *tabulating) anew() {
	k.Helper()
	for _, kept := range k.at.Tables {
		kept.Print, kept.Wants, kept.After, kept.Full = "", "", "", false
	}
	if err := k.keeper.Write(k.Context(), k.at); err != nil {
		k.Fatal(err)
	}
}

// lines returns what a query answers, as lines of JSON in their order.
func (k *tabulating) lines(sql string) []string {
	k.Helper()
	s, err := analytics.Parse(sql)
	if err != nil {
		k.Fatal(err)
	}
	var columns []tables.Column
	var all []string
	_, err = k.runner.Run(k.Context(), &analytics.Query{Statement: s, Rows: 1_000_000}, func(c []tables.Column) error {
		columns = c
		return nil
	}, func(row []tables.Cell) error {
		all = append(all, string(tables.AppendRow(nil, columns, row)))
		return nil
	})
	if err != nil {
		k.Fatalf("%s: %v", sql, err)
	}
	slices.Sort(all)
	return all
}

// contents returns all rows of all tables.
func (k *tabulating) contents() map[string][]string {
	k.Helper()
	all := map[string][]string{}
	for i := range k.tables {
		all[k.tables[i].Name] = k.lines(`SELECT * FROM ` + k.tables[i].Name)
	}
	return all
}

// put writes resources as they are, past what keeps blocked records from being written.
func (k *tabulating) put(resources ...string) {
	k.Helper()
	var b bundle.Batch
	maker := makerFor(k)
	for _, json := range resources {
		src, err := bundle.Parse([]byte(json))
		if err != nil {
			k.Fatal(err, json)
		}
		c, err := maker.Update(src, fhir.Ref{Type: src.Type(), ID: src.ID()}, false)
		if err != nil {
			k.Fatal(err, json)
		}
		b.Changes = append(b.Changes, c)
	}
	if _, err := k.engine.Apply(k.Context(), &b); err != nil {
		k.Fatal(err)
	}
}

// remove deletes a resource.
func (k *tabulating) remove(ref fhir.Ref) {
	k.Helper()
	if _, err := k.engine.Apply(k.Context(), &bundle.Batch{Changes: []bundle.Change{{Op: bundle.Delete, Ref: ref}}}); err != nil {
		k.Fatal(err)
	}
}

// BenchmarkTableChange: what it takes to bring the change of one resource into its tables.
func BenchmarkTableChange(b *testing.B) {
	onBothTabulating(b, func(b *testing.B, k *tabulating) {
		k.put(`{"resourceType":"Patient","id":"p0","birthDate":"1992-03-13"}`)
		types := slices.Sorted(maps.Keys(about))
		for _, typ := range types {
			code := map[string]string{"Encounter": "VR", "Immunization": "146", "Condition": "J00", "Observation": "8339-4"}[typ]
			k.put(fmt.Sprintf(`{"resourceType":%q,"id":"r0",`+about[typ]+`}`, typ, code, "p0", 3))
		}
		k.steps(100_000)
		for _, typ := range types {
			b.Run(typ, func(b *testing.B) {
				for b.Loop() {
					if seen, err := k.update(b.Context(), typ, []string{"r0"}); err != nil || !seen["r0"] {
						b.Fatal(err)
					}
				}
			})
		}
	})
}

// crowdModel is who there is, and whose records analysts may see.
type crowdModel struct {
	k       *tabulating
	rng     *rand.Rand
	people  map[string]*modelled
	records map[fhir.Ref]string // to whom each belongs
	gone    int                 // records that were purged
	rows    map[string]int      // that there were, by table, whenever it was looked
}

// modelled is a patient.
type modelled struct{ blocked, refuses bool }

func (p *modelled) seen() bool { return p != nil && !p.blocked && !p.refuses }

// about are records of types of which there are tables, with dates that say much.
var about = map[string]string{
	"Encounter":    `"status":"finished","class":{"code":%q},"subject":{"reference":"Patient/%s"},"period":{"start":"2024-03-0%dT10:00:00Z","end":"2024-03-09T10:00:00Z"}`,
	"Condition":    `"code":{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10","code":%q}],"text":"SECRETO"},"subject":{"reference":"Patient/%s"},"onsetDateTime":"2024-02-0%d"`,
	"Observation":  `"status":"final","code":{"coding":[{"system":"http://loinc.org","code":%q}]},"subject":{"reference":"Patient/%s"},"effectiveDateTime":"2024-01-0%d","valueQuantity":{"value":2500,"unit":"g","code":"g"}`,
	"Immunization": `"status":"completed","vaccineCode":{"coding":[{"system":"http://hl7.org/fhir/sid/cvx","code":%q}]},"patient":{"reference":"Patient/%s"},"occurrenceDateTime":"2024-04-0%d"`,
}

// patient writes a patient as they are.
func (m *crowdModel) patient(id string) {
	label := ""
	if m.people[id].blocked {
		label = fmt.Sprintf(`"meta":{"security":[{"system":%q,"code":%q}]},`, authz.LabelSystem, authz.Blocked)
	}
	m.k.put(fmt.Sprintf(`{"resourceType":"Patient","id":%q,%s"name":[{"family":"SECRETO"}],"gender":"female","birthDate":"19%02d-03-13"}`, id, label, 40+m.rng.IntN(60)))
}

// does one thing.
func (m *crowdModel) does() {
	id := fmt.Sprintf("p%d", m.rng.IntN(8))
	p := m.people[id]
	if p == nil {
		m.people[id] = &modelled{}
		m.patient(id)
		return
	}
	switch m.rng.IntN(20) {
	case 0:
		p.blocked = !p.blocked
		m.patient(id)
	case 1:
		p.refuses = !p.refuses
		m.k.put(fmt.Sprintf(`{"resourceType":"Consent","id":"c%s","status":%q,"scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},
"category":[{"coding":[{"system":"http://loinc.org","code":"59284-0"}]}],"patient":{"reference":"Patient/%s"},"dateTime":"2026-01-01","policyRule":{"text":"x"},"provision":{"type":"deny"}}`, id, map[bool]string{true: "active", false: "inactive"}[p.refuses], id))
	case 2:
		m.patient(id) // another year of birth
	case 3:
		m.purge(id)
	case 4:
		if refs := m.refs(""); len(refs) > 0 {
			ref := refs[m.rng.IntN(len(refs))]
			delete(m.records, ref)
			m.k.remove(ref)
		}
	default:
		types := slices.Sorted(maps.Keys(about))
		typ := types[m.rng.IntN(len(types))]
		ref := fhir.Ref{Type: typ, ID: fmt.Sprintf("r%d", m.rng.IntN(20))} // also from one patient to another
		m.records[ref] = id
		code := map[string][]string{"Encounter": {"AMB", "VR"}, "Immunization": {"146", "03"}}[typ]
		if code == nil {
			code = []string{"J00", "8339-4"}
		}
		m.k.put(fmt.Sprintf(`{"resourceType":%q,"id":%q,`+about[typ]+`}`, typ, ref.ID, code[m.rng.IntN(2)], id, 1+m.rng.IntN(8)))
	}
}

// refs returns the records of somebody, or of all.
func (m *crowdModel) refs(id string) (all []fhir.Ref) {
	for ref, of := range m.records {
		if id == "" || of == id {
			all = append(all, ref)
		}
	}
	slices.SortFunc(all, func(a, b fhir.Ref) int { return strings.Compare(a.String(), b.String()) })
	return all
}

// purge removes a patient for good, with all that is about them.
func (m *crowdModel) purge(id string) {
	m.k.Helper()
	refs := append(m.refs(id), fhir.Ref{Type: "Patient", ID: id}, fhir.Ref{Type: "Consent", ID: "c" + id})
	if _, err := m.k.engine.Purge(m.k.Context(), refs, m.k.indexer()); err != nil {
		m.k.Fatal(err)
	}
	for _, ref := range refs {
		delete(m.records, ref)
	}
	delete(m.people, id)
	m.gone += len(refs) - 2
}

// counts returns how many rows each table ought to have.
func (m *crowdModel) counts() map[string]int {
	n := map[string]int{}
	for _, p := range m.people {
		if p.seen() {
			n["amate_patients"]++
		}
	}
	for ref, of := range m.records {
		if m.people[of].seen() {
			n[map[string]string{"Encounter": "amate_encounters", "Condition": "amate_conditions", "Observation": "amate_observations", "Immunization": "amate_doses"}[ref.Type]]++
		}
	}
	return n
}

// look compares the tables with the model, and with what running the views anew makes.
func (m *crowdModel) look(when string) {
	m.k.Helper()
	m.k.steps(100_000)
	live := m.k.contents()
	want := m.counts()
	for _, name := range []string{"amate_patients", "amate_encounters", "amate_conditions", "amate_observations", "amate_doses"} {
		if len(live[name]) != want[name] {
			m.k.Errorf("%s: %s has %d rows, want %d", when, name, len(live[name]), want[name])
		}
		m.rows[name] += len(live[name])
		if text := strings.Join(live[name], ""); strings.Contains(text, "SECRETO") || strings.Contains(text, "2024-0") && strings.Contains(text, "2024-03-0") {
			m.k.Errorf("%s: %s tells who somebody is", when, name)
		}
	}
	m.k.anew()
	m.k.steps(100_000)
	again := m.k.contents()
	for name := range again {
		if !slices.Equal(live[name], again[name]) {
			only := func(a, b []string) string {
				return strings.Join(slices.DeleteFunc(slices.Clone(a), func(s string) bool { return slices.Contains(b, s) }), "\n")
			}
			m.k.Errorf("%s: %s has, and would not if it was made anew,\n%s\nand has not, and would\n%s", when, name, only(live[name], again[name]), only(again[name], live[name]))
		}
	}
}

// TestTablesAtRest: whatever is written, changed, moved to somebody else, deleted, blocked,
// refused by a consent or purged, in whatever order and also while tables are being made:
// once there is nothing left to do they hold what the views make of the records, and of
// nobody who is not to be seen.
func TestTablesAtRest(t *testing.T) {
	t.Parallel()
	onBothTabulating(t, func(t *testing.T, k *tabulating) {
		m := &crowdModel{k: k, rng: rand.New(rand.NewPCG(8, 8)), people: map[string]*modelled{}, records: map[fhir.Ref]string{}, rows: map[string]int{}}
		unmade(k)
		for round := range 4 {
			for range 60 {
				m.does()
				if m.rng.IntN(3) == 0 {
					k.steps(m.rng.IntN(3))
				}
			}
			if round%2 == 1 { // changes come while tables are being made
				k.steps(100_000)
				k.anew()
				for range 40 {
					m.does()
					k.steps(1)
				}
			}
			m.look(fmt.Sprintf("round %d", round))
		}
		for _, name := range []string{"amate_patients", "amate_encounters", "amate_conditions", "amate_observations", "amate_doses"} {
			if m.gone == 0 || m.rows[name] == 0 {
				t.Errorf("too little has happened: %d records purged, %d rows of %s", m.gone, m.rows[name], name)
			}
		}
	})
}

// unmade expects that whoever asks for a table before it is made is told to come back, and
// that nobody else is.
func unmade(k *tabulating) {
	k.Helper()
	for sql, want := range map[string]fhir.Code{
		`SELECT count(*) AS n FROM amate_patients`: fhir.Unavailable, `WITH x(n) AS (SELECT count(*) FROM "amate_doses") SELECT n FROM x`: fhir.Unavailable,
		`SELECT count(*) AS n FROM nosuch`: fhir.Unprocessable, `SELECT nosuch FROM dictionary`: fhir.Unprocessable, `SELECT count(*) AS n FROM dictionary`: 0,
	} {
		s, err := analytics.Parse(sql)
		if err != nil {
			k.Fatal(err)
		}
		err = k.answered(s)
		var told *fhir.Error
		if fhir.CodeOf(err) != want || want == fhir.Unavailable && errors.As(err, &told) && told.RetryAfter == 0 {
			k.Errorf("%s: %v", sql, err)
		}
	}
}

// answered asks, and returns why there is no answer.
func (k *tabulating) answered(s *analytics.Statement) error {
	_, err := k.ask(k.Context(), &analytics.Query{Statement: s, Rows: 9}, func([]tables.Column) error { return nil }, func([]tables.Cell) error { return nil })
	return err
}

// late has all tables made as soon as a query has failed.
type late struct {
	analytics.Runner
	made func()
}

func (r *late) Run(ctx context.Context, q *analytics.Query, begin func([]tables.Column) error, row func([]tables.Cell) error) (bool, error) {
	more, err := r.Runner.Run(ctx, q, begin, row)
	if err != nil && r.made != nil {
		r.made()
		r.made = nil
	}
	return more, err
}

// TestTableMadeMeanwhile: a query whose table is made between its failure and the question
// which tables are still to be made is answered.
func TestTableMadeMeanwhile(t *testing.T) {
	t.Parallel()
	onBothTabulating(t, func(t *testing.T, k *tabulating) {
		s, err := analytics.Parse(`SELECT count(*) AS n FROM amate_patients`)
		if err != nil {
			t.Fatal(err)
		}
		k.analytic.runner = &late{k.runner, func() { k.steps(100_000) }}
		if err := k.answered(s); err != nil {
			t.Error(err)
		}
	})
}

// counting is a keeper of whose tables one is replaced before it is counted.
type counting struct {
	analytics.Keeper
	replace func()
}

func (c *counting) Count(ctx context.Context, base string) (int64, error) {
	if c.replace != nil {
		c.replace()
		c.replace = nil
	}
	return c.Keeper.Count(ctx, base)
}

// TestTableReplacedMeanwhile: tables are counted although one is replaced between the
// question which there are and that how many rows it has.
func TestTableReplacedMeanwhile(t *testing.T) {
	t.Parallel()
	onBothTabulating(t, func(t *testing.T, k *tabulating) {
		k.steps(100_000)
		at, _, err := tablesCounted(t.Context(), &counting{k.keeper, func() {
			k.anew()
			k.steps(100_000)
		}})
		if err != nil || len(at.Tables) == 0 {
			t.Fatal(err)
		}
		for name, kept := range at.Tables {
			if kept.Base != k.at.Tables[name].Base {
				t.Errorf("%s is counted as %s, and is %s", name, kept.Base, k.at.Tables[name].Base)
			}
		}
	})
}

// hurried is a runner that has no time for a second query.
type hurried struct {
	analytics.Runner
	asked int
}

func (r *hurried) Run(ctx context.Context, q *analytics.Query, begin func([]tables.Column) error, row func([]tables.Cell) error) (bool, error) {
	if r.asked++; r.asked > 1 {
		return false, fhir.Errorf(fhir.Unavailable, "there is no time")
	}
	return r.Runner.Run(ctx, q, begin, row)
}

// TestTablesNotToldMeanwhile: a query that failed, perhaps since its table is still to be
// made, is not refused while that cannot be told.
func TestTablesNotToldMeanwhile(t *testing.T) {
	t.Parallel()
	onBothTabulating(t, func(t *testing.T, k *tabulating) {
		s, err := analytics.Parse(`SELECT count(*) AS n FROM amate_patients`)
		if err != nil {
			t.Fatal(err)
		}
		k.analytic.runner = &hurried{Runner: k.runner}
		if err := k.answered(s); fhir.CodeOf(err) != fhir.Unavailable {
			t.Errorf("it is answered with %v", err)
		}
	})
}
