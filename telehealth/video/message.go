package video

import (
	"encoding/json"
	"time"

	"github.com/amate-health/amate/telehealth/room"
)

// message is what goes over a socket, in both directions.
type message struct {
	Type kind `json:"type"`

	Token  string `json:"token,omitempty"`  // hello: good once
	Secret string `json:"secret,omitempty"` // hello again, welcome, kept

	Seat string `json:"seat,omitempty"` // admit, refuse: of whom
	To   string `json:"to,omitempty"`   // signal: for whom
	From string `json:"from,omitempty"` // signal, text: of whom

	Signal json.RawMessage `json:"signal,omitempty"` // a session description or a candidate

	ID   string     `json:"id,omitempty"` // text: chosen by its writer
	Text string     `json:"text,omitempty"`
	At   *time.Time `json:"at,omitempty"`

	AudioOnly bool     `json:"audioOnly,omitempty"`
	Quality   *quality `json:"quality,omitempty"`

	You     *person   `json:"you,omitempty"`     // welcome
	People  []person  `json:"people,omitempty"`  // welcome, admitted: who is in the room beside you
	Waiting []person  `json:"waiting,omitempty"` // welcome: who waits, for clinicians
	Person  *person   `json:"person,omitempty"`  // joined, left, waiting, gone
	Join    *Join     `json:"join,omitempty"`    // welcome, admitted: how media travel
	Closes  time.Time `json:"closes,omitzero"`   // welcome

	Help *room.Help `json:"help,omitempty"` // welcome, for clinicians: where the patient is, and whom to call

	Code string `json:"code,omitempty"` // error
}

// kind is what a message is about.
type kind string

const (
	// Of a page.
	hello   kind = "hello"
	admit   kind = "admit"
	refuse  kind = "refuse"
	state   kind = "state"
	measure kind = "quality"
	end     kind = "end"
	leave   kind = "leave"

	// Of a page, and of the server to others.
	signal kind = "signal"
	text   kind = "text"

	// Of the server.
	welcome  kind = "welcome"
	kept     kind = "kept" // the token was spent, and the server failed then: come back with the secret
	admitted kind = "admitted"
	refused  kind = "refused"
	joined   kind = "joined"
	left     kind = "left"
	waiting  kind = "waiting" // somebody waits, told to clinicians
	gone     kind = "gone"    // somebody waits no longer
	ended    kind = "ended"
	closed   kind = "closed" // its time is over
	moved    kind = "moved"  // the same person took the seat elsewhere
	failure  kind = "error"
)

// Codes of errors, for which pages have words of their own.
const (
	codeToken       = "token"       // it is none, or was used
	codeTime        = "time"        // it is too early or too late
	codeEnded       = "ended"       // the visit is over
	codeFull        = "full"        // the room is
	codeProtocol    = "protocol"    // the message makes no sense here
	codeTooMuch     = "too-much"    // messages come too fast
	codeUnavailable = "unavailable" // it is our fault
	codeUnsaid      = "unsaid"      // what was written could not be kept, and was told to nobody
)

// person is somebody in a room, as the others see them.
type person struct {
	Seat      string    `json:"seat"`
	Name      string    `json:"name"`
	Role      room.Role `json:"role"`
	AudioOnly bool      `json:"audioOnly,omitempty"`
	Admitted  bool      `json:"admitted,omitempty"`
	Language  string    `json:"language,omitempty"`
}

// quality is what a page measures of what arrives at it.
type quality struct {
	Loss      float64 `json:"loss"`      // part of the packets, 0 to 1
	Jitter    float64 `json:"jitter"`    // milliseconds
	RoundTrip float64 `json:"roundTrip"` // milliseconds
	Received  float64 `json:"received"`  // bits per second
	Relayed   bool    `json:"relayed"`
}

// measured returns q within the ranges that can be: a page can send what it likes.
func (q *quality) measured() room.Quality {
	within := func(v, most float64) float64 {
		if !(v > 0) { // and not a number
			return 0
		}
		return min(v, most)
	}
	const minute = 60_000
	return room.Quality{
		Loss:      within(q.Loss, 1),
		Jitter:    time.Duration(within(q.Jitter, minute) * float64(time.Millisecond)),
		RoundTrip: time.Duration(within(q.RoundTrip, minute) * float64(time.Millisecond)),
		Received:  int64(within(q.Received, 1e10)),
		Relayed:   q.Relayed,
	}
}
