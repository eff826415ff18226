package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store/storetest"
)

// tree writes files into a new folder. A name that ends in .gz is compressed.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		content := []byte(text)
		if strings.HasSuffix(name, ".gz") {
			var b bytes.Buffer
			z := gzip.NewWriter(&b)
			if _, err := z.Write(content); err != nil {
				t.Fatal(err)
			}
			if err := z.Close(); err != nil {
				t.Fatal(err)
			}
			content = b.Bytes()
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// onEachEngine runs f once for each engine. empty opens an empty store.
func onEachEngine(t *testing.T, f func(t *testing.T, empty func() *opened)) {
	open := func(t *testing.T, s storage) *opened {
		store, err := s.open(context.Background(), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := store.Close(); err != nil {
				t.Error(err)
			}
		})
		return store
	}
	t.Run("sqlite", func(t *testing.T) {
		f(t, func() *opened { return open(t, storage{Data: t.TempDir()}) })
	})
	t.Run("postgres", func(t *testing.T) {
		f(t, func() *opened { return open(t, storage{Data: t.TempDir(), Database: storetest.Postgres(t)}) })
	})
}

// importInto runs an import of paths. journalDir is where its journal is.
func importInto(t *testing.T, store rest.Store, journalDir string, paths ...string) (*importer, error) {
	t.Helper()
	files, err := inputs(paths)
	if err != nil {
		t.Fatal(err)
	}
	j, err := openJournal(journalDir, []byte("key"))
	if err != nil {
		t.Fatal(err)
	}
	defer j.close()
	r, err := openReport(filepath.Join(t.TempDir(), "report.ndjson"), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	im := &importer{store: store, maker: bundle.Maker{Base: "http://127.0.0.1/fhir"}, journal: j, report: r, workers: 2}
	im.progress = newProgress(io.Discard, files)
	defer im.progress.end()
	return im, im.run(context.Background(), files)
}

// versions returns how many versions there are of what, in all.
func versions(t *testing.T, store rest.Store) map[string]int {
	t.Helper()
	all := map[string]int{}
	q := &search.History{Count: 1000, Restriction: search.Unrestricted}
	for {
		page, err := store.History(context.Background(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Entries {
			all[e.Ref.Type+" "+e.Method.String()]++
			if e.Ref.Version > 1 {
				all["later versions"]++
			}
		}
		if page.Next == "" {
			return all
		}
		q.After = page.Next
	}
}

func patient(id, family string) string {
	member := ""
	if id != "" {
		member = `"id":"` + id + `",`
	}
	return fmt.Sprintf(`{"resourceType":"Patient",%s"name":[{"family":"%s"}]}`, member, family)
}

// transactionOf makes a transaction that creates a patient and so many observations of it.
func transactionOf(name string, observations int) string {
	entries := []string{`{"fullUrl":"urn:uuid:0d0e4e4c-5f6a-4c0d-8a9b-000000000000","resource":` + patient("left-by-synthea", name) + `,"request":{"method":"POST","url":"Patient"}}`}
	for range observations {
		entries = append(entries, `{"resource":{"resourceType":"Observation","status":"final","code":{"text":"`+name+`"},`+
			`"subject":{"reference":"urn:uuid:0d0e4e4c-5f6a-4c0d-8a9b-000000000000"}},"request":{"method":"POST","url":"Observation"}}`)
	}
	return `{"resourceType":"Bundle","type":"transaction","entry":[` + strings.Join(entries, ",") + `]}`
}

// everyKind is a folder with a file of each kind that an import takes, and what is
// there when it has been imported: no resource has a second version.
func everyKind(t *testing.T) (dir string, want map[string]int) {
	var lines strings.Builder
	for n := range 1203 {
		fmt.Fprintln(&lines, patient(fmt.Sprintf("n%d", n), "Línea"))
	}
	lines.WriteString("\n" + patient("", "sin id")) // no line end
	return tree(t, map[string]string{
		"1-hospitalInformation.json": `{"resourceType":"Bundle","type":"batch","entry":[
			{"resource":{"resourceType":"Organization","identifier":[{"system":"urn:x","value":"1"}],"name":"A"},"request":{"method":"POST","url":"Organization","ifNoneExist":"identifier=urn:x|1"}},
			{"resource":{"resourceType":"Organization","name":"B"},"request":{"method":"POST","url":"Organization"}},
			{"resource":{"resourceType":"Organization","name":"B"},"request":{"method":"POST","url":"Organization"}}]}`,
		"a.json":              transactionOf("A", 3),
		"b/b.json.gz":         transactionOf("B", 4),
		"b/c.json":            `{"resourceType":"Bundle","type":"transaction","entry":[{"resource":{"resourceType":"Encounter","status":"planned","class":{"code":"AMB"},"serviceProvider":{"reference":"Organization?identifier=urn:x|1"}},"request":{"method":"POST","url":"Encounter"}}]}`,
		"d/Patient.ndjson.gz": lines.String(),
		"one.json":            `{"resourceType":"Device","id":"d1"}`,
		"README.md":           "not imported",
	}), map[string]int{"Organization POST": 3, "Patient POST": 2, "Observation POST": 7, "Encounter POST": 1, "Patient PUT": 1204, "Device PUT": 1}
}

func TestImport(t *testing.T) { onEachEngine(t, testImport) }

func testImport(t *testing.T, empty func() *opened) {
	dir, want := everyKind(t)
	store, journal := empty(), t.TempDir()
	im, err := importInto(t, store, journal, dir)
	if err != nil {
		t.Fatal(err)
	}
	total := int64(0)
	for _, n := range want {
		total += int64(n)
	}
	if n, refused := im.progress.resources.Load(), im.report.refused.Load(); n != total || refused != 0 {
		t.Errorf("imported %d and refused %d, want %d and none", n, refused, total)
	}
	same(t, versions(t, store), want)

	for name, j := range map[string]string{"again": journal, "again, without the journal": t.TempDir()} {
		im, err := importInto(t, store, j, dir)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if refused := im.report.refused.Load(); refused != 0 {
			t.Errorf("%s: %d refused", name, refused)
		}
		same(t, versions(t, store), want)
		if j == journal && im.skipped.Load() != 6 {
			t.Errorf("%s: %d files were skipped, want all 6", name, im.skipped.Load())
		}
	}
}

func same(t *testing.T, got, want map[string]int) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the store has %v, want %v", got, want)
	}
}

// dying is a store that is lost right after the n-th transaction was committed,
// before anybody hears of it.
type dying struct {
	rest.Store
	left atomic.Int64
	last error // what is heard instead
}

func (d *dying) Apply(ctx context.Context, b *bundle.Batch) ([]bundle.Result, error) {
	n := d.left.Add(-1)
	if n < 0 {
		return nil, d.last
	}
	results, err := d.Store.Apply(ctx, b)
	if err == nil && n == 0 {
		return nil, d.last
	}
	return results, err
}

// TestImportAfterBeingKilled ends an import after each of its commits in turn, as
// if it were killed or had lost its database, and has it done again. Nothing may be
// missing, nothing made twice, and nothing blamed on the input.
func TestImportAfterBeingKilled(t *testing.T) { onEachEngine(t, testImportAfterBeingKilled) }

func testImportAfterBeingKilled(t *testing.T, empty func() *opened) {
	dir, want := everyKind(t)
	for n := 1; ; n++ {
		store, journal := empty(), t.TempDir()
		d := &dying{Store: store, last: errors.New("killed")}
		if n%3 == 0 {
			d.last = fhir.Errorf(fhir.Unavailable, "the database is away")
		}
		d.left.Store(int64(n))
		im, err := importInto(t, d, journal, dir)
		if err == nil {
			if n < 8 {
				t.Errorf("the import took %d commits only", n-1)
			}
			return
		}
		if !errors.Is(err, d.last) || im.report.refused.Load() > 0 {
			t.Fatalf("it ended with %v, and %d refused", err, im.report.refused.Load())
		}
		if n%2 == 0 {
			journal = t.TempDir() // the journal is lost as well
		}
		if _, err := importInto(t, store, journal, dir); err != nil {
			t.Fatalf("after being killed at commit %d: %v", n, err)
		}
		same(t, versions(t, store), want)
	}
}

// TestImportIntoARestoredDatabase holds that the journal alone keeps nothing out.
func TestImportIntoARestoredDatabase(t *testing.T) { onEachEngine(t, testImportIntoARestoredDatabase) }

func testImportIntoARestoredDatabase(t *testing.T, empty func() *opened) {
	dir, want := everyKind(t)
	journal := t.TempDir()
	if _, err := importInto(t, empty(), journal, dir); err != nil {
		t.Fatal(err)
	}
	restored := empty()
	if _, err := importInto(t, restored, journal, dir); err != nil {
		t.Fatal(err)
	}
	same(t, versions(t, restored), want)
}

func TestImportReportsWhatItRefuses(t *testing.T) { onEachEngine(t, testImportReportsWhatItRefuses) }

func testImportReportsWhatItRefuses(t *testing.T, empty func() *opened) {
	dir := tree(t, map[string]string{
		"lines.ndjson": strings.Join([]string{
			patient("good1", "A"),
			`{"resourceType":"Patient",`,
			`{"resourceType":"Patient","id":"bad id"}`,
			`{"resourceType":"Patient","id":"bad2","gender":"masculino"}`,
			`[1]`,
			`{"resourceType":"Paciente","id":"x"}`,
			patient("good2", "B"),
			patient("good1", "C"), // once more: a second version
		}, "\n"),
		"batch.json": `{"resourceType":"Bundle","type":"batch","entry":[
			{"resource":{"resourceType":"Device","id":"d1"},"request":{"method":"PUT","url":"Device/d1"}},
			{"resource":{"resourceType":"Device","status":"lost"},"request":{"method":"POST","url":"Device"}},
			{"request":{"method":"FETCH","url":"Device"}}]}`,
		"transaction.json": strings.Replace(transactionOf("T", 2), `"status":"final"`, `"status":"firm"`, 1),
		"patch.json":       `{"resourceType":"Bundle","type":"transaction","entry":[{"resource":{"resourceType":"Binary","contentType":"application/json-patch+json","data":"W10="},"request":{"method":"PATCH","url":"Patient/good1"}}]}`,
		"collection.json":  `{"resourceType":"Bundle","type":"collection"}`,
		"broken.json.gz":   "x",
	})
	if err := os.WriteFile(filepath.Join(dir, "broken.json.gz"), []byte("this is no gzip"), 0o644); err != nil {
		t.Fatal(err)
	}
	store := empty()
	im, err := importInto(t, store, t.TempDir(), dir)
	if err != nil {
		t.Fatal(err)
	}
	same(t, versions(t, store), map[string]int{"Patient PUT": 3, "Device PUT": 1, "later versions": 1})

	text, err := os.ReadFile(im.report.file.Name())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]refusal{}
	for l := range strings.Lines(string(text)) {
		var r refusal
		if err := json.Unmarshal([]byte(l), &r); err != nil {
			t.Fatal(err)
		}
		where := fmt.Sprintf("%s %d %s", filepath.Base(r.File), r.Line, r.Entry)
		if _, twice := got[where]; twice {
			t.Errorf("%s was reported twice", where)
		}
		got[where] = r
	}
	for where, want := range map[string]string{
		"lines.ndjson 2 ":      "", // position within the line
		"lines.ndjson 3 ":      "",
		"lines.ndjson 4 ":      "Patient.gender",
		"lines.ndjson 5 ":      "object",
		"lines.ndjson 6 ":      "",
		"batch.json 0 entry 1": "status",
		"batch.json 0 entry 2": "method",
		"transaction.json 0 ":  "status",
		"patch.json 0 ":        "patches over HTTP",
		"collection.json 0 ":   "batch or transaction",
		"broken.json.gz 0 ":    "gzip",
	} {
		r, ok := got[where]
		if !ok || r.Reason == "" || !strings.Contains(r.Reason+r.Expression, want) {
			t.Errorf("%s: reported as %+v, want something on %q", where, r, want)
		}
		delete(got, where)
	}
	for where, r := range got {
		t.Errorf("%s was refused: %+v", where, r)
	}
}

// TestImportOfSynthea imports what Synthea makes: transactions whose references are
// all inside, others that refer to practitioners by a search, and an export.
func TestImportOfSynthea(t *testing.T) {
	t.Parallel()
	data := filepath.Join(filepath.Dir(repository(t)), "shared", "data")
	if _, err := os.Stat(data); err != nil {
		t.Skipf("SKIPPED: %s is not there", data)
	}
	var paths []string
	for _, typ := range []string{"DocumentReference", "Organization", "Practitioner"} { // the first refers to the others
		paths = append(paths, filepath.Join(data, "bulk-ndjson-10p", typ+".000.ndjson.gz"))
	}
	for folder, n := range map[string]int{"synthea-r4-urn": 4, "synthea-r4-conditional": 4} { // of the latter, two are the shared ones
		files, err := filepath.Glob(filepath.Join(data, folder, "*.json.gz"))
		if err != nil || len(files) < n {
			t.Fatalf("%s has %d files, %v", folder, len(files), err)
		}
		paths = append(paths, files[:n]...)
		paths = append(paths, filepath.Join(data, "synthea-r4-conditional", "1-practitionerInformation.json.gz"))
	}
	onEachEngine(t, func(t *testing.T, empty func() *opened) {
		store := empty()
		im, err := importInto(t, store, t.TempDir(), paths...)
		if err != nil {
			t.Fatal(err)
		}
		if n, refused := im.progress.resources.Load(), im.report.refused.Load(); n < 8000 || refused != 0 {
			text, _ := os.ReadFile(im.report.file.Name())
			t.Errorf("imported %d, refused %d: %.2000s", n, refused, text)
		}
		if v := versions(t, store); v["later versions"] != 0 {
			t.Errorf("something was made twice: %v", v)
		}
	})
}

func TestInputsComeInOrder(t *testing.T) {
	dir := tree(t, map[string]string{
		"z.json": "", "a.json": "", "1-practitionerInformation99.json.gz": "", "0-hospitalInformation99.json": "",
		"x/hospitalInformation1.json": "", "x/y/b.NDJSON": "", "x/notes.txt": "", "x/c.json.bak": "",
		"e/Condition.000.ndjson.gz": "", "e/Organization.000.ndjson.gz": "", "e/Patient.ndjson": "",
		"e/Practitioner.000.ndjson": "", "e/PractitionerRole.000.ndjson": "",
	})
	files, err := inputs([]string{dir, filepath.Join(dir, "z.json")})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range files {
		name, _ := filepath.Rel(dir, f.path)
		got = append(got, name)
	}
	want := "0-hospitalInformation99.json e/Organization.000.ndjson.gz x/hospitalInformation1.json 1-practitionerInformation99.json.gz " +
		"e/Practitioner.000.ndjson e/PractitionerRole.000.ndjson e/Patient.ndjson a.json e/Condition.000.ndjson.gz x/y/b.NDJSON z.json"
	if strings.Join(got, " ") != want {
		t.Errorf("the order is %s\nwant         %s", strings.Join(got, " "), want)
	}
}

// TestLineTrack ends units in every kind of order; the file is done up to the
// first unit that is not.
func TestLineTrack(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 0))
		from := rng.IntN(2) * 500
		track := newLineTrack(input{}, from)
		var ends []int
		for at, n := from, 1+rng.IntN(8); n > 0; n-- {
			at += 1 + rng.IntN(500)
			ends = append(ends, at)
			track.sent(at, n == 1)
		}
		finished := map[int]bool{}
		for _, i := range rng.Perm(len(ends)) {
			finished[ends[i]] = true
			want := from
			for _, e := range ends {
				if !finished[e] {
					break
				}
				want = e
			}
			lines, done, news := track.finished(ends[i])
			if lines != want || done != (want == ends[len(ends)-1]) || news != (want > from && want >= ends[i]) {
				t.Fatalf("seed %d: units end at %v, finished %v: %d, %v, %v; want %d", seed, ends, finished, lines, done, news, want)
			}
		}
	}
}

func TestIDs(t *testing.T) {
	a, b := idsOf([]byte("a")), idsOf([]byte("b"))
	seen := map[string]bool{}
	for n := range 3000 {
		for _, id := range []string{a.id(n), b.id(n)} {
			if seen[id] || !fhir.ValidID(id) || id[14] != '8' || !strings.Contains("89ab", id[19:20]) {
				t.Fatalf("id %d is %s", n, id)
			}
			seen[id] = true
		}
	}
	if a.id(7) != idsOf([]byte("a")).id(7) {
		t.Error("the same text gave another id")
	}
}
