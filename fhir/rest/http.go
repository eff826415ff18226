package rest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/klauspost/compress/gzhttp"
	"github.com/klauspost/compress/gzip"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/xml"
)

// Mount puts the API on r, under the path of its base URL. It takes over r's
// answer to methods that chi does not know, for its own paths.
func (a *API) Mount(r chi.Router) {
	h := a.Handler()
	r.MethodNotAllowed(func(w http.ResponseWriter, req *http.Request) {
		if _, err := a.below(req); err != nil {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		h.ServeHTTP(w, req)
	})
	r.Handle(a.path+"/", h)
	r.Handle(a.path+"/*", h)
	if a.path != "" {
		r.Handle(a.path, h)
	}
}

// worthCompressing is from how many bytes on a response is compressed: what fits
// into one packet gets there no sooner. The fastest level takes a third of the time
// of the usual one, and JSON comes out a tenth larger.
const worthCompressing = 1400

// Handler returns the API as a handler of requests whose path begins with that
// of the base URL. It compresses what it sends when the client takes it.
func (a *API) Handler() http.Handler {
	wrap, err := gzhttp.NewWrapper(gzhttp.MinSize(worthCompressing), gzhttp.CompressionLevel(gzip.BestSpeed), gzhttp.ContentTypes([]string{mediaFHIR, mediaJSON, mediaTextJSON, mediaFHIRXML, mediaXML, mediaTextXML}))
	if err != nil {
		panic(err) // the options are constants
	}
	return wrap(a)
}

// exchange is what is known of one HTTP request while it is answered.
type exchange struct {
	w      http.ResponseWriter
	r      *http.Request
	record Record
	req    Request
	media  string         // Content-Type of the response; "" until it is chosen
	places *xml.Positions // of the XML that was sent; nil when it was JSON

	timeout time.Duration // for sending an answer, where it is small

	body stay // of the request's body in memory

	events []fhir.Event // for the audit trail, until they are kept

	mu sync.Mutex // guards record and events while entries of a batch are performed side by side
}

// failed notes a fault of ours in an entry of a batch. The first one stays.
func (x *exchange) failed(err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.record.Err == nil {
		x.record.Err = err
	}
}

// askedBy notes who asks.
func (x *exchange) askedBy(principal string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.record.Principal = principal
}

type exchangeKey struct{}

func exchangeOf(ctx context.Context) *exchange {
	x, _ := ctx.Value(exchangeKey{}).(*exchange)
	return x
}

// ServeHTTP answers one request, and tells the Observer of it.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{w: w, r: r, timeout: a.limits.Timeout, body: stay{room: &a.bodies}}
	x.record = Record{ID: requestID(r.Header.Get("X-Request-Id")), Method: safeMethod(r.Method), Started: a.Now()}
	ctx := context.WithValue(r.Context(), exchangeKey{}, x)
	defer a.observe(ctx, x)
	defer func() {
		if v := recover(); v != nil {
			if v == http.ErrAbortHandler {
				panic(v)
			}
			err := fmt.Errorf("panic: %v\n%s", v, debug.Stack())
			x.fail(a, errors.Join(err, a.keep(ctx, x, err)))
		}
	}()
	x.head()
	resp, err := a.answer(ctx, x)
	if unkept := a.keep(ctx, x, err); unkept != nil {
		err = unkept
	}
	if err != nil {
		x.fail(a, err)
		return
	}
	paceAnswer(w, len(resp.Body), a.limits.Timeout)
	if err := x.send(resp); err != nil {
		x.fail(a, err)
	}
}

// answer decodes the request and performs it.
func (a *API) answer(ctx context.Context, x *exchange) (*Response, error) {
	// A request takes its turn when its body is there, so that clients whose bodies
	// trickle in do not keep others waiting.
	defer x.body.leave()
	if err := a.decode(x); err != nil {
		return nil, err
	}
	ctx, err := a.receiveContent(ctx, x)
	if err != nil {
		return nil, err
	}
	if err := a.enter(ctx); err != nil {
		return nil, err
	}
	defer a.leave()
	// The body had a time of its own to arrive in.
	ctx, cancel := context.WithTimeout(ctx, a.limits.Timeout)
	defer cancel()
	ctx, err = a.takeKey(ctx, x)
	if err != nil {
		return nil, err
	}
	resp, err := a.Do(ctx, &x.req)
	return resp, interrupted(ctx, err)
}

// observe closes the record of a request.
func (a *API) observe(ctx context.Context, x *exchange) {
	x.record.Interaction, x.record.Type = x.req.Interaction, x.req.Type
	x.record.Duration = a.Now().Sub(x.record.Started)
	if a.Observer != nil {
		a.Observer.Observe(ctx, &x.record)
	}
}

// below returns the path of r below the base, still escaped.
func (a *API) below(r *http.Request) (string, error) {
	path, ok := strings.CutPrefix(r.URL.EscapedPath(), a.path)
	if !ok || path != "" && path[0] != '/' {
		return "", fhir.Errorf(fhir.NotFound, "there is nothing under this path; the FHIR base is %s", a.base)
	}
	if path == "" {
		path = "/"
	}
	return path, nil
}

// fail sends err to the client, unless the response has begun.
func (x *exchange) fail(a *API, err error) {
	f := explain(x.located(err), x.record.ID)
	x.record.Status, x.record.Code = f.status, f.code
	if f.code == 0 {
		x.record.Err = err
	}
	h := x.w.Header()
	if f.status == http.StatusMethodNotAllowed {
		if path, err := a.below(x.r); err == nil {
			h.Set("Allow", strings.Join(a.router.allowed(path), ", "))
		}
	}
	if f.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(f.retryAfter))
	}
	if f.version > 0 {
		h.Set("ETag", ETag(f.version))
	}
	x.write(f.status, x.formatOutcome(f.body))
}
