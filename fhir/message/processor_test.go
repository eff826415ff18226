package message

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/rest"
)

// recorder is an API that finds nothing and notes what is written. It refuses a
// transaction with a value that it is told of.
type recorder struct {
	mu     sync.Mutex
	order  []string // values, as they were written
	trips  int
	refuse map[string]error
}

func (r *recorder) Do(_ context.Context, req *rest.Request) (*rest.Response, error) {
	if req.Interaction != rest.Batch {
		return &rest.Response{Body: []byte(`{"resourceType":"Bundle"}`)}, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trips++
	var values []string
	for _, part := range strings.Split(string(req.Body), `"valueString":"`)[1:] {
		value, _, _ := strings.Cut(part, `"`)
		kind, _, _ := strings.Cut(value, " ")
		if err := r.refuse[kind]; err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	r.order = append(r.order, values...)
	return &rest.Response{Body: []byte(`{"entry":[]}`)}, nil
}

// memory keeps entries and receipts.
type memory struct {
	mu       sync.Mutex
	entries  map[string]fhir.Entry
	receipts map[string]fhir.Receipt
	fails    error // of KeepReceipts
	most     int   // bytes that one answer of Entries had
}

func newMemory() *memory {
	return &memory{entries: map[string]fhir.Entry{}, receipts: map[string]fhir.Receipt{}}
}

func (m *memory) Entry(_ context.Context, kind, key string) (fhir.Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.entries[kind+" "+key]
	if !ok {
		return e, fhir.Errorf(fhir.NotFound, "none")
	}
	return e, nil
}

func (m *memory) Put(_ context.Context, entries ...fhir.Entry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range entries {
		if m.entries[e.Kind+" "+e.Key].Version != e.Version {
			return fhir.Errorf(fhir.Conflict, "moved")
		}
		e.Version++
		m.entries[e.Kind+" "+e.Key] = e
	}
	return nil
}

func (m *memory) Remove(_ context.Context, kind, key string, _ int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.entries, kind+" "+key)
	return nil
}

func (m *memory) Entries(_ context.Context, kind, group, after string, limit int) (all []fhir.Entry, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.entries {
		if e.Kind == kind && (group == "" || e.Group == group) && e.Key > after {
			all = append(all, e)
		}
	}
	slices.SortFunc(all, func(a, b fhir.Entry) int { return strings.Compare(a.Key, b.Key) })
	all = all[:min(limit, len(all))]
	held := 0
	for _, e := range all {
		held += len(e.Value)
	}
	m.most = max(m.most, held)
	return all, nil
}

func (m *memory) Receipts(_ context.Context, asked []fhir.Receipt) (found []fhir.Receipt, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range asked {
		if have, ok := m.receipts[r.Sender+" "+r.Control]; ok {
			found = append(found, have)
		}
	}
	return found, nil
}

func (m *memory) KeepReceipts(_ context.Context, receipts []fhir.Receipt) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range receipts {
		m.receipts[r.Sender+" "+r.Control] = r
	}
	return m.fails
}

func (m *memory) ForgetReceipts(context.Context, time.Time) error { return nil }

func testProcessor(t *testing.T, api API, m *memory) *Processor {
	p := New(Config{
		API: api, State: m, Receipts: m, Senders: &Directory{State: m}, Log: slog.New(slog.DiscardHandler),
		As: func(ctx context.Context, _ string) (context.Context, error) { return ctx, nil },
	})
	t.Cleanup(p.Close)
	return p
}

// incoming is a message of a patient, with a value.
func incoming(s *Sender, control string, patient int, value string) Incoming {
	return Incoming{Group: "g", Sender: func(string, string) (*Sender, error) { return s, nil }, Raw: fmt.Appendf(nil,
		"MSH|^~\\&|LIS|H1|||20261120||ORU^R01|%s|P|2.5\rPID|1||%d^^^H1||P^J\rOBR|1||%s|BH^B^L\rOBX|1|ST|A^A^L||%s\r", control, patient, control, value)}
}

// TestOrder: messages share transactions; those at fault are found and kept, each other
// is written once, and those of a patient stay in their order.
func TestOrder(t *testing.T) {
	api, m, s := &recorder{refuse: map[string]error{"bad": fhir.Errorf(fhir.Unprocessable, "no"), "mine": fhir.Errorf(fhir.Forbidden, "no")}}, newMemory(), testSender()
	p := testProcessor(t, api, m)
	const patients, each = 8, 60
	var all sync.WaitGroup
	for patient := range patients {
		all.Go(func() {
			var pending []*Pending
			for n := range each {
				value := fmt.Sprintf("ok %d %03d", patient, n)
				switch n % 17 {
				case 5:
					value = "bad " + value
				case 9:
					value = "mine " + value
				}
				pending = append(pending, p.Submit(t.Context(), incoming(s, fmt.Sprintf("%d-%d", patient, n), patient, value)))
			}
			for n, d := range pending {
				a, err := d.Wait(t.Context())
				want := map[int]Verdict{5: Fail, 9: Reject}[n%17]
				if err != nil || a.Verdict != want {
					t.Errorf("message %d of %d: %v %v, want %v", n, patient, a.Verdict, err, want)
				}
			}
		})
	}
	all.Wait()
	seen := map[byte][]string{}
	for _, v := range api.order {
		seen[v[3]] = append(seen[v[3]], v)
	}
	good := 0
	for n := range each {
		if n%17 != 5 && n%17 != 9 {
			good++
		}
	}
	for patient, values := range seen {
		if !slices.IsSorted(values) || len(slices.Compact(slices.Clone(values))) != good || len(values) != good {
			t.Errorf("of patient %c there came %v", patient, values)
		}
	}
	if len(seen) != patients {
		t.Errorf("of %d patients something came", len(seen))
	}
	letters, err := (&Letters{m}).List(t.Context(), "")
	if err != nil || len(letters) != patients*(each-good) || len(m.receipts) != patients*good {
		t.Errorf("%d letters, %d receipts, %v", len(letters), len(m.receipts), err)
	}
	if api.trips >= patients*each {
		t.Errorf("%d trips for %d messages", api.trips, patients*each)
	}
	api.mu.Lock()
	api.refuse = nil
	api.order = nil
	api.mu.Unlock()
	done, err := p.Replay(t.Context(), "", nil)
	if err != nil || len(done) != len(letters) || slices.ContainsFunc(done, func(r Replayed) bool { return r.State != "written" }) || len(api.order) != len(letters) {
		t.Errorf("replay: %v %v", done, err)
	}
}

// TestNothingIsPromised: what cannot be kept is not acknowledged.
func TestNothingIsPromised(t *testing.T) {
	m, s := newMemory(), testSender()
	for name, api := range map[string]*recorder{
		"receipts cannot be kept": {}, "the store is away": {refuse: map[string]error{"ok": fhir.Errorf(fhir.Unavailable, "away")}}, "our fault": {refuse: map[string]error{"ok": errors.New("boom")}},
	} {
		if name == "receipts cannot be kept" {
			m.fails = errors.New("full")
		}
		p := testProcessor(t, api, m)
		a, err := p.Submit(t.Context(), incoming(s, "1", 1, "ok 1")).Wait(t.Context())
		if err != nil || a.Verdict != Fail || strings.Contains(string(a.Application), "boom") || !strings.Contains(string(a.Application), "MSA|AE|1") {
			t.Errorf("%s: %q %v", name, a.Application, err)
		}
		m.fails = nil
		delete(m.receipts, "lab 1")
		if len(m.entries) != 0 {
			t.Errorf("%s: what may pass is kept as dead", name)
		}
	}
}

// TestReplayOfOne: only what is asked for is tried again, also when it stays dead, and nothing
// that came after it.
func TestReplayOfOne(t *testing.T) {
	api, m, s := &recorder{refuse: map[string]error{"bad": fhir.Errorf(fhir.Unprocessable, "no")}}, newMemory(), testSender()
	p := testProcessor(t, api, m)
	for n := range 4 { // of four patients
		if a, err := p.Submit(t.Context(), incoming(s, fmt.Sprint(n), n, "bad")).Wait(t.Context()); err != nil || a.Verdict != Fail {
			t.Fatalf("%v %v", a.Verdict, err)
		}
	}
	letters, err := (&Letters{m}).List(t.Context(), "")
	if err != nil || len(letters) != 4 {
		t.Fatalf("%v %v", letters, err)
	}
	for _, state := range []string{"failed", "written"} {
		done, err := p.Replay(t.Context(), "", []string{letters[1].ID})
		if err != nil || len(done) != 1 || done[0].Letter.ID != letters[1].ID || done[0].State != state {
			t.Errorf("tried again, to be %s: %v %v", state, done, err)
		}
		api.refuse = nil
	}
	if left, err := (&Letters{m}).List(t.Context(), ""); err != nil || len(left) != 3 {
		t.Errorf("left are %v, %v", left, err)
	}
	if _, err := p.Replay(t.Context(), "", []string{letters[1].ID}); fhir.CodeOf(err) != fhir.NotFound {
		t.Errorf("one that is gone: %v", err)
	}
}

// TestLargeLetters: what is kept of large messages is not in memory all together, when
// it is listed and when it is tried again.
func TestLargeLetters(t *testing.T) {
	api, m, s := &recorder{refuse: map[string]error{"bad": fhir.Errorf(fhir.Unprocessable, "no")}}, newMemory(), testSender()
	p := testProcessor(t, api, m)
	const letters, size = 35, 100_000
	for n := range letters {
		a, err := p.Submit(t.Context(), incoming(s, fmt.Sprint(n), n, "bad "+strings.Repeat("x", size))).Wait(t.Context())
		if err != nil || a.Verdict != Fail {
			t.Fatalf("%v %v", a.Verdict, err)
		}
	}
	api.refuse = nil
	number, _, _ := strings.Cut(strings.Split(strings.SplitAfter(string(incoming(s, "0", 7, "").Raw), "\rPID|")[1], "|")[2], "^")
	if of, err := (&Letters{m}).Of(t.Context(), []string{"other", number}); err != nil || len(of) != 1 || of[0] != letterID("lab", "7", nil) {
		t.Errorf("the letters about %s are %v, %v", number, of, err)
	}
	all, err := (&Letters{m}).List(t.Context(), "")
	if err != nil || len(all) != letters || slices.ContainsFunc(all, func(l Letter) bool { return l.Content != nil }) {
		t.Errorf("%d letters, %v", len(all), err)
	}
	done, err := p.Replay(t.Context(), "", nil)
	if err != nil || len(done) != letters || len(api.order) != letters || slices.ContainsFunc(done, func(r Replayed) bool { return r.State != "written" }) {
		t.Errorf("%d tried again, %d written, %v", len(done), len(api.order), err)
	}
	if m.most > (lettersPage+1)*2*size { // base64 in JSON
		t.Errorf("%d bytes at a time", m.most)
	}
}
