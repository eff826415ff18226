package visit_test

import (
	"context"
	"encoding/json"
	"errors"
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
	"github.com/amate-health/amate/telehealth/room"
	"github.com/amate-health/amate/telehealth/visit"
)

const testBase = "http://h/fhir"

// begins is when the Appointment of the tests begins; it is for half an hour.
var begins = at("2026-11-23T09:00:00-06:00")

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}

// practice is a place with a real store and two servers, five minutes before a visit.
type practice struct {
	*testing.T
	store visit.Store
	one   *visit.Service
	other *visit.Service // another server of the same database
	only  *search.Restriction

	mu      sync.Mutex
	now     time.Time
	moments []string
	ended   []string // rooms
	revoked []string
	sent    []visit.Message
	silent  bool // messages are not taken
}

func (p *practice) time() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

func (p *practice) set(t time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now = t
}

func (p *practice) note(list *[]string, what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	*list = append(*list, what)
}

func (p *practice) noted(list *[]string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(*list, " ")
}

// onEngines runs a test on both engines.
func onEngines(t *testing.T, f func(p *practice)) {
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			p := &practice{T: t, now: begins.AddDate(0, 0, -10), only: search.Unrestricted}
			var err error
			if engine == "sqlite" {
				var s *sqlite.Store
				s, err = sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "visit.db"), sqlite.Options{Now: p.time})
				t.Cleanup(func() { _ = s.Close() }) // the folder goes anyway
				p.store = s
			} else {
				var s *postgres.Store
				s, err = postgres.Open(t.Context(), storetest.Postgres(t), postgres.Options{Now: p.time})
				t.Cleanup(func() { _ = s.Close() }) // it is lent
				p.store = s
			}
			if err != nil {
				t.Fatal(err)
			}
			p.one, p.other = p.server(), p.server()
			p.put(`{"resourceType":"Patient","id":"ana","name":[{"family":"Ruiz","given":["Ana"]}],"telecom":[{"system":"email","value":"ana@ejemplo.mx"},{"system":"phone","use":"mobile","value":"+522281234567"}]}`)
			p.put(`{"resourceType":"Practitioner","id":"doc","name":[{"text":"Dra. Ñuño"}],"identifier":[{"system":"urn:oid:2.16.840.1.113883.3.215.12.18","value":"1234567"}]}`)
			p.set(begins.Add(-5 * time.Minute))
			p.appointment("a", "booked", begins)
			p.bookedBy("x", "a")
			f(p)
		})
	}
}

func (p *practice) server() *visit.Service {
	return visit.New(visit.Config{
		Store: p.store, Now: p.time, Maker: func(base string) bundle.Maker { return bundle.Maker{Base: base} },
		Page:    func(_, room, token string) string { return "http://h/visit/#" + room + "/" + token },
		EndRoom: func(room string) { p.note(&p.ended, room) },
		Issue:   func(_ context.Context, g visit.Grant) (string, error) { return "token of " + g.Patient, nil },
		Revoke: func(_ context.Context, id string) error {
			p.note(&p.revoked, id)
			return nil
		},
		Deliver: func(_ context.Context, m visit.Message) error {
			p.mu.Lock()
			defer p.mu.Unlock()
			if p.silent {
				return errors.New("no line")
			}
			p.sent = append(p.sent, m)
			return nil
		},
		Audit: func(_ context.Context, m visit.Moment) error {
			p.note(&p.moments, string(m.Kind)+":"+string(m.Role))
			return nil
		},
	})
}

func (p *practice) put(body string) {
	p.Helper()
	source, err := bundle.Parse([]byte(body))
	if err != nil {
		p.Fatal(err)
	}
	change, err := bundle.Maker{Base: testBase}.Update(source, fhir.Ref{Type: source.Type(), ID: source.ID()}, false)
	if err == nil {
		_, err = p.store.Apply(p.Context(), &bundle.Batch{Changes: []bundle.Change{change}})
	}
	if err != nil {
		p.Fatalf("%s: %v", body, err)
	}
}

func (p *practice) appointment(id, status string, start time.Time) {
	p.put(fmt.Sprintf(`{"resourceType":"Appointment","id":%q,"status":%q,"start":%q,"end":%q,"participant":[{"actor":{"reference":"Patient/ana"},"status":"accepted"},{"actor":{"reference":"Practitioner/doc"},"status":"accepted"}]}`,
		id, status, start.Format(time.RFC3339), start.Add(30*time.Minute).Format(time.RFC3339)))
}

// bookedBy notes, as agendas do, that an app booked an Appointment.
func (p *practice) bookedBy(app, id string) {
	p.Helper()
	if err := p.store.Put(p.Context(), fhir.Entry{Kind: visit.BookedKind, Key: id, Group: app, Value: []byte(app)}); err != nil {
		p.Fatal(err)
	}
}

// consent stores a Consent of ana. more are its other members.
func (p *practice) consent(id, status, more string) {
	p.put(fmt.Sprintf(`{"resourceType":"Consent","id":%q,"status":%q,"scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"treatment"}]},"category":[{"coding":[{"system":%q,"code":%q}]}],"patient":{"reference":"Patient/ana"},"policyRule":{"text":"x"}%s}`,
		id, status, visit.ConsentSystem, visit.ConsentCode, more))
}

// Who calls.
var (
	doctor = operation.Caller{Principal: "d", User: fhir.Ref{Type: "Practitioner", ID: "doc"}, Roles: []string{"clinician"}}
	ana    = operation.Caller{Principal: "a", User: fhir.Ref{Type: "Patient", ID: "ana"}, Roles: []string{"patient"}}
	app    = operation.Caller{Principal: "x", Roles: []string{"telehealth-app"}}
)

// call calls an operation with parameters, "name=value" each.
func (p *practice) call(on *visit.Service, who operation.Caller, name, id string, params ...string) (*element.Doc, error) {
	p.Helper()
	for _, o := range on.Operations() {
		if o.Name != name {
			continue
		}
		var query []search.Param
		for _, one := range params {
			k, v, _ := strings.Cut(one, "=")
			query = append(query, search.Param{Name: k, Value: v})
		}
		a, err := o.Run(p.Context(), &operation.Call{Type: o.Types[0], ID: id, In: operation.NewInputs(query, nil), Base: testBase, Restriction: p.only, Caller: who})
		if err != nil {
			return nil, err
		}
		d, err := element.Parse(a.JSON)
		if err != nil {
			p.Fatalf("%s: %v", a.JSON, err)
		}
		return d, nil
	}
	p.Fatalf("no $%s", name)
	return nil, nil
}

func (p *practice) must(who operation.Caller, name, id string, params ...string) *element.Doc {
	p.Helper()
	d, err := p.call(p.one, who, name, id, params...)
	if err != nil {
		p.Fatalf("$%s %v: %v", name, params, err)
	}
	return d
}

// refused expects the code of an error.
func (p *practice) refused(what string, err error, code fhir.Code) {
	p.Helper()
	if fhir.CodeOf(err) != code {
		p.Fatalf("%s: %v, want the code %d", what, err, code)
	}
}

// link returns room, token and seat of what $join or $invite answered.
func (p *practice) link(d *element.Doc) (name, token, seat string) {
	p.Helper()
	for n := range d.Items(0, "parameter") {
		if url := d.TextAt(n, "valueUrl"); url != "" {
			name, token, _ = strings.Cut(strings.TrimPrefix(url, "http://h/visit/#"), "/")
		}
		if d.TextAt(n, "name") == "seat" {
			seat = d.TextAt(n, "valueString")
		}
	}
	return name, token, seat
}

// seated is somebody in a room.
type seated struct{ room, seat, secret string }

// enter lets somebody take their seat.
func (p *practice) enter(d *element.Doc) seated {
	p.Helper()
	_, token, _ := p.link(d)
	t, secret, err := p.one.Enter(p.Context(), token)
	if err != nil {
		p.Fatal(err)
	}
	p.tell(room.Event{Room: t.Room, Seat: t.Seat, Kind: room.Entered, At: p.time()})
	return seated{t.Room, t.Seat, secret}
}

func (p *practice) tell(e room.Event) {
	p.Helper()
	if err := p.one.Happened(p.Context(), e); err != nil {
		p.Fatal(err)
	}
}

// opened starts the visit, with consent.
func (p *practice) opened() {
	p.Helper()
	p.must(app, "start-visit", "a")
	p.must(ana, "visit-consent", "a", "how=electronic")
}

// met starts the visit and lets the patient in.
func (p *practice) met() (dr, patient seated) {
	p.Helper()
	p.opened()
	dr, patient = p.enter(p.must(doctor, "join", "a")), p.enter(p.must(ana, "join", "a"))
	if err := p.one.Admit(p.Context(), dr.room, dr.seat, patient.seat); err != nil {
		p.Fatal(err)
	}
	return dr, patient
}

func (p *practice) tend() {
	p.Helper()
	if err := p.one.Tend(p.Context()); err != nil {
		p.Fatal(err)
	}
}

// raw returns a resource as it is stored.
func (p *practice) raw(typ, id string) []byte {
	p.Helper()
	q := &search.Query{Where: []search.Expr{search.Types{Any: []string{typ}}, search.IDs{Any: []string{id}}}, Count: 1, Restriction: search.Unrestricted}
	found, err := p.store.Search(p.Context(), q)
	if err != nil || len(found.Matches) != 1 {
		p.Fatalf("%s/%s: %v", typ, id, err)
	}
	return found.Matches[0].JSON
}

// stand expects statuses of the Encounter and the Appointment.
func (p *practice) stand(encounter, appointment string) {
	p.Helper()
	var e, a struct{ Status string }
	for typ, into := range map[string]any{"Encounter": &e, "Appointment": &a} {
		if err := json.Unmarshal(p.raw(typ, "a"), into); err != nil {
			p.Fatal(err)
		}
	}
	if e.Status != encounter || a.Status != appointment {
		p.Fatalf("the Encounter is %s, the Appointment %s; want %s and %s", e.Status, a.Status, encounter, appointment)
	}
}
