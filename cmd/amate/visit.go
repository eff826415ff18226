package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/amate-health/amate/authz"
	"github.com/amate-health/amate/authz/audit"
	"github.com/amate-health/amate/authz/token"
	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/telehealth/room"
	"github.com/amate-health/amate/telehealth/video"
	"github.com/amate-health/amate/telehealth/visit"
)

// visiting says how visits at a distance take place.
type visiting struct {
	Before time.Duration `help:"How long before an Appointment people may enter a visit at a distance." default:"15m" name:"visit-before"`
	After  time.Duration `help:"How long after the end of the Appointment they have to be out." default:"30m" name:"visit-after"`
	NoShow time.Duration `help:"How long after its start a patient is waited for." default:"20m" name:"visit-no-show"`

	MessageURL    string        `help:"Where messages for patients are handed to, to be sent by SMS or e-mail: codes by which they let an app see their record in a visit. Without it no codes are offered." name:"visit-message-url" placeholder:"URL"`
	MessageSecret string        `help:"File with the secret by which those messages are signed (HMAC-SHA256)." name:"visit-message-secret-file" placeholder:"FILE" type:"path"`
	ContactAge    time.Duration `help:"How long a telephone number or e-mail address has to be in the record of a patient before a code is sent to it." default:"72h" name:"visit-contact-age"`

	STUN       []string `help:"STUN servers, by which browsers learn their own addresses." name:"stun" placeholder:"stun:HOST:PORT"`
	TURN       []string `help:"TURN servers (such as coturn), through which sound and picture travel where a network allows nothing else." name:"turn" placeholder:"turn:HOST:PORT"`
	TURNSecret string   `help:"File with the secret that the TURN servers have too (static-auth-secret of coturn)." name:"turn-secret-file" placeholder:"FILE" type:"path"`
	TURNOnly   bool     `help:"Let sound and picture travel through a TURN server always, so that nobody learns the network address of another." name:"turn-only"`

	LiveKitURL    string `help:"A LiveKit server that carries sound and picture." name:"livekit-url" placeholder:"wss://HOST"`
	LiveKitKey    string `help:"Its API key." name:"livekit-key"`
	LiveKitSecret string `help:"File with its API secret." name:"livekit-secret-file" placeholder:"FILE" type:"path"`
	LiveKitPage   string `help:"Page in which a browser opens it, with the parameters liveKitUrl and token: that of LiveKit Meet, for one. Without it an app opens it." name:"livekit-page" placeholder:"https://HOST/custom"`

	JitsiURL    string `help:"A Jitsi server with token authentication that carries sound and picture." name:"jitsi-url" placeholder:"https://HOST"`
	JitsiApp    string `help:"Its app_id." name:"jitsi-app"`
	JitsiDomain string `help:"The domain of its XMPP server." name:"jitsi-domain" default:"*"`
	JitsiSecret string `help:"File with its app_secret." name:"jitsi-secret-file" placeholder:"FILE" type:"path"`
}

// carrier returns what carries sound and picture.
func (c *visiting) carrier() (video.Carrier, error) {
	secret := func(flag, file string) ([]byte, error) {
		if file == "" {
			return nil, usagef("--%s is needed", flag)
		}
		text, err := secretFile(flag, file)
		return []byte(text), err
	}
	switch {
	case c.LiveKitURL != "" && c.JitsiURL != "":
		return nil, usagef("--livekit-url and --jitsi-url: want one of the two")
	case c.LiveKitURL != "":
		s, err := secret("livekit-secret-file", c.LiveKitSecret)
		if err == nil && c.LiveKitKey == "" {
			err = usagef("--livekit-key is needed")
		}
		if page, bad := url.Parse(c.LiveKitPage); err == nil && c.LiveKitPage != "" && (bad != nil || page.Scheme != "https" || page.Host == "" || page.RawQuery != "" || page.Fragment != "") {
			err = usagef("--livekit-page %.100q: want https://HOST/PATH", c.LiveKitPage)
		}
		return video.LiveKit{URL: c.LiveKitURL, Key: c.LiveKitKey, Secret: s, Page: c.LiveKitPage}, err
	case c.JitsiURL != "":
		s, err := secret("jitsi-secret-file", c.JitsiSecret)
		if err == nil && c.JitsiApp == "" {
			err = usagef("--jitsi-app is needed")
		}
		return video.Jitsi{URL: strings.TrimRight(c.JitsiURL, "/"), App: c.JitsiApp, Domain: c.JitsiDomain, Secret: s}, err
	}
	d := video.Direct{STUN: c.STUN, TURN: c.TURN, RelayOnly: c.TURNOnly}
	if len(c.TURN) == 0 {
		if c.TURNOnly {
			return nil, usagef("--turn-only needs --turn")
		}
		return d, nil
	}
	var err error
	d.Secret, err = secret("turn-secret-file", c.TURNSecret)
	return d, err
}

// visits are the visits of a server, and who carries them.
type visits struct {
	*visit.Service
	video *video.Service
	log   *slog.Logger
}

// openVisits makes the visits of a server.
func (o *opened) openVisits(s *serve, ln net.Listener, log *slog.Logger) error {
	c, base := s.Visiting, s.base(ln)
	carrier, err := c.carrier()
	if err != nil {
		return err
	}
	for name, d := range map[string]time.Duration{"visit-before": c.Before, "visit-after": c.After, "visit-no-show": c.NoShow} {
		if d <= 0 || d > 12*time.Hour {
			return usagef("--%s %s: want more than nothing, and 12h at most", name, d)
		}
	}
	if c.ContactAge < 0 {
		return usagef("--visit-contact-age %s: want no time that is to come", c.ContactAge)
	}
	gateway, err := c.gateway()
	if err != nil {
		return err
	}
	v := &visits{log: log}
	cfg := visit.Config{
		Store: birthStore{o}, Maker: o.maker, Page: roomPage, Before: c.Before, After: c.After, NoShow: c.NoShow, Log: log,
		EndRoom: func(room string) { v.video.EndRoom(room) }, Remove: func(room, seat string) { v.video.Remove(room, seat) }, Audit: o.recordMoment,
	}
	cfg.Settled = max(c.ContactAge, time.Nanosecond)
	if gateway != nil {
		cfg.Deliver = gateway.deliver
	}
	if !s.InsecureNoAuth {
		cfg.Issue = func(ctx context.Context, g visit.Grant) (string, error) { return o.access.issue(ctx, g) }
		cfg.Revoke = func(ctx context.Context, id string) error { return o.access.revocations.Grant(ctx, id) }
	}
	v.Service = visit.New(cfg)
	meetings := video.Config{Gate: v.Service, Carrier: carrier, Prefix: pathOf(issuerOf(base)), Origins: hostOf(base), Log: log}
	if s.Storage.Database != "" { // others may serve the same address
		meetings.Post = o.engine
	}
	v.video = video.New(meetings)
	o.visits = v
	return nil
}

// roomPage is the address of a room for who has a token.
func roomPage(base, room, token string) string {
	page := issuerOf(base) + video.Path + "#" + room
	if token != "" {
		page += "/" + token
	}
	return page
}

// pathOf returns the path of a URL, without a slash at the end.
func pathOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return strings.TrimRight(u.Path, "/")
}

// hostOf returns the host by which browsers know the server: behind a proxy it may be
// another one than that of a request.
func hostOf(base string) []string {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" {
		return nil
	}
	return []string{u.Host}
}

// visitOperations open visits, let people in, and close them.
func (o *opened) visitOperations() []operation.Operation {
	if o.visits == nil { // a command lists operations without serving them
		return visit.New(visit.Config{Store: birthStore{o}, Maker: o.maker, Page: roomPage}).Operations()
	}
	return o.visits.Operations()
}

// issue makes a token for an app that sees the record of a patient during a visit.
func (a *access) issue(ctx context.Context, g visit.Grant) (string, error) {
	c := &token.Claims{
		Roles: []string{visitRole}, Org: g.Caller.Org, Patient: g.Patient, Encounter: g.Encounter, Purpose: g.Caller.Purpose,
		Scope: "launch/patient launch/encounter patient/*.rs", Grant: g.ID,
	}
	c.Subject = g.Caller.Principal
	if p := authz.From(ctx); p != nil {
		c.Client = p.Client
	}
	return a.minter.Access(c, min(time.Until(g.Expires), token.Longest))
}

// visitRole is the role of tokens for a visit.
const visitRole = "telehealth-app"

// mountVisits puts the pages and sockets of visits on r. They need no token of the API:
// who has a link may enter.
func (o *opened) mountVisits(r chi.Router, m *metrics) {
	if o.visits == nil {
		return
	}
	people := prometheus.NewGauge(prometheus.GaugeOpts{Name: "amate_visit_people", Help: "People who are in a visit at a distance now, or wait for it."})
	rooms := prometheus.NewGauge(prometheus.GaugeOpts{Name: "amate_visit_rooms", Help: "Visits at a distance with somebody in them now."})
	m.registry.MustRegister(people, rooms)
	v := o.visits.video
	v.Observe = func(p, n int) {
		people.Set(float64(p))
		rooms.Set(float64(n))
	}
	r.Handle(v.Prefix+video.Path+"*", newCallers(time.Now).before(v))
	r.Handle(v.Prefix+strings.TrimSuffix(video.Path, "/"), http.RedirectHandler(v.Prefix+video.Path, http.StatusPermanentRedirect))
}

// How often visits are looked after, and rooms compared with what other servers did.
const (
	tendEvery  = 30 * time.Second
	matchEvery = 2 * time.Second
)

// tend looks after visits until ctx ends.
func (v *visits) tend(ctx context.Context) {
	look, match := time.NewTicker(tendEvery), time.NewTicker(matchEvery)
	defer look.Stop()
	defer match.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-look.C:
			err = v.Tend(ctx)
		case <-match.C:
			err = v.match(ctx)
		}
		if err != nil && ctx.Err() == nil {
			v.log.ErrorContext(ctx, "look after visits", "error", err.Error())
		}
	}
}

// match ends here what another server has ended.
func (v *visits) match(ctx context.Context) error {
	for _, name := range v.video.Rooms() {
		ended, refused, err := v.Over(ctx, name)
		if err != nil {
			return err
		}
		for _, seat := range refused {
			v.video.Remove(name, seat)
		}
		if ended {
			v.video.EndRoom(name)
		}
	}
	return nil
}

// closeVisits lets people know that they have to come back.
func (o *opened) closeVisits(ctx context.Context, log *slog.Logger) {
	if o.visits == nil {
		return
	}
	if err := o.visits.video.Close(ctx); err != nil {
		log.Error("let the people in visits go", "error", err)
	}
}

// consentsWritten ends visits of patients who withdrew their consent.
func (o *opened) consentsWritten(ctx context.Context, results []bundle.Result) {
	if o.visits == nil {
		return
	}
	var patients []string
	written, unknown := false, false
	for i := range results {
		r := &results[i]
		deleted := slices.ContainsFunc(r.Deleted, func(ref fhir.Ref) bool { return ref.Type == "Consent" })
		if r.Resource.Ref.Type != "Consent" && !deleted || r.Outcome == bundle.Unchanged || r.Outcome == bundle.Absent {
			continue
		}
		var c struct{ Patient struct{ Reference string } }
		written = true
		id, ok := "", false
		if json.Unmarshal(r.Resource.JSON, &c) == nil {
			id, ok = strings.CutPrefix(c.Patient.Reference, "Patient/")
		}
		patients, unknown = append(patients, id), unknown || !ok
	}
	if !written {
		return
	}
	if unknown { // a Consent that was deleted does not say whose it was
		patients = nil
	}
	if err := o.visits.ConsentsChanged(ctx, patients...); err != nil {
		o.log.Error("end visits without consent", "error", err) // tend does it later
	}
}

// appointmentsWritten closes the visits of what was cancelled.
func (o *opened) appointmentsWritten(ctx context.Context, results []bundle.Result) {
	if o.visits == nil {
		return
	}
	var off []string
	for i := range results {
		r := &results[i]
		for _, ref := range r.Deleted {
			if ref.Type == "Appointment" {
				off = append(off, ref.ID)
			}
		}
		if r.Resource.Ref.Type != "Appointment" || r.Outcome == bundle.Unchanged || r.Outcome == bundle.Absent {
			continue
		}
		var a struct{ Status string }
		if r.Resource.JSON == nil || json.Unmarshal(r.Resource.JSON, &a) == nil && visit.Off(a.Status) {
			off = append(off, r.Resource.Ref.ID)
		}
	}
	if len(off) == 0 {
		return
	}
	if err := o.visits.AppointmentsChanged(ctx, off...); err != nil {
		o.log.Error("end visits that were cancelled", "error", err) // tend does it later
	}
}

// recordMoment puts into the audit trail that somebody came into a visit or went.
func (o *opened) recordMoment(ctx context.Context, m visit.Moment) error {
	if o.trail == nil {
		return nil
	}
	detail := "in a visit, as " + string(m.Role)
	if m.Kind == visit.Proved {
		detail = "the patient takes part in a visit, shown by " + string(m.Role)
	}
	kind, ok := map[room.Kind]string{room.Entered: "visit-join", room.Left: "visit-leave", room.Dropped: "visit-drop", visit.Proved: "visit-proof"}[m.Kind]
	if !ok {
		return nil
	}
	return o.trail.Record(context.WithoutCancel(ctx), audit.Record{
		Kind: audit.Access, Action: "E", Interaction: kind, Type: "Encounter", Status: http.StatusOK, Agent: audit.Agent{User: m.Actor},
		Entities: []string{"Encounter/" + m.Encounter}, Patients: []string{m.Patient}, Detail: detail,
	})
}
