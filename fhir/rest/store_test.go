package rest_test

import (
	"path/filepath"
	"testing"

	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/store/postgres"
	"github.com/amate-health/amate/store/sqlite"
	"github.com/amate-health/amate/store/storetest"
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

// newPostgres opens an empty store in a PostgreSQL database that goes with the test.
func newPostgres(t testing.TB) rest.Store {
	t.Helper()
	s, err := postgres.Open(t.Context(), storetest.Postgres(t), postgres.Options{})
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

// bothEngines runs f on each engine; open opens an empty store of it.
func bothEngines(t *testing.T, f func(t *testing.T, open func(testing.TB) rest.Store)) {
	t.Run("sqlite", func(t *testing.T) { f(t, newStore) })
	t.Run("postgres", func(t *testing.T) { f(t, newPostgres) })
}
