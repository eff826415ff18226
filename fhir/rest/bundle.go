package rest

import (
	"context"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/search"
)

// bundle performs a batch or a transaction; the type of the Bundle says which.
//
// See https://hl7.org/fhir/R4/http.html#transaction.
func (a *API) bundle(ctx context.Context, req *Request) (*Response, error) {
	src, err := req.source()
	if err != nil {
		return nil, err
	}
	if a.Provide != nil {
		provided, err := a.Provide(src.Doc, src.Root)
		if err != nil {
			return nil, err
		}
		if provided != nil {
			if src, err = bundle.Parse(provided); err != nil {
				return nil, err
			}
		}
	}
	b, err := bundle.Open(src, a.limits.Entries)
	if err != nil {
		return nil, err
	}
	if x := exchangeOf(ctx); x != nil {
		x.record.Entries = len(b.Entries)
	}
	if b.Type == "transaction" {
		req.Interaction = Transaction
		return a.transaction(ctx, req, b)
	}
	req.Interaction = Batch
	if o := onceIn(ctx); o != nil && o.within {
		ctx = context.WithValue(ctx, onceOf{}, (*repeat)(nil)) // it is the operation that is done once
	} else if o != nil {
		return nil, fhir.Errorf(fhir.Invalid, "a batch is not one thing that is done or not: send it as a transaction, or its entries one by one, to have an %s", keyHeader)
	}
	return a.batch(ctx, req, b)
}

// reply is what became of an entry.
type reply struct {
	resp    *Response
	outcome []byte // OperationOutcome for Bundle.entry.response.outcome; nil for none
	form    *Form  // how the entry asked its resource to look
}

// replies writes the Bundle that answers a batch or a transaction.
//
// See https://hl7.org/fhir/R4/http.html#transaction-response.
func (a *API) replies(typ string, all []reply) (*Response, error) {
	size := 0
	for i := range all {
		if all[i].resp != nil {
			size += len(all[i].resp.Body)
		}
		size += len(all[i].outcome) + 256
	}
	p := newPage(typ, -1, size, nil)
	for i := range all {
		if err := a.reply(p, &all[i]); err != nil {
			return nil, err
		}
	}
	return p.response(), nil
}

// reply writes one entry.
func (a *API) reply(p *page, r *reply) error {
	resp := r.resp
	p.entry()
	if resp.Media != "" {
		p.member("resource")
		p.buf = appendBinary(p.buf, resp.Media, resp.Body)
		resp = &Response{Status: resp.Status}
	}
	if len(resp.Body) > 0 && resp.Status != http.StatusNotModified {
		if resp.Stored {
			p.form = r.form
			if err := p.resource(resp.Body); err != nil {
				return err
			}
		} else {
			p.member("resource")
			p.buf = append(p.buf, resp.Body...)
		}
	}
	p.open("response")
	p.text("status", statusText(resp.Status))
	if resp.Location != "" {
		p.text("location", resp.Location)
	}
	if resp.Version > 0 {
		p.text("etag", ETag(resp.Version))
	}
	if !resp.LastModified.IsZero() {
		p.text("lastModified", resp.LastModified.UTC().Format(fhir.InstantLayout))
	}
	if r.outcome != nil {
		p.member("outcome")
		p.buf = append(p.buf, r.outcome...)
	}
	p.close()
	p.close()
	return nil
}

// appendBinary appends a Binary that holds content.
//
// See https://hl7.org/fhir/R4/binary.html.
func appendBinary(b []byte, media string, content []byte) []byte {
	b = append(b, `{"resourceType":"Binary","contentType":`...)
	b = element.Quote(b, media)
	b = append(b, `,"data":"`...)
	b = base64.StdEncoding.AppendEncode(b, content)
	return append(b, `"}`...)
}

// statusText returns "201 Created".
func statusText(status int) string {
	return strings.TrimSpace(strconv.Itoa(status) + " " + http.StatusText(status))
}

// entryRequest makes a Request of an entry, through the same routes as HTTP.
func (a *API) entryRequest(b *bundle.Bundle, e *bundle.Entry) (*Request, error) {
	req := &Request{}
	target := strings.TrimPrefix(e.URL, a.base)
	path, query, _ := strings.Cut(target, "?")
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	if err := a.router.match(req, e.Method, path); err != nil {
		return nil, err
	}
	if req.Interaction == Batch {
		return nil, fhir.Errorf(fhir.Invalid, "a Bundle cannot be processed within another one")
	}
	params, err := search.SplitQuery(query)
	if err != nil {
		return nil, err
	}
	asked, err := req.takeParams(params)
	if err != nil {
		return nil, err
	}
	req.wants = req.offered(asked, nil)
	header := http.Header{}
	for name, value := range map[string]string{
		"If-Match": e.IfMatch, "If-None-Match": e.IfNoneMatch, "If-None-Exist": e.IfNoneExist,
	} {
		if value != "" {
			header.Set(name, value)
		}
	}
	if err := req.takeConditions(header); err != nil {
		return nil, err
	}
	if e.IfModifiedSince != "" {
		if req.IfModifiedSince, err = time.Parse(time.RFC3339Nano, e.IfModifiedSince); err != nil {
			return nil, fhir.Errorf(fhir.Invalid, "ifModifiedSince must be an instant").At(e.At(".request.ifModifiedSince"))
		}
	}
	return req, a.entryBody(b, e, req)
}

// entryBody gives a Request the resource of its entry.
func (a *API) entryBody(b *bundle.Bundle, e *bundle.Entry, req *Request) (err error) {
	switch req.Interaction {
	case Create, Update, Patch:
		req.Source, err = b.Source(e)
	case Operation:
		if e.Resource != element.None {
			req.Source = &bundle.Source{Doc: b.Doc, Root: e.Resource, Path: e.At(".resource")}
		}
	default:
		if e.Resource != element.None && e.Method != http.MethodGet && e.Method != http.MethodPost {
			err = fhir.Errorf(fhir.Invalid, "this interaction takes no resource").At(e.At(".resource"))
		}
	}
	return err
}
