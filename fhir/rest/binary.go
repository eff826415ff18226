package rest

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/klauspost/compress/gzhttp"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
)

// What a Binary holds can be sent and asked for by itself, in its own media type, and
// then passes through without being held in memory.
//
// See https://hl7.org/fhir/R4/binary.html#rest.

// contextHeader names the security context of content that is sent or given by itself.
const contextHeader = "X-Security-Context"

// asksNative notes whether a read of a Binary asks for its content: it does unless it
// names FHIR. A type that both may be is taken as FHIR where nothing else is accepted.
func (a *API) asksNative(req *Request, format string, accept []string) bool {
	if a.Contents == nil || req.Type != "Binary" || req.Interaction != Read && req.Interaction != VRead || format != "" {
		return false
	}
	var other []string
	resources := 0
	for _, line := range accept {
		for part := range strings.SplitSeq(line, ",") {
			name, _, err := mime.ParseMediaType(strings.TrimSpace(part))
			switch {
			case err != nil:
			case strings.Contains(name, "fhir"):
				return false
			case formats[name] != noFormat:
				resources++
			}
			other = append(other, name)
		}
	}
	if resources > 0 && resources == len(other) {
		return false
	}
	req.native, req.accepts = true, other
	return true
}

// decodeNative reads the head of a write of a Binary whose body is its content. The
// content itself is left for later: who may not write is not waited for.
func (a *API) decodeNative(x *exchange) (bool, error) {
	req := &x.req
	header := x.r.Header.Get("Content-Type")
	if a.Contents == nil || req.Type != "Binary" || req.Interaction != Create && req.Interaction != Update {
		return false, nil
	}
	name, _, err := mime.ParseMediaType(header)
	if err != nil {
		return false, fhir.Errorf(fhir.UnsupportedMedia, "the Content-Type header is missing or malformed: say what the content is")
	}
	if strings.Contains(name, "fhir") || formats[name] != noFormat && strings.Contains(name, "/") && !strings.HasPrefix(name, "text/") {
		return false, nil // application/json and application/xml are those of a resource: see #mime-type
	}
	req.native, req.Media = true, mediaFHIR
	if req.Prefer.Return == "" || req.Prefer.Return == "representation" {
		req.Prefer.Return = "minimal" // it has just been sent
	}
	x.r.Body = pace(x.w, x.r.Body, a.limits.Timeout)
	req.upload = x.r.Body
	return true, nil
}

// receiveContent keeps the content of a Binary that is sent by itself, if the caller
// may write one, and makes the Binary of it. Whoever may not is refused with the rest.
func (a *API) receiveContent(ctx context.Context, x *exchange) (context.Context, error) {
	req := &x.req
	if req.upload == nil {
		return ctx, nil
	}
	if _, err := a.Guard.Check(ctx, req); err != nil {
		req.Body = []byte(`{"resourceType":"Binary"}`) // never read: the same answer comes again
		return ctx, nil
	}
	in := &countReader{r: req.upload}
	decoded, done, err := decoder(x.r.Header.Get("Content-Encoding"), in, a.limits.Body)
	if err != nil {
		return ctx, err
	}
	defer done()
	contentType := x.r.Header.Get("Content-Type")
	within, member, err := a.Contents.Receive(ctx, decoded, contentType)
	x.record.BytesIn = in.n
	switch {
	case err == nil:
	case fhir.CodeOf(err) != 0:
		return ctx, err
	case isTimeout(err):
		return ctx, context.DeadlineExceeded
	case errors.Is(err, io.ErrUnexpectedEOF) || x.r.Context().Err() != nil:
		return ctx, fhir.Errorf(fhir.Invalid, "the body ends too early")
	default:
		return ctx, err
	}
	body := []byte(`{"resourceType":"Binary"`)
	if req.ID != "" {
		body = element.Quote(append(body, `,"id":`...), req.ID)
	}
	body = element.Quote(append(body, `,"contentType":`...), contentType)
	if proxy := x.r.Header.Get(contextHeader); proxy != "" {
		body = append(element.Quote(append(body, `,"securityContext":{"reference":`...), proxy), '}')
	}
	req.Body = append(append(append(body, ','), member...), '}')
	return within, nil
}

// lean is ctx, under which a Binary is read without what it holds where only that is
// to be sent.
func (r *Request) lean(ctx context.Context) context.Context {
	if r.native {
		return fhir.Lean(ctx)
	}
	return ctx
}

// found answers a read: with the resource, or with what it holds.
func (a *API) found(req *Request, res *fhir.Resource, d Decision) (*Response, error) {
	resp := found(res)
	if where, _ := d.Restriction.Of(res.Ref.Type); inPart(res, where) {
		resp.Version, resp.LastModified = 0, time.Time{} // what is left out changes without another version
	}
	if !req.native || req.unmodified(res) {
		return resp, nil
	}
	if d.Mask.Veils("Binary") {
		return nil, fhir.Errorf(fhir.Forbidden, "you see Binaries only in part, and what they hold is not among it")
	}
	content, err := a.Contents.Open(context.Background(), res)
	if err != nil {
		return nil, err
	}
	if !accepted(content.ContentType, req.accepts) {
		content.Close()
		return nil, fhir.Errorf(fhir.NotAcceptable, "the content is of another media type than those that are accepted").With("it is %.100q", content.ContentType)
	}
	resp.Body, resp.Stored, resp.Content = nil, false, content
	return resp, nil
}

// accepted reports whether content of a type is among what is accepted; nothing accepts
// everything.
func accepted(contentType string, accepts []string) bool {
	kind := kindOf(contentType)
	for _, name := range accepts {
		if name == "*/*" || name == kind {
			return true
		}
		if ok, err := path.Match(name, kind); err == nil && ok && strings.HasSuffix(name, "/*") {
			return true
		}
	}
	return len(accepts) == 0
}

func kindOf(contentType string) string {
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return "application/octet-stream"
	}
	return kind
}

// shownInline are types that a browser shows without carrying out anything in them.
// Everything else it is told to save.
var shownInline = map[string]bool{
	"image/png": true, "image/jpeg": true, "image/gif": true, "image/webp": true, "image/bmp": true,
	"text/plain": true, "audio/mpeg": true, "audio/wav": true, "audio/ogg": true, "video/mp4": true, "video/webm": true,
}

// sendContent sends what a Binary holds, or the part of it that Range asks for.
func (x *exchange) sendContent(resp *Response) error {
	defer resp.Content.Close()
	size, err := resp.Content.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = resp.Content.Seek(0, io.SeekStart)
	}
	if err != nil {
		return err
	}
	h, kind := x.w.Header(), kindOf(resp.Content.ContentType)
	h["Content-Type"] = []string{resp.Content.ContentType}
	if kind == "application/octet-stream" || strings.ContainsAny(resp.Content.ContentType, "\r\n") {
		h["Content-Type"] = []string{"application/octet-stream"}
	}
	h["Content-Security-Policy"] = sandboxed
	h.Set("Content-Disposition", "attachment")
	if shownInline[kind] {
		h.Set("Content-Disposition", "inline")
	}
	if resp.Content.Context != "" && !strings.ContainsAny(resp.Content.Context, "\r\n") {
		h.Set(contextHeader, resp.Content.Context)
	}
	h.Set(gzhttp.HeaderNoCompression, "1") // a range is one of what is stored
	paceAnswer(x.w, int(size), x.timeout)
	counted := &countWriter{ResponseWriter: x.w}
	http.ServeContent(counted, x.r, "", resp.LastModified, resp.Content)
	x.record.Status, x.record.BytesOut = counted.status, counted.n
	return nil
}

// countWriter counts what goes out, and notes the status.
type countWriter struct {
	http.ResponseWriter
	status int
	n      int64
}

func (c *countWriter) WriteHeader(status int) {
	c.status = status
	c.ResponseWriter.WriteHeader(status)
}

func (c *countWriter) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p)
	c.n += int64(n)
	return n, err
}
