package rest

import (
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/gzhttp"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// pending sets the headers about work that goes on behind an answer.
//
// See https://hl7.org/fhir/uv/bulkdata/STU2/export.html#bulk-data-status-request.
func (x *exchange) pending(resp *Response) {
	h := x.w.Header()
	if resp.Progress != "" {
		h.Set("X-Progress", resp.Progress)
	}
	if resp.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(resp.RetryAfter))
	}
	if !resp.Expires.IsZero() {
		h.Set("Expires", resp.Expires.UTC().Format(http.TimeFormat))
	}
}

// sendFile sends a file of any length: as it is kept where the client takes that, else
// coded anew on the way.
func (x *exchange) sendFile(resp *Response) error {
	file := resp.File
	defer file.Close()
	h := x.w.Header()
	h["Content-Type"] = []string{resp.Media}
	h["Content-Security-Policy"] = sandboxed
	h.Set("Vary", "Accept-Encoding")
	h.Set(gzhttp.HeaderNoCompression, "1") // done here
	if file.Name != "" {
		h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": file.Name}))
	}
	takes := codings(x.r.Header["Accept-Encoding"])
	coding := ""
	switch {
	case file.Coded == "zstd" && takes["zstd"]:
		coding = "zstd"
	case file.Coded != "" && takes["gzip"]:
		coding = "gzip"
	}
	if coding != "" {
		h.Set("Content-Encoding", coding)
	}
	if file.Size > 0 && coding == file.Coded {
		h.Set("Content-Length", strconv.FormatInt(file.Size, 10))
	}
	if from, ok := file.ReadCloser.(io.Seeker); ok && file.Tag != "" && coding == file.Coded {
		x.sendPart(struct {
			io.Reader
			io.Seeker
		}{file, from}, file.Tag+coding)
		return nil
	}
	x.record.Status = resp.Status
	x.w.WriteHeader(resp.Status)
	if x.r.Method == http.MethodHead {
		return nil
	}
	out := &pacedWriter{w: x.w, control: http.NewResponseController(x.w), timeout: x.timeout}
	err := recode(out, file, file.Coded, coding)
	x.record.BytesOut = out.n
	if err != nil { // the length is wrong then, or the end of the coding missing, so that the client notices
		x.record.Status = clientGone
		panic(http.ErrAbortHandler)
	}
	return nil
}

// sendPart sends a content that stands for itself by tag, or what Range asks for of it, so
// that whoever was interrupted goes on. Of a content that is coded, these are parts of what
// is coded: another coding has another tag.
//
// See https://www.rfc-editor.org/rfc/rfc9110#section-14.2 and section 13.1.5.
func (x *exchange) sendPart(content io.ReadSeeker, tag string) {
	x.w.Header().Set("ETag", strconv.Quote(tag))
	if x.r.Header.Get("Range") != "" {
		x.w.Header().Del("Content-Length") // of the whole
	}
	out := &pacedResponse{countWriter{ResponseWriter: x.w}, http.NewResponseController(x.w), x.timeout}
	http.ServeContent(out, x.r, "", time.Time{}, content)
	x.record.Status, x.record.BytesOut = out.status, out.n
}

// pacedResponse is a countWriter that moves the write deadline on, as pacedWriter does.
type pacedResponse struct {
	countWriter
	control *http.ResponseController
	timeout time.Duration
}

func (p *pacedResponse) Write(b []byte) (int, error) {
	_ = p.control.SetWriteDeadline(time.Now().Add(p.timeout + time.Duration(len(b)/slowest)*time.Second))
	return p.countWriter.Write(b)
}

// codings returns which codings of those that are made here a client takes.
//
// See https://www.rfc-editor.org/rfc/rfc9110#section-12.5.3.
func codings(lines []string) map[string]bool {
	takes := map[string]bool{}
	for part := range strings.SplitSeq(strings.Join(lines, ","), ",") {
		name, params, _ := strings.Cut(part, ";")
		weight := 1.0
		if _, q, ok := strings.Cut(params, "q="); ok {
			var err error
			if weight, err = strconv.ParseFloat(strings.TrimSpace(q), 64); err != nil {
				weight = 0
			}
		}
		takes[strings.ToLower(strings.TrimSpace(name))] = weight > 0
	}
	return takes
}

// recode copies r, in the coding from, to w in the coding to; "" is none.
func recode(w io.Writer, r io.Reader, from, to string) error {
	if from == to {
		_, err := io.CopyBuffer(w, struct{ io.Reader }{r}, make([]byte, 256<<10))
		return err
	}
	if from != "zstd" {
		return fmt.Errorf("files are kept plain or as zstd, not as %s", from)
	}
	z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(8<<20))
	if err != nil {
		return err
	}
	defer z.Close()
	if to == "" {
		_, err := io.CopyBuffer(w, struct{ io.Reader }{z}, make([]byte, 256<<10))
		return err
	}
	g, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return err
	}
	if _, err = io.CopyBuffer(g, struct{ io.Reader }{z}, make([]byte, 256<<10)); err != nil {
		return err
	}
	return g.Close()
}

// pacedWriter moves the write deadline of its connection on as bytes leave, and counts
// them: a large file has the time it takes, and nobody holds it for ever.
type pacedWriter struct {
	w       io.Writer
	control *http.ResponseController
	timeout time.Duration
	n       int64
}

func (p *pacedWriter) Write(b []byte) (int, error) {
	_ = p.control.SetWriteDeadline(time.Now().Add(p.timeout + time.Duration(len(b)/slowest)*time.Second))
	n, err := p.w.Write(b)
	p.n += int64(n)
	return n, err
}
