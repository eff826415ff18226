package subscription

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
)

// The names that the guide gives to what it adds to R4.
const (
	guide        = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/"
	extFilter    = guide + "backport-filter-criteria"
	extContent   = guide + "backport-payload-content"
	extHeartbeat = guide + "backport-heartbeat-period"
	extTimeout   = guide + "backport-timeout"
	extMaxCount  = guide + "backport-max-count"

	// extOwner holds, sealed, on whose behalf events are sent.
	extOwner = "https://github.com/amate-health/amate/fhir/StructureDefinition/subscription-owner"
)

// The contents of a notification.
const (
	contentEmpty = "empty"
	contentID    = "id-only"
	contentFull  = "full-resource"
)

// The kinds of channels.
const (
	restHook  = "rest-hook"
	webSocket = "websocket"
)

// The states of a Subscription. See https://hl7.org/fhir/R4/valueset-subscription-status.html.
const (
	requested = "requested"
	active    = "active"
	failed    = "error"
	off       = "off"
)

// Bounds of what a subscriber may ask for.
const (
	minHeartbeat   = 10 * time.Second
	maxHeartbeat   = 24 * time.Hour
	defaultTimeout = 10 * time.Second
	maxTimeout     = 60 * time.Second
	defaultCount   = 20
	maxCount       = 100
	maxFilters     = 10
	maxHeaders     = 10
	maxHeader      = 8 << 10 // bytes of one
)

// definition is what a Subscription asks for.
type definition struct {
	id       string
	version  int64
	status   string
	end      time.Time // zero for none
	topic    *Topic
	filters  []filter
	channel  string
	endpoint string
	headers  []string // as stored: sealed
	content  string

	heartbeat time.Duration // 0 for none
	timeout   time.Duration
	count     int    // events in a notification, at most
	owner     string // sealed; "" for none
	why       string // it is not active
	bound     string // id of the only patient of whom its owner may see anything; "" for no bound
}

// filter narrows a topic.
type filter struct {
	typ    string // of the resources that it is about
	params []search.Param
	where  []search.Expr
}

// resource is a Subscription as JSON has it.
type resource struct {
	Status    string
	End       string
	Reason    string
	Error     string
	Criteria  string
	Criterion struct{ Extension []extension } `json:"_criteria"`
	Extension []extension
	Channel   struct {
		Type      string
		Endpoint  string
		Payload   string
		Sent      struct{ Extension []extension } `json:"_payload"`
		Header    []string
		Extension []extension
	}
}

type extension struct {
	URL     string
	Text    string   `json:"valueString"`
	Code    string   `json:"valueCode"`
	Natural *float64 `json:"valueUnsignedInt"`
	Count   *float64 `json:"valuePositiveInt"`
}

// reading collects what is wrong with a Subscription.
type reading struct {
	*Service
	issues []fhir.Issue
}

func (r *reading) wrong(element, rule, details, format string, args ...any) {
	r.issues = append(r.issues, fhir.Issue{Severity: "error", Type: "business-rule", Rule: rule, Details: details, Diagnostics: fmt.Sprintf(format, args...), Expression: element})
}

// define reads a Subscription. Errors: fhir.Unprocessable, with all that is wrong.
func (s *Service) define(ref fhir.Ref, text []byte) (*definition, error) {
	var in resource
	if err := json.Unmarshal(text, &in); err != nil {
		return nil, fhir.Errorf(fhir.Unprocessable, "a Subscription whose elements are of other types than R4 gives them")
	}
	r := &reading{Service: s}
	d := &definition{id: ref.ID, version: ref.Version, status: in.Status, why: in.Error, timeout: defaultTimeout, count: defaultCount}
	for _, e := range in.Extension {
		if e.URL == extOwner {
			d.owner = e.Text
		}
	}
	if in.End != "" {
		end, err := time.Parse(time.RFC3339, in.End)
		if err != nil {
			r.wrong("Subscription.end", "subscription-end", "the end is an instant", "it is %.60q", in.End)
		}
		d.end = end
	}
	r.topic(d, &in)
	r.channelOf(d, &in)
	if _, owner := s.ownerOf(d.id, d.owner); owner != nil {
		d.bound = s.Access.Bound(owner)
	}
	if len(r.issues) > 0 {
		return d, &fhir.Error{Code: fhir.Unprocessable, Issues: r.issues}
	}
	return d, nil
}

// Check says what is wrong with a Subscription. Errors: fhir.Unprocessable.
func (s *Service) Check(ref fhir.Ref, text []byte) error {
	_, err := s.define(ref, text)
	return err
}

// topic reads what a Subscription is about.
func (r *reading) topic(d *definition, in *resource) {
	d.topic = r.topics[in.Criteria]
	if d.topic == nil {
		r.wrong("Subscription.criteria", "subscription-topic", "the criteria of a Subscription are the canonical URL of a topic that this server has",
			"it is %.200q%s; $subscription-topics lists them", in.Criteria, search.Nearest(in.Criteria, r.topicURLs()))
		return
	}
	n := 0
	for _, e := range in.Criterion.Extension {
		if e.URL != extFilter {
			continue
		}
		at := fmt.Sprintf("Subscription.criteria.extension[%d]", n)
		if n++; n > maxFilters {
			r.wrong(at, "subscription-filter", "too many filters", "at most %d are taken", maxFilters)
			return
		}
		filters, err := r.filters(d.topic, e.Text)
		if err != nil {
			r.wrong(at, "subscription-filter", "the filter is none that this topic can be narrowed by", "%s", told(err))
			continue
		}
		d.filters = append(d.filters, filters...)
	}
}

// told is all that an error has to say.
func told(err error) string {
	e, ok := err.(*fhir.Error)
	if !ok {
		return err.Error()
	}
	if e.Diagnostics == "" {
		return e.Error()
	}
	return e.Error() + ": " + e.Diagnostics
}

// filters reads one filter: [type]?[search], or the search alone, which is then for each
// type of the topic that knows its parameters.
func (s *Service) filters(t *Topic, text string) ([]filter, error) {
	types, query := t.types(), text
	if typ, rest, ok := strings.Cut(text, "?"); ok && !strings.ContainsAny(typ, "=&") {
		query = rest
		if typ != "" {
			if !slices.Contains(types, typ) {
				return nil, fhir.Errorf(fhir.Invalid, "this topic is about %s", strings.Join(types, ", ")).With("not about %.60q", typ)
			}
			types = []string{typ}
		}
	}
	params, err := search.SplitQuery(query)
	if err != nil {
		return nil, err
	}
	if len(params) == 0 {
		return nil, fhir.Errorf(fhir.Invalid, "a filter is a search, such as %s?patient=Patient/1", types[0])
	}
	var all []filter
	for _, typ := range types {
		f, err := s.filterOf(t, typ, params)
		if err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	return all, nil
}

// modifiers are those that a filter may have: what they ask needs nothing but the resource.
var modifiers = []string{"", "not", "exact", "contains", "missing", "Patient", "Practitioner"}

func (s *Service) filterOf(t *Topic, typ string, params []search.Param) (filter, error) {
	var can []string
	for _, f := range t.Filters {
		if (f.Resource == "" || f.Resource == typ) && !slices.Contains(can, f.Parameter) {
			can = append(can, f.Parameter)
		}
	}
	for _, p := range params {
		code, modifier, _ := strings.Cut(p.Name, ":")
		if !t.filters(typ, code) || !slices.Contains(modifiers, modifier) {
			return filter{}, fhir.Errorf(fhir.Invalid, "%s can be filtered by %s", typ, strings.Join(can, ", ")).With("not by %.80q%s", p.Name, search.Nearest(code, can))
		}
	}
	q, err := search.Parse(typ, params, search.Options{Base: s.Base, Now: s.Now()})
	if err != nil {
		return filter{}, err
	}
	if !local(q.Where) {
		return filter{}, fhir.Errorf(fhir.Invalid, "a filter looks at the resource itself alone")
	}
	return filter{typ: typ, params: params, where: q.Where}, nil
}

// channelOf reads how a subscriber is reached.
func (r *reading) channelOf(d *definition, in *resource) {
	c := &in.Channel
	d.channel, d.endpoint, d.headers = c.Type, c.Endpoint, c.Header
	switch c.Type {
	case restHook:
		if err := r.Reach.Check(c.Endpoint); err != nil {
			r.wrong("Subscription.channel.endpoint", "subscription-endpoint", "the endpoint cannot be sent to", "%s", err)
		}
		r.header(c.Header)
	case webSocket:
		if c.Endpoint != "" || len(c.Header) > 0 {
			r.wrong("Subscription.channel.endpoint", "subscription-endpoint", "over a websocket the subscriber comes to the server: there is no endpoint and no header", "the endpoint and header are to be left out")
		}
	default:
		r.wrong("Subscription.channel.type", "subscription-channel", "the channel is rest-hook or websocket", "it is %.40q", c.Type)
	}
	if media, _, _ := strings.Cut(c.Payload, ";"); media != "application/fhir+json" {
		r.wrong("Subscription.channel.payload", "subscription-payload", "notifications are application/fhir+json", "it is %.60q", c.Payload)
	}
	d.content = contentEmpty
	for _, e := range c.Sent.Extension {
		if e.URL == extContent {
			d.content = e.Code
		}
	}
	if !slices.Contains([]string{contentEmpty, contentID, contentFull}, d.content) {
		r.wrong("Subscription.channel.payload.extension", "subscription-content", "the content is empty, id-only or full-resource", "it is %.40q", d.content)
	}
	for _, e := range c.Extension {
		switch e.URL {
		case extHeartbeat:
			d.heartbeat = r.seconds(e, "heartbeat-period", minHeartbeat, maxHeartbeat)
		case extTimeout:
			d.timeout = r.seconds(e, "timeout", time.Second, maxTimeout)
		case extMaxCount:
			if e.Count == nil || *e.Count < 1 || *e.Count != float64(int(*e.Count)) {
				r.wrong("Subscription.channel.extension", "subscription-max-count", "max-count is a number of events, 1 or more", "as valuePositiveInt")
				continue
			}
			d.count = min(int(*e.Count), maxCount)
		}
	}
}

func (r *reading) seconds(e extension, what string, least, most time.Duration) time.Duration {
	if e.Natural == nil || *e.Natural != float64(int(*e.Natural)) || *e.Natural != 0 && *e.Natural < least.Seconds() || *e.Natural > most.Seconds() {
		r.wrong("Subscription.channel.extension", "subscription-"+what, what+" is out of bounds", "it is a valueUnsignedInt: 0, or from %d to %d seconds", int(least.Seconds()), int(most.Seconds()))
		return 0
	}
	if *e.Natural == 0 && what == "timeout" {
		return defaultTimeout
	}
	return time.Duration(*e.Natural) * time.Second
}

// reserved are headers that only the server sets.
var reserved = []string{"host", "content-length", "content-type", "transfer-encoding", "connection", "upgrade", "te", "trailer", "expect", "proxy-authorization", "user-agent", "accept-encoding"}

// header checks the lines that are sent along.
func (r *reading) header(lines []string) {
	if len(lines) > maxHeaders {
		r.wrong("Subscription.channel.header", "subscription-header", "too many headers", "at most %d are taken", maxHeaders)
		return
	}
	for i, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		control := strings.ContainsFunc(line, func(c rune) bool { return c < ' ' || c > '~' })
		if !ok || control || len(line) > maxHeader || name == "" || strings.ContainsAny(name, " ()<>@,;\\\"/[]?={}") || strings.TrimSpace(value) == "" {
			r.wrong(fmt.Sprintf("Subscription.channel.header[%d]", i), "subscription-header", "a header is a line of ASCII: Name: value", "its name is a token of HTTP, and its value is not empty")
		} else if slices.Contains(reserved, strings.ToLower(strings.TrimSpace(name))) {
			r.wrong(fmt.Sprintf("Subscription.channel.header[%d]", i), "subscription-header", "this header is set by the server", "%.40q cannot be given", name)
		}
	}
}

// fits reports whether a change passes the filters, and may concern the owner at all.
func (d *definition) fits(f *found) bool {
	subject := f.subject
	if d.bound != "" && !f.many && !slices.Contains(f.patients, d.bound) && len(search.SubjectParams(subject.Ref.Type)) > 0 {
		return false
	}
	for i := range d.filters {
		f := &d.filters[i]
		if f.typ != subject.Ref.Type {
			continue
		}
		if ok, err := search.Holds(search.And(f.where), subject); err != nil || !ok {
			return false
		}
	}
	return true
}
