package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/terminology"
)

// openTerms opens a store with its vocabulary.
func openTerms(t testing.TB, dir string) *opened {
	t.Helper()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	o, err := storage{Data: dir}.open(t.Context(), log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.Close() })
	if o.vocabulary, err = learn(t.Context(), o, log); err != nil {
		t.Fatal(err)
	}
	return o
}

// loadFile performs "amate terminology load".
func loadFile(t testing.TB, dir string, args ...string) (status int, said string) {
	t.Helper()
	var out strings.Builder
	status = run(context.Background(), append([]string{"terminology", "load", "--data", dir}, args...), streams{out: &out, err: &out})
	return status, out.String()
}

// table writes a CSV of n concepts, each tenth above the next ones.
func table(t testing.TB, n int) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("code,display,parent\n")
	for i := range n {
		parent := ""
		if i > 0 {
			parent = fmt.Sprint("C", i/10)
		}
		fmt.Fprintf(&b, "C%d,Concept number %d with a name of usual length,%s\n", i, i, parent)
	}
	name := filepath.Join(t.TempDir(), "table.csv")
	if err := os.WriteFile(name, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestTerminologyLoad: a code system too large for one resource is there after it is
// loaded and after a restart; loading a smaller one leaves nothing of it.
func TestTerminologyLoad(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const url = "http://e/large"
	if status, said := loadFile(t, dir, table(t, 10)); status != exitUsage || !strings.Contains(said, "--system") {
		t.Errorf("without a URL: %d %s", status, said)
	}
	display := func() string { return openTerms(t, dir).terminology().View().Code(url, "C45000", "").Display }
	if status, said := loadFile(t, dir, "--system", url, "--version", "7", table(t, 50_000)); status != exitDone || !strings.Contains(said, "50000 concepts in 4 resources") {
		t.Fatalf("%d %s", status, said)
	}
	if got := display(); got != "Concept number 45000 with a name of usual length" {
		t.Errorf("display: %q", got)
	}
	o := openTerms(t, dir)
	s, err := o.terminology().View().System(url, "7")
	if err != nil || s.Len() != 50_000 || !s.Complete() {
		t.Fatalf("%v %v", s, err)
	}
	if r, err := s.Relate("C4", "C45999"); err != nil || r != terminology.Subsumes {
		t.Errorf("%s %v", r, err)
	}
	if status, said := loadFile(t, dir, "--system", url, table(t, 10)); status != exitDone {
		t.Fatalf("%d %s", status, said)
	}
	if err := o.poll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s, err := o.terminology().View().System(url, ""); err != nil || s.Len() != 10 {
		t.Errorf("after another process loaded a smaller one: %v %v", s, err)
	}
	for n := 1; n <= 3; n++ {
		if _, err := o.Read(t.Context(), fhir.Ref{Type: "Binary", ID: fmt.Sprintf("e-large.part%d", n)}); fhir.CodeOf(err) != fhir.Gone {
			t.Errorf("part %d is left over: %v", n, err)
		}
	}
}

// unreadable is an engine whose Binaries cannot be read for a while.
type unreadable struct {
	engine
	times int
}

func (e *unreadable) Read(ctx context.Context, ref fhir.Ref) (fhir.Resource, error) {
	if ref.Type == "Binary" && e.times > 0 {
		e.times--
		return fhir.Resource{}, errCutOff
	}
	return e.engine.Read(ctx, ref)
}

// TestVocabularyReadsAgain: a code system of which a part could not be read is read again, and
// a server that cannot read one does not begin without it.
func TestVocabularyReadsAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := openTerms(t, dir)
	if status, said := loadFile(t, dir, "--system", "http://e/large", table(t, 30_000)); status != exitDone || !strings.Contains(said, "in 3 resources") {
		t.Fatalf("%d %s", status, said)
	}
	real := o.engine
	o.engine = &unreadable{real, 1}
	if err := o.poll(t.Context()); !errors.Is(err, errCutOff) {
		t.Errorf("poll: %v", err)
	}
	if err := o.poll(t.Context()); err != nil {
		t.Error(err)
	}
	if s, err := o.terminology().View().System("http://e/large", ""); err != nil || s.Len() != 30_000 {
		t.Errorf("after it could be read: %v %v", s, err)
	}
	o.engine = &unreadable{real, 1}
	if _, err := learn(t.Context(), o, o.log); !errors.Is(err, errCutOff) {
		t.Errorf("learn: %v", err)
	}
}

// TestTerminologyFiles loads the files of publishers, as far as they are here.
func TestTerminologyFiles(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct{ file, url, code, display string }{
		{"cdc-vaccine/cvx.xml.gz", "http://hl7.org/fhir/sid/cvx", "03", "MMR"},
		{"cdc-vaccine/mvx.xml.gz", "http://hl7.org/fhir/sid/mvx", "PFR", "Pfizer, Inc"},
		{"cie10/cie-10-es.csv.gz", "http://hl7.org/fhir/sid/icd-10", "A00", "Cólera"},
	} {
		file := filepath.Join(repository(t), "..", "shared", "data", "terminology", c.file)
		if _, err := os.Stat(file); err != nil {
			t.Skipf("NOT TRIED: %v", err)
		}
		if status, said := loadFile(t, dir, file); status != exitDone {
			t.Fatalf("%s: %d %s", c.file, status, said)
		}
		if m := openTerms(t, dir).terminology().View().Code(c.url, c.code, c.display); m.Status != terminology.In || m.WrongDisplay {
			t.Errorf("%s: %+v", c.file, m)
		}
	}
}

// TestVocabularyFollows: what this process writes is known at once, deletions too;
// what another one writes, when it is looked for; and a bad resource harms no other.
func TestVocabularyFollows(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	mine, theirs := openTerms(t, dir), openTerms(t, dir)
	put := func(o *opened, id, codes string) {
		t.Helper()
		source, err := bundle.Parse([]byte(`{"resourceType":"CodeSystem","id":"` + id + `","url":"http://e/` + id + `","status":"active","content":"complete","concept":[` + codes + `]}`))
		if err != nil {
			t.Fatal(err)
		}
		c, err := bundle.Maker{}.Update(source, fhir.Ref{Type: "CodeSystem", ID: id}, false)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := o.Apply(t.Context(), &bundle.Batch{Changes: []bundle.Change{c}}); err != nil {
			t.Fatal(err)
		}
	}
	is := func(o *opened, id, code string) terminology.Status {
		return o.terminology().View().Code("http://e/"+id, code, "").Status
	}
	put(mine, "a", `{"code":"x"}`)
	if got := is(mine, "a", "x"); got != terminology.In {
		t.Errorf("own write: %v", got)
	}
	if got := is(theirs, "a", "x"); got != terminology.UnknownSystem {
		t.Errorf("known before it was looked for: %v", got)
	}
	put(theirs, "b", `{"code":"y"}`)
	put(mine, "a", `{"code":"z"}`)
	for _, o := range []*opened{mine, theirs} {
		if err := o.poll(t.Context()); err != nil {
			t.Fatal(err)
		}
		if is(o, "a", "x") != terminology.NotIn || is(o, "a", "z") != terminology.In || is(o, "b", "y") != terminology.In {
			t.Errorf("after polling: %v %v %v", is(o, "a", "x"), is(o, "a", "z"), is(o, "b", "y"))
		}
	}
	deletion := bundle.Change{Op: bundle.Delete, Ref: fhir.Ref{Type: "CodeSystem", ID: "a"}}
	if _, err := mine.Apply(t.Context(), &bundle.Batch{Changes: []bundle.Change{deletion}}); err != nil {
		t.Fatal(err)
	}
	if err := theirs.poll(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, o := range []*opened{mine, theirs} {
		if is(o, "a", "z") != terminology.UnknownSystem || is(o, "b", "y") != terminology.In {
			t.Errorf("after a deletion: %v %v", is(o, "a", "z"), is(o, "b", "y"))
		}
	}
}

// BenchmarkTerminology is operations over HTTP, clients and server on the same
// processors, with a code system of 100,000 concepts beside those of R4.
func BenchmarkTerminology(b *testing.B) {
	dir := b.TempDir()
	if status, said := loadFile(b, dir, "--system", "http://e/large", table(b, 100_000)); status != exitDone {
		b.Fatal(said)
	}
	o := openTerms(b, dir)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server, err := (&serve{Validation: "base"}).server(ln, o, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		b.Fatal(err)
	}
	go server.http.Serve(ln)
	defer server.http.Close()
	const gender = "http://hl7.org/fhir/administrative-gender"
	set := url.QueryEscape("http://e/large?fhir_vs=isa/C12")
	for _, c := range []struct{ name, path string }{
		{"lookup", "CodeSystem/$lookup?system=http://e/large&code=C{n}"},
		{"validate-code/CodeSystem", "CodeSystem/$validate-code?url=http://e/large&code=C{n}"},
		{"validate-code/ValueSet", "ValueSet/$validate-code?url=http://hl7.org/fhir/ValueSet/administrative-gender&system=" + gender + "&code=male"},
		{"subsumes", "CodeSystem/$subsumes?system=http://e/large&codeA=C12&codeB=C{n}"},
		{"expand/filter", "ValueSet/$expand?url=" + set + "&filter=number&count=10"},
	} {
		b.Run(c.name, func(b *testing.B) {
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
			defer client.CloseIdleConnections()
			var n atomic.Int64
			var clients sync.WaitGroup
			for range 8 * runtime.GOMAXPROCS(0) {
				clients.Go(func() {
					for {
						i := n.Add(1)
						if i > int64(b.N) {
							return
						}
						path := strings.ReplaceAll(c.path, "{n}", fmt.Sprint(i%100_000))
						response, err := client.Get(server.base + "/" + path)
						if err != nil {
							b.Error(err)
							return
						}
						if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != 200 {
							b.Errorf("%s: %d %v", path, response.StatusCode, err)
						}
						response.Body.Close()
					}
				})
			}
			clients.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
		})
	}
}

// nowhere is a ResponseWriter that keeps nothing but the status.
type nowhere struct {
	header http.Header
	status int
}

func (w *nowhere) Header() http.Header         { return w.header }
func (w *nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (w *nowhere) WriteHeader(status int)      { w.status = status }

// BenchmarkTerminologyHandler is what a call costs the server, without socket and client.
func BenchmarkTerminologyHandler(b *testing.B) {
	o := openTerms(b, b.TempDir())
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer ln.Close()
	server, err := (&serve{Validation: "base"}).server(ln, o, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		b.Fatal(err)
	}
	const gender = "http://hl7.org/fhir/administrative-gender"
	for _, c := range []struct{ name, path string }{
		{"lookup", "CodeSystem/$lookup?system=" + gender + "&code=male"},
		{"validate-code", "ValueSet/$validate-code?url=http://hl7.org/fhir/ValueSet/administrative-gender&code=male&system=" + gender},
	} {
		b.Run(c.name, func(b *testing.B) {
			r, err := http.NewRequest(http.MethodGet, server.base+"/"+c.path, nil)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				w := &nowhere{header: http.Header{}}
				server.http.Handler.ServeHTTP(w, r)
				if w.status != 0 && w.status != http.StatusOK {
					b.Fatal(w.status)
				}
			}
		})
	}
}
