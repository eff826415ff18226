package bulk_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// readers are programs that read a folder of Parquet, by the package of Python that they
// need. Each prints type, month, how many resources there are, and how many of them bear the
// id of their row in their JSON.
var readers = map[string]string{
	"duckdb": `import duckdb, sys
for row in duckdb.sql(f"""select type, month, count(*), count(*) filter (resource::json->>'id' = id)
    from read_parquet('{sys.argv[1]}/*/*/*.parquet', hive_partitioning = true, hive_types_autocast = false) group by all""").fetchall():
    print(*row)`,
	"pyspark": `import sys
from pyspark.sql import SparkSession, functions as f
spark = (SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").config("spark.sql.shuffle.partitions", "1")
    .config("spark.driver.bindAddress", "127.0.0.1").config("spark.driver.host", "127.0.0.1")
    .config("spark.sql.sources.partitionColumnTypeInference.enabled", "false").getOrCreate())
rows = spark.read.parquet(sys.argv[1]).groupBy("type", "month").agg(
    f.count("*"), f.count(f.when(f.get_json_object("resource", "$.id") == f.col("id"), 1)))
for row in rows.collect():
    print(*row)`,
}

// TestPartitions: files of an export, laid out as the manifest says of each, are read by
// programs that share no code with the writer, and these count what the server has.
func TestPartitions(t *testing.T) {
	t.Parallel()
	w, _ := people(200)
	want := map[string]int{}
	for _, typ := range []string{"Condition", "Patient"} {
		for _, r := range w.current(typ, moment) {
			want[typ+" "+r.Updated.Format("2006-01")]++
		}
	}
	dir := t.TempDir()
	for _, f := range w.exported(t, "?_type=Patient,Condition&_outputFormat=parquet")["output"] {
		to := filepath.Join(dir, "type="+f.Extension.Partition.Type, "month="+f.Extension.Partition.Month)
		if err := os.MkdirAll(to, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, f.URL[strings.LastIndexByte(f.URL, '/')+1:]), []byte(f.text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var lines []string
	for _, key := range slices.Sorted(maps.Keys(want)) {
		lines = append(lines, fmt.Sprintf("%s %d %[2]d", key, want[key]))
	}
	for module, script := range readers {
		t.Run(module, func(t *testing.T) {
			out, err := exec.Command(python(t, module), "-c", script, dir).Output()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			got := strings.Split(strings.TrimSpace(string(out)), "\n")
			slices.Sort(got)
			if !slices.Equal(got, lines) {
				t.Errorf("it reads\n%s, not\n%s", strings.Join(got, "\n"), strings.Join(lines, "\n"))
			}
		})
	}
}

// python returns an interpreter that has a package, or skips the test.
func python(t *testing.T, module string) string {
	t.Helper()
	for _, p := range []string{os.Getenv("AMATE_TEST_PYTHON"), "../../.cache/python/bin/python", "python3"} {
		if p != "" && exec.Command(p, "-c", "import "+module).Run() == nil {
			return p
		}
	}
	t.Skipf("SKIPPED, NOTHING WAS TESTED: no Python with the package %s (AMATE_TEST_PYTHON names one)", module)
	return ""
}
