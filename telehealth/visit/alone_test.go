package visit_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
)

// An app that begins to act in a visit which it did not book has no part in what its people
// show to others: it needs the code, or that they act signed in with it.
func TestUnaskedApp(t *testing.T) {
	onEngines(t, func(p *practice) {
		with := ana
		with.Client = "x"
		for id, act := range map[string]struct {
			do   func(id string)
			want fhir.Code
		}{
			"signed in elsewhere": {func(id string) {
				p.must(ana, "visit-consent", id, "how=electronic")
				p.must(ana, "join", id)
				p.must(doctor, "start-visit", id, "identity=known")
			}, fhir.Forbidden},
			"the code": {func(id string) {
				p.must(app, "visit-code", id)
				_, err := p.call(p.one, app, "visit-token", id, "code="+p.told())
				p.refused("the code", err, 0)
			}, 0},
			"signed in with it":       {func(id string) { p.must(ana, "join", id); p.must(with, "join", id) }, 0},
			"consented with it first": {func(id string) { p.must(with, "visit-consent", id, "how=electronic"); p.must(ana, "join", id) }, 0},
		} {
			id, what := strings.ReplaceAll(id, " ", "-"), id
			p.appointment(id, "booked", begins)
			p.begun(id)
			act.do(id)
			_, err := p.call(p.one, app, "visit-token", id)
			p.refused(what, err, act.want)
		}
	})
}

// Whoever chooses the id of an Appointment gets at no consent of another one by it.
func TestConsentOfAnother(t *testing.T) {
	onEngines(t, func(p *practice) {
		p.must(ana, "visit-consent", "a", "how=electronic")
		before := string(p.raw("Consent", "a-tc"))
		p.put(`{"resourceType":"Patient","id":"eva"}`)
		p.consent("z-tc", "active", "")
		long := strings.Repeat("l", 62)
		eva := func(id string) {
			p.appointment(id, "booked", begins)
			p.put(strings.Replace(string(p.raw("Appointment", id)), "Patient/ana", "Patient/eva", 1))
		}
		for _, id := range []string{"a.", "a-", "z", long + "b", long + "c"} {
			eva(id)
			d, err := p.call(p.one, app, "visit-consent", id, "how=verbal")
			p.refused(id, err, 0)
			if got := d.TextAt(0, "patient", "reference"); got != "Patient/eva" || d.TextAt(0, "id") == "a-tc" || d.TextAt(0, "id") == "z-tc" {
				p.Errorf("%s: the consent is %s", id, d.AppendCompact(nil, 0))
			}
			if !strings.Contains(string(d.AppendCompact(nil, 0)), `"Appointment/`+id+`"`) {
				p.Errorf("%s: the consent is of another one: %s", id, d.AppendCompact(nil, 0))
			}
		}
		eva("a") // another patient in her own
		if d := p.must(app, "visit-consent", "a", "how=verbal"); d.TextAt(0, "patient", "reference") != "Patient/eva" {
			p.Errorf("the consent is %s", d.AppendCompact(nil, 0))
		}
		if after := string(p.raw("Consent", "a-tc")); after != before {
			p.Errorf("the consent of ana became %s", after)
		}
	})
}

// Guesses in many visits at once are no more than one after another.
func TestGuessesAtOnce(t *testing.T) {
	onEngines(t, func(p *practice) {
		const visits = 6 // for as many codes are sent in a day
		for i := range visits {
			id := fmt.Sprint("v", i)
			p.appointment(id, "booked", begins)
			p.begun(id)
			p.must(app, "visit-code", id)
		}
		var compared atomic.Int64
		var all sync.WaitGroup
		for i := range visits {
			for n := range 5 {
				all.Go(func() {
					_, err := p.call(p.one, app, "visit-token", fmt.Sprint("v", i), fmt.Sprintf("code=x%d", n)) // never one that was sent
					if fhir.CodeOf(err) == fhir.Forbidden {
						compared.Add(1)
					} else if fhir.CodeOf(err) != fhir.Throttled {
						p.Errorf("%v", err)
					}
				})
			}
		}
		all.Wait()
		if n := compared.Load(); n != 10 {
			p.Errorf("%d guesses of a day were compared", n)
		}
		p.set(p.time().Add(24*time.Hour + time.Minute))
		p.appointment("later", "booked", p.time())
		p.must(app, "start-visit", "later")
		p.must(app, "visit-code", "later")
		_, err := p.call(p.one, app, "visit-token", "later", "code="+p.told())
		p.refused("the day after", err, 0)
	})
}

// A visit that people may still come into, because clocks differ, opens no record any more.
func TestTokenAtTheEnd(t *testing.T) {
	onEngines(t, func(p *practice) {
		p.opened()
		p.set(begins.Add(time.Hour - time.Second))
		p.refused("the last second", p.token(app), 0)
		p.set(begins.Add(time.Hour + 30*time.Second))
		p.must(ana, "join", "a")
		p.refused("the minute of clocks", p.token(app), fhir.Forbidden)
	})
}
