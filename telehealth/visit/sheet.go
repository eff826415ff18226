package visit

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/telehealth/room"
)

// Kinds of entries, and groups of those of visits.
const (
	visitKind  = "visit"      // by the name of the room
	roomKind   = "visit-room" // name of the room, by the id of the Encounter
	openGroup  = "open"
	doneGroup  = "done"
	forgetting = 7 * 24 * time.Hour // how long after a visit its entry is kept
)

// Statuses of an Encounter.
const (
	planned    = "planned"
	arrived    = "arrived" // the patient is there
	inProgress = "in-progress"
	finished   = "finished"
	cancelled  = "cancelled"
)

// sheet is a visit as it stands. It identifies nobody but by ids, save the names that are
// shown in the room, which go when it ends.
type sheet struct {
	Room        string
	Base        string // of the FHIR server
	Encounter   string // ids
	Appointment string
	Patient     string
	Clinicians  []string // who may be in it as such: "Practitioner/1"

	Start, End time.Time // of the Appointment

	Status  string
	Since   time.Time // when it became that
	History []span    // of statuses before
	Began   time.Time // when somebody of the patient's side was let in; zero for never
	Ended   time.Time // zero for not yet

	App   string // that runs the visit by itself; "" for none yet
	Ours  bool   `json:",omitempty"` // App booked it
	Proof *proof // that the patient takes part; nil for none yet
	Code  *code  // that was sent to the patient; nil for none

	Granted    bool      // access tokens were given out
	FirstGrant time.Time // when the first was
	Seats      []*seat
}

// span is a time that somebody was there, or that a status held.
type span struct {
	Status  string    `json:",omitempty"`
	From    time.Time `json:",omitzero"`
	To      time.Time `json:",omitzero"` // zero: it goes on
	Dropped bool      `json:",omitempty"`
}

// seat is somebody in a visit.
type seat struct {
	ID       string
	Role     room.Role
	Name     string
	Language string
	Actor    string // "Practitioner/1"; "" for who was invited
	Theirs   bool   // the patient's side: the patient, or who stands for them

	Token  string // digest of a link that was not used yet
	Secret string // digest of what they come back with

	Admitted bool
	Refused  bool
	Times    []span
	Seen     time.Time // last sign of life
	Last     time.Time // when what was told last happened
	Drops    int
	NoVideo  bool // they gave the picture up at some time
	Quality  quality
}

// quality sums up measurements.
type quality struct {
	Count     int
	Loss      float64 // sums of parts, and of milliseconds
	WorstLoss float64
	Jitter    float64
	RoundTrip float64
	Relayed   bool
}

// visit is a sheet with the entry that it is in.
type visit struct {
	sheet
	entry fhir.Entry

	changes []bundle.Change // to be written with it
	others  []fhir.Entry    // likewise
	moved   bool            // to another group
}

func (s *Service) opens(v *sheet) time.Time { return v.Start.Add(-s.Before) }

func (s *Service) closes(v *sheet) time.Time {
	end := v.End
	if most := v.Start.Add(longestVisit); end.After(most) {
		end = most
	}
	return end.Add(s.After)
}

// longestVisit is how long a visit is open at most, however long its Appointment is: whoever
// writes that would else decide for how many days a record is.
const longestVisit = 4 * time.Hour

// load returns the visit of a room. Errors: fhir.NotFound.
func (s *Service) load(ctx context.Context, name string) (*visit, error) {
	e, err := s.Store.Entry(ctx, visitKind, name)
	if err != nil {
		return nil, err
	}
	v := &visit{entry: e}
	return v, json.Unmarshal(e.Value, &v.sheet)
}

// roomOf returns the room of an Encounter. Errors: fhir.NotFound.
func (s *Service) roomOf(ctx context.Context, encounter string) (string, error) {
	e, err := s.Store.Entry(ctx, roomKind, encounter)
	return string(e.Value), err
}

// mostTries is how often something is done that others do at the same time.
const mostTries = 40

// change changes a visit, with what else f puts into its changes, or nothing. f is called
// again when somebody else was faster.
func (s *Service) change(ctx context.Context, name string, f func(v *visit) error) (*visit, error) {
	for try := 1; ; try++ {
		v, err := s.load(ctx, name)
		if err != nil {
			return nil, err
		}
		if err := f(v); err != nil {
			return v, err
		}
		err = s.write(ctx, v)
		if code := fhir.CodeOf(err); err == nil || code != fhir.Conflict && code != fhir.Stale || try == mostTries {
			return v, err
		}
		if err := pause(ctx, try); err != nil {
			return v, err
		}
	}
}

// pause waits a little, not everybody as long.
func pause(ctx context.Context, try int) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Duration(1+rand.IntN(4*try)) * time.Millisecond):
		return nil
	}
}

// write writes a visit and its changes, if anything of it is new.
func (s *Service) write(ctx context.Context, v *visit) error {
	value, err := json.Marshal(&v.sheet)
	if err != nil {
		return err
	}
	if bytes.Equal(value, v.entry.Value) && len(v.changes)+len(v.others) == 0 && !v.moved {
		return nil
	}
	v.entry.Value = value
	return s.apply(ctx, v.changes, append(v.others, v.entry)...)
}

// apply writes changes and entries, all or nothing.
func (s *Service) apply(ctx context.Context, changes []bundle.Change, entries ...fhir.Entry) error {
	if len(changes) == 0 {
		return s.Store.Put(ctx, entries...)
	}
	_, err := s.Store.Apply(ctx, &bundle.Batch{Changes: changes, Entries: func([]bundle.Result) []fhir.Entry { return slices.Clone(entries) }})
	if at, ok := err.(*bundle.ChangeError); ok {
		err = at.Err
	}
	return err
}

// find returns the seat that f holds for, nil for none.
func (v *sheet) find(f func(*seat) bool) *seat {
	if i := slices.IndexFunc(v.Seats, f); i >= 0 {
		return v.Seats[i]
	}
	return nil
}

func (v *sheet) seat(id string) *seat { return v.find(func(t *seat) bool { return t.ID == id }) }

// same compares digests in a time that tells nothing of them.
func same(a, b string) bool { return a != "" && subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// ticket is the right of a seat.
func (s *Service) ticket(v *sheet, t *seat) *room.Ticket {
	return &room.Ticket{Room: v.Room, Seat: t.ID, Role: t.Role, Name: t.Name, Language: t.Language,
		Opens: s.opens(v), Closes: s.closes(v), Admitted: t.Admitted}
}

// turn changes the status of the Encounter.
func (v *sheet) turn(status string, at time.Time) {
	if v.Status == status {
		return
	}
	v.History = append(v.History, span{Status: v.Status, From: v.Since, To: at})
	v.Status, v.Since = status, at
}

// cameTheirs reports whether anybody of the patient's side was ever there.
func (v *sheet) cameTheirs() bool {
	return v.find(func(t *seat) bool { return t.Theirs && len(t.Times) > 0 }) != nil
}
