package table_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/table"
)

var columns = []table.Column{
	{Name: "zone", Type: "code", Description: "Where it is, with \"quotes\" and ñ"}, {Name: "alive", Type: "boolean"}, {Name: "age", Type: "positiveInt"},
	{Name: "many", Type: "integer64"}, {Name: "height", Type: "decimal"}, {Name: "born", Type: "date"}, {Name: "at", Type: "instant"},
	{Name: "given", Type: "string", Collection: true}, {Name: "counts", Type: "integer", Collection: true}, {Name: "untyped"},
}

func is(kind table.Kind, text string) table.Cell { return table.Cell{Kind: kind, Text: text} }

// rowOf is the i-th of many rows, some of whose cells are null.
func rowOf(i int) []table.Cell {
	row := []table.Cell{
		is(table.String, fmt.Sprintf("z%d", i%7)), is(table.Boolean, fmt.Sprint(i%2 == 0)), is(table.Number, fmt.Sprint(i)), is(table.Number, fmt.Sprint(int64(i)<<31)),
		is(table.Number, fmt.Sprintf("-%d.50", i)), is(table.String, fmt.Sprintf("19%02d-05", i%100)), is(table.String, "2026-01-01T00:00:00.123456-06:00"),
		{Kind: table.List, List: []table.Cell{is(table.String, "Ñuño"), {}, is(table.String, fmt.Sprint(i))}}, {Kind: table.List}, is(table.Number, "1.0"),
	}
	if i%3 == 0 {
		for j := range row {
			row[j] = table.Cell{}
		}
	}
	return row
}

func write(t *testing.T, format *table.Format, rows int) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := format.Open(&out, columns, table.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range rows {
		if err := w.Write(rowOf(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// python returns an interpreter that has DuckDB, or skips the test.
func python(t *testing.T) string {
	t.Helper()
	for _, p := range []string{os.Getenv("AMATE_TEST_PYTHON"), "../../.cache/python/bin/python", "python3"} {
		if p != "" && exec.Command(p, "-c", "import duckdb").Run() == nil {
			return p
		}
	}
	t.Skip("SKIPPED, NOTHING WAS TESTED: no Python with the package duckdb (AMATE_TEST_PYTHON names one)")
	return ""
}

// ask returns what DuckDB answers to a query, as JSON; FILE in it is the file.
func ask(t *testing.T, python, file, query string) string {
	t.Helper()
	script := `import duckdb, json, sys
print(json.dumps(duckdb.sql(sys.argv[1]).fetchall(), default=str, ensure_ascii=False))`
	cmd := exec.Command(python, "-c", script, strings.ReplaceAll(query, "FILE", "'"+file+"'"))
	cmd.Env = append(os.Environ(), "PYTHONIOENCODING=utf-8", "TZ=UTC")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", query, err, out)
	}
	return strings.TrimSpace(string(out))
}

// DuckDB has to read what is written here: a reader that shares no code with the writer.
func TestParquetIsRead(t *testing.T) {
	py := python(t)
	const rows = 70_000 // more than a row group
	file := filepath.Join(t.TempDir(), "a.parquet")
	if err := os.WriteFile(file, write(t, table.Parquet, rows), 0o600); err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]string{
		"select column_name, column_type from (describe select * from FILE)":                                                                                                    `[["zone", "VARCHAR"], ["alive", "BOOLEAN"], ["age", "INTEGER"], ["many", "BIGINT"], ["height", "DECIMAL(38,12)"], ["born", "VARCHAR"], ["at", "TIMESTAMP WITH TIME ZONE"], ["given", "VARCHAR[]"], ["counts", "INTEGER[]"], ["untyped", "VARCHAR"]]`,
		"select count(*), count(zone), count(counts), sum(age), sum(many)::varchar, sum(height)::varchar, count(*) filter (alive), sum(len(given)), sum(len(counts)) from FILE": `[[70000, 46666, 46666, 1633333333, "3507556624465854464", "-1633356666.000000000000", 23333, 139998, 0]]`,
		"select zone, age, height::varchar, born, given, counts, untyped, \"at\" = timestamptz '2026-01-01 06:00:00.123456+00' from FILE where age = 100":                       `[["z2", 100, "-100.500000000000", "1900-05", ["Ñuño", null, "100"], [], "1.0", true]]`,
		"select distinct zone from FILE order by zone nulls first":                                                                                                              `[[null], ["z0"], ["z1"], ["z2"], ["z3"], ["z4"], ["z5"], ["z6"]]`,
		"select count(distinct row_group_id) from parquet_metadata(FILE)":                                                                                                       `[[2]]`,
		"select decode(value) from parquet_kv_metadata(FILE) where decode(key) = 'description.zone'":                                                                            `[["Where it is, with \"quotes\" and ñ"]]`,
	} {
		got := ask(t, py, file, query)
		if strings.HasPrefix(query, "select count(*), count(zone)") {
			// The sums are counted here, not written down.
			want = sums(rows)
		}
		if got != want {
			t.Errorf("%s:\n%s, want\n%s", query, got, want)
		}
	}
	// Every cell is that of the same table as JSON.
	small := filepath.Join(t.TempDir(), "b.parquet")
	if err := os.WriteFile(small, write(t, table.Parquet, 300), 0o600); err != nil {
		t.Fatal(err)
	}
	var have [][]any
	if err := json.Unmarshal([]byte(ask(t, py, small, "select zone, alive, age, many, height::double, born, given, counts, untyped from FILE")), &have); err != nil {
		t.Fatal(err)
	}
	var want []map[string]any
	if err := json.Unmarshal(write(t, table.JSON, 300), &want); err != nil {
		t.Fatal(err)
	}
	for i, row := range want {
		for j, name := range []string{"zone", "alive", "age", "many", "height", "born", "given", "counts", "untyped"} {
			w := row[name]
			if name == "untyped" && w != nil {
				w = "1.0"
			}
			if !reflect.DeepEqual(have[i][j], w) {
				t.Fatalf("row %d has %v as %s, want %v", i, have[i][j], name, w)
			}
		}
	}
}

func sums(rows int) string {
	var n, age, alive int
	for i := range rows {
		if i%3 == 0 {
			continue
		}
		n, age = n+1, age+i
		if i%2 == 0 {
			alive++
		}
	}
	half := n * 5 // tenths
	return fmt.Sprintf(`[[%d, %d, %d, %d, "%d", "-%d.%d00000000000", %d, %d, 0]]`, rows, n, n, age, age<<31, age+half/10, half%10, alive, 3*n)
}

// A cell that is not of the type of its column is refused, and not made into something else.
func TestParquetOfOtherTypes(t *testing.T) {
	for _, c := range []struct{ typ, text string }{
		{"boolean", "yes"}, {"integer", "2147483648"}, {"positiveInt", "1.5"}, {"decimal", "a"}, {"decimal", "1e300"}, {"decimal", "1e999999999999"}, {"decimal", ""},
		{"decimal", "-"}, {"instant", "2026-01-01"}, {"decimal", "0x10"}, {"decimal", "1_0"},
	} {
		w, err := table.Parquet.Open(new(bytes.Buffer), []table.Column{{Name: "c", Type: c.typ}}, table.Options{})
		if err != nil {
			t.Fatal(err)
		}
		err = w.Write([]table.Cell{is(table.String, c.text)})
		var e *fhir.Error
		if !errors.As(err, &e) || e.Code != fhir.Unprocessable || !strings.Contains(e.Details, "column c") {
			t.Errorf("%q as %s: %v", c.text, c.typ, err)
		}
	}
}

// A file of no rows says its columns all the same.
func TestParquetOfNothing(t *testing.T) {
	b := write(t, table.Parquet, 0)
	f, err := parquet.OpenFile(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	if f.NumRows() != 0 || len(f.Schema().Fields()) != len(columns) || f.Schema().Fields()[0].Name() != "zone" {
		t.Errorf("%d rows of %v", f.NumRows(), f.Schema())
	}
}

func BenchmarkParquet(b *testing.B) {
	w, err := table.Parquet.Open(new(discard), columns, table.Options{})
	if err != nil {
		b.Fatal(err)
	}
	row := rowOf(1)
	b.ReportAllocs()
	for b.Loop() {
		if err := w.Write(row); err != nil {
			b.Fatal(err)
		}
	}
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }

// TestHeld: of text that hardly repeats, little is held until a group is written, and none
// behind that, whether or not it is known that it does not repeat.
func TestHeld(t *testing.T) {
	for _, unique := range []bool{true, false} {
		var out bytes.Buffer
		w, err := table.Parquet.Open(&out, []table.Column{{Name: "text", Type: "string", Unique: unique}, {Name: "few", Type: "string"}}, table.Options{})
		if err != nil {
			t.Fatal(err)
		}
		heap := func() int {
			var m runtime.MemStats
			runtime.GC()
			runtime.GC() // pools are empty after the second
			runtime.ReadMemStats(&m)
			return int(m.HeapAlloc)
		}
		before, long := heap(), strings.Repeat("x", 4000)
		for i := range 7000 {
			if err := w.Write([]table.Cell{is(table.String, fmt.Sprintf("%d %s", i, long)), is(table.String, fmt.Sprint(i%3))}); err != nil {
				t.Fatal(err)
			}
		}
		g := w.(table.Grouped)
		if grown := heap() - before; g.Held() < 7000*4000 || grown > 8<<20 {
			t.Errorf("rows of %d bytes are held in %d", g.Held(), grown)
		}
		was := out.Len()
		if err := g.Flush(); err != nil || g.Held() != 0 || out.Len() == was {
			t.Errorf("%d bytes are held, and %d were written: %v", g.Held(), out.Len()-was, err)
		}
		for i := range 3000 { // in a group after that, too
			if err := w.Write([]table.Cell{is(table.String, fmt.Sprintf("%d %s", 7000+i, long)), is(table.String, fmt.Sprint((7000+i)%3))}); err != nil {
				t.Fatal(err)
			}
		}
		if err := g.Close(); err != nil {
			t.Fatal(err)
		}
		held(t, out.Bytes(), long)
	}
}

// held reads what TestHeld has written.
func held(t *testing.T, raw []byte, long string) {
	t.Helper()
	type row struct {
		Text string `parquet:"text,optional"`
		Few  string `parquet:"few,optional"`
	}
	rows, err := parquet.Read[row](bytes.NewReader(raw), int64(len(raw)))
	if err != nil || len(rows) != 10_000 {
		t.Fatalf("%d rows: %v", len(rows), err)
	}
	for i, r := range rows {
		if r.Text != fmt.Sprintf("%d %s", i, long) || r.Few != fmt.Sprint(i%3) {
			t.Fatalf("row %d: %.20q %q", i, r.Text, r.Few)
		}
	}
}
