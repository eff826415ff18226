package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
)

// vaccinees are the rows of the immunization schedule of an engine, and what they are
// made from.
type vaccinees interface {
	Store
	SaveVaccinees(ctx context.Context, all []fhir.Vaccinee) error
	DropVaccinees(ctx context.Context, patients []string) error
	Vaccinees(ctx context.Context, q *fhir.VaccineeQuery, each func(*fhir.Vaccinee) error) error
	AddVaccineeSchedule(ctx context.Context, v fhir.VaccineeSchedule) error
	VaccineeSchedules(ctx context.Context) ([]fhir.VaccineeSchedule, error)
	Records(ctx context.Context, q *search.PatientQuery) ([]search.PatientRecord, error)
}

// Vaccinees is what every engine does with the rows of the immunization schedule.
func Vaccinees(t *testing.T, s any) {
	store := s.(vaccinees)
	f := &fixture{T: t, s: store, ctx: t.Context()}
	f.load(
		`{"resourceType":"Patient","id":"a"}`, `{"resourceType":"Patient","id":"b"}`, `{"resourceType":"Patient","id":"c"}`,
		`{"resourceType":"Immunization","id":"i1","status":"completed","patient":{"reference":"Patient/a"}}`,
		`{"resourceType":"Immunization","id":"i2","status":"completed","patient":{"reference":"Patient/c"}}`,
		`{"resourceType":"Immunization","id":"i3","status":"completed","patient":{"reference":"Patient/a"}}`,
		`{"resourceType":"Observation","id":"o1","status":"final","code":{"coding":[{"system":"s","code":"x"}]},"subject":{"reference":"Patient/a"}}`,
		`{"resourceType":"Observation","id":"o2","status":"final","code":{"coding":[{"system":"s","code":"y"}]},"subject":{"reference":"Patient/a"}}`,
	)
	keys := f.records(store)
	f.saved(store, keys)
	f.asked(store)
	f.left(store, keys)
}

// records goes through all Patients, one at a time and together, and returns their keys.
func (f *fixture) records(store vaccinees) map[string]int64 {
	f.Helper()
	code := query(f, "Observation?code=s|y").Where[0].(search.Match)
	links := []search.PatientLink{
		{Type: "Immunization", Param: spec.Param("Immunization", "patient")},
		{Type: "Observation", Param: spec.Param("Observation", "patient"), Among: code.Values[0].Tokens},
	}
	want := map[string]string{"a": "Immunization/i1 Immunization/i3 Observation/o2", "b": "", "c": "Immunization/i2"}
	keys, q := map[string]int64{}, search.PatientQuery{Limit: 1, Links: links}
	for {
		page, err := store.Records(f.ctx, &q)
		if err != nil {
			f.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		f.checkRecords(page, want)
		keys[page[0].Patient.Ref.ID], q.After = page[0].Key, page[0].Key
	}
	if len(keys) != len(want) {
		f.Fatalf("the pass met %v", keys)
	}
	some, err := store.Records(f.ctx, &search.PatientQuery{Patients: []string{"c", "none", "a"}, Limit: 10, Links: links})
	if err != nil || len(some) != 2 {
		f.Fatalf("%d of two Patients by id: %v", len(some), err)
	}
	f.checkRecords(some, want)
	if none, err := store.Records(f.ctx, &search.PatientQuery{Patients: []string{}, Limit: 10, Links: links}); err != nil || len(none) != 0 {
		f.Errorf("no ids at all: %v %v", none, err)
	}
	return keys
}

func (f *fixture) checkRecords(page []search.PatientRecord, want map[string]string) {
	f.Helper()
	for i := range page {
		var all []string
		for _, r := range page[i].Resources {
			if !strings.Contains(string(r.JSON), `"`+r.Ref.ID+`"`) || r.Ref.Version != 1 {
				f.Errorf("%v has the content %s", r.Ref, r.JSON)
			}
			all = append(all, r.Ref.Current().String())
		}
		if got, id := strings.Join(all, " "), page[i].Patient.Ref.ID; got != want[id] {
			f.Errorf("the record of %s holds %q, want %q", id, got, want[id])
		}
	}
}

// saved writes rows, over others and for somebody who is not there.
func (f *fixture) saved(store vaccinees, keys map[string]int64) {
	f.Helper()
	row := func(id string, change func(*fhir.Vaccinee)) fhir.Vaccinee {
		v := fhir.Vaccinee{
			Key: keys[id], Patient: id, Print: -5, Schedule: 7, Assessed: 150_000, Again: 150_100, Born: 149_000, Soonest: 150_010, Overdue: 150_050,
			Place: 9014, Sex: 2, Doubts: 3, Home: "DFSSA003966", Post: "Location/x", Due: []byte{0, 1, 255}, Given: []byte{},
		}
		change(&v)
		return v
	}
	plain := func(*fhir.Vaccinee) {}
	for _, all := range [][]fhir.Vaccinee{
		{row("c", func(v *fhir.Vaccinee) {
			v.Place, v.Home, v.Post, v.Born, v.Overdue = 20067, "", "DFSSA003966", 149_500, 0
		}), row("a", plain)},
		{row("b", plain), {Key: 1 << 40, Patient: "nobody", Due: []byte{}, Given: []byte{}}},
		{row("b", func(v *fhir.Vaccinee) { v.Soonest, v.Again, v.Place, v.Due = 0, 0, 0, nil })},
		{row("a", func(v *fhir.Vaccinee) { v.Assessed++ })}, // says the same
	} {
		if err := store.SaveVaccinees(f.ctx, all); err != nil {
			f.Fatal(err)
		}
	}
	if got := f.vaccinee(store, "a"); fmt.Sprint(got) != fmt.Sprint(row("a", plain)) {
		f.Errorf("stored %v\nwant   %v", got, row("a", plain))
	}
	if got := f.vaccinee(store, "b"); got.Soonest != 0 || len(got.Due) != 0 {
		f.Errorf("the row of b is %v", got)
	}
}

func (f *fixture) vaccinee(store vaccinees, id string) (found fhir.Vaccinee) {
	f.Helper()
	err := store.Vaccinees(f.ctx, &fhir.VaccineeQuery{Patients: []string{id}}, func(v *fhir.Vaccinee) error {
		found = *v
		return nil
	})
	if err != nil {
		f.Error(err)
	}
	return found
}

// asked looks for rows in all ways.
func (f *fixture) asked(store vaccinees) {
	f.Helper()
	for want, all := range map[string][]fhir.VaccineeQuery{
		"a b c": {{}, {BornTo: 149_500}, {Facility: "DFSSA003966"}},
		"a b":   {{Home: "DFSSA003966"}, {Post: "Location/x"}, {Limit: 2}, {BornTo: 149_000}, {Overdue: 150_050}},
		"a c":   {{Soonest: 150_010}, {Again: 150_100}, {Place: 9000, PlaceEnd: 21_000}, {Patients: []string{"c", "a"}}},
		"a":     {{Place: 9014}, {Limit: 1}},
		"c":     {{BornFrom: 149_001}, {Place: 20067}, {Post: "DFSSA003966"}},
		"":      {{Soonest: 150_009}, {Overdue: 150_049}, {Again: 150_099}, {Patients: []string{}}, {Home: "DF"}},
	} {
		for _, q := range all {
			var got []string
			var last int64
			err := store.Vaccinees(f.ctx, &q, func(v *fhir.Vaccinee) error {
				if q.Limit > 0 && v.Key <= last {
					f.Errorf("%+v: %s is out of order", q, v.Patient)
				}
				last = v.Key
				got = append(got, v.Patient)
				return nil
			})
			slices.Sort(got)
			if err != nil || strings.Join(got, " ") != want {
				f.Errorf("%+v found %v, want %q: %v", q, got, want, err)
			}
		}
	}
	f.lean(store)
	stop := errors.New("stop")
	if err := store.Vaccinees(f.ctx, &fhir.VaccineeQuery{}, func(*fhir.Vaccinee) error { return stop }); !errors.Is(err, stop) {
		f.Errorf("a reader that stops: %v", err)
	}
}

// lean asks for what is counted alone.
func (f *fixture) lean(store vaccinees) {
	f.Helper()
	var got []string
	err := store.Vaccinees(f.ctx, &fhir.VaccineeQuery{Lean: true, Place: 9000, PlaceEnd: 21_000}, func(v *fhir.Vaccinee) error {
		got = append(got, fmt.Sprintf("%v %v %v %v %v %q %q %q %v", v.Key > 0, v.Schedule, v.Born, v.Place, v.Sex, v.Patient, v.Home, v.Post, len(v.Due)))
		return nil
	})
	slices.Sort(got)
	want := []string{`true 7 149000 9014 2 "" "DFSSA003966" "Location/x" 0`, `true 7 149500 20067 2 "" "" "DFSSA003966" 0`}
	if err != nil || !slices.Equal(got, want) {
		f.Errorf("%q, want %q: %v", got, want, err)
	}
}

// left takes rows out: those of Patients who are deleted go with them.
func (f *fixture) left(store vaccinees, keys map[string]int64) {
	f.Helper()
	f.apply(bundle.Change{Op: bundle.Delete, Ref: ref("Patient/a")})
	if got := f.vaccinee(store, "a"); got.Key != 0 {
		f.Errorf("the row of a Patient who was deleted is left: %v", got)
	}
	if err := store.SaveVaccinees(f.ctx, []fhir.Vaccinee{{Key: keys["a"], Due: []byte{}, Given: []byte{}}}); err != nil {
		f.Fatal(err)
	}
	if n := f.countVaccinees(store); n != 2 {
		f.Errorf("%d rows, want those of b and c", n)
	}
	if err := store.DropVaccinees(f.ctx, []string{"b", "none"}); err != nil {
		f.Fatal(err)
	}
	if n := f.countVaccinees(store); n != 1 {
		f.Errorf("%d rows, want that of c", n)
	}
	v := fhir.VaccineeSchedule{Number: -9, Name: "mx", Version: "1", Groups: []string{"A", "é\"B"}, Antigens: []string{"x"}}
	for range 2 {
		if err := store.AddVaccineeSchedule(f.ctx, v); err != nil {
			f.Fatal(err)
		}
	}
	if all, err := store.VaccineeSchedules(f.ctx); err != nil || fmt.Sprint(all) != fmt.Sprint([]fhir.VaccineeSchedule{v}) {
		f.Errorf("schedules %v: %v", all, err)
	}
}

func (f *fixture) countVaccinees(store vaccinees) (n int) {
	f.Helper()
	err := store.Vaccinees(f.ctx, &fhir.VaccineeQuery{}, func(*fhir.Vaccinee) error {
		n++
		return nil
	})
	if err != nil {
		f.Error(err)
	}
	return n
}
