package monitor_test

import (
	"context"
	"fmt"
	"log/slog"
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
	"github.com/amate-health/amate/store/postgres"
	"github.com/amate-health/amate/store/sqlite"
	"github.com/amate-health/amate/store/storetest"
	"github.com/amate-health/amate/telehealth/monitor"
)

const testBase = "http://h/fhir"

// home is a place with a real store, on a Sunday in November.
type home struct {
	testing.TB
	store  monitor.Store
	feed   func(ctx context.Context, after fhir.Mark, limit int) ([]fhir.Change, error)
	end    func(ctx context.Context) (fhir.Mark, error)
	mark   fhir.Mark
	mu     sync.Mutex
	now    time.Time
	caller operation.Caller
	only   *search.Restriction
	who    string // whom ana stands for
}

func (h *home) time() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *home) later(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

func onEngines(t *testing.T, f func(h *home)) {
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			f(newHome(t, engine))
		})
	}
}

func newHome(t testing.TB, engine string) *home {
	h := &home{TB: t, now: moment("2026-11-22T12:00:00-06:00"), only: search.Unrestricted, who: "ana"}
	if engine == "sqlite" {
		s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "home.db"), sqlite.Options{Now: h.time})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() }) // the folder goes anyway
		h.store, h.feed, h.end = s, s.Feed().Changes, s.Feed().End
	} else {
		s, err := postgres.Open(t.Context(), storetest.Postgres(t), postgres.Options{Now: h.time})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() }) // it is lent
		h.store, h.feed, h.end = s, s.Feed().Changes, s.Feed().End
	}
	h.store = held{h.store}
	var err error
	if h.mark, err = h.end(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.put(`{"resourceType":"Patient","id":"ana","generalPractitioner":[{"reference":"Practitioner/gp"}]}`)
	h.put(`{"resourceType":"Patient","id":"luz"}`)
	for _, p := range []string{"gp", "one", "two"} {
		h.put(fmt.Sprintf(`{"resourceType":"Practitioner","id":%q}`, p))
	}
	h.put(`{"resourceType":"Device","id":"cuff","patient":{"reference":"Patient/ana"},"identifier":[{"system":"` + monitor.ClientSystem + `","value":"gateway"}]}`)
	h.put(`{"resourceType":"Device","id":"other","patient":{"reference":"Patient/luz"}}`)
	return h
}

// held is a store that asks the hold of measurements about every write, as the server's does.
type held struct{ monitor.Store }

func (s held) Apply(ctx context.Context, b *bundle.Batch) ([]bundle.Result, error) {
	c := *b
	c.Holds = []bundle.Hold{monitor.Hold()}
	return s.Store.Apply(ctx, &c)
}

func maker(base string) bundle.Maker { return bundle.Maker{Base: base} }

// service is a new one each time, which remembers nothing.
func (h *home) service() *monitor.Service {
	return monitor.New(monitor.Config{Store: h.store, Maker: maker, Now: h.time, Zone: time.FixedZone("", -6*3600)})
}

// follow looks at what has changed, as a process does that has just begun.
func (h *home) follow() {
	h.Helper()
	k := &monitor.Keeper{Service: h.service(), Base: testBase, Log: slog.New(slog.DiscardHandler)}
	for {
		list, err := h.feed(h.Context(), h.mark, 1000)
		if err == nil && len(list) > 0 {
			h.mark = list[len(list)-1].At
			err = k.Follow(h.Context(), list)
		}
		if err == nil {
			_, err = k.Tick(h.Context())
		}
		if err != nil {
			h.Fatal(err)
		}
		if len(list) == 0 {
			break
		}
	}
	if k.Tally.Failed > 0 {
		h.Fatalf("%d patients could not be written", k.Tally.Failed)
	}
}

func (h *home) put(body string) {
	h.Helper()
	source, err := bundle.Parse([]byte(strings.ReplaceAll(body, "Patient/ana", "Patient/"+h.who)))
	if err != nil {
		h.Fatal(err)
	}
	change, err := maker(testBase).Update(source, fhir.Ref{Type: source.Type(), ID: source.ID()}, false)
	if err == nil {
		_, err = h.store.Apply(h.Context(), &bundle.Batch{Changes: []bundle.Change{change}})
	}
	if err != nil {
		h.Fatalf("%s: %v", body, err)
	}
}

func (h *home) remove(ref fhir.Ref) {
	h.Helper()
	if _, err := h.store.Apply(h.Context(), &bundle.Batch{Changes: []bundle.Change{{Op: bundle.Delete, Ref: ref}}}); err != nil {
		h.Fatal(err)
	}
}

// call calls an operation on a type, with a body or with parameters, "name=value" each.
func (h *home) call(name, typ, id, body string, params ...string) (*element.Doc, error) {
	h.Helper()
	var query []search.Param
	for _, p := range params {
		k, v, _ := strings.Cut(p, "=")
		query = append(query, search.Param{Name: k, Value: v})
	}
	var doc *element.Doc
	if body != "" {
		var err error
		if doc, err = element.Parse([]byte(body)); err != nil {
			h.Fatal(err)
		}
	}
	for _, o := range h.service().Operations() {
		if o.Name != name || !o.On(typ) {
			continue
		}
		a, err := o.Run(h.Context(), &operation.Call{Type: typ, ID: id, In: operation.NewInputs(query, doc), Base: testBase, Restriction: h.only, Caller: h.caller})
		if err != nil {
			return nil, err
		}
		d, err := element.Parse(a.JSON)
		if err != nil {
			h.Fatalf("%s: %v", a.JSON, err)
		}
		return d, nil
	}
	h.Fatalf("no $%s", name)
	return nil, nil
}

// send sends readings of ana, each as JSON, and returns what became of them:
// "stored", "known" or "refused rule".
func (h *home) send(device string, readings ...string) []string {
	h.Helper()
	d, err := h.call("measurements", "Observation", "", fmt.Sprintf(`{"patient":"Patient/%s","device":%q,"readings":[%s]}`, h.who, device, strings.Join(readings, ",")))
	if err != nil {
		h.Fatal(err)
	}
	return outcomes(d)
}

func outcomes(d *element.Doc) (all []string) {
	for p := range d.Items(0, "parameter") {
		if d.TextAt(p, "name") != "reading" {
			continue
		}
		text := ""
		for part := range d.Items(p, "part") {
			switch d.TextAt(part, "name") {
			case "outcome":
				text += d.TextAt(part, "valueCode")
			case "issue":
				for i := range d.Items(d.Get(part, "resource"), "issue") {
					for c := range d.Items(d.Get(i, "details"), "coding") {
						text += " " + d.TextAt(c, "code")
					}
				}
			}
		}
		all = append(all, text)
	}
	return all
}

// found returns resources of ana by their ids.
func (h *home) found(typ string) map[string]*element.Doc {
	h.Helper()
	q, err := search.Parse(typ, []search.Param{{Name: "patient", Value: h.who}, {Name: "_count", Value: "1000"}}, search.Options{})
	if err != nil {
		h.Fatal(err)
	}
	q.Restriction = search.Unrestricted
	r, err := h.store.Search(h.Context(), q)
	if err != nil {
		h.Fatal(err)
	}
	all := map[string]*element.Doc{}
	for i := range r.Matches {
		if all[r.Matches[i].Ref.ID], err = element.Parse(r.Matches[i].JSON); err != nil {
			h.Fatal(err)
		}
	}
	return all
}

// theOnly returns the one resource of a type that ana has.
func (h *home) theOnly(typ string) *element.Doc {
	h.Helper()
	all := h.found(typ)
	if len(all) != 1 {
		h.Fatalf("%d of %s", len(all), typ)
	}
	for _, d := range all {
		return d
	}
	return nil
}

// another is somebody new, whom ana stands for from now on.
func (h *home) another(id string) {
	h.Helper()
	h.who = id
	h.put(fmt.Sprintf(`{"resourceType":"Patient","id":%q}`, id))
}

func ref(text string) fhir.Ref {
	r, ok := fhir.ParseRef(text)
	if !ok {
		panic(text)
	}
	return r
}

func moment(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}

// goal is a Goal of ana with targets.
func goal(id, status string, targets ...string) string {
	return fmt.Sprintf(`{"resourceType":"Goal","id":%q,"lifecycleStatus":%q,"description":{"text":"x"},"subject":{"reference":"Patient/ana"},"target":[%s]}`, id, status, strings.Join(targets, ","))
}

// target is a rule: a code of LOINC, its detail, and what it says beside.
func target(code, detail string, settings ...string) string {
	if detail != "" {
		detail = "," + detail
	}
	return fmt.Sprintf(`{"extension":[{"url":%q,"extension":[%s]}],"measure":{"coding":[{"system":"http://loinc.org","code":%q}]}%s}`,
		monitor.RuleURL, strings.Join(append([]string{`{"url":"priority","valueCode":"urgent"}`}, settings...), ","), code, detail)
}

func quantity(v, unit string) string {
	return fmt.Sprintf(`{"value":%s,"system":"http://unitsofmeasure.org","code":%q}`, v, unit)
}

func duration(name, v, unit string) string {
	return fmt.Sprintf(`{"url":%q,"valueDuration":%s}`, name, quantity(v, unit))
}

func notify(refs ...string) string {
	var all []string
	for _, r := range refs {
		all = append(all, fmt.Sprintf(`{"url":"notify","valueReference":{"reference":%q}}`, r))
	}
	return strings.Join(all, ",")
}
