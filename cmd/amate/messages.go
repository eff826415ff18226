package main

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/amate-health/amate/authz"
	"github.com/amate-health/amate/authz/client"
	"github.com/amate-health/amate/authz/scope"
	"github.com/amate-health/amate/authz/smart"
	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/message"
	"github.com/amate-health/amate/fhir/message/hl7"
	"github.com/amate-health/amate/fhir/message/mllp"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/rest"
)

// messaging says how HL7 v2 messages are taken.
type messaging struct {
	Listen      string        `help:"Where to take HL7 v2 messages over MLLP, such as 127.0.0.1:2575; nowhere when not given." placeholder:"HOST:PORT"`
	TLS         bool          `help:"Speak TLS there, as --tls-cert and --tls-client-ca have it." name:"tls"`
	Size        byteSize      `help:"Bytes of a message, over MLLP and HTTP." default:"8MiB"`
	Connections int           `help:"Connections at a time." default:"64"`
	Idle        time.Duration `help:"How long a connection may be quiet." default:"10m"`
	Pending     int           `help:"Messages of a connection that may wait for their answers." default:"256"`
	Keep        time.Duration `help:"How long messages are kept that could not be written." default:"2160h"`
	Remember    time.Duration `help:"How long a message that comes again gets the answer it had." default:"720h"`
}

// messages are what takes messages on a server.
type messages struct {
	*messaging
	processor *message.Processor
	senders   *message.Directory
	store     *opened
	log       *slog.Logger
	listener  net.Listener // nil where there is no MLLP
	stop      context.CancelFunc
	following sync.WaitGroup

	mu    sync.Mutex
	known map[string]actor // apps as which senders write
}

// actor is whom an app speaks for, as it was looked up a moment ago.
type actor struct {
	principal *authz.Principal
	until     time.Time
}

// actorFor is how long it is believed: a sender whose app is changed or disabled has its
// old rights for so long.
const actorFor = 2 * time.Second

// messageStore is what a store has for messages.
type messageStore interface {
	message.State
	message.Receipts
}

// open readies what takes messages. It listens, where it is to, and takes nothing yet.
func (m *messaging) open(ctx context.Context, s *serve, store *opened, api *rest.API, log *slog.Logger) (*messages, error) {
	kept, ok := store.engine.(messageStore)
	if !ok {
		return nil, errors.New("this store keeps no receipts of messages")
	}
	all := &messages{messaging: m, store: store, log: log, senders: &message.Directory{State: kept}}
	if err := all.senders.Refresh(ctx); err != nil {
		return nil, err
	}
	all.processor = message.New(message.Config{
		API: api, State: kept, Receipts: kept, Senders: all.senders, As: all.asNow, Keep: m.Keep, Remember: m.Remember,
		Limits: hl7.Limits{Size: int(m.Size)}, Log: log, Blocked: store.blockedPatients, Kinds: store.vaccinationMessages(),
	})
	following, stop := context.WithCancel(context.WithoutCancel(ctx))
	all.stop = stop
	all.following.Go(func() {
		all.senders.Follow(following, func(err error) { log.Error("read the senders of messages again", "error", err) })
	})
	if err := all.listen(s); err != nil {
		all.close()
		return nil, err
	}
	return all, nil
}

// listen opens the address for MLLP.
func (m *messages) listen(s *serve) (err error) {
	if m.Listen == "" {
		return nil
	}
	if s.InsecureNoAuth {
		if err := loopbackOnly(m.Listen); err != nil {
			return usagef("--mllp-listen: %v", strings.TrimPrefix(err.Error(), "--listen "))
		}
	} else if len(m.senders.Reachable()) == 0 {
		return usagef("--mllp-listen: no sender is registered that could be known there: add one with its networks or certificates by 'amate message sender add'")
	}
	var secure *tls.Config
	if m.TLS {
		if secure, err = s.TLS.config(s.Storage.Data, m.log); err != nil {
			return err
		}
		if secure == nil {
			return usagef("--mllp-tls needs --tls-cert and --tls-key, or --tls-acme")
		}
		secure.NextProtos = nil
	}
	ln, err := net.Listen("tcp", m.Listen)
	if err != nil {
		return usagef("--mllp-listen: %v", err)
	}
	if s.InsecureNoAuth {
		if err := loopbackOnly(ln.Addr().String()); err != nil {
			ln.Close()
			return usagef("--mllp-listen: it would be open to other machines")
		}
	}
	if secure != nil {
		ln = tls.NewListener(ln, secure)
	}
	m.listener = ln
	return nil
}

// during takes messages over MLLP while run runs, until ctx ends, and answers those
// that it has taken in.
func (m *messages) during(ctx context.Context, run func() error) error {
	if m.listener == nil {
		return run()
	}
	m.log.Info("taking HL7 messages", "mllp", m.listener.Addr().String(), "senders", len(m.senders.Reachable()))
	server := &mllp.Server{
		Size: int(m.Size), Connections: m.Connections, Idle: m.Idle, Pending: m.Pending, Log: m.log, Handle: m.handle, Known: m.reaches,
		Large: func(head []byte) [][]byte {
			a := m.processor.TooLarge(head)
			return a.Messages()
		},
	}
	taking, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(taking, m.listener, drainWithin) }()
	err := run()
	stop()
	return errors.Join(err, <-ended)
}

// reaches reports whether a peer can be anybody here.
func (m *messages) reaches(p mllp.Peer) bool {
	return m.store.access == nil || m.senders.Reaches(message.Peer{Address: p.Address, Certificate: p.Certificate})
}

// close ends the work when all that was taken in is answered.
func (m *messages) close() {
	if m.listener != nil {
		m.listener.Close()
	}
	m.processor.Close()
	m.stop()
	m.following.Wait()
}

// handle hands in a message from a socket.
func (m *messages) handle(ctx context.Context, peer mllp.Peer, raw []byte) func(context.Context) [][]byte {
	from := message.Peer{Address: peer.Address, Certificate: peer.Certificate}
	pending := m.processor.Submit(ctx, message.Incoming{
		Raw: raw, Group: "mllp " + peer.Address.String() + " " + peer.Certificate,
		Sender: func(application, facility string) (*message.Sender, error) {
			return m.sender(from, application, facility)
		},
		Act: func(s *message.Sender) (context.Context, error) { return m.as(ctx, s.Client) },
	})
	return func(ctx context.Context) [][]byte {
		answer, err := pending.Wait(ctx)
		if err != nil {
			return nil
		}
		return answer.Messages()
	}
}

// sender says who sends from a peer.
func (m *messages) sender(from message.Peer, application, facility string) (*message.Sender, error) {
	if s := m.senders.ForPeer(from, application, facility); s != nil {
		return s, nil
	}
	if m.store.access == nil {
		return m.senders.ForClient(nobody, application, facility), nil
	}
	return nil, fhir.Errorf(fhir.Forbidden, "no sender is registered for this address or certificate with these names in MSH-3 and MSH-4")
}

// nobody is the client that sends where there is no access control.
const nobody = "anonymous"

// as returns a context in which the API acts as a registered app, as it was a moment ago.
func (m *messages) as(ctx context.Context, id string) (context.Context, error) {
	m.mu.Lock()
	a, ok := m.known[id]
	m.mu.Unlock()
	if ok && time.Now().Before(a.until) {
		return a.principal.With(ctx), nil
	}
	return m.asNow(ctx, id)
}

// asNow returns a context in which the API acts as a registered app.
func (m *messages) asNow(ctx context.Context, id string) (context.Context, error) {
	if m.store.access == nil {
		return ctx, nil
	}
	c, err := m.store.access.clients.Get(ctx, id)
	if fhir.CodeOf(err) == fhir.NotFound {
		return nil, fhir.Errorf(fhir.Forbidden, "the app as which the sender writes is not registered, or disabled")
	}
	if err != nil {
		return nil, err
	}
	p, err := principalOf(c)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known == nil {
		m.known = map[string]actor{}
	}
	m.known[id] = actor{p, time.Now().Add(actorFor)}
	return p.With(ctx), nil
}

// principalOf returns whom an app speaks for by itself.
func principalOf(c *client.Client) (*authz.Principal, error) {
	if !c.May(client.Credentials) {
		return nil, fhir.Errorf(fhir.Forbidden, "the app as which the sender writes may not act by itself")
	}
	granted, err := scope.Parse(c.Scopes...)
	if err != nil {
		return nil, err
	}
	return smart.SystemClaims(c, granted, "").Principal(), nil
}

// messagePath is where messages come by HTTP.
const messagePath = "/hl7v2"

// beside says for /metadata what the server takes and offers beside the RESTful API.
func (s *serve) beside() string {
	text := "$changes keeps the copy of a clinic up to date. Transactions that follow IHE MHD (ITI-65) are held to it and completed; " +
		"ITI-66 and ITI-67 are searches of List and DocumentReference. HL7 v2 messages of registered senders are taken by POST " + messagePath
	if s.MLLP.Listen != "" {
		return text + " and over MLLP."
	}
	return text + "."
}

// takeMessage answers a message that comes by HTTP.
func (o *opened) takeMessage(w http.ResponseWriter, r *http.Request) {
	m := o.messages
	if m == nil {
		http.Error(w, "messages are not taken here", http.StatusServiceUnavailable)
		return
	}
	// What cannot be written is kept, and tried again as the app: who only uses the app
	// would have it write with rights that they do not have.
	if p := authz.From(r.Context()); p != nil && (p.User.ID != "" || p.Patient != "") {
		http.Error(w, "messages are sent by systems: this needs a token of the app itself, and this one is a person's", http.StatusForbidden)
		return
	}
	(&message.Endpoint{Processor: m.processor, Size: int64(m.Size), Caller: m.caller}).ServeHTTP(w, r)
}

// caller says who sends by HTTP.
func (m *messages) caller(ctx context.Context) (app, rights string) {
	if m.store.access == nil {
		return nobody, nobody
	}
	p := authz.From(ctx)
	if p == nil {
		return "", ""
	}
	return p.Client, strings.Join([]string{
		p.ID, p.Client, p.Org, p.User.String(), p.Patient, p.Encounter, p.Purpose, p.Reason, strings.Join(p.Roles, " "), strings.Join(p.Scopes, " "),
	}, "\x00")
}

// messageOperations are the operations on messages that could not be written.
func (o *opened) messageOperations() []operation.Operation {
	return message.Operations(func() *message.Processor {
		if o.messages == nil {
			return nil
		}
		return o.messages.processor
	})
}

// lettersOf returns the ids of the messages about a patient that could not be written.
func (o *opened) lettersOf(ctx context.Context, patient string) ([]string, error) {
	r, err := o.engine.Read(ctx, fhir.Ref{Type: "Patient", ID: patient})
	switch fhir.CodeOf(err) {
	case fhir.NotFound, fhir.Gone:
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	d, err := element.Parse(r.JSON)
	if err != nil {
		return nil, err
	}
	var numbers []string
	list := d.Get(0, "identifier")
	if list == element.None || d.Kind(list) != element.Array {
		return nil, nil
	}
	for n := d.First(list); n != element.None; n = d.Next(list, n) {
		if v := d.Get(n, "value"); v != element.None && d.Kind(v) == element.String {
			numbers = append(numbers, d.Text(v))
		}
	}
	return (&message.Letters{State: o.engine}).Of(ctx, numbers)
}

// dropLetters removes messages that could not be written.
func (o *opened) dropLetters(ctx context.Context, ids []string) error {
	letters := &message.Letters{State: o.engine}
	for _, id := range ids {
		if err := letters.Drop(ctx, id); err != nil && fhir.CodeOf(err) != fhir.NotFound {
			return err
		}
	}
	return nil
}

// countMessages shows how many messages came to what. Who sent them is not told.
func (o *opened) countMessages(m *metrics) {
	for i, outcome := range []string{"accepted", "repeated", "failed", "rejected"} {
		m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "amate_messages_total", Help: "HL7 v2 messages answered.", ConstLabels: prometheus.Labels{"outcome": outcome},
		}, func() float64 {
			if o.messages == nil {
				return 0
			}
			accepted, repeated, failed, rejected := o.messages.processor.Counts()
			return float64([]int64{accepted, repeated, failed, rejected}[i])
		}))
	}
}
