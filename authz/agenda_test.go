package authz_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/telehealth/schedule"
	"github.com/amate-health/amate/telehealth/visit"
)

// agendaWays are the ways to agendas and visits. In these worlds no agenda has rules and no
// Appointment is of one: what is to be seen is who learns that there is one at all.
var agendaWays = []way{
	{route: "$find", method: "GET", path: "/Appointment/$find?_count=5", act: "either"},
	{route: "$hold", method: "POST", path: "/Appointment/$hold?schedule=s1&start=2999-01-01T09:00:00Z", act: "either"},
	{route: "$book", method: "POST", path: "/Appointment/$book?schedule=s1&start=2999-01-01T09:00:00Z&patient=Patient/p1", act: "either"},
	{route: "$book", method: "POST", path: "/Appointment/$book?schedule=s1&start=2999-01-01T09:00:00Z&patient=Patient/p2", act: "either"},
	{route: "$wait", method: "POST", path: "/Appointment/$wait?schedule=s1&patient=Patient/p1", act: "either"},
	{route: "$reschedule", method: "POST", path: "/Appointment/{id}/$reschedule?start=2999-01-01T09:00:00Z", act: "either", tells: known},
	{route: "$cancel", method: "POST", path: "/Appointment/{id}/$cancel?reason=pat", act: "either", tells: known},
	{route: "$calendar", method: "GET", path: "/Appointment/{id}/$calendar", act: "either", tells: known},
	{route: "$calendar-link", method: "POST", path: "/Schedule/{id}/$calendar-link", act: "either"},
	{route: "$start-visit", method: "POST", path: "/Appointment/{id}/$start-visit", act: "either", tells: known},
	{route: "$visit-consent", method: "POST", path: "/Appointment/{id}/$visit-consent?how=verbal", act: "either", tells: known},
	{route: "$join", method: "POST", path: "/Encounter/{id}/$join", act: "either"},
	{route: "$invite", method: "POST", path: "/Encounter/{id}/$invite?name=x&role=family", act: "either"},
	{route: "$uninvite", method: "POST", path: "/Encounter/{id}/$uninvite?seat=x", act: "either"},
	{route: "$visit-code", method: "POST", path: "/Encounter/{id}/$visit-code", act: "either"},
	{route: "$visit-token", method: "POST", path: "/Encounter/{id}/$visit-token?code=12345678", act: "either"},
	{route: "$end-visit", method: "POST", path: "/Encounter/{id}/$end-visit", act: "either"},
}

// known returns the Appointment that an answer admits to be there: other refusals than that
// it is not shown speak of what is in it.
func known(a *httptest.ResponseRecorder) []string {
	id := a.Header().Get("X-Asked")
	if a.Code == 200 || a.Code == 422 || a.Code == 409 {
		return []string{"Appointment/" + id}
	}
	return nil
}

// booked is a store in which nothing was booked, and nothing is.
type booked struct{ measured }

func (b booked) Apply(context.Context, *bundle.Batch) ([]bundle.Result, error) {
	return nil, fhir.Errorf(fhir.Unprocessable, "nothing is written in these worlds")
}

// agendaOperations are the operations that agendaWays call.
func (w *world) agendaOperations() []operation.Operation {
	store := booked{measured{w.store}}
	maker := func(base string) bundle.Maker { return bundle.Maker{Base: base} }
	return append(schedule.New(schedule.Config{Store: store, Maker: maker}).Operations(), visit.New(visit.Config{
		Store: store, Maker: maker, Now: time.Now,
		Page:    func(_, room, token string) string { return "http://h/visit/#" + room + "/" + token },
		Issue:   func(context.Context, visit.Grant) (string, error) { return "SECRETO", nil },
		Deliver: func(context.Context, visit.Message) error { return nil },
	}).Operations()...)
}

// TestAgendasRestricted: an Appointment that is hidden from somebody is not there for any of
// the operations on it.
func TestAgendasRestricted(t *testing.T) {
	told, hidden := 0, 0
	for _, engine := range []string{"sqlite", "postgres"} {
		w := newWorld(t, 9, engines[engine])
		var appointments []object
		for i := range 6 {
			a := object{"resourceType": "Appointment", "id": fmt.Sprint("a", i), "meta": w.labels(), "status": "booked", "start": "2999-01-01T09:00:00Z", "end": "2999-01-01T09:30:00Z",
				"participant": []any{object{"actor": reference("Patient/p%d", i%nPatients), "status": "accepted"}, object{"actor": reference("Practitioner/d0"), "status": "accepted"}}}
			w.add(a)
			w.put(a)
			appointments = append(appointments, a)
		}
		for range 25 {
			w.also = []rule{{types: []string{"Appointment", "Encounter"}, acts: []string{"read", "$reschedule", "$cancel", "$calendar", "$start-visit", "$visit-consent", "$join", "$visit-code", "$visit-token", "$end-visit"}, restriction: one(w, "all", "own-compartment", "own-compartment", "self")}}
			w.policy()
			p := w.caller()
			p.Scopes = append(p.Scopes, one(w, "system/*.cruds", "patient/*.cruds", "user/*.cruds", "patient/*.rs"))
			w.asking = p
			asked := appointments[w.rand.IntN(len(appointments))]
			for _, way := range agendaWays {
				if strings.Contains(way.path, "{id}") && way.tells != nil {
					way.tells = func(a *httptest.ResponseRecorder) []string {
						a.Header().Set("X-Asked", str(asked, "id"))
						switch a.Code {
						case 200, 409, 422:
							told++
						case 403, 404:
							hidden++
						}
						return known(a)
					}
				}
				w.proveWay(p, &way, asked)
			}
			if t.Failed() {
				return
			}
		}
	}
	if told < 10 || hidden < 10 {
		t.Errorf("%d are told of, %d hidden, which proves nothing", told, hidden)
	}
}

var _ rest.Store = booked{}
