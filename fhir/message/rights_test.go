package message

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/rest"
)

type actsAs struct{}

// asWhom notes as whom each value is written, once it is let go.
type asWhom struct {
	let chan struct{}
	mu  sync.Mutex
	by  map[string]string // value -> app
}

func (r *asWhom) Do(ctx context.Context, req *rest.Request) (*rest.Response, error) {
	<-r.let
	client, _ := ctx.Value(actsAs{}).(string)
	if client == "" {
		return nil, fhir.Errorf(fhir.LoginRequired, "nobody")
	}
	if req.Interaction != rest.Batch {
		return &rest.Response{Body: []byte(`{"resourceType":"Bundle"}`)}, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, part := range strings.Split(string(req.Body), `"valueString":"`)[1:] {
		value, _, _ := strings.Cut(part, `"`)
		r.by[value] = client
	}
	return &rest.Response{Body: []byte(`{"entry":[]}`)}, nil
}

// TestSharedAddress: systems behind one address write each as itself, however their
// messages come in between one another and those of a stranger.
func TestSharedAddress(t *testing.T) {
	api := &asWhom{let: make(chan struct{}), by: map[string]string{}}
	p := testProcessor(t, api, newMemory())
	of := func(name string) *Sender {
		s := &Sender{Name: name, Client: name, Tables: testSender().Tables}
		s.ready()
		return s
	}
	senders := []*Sender{of("lab"), of("ward"), nil}
	var pending []*Pending
	for n := range 150 {
		s := senders[n%3]
		in := incoming(s, fmt.Sprint(n), n/3, fmt.Sprintf("of %d", n))
		in.Group = "mllp 10.1.2.3"
		in.Sender = func(string, string) (*Sender, error) {
			if s == nil {
				return nil, fhir.Errorf(fhir.Forbidden, "a stranger")
			}
			return s, nil
		}
		in.Act = func(s *Sender) (context.Context, error) {
			return context.WithValue(t.Context(), actsAs{}, s.Client), nil
		}
		pending = append(pending, p.Submit(t.Context(), in))
	}
	close(api.let)
	for n, d := range pending {
		a, err := d.Wait(t.Context())
		value, want, by := fmt.Sprintf("of %d", n), Accept, ""
		if s := senders[n%3]; s == nil {
			want = Reject
		} else {
			by = s.Client
		}
		api.mu.Lock()
		wrote := api.by[value]
		api.mu.Unlock()
		if err != nil || a.Verdict != want || wrote != by {
			t.Errorf("message %d: %v %v, written by %q, want %v by %q", n, a.Verdict, err, wrote, want, by)
		}
	}
}
