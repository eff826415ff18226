// Package room says what a meeting at a distance is to those who carry its sound and
// picture: who may enter which room, as whom, and what is told of what happens there. It
// is where the visit, which knows the record (package visit), and the transport, which
// knows sockets (package video), meet; neither knows the other.
package room

import (
	"context"
	"time"
)

// Role is what somebody is in a meeting.
type Role string

// Roles.
const (
	Clinician   Role = "clinician" // opens the room, admits the others, ends the meeting
	Patient     Role = "patient"
	Family      Role = "family"
	Interpreter Role = "interpreter"
)

// Ticket is the right of one person to be in one room. It holds nothing that identifies
// them elsewhere.
type Ticket struct {
	Room     string // opaque, of 128 random bits or more; it is no secret to who is in it
	Seat     string // opaque, stable for this person in this room
	Role     Role
	Name     string    // to show to the others
	Language string    // BCP 47, of the pages that they see: "es-MX"
	Opens    time.Time // when they may enter
	Closes   time.Time // when everybody has to be out
	Admitted bool      // false: they wait until a clinician lets them in
	Help     *Help     // for clinicians alone; nil where nothing was told
}

// Help is where the patient is during the visit, and whom to call if something happens to
// them, as was told at its start.
type Help struct {
	Place        string `json:"place,omitempty"`
	Name         string `json:"name,omitempty"`
	Phone        string `json:"phone,omitempty"`
	Relationship string `json:"relationship,omitempty"`
}

// Kind says what happened.
type Kind string

// Kinds of events.
const (
	Entered   Kind = "entered"    // somebody took their seat, or came back to it
	Left      Kind = "left"       // they went away by themselves
	Dropped   Kind = "dropped"    // their connection ended without that
	AudioOnly Kind = "audio-only" // they gave up the picture
	WithVideo Kind = "with-video" // they have it again
	Measured  Kind = "measured"   // Quality holds how well media arrive at them
	Said      Kind = "said"       // Text holds what they wrote to the others
	Ended     Kind = "ended"      // the clinician ended the meeting
)

// Event is something that happened in a room.
type Event struct {
	Room    string
	Seat    string // whose; "" for nobody's
	Kind    Kind
	At      time.Time
	ID      string // of what was written, chosen by its writer: the same one twice is one
	Text    string // of Said: at most 4,000 bytes
	Quality Quality
}

// Quality is how well media arrived at somebody since the last measurement.
type Quality struct {
	Loss      float64       // part of the packets that were lost, 0 to 1
	Jitter    time.Duration // of arrival
	RoundTrip time.Duration
	Received  int64 // bits per second
	Relayed   bool  // it came through a TURN server
}

// Gate decides who is in a room, and remembers what happened there. Its errors are
// *fhir.Error: LoginRequired for a token or secret that is none, was spent, or whose owner
// was turned away; Forbidden outside its time; Gone once the meeting has ended.
type Gate interface {
	// Enter spends a token, which is good once. With the secret the same person comes back
	// to the same seat until the ticket closes.
	Enter(ctx context.Context, token string) (t *Ticket, secret string, err error)

	// Resume returns the ticket of who has a secret, as it stands now.
	Resume(ctx context.Context, secret string) (*Ticket, error)

	// Admit lets somebody in who waits, Refuse turns them away for good. Both are of
	// clinicians: by is the seat of who asks.
	Admit(ctx context.Context, room, by, seat string) error
	Refuse(ctx context.Context, room, by, seat string) error

	// End ends the meeting for everybody, by the seat of a clinician.
	End(ctx context.Context, room, by string) error

	// Happened remembers an event. An event told twice is remembered once.
	Happened(ctx context.Context, e Event) error
}
