package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/registry/demo"
)

// cutOff is an engine whose connection breaks when a release is made known.
type cutOff struct {
	engine
	before, after bool // the commit
	away          bool // and is not there again
	cut           bool
}

var errCutOff = errors.New("the connection is lost")

func (e *cutOff) Put(ctx context.Context, entries ...fhir.Entry) error {
	if entries[0].Kind != openKind || !e.before && !e.after {
		return e.engine.Put(ctx, entries...)
	}
	if e.cut = true; e.after {
		if err := e.engine.Put(ctx, entries...); err != nil {
			return err
		}
	}
	return errCutOff
}

func (e *cutOff) Entry(ctx context.Context, kind, key string) (fhir.Entry, error) {
	if e.cut && e.away {
		return fhir.Entry{}, errCutOff
	}
	return e.engine.Entry(ctx, kind, key)
}

// TestReleaseOfLostAnswer: a release has its files, also when the answer to its commit was
// lost, and one that came to nothing leaves none.
func TestReleaseOfLostAnswer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		engine         cutOff
		published      bool
		releases, kept int // and folders
	}{
		"before the commit":          {cutOff{before: true}, false, 0, 0},
		"after the commit":           {cutOff{after: true}, true, 1, 1},
		"after the commit, for long": {cutOff{after: true, away: true}, false, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := storage{Data: t.TempDir()}
			o, err := at.open(t.Context(), slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			defer o.Close()
			var all []fhir.OldBirth
			for i, row := range demo.CountedBirths(1, 2024, 400) {
				all = append(all, fhir.OldBirth{Source: "x", Line: int64(i + 2), Year: 2024, Row: row[:]})
			}
			if _, err := o.AddOldBirths(t.Context(), all); err != nil {
				t.Fatal(err)
			}
			real := o.engine
			c.engine.engine = real
			o.engine = &c.engine
			l, err := new(opening).library(at, o)
			if err != nil {
				t.Fatal(err)
			}
			_, published, err := l.publish(t.Context(), "nacimientos", "2024")
			if !c.engine.cut || published != c.published || (err == nil) != c.published {
				t.Errorf("published %v, %v", published, err)
			}
			o.engine = real
			shelf, err := l.releases(t.Context())
			if err != nil || len(shelf) != c.releases {
				t.Errorf("%d releases are known, %v", len(shelf), err)
			}
			folders, err := filepath.Glob(filepath.Join(l.folder, "*"))
			if err != nil || len(folders) != c.kept {
				t.Errorf("files are in %v, %v", folders, err)
			}
			for i := range shelf {
				for _, f := range shelf[i].Files() {
					if _, err := os.Stat(l.file(shelf[i].Folder, f.Name)); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
}
