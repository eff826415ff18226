package bulk_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"pgregory.net/rapid"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bulk"
)

// people returns a world of patients with a Condition each, and what there was of them at
// its moment.
func people(n int) (w *world, want []string) {
	w = newWorld()
	for i := range n {
		id := fmt.Sprintf("p%03d", i)
		w.put("Patient/"+id, i%70, `{"resourceType":"Patient","id":"`+id+`","gender":"female"}`)
		w.put("Condition/c"+id, i%70, `{"resourceType":"Condition","id":"c`+id+`","subject":{"reference":"Patient/`+id+`"}}`)
		want = append(want, "Patient/"+id, "Condition/c"+id)
	}
	w.put("Patient/later", -1, `{"resourceType":"Patient","id":"later"}`)
	slices.Sort(want)
	return w, want
}

// refs returns what is in files, sorted; each line has to be one resource of the file's type.
func refs(t rapid.TB, files []listed) (all []string) {
	t.Helper()
	for _, f := range files {
		var ids []string
		if strings.HasSuffix(f.URL, ".parquet") {
			rows, err := parquet.Read[struct {
				ID string `parquet:"id"`
			}](bytes.NewReader([]byte(f.text)), int64(len(f.text)))
			if err != nil {
				t.Fatal(f.URL, err)
			}
			for _, r := range rows {
				ids = append(ids, r.ID)
			}
		} else {
			for line := range strings.Lines(f.text) {
				var r struct{ ResourceType, ID string }
				if err := json.Unmarshal([]byte(line), &r); err != nil || r.ResourceType != f.Type {
					t.Fatalf("%s: %v %q", f.URL, err, line)
				}
				ids = append(ids, r.ID)
			}
		}
		if len(ids) != f.Count {
			t.Errorf("%s has %d resources, and is told to have %d", f.URL, len(ids), f.Count)
		}
		for _, id := range ids {
			all = append(all, f.Type+"/"+id)
		}
	}
	slices.Sort(all)
	return all
}

// TestCrash: wherever the server dies, and how often, an export holds each resource once, as
// of its moment.
func TestCrash(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w, want := people(rapid.IntRange(1, 60).Draw(t, "people"))
		format := rapid.SampledFrom([]string{"ndjson", "parquet"}).Draw(t, "format")
		id, err := w.order("?_type=Patient,Condition&_outputFormat=" + format)
		if err != nil {
			t.Fatal(err)
		}
		for i, left := range append(rapid.SliceOfN(rapid.IntRange(1, 60), 0, 6).Draw(t, "steps"), -1) {
			w.left = left
			final, err := w.service.Work(context.Background(), id, w)
			if final {
				if err != nil {
					t.Fatal(err)
				}
				break
			}
			if !errors.Is(err, errCrash) {
				t.Fatalf("after %d deaths: %v", i, err)
			}
			w.die()
		}
		got := refs(t, w.outcome(t, id)["output"])
		if !slices.Equal(got, want) {
			t.Fatalf("%d resources are exported, %d were to be: %v", len(got), len(want), got)
		}
	})
}

// TestLevels: what is exported of whom.
func TestLevels(t *testing.T) {
	t.Parallel()
	w, want := people(350)
	members := ""
	for i := range 340 {
		members += fmt.Sprintf(`,{"entity":{"reference":"Patient/p%03d"}}`, i)
	}
	w.put("Group/many", 1, `{"resourceType":"Group","id":"many","type":"person","actual":true,"member":[`+members[1:]+`,{"entity":{"reference":"Patient/p349"},"inactive":true}]}`)
	w.put("Group/none", 1, `{"resourceType":"Group","id":"none","type":"person","actual":true}`)
	w.put("Organization/o", 1, `{"resourceType":"Organization","id":"o"}`)
	w.put("Provenance/of-patient", 1, `{"resourceType":"Provenance","id":"of-patient","target":[{"reference":"Patient/p001"}]}`)
	w.put("Provenance/of-condition", 1, `{"resourceType":"Provenance","id":"of-condition","target":[{"reference":"Condition/cp001/_history/1"}]}`)
	w.put("Provenance/of-organization", 1, `{"resourceType":"Provenance","id":"of-organization","target":[{"reference":"Organization/o"}]}`)
	w.put("DocumentReference/d", 1, `{"resourceType":"DocumentReference","id":"d","subject":{"reference":"Patient/p002"},"content":[{"attachment":{"url":"Binary/b"}}]}`)
	for id, more := range map[string]string{"one": `,"patient":{"reference":"Patient/p001"}`, "last": `,"patient":{"reference":"Patient/p349"}`, "stock": ""} { // in no compartment
		w.put("Device/"+id, 1, `{"resourceType":"Device","id":"`+id+`"`+more+`}`)
	}
	w.put("Condition/gone", 40, `{"resourceType":"Condition","id":"gone","subject":{"reference":"Patient/p001"}}`)
	w.put("Condition/gone", 5, "")
	w.put("Condition/back", 40, `{"resourceType":"Condition","id":"back","subject":{"reference":"Patient/p001"}}`)
	w.put("Condition/back", 5, "")
	w.put("Condition/back", 4, `{"resourceType":"Condition","id":"back","subject":{"reference":"Patient/p001"}}`)
	w.put("Condition/later", 40, `{"resourceType":"Condition","id":"later","subject":{"reference":"Patient/p001"}}`)
	w.put("Condition/later", -1, "")
	of := func(ref string) bool { return strings.Contains(ref, "p001") }
	one := slices.DeleteFunc(slices.Clone(want), func(ref string) bool { return !of(ref) })
	conditions := []string{"Condition/back", "Condition/later"}
	for path, tt := range map[string][]string{
		"?_type=Organization,Group":                 {"Group/many", "Group/none", "Organization/o"},
		"?_type=Provenance":                         {"Provenance/of-condition", "Provenance/of-organization", "Provenance/of-patient"},
		"Patient?_type=Provenance":                  {"Provenance/of-condition", "Provenance/of-patient"},
		"Patient?patient=Patient/p001":              slices.Concat(conditions, one, []string{"Provenance/of-condition", "Provenance/of-patient"}),
		"Group/none":                                nil,
		"Group/many?_type=DocumentReference":        {"DocumentReference/d"},
		"Group/many?_type=Device":                   {"Device/one"},
		"Patient?_type=Device":                      {"Device/last", "Device/one"},
		"Patient?_type=Device&patient=Patient/p349": {"Device/last"},
		"Patient?patient=Patient/p001&_type=Patient&includeAssociatedData=LatestProvenanceResources": {"Patient/p001", "Provenance/of-patient"},
		"?_type=Condition&_since=2026-02-23T00:00:00Z&_until=2026-02-27T00:00:00Z":                   append(fresh(3, 7), "Condition/back"),
	} {
		slices.Sort(tt)
		all := w.exported(t, path)
		got := refs(t, slices.DeleteFunc(all["output"], func(f listed) bool { return f.Type == "Group" && !strings.HasPrefix(path, "?") }))
		if !slices.Equal(got, tt) {
			t.Errorf("%s:\n%v, not\n%v", path, got, tt)
		}
	}
	if got := refs(t, w.exported(t, "Group/many?_type=Patient")["output"]); len(got) != 340 || slices.Contains(got, "Patient/p349") {
		t.Errorf("%d members of the Group", len(got))
	}
	all := w.exported(t, "Patient?_type=Condition,DocumentReference&_since=2026-02-20T00:00:00Z")
	if d := all["deleted"]; len(d) != 1 || d[0].Count != 1 || !strings.Contains(d[0].text, `"url":"Condition/gone"`) {
		t.Errorf("deleted: %v", d)
	}
	for _, f := range all["output"] {
		if f.Type == "DocumentReference" && !strings.Contains(f.text, `"url":"`+base+`/Binary/b"`) {
			t.Errorf("attachment: %s", f.text)
		}
	}
	all = w.exported(t, "Patient/lenient?_type=Patient,Paper&organise=x")
	if e := all["error"]; len(e) != 1 || e[0].Count != 2 || !strings.Contains(e[0].text, "Paper") || !strings.Contains(e[0].text, "organise") {
		t.Errorf("passed over: %v", e)
	}
}

// fresh lists the Conditions of people that were made so many days before the moment.
func fresh(from, to int) (all []string) {
	for i := range 350 {
		if d := i % 70; d >= from && d < to {
			all = append(all, fmt.Sprintf("Condition/cp%03d", i))
		}
	}
	return all
}

// exported orders an export and does it.
func (w *world) exported(t testing.TB, path string) map[string][]listed {
	t.Helper()
	w.kept = nil
	id, err := w.order(path)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	if _, err := w.service.Work(t.Context(), id, w); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return w.outcome(t, id)
}

// TestRevoked: whoever loses the right in the midst of an export gets nothing of it.
func TestRevoked(t *testing.T) {
	t.Parallel()
	w, _ := people(60)
	id, err := w.order("?_type=Patient,Condition")
	if err != nil {
		t.Fatal(err)
	}
	n, good := 0, w.rights
	w.rights = func() (*bulk.Rights, error) {
		if n++; n > 2 {
			return nil, fhir.Errorf(fhir.Forbidden, "no more")
		}
		return good()
	}
	if final, err := w.service.Work(t.Context(), id, w); !final || fhir.CodeOf(err) != fhir.Forbidden {
		t.Fatal(final, err)
	}
	if _, err := w.ask(bulk.StatusName, "order", id); fhir.CodeOf(err) != fhir.Forbidden || n < 3 {
		t.Errorf("%v, and rights were asked for %d times", err, n)
	}
	if len(w.disk) > 0 {
		t.Errorf("%d files are left", len(w.disk))
	}
}

// TestMost: there are no more orders of one at a time than there may be.
func TestMost(t *testing.T) {
	t.Parallel()
	w, _ := people(1)
	for i := range 3 {
		_, err := w.order("?_type=Patient")
		var told *fhir.Error
		if i < 2 && err != nil || i == 2 && (!errors.As(err, &told) || told.Code != fhir.Throttled || told.RetryAfter == 0) {
			t.Errorf("order %d: %v", i+1, err)
		}
	}
}

// TestExpired: files go with their order.
func TestExpired(t *testing.T) {
	t.Parallel()
	w, _ := people(1)
	w.exported(t, "?_type=Patient")
	if err := w.service.Sweep(t.Context()); err != nil || len(w.disk) != 1 {
		t.Fatal(err, len(w.disk))
	}
	clear(w.entries) // as the store does when they have expired
	if err := w.service.Sweep(t.Context()); err != nil || len(w.disk) != 0 {
		t.Error(err, len(w.disk))
	}
}

// TestProgress: how far an export is, of how much where that is known.
func TestProgress(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"?_type=Patient,Condition":                             "7 of 22: Condition, type 1 of 2|11 of 22: Condition, type 1 of 2|18 of 22: Patient, type 2 of 2|22 of 23: Patient, type 2 of 2",
		"?_type=Patient&_outputFormat=parquet":                 "7 of 11: Patient, type 1 of 1|11 of 12: Patient, type 1 of 1",
		"?_type=Patient,Condition&_since=2026-02-27T00:00:00Z": "3 of 6: Condition, type 1 of 2|6 of 7: Patient, type 2 of 2|6 of 7: Bundle|6 of 7: Bundle",
		"?_type=Patient&_typeFilter=Patient%3Fgender=female":   "7 of 0: Patient, type 1 of 1|11 of 0: Patient, type 1 of 1",
		"Patient?_type=Patient&patient=Patient/p001":           "1 of 0: Patient, type 1 of 1",
	} {
		w, _ := people(11)
		w.versions = slices.DeleteFunc(w.versions, func(r fhir.Resource) bool { return r.Ref.ID == "later" })
		w.exported(t, path)
		if got := strings.Join(w.told, "|"); got != want {
			t.Errorf("%s:\n%s, not\n%s", path, got, want)
		}
	}
	w, _ := people(11)
	id, err := w.order("?_type=Patient")
	if err != nil {
		t.Fatal(err)
	}
	for want, state := range map[string]bulk.State{
		"queued":                           {},
		"at work":                          {Begun: true},
		"12 so far (Patient, type 1 of 2)": {Begun: true, Done: 12, Note: "Patient, type 1 of 2"},
		"41 %: 5 of about 12":              {Begun: true, Done: 5, Total: 12},
		"99 %: 12 of about 12 (Patient)":   {Begun: true, Done: 12, Total: 12, Note: "Patient"},
		"1 so far":                         {Begun: true, Done: 1, Note: strings.Repeat("x", 100)},
	} {
		w.state[id] = state
		if a, err := w.ask(bulk.StatusName, "order", id); err != nil || a.Progress != want {
			t.Errorf("%+v: %v %v", state, a, err)
		}
	}
}
