package merge

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/amate-health/amate/fhir"
)

// The kinds of entries: a merge, keyed by its source and grouped by its target; and what
// one transaction moved, grouped by the merge.
const (
	recordKind = "merge"
	movedKind  = "merge-moved"
)

// Stage says where a merge stands.
type Stage string

// The stages.
const (
	Moving  Stage = "moving"  // the Patients are one; some of what refers to the source still does
	Merged  Stage = "merged"  // nothing does any more that can be changed
	Undoing Stage = "undoing" // the Patients are two again; some of what was moved is not back yet
	Undone  Stage = "undone"
)

// Record is a merge.
type Record struct {
	ID     string    `json:"id"`
	Source string    `json:"source"` // ids of Patients
	Target string    `json:"target"`
	Stage  Stage     `json:"stage"`
	At     time.Time `json:"at"`
	By     string    `json:"by"` // reference or stable key of who did it
	Reason string    `json:"reason,omitempty"`

	// Versions before and after. A source that was linked by its own writer has none before.
	SourceBefore int64 `json:"sourceBefore,omitempty"`
	SourceAfter  int64 `json:"sourceAfter"`
	TargetBefore int64 `json:"targetBefore"`
	TargetAfter  int64 `json:"targetAfter"`

	Holds []string `json:"holds,omitempty"` // keys of the legal holds that were carried over

	UndoneAt time.Time `json:"undoneAt,omitzero"`
	UndoneBy string    `json:"undoneBy,omitempty"`

	version int64 // of its entry
}

// entry returns the entry to write for r.
func (r *Record) entry() fhir.Entry { return encode(recordKind, r.Source, r.Target, r.version, r) }

func encode(kind, key, group string, version int64, v any) fhir.Entry {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("merge: %v", err)) // texts, numbers and times
	}
	return fhir.Entry{Kind: kind, Key: key, Group: group, Version: version, Value: raw}
}

// Of returns the last merge of a source. Errors: fhir.NotFound when there was none.
func (s *Service) Of(ctx context.Context, source string) (*Record, error) {
	e, err := s.State.Entry(ctx, recordKind, source)
	if err != nil {
		return nil, err
	}
	r := &Record{version: e.Version}
	if err := json.Unmarshal(e.Value, r); err != nil {
		return nil, fmt.Errorf("merge of %s: %w", e.Key, err)
	}
	return r, nil
}

// moved is what one transaction moved.
type moved struct {
	Items []item `json:"items"`
}

// item is a resource that was moved.
type item struct {
	Ref    string `json:"ref"`             // Observation/1
	Before int64  `json:"before"`          // its version that referred to the source
	After  int64  `json:"after"`           // the one that refers to the target
	Mixed  bool   `json:"mixed,omitempty"` // it referred to the target before, too
}

// chunk returns the entry for what a transaction moves. The versions after it follow from
// those before, as each change names the version that it changes.
func (r *Record) chunk(all []item) fhir.Entry {
	return encode(movedKind, r.ID+"/"+uuid.NewString(), r.ID, 0, moved{all})
}

// linkEntry says in the database that source was replaced, or is not any more.
func (s *Service) linkEntry(ctx context.Context, source, target string, undone bool) (fhir.Entry, error) {
	e, err := s.State.Entry(ctx, linkKind, source)
	if err != nil && fhir.CodeOf(err) != fhir.NotFound {
		return e, err
	}
	return encode(linkKind, source, day(s.now()), e.Version, link{Target: target, Undone: undone}), nil
}
