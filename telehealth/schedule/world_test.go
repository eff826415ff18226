package schedule_test

import (
	"context"
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
	"github.com/amate-health/amate/store/postgres"
	"github.com/amate-health/amate/store/sqlite"
	"github.com/amate-health/amate/store/storetest"
	"github.com/amate-health/amate/telehealth/schedule"
)

const testBase = "http://h/fhir"

// clinic is a place with a real store, on a Saturday in November.
type clinic struct {
	*testing.T
	store   schedule.Store
	service *schedule.Service
	run     map[string]operation.Operation
	mu      sync.Mutex
	now     time.Time
	caller  operation.Caller
	only    *search.Restriction
}

func (c *clinic) time() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clinic) later(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// onEngines runs a test on both engines.
func onEngines(t *testing.T, f func(c *clinic)) {
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			c := &clinic{T: t, now: at("2026-11-21T12:00:00-06:00"), run: map[string]operation.Operation{}, only: search.Unrestricted}
			var err error
			if engine == "sqlite" {
				var s *sqlite.Store
				s, err = sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "agenda.db"), sqlite.Options{Now: c.time})
				t.Cleanup(func() { _ = s.Close() }) // the folder goes anyway
				c.store = s
			} else {
				var s *postgres.Store
				s, err = postgres.Open(t.Context(), storetest.Postgres(t), postgres.Options{Now: c.time})
				t.Cleanup(func() { _ = s.Close() }) // it is lent
				c.store = s
			}
			if err != nil {
				t.Fatal(err)
			}
			c.service = schedule.New(schedule.Config{Store: held{c.store}, Now: c.time, Maker: func(base string) bundle.Maker { return bundle.Maker{Base: base} }})
			for _, o := range c.service.Operations() {
				c.run[o.Name] = o
			}
			for _, p := range []string{"ana", "luz"} {
				c.put(fmt.Sprintf(`{"resourceType":"Patient","id":%q}`, p))
			}
			c.put(`{"resourceType":"Practitioner","id":"doc"}`)
			c.put(agenda("s", 1, ""))
			f(c)
		})
	}
}

// held is a store that asks the hold of agendas about every write, as the server's does.
type held struct{ schedule.Store }

func (h held) Apply(ctx context.Context, b *bundle.Batch) ([]bundle.Result, error) {
	c := *b
	c.Holds = []bundle.Hold{schedule.Hold()}
	return h.Store.Apply(ctx, &c)
}

// agenda is a Schedule: weekdays from 9 to 11 in visits of half an hour.
func agenda(id string, capacity int, more string) string {
	return fmt.Sprintf(`{"resourceType":"Schedule","id":%q,"active":true,"serviceType":[{"coding":[{"system":"http://x","code":"tele"}]}],
	"actor":[{"reference":"Practitioner/doc","display":"Dra. Ñuño"}],"extension":[{"url":%q,"extension":[
	{"url":"zone","valueCode":"America/Mexico_City"},{"url":"length","valueUnsignedInt":30},{"url":"capacity","valueUnsignedInt":%d},
	{"url":"open","extension":[{"url":"day","valueCode":"mon"},{"url":"day","valueCode":"tue"},{"url":"from","valueTime":"09:00:00"},{"url":"to","valueTime":"11:00:00"}]}%s]}]}`,
		id, schedule.AgendaURL, capacity, more)
}

func (c *clinic) put(body string) error {
	c.Helper()
	source, err := bundle.Parse([]byte(body))
	if err != nil {
		c.Fatal(err)
	}
	change, err := bundle.Maker{Base: testBase}.Update(source, fhir.Ref{Type: source.Type(), ID: source.ID()}, false)
	if err != nil {
		c.Fatalf("%s: %v", body, err)
	}
	_, err = held{c.store}.Apply(c.Context(), &bundle.Batch{Changes: []bundle.Change{change}})
	return err
}

// call calls an operation with parameters, "name=value" each.
func (c *clinic) call(name, id string, params ...string) (*element.Doc, error) {
	c.Helper()
	var query []search.Param
	for _, p := range params {
		k, v, _ := strings.Cut(p, "=")
		query = append(query, search.Param{Name: k, Value: v})
	}
	a, err := c.run[name].Run(c.Context(), &operation.Call{Type: "Appointment", ID: id, In: operation.NewInputs(query, nil), Base: testBase,
		Restriction: c.only, Caller: c.caller})
	if err != nil {
		return nil, err
	}
	d, err := element.Parse(a.JSON)
	if err != nil {
		c.Fatalf("%s: %v", a.JSON, err)
	}
	return d, nil
}

func (c *clinic) must(name, id string, params ...string) *element.Doc {
	c.Helper()
	d, err := c.call(name, id, params...)
	if err != nil {
		c.Fatalf("$%s %v: %v", name, params, err)
	}
	return d
}

// refused calls an operation that must fail with a code.
func (c *clinic) refused(code fhir.Code, name, id string, params ...string) *fhir.Error {
	c.Helper()
	_, err := c.call(name, id, params...)
	if fhir.CodeOf(err) != code {
		c.Fatalf("$%s %v: %v, want the code %d", name, params, err, code)
	}
	return err.(*fhir.Error)
}

// free returns the starts of the free slots of an agenda from Monday on.
func (c *clinic) free(schedule string) string {
	c.Helper()
	d := c.must("find", "", "schedule="+schedule, "start=2026-11-23T00:00:00-06:00", "end=2026-11-25T00:00:00-06:00", "_count=100")
	var all []string
	for e := range d.Items(0, "entry") {
		if d.TextAt(e, "resource", "status") != "proposed" {
			c.Errorf("%s is found", d.TextAt(e, "resource", "status"))
		}
		start := at(d.TextAt(e, "resource", "start"))
		all = append(all, start.Format("02 15:04"))
	}
	return strings.Join(all, ", ")
}

func part(d *element.Doc, name string) string {
	for p := range d.Items(0, "parameter") {
		if d.TextAt(p, "name") == name {
			return d.TextAt(p, "valueString")
		}
	}
	return ""
}

// read returns a resource.
func (c *clinic) read(typ, id string) *element.Doc {
	c.Helper()
	q := &search.Query{Where: []search.Expr{search.Types{Any: []string{typ}}, search.IDs{Any: []string{id}}}, Count: 1, Restriction: search.Unrestricted}
	found, err := c.store.Search(c.Context(), q)
	if err != nil || len(found.Matches) != 1 {
		c.Fatalf("%s/%s: %v", typ, id, err)
	}
	d, err := element.Parse(found.Matches[0].JSON)
	if err != nil {
		c.Fatal(err)
	}
	return d
}
