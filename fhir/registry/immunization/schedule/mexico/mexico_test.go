package mexico_test

import (
	"testing"

	"github.com/amate-health/amate/fhir/registry/immunization"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule/mexico"
)

// engine returns the engine of the newest version.
func engine(t testing.TB) *immunization.Engine {
	t.Helper()
	shelf, err := mexico.Shelf()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range shelf {
		if s.Name != mexico.Name {
			t.Errorf("version %s is called %q", s.Version, s.Name)
		}
	}
	e, err := immunization.New(schedule.Shelf(shelf).On(schedule.Day(2026, 6, 1)))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestShelf(t *testing.T) { engine(t) }
