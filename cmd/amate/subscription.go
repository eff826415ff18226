package main

import (
	"context"
	"log/slog"
	"net/url"
	"os"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/subscription"
	"github.com/amate-health/amate/store"
)

// subscribing says how notifications are sent.
type subscribing struct {
	Topics   string        `help:"Folder of topics that can be subscribed to, as R5 writes a SubscriptionTopic, beside those that come with amate." placeholder:"DIR" type:"path"`
	Allow    []string      `help:"Hosts to which notifications may be sent although their addresses are private." placeholder:"HOST"`
	Loopback bool          `help:"Let notifications be sent to this machine, without TLS as well: for trying things out."`
	OffAfter time.Duration `help:"How long a subscriber may be out of reach before its Subscription is off; a week at most. Until then nothing is lost." default:"168h"`
}

// subscriptions are the service that sends them, and its figures.
type subscriptions struct {
	*subscription.Service
	api  *rest.API // what subscribers see of resources; set once there is one
	sent *prometheus.CounterVec
	told prometheus.Counter
	lag  prometheus.Histogram
}

// open makes the service of a store. It sends nothing until it is run.
func (s *subscribing) open(ctx context.Context, o *opened, alone bool, log *slog.Logger) error {
	topics := subscription.Topics()
	if s.Topics != "" {
		more, err := subscription.LoadTopics(os.DirFS(s.Topics))
		if err != nil {
			return usagef("--subscription-topics %s: %v", s.Topics, err)
		}
		topics = append(topics, more...)
	}
	all := &subscriptions{
		sent: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "amate_subscription_notifications_total", Help: "Notifications of Subscriptions, by what became of them.",
		}, []string{"channel", "type", "outcome"}),
		told: prometheus.NewCounter(prometheus.CounterOpts{Name: "amate_subscription_events_total", Help: "Events that subscribers have confirmed."}),
		lag: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "amate_subscription_lag_seconds", Help: "Time from a change to its confirmation by a subscriber.", Buckets: []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 60, 600, 3600, 86400},
		}),
	}
	all.Service = subscription.New(ctx, subscription.Config{
		Store: o.engine, Shown: o.Search, Changes: o.engine.Feed(), Other: store.ErrOtherHistory, Access: subscriber{o},
		Apply: o.Apply, Index: o.indexOf, Send: all.send, Base: o.indexing.Base, Key: o.key("subscriptions"), Topics: topics,
		Reach: subscription.Reach{Allow: s.Allow, Loopback: s.Loopback}, Alone: alone, GiveUpAfter: s.OffAfter, Observe: all.observe, Log: log,
	})
	o.subscriptions = all
	return nil
}

// indexOf says what a resource is found by.
func (o *opened) indexOf(r *fhir.Resource) (search.Index, error) {
	return o.parameters.Indexer(o.indexing)(r)
}

// send performs a batch as the one whom ctx is of.
func (s *subscriptions) send(ctx context.Context, bundle []byte) ([]byte, error) {
	resp, err := s.api.Do(ctx, &rest.Request{Interaction: rest.Batch, Body: bundle, Media: "application/fhir+json"})
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

func (s *subscriptions) observe(e subscription.Sent) {
	outcome := "confirmed"
	if e.Failed {
		outcome = "failed"
	}
	s.sent.WithLabelValues(e.Channel, e.Type, outcome).Inc()
	if e.Events > 0 && !e.Failed {
		s.told.Add(float64(e.Events))
		s.lag.Observe(max(0, e.Lag.Seconds()))
	}
}

// run sends notifications, and returns what ends that.
func (s *subscriptions) run(ctx context.Context, api *rest.API) (end func()) {
	s.api = api
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.Run(ctx)
	}()
	return func() {
		cancel()
		<-ended
	}
}

// mount puts the websockets on r, and the figures into m.
func (s *subscriptions) mount(r chi.Router, m *metrics) {
	if s == nil {
		return
	}
	if u, err := url.Parse(s.SocketURL()); err == nil {
		r.Handle(u.Path, newCallers(time.Now).before(s.Service))
	}
	m.registry.MustRegister(s.sent, s.told, s.lag)
	m.gauge("amate_subscriptions", "Subscriptions that this server sends to.", func() float64 { all, _ := s.Lag(); return float64(all) })
	m.gauge("amate_subscriptions_behind", "Of those, how many have something that was not sent yet.", func() float64 { _, behind := s.Lag(); return float64(behind) })
}

// subscriptionOperations tell how far Subscriptions are, and their events again.
func (o *opened) subscriptionOperations() []operation.Operation {
	if o.subscriptions == nil { // nobody is served
		return subscription.New(context.Background(), subscription.Config{Topics: subscription.Topics(), Shown: o.Search}).Operations()
	}
	return o.subscriptions.Operations()
}

// capabilities are what the CapabilityStatement says of the topics there are.
//
// See https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/StructureDefinition-capabilitystatement-subscriptiontopic-canonical.html.
func (s *subscriptions) capabilities() map[string][]byte {
	if s == nil {
		return nil
	}
	var list []compose.Object
	for _, t := range s.Config.Topics {
		list = append(list, compose.Object{"url": "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/capabilitystatement-subscriptiontopic-canonical", "valueCanonical": t.URL})
	}
	return map[string][]byte{"Subscription": compose.JSON(list)}
}
