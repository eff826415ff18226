package sqlite

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/amate-health/amate/store/storetest"
)

// TestKill: what was acknowledged survives the death of the process, at any moment,
// and no batch is there in part.
func TestKill(t *testing.T) {
	if path := storetest.Child(); path != "" {
		s, err := Open(t.Context(), path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		storetest.Hammer(t.Context(), s, filepath.Base(path), storetest.Say)
		return
	}
	for _, after := range []time.Duration{5 * time.Millisecond, 300 * time.Millisecond} {
		path := filepath.Join(t.TempDir(), "amate.db")
		acknowledged := storetest.KillChild(t, "TestKill", path, after)
		s, err := Open(t.Context(), path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		storetest.Survived(t, s, acknowledged)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}
