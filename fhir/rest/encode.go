package rest

import (
	"net/http"
	"strconv"

	"github.com/amate-health/amate/fhir/element"
)

// head sets what every response carries.
func (x *exchange) head() {
	h := x.w.Header()
	h["X-Request-Id"] = []string{x.record.ID}
	h["Cache-Control"] = []string{"no-store"} // health records do not belong in caches on the way
	h["X-Content-Type-Options"] = []string{"nosniff"}
	h["Content-Security-Policy"] = []string{"default-src 'none'; frame-ancestors 'none'"}
	h["Referrer-Policy"] = []string{"no-referrer"}
	h["Vary"] = []string{"Accept, Prefer"}
}

// send writes a response.
func (x *exchange) send(resp *Response) error {
	h := x.w.Header()
	if resp.Version > 0 {
		h.Set("ETag", ETag(resp.Version))
		h.Set("Cache-Control", "private, no-cache") // to be kept only by the client, and checked by its ETag
	}
	if !resp.LastModified.IsZero() {
		h.Set("Last-Modified", resp.LastModified.UTC().Format(http.TimeFormat))
	}
	if resp.Location != "" {
		h.Set("Location", resp.Location)
	}
	body := resp.Body
	if resp.Stored && !x.req.Form.whole() {
		var err error
		if body, err = subset(nil, body, &x.req.Form); err != nil {
			return err
		}
	}
	x.record.Status = resp.Status
	x.write(resp.Status, body)
	return nil
}

// write sends status and body, and nothing after an earlier write.
func (x *exchange) write(status int, body []byte) {
	h := x.w.Header()
	if len(body) > 0 {
		if x.req.Form.Pretty {
			body = append(element.AppendPretty(make([]byte, 0, len(body)*3/2), body), '\n')
		}
		h["Content-Type"] = []string{x.media}
		h["Content-Length"] = []string{strconv.Itoa(len(body))}
	}
	x.w.WriteHeader(status)
	if x.r.Method == http.MethodHead {
		return
	}
	n, err := x.w.Write(body)
	x.record.BytesOut = int64(n)
	if err != nil && x.record.Err == nil {
		x.record.Status = clientGone
	}
}
