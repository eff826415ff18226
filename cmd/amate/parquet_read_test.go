package main

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// countParquet prints, of a folder of Parquet, how many resources there are by type and
// month, and then how many women.
const countParquet = `import duckdb, sys
rows = f"read_parquet('{sys.argv[1]}/*/*/*.parquet', hive_partitioning = true, hive_types_autocast = false)"
for row in duckdb.sql(f"select type, month, count(distinct id) from {rows} group by all").fetchall():
    print(*row)
print("women", "-", *duckdb.sql(f"select count(*) from {rows} where type = 'Patient' and (resource::json->>'gender') = 'female'").fetchall()[0])`

// parquetRead: DuckDB reads what a server exports as Parquet, put away by type and month as
// the manifest says, and counts what the server counts.
func parquetRead(t *testing.T, a *asker) {
	python := ""
	for _, p := range []string{os.Getenv("AMATE_TEST_PYTHON"), "../../.cache/python/bin/python", "python3"} {
		if p != "" && exec.Command(p, "-c", "import duckdb").Run() == nil {
			python = p
			break
		}
	}
	if python == "" {
		t.Skip("SKIPPED, NOTHING WAS TESTED: no Python with the package duckdb (AMATE_TEST_PYTHON names one)")
	}
	at := a.ordered("/$export?_outputFormat=application/vnd.apache.parquet")
	a.exported(at)
	var m struct {
		Output []struct {
			Type, URL string
			Extension struct {
				Partition struct{ Type, Month string }
			}
		}
	}
	if _, _, out := a.do("GET", at, "", "Accept", "application/json"); json.Unmarshal([]byte(out), &m) != nil || len(m.Output) < 10 {
		t.Fatal(out)
	}
	dir := t.TempDir()
	for _, f := range m.Output {
		to := filepath.Join(dir, "type="+f.Extension.Partition.Type, "month="+f.Extension.Partition.Month)
		status, _, content := a.do("GET", strings.TrimPrefix(f.URL, a.base), "", "Accept", "application/vnd.apache.parquet")
		if status != http.StatusOK || f.Type != f.Extension.Partition.Type {
			t.Fatalf("%s: %d", f.URL, status)
		}
		if err := os.MkdirAll(to, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, filepath.Base(f.URL)), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.Command(python, "-c", countParquet, dir).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	read := map[string]int{}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		n, err := strconv.Atoi(words[2])
		if err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		read[words[0]] += n
	}
	for what, n := range read {
		search := "/" + what + "?_summary=count"
		growing := what == "ImmunizationRecommendation" // which the server itself writes, meanwhile
		if what == "women" {
			search = "/Patient?gender=female&_summary=count"
		}
		var found struct{ Total int }
		if _, _, out := a.do("GET", search, ""); json.Unmarshal([]byte(out), &found) != nil || found.Total != n && !(growing && found.Total > n) {
			t.Errorf("DuckDB reads %d %s, and the server has %s", n, what, out)
		}
	}
	if read["Patient"] < 100 || read["women"] == 0 || read["women"] == read["Patient"] || len(read) < 10 {
		t.Errorf("DuckDB reads %v", read)
	}
}
