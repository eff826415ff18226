package dose

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/immunization"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store/postgres"
	"github.com/amate-health/amate/store/sqlite"
	"github.com/amate-health/amate/store/storetest"
)

// testSchedule is a schedule of three vaccines, small enough to be read: hepatitis B at
// birth and 1 and 6 months, MMR at 12 and 18 months, varicella at 12, HPV for girls.
const testSchedule = `{"name":"test","version":"1",
"groups":[{"name":"HepB","title":"Hepatitis B","antigens":["HepB"]},{"name":"MMR","title":"SRP","antigens":["Measles","Mumps","Rubella"],"whole":true},
 {"name":"Varicella","antigens":["Varicella"]},{"name":"HPV","antigens":["HPV"]}],
"antigens":[
 {"name":"HepB","disease":"66071002","series":[{"name":"HepB 3","group":"HepB","type":"Standard","select":{"default":true},"doses":[
  {"ages":[{"absMin":"0 days","min":"0 days","earliestRec":"0 days"}],"preferable":[{"cvx":"08","forecast":true}]},
  {"ages":[{"absMin":"4 weeks - 4 days","min":"4 weeks","earliestRec":"1 month"}],"intervals":[{"fromPrevious":true,"absMin":"4 weeks - 4 days","min":"4 weeks","earliestRec":"4 weeks"}],"preferable":[{"cvx":"08","forecast":true}]},
  {"ages":[{"absMin":"24 weeks - 4 days","min":"24 weeks","earliestRec":"6 months"}],"intervals":[{"fromPrevious":true,"absMin":"8 weeks - 4 days","min":"8 weeks","earliestRec":"8 weeks"}],"preferable":[{"cvx":"08","forecast":true}]}]}]},
 %s,%s,%s,
 {"name":"Varicella","series":[{"name":"Varicella 1","group":"Varicella","type":"Standard","select":{"default":true},"doses":[
  {"ages":[{"absMin":"12 months - 4 days","min":"12 months","earliestRec":"12 months"}],"preferable":[{"cvx":"21","forecast":true}]}]}]},
 {"name":"HPV","series":[{"name":"HPV 1","group":"HPV","type":"Standard","sex":["Female"],"select":{"default":true},"doses":[
  {"ages":[{"absMin":"9 years","min":"9 years","earliestRec":"11 years"}],"preferable":[{"cvx":"62","forecast":true}]}]}]}],
"vaccines":[{"cvx":"08","name":"HepB","antigens":[{"antigen":"HepB"}]},{"cvx":"03","name":"MMR","antigens":[{"antigen":"Measles"},{"antigen":"Mumps"},{"antigen":"Rubella"}]},
 {"cvx":"21","name":"Varicella","antigens":[{"antigen":"Varicella"}]},{"cvx":"62","name":"HPV","antigens":[{"antigen":"HPV"}]}],
"liveConflicts":[{"previous":"03","current":"21","begin":"1 day","minEnd":"28 days","end":"28 days"},{"previous":"21","current":"03","begin":"1 day","minEnd":"28 days","end":"28 days"}]}`

// mmr is the series of one antigen of MMR.
func mmr(name string) string {
	return fmt.Sprintf(`{"name":%q,"contraindications":[{"observation":"007","text":"embarazo"}],"series":[{"name":"%s 2","group":"MMR","type":"Standard","select":{"default":true},"doses":[
	{"ages":[{"absMin":"12 months - 4 days","min":"12 months","earliestRec":"12 months"}],"preferable":[{"cvx":"03","forecast":true}]},
	{"ages":[{"absMin":"13 months - 4 days","min":"13 months","earliestRec":"18 months"}],"intervals":[{"fromPrevious":true,"absMin":"4 weeks - 4 days","min":"4 weeks","earliestRec":"4 weeks"}],"preferable":[{"cvx":"03","forecast":true}]}]}]}`, name, name)
}

func testAssessor(t testing.TB) immunization.Assessor {
	t.Helper()
	var s schedule.Schedule
	if err := json.Unmarshal(fmt.Appendf(nil, testSchedule, mmr("Measles"), mmr("Mumps"), mmr("Rubella")), &s); err != nil {
		t.Fatal(err)
	}
	e, err := immunization.New(&s)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// testBase is the FHIR base of the tests.
const testBase = "http://h/fhir"

// now is when it is in tests: a Thursday morning in Mexico.
var now = time.Date(2026, 3, 19, 16, 0, 0, 0, time.UTC)

// world is a post with a real store.
type world struct {
	*testing.T
	*Service
	store  Store
	run    map[string]func(context.Context, *operation.Call) (*operation.Answer, error)
	caller operation.Caller
	only   *search.Restriction
	parts  map[string]string // of merged Patients
}

// engines open stores.
var engines = map[string]func(t *testing.T) Store{
	"sqlite": func(t *testing.T) Store {
		s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "dose.db"), sqlite.Options{Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() }) // the folder goes anyway
		return s
	},
	"postgres": func(t *testing.T) Store {
		s, err := postgres.Open(t.Context(), storetest.Postgres(t), postgres.Options{Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() }) // it is lent
		return s
	},
}

// onEngines runs a test on both engines.
func onEngines(t *testing.T, f func(w *world)) {
	for name, open := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(newWorld(t, open(t)))
		})
	}
}

func newWorld(t *testing.T, store Store) *world {
	a := testAssessor(t)
	w := &world{T: t, store: store, only: search.Unrestricted, parts: map[string]string{}, run: map[string]func(context.Context, *operation.Call) (*operation.Answer, error){}}
	w.caller = operation.Caller{Principal: "nurse-1", User: fhir.Ref{Type: "Practitioner", ID: "n1"}, Org: "DFSSA000001", Roles: []string{"vaccinator"}}
	w.Service = New(Config{
		Store: store, Maker: func(base string) bundle.Maker { return bundle.Maker{Base: base} }, Now: func() time.Time { return now },
		Assessor: func(schedule.Date) (immunization.Assessor, error) { return a, nil },
		Merged:   func(_ context.Context, id string) (string, error) { return w.parts[id], nil },
	})
	for _, o := range w.Operations() {
		w.run[o.Name] = o.Run
	}
	w.put(`{"resourceType":"Practitioner","id":"n1","identifier":[{"system":"urn:oid:2.16.840.1.113883.3.215.12.18","value":"1234567"}],"name":[{"given":["Rosa"],"family":"Luna"}]}`)
	w.put(`{"resourceType":"Location","id":"l1","identifier":[{"system":"urn:oid:2.16.840.1.113883.4.631","value":"DFSSA000001"}],"name":"Centro de Salud Uno"}`)
	return w
}

// put stores a resource as it is.
func (w *world) put(body string) fhir.Resource {
	w.Helper()
	source, err := bundle.Parse([]byte(body))
	if err != nil {
		w.Fatal(err)
	}
	ref := fhir.Ref{Type: source.Type(), ID: text(source.Doc, 0, "id")}
	change, err := bundle.Maker{Base: testBase}.Update(source, ref, false)
	if err != nil {
		w.Fatalf("%s: %v", body, err)
	}
	results, err := w.store.Apply(w.Context(), &bundle.Batch{Changes: []bundle.Change{change}})
	if err != nil {
		w.Fatal(err)
	}
	return results[0].Resource
}

// patient stores a Patient who was born on a day.
func (w *world) patient(id, born, more string) {
	w.Helper()
	w.put(fmt.Sprintf(`{"resourceType":"Patient","id":%q,"birthDate":%q%s}`, id, born, more))
}

// p is a parameter: its name and its typed value.
func p(name, value string) string { return fmt.Sprintf(`{"name":%q,%s}`, name, value) }

func str(name, value string) string { return p(name, fmt.Sprintf(`"valueString":%q`, value)) }

func ref(name, value string) string {
	return p(name, fmt.Sprintf(`"valueReference":{"reference":%q}`, value))
}

// over passes warnings over.
func over(reason string, rules ...string) string {
	var parts []string
	for _, r := range rules {
		parts = append(parts, fmt.Sprintf(`{"name":"warning","valueCode":%q}`, r))
	}
	parts = append(parts, fmt.Sprintf(`{"name":"reason","valueString":%q}`, reason))
	return `{"name":"override","part":[` + strings.Join(parts, ",") + `]}`
}

// result is what an operation answered.
type result struct {
	status int
	raw    string
	parts  map[string][]json.RawMessage // values, by name
}

// call performs an operation: "record-dose" or "amend-dose Immunization/1".
func (w *world) call(what string, parameters ...string) (result, error) {
	w.Helper()
	name, on, _ := strings.Cut(what, " ")
	name, media, _ := strings.Cut(name, ":")
	doc, err := element.Parse([]byte(`{"resourceType":"Parameters","parameter":[` + strings.Join(parameters, ",") + `]}`))
	if err != nil {
		w.Fatal(err)
	}
	c := &operation.Call{In: operation.NewInputs(nil, doc), Base: testBase, Restriction: w.only, Caller: w.caller, MaxCount: 100, MaxBytes: 10 << 20, Media: media}
	if on != "" {
		c.Type, c.ID, _ = strings.Cut(on, "/")
	}
	a, err := w.run[name](w.Context(), c)
	if err != nil {
		return result{}, err
	}
	r := result{status: a.Status, raw: string(a.JSON) + string(a.Raw), parts: map[string][]json.RawMessage{}}
	if a.Set != nil {
		for _, m := range a.Set.Matches {
			r.parts["match"] = append(r.parts["match"], json.RawMessage(fmt.Sprintf("%q", m.Ref.Current())))
		}
		return r, nil
	}
	if a.Media != "" {
		return r, nil
	}
	var out struct{ Parameter []map[string]json.RawMessage }
	if err := json.Unmarshal(a.JSON, &out); err != nil {
		w.Fatalf("%s: %v", a.JSON, err)
	}
	for _, one := range out.Parameter {
		var name string
		_ = json.Unmarshal(one["name"], &name) // a string
		for k, v := range one {
			if k != "name" {
				r.parts[name] = append(r.parts[name], v)
			}
		}
	}
	return r, nil
}

// must performs an operation that succeeds.
func (w *world) must(what string, parameters ...string) result {
	w.Helper()
	r, err := w.call(what, parameters...)
	if err != nil {
		w.Fatalf("%s %v: %v %s", what, parameters, err, issuesOf(err))
	}
	return r
}

// refused performs an operation that is refused, by just these rules.
func (w *world) refused(code fhir.Code, rules string, what string, parameters ...string) {
	w.Helper()
	r, err := w.call(what, parameters...)
	if err == nil {
		w.Errorf("%s %v was done: %.600s", what, parameters, r.raw)
		return
	}
	if got := issuesOf(err); fhir.CodeOf(err) != code || got != rules {
		w.Errorf("%s %v: %v by %q, want %v by %q", what, parameters, err, got, code, rules)
	}
}

// issuesOf are the rules of what an error found, in order of their names.
func issuesOf(err error) string {
	var e *fhir.Error
	if !errors.As(err, &e) {
		return "not for the caller"
	}
	var all []string
	for _, i := range e.Issues {
		if i.Expression == "" {
			return i.Rule + " names no element"
		}
		if i.Severity != "information" && !slices.Contains(all, i.Rule) {
			all = append(all, i.Rule)
		}
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// text returns a primitive of an answer.
func (r result) text(name string) string {
	if len(r.parts[name]) == 0 {
		return ""
	}
	var s string
	if json.Unmarshal(r.parts[name][0], &s) != nil {
		return string(r.parts[name][0])
	}
	return s
}

// doc returns a resource of an answer.
func (r result) doc(w *world, name string) *element.Doc {
	w.Helper()
	if len(r.parts[name]) == 0 {
		w.Fatalf("no %s in %.400s", name, r.raw)
	}
	d, err := element.Parse(r.parts[name][0])
	if err != nil {
		w.Fatal(err)
	}
	return d
}

// count counts what a search of a type finds.
func (w *world) count(typ string, params ...search.Param) int {
	w.Helper()
	q, err := search.Parse(typ, append(params, search.Param{Name: "_count", Value: "200"}), search.Options{Base: testBase})
	if err != nil {
		w.Fatal(err)
	}
	q.Restriction = search.Unrestricted
	found, err := w.store.Search(w.Context(), q)
	if err != nil {
		w.Fatal(err)
	}
	return len(found.Matches)
}
