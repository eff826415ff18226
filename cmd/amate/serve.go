package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/amate-health/amate/fhir/document/mhd"
	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/fhir/terminology/service"
	"github.com/amate-health/amate/fhir/validate"
)

// serve answers the FHIR API.
type serve struct {
	Storage           storage     `embed:""`
	Listen            string      `help:"Where to listen. Other addresses than those of this machine need --base-url." default:"127.0.0.1:8080" placeholder:"HOST:PORT"`
	BaseURL           string      `help:"The public FHIR base, when it is not http://HOST:PORT/fhir." placeholder:"URL"`
	Validation        string      `help:"How resources are checked before they are written: off, base or profiles; and by type: base,Patient=profiles." default:"base" placeholder:"MODE"`
	UnknownExtensions string      `help:"What $validate calls an extension whose definition is not known: error, as the reference validator does, or information. It never keeps a resource from being written." enum:"error,information" default:"error"`
	DeleteMany        bool        `help:"Let a conditional delete remove every match. Without it, more than one match is refused."`
	Explain           bool        `help:"Let those who may see everything ask by __explain=true how a search is carried out. Always so without access control."`
	Demo              bool        `help:"Fill an empty database with a synthetic Mexican population."`
	DemoPeople        bool        `help:"Of --demo the people alone, without what happens through the operations of the server: for tests, which want neither its time nor the day it is." hidden:""`
	InsecureNoAuth    bool        `help:"Serve without access control, on this machine only: whoever reaches the port may do everything. For first steps and benchmarks." name:"insecure-no-auth"`
	TrustIssuers      issuersFile `help:"YAML file of issuers elsewhere, such as a Keycloak, whose access tokens are taken beside our own." placeholder:"FILE" type:"path"`
	Limits            limits      `embed:"" prefix:"max-"`
	Audit             auditing    `embed:"" prefix:"audit-"`
	TLS               transport   `embed:"" prefix:"tls-"`
	Rate              rates       `embed:"" prefix:"rate-"`
	Guarding          guarding    `embed:""`
	MLLP              messaging   `embed:"" prefix:"mllp-"`
	ARCO              arco        `embed:"" prefix:"arco-"`
	Retention         purging     `embed:"" prefix:"retention-"`
	Matching          matching    `embed:""`
	Signing           signing     `embed:"" prefix:"signature-"`
	Certifying        certifying  `embed:"" prefix:"birth-"`
	Carding           carding     `embed:"" prefix:"card-"`
	Prescribing       prescribing `embed:"" prefix:"prescription-"`
	Referring         referring   `embed:"" prefix:"referral-"`
	Numbering         numbering   `embed:""`
	Forecasting       forecasting `embed:""`
	Reminding         reminding   `embed:""`
	Visiting          visiting    `embed:""`
	Subscribing       subscribing `embed:"" prefix:"subscription-"`
	Exporting         exporting   `embed:"" prefix:"export-"`
	Ingesting         ingesting   `embed:"" prefix:"import-"`
	Analysing         analysing   `embed:"" prefix:"analytics-"`
	Opening           opening     `embed:"" prefix:"opendata-"`
	demoKeys          *demoKeys   // by which the demonstration signs; nil for none
	CORSOrigins       []string    `help:"Origins of pages whose scripts may call the API, beside those of registered apps." name:"cors-origins" placeholder:"ORIGIN"`
	TrustedProxies    []string    `help:"Addresses and networks of proxies whose X-Forwarded-For is believed." placeholder:"NETWORK"`
}

// limits bounds what one request may cost.
type limits struct {
	Body       byteSize      `help:"Bytes of a request body." default:"64MiB"`
	Binary     byteSize      `help:"Bytes of the content of a Binary that is sent by itself." default:"256MiB"`
	Bodies     byteSize      `help:"Bytes of the bodies of all requests at a time." default:"256MiB"`
	Answer     byteSize      `help:"Bytes of resources in one answer: a page ends early beyond it." default:"64MiB"`
	Entries    int           `help:"Entries of a batch or transaction." default:"10000"`
	Time       time.Duration `help:"Time for one request." default:"60s"`
	Concurrent int           `help:"Requests at work at a time." default:"256"`
	Wait       time.Duration `help:"How long a request waits for its turn before it is refused with 429." default:"2s"`
	Page       int           `help:"Resources a page at most." default:"1000"`
}

// drainWithin is how long a stopping server goes on with what it has accepted.
const drainWithin = 30 * time.Second

func (s *serve) Run(ctx context.Context, out streams, log *slog.Logger) error {
	trusted, err := s.TrustIssuers.read()
	if err != nil {
		return err
	}
	if err := s.Storage.resolve(); err != nil {
		return err
	}
	if err := s.Signing.check(); err != nil {
		return err
	}
	ln, err := s.listen()
	if err != nil {
		return err
	}
	defer ln.Close()
	if ln, err = s.secure(ln, log); err != nil {
		return err
	}
	store, err := s.Storage.open(ctx, log)
	if err != nil {
		return err
	}
	defer func() {
		if err := store.Close(); err != nil {
			log.Error("close the store", "error", err)
		}
	}()
	if store.vocabulary, err = learn(ctx, store, log); err != nil {
		return err
	}
	store.indexing.Base = s.base(ln)
	if err := s.demoSigning(ctx, store); err != nil {
		return err
	}
	if err := s.configure(store); err != nil {
		return err
	}
	if err := s.handle(ctx, store); err != nil {
		return err
	}
	if err := store.openAnalytics(ctx, s.Analysing, s.Storage, log); err != nil {
		return err
	}
	defer store.closeAnalytics(log)
	if err := store.handleOpenData(ctx, s, log); err != nil {
		return err
	}
	store.handleClaims(log)
	if err := store.handleRetention(ctx, s.Retention, log); err != nil {
		return err
	}
	if err := store.openOrders(s.Exporting, s.Storage.Data); err != nil {
		return err
	}
	if err := store.upgradeIndex(ctx); err != nil {
		return err
	}
	if err := store.openVisits(s, ln, log); err != nil {
		return err
	}
	working, stopWork := context.WithCancel(ctx)
	defer stopWork()
	store.contents.Limit = int64(s.Limits.Binary)
	if err := s.Audit.open(s, store, log); err != nil {
		return err
	}
	defer store.closeTrail(log)
	if !s.InsecureNoAuth {
		if store.access, err = s.openAccess(ctx, ln, store, trusted, log); err != nil {
			return err
		}
		if err := s.Guarding.open(working, store, s.base(ln), log); err != nil {
			return err
		}
	}
	if err := s.Subscribing.open(working, store, s.Storage.Database == "", log); err != nil {
		return err
	}
	server, err := s.server(ln, store, log)
	if err != nil {
		return err
	}
	// What works by itself writes as requests do: with labels, on record, seen by those who
	// decide. So it begins when all of that is there, and ends before any of it does.
	ended := store.workBeside(working, log)
	defer func() {
		stopWork()
		ended()
	}()
	store.orders.serve(working, server.api, log)
	defer store.subscriptions.run(working, server.api)()
	if store.messages, err = s.MLLP.open(ctx, s, store, server.api, log); err != nil {
		return err
	}
	defer store.messages.close()
	if s.Demo {
		if err := s.demonstrate(ctx, store, server.api, log); err != nil {
			return err
		}
	}
	if err := installOwn(ctx, store); err != nil {
		return err
	}
	if err := errors.Join(installExchange(ctx, store), installViews(ctx, store)); err != nil {
		return err
	}
	if s.InsecureNoAuth {
		log.Warn("THERE IS NO ACCESS CONTROL: every program on this machine can read and change every record",
			"flag", "--insecure-no-auth")
	}
	log.Info("listening", "base", server.base, "database", s.Storage.String())
	fmt.Fprint(out.out, s.greeting(server.base))
	return store.messages.during(ctx, func() error { return server.run(ctx, log) })
}

// configure has the areas of the store know what is said of them, and reads their files.
func (s *serve) configure(store *opened) (err error) {
	if store.office, err = s.ARCO.open(); err != nil {
		return err
	}
	if err := errors.Join(s.Prescribing.open(), s.Referring.open()); err != nil {
		return err
	}
	if store.schedules, err = s.Forecasting.open(); err != nil {
		return err
	}
	store.signing, store.certifying, store.carding = s.Signing, s.Certifying, s.Carding
	store.prescribing, store.referring, store.ingesting = s.Prescribing, s.Referring, s.Ingesting
	return s.Numbering.open(store, s.Demo)
}

// handle has the work known that is done beside requests.
func (s *serve) handle(ctx context.Context, store *opened) error {
	store.handleReindexing()
	store.handleMerges()
	store.handleRecalls()
	for _, handle := range []func(context.Context) error{
		func(ctx context.Context) error { return store.handleMatching(ctx, s.Matching) },
		func(ctx context.Context) error { return store.handleReminders(ctx, s.Reminding) },
		store.handleMonitoring, store.handleReferrals, store.handleForecasts, store.handleChanges, store.handleCards,
	} {
		if err := handle(ctx); err != nil {
			return err
		}
	}
	return nil
}

// server is the HTTP server with what it is made of.
type server struct {
	base   string // the public FHIR base URL
	http   *http.Server
	ln     net.Listener
	health *health
	api    *rest.API
	leave  func(context.Context) // closes what Shutdown does not: sockets
}

// base is the public FHIR base.
func (s *serve) base(ln net.Listener) string {
	if s.BaseURL != "" {
		return strings.TrimRight(s.BaseURL, "/")
	}
	scheme := "http://"
	if s.TLS.on() {
		scheme = "https://"
	}
	return scheme + ln.Addr().String() + "/fhir"
}

// server wires the API to a store and a listener.
func (s *serve) server(ln net.Listener, store *opened, log *slog.Logger) (*server, error) {
	base := s.base(ln)
	store.strictExtensions = s.UnknownExtensions == "error"
	policy, err := validate.ParsePolicy(s.Validation)
	if err != nil {
		return nil, usagef("--validation: %v", err)
	}
	policy.Validator = store.validator(store.terminology())
	m := newMetrics()
	store.watch(m)
	store.countMessages(m)
	if store.alarms != nil {
		m.registry.MustRegister(store.alarms...)
	}
	held, auditor := store.audited(base)
	limiter := s.Rate.limiter(store, m, log)
	api, err := rest.New(rest.Config{
		Store: held, State: store, Audit: auditor, Guard: guarded(store.guard(), limiter), Admit: admitted(store.admit(), limiter), BaseURL: base, CursorKey: store.key("links"),
		Limits: s.Limits.rest(), Observer: &observer{log: log, metrics: m}, Software: "Amate " + release, Instantiates: []string{bulkCapability}, Documentation: s.beside(),
		Terminology: func(context.Context) ([]byte, error) {
			return service.Capabilities(store.terminology(), base, "Amate "+release, time.Now()), nil
		},
		Search:     rest.Search{Catalogue: store.parameters.Catalogue, Terminology: store.terminology(), FullText: s.Storage.FullText.has, Person: store.indexing.Person},
		Explain:    store.explainer(s.Explain || s.InsecureNoAuth),
		DeleteMany: s.DeleteMany, Contents: contents{store.contents}, Provide: mhd.Provide, Extensions: store.subscriptions.capabilities(), Operations: operations(store), Rules: store.rules(policy.Check), Doubts: store.doubts, Withhold: store.withheld, FoundBy: store.replaced.Index, Conformance: store.definitions.conformance,
	})
	if err != nil {
		return nil, usagef("%v", err)
	}
	h := &health{store: store}
	r := chi.NewRouter()
	r.Get("/health/live", h.live)
	r.Get("/health/ready", h.ready)
	r.Method(http.MethodGet, "/metrics", m.handler())
	store.analytic.watch(m)
	store.subscriptions.mount(r, m)
	if err := store.mount(r, api, log); err != nil {
		return nil, err
	}
	if err := store.mountPortal(r, base, m, log); err != nil {
		return nil, err
	}
	store.mountVisits(r, m)
	store.mountOpenData(r, &s.Opening, base, log)
	handler, err := s.outermost(base, store, r, log)
	if err != nil {
		return nil, err
	}
	return &server{base: base, ln: ln, health: h, api: api, leave: func(ctx context.Context) { store.closeVisits(ctx, log) }, http: &http.Server{
		Handler:           store.gate.around(handler),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute, // the API bounds the time of bodies both ways, by their size
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}}, nil
}

func (l *limits) rest() rest.Limits {
	return rest.Limits{
		Body: int64(l.Body), Bodies: int64(l.Bodies), Answer: int64(l.Answer),
		Entries: l.Entries, Timeout: l.Time, Concurrent: l.Concurrent, Queue: l.Wait, MaxCount: l.Page,
	}
}

// run serves until ctx ends. Then it takes no new request, goes on with those it
// has accepted, and returns when they are done or drainWithin is over.
func (s *server) run(ctx context.Context, log *slog.Logger) error {
	failed := make(chan error, 1)
	go func() { failed <- s.http.Serve(s.ln) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	s.health.draining.Store(true)
	log.Info("stopping: no new requests", "within", drainWithin.String())
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainWithin)
	defer cancel()
	s.leave(drain)
	err := s.http.Shutdown(drain)
	if errors.Is(err, context.DeadlineExceeded) {
		log.Error("some requests did not end in time, and were cut off")
		return s.http.Close()
	}
	if err == nil {
		log.Info("stopped: everything that was accepted is done")
	}
	return err
}
