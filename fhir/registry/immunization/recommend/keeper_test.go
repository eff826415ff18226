package recommend

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/search"
)

// shelf is a store in memory.
type shelf struct {
	patients map[string]search.PatientRecord
	stored   map[string]fhir.Resource // recommendations
	rows     map[string]fhir.Vaccinee
	writes   int
	refuse   string // id of a recommendation
	fail     error  // of the rows
}

func (s *shelf) Records(_ context.Context, q *search.PatientQuery) (all []search.PatientRecord, err error) {
	for _, id := range q.Patients {
		if r, ok := s.patients[id]; ok {
			all = append(all, r)
		}
	}
	return all, nil
}

func (s *shelf) Search(_ context.Context, q *search.Query) (*search.Result, error) {
	found := &search.Result{}
	for _, id := range q.Where[0].(search.IDs).Any {
		if r, ok := s.stored[id]; ok {
			found.Matches = append(found.Matches, r)
		}
	}
	return found, nil
}

func (s *shelf) SaveVaccinees(_ context.Context, all []fhir.Vaccinee) error {
	if s.fail != nil {
		return s.fail
	}
	for _, v := range all {
		s.rows[v.Patient] = v
	}
	return nil
}

func (s *shelf) DropVaccinees(_ context.Context, ids []string) error {
	for _, id := range ids {
		delete(s.rows, id)
	}
	return nil
}

func (s *shelf) Vaccinees(_ context.Context, q *fhir.VaccineeQuery, each func(*fhir.Vaccinee) error) error {
	for _, id := range q.Patients {
		if v, ok := s.rows[id]; ok {
			if err := each(&v); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *shelf) AddVaccineeSchedule(context.Context, fhir.VaccineeSchedule) error { return nil }

func (s *shelf) Linked(context.Context, []int64) (map[int64][]int64, error) {
	return map[int64][]int64{}, nil
}

func (s *shelf) apply(_ context.Context, b *bundle.Batch) (results []bundle.Result, err error) {
	for i := range b.Changes {
		if b.Changes[i].Ref.ID == s.refuse {
			return nil, fhir.Errorf(fhir.Conflict, "held")
		}
	}
	for i := range b.Changes {
		c := &b.Changes[i]
		s.writes++
		ref := c.Ref
		ref.Version = int64(s.writes)
		if c.Op == bundle.Delete {
			delete(s.stored, c.Ref.ID)
			results = append(results, bundle.Result{Resource: fhir.Resource{Ref: ref}})
			continue
		}
		content, err := c.Build(&bundle.Env{}, c.Ref, nil)
		if err != nil {
			return nil, err
		}
		s.stored[c.Ref.ID] = fhir.Resource{Ref: ref, JSON: content.Body.Stamp(ref.Version, time.Unix(0, 0))}
		results = append(results, bundle.Result{Resource: fhir.Resource{Ref: ref}})
	}
	return results, nil
}

func (s *shelf) record(id, patient string, doses ...string) {
	r := search.PatientRecord{Key: int64(len(s.patients) + 1), Patient: fhir.Resource{Ref: fhir.Ref{Type: "Patient", ID: id}, JSON: []byte(`{"resourceType":"Patient","id":"` + id + `",` + patient + `}`)}}
	if old, ok := s.patients[id]; ok {
		r.Key = old.Key
	}
	for i, d := range doses {
		cvx, further, _ := strings.Cut(d, " ")
		r.Resources = append(r.Resources, fhir.Resource{Ref: fhir.Ref{Type: "Immunization", ID: fmt.Sprint(id, i)}, JSON: []byte(fmt.Sprintf(
			`{"resourceType":"Immunization","id":"%s%d","status":"completed","vaccineCode":{"coding":[{"system":"http://hl7.org/fhir/sid/cvx","code":%q}]},"occurrenceDateTime":"2025-05-0%d"%s}`, id, i, cvx, i+1, further))})
	}
	s.patients[id] = r
}

func newKeeper(t *testing.T) (*Keeper, *shelf) {
	s := &shelf{patients: map[string]search.PatientRecord{}, stored: map[string]fhir.Resource{}, rows: map[string]fhir.Vaccinee{}}
	return &Keeper{
		Store: s, Library: library(t, false), Write: s.apply, Maker: func(base string) bundle.Maker { return bundle.Maker{Base: base} },
		Facility: func(_ context.Context, ref fhir.Ref) string { return map[string]string{"o1": "DFSSA000001"}[ref.ID] },
		CLUES:    "clues", Blocked: "s|blocked", Zone: time.UTC, Now: func() time.Time { return time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC) }, Log: slog.New(slog.DiscardHandler), Workers: 2,
	}, s
}

// TestKeeper: what is kept follows what is recorded, and is written once.
func TestKeeper(t *testing.T) {
	k, s := newKeeper(t)
	look := func(want string, verify bool, ids ...string) {
		t.Helper()
		n, err := k.Look(t.Context(), ids, verify)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%d rows, %d written, %d removed, %d refused", n.Rows, n.Written, n.Removed, n.Refused); got != want {
			t.Errorf("%v: %s, want %s", ids, got, want)
		}
	}
	const born = `"birthDate":"2025-03-01","gender":"female"`
	s.record("a", born+`,"managingOrganization":{"reference":"Organization/o1"}`, `08 ,"location":{"reference":"Location/l9"}`)
	s.record("b", born+`,"managingOrganization":{"reference":"Organization/o2"},"meta":{"security":[{"system":"x","code":"R"}]}`, `08 ,"performer":[{"actor":{"identifier":{"system":"clues","value":"MCSSA000002"}}}],"meta":{"security":[{"system":"x","code":"V"}]}`)
	s.record("c", `"gender":"male"`) // without a day of birth
	look("2 rows, 2 written, 0 removed, 0 refused", false, "a", "b", "c", "nobody", "a")
	look("2 rows, 0 written, 0 removed, 0 refused", false, "a", "b", "c")
	look("2 rows, 0 written, 0 removed, 0 refused", true, "a", "b", "c")
	a, b := s.rows["a"], s.rows["b"]
	if a.Home != "DFSSA000001" || a.Post != "Location/l9" || b.Home != "Organization/o2" || b.Post != "MCSSA000002" || a.Soonest == 0 || a.Overdue == 0 || a.Again <= a.Assessed {
		t.Errorf("rows %+v %+v", a, b)
	}
	if text := string(s.stored[ForecastID("b")].JSON); !strings.Contains(text, `"security":[{"system":"x","code":"R"},{"system":"x","code":"V"}]`) {
		t.Errorf("what binds a patient and a dose does not bind what tells of them: %.300s", text)
	}
	// A day later it says the same, though another date would be on it.
	k.Now = func() time.Time { return time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC) }
	look("2 rows, 0 written, 0 removed, 0 refused", true, "a", "b")
	// The row was lost after the resource was written.
	delete(s.rows, "a")
	look("1 rows, 0 written, 0 removed, 0 refused", false, "a")
	// Somebody else has written it.
	r := s.stored[ForecastID("a")]
	r.JSON = []byte(strings.Replace(string(r.JSON), "notComplete", "complete", 1))
	s.stored[ForecastID("a")] = r
	look("1 rows, 0 written, 0 removed, 0 refused", false, "a")
	look("1 rows, 1 written, 0 removed, 0 refused", true, "a")
	ours := fhir.Ref{Type: "ImmunizationRecommendation", ID: ForecastID("a"), Version: int64(s.writes)}
	if first, second := k.Own(ours), k.Own(ours); !first || second {
		t.Error("it is not known what was written")
	}
	// One that is refused keeps nobody else from theirs, and is tried again.
	s.refuse = ForecastID("a")
	s.record("a", born, "08", "146")
	s.record("b", born, "08", "146")
	look("2 rows, 1 written, 0 removed, 1 refused", false, "a", "b")
	s.refuse = ""
	look("2 rows, 1 written, 0 removed, 0 refused", false, "a", "b")
	// Blocked, and gone.
	s.record("a", born+`,"meta":{"security":[{"system":"s","code":"blocked"}]}`)
	delete(s.patients, "b")
	purged := 0
	k.Purge = func(_ context.Context, refs []fhir.Ref) error {
		purged += len(refs)
		for _, ref := range refs {
			delete(s.stored, ref.ID)
		}
		return nil
	}
	look("0 rows, 0 written, 2 removed, 0 refused", false, "a", "b")
	if len(s.rows) != 0 || len(s.stored) != 0 || purged != 1 {
		t.Errorf("%d rows and %d resources are left, %d were removed for good", len(s.rows), len(s.stored), purged)
	}
	k.RowsOnly = true
	s.record("d", born, "08")
	look("1 rows, 0 written, 0 removed, 0 refused", false, "d")
	k.RowsOnly = false
	look("1 rows, 1 written, 0 removed, 0 refused", false, "d")
}

// TestKeeperFails: what could not be kept is an error, and is done the next time.
func TestKeeperFails(t *testing.T) {
	k, s := newKeeper(t)
	s.record("a", `"birthDate":"2025-03-01"`, "08")
	s.fail = errors.New("no room")
	if _, err := k.Look(t.Context(), []string{"a"}, false); !errors.Is(err, s.fail) {
		t.Errorf("%v", err)
	}
	s.fail = nil
	n, err := k.Look(t.Context(), []string{"a"}, false)
	if err != nil || n.Written != 0 || s.rows["a"].Print == 0 {
		t.Errorf("%+v %v", n, err)
	}
}

// TestAffected: which changes concern whom.
func TestAffected(t *testing.T) {
	k, s := newKeeper(t)
	to := func(ids ...string) (refs []fhir.Ref) {
		for _, id := range ids {
			refs = append(refs, fhir.Ref{Type: "Patient", ID: id})
		}
		return append(refs, fhir.Ref{Type: "Encounter", ID: "e"})
	}
	s.stored["m"] = fhir.Resource{Ref: fhir.Ref{Type: "Immunization", ID: "m"}, JSON: json.RawMessage(`{"patient":{"reference":"Patient/many"}}`)}
	look, verify, err := k.Affected(t.Context(), []fhir.Change{
		{Ref: fhir.Ref{Type: "Patient", ID: "p", Version: 2}, Targets: to("linked")},
		{Ref: fhir.Ref{Type: "Immunization", ID: "i", Version: 1}, Targets: to("i1", "i2")},
		{Ref: fhir.Ref{Type: "Immunization", ID: "m", Version: 1}, Many: true},
		{Ref: fhir.Ref{Type: "Condition", ID: "c", Version: 1}, Targets: to("c1")},
		{Ref: fhir.Ref{Type: "Observation", ID: "o", Version: 1}, Targets: to("o1"), At: fhir.Mark{Key: 7}},
		{Ref: fhir.Ref{Type: "Observation", ID: "o", Version: 2}, Targets: to("o2"), At: fhir.Mark{Key: 8}},
		{Ref: fhir.Ref{Type: "Encounter", ID: "e", Version: 1}, Targets: to("e1")},
		{Ref: fhir.Ref{Type: "ImmunizationRecommendation", ID: "theirs", Version: 1}, Targets: to("r1")},
		{Ref: fhir.Ref{Type: "ImmunizationRecommendation", ID: ForecastID("r2"), Version: 3}, Targets: to("r2")},
	})
	if err != nil || !slices.Equal(look, []string{"c1", "i1", "i2", "linked", "many", "o2", "p"}) || !slices.Equal(verify, []string{"r2"}) {
		t.Errorf("look at %v, verify %v: %v", look, verify, err)
	}
}
