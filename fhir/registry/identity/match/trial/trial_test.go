package trial

import (
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir/registry/identity/match"
)

const data = "../../../../../../shared/data/matching"

func open(t *testing.T, name string) io.Reader {
	t.Helper()
	f, err := os.Open(filepath.Join(data, name))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("SKIPPED: %s is not on this machine", name)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// TestRecords: files of labelled duplicates. The least is below what was measured, so
// that only a step back fails it.
func TestRecords(t *testing.T) {
	for _, c := range []struct {
		read  func(io.Reader) ([]Record, error)
		files []string
		least float64
	}{
		{ReadFEBRL, []string{"febrl/dataset1.csv.gz"}, 0.99},
		{ReadFEBRL, []string{"febrl/dataset4a.csv.gz", "febrl/dataset4b.csv.gz"}, 0.99},
		{ReadDSGen, []string{"febrl/dataset_A_1000.csv.gz"}, 0.99},
		{ReadDSGen, []string{"febrl/dataset_C_5000.csv.gz"}, 0.97}, // up to nine duplicates, with several faults in every field
	} {
		t.Run(c.files[0], func(t *testing.T) {
			var all []Record
			for _, name := range c.files {
				some, err := c.read(open(t, name))
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, some...)
			}
			for name, m := range map[string]*match.Model{"default": match.Default(), "learned": Learn(match.Default(), all)} {
				pairs, linked := Records(m, all)
				t.Logf("%s: %d records: pairs %s; linked %s", name, len(all), pairs, linked)
				if linked.F1() < c.least || linked.Precision() < 0.99 {
					t.Errorf("%s: F1 %.4f, precision %.4f: want %.2f and 0.99 at least", name, linked.F1(), linked.Precision(), c.least)
				}
			}
		})
	}
}

func TestPairs(t *testing.T) {
	all, err := ReadPairs(open(t, "iis-pairs.jsonl.gz"))
	if err != nil {
		t.Fatal(err)
	}
	r, table := Pairs(match.Default(), all)
	t.Logf("%s; %v", r, table)
	if r.F1() < 0.98 {
		t.Errorf("F1 %.4f: want 0.98 at least", r.F1())
	}
	if n := table["Not a Match"][match.Certain]; n > 0 {
		t.Errorf("%d pairs of two people would be joined without anybody looking", n)
	}
}

func TestLayoutErrors(t *testing.T) {
	read := func(s string) error {
		_, err := ReadFEBRL(strings.NewReader(s))
		return err
	}
	for text, want := range map[string]string{
		"":                         "header",
		"rec_id,given_name\n1,2\n": "no column surname",
		"rec_id,given_name,surname,date_of_birth\nrec-1-org,a,b,c\nx,a,b,c\n": "line 3: rec_id",
	} {
		if err := read(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v: want %q", text, err, want)
		}
	}
	for text, want := range map[string]string{"{": "line 1", `{"id":"1","expect":"Maybe","a":{},"b":{}}`: "line 1: expect"} {
		if _, err := ReadPairs(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v: want %q", text, err, want)
		}
	}
}

// TestCounting: the counts of a decision about five records, by hand.
func TestCounting(t *testing.T) {
	person := func(given, family, born string) match.Person {
		return match.Person{Given: match.Names(given), Family: match.Surnames(family), Birth: match.ParseDate(born)}
	}
	all := []Record{
		{Entity: "1", Person: person("Rosa", "Luna Paz", "1990-05-17")},
		{Entity: "1", Person: person("Rosa", "Luna Paz", "1990-05-17")},
		{Entity: "2", Person: person("Rosa", "Luna Paz", "1990-05-17")}, // who is somebody else, and nothing says so
		{Entity: "3", Person: person("Emilio", "Ochoa", "1971-01-02")},
		{Entity: "3", Person: person("Brenda", "Quiroz", "2004-11-30")}, // who is the same, and nothing says so
	}
	pairs, linked := Records(match.Default(), all)
	want := Result{Right: 1, Wrong: 2, Missed: 1}
	if pairs != want || linked != want {
		t.Errorf("pairs %+v, linked %+v: want %+v", pairs, linked, want)
	}
	if got := want.String(); got != "precision 0.3333 recall 0.5000 F1 0.4000" {
		t.Error(got)
	}
}
