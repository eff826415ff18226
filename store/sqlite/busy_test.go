package sqlite

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/store"
)

// TestBusy: while another process keeps the file for too long, writes are told to try again,
// reads go on, and afterwards all is as before.
func TestBusy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "amate.db")
	s, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.writer.conn.SetBusyTimeout(10 * time.Millisecond)
	other, err := sqlite.OpenConn(path, sqlite.OpenReadWrite|sqlite.OpenWAL)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := sqlitex.Execute(other, "BEGIN IMMEDIATE", nil); err != nil {
		t.Fatal(err)
	}
	e := fhir.Entry{Kind: "k", Key: "a"}
	if err := s.Put(t.Context(), e); fhir.CodeOf(err) != fhir.Unavailable {
		t.Errorf("a write: %v", err)
	}
	if _, err := s.Entry(t.Context(), "k", "a"); fhir.CodeOf(err) != fhir.NotFound {
		t.Errorf("a read: %v", err)
	}
	if err := sqlitex.Execute(other, "COMMIT", nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), e); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// TestScrubbedWhileRead: as long as somebody reads what was there before, it is said that it
// can still be read.
func TestScrubbedWhileRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "amate.db")
	s := openFile(t, path)
	s.scrubTime = 10 * time.Millisecond
	if err := s.Put(t.Context(), fhir.Entry{Kind: "k", Key: "a"}); err != nil {
		t.Fatal(err)
	}
	other, err := sqlite.OpenConn(path, sqlite.OpenReadWrite|sqlite.OpenWAL)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	for _, sql := range []string{"BEGIN", "SELECT count(*) FROM entry"} {
		if err := sqlitex.Execute(other, sql, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Scrub(t.Context(), true); !errors.Is(err, store.ErrUnscrubbed) {
		t.Errorf("while it is read: %v", err)
	}
	if err := sqlitex.Execute(other, "COMMIT", nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Scrub(t.Context(), true); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
