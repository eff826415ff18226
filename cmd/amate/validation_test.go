package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/validate"
)

// ipsProfile is the profile of a patient summary.
const ipsProfile = "http://hl7.org/fhir/uv/ips/StructureDefinition/Bundle-uv-ips"

// summaries returns a validator that knows the guide of patient summaries, and a
// summary of many entries: the published example, with most of its entries several times.
func summaries(t testing.TB) (*validate.Validator, []byte) {
	t.Helper()
	archives, _ := filepath.Glob(filepath.Join(repository(t), "..", "shared", "data", "ig", "hl7.fhir.uv.ips*"))
	if len(archives) != 1 {
		t.Skip("NOT CHECKED: the guide of patient summaries is not here")
	}
	where := storage{Data: t.TempDir()}
	var text strings.Builder
	if status := run(context.Background(), []string{"package", "install", "--skip-missing", "--data", where.Data, archives[0]}, streams{out: &text, err: &text}); status != exitDone {
		t.Fatal(text.String())
	}
	log := slog.New(slog.DiscardHandler)
	store, err := where.open(context.Background(), log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	if store.vocabulary, err = learn(context.Background(), store, log); err != nil {
		t.Fatal(err)
	}
	var summary []byte
	archived(t, archives[0], func(name string, text []byte) {
		if strings.HasSuffix(name, "Bundle-IPS-examples-Bundle-01.json") {
			summary = multiplied(t, text)
		}
	})
	if summary == nil {
		t.Fatal("the guide has no example of a summary")
	}
	return store.validator(store.terminology()), summary
}

// relative is a reference as the example has them, which R4 does not let lead to
// an entry whose fullUrl is a UUID.
var relative = regexp.MustCompile(`"[A-Z][A-Za-z]+/([0-9a-f]{8}-[0-9a-f-]{27})"`)

// copies is how often each entry that a section lists is repeated.
const copies = 4

// multiplied returns a document with more of every entry that a section lists, and
// lists them too.
func multiplied(t testing.TB, text []byte) []byte {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal(relative.ReplaceAll(text, []byte(`"urn:uuid:$1"`)), &doc); err != nil {
		t.Fatal(err)
	}
	entries := doc["entry"].([]any)
	byURL := map[string]map[string]any{}
	for _, e := range entries {
		byURL[e.(map[string]any)["fullUrl"].(string)] = e.(map[string]any)
	}
	composition := entries[0].(map[string]any)["resource"].(map[string]any)
	for _, s := range composition["section"].([]any) {
		section := s.(map[string]any)
		listed, _ := section["entry"].([]any)
		for _, l := range listed {
			ref := l.(map[string]any)["reference"].(string)
			for n := range copies {
				url, copied := again(t, byURL[ref], ref, n)
				entries = append(entries, copied)
				section["entry"] = append(section["entry"].([]any), map[string]any{"reference": url})
			}
		}
	}
	doc["entry"] = entries
	out, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// again copies an entry under another URL and id.
func again(t testing.TB, e map[string]any, base string, n int) (string, map[string]any) {
	t.Helper()
	text, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	var copied map[string]any
	if err := json.Unmarshal(text, &copied); err != nil {
		t.Fatal(err)
	}
	last := strings.IndexByte("0123456789abcdef", base[len(base)-1])
	url := base[:len(base)-1] + fmt.Sprintf("%x", (last+n+1)%16)
	resource := copied["resource"].(map[string]any)
	if id, ok := resource["id"].(string); ok {
		resource["id"] = id[:len(id)-1] + url[len(url)-1:]
	}
	copied["fullUrl"] = url
	return url, copied
}

// TestSummary holds a summary to its profile, as it is and with faults planted.
func TestSummary(t *testing.T) {
	t.Parallel()
	v, text := summaries(t)
	for name, c := range map[string]struct{ from, to, rule string }{
		"sound":                          {"", "", ""},
		"a section that must be there":   {`"code":"11450-4"`, `"code":"11450-5"`, "cardinality-min"},
		"another kind of document":       {`"60591-5"`, `"60591-6"`, "entry:composition: 0 of at least 1"},
		"a reference that leads nowhere": {`"subject":{"reference":"`, `"subject":{"reference":"urn:uuid:7685713c-e29e-4a75-8a90-45be7ba3be98","display":"`, "bundle-reference"},
		"a message without a header":     {`"type":"document"`, `"type":"message"`, "bdl-12"},
	} {
		d, err := element.Parse([]byte(strings.Replace(string(text), c.from, c.to, 1)))
		if err != nil {
			t.Fatal(err)
		}
		var rules []string
		for _, i := range v.Validate(context.Background(), d, 0, ipsProfile) {
			if i.Severity == "error" {
				rules = append(rules, i.Rule+" "+i.Expression+" "+i.Details+" "+i.Diagnostics)
			}
		}
		found := strings.Join(rules, "\n")
		if c.rule == "" && found != "" || !strings.Contains(found, c.rule) {
			t.Errorf("%s: want %q, found\n%s", name, c.rule, found)
		}
	}
}

// BenchmarkSummary validates a summary of some 60 entries with everything: R4, the
// profiles of the guide, codes and units.
func BenchmarkSummary(b *testing.B) {
	v, text := summaries(b)
	d, err := element.Parse(text)
	if err != nil {
		b.Fatal(err)
	}
	v.Validate(context.Background(), d, 0, ipsProfile) // compiles the profiles
	b.ReportAllocs()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		d, err := element.Parse(text)
		if err != nil {
			b.Fatal(err)
		}
		v.Validate(context.Background(), d, 0, ipsProfile)
	}
	b.ReportMetric(float64(strings.Count(string(text), `"fullUrl"`)), "entries")
}
