package video_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/amate-health/amate/telehealth/room"
	"github.com/amate-health/amate/telehealth/video"
)

// site serves rooms of a gate.
func site(t testing.TB, g room.Gate, change func(*video.Config)) (*video.Service, *httptest.Server) {
	// A test reads from one socket after another: who is not read from is there all the same.
	cfg := video.Config{Gate: g, Beat: time.Minute, Pace: video.Pace{Measure: 300 * time.Millisecond, Tell: 3, Weak: 30, Lost: time.Second, Part: 2 * time.Second}}
	if change != nil {
		change(&cfg)
	}
	s := video.New(cfg)
	server := httptest.NewServer(&changing{handler: s})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := server.Config.Handler.(*changing).get().(*video.Service).Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
		server.Close()
	})
	return s, server
}

// changing is an address at which one handler follows another.
type changing struct {
	mu      sync.Mutex
	handler http.Handler
}

func (c *changing) set(h http.Handler) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.handler = h
}

func (c *changing) get() http.Handler {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.handler
}

func (c *changing) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.get().ServeHTTP(w, r) }

// caller is a socket of somebody.
type caller struct {
	t testing.TB
	*websocket.Conn
}

type object = map[string]any

// call opens a socket and says hello.
func call(t testing.TB, server *httptest.Server, name string, hello object) *caller {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(server.URL, "http")+video.Path+"signal/"+name, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.CloseNow() })
	me := &caller{t, c}
	me.say(hello)
	return me
}

func (c *caller) say(m object) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := wsjson.Write(ctx, c.Conn, m); err != nil {
		c.t.Fatal(err)
	}
}

// hear reads messages until one of some types comes, and returns that.
func (c *caller) hear(types ...string) object {
	c.t.Helper()
	var heard []string
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		var m object
		if err := wsjson.Read(ctx, c.Conn, &m); err != nil {
			c.t.Fatalf("waiting for %s after %v: %v", types, heard, err)
		}
		if slices.Contains(types, m["type"].(string)) {
			return m
		}
		heard = append(heard, m["type"].(string))
	}
}

// ends reads until the socket is closed, and returns with which code and what was heard.
func (c *caller) ends() (websocket.StatusCode, []string) {
	c.t.Helper()
	var heard []string
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		var m object
		if err := wsjson.Read(ctx, c.Conn, &m); err != nil {
			return websocket.CloseStatus(err), heard
		}
		heard = append(heard, m["type"].(string))
	}
}

func token(seat string) object  { return object{"type": "hello", "token": "t-" + seat} }
func secret(seat string) object { return object{"type": "hello", "secret": "s-" + seat} }

func seatOf(m object) any { return m["person"].(object)["seat"] }

func TestMeeting(t *testing.T) {
	g := newGate()
	_, server := site(t, g, nil)
	doc := call(t, server, theRoom, token("doc"))
	if m := doc.hear("welcome"); m["secret"] != "s-doc" || m["people"] != nil {
		t.Errorf("the clinician is greeted with %v", m)
	}
	pat := call(t, server, theRoom, token("pat"))
	if m := pat.hear("welcome"); m["join"] != nil || m["people"] != nil || m["you"].(object)["admitted"] != nil {
		t.Errorf("who waits is told %v", m)
	}
	if m := doc.hear("waiting"); seatOf(m) != "pat" {
		t.Errorf("the clinician hears %v", m)
	}
	doc.say(object{"type": "admit", "seat": "pat"})
	if m := pat.hear("admitted"); m["join"] == nil || len(m["people"].([]any)) != 1 {
		t.Errorf("who is let in is told %v", m)
	}
	if m := doc.hear("joined"); seatOf(m) != "pat" {
		t.Errorf("the clinician hears %v", m)
	}
	doc.say(object{"type": "signal", "to": "pat", "signal": object{"description": "x"}})
	if m := pat.hear("signal"); m["from"] != "doc" || m["signal"].(object)["description"] != "x" {
		t.Errorf("a signal arrives as %v", m)
	}
	pat.say(object{"type": "text", "id": "1", "text": "¿Me oye?", "from": "doc"})
	if m := doc.hear("text"); m["from"] != "pat" || m["text"] != "¿Me oye?" || m["at"] == nil {
		t.Errorf("what is written arrives as %v", m)
	}
	if m := pat.hear("text"); m["id"] != "1" {
		t.Errorf("its writer is told %v", m)
	}
	if e := g.happened(t, "pat", room.Said); e.Text != "¿Me oye?" || e.ID != "1" || e.Room != theRoom || e.At.IsZero() {
		t.Errorf("kept is %+v", e)
	}
	g.setMute(true)
	pat.say(object{"type": "text", "id": "2", "text": "otra vez"})
	if m := pat.hear("error"); m["code"] != "unsaid" || m["id"] != "2" {
		t.Errorf("what cannot be kept: %v", m)
	}
	g.setMute(false)
	pat.say(object{"type": "state", "audioOnly": true})
	if m := doc.hear("state"); m["from"] != "pat" || m["audioOnly"] != true {
		t.Errorf("without a picture: %v", m)
	}
	g.happened(t, "pat", room.AudioOnly)
	pat.say(object{"type": "quality", "quality": object{"loss": 7, "jitter": -3, "roundTrip": 80.5, "received": 250_000, "relayed": true}})
	if q := g.happened(t, "pat", room.Measured).Quality; q.Loss != 1 || q.Jitter != 0 || q.RoundTrip != 80500*time.Microsecond || q.Received != 250_000 || !q.Relayed {
		t.Errorf("measured is %+v", q)
	}
	// The connection is lost, and comes back.
	pat.CloseNow()
	if m := doc.hear("left"); seatOf(m) != "pat" {
		t.Errorf("the clinician hears %v", m)
	}
	g.happened(t, "pat", room.Dropped)
	pat = call(t, server, theRoom, secret("pat"))
	if m := pat.hear("welcome"); m["join"] == nil || len(m["people"].([]any)) != 1 {
		t.Errorf("who comes back is told %v", m)
	}
	doc.hear("joined")
	// The same person in another window.
	other := call(t, server, theRoom, secret("pat"))
	other.hear("welcome")
	if code, heard := pat.ends(); code != 4409 || heard[len(heard)-1] != "moved" {
		t.Errorf("the window before ends with %d after %v", code, heard)
	}
	other.say(object{"type": "end"})
	if m := other.hear("error"); m["code"] != "time" {
		t.Errorf("a patient ends the visit: %v", m)
	}
	doc.say(object{"type": "end"})
	for _, c := range []*caller{doc, other} {
		if code, heard := c.ends(); code != 4410 || !slices.Contains(heard, "ended") {
			t.Errorf("the end is %d after %v", code, heard)
		}
	}
	if code, _ := call(t, server, theRoom, secret("pat")).ends(); code != 4410 {
		t.Errorf("after the end: %d", code)
	}
	g.happened(t, "doc", room.Ended)
	g.happened(t, "doc", room.Left)
}

func TestDoor(t *testing.T) {
	g := newGate(room.Ticket{Seat: "son", Role: room.Family, Name: "Luis"})
	later := *g.seats["son"]
	later.Seat, later.Opens = "early", time.Now().Add(time.Hour)
	g.seats["early"], g.tokens["t-early"] = &later, "early"
	_, server := site(t, g, nil)
	for name, c := range map[string]struct {
		room  string
		hello object
		code  websocket.StatusCode
	}{
		"no token":              {theRoom, object{"type": "hello"}, 4422},
		"token and secret":      {theRoom, object{"type": "hello", "token": "t-doc", "secret": "s-doc"}, 4422},
		"no hello":              {theRoom, object{"type": "text", "token": "t-doc"}, 4422},
		"no such token":         {theRoom, token("nobody"), 4401},
		"an empty secret":       {theRoom, object{"type": "hello", "secret": "s"}, 4401},
		"too early":             {theRoom, token("early"), 4404},
		"the room of others":    {"room-2", secret("son"), 4401},
		"a name of a directory": {"..%2f..%2fetc", secret("son"), 4401},
	} {
		if code, heard := call(t, server, c.room, c.hello).ends(); code != c.code || strings.Join(heard, " ") != "error" {
			t.Errorf("%s: the socket ends with %d after %v, want %d", name, code, heard, c.code)
		}
	}
	doc := call(t, server, theRoom, token("doc"))
	doc.hear("welcome")
	if code, _ := call(t, server, theRoom, token("doc")).ends(); code != 4401 {
		t.Errorf("a token that was spent: %d", code)
	}
	// Who waits can do nothing, and sees nothing.
	for _, m := range []object{{"type": "text", "id": "1", "text": "x"}, {"type": "signal", "to": "doc"}, {"type": "admit", "seat": "pat"}, {"type": "end"}} {
		pat := call(t, server, theRoom, secret("pat"))
		pat.hear("welcome")
		pat.say(m)
		if code, heard := pat.ends(); code != 4422 || strings.Join(heard, " ") != "error" {
			t.Errorf("%v by who waits: %d after %v", m, code, heard)
		}
	}
	// A patient does not let others in.
	g.Admit(t.Context(), theRoom, "doc", "pat")
	pat := call(t, server, theRoom, secret("pat"))
	pat.hear("welcome")
	son := call(t, server, theRoom, secret("son"))
	son.hear("welcome")
	pat.say(object{"type": "admit", "seat": "son"})
	if m := pat.hear("error"); m["code"] != "time" {
		t.Errorf("a patient lets somebody in: %v", m)
	}
	doc.say(object{"type": "refuse", "seat": "son"})
	if code, heard := son.ends(); code != 4403 || heard[len(heard)-1] != "refused" {
		t.Errorf("turned away: %d after %v", code, heard)
	}
	if code, _ := call(t, server, theRoom, secret("son")).ends(); code != 4401 {
		t.Errorf("turned away, and back: %d", code)
	}
	// To nobody, and to oneself: nothing happens.
	pat.say(object{"type": "signal", "to": "nobody", "signal": object{}})
	pat.say(object{"type": "signal", "to": "pat", "signal": object{}})
	pat.say(object{"type": "text", "id": "last", "text": "fin"})
	if m := pat.hear("text"); m["id"] != "last" {
		t.Errorf("heard %v", m)
	}
	pat.say(object{"type": "leave"})
	if code, _ := pat.ends(); code != websocket.StatusNormalClosure {
		t.Errorf("who leaves ends with %d", code)
	}
	g.happened(t, "pat", room.Left)
}

func TestLimits(t *testing.T) {
	var more []room.Ticket
	for _, seat := range strings.Split("abcdefg", "") {
		more = append(more, room.Ticket{Seat: seat, Role: room.Family, Admitted: true})
	}
	g := newGate(more...)
	soon := *g.seats["a"]
	soon.Room, soon.Seat, soon.Closes = "room-2", "soon", time.Now().Add(time.Second)
	g.seats["soon"] = &soon
	_, server := site(t, g, nil)
	for _, seat := range strings.Split("abcdefg", "") {
		call(t, server, theRoom, secret(seat)).hear("welcome")
	}
	doc := call(t, server, theRoom, secret("doc"))
	doc.hear("welcome")
	if code, _ := call(t, server, theRoom, secret("pat")).ends(); code != 4413 {
		t.Errorf("a ninth person: %d", code)
	}
	for name, m := range map[string]object{
		"a long text":    {"type": "text", "id": "1", "text": strings.Repeat("x", 4001)},
		"a long id":      {"type": "text", "id": strings.Repeat("x", 65), "text": "x"},
		"no text":        {"type": "text", "id": "1"},
		"an unknown one": {"type": "joined"},
	} {
		c := call(t, server, theRoom, secret("a"))
		c.hear("welcome")
		c.say(m)
		if code, _ := c.ends(); code != 4422 {
			t.Errorf("%s: %d", name, code)
		}
	}
	big := call(t, server, theRoom, secret("b"))
	big.hear("welcome")
	big.say(object{"type": "signal", "signal": strings.Repeat("x", 70_000)})
	if code, _ := big.ends(); code != websocket.StatusMessageTooBig {
		t.Errorf("a message of 70 KB: %d", code)
	}
	flood := call(t, server, theRoom, secret("c"))
	flood.hear("welcome")
	go func() {
		for range 2000 {
			if wsjson.Write(context.Background(), flood.Conn, object{"type": "state"}) != nil {
				return
			}
		}
	}()
	if code, _ := flood.ends(); code != 4429 {
		t.Errorf("a flood: %d", code)
	}
	c := call(t, server, "room-2", secret("soon"))
	c.hear("closed")
	if code, _ := c.ends(); code != 4410 {
		t.Errorf("when its time is over: %d", code)
	}
}

// A server that goes away says so, and another one goes on with the same people.
func TestServerGoesAway(t *testing.T) {
	g := newGate()
	first, server := site(t, g, nil)
	doc := call(t, server, theRoom, token("doc"))
	doc.hear("welcome")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	go first.Close(ctx)
	if code, _ := doc.ends(); code != websocket.StatusGoingAway {
		t.Errorf("it goes away with %d", code)
	}
	if err := first.Close(ctx); err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get(server.URL + video.Path + "signal/" + theRoom)
	if err != nil || resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("after that: %v %v", resp, err)
	}
	_, server = site(t, g, nil)
	call(t, server, theRoom, secret("doc")).hear("welcome")
}

// Somebody whose machine is gone without a word is noticed.
func TestSilence(t *testing.T) {
	g := newGate()
	_, server := site(t, g, func(c *video.Config) { c.Beat = 200 * time.Millisecond })
	doc := call(t, server, theRoom, token("doc"))
	doc.hear("welcome")
	// Nobody reads from this socket, so that no answer to a ping is sent.
	g.happened(t, "doc", room.Dropped)
}

func TestOrigins(t *testing.T) {
	_, server := site(t, newGate(), func(c *video.Config) { c.Origins = []string{"app.example"} })
	for origin, want := range map[string]bool{"https://app.example": true, "https://evil.example": false, server.URL: true, "null": false} {
		c, _, err := websocket.Dial(t.Context(), "ws"+strings.TrimPrefix(server.URL, "http")+video.Path+"signal/x",
			&websocket.DialOptions{HTTPHeader: http.Header{"Origin": {origin}}})
		if err == nil {
			c.CloseNow()
		}
		if (err == nil) != want {
			t.Errorf("a socket of a page of %s: %v", origin, err)
		}
	}
}

func TestPages(t *testing.T) {
	_, server := site(t, newGate(), nil)
	for name, want := range map[string]int{"": 200, "visit.js": 200, "socket.js": 200, "pace.js": 200, "visit.css": 200, "texts.js": 200, "peer.js": 200, "x": 404, "html/visit.js": 404, "..%2fpage.go": 404} {
		resp, err := http.Get(server.URL + video.Path + name)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%q: %s", name, resp.Status)
		}
		if csp := resp.Header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'; script-src 'self'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%q: the policy is %q", name, csp)
		}
	}
	resp, err := http.Post(server.URL+video.Path, "text/plain", nil)
	if err != nil || resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %v %v", resp, err)
	}
}

func TestCarriers(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	ticket := &room.Ticket{Room: "r", Seat: "s", Role: room.Patient, Name: "José", Closes: now.Add(time.Hour)}
	key := []byte("0123456789abcdef0123456789abcdef")
	claims := func(token string) (all object) {
		t.Helper()
		parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.HS256})
		if err != nil {
			t.Fatal(err)
		}
		if err := parsed.Claims(key, &all); err != nil {
			t.Fatal(err)
		}
		return all
	}
	j, err := video.LiveKit{URL: "wss://lk", Key: "api", Secret: key}.Join(ticket, now)
	if err != nil {
		t.Fatal(err)
	}
	all := claims(j.Token)
	grant := all["video"].(object)
	if all["iss"] != "api" || all["sub"] != "s" || all["exp"] != float64(ticket.Closes.Unix()) || grant["room"] != "r" || grant["roomJoin"] != true || grant["roomAdmin"] != false {
		t.Errorf("LiveKit: %v", all)
	}
	if j.Page != "" {
		t.Errorf("a LiveKit server without a page has %s", j.Page)
	}
	if j, err = (video.LiveKit{URL: "wss://lk", Key: "api", Secret: key, Page: "https://meet/custom"}).Join(ticket, now); err != nil || j.Page != "https://meet/custom?liveKitUrl=wss%3A%2F%2Flk&token="+j.Token {
		t.Errorf("the page of LiveKit is %+v, %v", j, err)
	}
	if j, err = (video.Jitsi{URL: "https://meet", App: "amate", Domain: "*", Secret: key}).Join(ticket, now); err != nil {
		t.Fatal(err)
	}
	all = claims(j.Token)
	if j.URL != "https://meet/r" || j.Page != "https://meet/r?jwt="+j.Token || all["room"] != "r" || all["moderator"] != false || all["exp"] != float64(ticket.Closes.Unix()) ||
		all["context"].(object)["user"].(object)["name"] != "José" || all["context"].(object)["features"].(object)["recording"] != false {
		t.Errorf("Jitsi: %v %v", j, all)
	}
	if j, err = (video.Direct{STUN: []string{"stun:x"}, TURN: []string{"turn:x"}, Secret: key, RelayOnly: true}).Join(ticket, now); err != nil {
		t.Fatal(err)
	}
	b, _ := json.Marshal(j)
	if len(j.ICE) != 2 || j.ICE[1].Credential == "" || !strings.HasSuffix(j.ICE[1].Username, ":s") || !j.RelayOnly || !strings.Contains(string(b), `"iceServers"`) {
		t.Errorf("direct: %s", b)
	}
}
