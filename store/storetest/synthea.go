package storetest

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
)

// syntheaFolder is where the transaction bundles of synthetic patients lie, from
// the root of the repository.
const syntheaFolder = "../shared/data/synthea-r4-urn"

// Synthea returns up to n transactions of synthetic patients, each ready to be
// applied: what they store is made, so that a benchmark measures the engine alone.
// The test is skipped where the data is not there.
func Synthea(t testing.TB, n int) []*bundle.Batch {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root(t), syntheaFolder, "*.json.gz"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skipf("SKIPPED: no data in %s", syntheaFolder)
	}
	slices.Sort(files)
	var all []*bundle.Batch
	for _, file := range files[:min(n, len(files))] {
		all = append(all, transaction(t, file))
	}
	return all
}

// transaction plans the bundle in file and freezes what it stores.
func transaction(t testing.TB, file string) *bundle.Batch {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	json, err := io.ReadAll(unzipped)
	if err != nil {
		t.Fatal(err)
	}
	source, err := bundle.Parse(json)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	opened, err := bundle.Open(source, 1<<20)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	plan, err := bundle.NewPlan(opened, bundle.Options{
		Maker: bundle.Maker{Base: base},
		NewID: func() string { return uuid.Must(uuid.NewV7()).String() },
	})
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return freeze(t, &plan.Batch)
}

// freeze replaces every Build of b by its result.
func freeze(t testing.TB, b *bundle.Batch) *bundle.Batch {
	t.Helper()
	env := &bundle.Env{}
	for i := range b.Changes {
		env.Targets = append(env.Targets, b.Changes[i].Ref)
	}
	out := &bundle.Batch{}
	for i := range b.Changes {
		c := b.Changes[i]
		content, err := c.Build(env, c.Ref, nil)
		if err != nil {
			t.Fatal(err)
		}
		c.Build = func(*bundle.Env, fhir.Ref, *fhir.Resource) (*bundle.Content, error) { return content, nil }
		c.Where = nil
		out.Changes = append(out.Changes, c)
	}
	return out
}

// root returns the root of the repository: the folder of go.mod.
func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the working directory")
		}
		dir = filepath.Dir(dir)
	}
}
