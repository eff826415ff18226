package link

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/amate-health/amate/fhir"
)

// memory is a state as a store keeps it.
type memory struct {
	mu  sync.Mutex
	all map[string]fhir.Entry
	now func() time.Time
}

func (m *memory) Entry(_ context.Context, kind, key string) (fhir.Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.all[kind+" "+key]
	if !ok || !e.Expires.IsZero() && !m.now().Before(e.Expires) {
		return fhir.Entry{}, fhir.Errorf(fhir.NotFound, "none")
	}
	return e, nil
}

func (m *memory) Entries(_ context.Context, kind, group, after string, _ int) (found []fhir.Entry, _ error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.all {
		if e.Kind == kind && (group == "" || e.Group == group) && e.Key > after && (e.Expires.IsZero() || m.now().Before(e.Expires)) {
			found = append(found, e)
		}
	}
	slices.SortFunc(found, func(a, b fhir.Entry) int { return strings.Compare(a.Key, b.Key) })
	return found, nil
}

func (m *memory) Put(_ context.Context, entries ...fhir.Entry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range entries {
		if m.all[e.Kind+" "+e.Key].Version != e.Version {
			return fhir.Errorf(fhir.Conflict, "another version")
		}
	}
	for _, e := range entries {
		e.Version++
		m.all[e.Kind+" "+e.Key] = e
	}
	return nil
}

func (m *memory) Remove(_ context.Context, kind, key string, _ int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.all, kind+" "+key)
	return nil
}

// bench is a service with its clock and what it keeps.
type bench struct {
	*Service
	state *memory
	now   time.Time
}

func newBench() *bench {
	b := &bench{now: time.Date(2026, 11, 22, 4, 0, 0, 0, time.UTC)}
	clock := func() time.Time { return b.now }
	b.state = &memory{all: map[string]fhir.Entry{}, now: clock}
	b.Service = &Service{State: b.state, Secret: []byte("a secret of this database"), URL: "https://salud.example.gob.mx/cards/links", Now: clock}
	return b
}

var files = []File{{"application/smart-health-card", []byte(`{"verifiableCredential":["ey.SECRETO"]}`)}, {"application/fhir+json", []byte(`{"resourceType":"Bundle","SECRETO":1}`)}}

func (b *bench) make(t *testing.T, o Options, files ...File) (*Payload, *Link) {
	t.Helper()
	o.Owner = "p1"
	p, l, err := b.Create(t.Context(), o, files...)
	if err != nil {
		t.Fatal(err)
	}
	// What is handed out is the text of the link, nothing else.
	back, err := Parse("https://viewer.example/#" + p.String())
	if err != nil || back.URL != p.URL || !bytes.Equal(back.Key, p.Key) || back.Flags != p.Flags || back.Label != p.Label || !back.Expires.Equal(p.Expires) {
		t.Fatalf("%+v comes back as %+v %v", p, back, err)
	}
	return back, l
}

func name(p *Payload) string { return p.URL[strings.LastIndexByte(p.URL, '/')+1:] }

// TestLink: what is shared can be read by who has the link, by our means and by a library
// of others, and by nobody who has the database.
func TestLink(t *testing.T) {
	b := newBench()
	p, l := b.make(t, Options{Label: "Vacunas para la escuela"}, files...)
	if l.Files != 2 || l.Flags != "" || len(name(p)) != 43 || len(p.URL) > 128 || len(p.Key) != 32 {
		t.Errorf("%+v %+v", p, l)
	}
	m, _, err := b.Resolve(t.Context(), Asked{Name: name(p), Most: -1})
	if err != nil || len(m.Files) != 2 {
		t.Fatal(m, err)
	}
	for i, f := range m.Files {
		media, content, err := Open(p.Key, f.Embedded)
		if err != nil || media != files[i].Media || media != f.Media || !bytes.Equal(content, files[i].Content) || f.Location != "" || f.Status != "finalized" {
			t.Errorf("%+v %s %v", f, content, err)
		}
		parsed, err := jose.ParseEncryptedCompact(f.Embedded, []jose.KeyAlgorithm{jose.DIRECT}, []jose.ContentEncryption{jose.A256GCM})
		if err != nil {
			t.Fatal(err)
		}
		if plain, err := parsed.Decrypt(p.Key); err != nil || !bytes.Equal(plain, files[i].Content) {
			t.Errorf("another library reads %q %v", plain, err)
		}
		if _, _, err := Open(make([]byte, 32), f.Embedded); !errors.Is(err, ErrSealed) {
			t.Errorf("another key: %v", err)
		}
	}
	for _, e := range b.state.all {
		text := e.Key + e.Group + string(e.Value)
		if strings.Contains(text, "SECRETO") || strings.Contains(text, name(p)) || strings.Contains(text, b64.EncodeToString(p.Key)) || bytes.Contains(e.Value, p.Key) {
			t.Errorf("the database tells: %s", text)
		}
	}
}

// TestAltered changes each character of a file: it is not opened any more.
func TestAltered(t *testing.T) {
	key := bytes.Repeat([]byte{7}, 32)
	jwe, err := seal(key, "application/fhir+json", []byte(`{"resourceType":"Patient"}`))
	if err != nil {
		t.Fatal(err)
	}
	for i := range jwe {
		changed := []byte(jwe)
		if changed[i] = 'A'; jwe[i] == 'A' {
			changed[i] = 'B'
		}
		if _, _, err := Open(key, string(changed)); !errors.Is(err, ErrSealed) {
			t.Fatalf("character %d changed: %v", i, err)
		}
	}
}

func TestLocations(t *testing.T) {
	b := newBench()
	p, _ := b.make(t, Options{}, files...)
	m, _, err := b.Resolve(t.Context(), Asked{Name: name(p), Most: 0})
	if err != nil {
		t.Fatal(err)
	}
	ticket := func(i int) string { return strings.TrimPrefix(m.Files[i].Location, b.URL+"/file/") }
	for i := range m.Files {
		jwe, _, err := b.File(t.Context(), ticket(i))
		if err != nil || m.Files[i].Embedded != "" {
			t.Fatal(err)
		}
		if _, content, err := Open(p.Key, jwe); err != nil || !bytes.Equal(content, files[i].Content) {
			t.Error(err)
		}
	}
	for _, bad := range []string{"", "x", ticket(0) + "A", strings.Replace(ticket(0), ".0.", ".1.", 1), "a.b.c.d", ticket(0)[:20]} {
		if _, _, err := b.File(t.Context(), bad); !errors.Is(err, ErrGone) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	b.now = b.now.Add(11 * time.Minute)
	if _, _, err := b.File(t.Context(), ticket(0)); !errors.Is(err, ErrGone) {
		t.Errorf("after its time: %v", err)
	}
}

// TestPasscode: ten wrong ones end the link, also when all come at once.
func TestPasscode(t *testing.T) {
	b := newBench()
	p, l := b.make(t, Options{Passcode: "volcán"}, files...)
	if l.Flags != "P" || l.Left != attempts {
		t.Errorf("%+v", l)
	}
	ask := func(code string) error {
		_, _, err := b.Resolve(t.Context(), Asked{Name: name(p), Passcode: code, Most: -1})
		return err
	}
	var wrong *WrongPasscode
	if err := ask(""); !errors.As(err, &wrong) || wrong.Left != 9 {
		t.Fatalf("none: %v", err)
	}
	for range 3 {
		if err := ask("volcán"); err != nil {
			t.Fatal(err)
		}
	}
	var wrongs, gone atomic.Int32
	var all sync.WaitGroup
	for range 24 {
		all.Go(func() {
			var wrong *WrongPasscode
			switch err := ask("1234"); {
			case errors.As(err, &wrong):
				wrongs.Add(1)
			case errors.Is(err, ErrGone):
				gone.Add(1)
			default:
				t.Errorf("%v", err)
			}
		})
	}
	all.Wait()
	if wrongs.Load() != 9 || gone.Load() != 15 {
		t.Errorf("%d were looked at, %d not", wrongs.Load(), gone.Load())
	}
	if err := ask("volcán"); !errors.Is(err, ErrGone) {
		t.Errorf("then the right one: %v", err)
	}
}

func TestEnds(t *testing.T) {
	b := newBench()
	day, _ := b.make(t, Options{Expires: b.now.Add(24 * time.Hour)}, files...)
	one, l := b.make(t, Options{Direct: true, Label: "una"}, files[0])
	if _, _, err := b.Direct(t.Context(), name(one)); err != nil || l.Flags != "U" {
		t.Error(err)
	}
	for _, p := range []*Payload{day, one} {
		_, _, direct := b.Direct(t.Context(), name(p))
		_, _, manifest := b.Resolve(t.Context(), Asked{Name: name(p)})
		if (direct == nil) == (manifest == nil) {
			t.Errorf("%s: %v %v", p.Flags, direct, manifest)
		}
	}
	links, err := b.List(t.Context(), "p1")
	if err != nil || len(links) != 2 {
		t.Fatal(links, err)
	}
	if err := b.Revoke(t.Context(), "p2", l.ID); !errors.Is(err, ErrGone) {
		t.Errorf("of somebody else: %v", err)
	}
	if err := b.Revoke(t.Context(), "p1", one.String()); err != nil {
		t.Error(err)
	}
	if _, _, err := b.Direct(t.Context(), name(one)); !errors.Is(err, ErrGone) {
		t.Errorf("after it was ended: %v", err)
	}
	b.now = b.now.Add(25 * time.Hour)
	if _, _, err := b.Resolve(t.Context(), Asked{Name: name(day)}); !errors.Is(err, ErrGone) {
		t.Errorf("after its time: %v", err)
	}
	if links, err := b.List(t.Context(), "p1"); err != nil || len(links) != 0 {
		t.Error(links, err)
	}
	if len(b.state.all) > 3 { // the one that is over is not found, and nothing is left of the other
		t.Errorf("%d entries are left", len(b.state.all))
	}
}

func TestReplace(t *testing.T) {
	b := newBench()
	long, _ := b.make(t, Options{Long: true}, files[0])
	short, _ := b.make(t, Options{}, files[0])
	later := File{files[0].Media, []byte("later")}
	if _, err := b.Replace(t.Context(), "p1", long.String(), later); err != nil {
		t.Fatal(err)
	}
	m, _, err := b.Resolve(t.Context(), Asked{Name: name(long), Most: -1})
	if err != nil || m.Files[0].Status != "can-change" {
		t.Fatal(m, err)
	}
	if _, content, err := Open(long.Key, m.Files[0].Embedded); err != nil || string(content) != "later" {
		t.Errorf("%s %v", content, err)
	}
	forged := *long
	forged.Key = make([]byte, 32)
	for what, c := range map[string]struct {
		owner, link string
		files       []File
	}{
		"another owner": {"p2", long.String(), []File{later}}, "another key": {"p1", forged.String(), []File{later}}, "not for long": {"p1", short.String(), []File{later}},
		"more files": {"p1", long.String(), files}, "no link": {"p1", "x", files},
	} {
		if _, err := b.Replace(t.Context(), c.owner, c.link, c.files...); err == nil {
			t.Errorf("%s: replaced", what)
		}
	}
}

func TestRefused(t *testing.T) {
	b := newBench()
	for what, c := range map[string]struct {
		o     Options
		files []File
	}{
		"no files": {Options{}, nil}, "direct with a passcode": {Options{Direct: true, Passcode: "1234"}, files[:1]}, "direct to two": {Options{Direct: true}, files},
		"direct for long": {Options{Direct: true, Long: true}, files[:1]}, "a short passcode": {Options{Passcode: "123"}, files}, "a long label": {Options{Label: strings.Repeat("ñ", 81)}, files},
		"over already": {Options{Expires: b.now}, files},
	} {
		if _, _, err := b.Create(t.Context(), c.o, c.files...); fhir.CodeOf(err) != fhir.Invalid {
			t.Errorf("%s: %v", what, err)
		}
	}
	if len(b.state.all) > 0 {
		t.Error("something is kept of links that were refused")
	}
	b.URL = "https://" + strings.Repeat("x", 100) + "/cards/links"
	if _, _, err := b.Create(t.Context(), Options{}, files...); fhir.CodeOf(err) != fhir.Invalid {
		t.Errorf("a long address: %v", err)
	}
}

// TestPublished reads the example of the specification.
func TestPublished(t *testing.T) {
	const example = "https://viewer.example.org#shlink:/eyJ1cmwiOiJodHRwczovL2Voci5leGFtcGxlLm9yZy9xci9ZOXh3a1VkdG1OOXd3b0pvTjNmZkpJaFgyVUd2Q0wxSm5sUFZOTDNrRFdNL20iLCJmbGFnIjoiTFAiLCJrZXkiOiJyeFRnWWxPYUtKUEZ0Y0VkMHFjY2VOOHdFVTRwOTRTcUF3SVdRZTZ1WDdRIiwibGFiZWwiOiJCYWNrLXRvLXNjaG9vbCBpbW11bml6YXRpb25zIGZvciBPbGl2ZXIgQnJvd24ifQ"
	p, err := Parse(example)
	if err != nil || p.Flags != "LP" || p.URL != "https://ehr.example.org/qr/Y9xwkUdtmN9wwoJoN3ffJIhX2UGvCL1JnlPVNL3kDWM/m" || b64.EncodeToString(p.Key) != "rxTgYlOaKJPFtcEd0qcceN8wEU4p94SqAwIWQe6uX7Q" || p.Label != "Back-to-school immunizations for Oliver Brown" {
		t.Fatalf("%+v %v", p, err)
	}
	if got, want := p.String(), example[strings.IndexByte(example, '#')+1:]; got != want {
		t.Errorf("it is written %s, want %s", got, want)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"", "shlink:/", "shlink:/e30", "shlink:/!", "x#shlink:/eyJ1cmwiOiJqYXZhc2NyaXB0OngifQ", "shlink:/eyJ2Ijo5OX0"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse(text)
		if err != nil {
			return
		}
		if back, err := Parse(p.String()); err != nil || back.URL != p.URL || !bytes.Equal(back.Key, p.Key) {
			t.Fatalf("%+v comes back as %+v %v", p, back, err)
		}
	})
}
