package rest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
)

// State keeps what requests have come to. store/sqlite and store/postgres offer it.
type State interface {
	Entry(ctx context.Context, kind, key string) (fhir.Entry, error)
	Put(ctx context.Context, entries ...fhir.Entry) error
	Remove(ctx context.Context, kind, key string, version int64) error
}

// keyHeader names a request, so that it can be sent again.
//
// See https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-idempotency-key-header-07.
const keyHeader = "Idempotency-Key"

const (
	onceKind = "once"
	maxKey   = 255                // bytes of a key
	keepOnce = 7 * 24 * time.Hour // for how long it is remembered what a request came to
	maxKept  = 1 << 20            // bytes of the answer of an operation that are kept for it
)

// repeat is a request that is to take effect one time, however often it is sent.
type repeat struct {
	key   string
	print string       // of what is asked for
	calls atomic.Int64 // how many writes of it there have been

	within bool // an operation sends parts of it
}

type onceOf struct{}

// takeKey notes that a request bears an Idempotency-Key. Only what changes something
// needs one: on everything else it means nothing.
func (a *API) takeKey(ctx context.Context, x *exchange) (context.Context, error) {
	given := x.r.Header.Values(keyHeader)
	req := &x.req
	if len(given) == 0 || !changes(req) && req.Interaction != Batch {
		return ctx, nil
	}
	key := strings.TrimSpace(given[0])
	if n := len(key); n > 1 && key[0] == '"' && key[n-1] == '"' { // a string of RFC 8941, as the draft asks
		key = key[1 : n-1]
	}
	bad := func(r rune) bool { return r < ' ' || r > '~' }
	if len(given) > 1 || key == "" || len(key) > maxKey || strings.ContainsFunc(key, bad) {
		return nil, fhir.Errorf(fhir.Invalid, "%s must be one string of 1 to %d ASCII characters", keyHeader, maxKey)
	}
	if a.State == nil {
		return nil, fhir.Errorf(fhir.NotSupported, "this server does not remember requests by their %s", keyHeader)
	}
	h := sha256.New()
	for _, part := range []string{x.r.Method, x.r.URL.RequestURI(), req.IfNoneMatch, req.IfNoneExist, strconv.FormatInt(req.IfMatch, 10), string(req.Body)} {
		h.Write(appendPart(nil, part))
	}
	return context.WithValue(ctx, onceOf{}, &repeat{key: key, print: hex.EncodeToString(h.Sum(nil))}), nil
}

func onceIn(ctx context.Context) *repeat {
	o, _ := ctx.Value(onceOf{}).(*repeat)
	return o
}

// place returns the key under which it is kept what part of a request came to. Each
// caller has keys of their own.
func (o *repeat) place(principal, part string) string {
	sum := sha256.Sum256(appendPart(appendPart(nil, principal), o.key))
	return hex.EncodeToString(sum[:]) + part
}

// outcomeOfOnce is what is kept of a request.
type outcomeOfOnce struct {
	Print    string       `json:"print"`
	Running  bool         `json:"running,omitempty"`
	Results  []keptResult `json:"results,omitempty"`
	Response *Response    `json:"response,omitempty"` // of an operation
}

// keptResult is a bundle.Result without contents, which the store has.
type keptResult struct {
	Ref     fhir.Ref       `json:"ref"`
	Updated time.Time      `json:"updated,omitzero"`
	Method  fhir.Method    `json:"method,omitempty"`
	Outcome bundle.Outcome `json:"outcome"`
	Deleted []fhir.Ref     `json:"deleted,omitempty"`
}

// find returns what is kept under a place, and the entry; nil when that is nothing.
// Errors: fhir.Unprocessable when the key stands for another request.
func (o *repeat) find(ctx context.Context, a *API, place string) (*outcomeOfOnce, error) {
	e, err := a.State.Entry(ctx, onceKind, place)
	if fhir.CodeOf(err) == fhir.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	kept := &outcomeOfOnce{}
	if err := json.Unmarshal(e.Value, kept); err != nil {
		return nil, err
	}
	if kept.Print != o.print {
		return nil, fhir.Errorf(fhir.Unprocessable, "this %s was used for another request; a new request needs a new one", keyHeader)
	}
	return kept, nil
}

func (a *API) onceEntry(place string, version int64, keep time.Duration, what *outcomeOfOnce) (fhir.Entry, error) {
	value, err := json.Marshal(what)
	return fhir.Entry{Kind: onceKind, Key: place, Version: version, Expires: a.Now().Add(keep), Value: value}, err
}

// confined applies b for a caller who may see only part of the resources; of says
// which, for each change. Of a request with an Idempotency-Key that was applied before,
// it returns what that came to, and applies nothing.
func (a *API) confined(ctx context.Context, b *bundle.Batch, of func(change int) *Decision) ([]bundle.Result, error) {
	results, err := a.confinedOnce(ctx, b, of)
	if err != nil {
		return nil, err
	}
	return results, a.withholdResults(ctx, results, of)
}

func (a *API) confinedOnce(ctx context.Context, b *bundle.Batch, of func(change int) *Decision) ([]bundle.Result, error) {
	o := onceIn(ctx)
	if o == nil || len(b.Changes) == 0 {
		return a.applyConfined(ctx, b, of)
	}
	place := o.place(of(0).Principal, "/"+strconv.FormatInt(o.calls.Add(1), 10))
	kept, err := o.find(ctx, a, place)
	if err != nil {
		return nil, err
	}
	if kept != nil {
		return a.again(ctx, kept, of)
	}
	noted := *b
	noted.Entries = func(results []bundle.Result) (entries []fhir.Entry) {
		if b.Entries != nil {
			entries = b.Entries(results)
		}
		e, err := a.onceEntry(place, 0, keepOnce, &outcomeOfOnce{Print: o.print, Results: keepResults(results)})
		if err != nil {
			panic(err) // there is nothing in it that JSON does not have
		}
		return append(entries, e)
	}
	results, err := a.applyConfined(ctx, &noted, of)
	if err == nil {
		return results, nil
	}
	// Perhaps the same request came twice at once, and the other one was first.
	if kept, findErr := o.find(ctx, a, place); findErr == nil && kept != nil {
		return a.again(ctx, kept, of)
	}
	return nil, err
}

func keepResults(results []bundle.Result) []keptResult {
	out := make([]keptResult, len(results))
	for i := range results {
		r := &results[i]
		out[i] = keptResult{Ref: r.Resource.Ref, Updated: r.Resource.Updated, Method: r.Resource.Method, Outcome: r.Outcome, Deleted: r.Deleted}
	}
	return out
}

// again returns the results of a request that was performed before, with the contents
// of the versions that it made as far as the caller may see them now.
func (a *API) again(ctx context.Context, kept *outcomeOfOnce, of func(change int) *Decision) ([]bundle.Result, error) {
	replayed(ctx)
	results := make([]bundle.Result, len(kept.Results))
	for i, k := range kept.Results {
		r := &results[i]
		*r = bundle.Result{Resource: fhir.Resource{Ref: k.Ref, Updated: k.Updated, Method: k.Method}, Outcome: k.Outcome, Deleted: k.Deleted}
		if k.Outcome == bundle.Removed || k.Outcome == bundle.Absent {
			continue
		}
		if only := of(i).Restriction; !only.Open() {
			if _, err := a.visible(ctx, k.Ref.Current(), only); err != nil {
				if fhir.CodeOf(err) == 0 {
					return nil, err
				}
				continue
			}
		}
		stored, err := a.Store.Read(ctx, k.Ref)
		switch {
		case err == nil:
			r.Resource = stored
		case fhir.CodeOf(err) == 0:
			return nil, err
		}
	}
	if acc := accessOf(ctx); acc != nil {
		for i := range results {
			acc.changed(&results[i])
		}
	}
	return results, nil
}

// replayed says in the answer that it is that of an earlier request.
func replayed(ctx context.Context) {
	if x := exchangeOf(ctx); x != nil {
		x.w.Header().Set("Idempotency-Replayed", "true")
	}
}

// operateOnce performs an operation that changes something, unless it was performed
// before. While it is under way, whoever asks again is told to wait; should the server
// die then, its writes through the API are known, and it goes on from there.
func (a *API) operateOnce(ctx context.Context, o *repeat, req *Request, d Decision) (*Response, error) {
	place := o.place(d.Principal, "")
	kept, err := o.find(ctx, a, place)
	switch {
	case err != nil:
		return nil, err
	case kept != nil && kept.Running:
		return nil, stillRunning()
	case kept != nil:
		if req.ID != "" { // they may not see any more what the answer tells of
			if _, err := a.visible(fhir.Lean(ctx), req.ref().Current(), d.Restriction); err != nil && fhir.CodeOf(err) != fhir.Gone {
				return nil, err
			}
		}
		replayed(ctx)
		return kept.Response, nil
	}
	running, err := a.onceEntry(place, 0, a.limits.Timeout+10*time.Second, &outcomeOfOnce{Print: o.print, Running: true})
	if err != nil {
		return nil, err
	}
	if err := a.State.Put(ctx, running); err != nil {
		if fhir.CodeOf(err) == fhir.Conflict {
			err = stillRunning()
		}
		return nil, err
	}
	o.within = true
	resp, err := a.operateNow(ctx, req, d)
	lasting := context.WithoutCancel(ctx)
	if err != nil || len(resp.Body) > maxKept {
		if removeErr := a.State.Remove(lasting, onceKind, place, 1); err == nil {
			err = removeErr
		}
		return resp, err
	}
	done, err := a.onceEntry(place, 1, keepOnce, &outcomeOfOnce{Print: o.print, Response: resp})
	if err == nil {
		err = a.State.Put(lasting, done)
	}
	return resp, err
}

func stillRunning() error {
	return &fhir.Error{Code: fhir.Conflict, RetryAfter: 1, Details: "the request with this " + http.CanonicalHeaderKey(keyHeader) + " is still being performed; ask again"}
}
