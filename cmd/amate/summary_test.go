package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/samples"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store/storetest"
)

// sparse are patients of whom next to nothing is known, or whose records lack what the
// profiles of a summary demand.
const sparse = `{"resourceType":"Bundle","type":"transaction","entry":[
	{"resource":{"resourceType":"Patient","id":"nobody"},"request":{"method":"PUT","url":"Patient/nobody"}},
	{"resource":{"resourceType":"Patient","id":"odd","name":[{"use":"official"}],"_birthDate":{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason","valueCode":"unknown"}]}},"request":{"method":"PUT","url":"Patient/odd"}},
	{"resource":{"resourceType":"Condition","code":{"text":"Dolor < 3 & \"raro\""},"subject":{"reference":"Patient/odd"}},"request":{"method":"POST","url":"Condition"}},
	{"resource":{"resourceType":"Condition","code":{"text":"Gripe"},"abatementString":"hace años","subject":{"reference":"Patient/odd"}},"request":{"method":"POST","url":"Condition"}},
	{"resource":{"resourceType":"Procedure","status":"completed","code":{"text":"Sutura"},"subject":{"reference":"Patient/odd"}},"request":{"method":"POST","url":"Procedure"}},
	{"resource":{"resourceType":"MedicationStatement","status":"active","medicationReference":{"reference":"#m"},"subject":{"reference":"Patient/odd"},"contained":[{"resourceType":"Medication","id":"m","code":{"text":"Paracetamol"}}]},"request":{"method":"POST","url":"MedicationStatement"}},
	{"resource":{"resourceType":"Device","id":"pump","status":"active","deviceName":[{"name":"Bomba","type":"user-friendly-name"}],"patient":{"reference":"Patient/odd"}},"request":{"method":"PUT","url":"Device/pump"}},
	{"resource":{"resourceType":"Immunization","status":"completed","vaccineCode":{"text":"BCG"},"occurrenceString":"al nacer","patient":{"reference":"Patient/odd"}},"request":{"method":"POST","url":"Immunization"}},
	{"resource":{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"11640-0"}]},"valueInteger":2,"subject":{"reference":"Patient/odd"}},"request":{"method":"POST","url":"Observation"}},
	{"resource":{"resourceType":"Consent","status":"active","scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"adr"}]},"category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentcategorycodes","code":"acd"}]}],"policyRule":{"text":"Ley de voluntad anticipada"},"patient":{"reference":"Patient/odd"}},"request":{"method":"POST","url":"Consent"}}
]}`

// summarised returns a store with the guide of patient summaries, people of Synthea and
// the sparse ones, and the ids of all patients.
func summarised(t testing.TB, people int) (*opened, []string) {
	t.Helper()
	archive := samples.Files(t, "ig", "hl7.fhir.uv.ips*")[0]
	paths := samples.Files(t, "synthea-r4-urn", "*.json.gz")
	own := filepath.Join(t.TempDir(), "sparse.json")
	if err := os.WriteFile(own, []byte(sparse), 0o600); err != nil {
		t.Fatal(err)
	}
	where := storage{Data: t.TempDir()}
	text := new(bytes.Buffer)
	if run(context.Background(), []string{"package", "install", "--skip-missing", "--data", where.Data, archive}, streams{out: text, err: text}) != exitDone {
		t.Fatal(text)
	}
	log := slog.New(slog.DiscardHandler)
	l := load{Storage: where, BaseURL: "http://127.0.0.1:8080/fhir", Paths: append(paths[:min(people, len(paths))], own)}
	if err := l.Run(context.Background(), streams{out: text, err: text}, log); err != nil {
		t.Fatal(err, text)
	}
	store, err := where.open(context.Background(), log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	if store.vocabulary, err = learn(context.Background(), store, log); err != nil {
		t.Fatal(err)
	}
	found, err := store.Search(context.Background(), &search.Query{Type: "Patient", Count: 1000, Restriction: search.Unrestricted})
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for i := range found.Matches {
		ids = append(ids, found.Matches[i].Ref.ID)
	}
	return store, ids
}

// summaryOf calls $summary.
func summaryOf(t testing.TB, store *opened, id, language string, only *search.Restriction) []byte {
	t.Helper()
	of := store.summaryOperations()
	answer, err := of[0].Run(context.Background(), &operation.Call{
		Type: "Patient", ID: id, In: operation.NewInputs(nil, nil), Base: "http://127.0.0.1:8080/fhir", Restriction: only, Language: language,
	})
	if err != nil {
		t.Fatal(err)
	}
	return answer.JSON
}

// TestSummariesAreValid: whoever the patient is, and whatever of the record the caller may
// see, what comes is an International Patient Summary, in both languages.
func TestSummariesAreValid(t *testing.T) {
	t.Parallel()
	store, ids := summarised(t, 50)
	v := store.validator(store.terminology())
	blind := &search.Restriction{Types: map[string][]search.Expr{"Patient": nil}}
	for i, id := range ids {
		for what, only := range map[string]*search.Restriction{"all": search.Unrestricted, "nothing but the patient": blind} {
			if only == blind && i%10 > 0 && id != "odd" {
				continue
			}
			json := summaryOf(t, store, id, []string{"es", "en"}[i%2], only)
			d, err := element.Parse(json)
			if err != nil {
				t.Fatal(id, err)
			}
			for _, issue := range v.Validate(context.Background(), d, 0, ipsProfile) {
				if issue.Severity == "error" || issue.Severity == "fatal" {
					t.Errorf("%s, who may see %s: %s %s %s %s", id, what, issue.Rule, issue.Expression, issue.Details, issue.Diagnostics)
				}
			}
			if t.Failed() {
				t.Fatalf("%.6000s", json)
			}
		}
	}
	t.Logf("%d of %d summaries", len(ids), len(ids))
}

// BenchmarkPatientSummary is $summary by 16 clients: of patients of Synthea whose records
// have from 200 to 400 resources.
func BenchmarkPatientSummary(b *testing.B) {
	paths := synthea(b, 100)
	eachEngine(b, func(b *testing.B, s storage) {
		quiet := slog.New(slog.DiscardHandler)
		l := load{Storage: s, BaseURL: "http://127.0.0.1:8080/fhir", Paths: paths}
		if err := l.Run(context.Background(), streams{out: new(bytes.Buffer), err: io.Discard}, quiet); err != nil {
			b.Fatal(err)
		}
		base, store := benchServer(b, s)
		some := chosen(b, store)
		slices.Sort(some)
		client := benchClient()
		report := storetest.Measure(b)
		defer func() { report(int64(b.N), "summary") }()
		over16(b, func(r *rand.Rand) error {
			out, err := ask(client, "GET", base+"/Patient/"+some[r.IntN(len(some))]+"/$summary", "")
			if err == nil && !strings.Contains(out, `"type":"document"`) {
				err = fmt.Errorf("no summary came: %.200s", out)
			}
			return err
		})
	})
}

// TestSummariesByReference lets HL7's reference validator, as HAPI carries it, judge some
// of what TestSummariesAreValid lets ours judge.
func TestSummariesByReference(t *testing.T) {
	t.Parallel()
	store, ids := summarised(t, 3)
	dir := installed(t, "java", "pom.xml", 5*time.Minute, "mvn", "-q", "-B", "dependency:build-classpath", "-Dmdep.outputFile=classpath")
	classpath, err := os.ReadFile(filepath.Join(dir, "classpath"))
	if err != nil {
		t.Fatal(err)
	}
	guide, documents := t.TempDir(), t.TempDir()
	archived(t, samples.Files(t, "ig", "hl7.fhir.uv.ips*")[0], func(name string, text []byte) {
		if err := os.WriteFile(filepath.Join(guide, filepath.Base(name)), text, 0o600); err != nil {
			t.Fatal(err)
		}
	})
	blind := &search.Restriction{Types: map[string][]search.Expr{"Patient": nil}}
	for i, id := range ids {
		json := summaryOf(t, store, id, []string{"es", "en"}[i%2], search.Unrestricted)
		if id == "nobody" {
			json = summaryOf(t, store, id, "es", blind)
		}
		if err := os.WriteFile(filepath.Join(documents, id+".json"), json, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	converse(t, dir, len(ids), "java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", strings.TrimSpace(string(classpath)), "Summary.java", guide, documents)
}
