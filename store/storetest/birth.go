package storetest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
)

// births are the ledger of births of an engine.
type births interface {
	Births(ctx context.Context, q *fhir.BirthQuery) ([]fhir.Birth, error)
	BirthEvents(ctx context.Context, folio string) ([]fhir.BirthEvent, error)
	TakeFolios(ctx context.Context, facility string, year int, count int64) (fhir.FolioRange, error)
	AddFolios(ctx context.Context, r fhir.FolioRange, alone bool) error
	FolioRanges(ctx context.Context, facility string) ([]fhir.FolioRange, error)
	AddOldBirths(ctx context.Context, all []fhir.OldBirth) (int, error)
	OldBirths(ctx context.Context, year int, after fhir.OldBirth, limit int) ([]fhir.OldBirth, error)
	Apply(ctx context.Context, b *bundle.Batch) ([]bundle.Result, error)
}

func certificate(folio, state, guard string, version int64) fhir.Birth {
	return fhir.Birth{
		Folio: folio, Version: version, State: state, Facility: "OCSSA003966", Born: "2026-10-03", Guard: guard, Namesake: "n" + guard,
		Row: []string{"1", "á\"", ""}, Value: []byte(`{"a":1}`), Event: fhir.BirthEvent{Kind: state, At: time.UnixMicro(1_790_000_000_000_000), Who: "w", Note: "ñ"},
	}
}

// Births is what every engine does with certificates of birth: each is at the version
// that it was read at, each newborn has one live certificate, and its rows are written
// with the resources or not at all.
func Births(t *testing.T, s any) {
	ctx, store := t.Context(), s.(births)
	put := func(all ...fhir.Birth) error {
		_, err := store.Apply(ctx, &bundle.Batch{Births: all})
		return err
	}
	refused := func(what string, err error) {
		t.Helper()
		if fhir.CodeOf(err) != fhir.Conflict {
			t.Errorf("%s: %v", what, err)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(put(certificate("F-1", "draft", "", 0)))
	refused("a folio twice", put(certificate("F-1", "draft", "", 0)))
	one := certificate("F-1", "certified", "g1", 1)
	one.Token, one.Certified = "tok1", time.UnixMicro(1_790_000_000_000_000)
	must(put(one))
	refused("an old version", put(one))
	must(put(certificate("F-2", "draft", "", 0)))
	refused("a second live certificate", put(certificate("F-2", "certified", "g1", 1)))
	changed := certificate("F-1", "delivered", "g1", 2) // without token and time
	if err := put(changed); err == nil {
		t.Error("what is certified was changed")
	}
	void := one
	void.State, void.Version, void.Guard = "replaced", 2, ""
	must(put(void, certificate("F-2", "certified", "g1", 1)))
	found, err := store.Births(ctx, &fhir.BirthQuery{Guard: "g1"})
	if err != nil || len(found) != 1 || found[0].Folio != "F-2" || found[0].Guard != "g1" {
		t.Errorf("live is %+v, %v", found, err)
	}
	found, err = store.Births(ctx, &fhir.BirthQuery{Token: "tok1", Facility: "OCSSA", From: "2026-10-03", Until: "2026-10-04", States: []string{"replaced", "void"}, Limit: 5})
	if err != nil || len(found) != 1 || found[0].Version != 3 || !slices.Equal(found[0].Row, one.Row) || !found[0].Certified.Equal(one.Certified) || string(found[0].Value) != `{"a":1}` {
		t.Errorf("found %+v, %v", found, err)
	}
	if found, err := store.Births(ctx, &fhir.BirthQuery{After: "F-1", Until: "2026-10-03"}); err != nil || len(found) != 0 {
		t.Errorf("found %+v, %v", found, err)
	}
	events, err := store.BirthEvents(ctx, "F-1")
	if err != nil || len(events) != 3 || events[1].Kind != "certified" || events[2].Version != 3 || events[2].Note != "ñ" {
		t.Errorf("events %+v, %v", events, err)
	}
	folios(t, store)
	oldBirths(t, store)
}

// folios takes folios from many sides at once.
func folios(t *testing.T, store births) {
	ctx := t.Context()
	r := fhir.FolioRange{ID: "r1", Facility: "X", Year: 2026, Prefix: "X-", Width: 3, First: 1, Last: 40, Next: 1}
	second := r
	second.ID, second.First, second.Last, second.Next = "r2", 41, 60, 41
	for _, one := range []fhir.FolioRange{r, second, r} {
		if err := store.AddFolios(ctx, one, one.ID == "r2"); err != nil {
			t.Fatal(err)
		}
	}
	meets := fhir.FolioRange{ID: "r3", Facility: "Y", Year: 2026, Prefix: "X-", Width: 3, First: 60, Last: 70, Next: 60}
	if err := store.AddFolios(ctx, meets, true); fhir.CodeOf(err) != fhir.Conflict {
		t.Errorf("a range that meets another: %v", err)
	}
	var mu sync.Mutex
	seen := map[int64]int{}
	var all sync.WaitGroup
	for range 12 {
		all.Go(func() {
			for range 5 {
				got, err := store.TakeFolios(ctx, "X", 2026, 1)
				mu.Lock()
				if err != nil {
					t.Error(err)
				}
				seen[got.Next]++
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if len(seen) != 60 || seen[1] != 1 || seen[60] != 1 {
		t.Errorf("60 folios were taken as %v", seen)
	}
	if _, err := store.TakeFolios(ctx, "X", 2026, 1); fhir.CodeOf(err) != fhir.NotFound {
		t.Errorf("the 61st: %v", err)
	}
	if left, err := store.FolioRanges(ctx, "X"); err != nil || len(left) != 2 || left[0].Next != 41 {
		t.Errorf("%+v, %v", left, err)
	}
}

func oldBirths(t *testing.T, store births) {
	ctx := t.Context()
	var all []fhir.OldBirth
	for i := range 5 {
		all = append(all, fhir.OldBirth{Source: "s", Line: int64(i + 2), Year: 2020 + i%2, Row: []string{fmt.Sprint(i), "ñ"}})
	}
	for _, want := range []int{5, 0} {
		if added, err := store.AddOldBirths(ctx, all); err != nil || added != want {
			t.Fatalf("added %d, %v; want %d", added, err, want)
		}
	}
	found, err := store.OldBirths(ctx, 2020, all[0], 10)
	if err != nil || len(found) != 2 || found[0].Line != 4 || !slices.Equal(found[0].Row, all[2].Row) {
		t.Errorf("%+v, %v", found, err)
	}
}
