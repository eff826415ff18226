package rights

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store/sqlite"
)

// counter is a desk over a real store, with a clock that the test sets.
type counter struct {
	*testing.T
	store *sqlite.Store
	ops   map[string]operation.Operation
	now   time.Time
}

func newCounter(t *testing.T, signed func(*fhir.Resource) bool) *counter {
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "amate.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	c := &counter{T: t, store: store, ops: map[string]operation.Operation{}, now: time.Date(2026, 3, 2, 18, 0, 0, 0, time.UTC)}
	for _, op := range Operations(Config{
		Store: store, Kept: store, Maker: func(base string) bundle.Maker { return bundle.Maker{Base: base} }, Label: Label{"urn:s", "b"},
		Now: func() time.Time { return c.now }, Signed: signed,
	}) {
		c.ops[op.Name] = op
	}
	return c
}

func (c *counter) put(resource string) {
	c.Helper()
	src, err := bundle.Parse([]byte(resource))
	if err != nil {
		c.Fatal(err)
	}
	change, err := bundle.Maker{Base: "http://h/fhir"}.Update(src, fhir.Ref{Type: src.Type(), ID: src.ID()}, false)
	if err == nil {
		_, err = c.store.Apply(c.Context(), &bundle.Batch{Changes: []bundle.Change{change}})
	}
	if err != nil {
		c.Fatal(err)
	}
}

func (c *counter) call(op, ref, body string) (map[string]any, error) {
	c.Helper()
	doc, err := element.Parse([]byte(body))
	if err != nil {
		c.Fatal(err)
	}
	typ, id, _ := strings.Cut(ref, "/")
	answer, err := c.ops[op].Run(context.Background(), &operation.Call{
		Type: typ, ID: id, In: operation.NewInputs(nil, doc), Base: "http://h/fhir", Restriction: search.Unrestricted,
		Caller: operation.Caller{Principal: "officer", User: fhir.Ref{Type: "Practitioner", ID: "o"}},
	})
	if err != nil {
		return nil, err
	}
	var out map[string]any
	return out, json.Unmarshal(answer.JSON, &out)
}

func (c *counter) must(op, ref, body string) map[string]any {
	c.Helper()
	out, err := c.call(op, ref, body)
	if err != nil {
		c.Fatalf("%s on %s: %v", op, ref, err)
	}
	return out
}

func ask(pairs ...string) string {
	var parts []string
	for i := 0; i < len(pairs); i += 2 {
		parts = append(parts, fmt.Sprintf(`{"name":%q,"valueString":%q}`, pairs[i], pairs[i+1]))
	}
	return `{"resourceType":"Parameters","parameter":[` + strings.Join(parts, ",") + `]}`
}

// TestAddendum: a signed document stays as it is; the rectification is appended to it.
func TestAddendum(t *testing.T) {
	c := newCounter(t, func(r *fhir.Resource) bool { return r.Ref.ID == "signed" })
	c.put(`{"resourceType":"Patient","id":"p"}`)
	for _, id := range []string{"signed", "draft"} {
		c.put(`{"resourceType":"Composition","id":"` + id + `","status":"final","type":{"text":"Nota"},"subject":{"reference":"Patient/p"},"date":"2026-01-01","author":[{"display":"x"}],"title":"Nota"}`)
	}
	patch := `{"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":"replace"},{"name":"path","valueString":"Composition.title"},{"name":"value","valueString":"Corregida"}]}]}`
	for _, id := range []string{"signed", "draft"} {
		task := c.must("arco-request", "Patient/p", `{"resourceType":"Parameters","parameter":[{"name":"right","valueCode":"rectificacion"},{"name":"target","valueReference":{"reference":"Composition/`+id+`"}},{"name":"correction","valueString":"Dice <uno>, es dos"},{"name":"patch","resource":`+patch+`}]}`)
		at := "Task/" + task["id"].(string)
		c.must("arco-resolve", at, ask("decision", "grant"))
		c.must("arco-resolve", at, ask("decision", "execute"))
		r, err := c.store.Read(t.Context(), fhir.Ref{Type: "Composition", ID: id})
		if err != nil {
			t.Fatal(err)
		}
		if changed := strings.Contains(string(r.JSON), "Corregida"); changed != (id == "draft") {
			t.Errorf("%s: %s", id, r.JSON)
		}
	}
	q, err := search.Parse("Composition", []search.Param{{Name: "related-ref", Value: "Composition/signed"}}, search.Options{})
	if err != nil {
		t.Fatal(err)
	}
	q.Restriction = search.Unrestricted
	found, err := c.store.Search(t.Context(), q)
	if err != nil || len(found.Matches) != 1 || !strings.Contains(string(found.Matches[0].JSON), "Dice &lt;uno&gt;, es dos") {
		t.Errorf("the addendum: %v, %v", found, err)
	}
}

// TestOneDecision: of many who decide at the same time, one does.
func TestOneDecision(t *testing.T) {
	c := newCounter(t, nil)
	c.put(`{"resourceType":"Patient","id":"p"}`)
	task := c.must("arco-request", "Patient/p", ask("right", "cancelacion"))
	var wg sync.WaitGroup
	var mu sync.Mutex
	done := 0
	for i := range 8 {
		wg.Go(func() {
			decision := ask("decision", []string{"grant", "withdraw"}[i%2])
			_, err := c.call("arco-resolve", "Task/"+task["id"].(string), decision)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				done++
			} else if code := fhir.CodeOf(err); code != fhir.Stale && code != fhir.Conflict {
				t.Errorf("refused by %v", err)
			}
		})
	}
	wg.Wait()
	if done != 1 {
		t.Errorf("%d decisions were taken", done)
	}
}

// TestDays: a day is one of Mexico City, and the law of when it came in decides.
func TestDays(t *testing.T) {
	c := newCounter(t, nil)
	c.put(`{"resourceType":"Patient","id":"p"}`)
	c.now = time.Date(2026, 3, 3, 3, 0, 0, 0, time.UTC) // still Monday there
	task := c.must("arco-request", "Patient/p", ask("right", "acceso"))
	due := func(task map[string]any) string {
		return task["restriction"].(map[string]any)["period"].(map[string]any)["end"].(string)
	}
	if got := due(task); got != "2026-03-31" {
		t.Errorf("to be answered by %s", got)
	}
	at := "Task/" + task["id"].(string)
	if got := due(c.must("arco-resolve", at, ask("decision", "extend", "reason", "x"))); got != "2026-04-14" {
		t.Errorf("extended to %s", got)
	}
	c.now = time.Date(2026, 4, 10, 18, 0, 0, 0, time.UTC)
	if got := due(c.must("arco-resolve", at, ask("decision", "grant"))); got != "2026-05-04" {
		t.Errorf("to be carried out by %s", got)
	}
	if _, err := c.call("arco-resolve", at, ask("decision", "extend", "reason", "x")); fhir.CodeOf(err) != fhir.Conflict {
		t.Errorf("the law on the public sector extends the second period: %v", err)
	}
}

// TestCollect: what belongs to a record alone is removed with it, and nothing else.
func TestCollect(t *testing.T) {
	c := newCounter(t, nil)
	for _, r := range []string{
		`{"resourceType":"Patient","id":"p"}`, `{"resourceType":"Patient","id":"q"}`,
		`{"resourceType":"Observation","id":"own","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/p"},"effectivePeriod":{"start":"2019-01-01"}}`,
		`{"resourceType":"Observation","id":"by","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/q"},"performer":[{"reference":"Patient/p"}]}`,
		`{"resourceType":"Encounter","id":"e","status":"finished","class":{"code":"AMB"},"subject":{"reference":"Patient/p"},"period":{"start":"2018-01-01","end":"2018-02-01"}}`,
		`{"resourceType":"Group","id":"g","type":"person","actual":true,"member":[{"entity":{"reference":"Patient/p"}}]}`,
		`{"resourceType":"Task","id":"t","status":"requested","intent":"order","for":{"reference":"Patient/p"}}`,
		`{"resourceType":"Provenance","id":"mine","recorded":"2026-01-01T00:00:00Z","agent":[{"who":{"display":"x"}}],"target":[{"reference":"Observation/own"}]}`,
		`{"resourceType":"Provenance","id":"both","recorded":"2026-01-01T00:00:00Z","agent":[{"who":{"display":"x"}}],"target":[{"reference":"Observation/own"},{"reference":"Observation/by"}]}`,
		`{"resourceType":"Observation","id":"absolute","status":"final","code":{"text":"x"},"subject":{"reference":"http://h/fhir/Patient/p"}}`,
		`{"resourceType":"DocumentReference","id":"d","status":"current","subject":{"reference":"Patient/p"},"content":[{"attachment":{"url":"Binary/b"}}]}`,
		`{"resourceType":"Binary","id":"b","contentType":"text/plain","securityContext":{"reference":"DocumentReference/d"},"data":"eA=="}`,
		`{"resourceType":"Binary","id":"nobodys","contentType":"text/plain","data":"eA=="}`,
		`{"resourceType":"Bundle","id":"signed","type":"document","entry":[{"fullUrl":"http://h/fhir/Composition/c","resource":{"resourceType":"Composition","id":"c","status":"final","type":{"text":"x"},"date":"2026","author":[{"display":"x"}],"title":"x","subject":{"reference":"http://h/fhir/Patient/p"}}},{"fullUrl":"http://h/fhir/Patient/p","resource":{"resourceType":"Patient","id":"p"}}]}`,
		`{"resourceType":"Bundle","id":"elsewhere","type":"document","entry":[{"fullUrl":"http://x/fhir/Composition/c","resource":{"resourceType":"Composition","id":"c","status":"final","type":{"text":"x"},"date":"2026","author":[{"display":"x"}],"title":"x","subject":{"reference":"http://x/fhir/Patient/p"}}}]}`,
	} {
		c.put(r)
	}
	record, err := Collect(t.Context(), c.store, "http://h/fhir", "p")
	if err != nil {
		t.Fatal(err)
	}
	var refs, shared []string
	for _, r := range record.Refs {
		refs = append(refs, r.Current().String())
	}
	for _, r := range record.Shared {
		shared = append(shared, r.String())
	}
	for _, want := range []string{"Observation/own", "Encounter/e", "Task/t", "Provenance/mine", "Observation/absolute", "DocumentReference/d", "Binary/b", "Bundle/signed"} {
		if !strings.Contains(strings.Join(refs, " "), want) {
			t.Errorf("%s stays: %v", want, refs)
		}
	}
	for _, stays := range []string{"Observation/by", "Group/g", "Provenance/both", "Patient/q", "Binary/nobodys", "Bundle/elsewhere"} {
		if strings.Contains(strings.Join(refs, " "), stays) {
			t.Errorf("%s goes: %v", stays, refs)
		}
	}
	if last := refs[len(refs)-1]; last != "Patient/p" {
		t.Errorf("%s comes last", last)
	}
	if got := record.LastAct.Format(time.DateOnly); got != "2019-01-01" {
		t.Errorf("the last act was on %s, %v", got, shared)
	}
}
