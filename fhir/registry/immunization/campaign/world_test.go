package campaign

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/immunization"
	"github.com/amate-health/amate/fhir/registry/immunization/history"
	"github.com/amate-health/amate/fhir/registry/immunization/recommend"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule/mexico"
	"github.com/amate-health/amate/fhir/search"
)

// town is a store in memory: rows that are made by a real Keeper of the records in it, with
// Mexico's schedule.
type town struct {
	t         testing.TB
	library   *recommend.Library
	now       time.Time
	keys      map[string]int64 // Patients
	records   map[string][]fhir.Resource
	resources map[fhir.Ref]fhir.Resource
	rows      map[int64]fhir.Vaccinee
	schedules []fhir.VaccineeSchedule
	entries   map[string]fhir.Entry
	hidden    map[string]bool // Patients whom restricted callers do not see
}

func newTown(t testing.TB) *town {
	shelf, err := mexico.Shelf()
	if err != nil {
		t.Fatal(err)
	}
	library, err := recommend.NewLibrary("mx", shelf, func(s *schedule.Schedule) (immunization.Assessor, error) { return immunization.New(s) })
	if err != nil {
		t.Fatal(err)
	}
	return &town{
		t: t, library: library, now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC), keys: map[string]int64{}, records: map[string][]fhir.Resource{},
		resources: map[fhir.Ref]fhir.Resource{}, rows: map[int64]fhir.Vaccinee{}, entries: map[string]fhir.Entry{}, hidden: map[string]bool{},
	}
}

// shot is a dose by its CVX code and the age in days at which it was given.
type shot struct {
	cvx string
	age int
}

// child adds a child who is some days old.
func (w *town) child(id string, age int, place, clues, sex string, shots ...shot) {
	born := w.now.AddDate(0, 0, -age)
	patient := fmt.Sprintf(`{"resourceType":"Patient","id":%q,"name":[{"given":["Niño"],"family":%q}],"gender":%q,"birthDate":%q,"address":[{"_district":{"extension":[{"url":"u","valueCoding":{"system":"https://www.inegi.org.mx/app/ageeml/","code":%q}}]}}],"managingOrganization":{"identifier":{"system":"urn:oid:2.16.840.1.113883.4.631","value":%q}}}`,
		id, id, sex, born.Format(time.DateOnly), place, clues)
	w.keys[id] = int64(len(w.keys) + 1)
	w.put(fhir.Ref{Type: "Patient", ID: id}, patient)
	w.records[id] = nil
	for i, s := range shots {
		w.give(id, fmt.Sprintf("%s-%d", id, i), s.cvx, born.AddDate(0, 0, s.age))
	}
	w.keep(id)
}

func (w *town) give(patient, id, cvx string, on time.Time) {
	ref := fhir.Ref{Type: "Immunization", ID: id}
	w.put(ref, fmt.Sprintf(`{"resourceType":"Immunization","id":%q,"status":"completed","vaccineCode":{"coding":[{"system":"http://hl7.org/fhir/sid/cvx","code":%q}]},"patient":{"reference":"Patient/%s"},"occurrenceDateTime":%q}`,
		id, cvx, patient, on.Format(time.DateOnly)))
	w.records[patient] = append(w.records[patient], w.resources[ref])
}

func (w *town) put(ref fhir.Ref, text string) {
	w.resources[ref] = fhir.Resource{Ref: ref, JSON: []byte(text)}
}

func (w *town) keep(ids ...string) {
	k := &recommend.Keeper{
		Store: w, Library: w.library, Write: w.apply, Maker: func(base string) bundle.Maker { return bundle.Maker{Base: base} },
		Facility: func(context.Context, fhir.Ref) string { return "" }, CLUES: systemCLUES, Zone: time.UTC, Now: func() time.Time { return w.now }, Log: slog.New(slog.DiscardHandler),
	}
	if _, err := k.Look(w.t.Context(), ids, false); err != nil {
		w.t.Fatal(err)
	}
}

func (w *town) desk() *Desk {
	return &Desk{
		Store: w, Library: w.library, Zone: time.UTC, Now: func() time.Time { return w.now },
		Facility: func(_ context.Context, ref fhir.Ref) string { return map[string]string{"o": "DFSSA000001"}[ref.ID] },
		Below: func(_ context.Context, clues string) ([]string, error) {
			return map[string][]string{"DFSSA000000": {"DFSSA000000", "DFSSA000001", "DFSSA000002"}}[clues], nil
		},
	}
}

// call calls an operation with parameters of a query string.
func (w *town) call(name, query string, change func(*operation.Call)) (*operation.Answer, error) {
	w.t.Helper()
	params, err := search.SplitQuery(query)
	if err != nil {
		w.t.Fatal(err)
	}
	c := &operation.Call{In: operation.NewInputs(params, nil), Restriction: search.Unrestricted, MaxCount: 1000, MaxBytes: 1 << 30}
	if change != nil {
		change(c)
	}
	for _, op := range w.desk().Operations() {
		if op.Name == name {
			return op.Run(w.t.Context(), c)
		}
	}
	w.t.Fatal(name)
	return nil, nil
}

func (w *town) apply(_ context.Context, b *bundle.Batch) (results []bundle.Result, err error) {
	for _, c := range b.Changes {
		if c.Op == bundle.Delete {
			delete(w.resources, c.Ref)
		} else {
			content, err := c.Build(&bundle.Env{}, c.Ref, nil)
			if err != nil {
				return nil, err
			}
			w.put(c.Ref, string(content.Body.Stamp(1, time.Unix(0, 0))))
		}
		results = append(results, bundle.Result{Resource: w.resources[c.Ref]})
	}
	return results, nil
}

// Search implements Store, for searches by id and of all of a type. Whoever is restricted
// does not see who is hidden.
func (w *town) Search(_ context.Context, q *search.Query) (*search.Result, error) {
	found := &search.Result{Total: -1}
	var ids []string
	for _, e := range q.Where {
		if any, ok := e.(search.IDs); ok {
			ids = any.Any
		}
	}
	for ref, r := range w.resources {
		id := ref.ID
		if ref.Type != q.Type || ids != nil && !slices.Contains(ids, id) || !q.Restriction.Open() && w.hidden[id] {
			continue
		}
		if ids == nil && !strings.Contains(string(r.JSON), `"active"`) { // that of reminders
			continue
		}
		found.Matches = append(found.Matches, r)
	}
	slices.SortFunc(found.Matches, func(a, b fhir.Resource) int { return strings.Compare(a.Ref.ID, b.Ref.ID) })
	return found, nil
}

func (w *town) Records(_ context.Context, q *search.PatientQuery) (all []search.PatientRecord, err error) {
	for _, id := range q.Patients {
		if key := w.keys[id]; key != 0 {
			all = append(all, search.PatientRecord{Key: key, Patient: w.resources[fhir.Ref{Type: "Patient", ID: id}], Resources: w.records[id]})
		}
	}
	return all, nil
}

func (w *town) SaveVaccinees(_ context.Context, all []fhir.Vaccinee) error {
	for _, v := range all {
		w.rows[v.Key] = v
	}
	return nil
}

func (w *town) DropVaccinees(_ context.Context, patients []string) error {
	for _, id := range patients {
		delete(w.rows, w.keys[id])
	}
	return nil
}

func (w *town) Vaccinees(_ context.Context, q *fhir.VaccineeQuery, each func(*fhir.Vaccinee) error) error {
	var keys []int64
	for key := range w.rows {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	n := 0
	for _, key := range keys {
		v := w.rows[key]
		if q.Patients != nil && !slices.Contains(q.Patients, v.Patient) || q.Facility != "" && q.Facility != v.Home && q.Facility != v.Post ||
			q.Place != 0 && (v.Place < q.Place || v.Place >= max(q.PlaceEnd, q.Place+1)) || v.Born < q.BornFrom || q.BornTo != 0 && v.Born > q.BornTo ||
			q.Soonest != 0 && (v.Soonest == 0 || v.Soonest > q.Soonest) || q.Overdue != 0 && (v.Overdue == 0 || v.Overdue > q.Overdue) || v.Key <= q.After {
			continue
		}
		if q.Lean {
			v.Patient, v.Due = "", nil
		}
		if err := each(&v); err != nil {
			return err
		}
		if n++; q.Limit > 0 && n == q.Limit {
			break
		}
	}
	return nil
}

func (w *town) AddVaccineeSchedule(_ context.Context, v fhir.VaccineeSchedule) error {
	if !slices.ContainsFunc(w.schedules, func(s fhir.VaccineeSchedule) bool { return s.Number == v.Number }) {
		w.schedules = append(w.schedules, v)
	}
	return nil
}

func (w *town) VaccineeSchedules(context.Context) ([]fhir.VaccineeSchedule, error) {
	return w.schedules, nil
}

func (w *town) Linked(context.Context, []int64) (map[int64][]int64, error) { return nil, nil }

func (w *town) Entry(_ context.Context, kind, key string) (fhir.Entry, error) {
	if e, ok := w.entries[kind+"/"+key]; ok {
		return e, nil
	}
	return fhir.Entry{}, fhir.Errorf(fhir.NotFound, "none")
}

// restricted is a caller who does not see who is hidden.
func restricted(c *operation.Call) {
	c.Restriction = &search.Restriction{Types: map[string][]search.Expr{"Patient": {search.Not{X: search.IDs{}}}, "ImmunizationRecommendation": nil, "Immunization": nil}}
}

// ids are those of the Patients of a page.
func ids(a *operation.Answer) string {
	var all []string
	for _, m := range a.Set.Matches {
		all = append(all, m.Ref.ID)
	}
	return strings.Join(all, " ")
}

// figure reads a figure of a MeasureReport: "numerator/denominator", "" where it is hidden.
func figure(t testing.TB, a *operation.Answer, code string, part ...string) string {
	t.Helper()
	type counts struct {
		Component []struct {
			Value struct{ Coding []struct{ Code string } }
		}
		Population []struct {
			Code  struct{ Coding []struct{ Code string } }
			Count *int
		}
	}
	var report struct {
		Group []struct {
			counts
			Code       struct{ Coding []struct{ Code string } }
			Stratifier []struct{ Stratum []counts }
		}
	}
	if err := json.Unmarshal(a.JSON, &report); err != nil {
		t.Fatal(err)
	}
	text := func(c *counts) string {
		got := map[string]string{}
		for _, p := range c.Population {
			if p.Count != nil {
				got[p.Code.Coding[0].Code] = fmt.Sprint(*p.Count)
			}
		}
		return cmp.Or(strings.Trim(got["numerator"]+"/"+got["denominator"], "/"), "")
	}
	for i := range report.Group {
		g := &report.Group[i]
		if g.Code.Coding[0].Code != code {
			continue
		}
		if len(part) == 0 {
			return text(&g.counts)
		}
		for k := range g.Stratifier[0].Stratum {
			s := &g.Stratifier[0].Stratum[k]
			var at []string
			for _, c := range s.Component {
				at = append(at, c.Value.Coding[0].Code)
			}
			if slices.Equal(at, part) {
				return text(s)
			}
		}
	}
	return "none"
}

// known is what is recorded of a Patient.
func (w *town) known(id string, reader *history.Reader) *immunization.History {
	w.t.Helper()
	var docs []*element.Doc
	for _, r := range append([]fhir.Resource{w.resources[fhir.Ref{Type: "Patient", ID: id}]}, w.records[id]...) {
		doc, err := element.Parse(r.JSON)
		if err != nil {
			w.t.Fatal(err)
		}
		docs = append(docs, doc)
	}
	kept, err := reader.Read(docs[0], docs[1:])
	if err != nil {
		w.t.Fatal(err)
	}
	return &kept.History
}
