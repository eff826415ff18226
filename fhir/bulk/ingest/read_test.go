package ingest

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"pgregory.net/rapid"
)

// all reads a file, chunk by chunk.
func all(t testing.TB, r *reader) (chunks [][]line) {
	t.Helper()
	for {
		chunk, err := r.chunk()
		if len(chunk) > 0 {
			chunks = append(chunks, slices.Clone(chunk))
		}
		if err == io.EOF {
			return chunks
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestChunks: whatever lines there are, each comes once, in order, with its number, and no
// chunk has two of one resource.
func TestChunks(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		ids := rapid.SliceOfN(rapid.IntRange(-1, 30), 0, 600).Draw(t, "ids") // -1 is an empty line
		var file strings.Builder
		var want []string
		for n, id := range ids {
			if id < 0 {
				file.WriteString(" \t\r\n")
				continue
			}
			fmt.Fprintf(&file, `{"resourceType":"Patient","id":"p%d"}`+"\n", id)
			want = append(want, fmt.Sprintf("%d p%d", n+1, id))
		}
		text := file.String()
		if rapid.Bool().Draw(t, "no line end") {
			text = strings.TrimSuffix(text, "\n")
		}
		var got []string
		r := &reader{r: bufio.NewReaderSize(strings.NewReader(text), 16), typ: "Patient"}
		for {
			chunk, err := r.chunk()
			seen := map[string]bool{}
			for _, l := range chunk {
				if seen[l.id] || l.wrong != nil {
					t.Fatalf("twice or wrong: %+v", l)
				}
				seen[l.id] = true
				got = append(got, fmt.Sprintf("%d %s", l.number, l.id))
			}
			if len(chunk) > chunkLines {
				t.Fatal(len(chunk))
			}
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%v, not %v", got, want)
		}
	})
}

func TestWrongLines(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{`: "json", `[]`: "a line is a resource", `{"resourceType":"Observation","id":"a"}`: "said to be of Patient",
		`{"resourceType":"Patient"}`: "has an id", `{"resourceType":"Patient","id":"a/b"}`: "has an id",
	} {
		r := &reader{r: bufio.NewReader(strings.NewReader(text)), typ: "Patient"}
		chunks := all(t, r)
		if len(chunks) != 1 || len(chunks[0]) != 1 || chunks[0][0].wrong == nil {
			t.Fatalf("%s: %+v", text, chunks)
		}
		if issue := issuesOf(chunks[0][0].wrong)[0]; !strings.Contains(issue.Rule+issue.Details, want) {
			t.Errorf("%s: %+v", text, issue)
		}
	}
}

func TestPacked(t *testing.T) {
	t.Parallel()
	const text = `{"resourceType":"Patient","id":"a"}` + "\n" + `{"resourceType":"Patient","id":"b"}`
	var zipped, coded bytes.Buffer
	g := gzip.NewWriter(&zipped)
	z, err := zstd.NewWriter(&coded)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []io.WriteCloser{g, z} {
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for name, file := range map[string][]byte{"plain": []byte(text), "gzip": zipped.Bytes(), "zstd": coded.Bytes(), "empty": nil} {
		r, done, err := plain(bytes.NewReader(file))
		if err != nil {
			t.Fatal(name, err)
		}
		got, err := io.ReadAll(r)
		done()
		if err != nil || string(got) != text && name != "empty" || name == "empty" && len(got) > 0 {
			t.Errorf("%s: %v %q", name, err, got)
		}
	}
}

// FuzzLines: nothing that is sent to the server can leave its entry.
func FuzzLines(f *testing.F) {
	for _, seed := range []string{`{"resourceType":"Patient","id":"a"}`, `{"resourceType":"Patient","id":"a"}}]},{`, "\x1f\x8b", "\n\n{", `{"resourceType":"Patient","id":"a","id":"b"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r := &reader{r: bufio.NewReader(bytes.NewReader(text)), typ: "Patient"}
		taker := &taker{typ: "Patient"}
		for _, chunk := range all(t, r) {
			good := slices.DeleteFunc(chunk, func(l line) bool { return l.wrong != nil })
			bundle := &reader{r: bufio.NewReader(bytes.NewReader(taker.bundle("batch", good))), typ: "Bundle"}
			var l line
			l.text = taker.bundle("batch", good)
			if bundle.look(&l); bundle.doc.Len() == 0 || l.wrong != nil && !strings.Contains(l.wrong.Error(), "has an id") {
				t.Fatalf("%v: %s", l.wrong, l.text)
			}
			entries := 0
			for range bundle.doc.Items(0, "entry") {
				entries++
			}
			if entries != len(good) {
				t.Fatalf("%d entries of %d lines", entries, len(good))
			}
		}
	})
}
