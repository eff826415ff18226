package subscription

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/compose"
)

// parcel is what is about to be sent.
type parcel struct {
	events []event
	shown  map[string]json.RawMessage // by Type/id: what the subscriber sees
	at     time.Time                  // when it was seen
	upTo   int64                      // number of the last event that was looked at for it
}

// errFilter says that a subscriber may not search by what the filter looks at.
var errFilter = fhir.Errorf(fhir.Forbidden, "the rights of the subscriber do not let it search by this filter")

// filterAgain is how often it is asked whether the subscriber may use the filter, when
// nothing else says that its rights may have changed.
const filterAgain = 10 * time.Minute

// shown returns what the subscriber sees now of the resources of events. Each is read as
// the subscriber, through the guard, and recorded as what was disclosed to it.
func (l *line) shown(ctx context.Context, d *definition, events []event) (map[string]json.RawMessage, error) {
	_, owner := l.ownerOf(d.id, d.owner)
	if owner == nil {
		return nil, ErrRevoked
	}
	as, rights, err := l.Access.As(ctx, owner)
	if err != nil {
		return nil, err
	}
	if now := l.Now(); rights != l.rights || now.Sub(l.tried) >= filterAgain {
		if err := l.tryFilter(as, d); err != nil {
			return nil, err
		}
		l.rights, l.tried = rights, now
	}
	ids := map[string][]string{}
	for i := range events {
		if typ, id, ok := strings.Cut(events[i].Ref, "/"); ok && !events[i].deleted && !events[i].Gone && !slices.Contains(ids[typ], id) {
			ids[typ] = append(ids[typ], id)
		}
	}
	return look(as, l.Send, ids, d.content == contentFull)
}

// searched is a Bundle, as far as it is read here.
type searched struct {
	Link  []struct{ Relation string }
	Entry []struct {
		Resource json.RawMessage
		Response struct{ Status string }
	}
}

// look reads resources as the one whom ctx is of, by their types. What is not shown to
// them is not in the answer.
func look(ctx context.Context, send func(context.Context, []byte) ([]byte, error), ids map[string][]string, whole bool) (map[string]json.RawMessage, error) {
	all := map[string]json.RawMessage{}
	for len(ids) > 0 {
		var urls []string
		for typ, list := range ids {
			q := url.Values{"_id": {strings.Join(list, ",")}, "_count": {strconv.Itoa(len(list))}}
			if !whole {
				q.Set("_elements", "id")
			}
			urls = append(urls, typ+"?"+q.Encode())
		}
		slices.Sort(urls)
		answers, err := gets(ctx, send, urls)
		if err != nil {
			return nil, err
		}
		more := map[string][]string{}
		for i, raw := range answers {
			typ, _, _ := strings.Cut(urls[i], "?")
			var page searched
			if raw == nil { // refused: the subscriber sees nothing of the type
				continue
			}
			if err := json.Unmarshal(raw, &page); err != nil {
				return nil, err
			}
			before := len(all)
			for _, e := range page.Entry {
				var r struct{ ResourceType, ID string }
				if err := json.Unmarshal(e.Resource, &r); err != nil {
					return nil, err
				}
				if r.ResourceType == typ {
					all[typ+"/"+r.ID] = e.Resource
				}
			}
			if slices.ContainsFunc(page.Link, func(l struct{ Relation string }) bool { return l.Relation == "next" }) {
				if len(all) == before {
					return nil, errors.New("a page of a search had nothing on it")
				}
				for _, id := range ids[typ] { // the page was full before its end
					if all[typ+"/"+id] == nil {
						more[typ] = append(more[typ], id)
					}
				}
			}
		}
		ids = more
	}
	return all, nil
}

// gets performs searches in one batch, and returns their Bundles; nil for one that is
// refused. Errors: those that pass, such as too much load.
func gets(ctx context.Context, send func(context.Context, []byte) ([]byte, error), urls []string) ([]json.RawMessage, error) {
	var entries []compose.Object
	for _, u := range urls {
		entries = append(entries, compose.Object{"request": compose.Object{"method": "GET", "url": u}})
	}
	out, err := send(ctx, compose.JSON(compose.Object{"resourceType": "Bundle", "type": "batch", "entry": entries}))
	if err != nil {
		return nil, err
	}
	var b searched
	if err := json.Unmarshal(out, &b); err != nil {
		return nil, err
	}
	if len(b.Entry) != len(urls) {
		return nil, errors.New("a batch was answered with another number of entries")
	}
	all := make([]json.RawMessage, len(urls))
	for i := range b.Entry {
		switch status := b.Entry[i].Response.Status; {
		case strings.HasPrefix(status, "200"):
			all[i] = b.Entry[i].Resource
		case strings.HasPrefix(status, "403"):
		default:
			return nil, errors.New("a resource could not be read for a subscriber: " + status[:min(3, len(status))])
		}
	}
	return all, nil
}

// tryFilter asks whether the subscriber may search by the filter: else what is sent would
// tell of elements that it may not see.
func (l *line) tryFilter(as context.Context, d *definition) error {
	var urls []string
	for _, f := range d.filters {
		q := url.Values{"_id": {"none"}, "_count": {"1"}}
		for _, p := range f.params {
			if p.Name != "_id" {
				q.Add(p.Name, p.Value)
			}
		}
		urls = append(urls, f.typ+"?"+q.Encode())
	}
	if urls == nil {
		return nil
	}
	answers, err := gets(as, l.Send, urls)
	if err != nil {
		return err
	}
	// Of several types, those that the subscriber sees nothing of are passed over.
	if !slices.ContainsFunc(answers, func(a json.RawMessage) bool { return a != nil }) {
		return errFilter
	}
	return nil
}

// deliver sends what is logged and was not confirmed, as the subscriber may see it now.
func (l *line) deliver(ctx context.Context, d *definition) (over bool, err error) {
	parcel := l.ready
	if l.ready = nil; parcel == nil || parcel.events[0].Number != l.p.Sent+1 || l.Now().Sub(parcel.at) > time.Second {
		if parcel, err = l.packed(ctx, d); err != nil {
			return l.refused(ctx, d, err)
		}
	}
	if len(parcel.events) == 0 {
		l.p.Sent, l.unkept = l.p.Logged, true // expired, or not to be seen any more
		return false, nil
	}
	last := parcel.events[len(parcel.events)-1].Number
	if parcel.upTo > last {
		last = parcel.upTo
	}
	err = l.post(ctx, d, "event-notification", parcel)
	if err != nil {
		return l.missed(ctx, d, err)
	}
	l.p.Sent = last
	return false, l.reached(ctx, d)
}

// packed makes a parcel of what is in the log.
func (l *line) packed(ctx context.Context, d *definition) (*parcel, error) {
	events, err := l.events(ctx, l.id, l.p.Sent, d.count)
	if err != nil || len(events) == 0 {
		return &parcel{}, err
	}
	shown, err := l.shown(ctx, d, events)
	if err != nil {
		return nil, err
	}
	out := &parcel{shown: shown, at: l.Now(), upTo: events[len(events)-1].Number}
	for _, e := range events {
		if _, visible := shown[e.Ref]; visible || e.Gone {
			out.events = append(out.events, e)
		} else if err := l.Store.Remove(ctx, eventKind, eventKey(l.id, e.Number), 0); err != nil {
			return nil, err
		}
	}
	if len(out.events) == 0 && out.upTo < l.p.Logged { // there are more behind them
		l.p.Sent, l.unkept = out.upTo, true
		return l.packed(ctx, d)
	}
	return out, nil
}

// shake sends the handshake.
func (l *line) shake(ctx context.Context, d *definition) (over bool, err error) {
	if _, err := l.shown(ctx, d, nil); err != nil { // the account is good, and the filter
		return l.refused(ctx, d, err)
	}
	if err := l.post(ctx, d, "handshake", &parcel{}); err != nil {
		return l.missed(ctx, d, err)
	}
	l.p.Shaken = true
	return false, l.reached(ctx, d)
}

// beat sends a heartbeat.
func (l *line) beat(ctx context.Context, d *definition) (over bool, err error) {
	if err := l.post(ctx, d, "heartbeat", &parcel{}); err != nil {
		return l.missed(ctx, d, err)
	}
	return false, l.reached(ctx, d)
}

// post sends a notification to the endpoint.
func (l *line) post(ctx context.Context, d *definition, typ string, p *parcel) error {
	turns := l.turns
	if l.p.Failures > 0 {
		turns = l.doubts // who does not answer keeps nobody else waiting
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case turns <- struct{}{}:
	}
	defer func() { <-turns }()
	sent := Sent{Channel: restHook, Type: typ, Events: len(p.events)}
	if len(p.events) > 0 {
		sent.Lag = l.Now().Sub(p.events[0].Time)
	}
	err := l.request(ctx, d, l.notification(d, typ, l.p.Logged, p))
	sent.Failed = err != nil
	if ctx.Err() == nil {
		l.Observe(sent)
	}
	return err
}

func (l *line) request(ctx context.Context, d *definition, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.endpoint, bytes.NewReader(body))
	if err != nil {
		return errors.New("the endpoint is no URL")
	}
	for _, h := range l.unsealed(d) {
		req.Header.Set(h[0], h[1])
	}
	req.Header.Set("Content-Type", "application/fhir+json; charset=utf-8")
	req.Header.Set("User-Agent", "Amate")
	resp, err := l.Client(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that the connection is used again
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return refusal(resp.StatusCode)
	}
	return nil
}

// reached notes that the subscriber has confirmed something.
func (l *line) reached(ctx context.Context, d *definition) error {
	troubled := l.p.Failures > 0
	l.p.Failures, l.p.Since, l.p.Next, l.p.Told = 0, time.Time{}, time.Time{}, l.Now()
	l.unkept = true
	if d.status != active {
		if err := l.keep(ctx); err != nil {
			return err
		}
		return l.become(ctx, d, active, "")
	}
	if troubled {
		return l.keep(ctx)
	}
	return nil
}

// missed notes that the subscriber could not be reached, and when it is tried again.
func (l *line) missed(ctx context.Context, d *definition, cause error) (over bool, err error) {
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	now := l.Now()
	if l.p.Failures++; l.p.Failures == 1 {
		l.p.Since = now
	}
	backoff := maxBackoff
	if n := l.p.Failures - 1; n < 9 {
		backoff = min(maxBackoff, minBackoff<<n)
	}
	l.p.Next = now.Add(backoff)
	if err := l.keep(ctx); err != nil {
		return false, err
	}
	if now.Sub(l.p.Since) >= l.GiveUpAfter {
		return l.off(ctx, d, "the subscriber could not be reached for too long")
	}
	if d.status == requested || d.status == active && l.p.Failures >= failsAt {
		l.Log.WarnContext(ctx, "a subscriber cannot be reached; it is tried again", "subscription", l.id, "failures", l.p.Failures)
		return false, l.become(ctx, d, failed, reason(cause))
	}
	return false, nil
}

// refused handles that the subscriber may not, or cannot now, be shown anything.
func (l *line) refused(ctx context.Context, d *definition, err error) (over bool, _ error) {
	switch {
	case errors.Is(err, ErrRevoked):
		return l.off(ctx, d, ErrRevoked.Error())
	case errors.Is(err, errFilter):
		return l.missed(ctx, d, err)
	}
	return false, err
}

// reason is what the owner is told of a failure: nothing of addresses inside the network.
func reason(err error) string {
	var status refusal
	var timeout interface{ Timeout() bool }
	switch {
	case errors.As(err, &status):
		return status.Error()
	case errors.Is(err, errFilter):
		return errFilter.Error()
	case errors.As(err, &timeout) && timeout.Timeout():
		return "the endpoint did not answer in time"
	}
	return "the endpoint could not be reached"
}

// become writes another status.
func (l *line) become(ctx context.Context, d *definition, status, why string) error {
	version, err := l.setStatus(ctx, d, status, why)
	switch fhir.CodeOf(err) {
	case fhir.Stale, fhir.Gone, fhir.NotFound:
		l.sleep(ctx, 200*time.Millisecond) // its owner has written it: the feed tells of it
		return nil
	}
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.def == d {
		now := *d
		now.status, now.version = status, version
		l.def = &now
	}
	return nil
}

// off puts a Subscription to off, for its owner to write it again.
func (l *line) off(ctx context.Context, d *definition, why string) (over bool, err error) {
	l.Log.InfoContext(ctx, "a subscription is off", "subscription", l.id, "why", why)
	if err := l.become(ctx, d, off, why); err != nil {
		return false, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = l.def.status == off
	return l.over, nil
}
