package rest

import (
	"net/http"
	"strconv"
)

// What every response carries. The slices are shared, so nothing may change them.
var (
	noStore    = []string{"no-store"}          // health records do not belong in caches on the way
	checkFirst = []string{"private, no-cache"} // to be kept only by the client, and checked by its ETag
	noSniff    = []string{"nosniff"}
	nothingIn  = []string{"default-src 'none'; frame-ancestors 'none'"}
	sandboxed  = []string{"default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; sandbox"}
	noReferrer = []string{"no-referrer"}
	vary       = []string{"Accept, Prefer"}
)

// head sets what every response carries.
func (x *exchange) head() {
	h := x.w.Header()
	h["X-Request-Id"] = []string{x.record.ID}
	h["Cache-Control"] = noStore
	h["X-Content-Type-Options"] = noSniff
	h["Content-Security-Policy"] = nothingIn
	h["Referrer-Policy"] = noReferrer
	h["Vary"] = append(h["Vary"], vary...)
}

// send writes a response.
func (x *exchange) send(resp *Response) error {
	h := x.w.Header()
	if resp.Version > 0 {
		h["Etag"] = []string{ETag(resp.Version)}
		h["Cache-Control"] = checkFirst
	}
	if resp.Tag != "" {
		h["Etag"] = []string{`W/"` + resp.Tag + `"`}
		h["Cache-Control"] = checkFirst
		h["Vary"] = append(h["Vary"], "Accept-Language")
	}
	if !resp.LastModified.IsZero() {
		h["Last-Modified"] = []string{resp.LastModified.UTC().Format(http.TimeFormat)}
	}
	switch {
	case resp.Location == "":
	case resp.Status == http.StatusCreated:
		h.Set("Location", resp.Location)
	default: // Location means a creation or a redirection: RFC 9110, section 10.2.2
		h.Set("Content-Location", resp.Location)
	}
	x.pending(resp)
	body := resp.Body
	if resp.Content != nil {
		return x.sendContent(resp)
	}
	if resp.File != nil {
		return x.sendFile(resp)
	}
	if resp.Media != "" {
		x.media, x.record.Status = resp.Media, resp.Status
		h["Content-Security-Policy"] = sandboxed
		x.write(resp.Status, body)
		return nil
	}
	if resp.Stored && !x.req.Form.whole() {
		var err error
		if body, err = subset(nil, body, &x.req.Form); err != nil {
			return err
		}
	}
	body, err := x.formatResponse(body)
	if err != nil {
		return err
	}
	x.record.Status = resp.Status
	x.write(resp.Status, body)
	return nil
}

// write sends status and body, and nothing after an earlier write.
func (x *exchange) write(status int, body []byte) {
	h := x.w.Header()
	if len(body) > 0 {
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
