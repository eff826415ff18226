package r4

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/fhir/go/fhirversion"
	"github.com/google/fhir/go/jsonformat"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/samples"
	"github.com/amate-health/amate/fhir/validate"
)

// specimen is a resource that both validators judge.
type specimen struct {
	name string
	json []byte
}

func examples(t testing.TB) (all []specimen) {
	files, err := filepath.Glob(filepath.Join(samples.Path(t, "r4-examples"), "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		all = append(all, specimen{filepath.Base(f), samples.Read(t, f)})
	}
	return all
}

// synthea returns the first resources of each type of some Synthea patients.
func synthea(t testing.TB) (all []specimen) {
	files, err := filepath.Glob(filepath.Join(samples.Path(t, "synthea-r4-urn"), "*.json.gz"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files[:min(6, len(files))] {
		var b struct {
			Entry []struct{ Resource json.RawMessage }
		}
		if err := json.Unmarshal(samples.Read(t, f), &b); err != nil {
			t.Fatal(err)
		}
		seen := map[string]int{}
		for i, e := range b.Entry {
			var r struct{ ResourceType string }
			if err := json.Unmarshal(e.Resource, &r); err != nil {
				t.Fatal(err)
			}
			if seen[r.ResourceType]++; seen[r.ResourceType] <= 5 {
				all = append(all, specimen{fmt.Sprintf("%s entry %d", filepath.Base(f), i), e.Resource})
			}
		}
	}
	return all
}

// definitions returns every tenth of the definitions of R4 itself.
func definitions(t testing.TB) (all []specimen) {
	files := tar.NewReader(bytes.NewReader(samples.Read(t, samples.Path(t, "r4-core", "hl7.fhir.r4.core-4.0.1.tar.gz"))))
	for i := 0; ; i++ {
		h, err := files.Next()
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(h.Name)
		if i%10 != 0 || !strings.HasSuffix(name, ".json") || !strings.Contains(name, "-") || strings.Contains(h.Name, "/other/") || strings.Contains(h.Name, "openapi") {
			continue
		}
		src, err := io.ReadAll(files)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, specimen{name, src})
	}
}

// oracle compares what both validators say.
type oracle struct {
	t       *testing.T
	google  *jsonformat.Unmarshaller
	judged  int
	refused int            // by both
	apart   int            // judged differently
	classes map[string]int // disagreements, by the name of their explanation
}

func newOracle(t *testing.T) *oracle {
	u, err := jsonformat.NewUnmarshaller("UTC", fhirversion.R4)
	if err != nil {
		t.Fatal(err)
	}
	u.MaxNestingDepth = 100
	return &oracle{t: t, google: u, classes: map[string]int{}}
}

// judge fails the test when the validators disagree and nothing explains it.
func (o *oracle) judge(s specimen) {
	o.t.Helper()
	o.judged++
	found := verdict(s.json)
	_, err := o.google.Unmarshal(s.json)
	switch {
	case found == nil && err == nil:
	case found != nil && err != nil:
		o.refused++
	case found != nil:
		o.apart++
		for _, issue := range found {
			name := ours(issue, s.json)
			if name == "" && followsFrom(issue, found) {
				continue
			}
			if name == "" {
				o.unexplained(s, "we alone refuse it: %s %s %s", issue.Rule, issue.Expression, issue.Diagnostics)
				return
			}
			o.classes["we alone: "+name]++
		}
	default:
		o.apart++
		for _, finding := range strings.Split(err.Error(), "error at ") {
			if finding == "" {
				continue
			}
			name := theirs(finding, s.json)
			if name == "" {
				o.unexplained(s, "google/fhir alone refuses it: %.300s", finding)
				return
			}
			o.classes["google/fhir alone: "+name]++
		}
	}
}

func (o *oracle) unexplained(s specimen, format string, args ...any) {
	o.t.Helper()
	o.t.Errorf(s.name+": "+format+"\n%.600s", append(args, s.json)...)
}

// verdict returns what we have against a resource; nil for nothing.
func verdict(src []byte) []fhir.Issue {
	doc, err := element.Parse(src)
	if err != nil {
		rule := "syntax"
		if strings.HasSuffix(err.Error(), "stands twice in one object") {
			rule = "duplicate"
		}
		return []fhir.Issue{{Rule: rule, Diagnostics: err.Error()}}
	}
	return validate.Check(doc, 0, "")
}

func (o *oracle) report() {
	for _, name := range slices.Sorted(maps.Keys(o.classes)) {
		o.t.Logf("%6d  %s", o.classes[name], name)
	}
	o.t.Logf("%d of %d resources are judged alike; both refuse %d", o.judged-o.apart, o.judged, o.refused)
}

func TestOracle(t *testing.T) {
	o := newOracle(t)
	for _, s := range slices.Concat(examples(t), synthea(t), definitions(t)) {
		o.judge(s)
	}
	if o.judged < 900 {
		t.Errorf("only %d resources", o.judged)
	}
	o.report()
}

// TestOracleOnMutations changes one thing in a valid resource, and compares again.
// The same changes are made in every run, as many as there is time for.
func TestOracleOnMutations(t *testing.T) {
	o := newOracle(t)
	var small []specimen
	for _, s := range append(examples(t), synthea(t)...) {
		if len(s.json) < 6000 && verdict(s.json) == nil {
			small = append(small, s)
		}
	}
	random := rand.New(rand.NewPCG(20261121, 4))
	const least, most = 1000, 12_000 // as many as 15 s are enough for
	for end := time.Now().Add(15 * time.Second); o.judged < least || o.judged < most && time.Now().Before(end); {
		s := small[random.IntN(len(small))]
		name, changed := mutate(random, s.json)
		o.judge(specimen{s.name + ", " + name, changed})
	}
	if o.refused < o.judged/10 {
		t.Errorf("only %d of %d mutations were refused by both: they are too tame", o.refused, o.judged)
	}
	o.report()
}
