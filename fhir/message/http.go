package message

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/amate-health/amate/fhir/message/hl7"
)

// Endpoint takes messages by HTTP: POST with a message, or a batch file, as the body.
//
// See https://hapifhir.github.io/hapi-hl7v2/hapi-hl7overhttp/specification.html.
type Endpoint struct {
	Processor *Processor
	Size      int64 // bytes of a body at most

	// Caller says who asks: the registered app, and what all requests with the same
	// rights have in common. "" is nobody.
	Caller func(ctx context.Context) (client, rights string)
}

// The media types of a message.
const (
	mediaER7 = "application/hl7-v2"
	mediaOld = "x-application/hl7-v2+er7"
)

// ServeHTTP answers with the acknowledgment: 200 for AA and CA, 500 for AE and CE, 400
// for AR and CR; a batch with 200 and a batch of acknowledgments.
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "a message is sent by POST", http.StatusMethodNotAllowed)
		return
	}
	client, rights := e.Caller(r.Context())
	if client == "" {
		http.Error(w, "this needs an access token, in the header Authorization: Bearer TOKEN", http.StatusUnauthorized)
		return
	}
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != mediaER7 && media != mediaOld {
		http.Error(w, "want the Content-Type "+mediaER7+" or "+mediaOld, http.StatusUnsupportedMediaType)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, e.Size))
	if err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			http.Error(w, "the body is larger than what is taken", http.StatusRequestEntityTooLarge)
			return
		}
		http.Error(w, "the body could not be read", http.StatusBadRequest)
		return
	}
	in := Incoming{Charset: charsetOf(params["charset"]), Group: rights, Sender: func(application, facility string) (*Sender, error) {
		return e.Processor.Senders.ForClient(client, application, facility), nil
	}}
	if name := string(body[:min(3, len(body))]); name == "FHS" || name == "BHS" {
		e.batch(w, r, in, body)
		return
	}
	in.Raw = body
	answer, err := e.Processor.Submit(r.Context(), in).Wait(r.Context())
	if err != nil {
		return // nobody waits any more
	}
	sent := answer.Application
	if sent == nil {
		sent = answer.Commit
	}
	e.send(w, media, sent, [...]int{Accept: http.StatusOK, Fail: http.StatusInternalServerError, Reject: http.StatusBadRequest}[answer.Verdict])
}

// charsetOf returns the charset of a Content-Type as MSH-18 would name it.
func charsetOf(s string) string {
	if strings.EqualFold(s, "utf-8") {
		return "UNICODE UTF-8"
	}
	return s
}

func (e *Endpoint) send(w http.ResponseWriter, media string, body []byte, status int) {
	w.Header().Set("Content-Type", media+"; charset=utf-8")
	if m := declaredIn(body); m != "" {
		w.Header().Set("Content-Type", media+"; charset="+m)
	}
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// declaredIn returns the charset of an acknowledgment, "" for UTF-8.
func declaredIn(ack []byte) string {
	if !strings.Contains(string(ack), "8859/1") {
		return ""
	}
	return "iso-8859-1"
}

// batch answers a file of messages.
func (e *Endpoint) batch(w http.ResponseWriter, r *http.Request, in Incoming, body []byte) {
	answers, err := e.Processor.Batch(r.Context(), in, body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	e.send(w, mediaER7, answers, http.StatusOK)
}

// Batch writes the messages of a file, and returns a batch of their acknowledgments.
// Errors: *hl7.Error where the file cannot be divided; nothing is written then.
func (p *Processor) Batch(ctx context.Context, in Incoming, body []byte) ([]byte, error) {
	file, err := hl7.Split(string(body), p.Limits)
	if err != nil {
		return nil, err
	}
	pending := make([]*Pending, len(file.Messages))
	for i, m := range file.Messages {
		one := in
		one.Raw = []byte(m)
		pending[i] = p.Submit(ctx, one)
	}
	var out hl7.Writer
	now := p.Now()
	out.Header("BHS", now.Format("20060102150405-0700"), hl7.Usual.Escaped(file.Control))
	count := 0
	for _, d := range pending {
		answer, err := d.Wait(ctx)
		if err != nil {
			return nil, err
		}
		for _, m := range answer.Messages() {
			out.Append(m)
			count++
		}
	}
	out.Trailer(count)
	return out.Bytes(), nil
}
