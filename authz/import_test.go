package authz_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"strings"
	"testing"

	"github.com/amate-health/amate/authz"
	"github.com/amate-health/amate/fhir/rest"
)

// Check takes any URL of a file: those of the world are called by the type that they have.
func (w *world) Check(string) error { return nil }

// Open returns a file that has everything of a type, each changed a little.
func (w *world) Open(_ context.Context, url string, _ map[string]string) (io.ReadCloser, error) {
	var b strings.Builder
	for _, ref := range w.order {
		if typ, _, _ := strings.Cut(ref, "/"); typ != strings.TrimPrefix(url, "file:") {
			continue
		}
		changed := maps.Clone(w.all[ref])
		changed["language"] = fmt.Sprintf("es-x-%d", w.rand.IntN(1e9))
		line, err := json.Marshal(changed)
		if err != nil {
			return nil, err
		}
		b.Write(append(line, '\n'))
	}
	return io.NopCloser(strings.NewReader(b.String())), nil
}

// sealing keeps headers as they are.
type sealing struct{}

func (sealing) Seal(plain []byte) []byte           { return plain }
func (sealing) Open(sealed []byte) ([]byte, error) { return sealed, nil }

// send performs a batch as the one whom ctx is of.
func (w *world) send(ctx context.Context, bundle []byte) ([]byte, error) {
	resp, err := w.api.Do(ctx, &rest.Request{Interaction: rest.Batch, Body: bundle, Media: "application/fhir+json"})
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// imported has p import everything of some types, and returns what was changed by that and
// how many lines were refused. Nothing that is told shows p what they may not see.
func (w *world) imported(p *authz.Principal, types ...string) (changed []string, refused int) {
	w.t.Helper()
	var inputs []string
	for _, typ := range types {
		inputs = append(inputs, fmt.Sprintf(`{"name":"input","part":[{"name":"type","valueCode":%q},{"name":"url","valueUri":"file:%s"}]}`, typ, typ))
	}
	before := w.truth()
	a := w.ask(p, "POST", "/$import", `{"resourceType":"Parameters","parameter":[`+strings.Join(inputs, ",")+`]}`, "Prefer", "respond-async")
	if a.Code != 202 {
		w.untouched(describe(w, p), before)
		return nil, 0
	}
	at := a.Header().Get("Content-Location")
	if _, err := w.exports.service.Work(w.t.Context(), at[strings.LastIndexByte(at, '/')+1:], w.exports); err != nil {
		w.t.Fatalf("import for %s: %v", describe(w, p), err)
	}
	a = w.ask(p, "GET", at, "", "Accept", "application/json")
	var m struct {
		Error []struct {
			URL   string
			Count int
		}
	}
	if a.Code != 200 || json.Unmarshal(a.Body.Bytes(), &m) != nil {
		w.t.Fatalf("import for %s: %d %s", describe(w, p), a.Code, a.Body)
	}
	for _, f := range m.Error {
		a := w.ask(p, "GET", f.URL, "", "Accept", "application/fhir+ndjson")
		for _, ref := range shown(a) {
			o := w.all[ref]
			if !w.viewer(p, typeOf(o), "read").sees(o) && !w.viewer(p, typeOf(o), "search").sees(o) {
				w.t.Fatalf("import for %s: a refusal shows %s\n%.2000s", describe(w, p), ref, a.Body)
			}
		}
		refused += f.Count
	}
	for ref, version := range w.truth() {
		if version != before[ref] {
			changed = append(changed, ref)
		}
	}
	return changed, refused
}

// TestImportsRestricted: who imports changes what they could change one by one, and nothing
// else, whatever the files hold, and is told nothing of the rest.
func TestImportsRestricted(t *testing.T) {
	changes, refusals, stopped := 0, 0, 0
	for seed := range uint64(4) {
		w := newWorld(t, seed, engines["sqlite"])
		for range 8 {
			w.also = nil
			if w.chance(80) {
				w.also = []rule{{types: []string{"*"}, acts: []string{"$import", "$bulk-status", "$bulk-file"}, restriction: "all"}}
			}
			if w.chance(80) {
				w.also = append(w.also, rule{types: []string{"Patient", "Observation"}, acts: []string{"read", "search", "update"}, restriction: one(w, "all", "own-compartment", "own-unit")})
			}
			w.policy()
			p := w.caller()
			w.asking = p
			changed, refused := w.imported(p, "Patient", "Observation", "Condition")
			for _, ref := range changed {
				if o := w.all[ref]; !w.viewer(p, typeOf(o), "update").sees(o) {
					t.Fatalf("import for %s: %s was changed, which is not theirs to change", describe(w, p), ref)
				}
			}
			if changed == nil && refused == 0 {
				stopped++
			}
			changes, refusals = changes+len(changed), refusals+refused
		}
	}
	if changes == 0 || refusals == 0 || stopped == 0 {
		t.Errorf("%d were changed, %d refused, %d imports were not taken", changes, refusals, stopped)
	}
}
