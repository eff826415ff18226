package rest_test

import (
	"path/filepath"
	"testing"

	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/store/sqlite"
)

// newStore opens an empty store, in a file that goes with the test.
func newStore(t testing.TB) rest.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "amate.db"), sqlite.Options{Readers: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}
