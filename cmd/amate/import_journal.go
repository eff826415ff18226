package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/rest"
)

// journal remembers which files were imported into a database, so that a second
// run need not look at them again. Nothing depends on it but time: without it a
// second run finds out from the database. It only holds what is surely there.
type journal struct {
	mu     sync.Mutex
	file   *os.File
	before map[journalKey]record
}

// journalKey is a file as it was when it was imported.
type journalKey struct {
	Path     string    `json:"path"`
	Size     int64     `json:"size"`
	Modified time.Time `json:"modified"`
}

// record is how far a file was imported.
type record struct {
	Lines  int      `json:"lines,omitempty"` // NDJSON: as many lines from the start
	Done   bool     `json:"done,omitempty"`  // all of it
	Marker fhir.Ref `json:"marker"`          // a resource that is there since
}

type journalLine struct {
	journalKey
	record
}

// openJournal opens the journal in dir of the database that has this key.
func openJournal(dir string, key []byte) (*journal, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, "import-"+hex.EncodeToString(key[:min(4, len(key))])+".journal"), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	j := &journal{file: f, before: map[journalKey]record{}}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var l journalLine
		if json.Unmarshal(lines.Bytes(), &l) == nil { // the last line may be cut off
			l.Modified = l.Modified.UTC()
			j.before[l.journalKey] = l.record
		}
	}
	return j, lines.Err()
}

func keyOf(f input) journalKey {
	return journalKey{Path: f.path, Size: f.size, Modified: f.modified.UTC().Round(0)}
}

// position returns up to which line f was imported, and whether all of it was.
// What the journal says counts only if the database agrees: it may have been
// restored to an earlier day.
func (j *journal) position(ctx context.Context, store rest.Store, f input) (lines int, done bool) {
	r, ok := j.before[keyOf(f)]
	if !ok || r.Marker == (fhir.Ref{}) {
		return 0, false
	}
	if there, err := exists(ctx, store, r.Marker); err != nil || !there {
		return 0, false
	}
	return r.Lines, r.Done
}

// add writes down how far f was imported.
func (j *journal) add(f input, r record) error {
	text, err := json.Marshal(journalLine{keyOf(f), r})
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	_, err = j.file.Write(append(text, '\n'))
	return err
}

func (j *journal) close() error { return j.file.Close() }

// lineTrack follows which lines of an NDJSON file are done. Units end in any
// order; what counts is how far the file is done from its start.
type lineTrack struct {
	mu     sync.Mutex
	upTo   int          // all lines up to it are done
	starts map[int]int  // last line of a unit -> the line before its first
	ready  map[int]bool // units done out of turn, by their last line
	prev   int          // last line of the unit sent before
	end    int          // last line of the file, 0 while it is not known
	failed bool         // a unit had refusals: what follows it is done again next time
}

func newLineTrack(f input, from int) *lineTrack {
	return &lineTrack{upTo: from, starts: map[int]int{}, ready: map[int]bool{}, prev: from}
}

// sent notes a unit that ends with line last.
func (t *lineTrack) sent(last int, end bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.starts[max(t.prev, t.upTo)] = last
	t.prev = last
	if end {
		t.end = last
	}
}

// fail notes that something was refused.
func (t *lineTrack) fail() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failed = true
}

// finished notes that the unit ending with line last is done. It returns how far
// the file is done, whether that is all of it, and whether that is news worth
// writing down.
func (t *lineTrack) finished(last int) (lines int, done, news bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ready[last] = true
	for {
		next, ok := t.starts[t.upTo]
		if !ok || !t.ready[next] {
			break
		}
		delete(t.starts, t.upTo)
		delete(t.ready, next)
		t.upTo, news = next, true
	}
	if t.failed {
		return 0, false, false
	}
	return t.upTo, t.end > 0 && t.upTo == t.end, news
}
