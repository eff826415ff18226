// Package video lets the people of a visit see and hear one another: it introduces
// their browsers to each other over a WebSocket, after which sound and picture travel
// between them directly, or through a TURN server where the network allows nothing else.
// No sound and no picture passes through this server, and nothing is recorded.
//
// Who may be in a room is decided by a [room.Gate]; this package carries. People
// of one room may have their sockets at several servers of one database, which write to one
// another then: see [Post].
//
// Sound and picture can also be carried by a LiveKit or Jitsi server: see [Carrier].
package video

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/telehealth/room"
)

// Path is where the pages are; what follows it is ours.
const Path = "/visit/"

// signalPath is where the socket is, below Path: the room follows it.
const signalPath = "signal/"

// Config is what a Service works with.
type Config struct {
	Gate    room.Gate
	Carrier Carrier          // nil is Direct without any server
	Prefix  string           // path of the server, before Path; "" for none
	Origins []string         // hosts beside our own whose pages may open a socket, as path.Match patterns
	Now     func() time.Time // nil is time.Now
	Log     *slog.Logger     // of what goes wrong; nil for none

	// Beat is the time between questions whether somebody is still there, and after which
	// without an answer they are not; 0 for ten seconds.
	Beat time.Duration

	// Pace is how fast pages look after sound and picture; the zero value is the usual one.
	Pace Pace

	// Post is where other servers of the same address are written to. nil is for a server
	// that has every room to itself.
	Post Post

	// Observe is told how many people are in how many rooms whenever that changes. nil
	// tells nobody.
	Observe func(people, rooms int)
}

// Limits of a room and of a socket.
const (
	maxPeople  = 8                // in one room: each sends to each
	maxMessage = 64 << 10         // bytes of one message; a session description has some 10 KB
	maxText    = 4000             // bytes of what is written to the others
	queue      = 256              // messages that may wait for a slow reader
	burst      = 200              // messages at once: candidates come in swarms
	perSecond  = 20               // messages in the long run
	greeting   = 10 * time.Second // until a socket has to say who it is
	sending    = 5 * time.Second  // for one message
)

// Service serves the pages and the sockets. It implements http.Handler, for Path and all
// below it.
type Service struct {
	Config

	mu     sync.Mutex
	rooms  map[string]*meeting
	people int
	done   chan struct{} // closed when the service is to end
	open   sync.WaitGroup

	post    *post         // nil without other servers
	alive   sync.Mutex    // of saying that this server is there
	over    chan struct{} // closed when all sockets are
	ending  sync.Once     // closes over
	carried chan struct{} // closed when the last letter was sent
}

// New returns a Service.
func New(cfg Config) *Service {
	if cfg.Carrier == nil {
		cfg.Carrier = Direct{}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Beat == 0 {
		cfg.Beat = 10 * time.Second
	}
	cfg.Pace = cfg.Pace.usual()
	if cfg.Observe == nil {
		cfg.Observe = func(int, int) {}
	}
	s := &Service{Config: cfg, rooms: map[string]*meeting{}, done: make(chan struct{}), over: make(chan struct{}), carried: make(chan struct{})}
	if cfg.Post != nil {
		s.post = newPost(cfg.Post)
		go s.carry()
	} else {
		close(s.carried)
	}
	return s
}

// ServeHTTP implements http.Handler.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rest, _ := strings.CutPrefix(r.URL.Path, s.Prefix+Path)
	if name, ok := strings.CutPrefix(rest, signalPath); ok {
		s.socket(w, r, name)
		return
	}
	s.servePage(w, r, rest)
}

// Close tells everybody that the server goes away, upon which their pages look for
// another one, and waits until the sockets are closed. Sound and picture go on.
func (s *Service) Close(ctx context.Context) error {
	s.mu.Lock()
	select {
	case <-s.done:
	default:
		close(s.done)
	}
	s.mu.Unlock()
	closed := make(chan struct{})
	go func() {
		s.open.Wait()
		s.ending.Do(func() { close(s.over) })
		<-s.carried
		close(closed)
	}()
	select {
	case <-closed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// enter counts a socket in, unless the service is to end.
func (s *Service) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.done:
		return false
	default:
		s.open.Add(1)
		return true
	}
}

// meeting returns the room with a name, and makes it where there is none yet.
func (s *Service) meeting(name string) *meeting {
	m := s.rooms[name]
	if m == nil {
		m = &meeting{guests: map[string]*guest{}, past: map[string]bool{}}
		s.rooms[name] = m
	}
	return m
}

// happened has the gate remember what happened. What it cannot remember must not end a
// visit.
func (s *Service) happened(e room.Event) error {
	ctx, cancel := context.WithTimeout(context.Background(), sending)
	defer cancel()
	e.At = s.Now()
	err := s.Gate.Happened(ctx, e)
	if err != nil && fhir.CodeOf(err) != fhir.Gone {
		s.Log.ErrorContext(ctx, "remember what happened in a visit", "kind", string(e.Kind), "error", err.Error())
	}
	return err
}
