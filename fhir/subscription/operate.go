package subscription

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
)

// The canonical URLs of the guide's operations.
const (
	defines = "http://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition/"
	own     = "https://github.com/amate-health/amate/fhir/OperationDefinition/"
)

// tokenLasts is how long a token for a websocket is good.
const tokenLasts = 5 * time.Minute

// Operations are $status, $events and $get-ws-binding-token of Subscriptions, and
// $subscription-topics.
func (s *Service) Operations() []operation.Operation {
	on := []string{"Subscription"}
	return []operation.Operation{
		{Name: "status", URL: defines + "backport-subscription-status", Scope: operation.OnType | operation.OnInstance, Types: on, Run: s.statuses,
			Documentation: "How far Subscriptions are: their status, and the number of their last event."},
		{Name: "events", URL: defines + "backport-subscription-events", Scope: operation.OnInstance, Types: on, Run: s.catchUp,
			Documentation: "The events of a Subscription again, for whoever has missed some."},
		{Name: "get-ws-binding-token", URL: defines + "backport-subscription-get-ws-binding-token", Scope: operation.OnType | operation.OnInstance, Types: on, Run: s.bindingToken,
			Documentation: "A token by which its owner opens a websocket for Subscriptions."},
		{Name: "subscription-topics", URL: own + "subscription-topics", Scope: operation.OnSystem, Run: s.listTopics},
	}
}

// listTopics answers $subscription-topics.
func (s *Service) listTopics(_ context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := call.Only(); err != nil {
		return nil, err
	}
	var entries []compose.Object
	for _, url := range s.topicURLs() {
		entries = append(entries, compose.Object{"fullUrl": url, "resource": s.topics[url].published()})
	}
	return &operation.Answer{JSON: compose.JSON(compose.Object{"resourceType": "Bundle", "type": "collection", "entry": entries}), Nothing: true}, nil
}

// visible returns the Subscriptions with some ids that the caller may see; all of them
// for none, up to a page.
func (s *Service) visible(ctx context.Context, call *operation.Call, ids []string) ([]*definition, error) {
	q := &search.Query{Type: "Subscription", Count: min(call.MaxCount, 1000), Restriction: call.Restriction}
	if len(ids) > 0 {
		q.Where = []search.Expr{search.IDs{Any: ids}}
	}
	page, err := s.Shown(ctx, q)
	if err != nil {
		return nil, err
	}
	var all []*definition
	for i := range page.Matches {
		d, err := s.define(page.Matches[i].Ref, page.Matches[i].JSON)
		if err == nil || d != nil && d.topic != nil {
			all = append(all, d)
		}
	}
	return all, nil
}

// one returns the Subscription that an operation is called on.
func (s *Service) one(ctx context.Context, call *operation.Call) (*definition, error) {
	all, err := s.visible(ctx, call, []string{call.ID})
	if err == nil && len(all) == 0 {
		err = fhir.Errorf(fhir.NotFound, "there is no such Subscription")
	}
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

// taken refuses parameters that an operation does not take.
func taken(call *operation.Call, names ...string) error {
	for _, name := range call.In.Names() {
		if !slices.Contains(names, name) && name != "_format" && name != "_pretty" {
			return fhir.Errorf(fhir.Invalid, "the operation does not take this parameter").With("%.60q%s", name, search.Nearest(name, names))
		}
	}
	return nil
}

// statuses answers $status.
func (s *Service) statuses(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := taken(call, "id", "status"); err != nil {
		return nil, err
	}
	var ids, states []string
	for _, v := range call.In.All("id") {
		ids = append(ids, strings.TrimPrefix(v.Text, "Subscription/"))
	}
	for _, v := range call.In.All("status") {
		states = append(states, v.Text)
	}
	if call.ID != "" {
		if ids != nil || states != nil {
			return nil, fhir.Errorf(fhir.Invalid, "id and status are for Subscription/$status")
		}
		if _, err := s.one(ctx, call); err != nil {
			return nil, err
		}
		ids = []string{call.ID}
	}
	all, err := s.visible(ctx, call, ids)
	if err != nil {
		return nil, err
	}
	var entries []compose.Object
	for _, d := range all {
		if states != nil && !slices.Contains(states, d.status) {
			continue
		}
		p, err := s.load(ctx, d.id)
		if err != nil {
			return nil, err
		}
		entries = append(entries, compose.Object{
			"fullUrl": "urn:uuid:" + uuid.NewString(), "resource": s.status(d, "query-status", p.Logged, nil, d.why), "search": compose.Object{"mode": "match"},
		})
	}
	b := compose.Object{"resourceType": "Bundle", "type": "searchset", "total": len(entries), "timestamp": instant(s.Now())}
	if entries != nil {
		b["entry"] = entries
	}
	return &operation.Answer{JSON: compose.JSON(b)}, nil
}

// mine refuses the events of a Subscription to all but its owner: they are what that one
// may see.
func (s *Service) mine(d *definition, call *operation.Call) error {
	if who, _ := s.ownerOf(d.id, d.owner); who != call.Caller.Principal {
		return fhir.Errorf(fhir.Forbidden, "the events of a Subscription are for the account or app that it is of")
	}
	return nil
}

// number reads the number of an event.
func number(call *operation.Call, name string, otherwise int64) (int64, error) {
	text, err := call.In.Text(name)
	if err != nil || text == "" {
		return otherwise, err
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, fhir.Errorf(fhir.Invalid, "the parameter %s is the number of an event", name).With("it is %.40q", text)
	}
	return n, nil
}

// catchUp answers $events.
func (s *Service) catchUp(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := taken(call, "eventsSinceNumber", "eventsUntilNumber", "content"); err != nil {
		return nil, err
	}
	d, err := s.one(ctx, call)
	if err == nil {
		err = s.mine(d, call)
	}
	if err != nil {
		return nil, err
	}
	p, err := s.load(ctx, d.id)
	if err != nil {
		return nil, err
	}
	since, err := number(call, "eventsSinceNumber", 1)
	if err != nil {
		return nil, err
	}
	until, err := number(call, "eventsUntilNumber", p.Logged)
	if err != nil {
		return nil, err
	}
	content, err := call.In.Text("content")
	if err != nil {
		return nil, err
	}
	as := *d
	switch content {
	case "":
	case contentEmpty, contentID, contentFull:
		as.content = content
	default:
		return nil, fhir.Errorf(fhir.Invalid, "the parameter content is empty, id-only or full-resource").With("it is %.40q", content)
	}
	events, err := s.events(ctx, d.id, max(0, since-1), maxCount)
	if err != nil {
		return nil, err
	}
	events = slices.DeleteFunc(events, func(e event) bool { return e.Number > until })
	ids := map[string][]string{}
	for i := range events {
		if typ, id, _ := strings.Cut(events[i].Ref, "/"); !events[i].Gone && !slices.Contains(ids[typ], id) {
			ids[typ] = append(ids[typ], id)
		}
	}
	shown, err := look(ctx, call.Send, ids, as.content == contentFull)
	if err != nil {
		return nil, err
	}
	events = slices.DeleteFunc(events, func(e event) bool { return !e.Gone && shown[e.Ref] == nil })
	return &operation.Answer{JSON: s.notification(&as, "query-event", p.Logged, &parcel{events: events, shown: shown})}, nil
}

// binding is what a token for a websocket stands for.
type binding struct {
	IDs       []string  `json:"ids"`
	Principal string    `json:"principal"`
	Until     time.Time `json:"until"`
	Used      bool      `json:"used,omitempty"`
}

// tokenKey is how a token is kept.
func tokenKey(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// bindingToken answers $get-ws-binding-token.
func (s *Service) bindingToken(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := taken(call, "id"); err != nil {
		return nil, err
	}
	var ids []string
	for _, v := range call.In.All("id") {
		ids = append(ids, strings.TrimPrefix(v.Text, "Subscription/"))
	}
	if call.ID != "" {
		ids = []string{call.ID}
	}
	if len(ids) == 0 || len(ids) > 20 {
		return nil, fhir.Errorf(fhir.Invalid, "a token is for 1 to 20 Subscriptions, named by the parameter id")
	}
	all, err := s.visible(ctx, call, ids)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		at := slices.IndexFunc(all, func(d *definition) bool { return d.id == id })
		if at < 0 {
			return nil, fhir.Errorf(fhir.NotFound, "there is no such Subscription").With("%.70q", id)
		}
		if err := s.mine(all[at], call); err != nil {
			return nil, err
		}
		if all[at].channel != webSocket {
			return nil, fhir.Errorf(fhir.Unprocessable, "the channel of the Subscription is not a websocket").With("%s", id)
		}
	}
	token, until := uuid.NewString()+uuid.NewString(), s.Now().Add(tokenLasts)
	value, err := json.Marshal(binding{IDs: ids, Principal: call.Caller.Principal, Until: until})
	if err != nil {
		return nil, err
	}
	if err := s.Store.Put(ctx, fhir.Entry{Kind: tokenKind, Key: tokenKey(token), Expires: until, Value: value}); err != nil {
		return nil, err
	}
	parts := []compose.Object{
		compose.Part("token", "String", token), compose.Part("expiration", "DateTime", instant(until)), compose.Part("websocket-url", "Url", s.SocketURL()),
	}
	for _, id := range ids {
		parts = append(parts, compose.Part("subscription", "String", id))
	}
	return &operation.Answer{JSON: compose.Parameters(parts...), Nothing: true}, nil
}
