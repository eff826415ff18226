package sqlite

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/store/storetest"
)

// purger is s as tests of purging use it; path is its file.
func purger(t *testing.T, s *Store, path string) storetest.Purger {
	return storetest.Purger{
		Store: s,
		Purge: func(ctx context.Context, refs []fhir.Ref) (int, int, error) {
			done, err := s.Purge(ctx, refs, storetest.IndexOf)
			if err == nil {
				err = s.Scrub(ctx, false)
			}
			return done.Resources, done.Versions, err
		},
		Remnants: func(ctx context.Context, typ string) (found []fhir.Resource, err error) {
			all, err := s.Remnants(ctx, typ, 0, 10)
			for _, r := range all {
				found = append(found, r.Resource)
			}
			return found, err
		},
		Contents: func() string {
			all := ""
			for _, name := range []string{path, path + "-wal"} {
				raw, err := os.ReadFile(name)
				if err != nil && !os.IsNotExist(err) {
					t.Fatal(err)
				}
				all += string(raw)
			}
			return all
		},
	}
}

func openFile(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestPurging(t *testing.T) {
	storetest.Purging(t, func(t *testing.T) storetest.Purger {
		path := filepath.Join(t.TempDir(), "amate.db")
		return purger(t, openFile(t, path), path)
	})
}

// TestPurgeKilled: a purge whose process dies can be made again, and nothing is left.
func TestPurgeKilled(t *testing.T) {
	if path := storetest.Child(); path != "" {
		s := openFile(t, path)
		refs := storetest.PurgeRecord(t, s)
		storetest.Say("filled")
		if _, err := s.Purge(t.Context(), refs, storetest.IndexOf); err != nil {
			t.Fatal(err)
		}
		select {} // until it is killed
	}
	path := filepath.Join(t.TempDir(), "amate.db")
	storetest.KillChild(t, "TestPurgeKilled", path, 60*time.Millisecond)
	var refs []fhir.Ref
	other := openFile(t, filepath.Join(t.TempDir(), "other.db"))
	refs = storetest.PurgeRecord(t, other)
	storetest.PurgeSurvived(t, purger(t, openFile(t, path), path), refs)
}
