package visit_test

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
)

// rival is another app of the same role.
var rival = operation.Caller{Principal: "y", Client: "rival", Roles: []string{"telehealth-app"}}

// begun is a visit of which the app did all that it can by itself.
func (p *practice) begun(id string) {
	p.Helper()
	p.must(app, "start-visit", id, "identity=known")
	p.must(app, "visit-consent", id, "how=verbal", "by=Patient/ana")
}

func (p *practice) messages() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.sent)
}

var eight = regexp.MustCompile(`\b(\d{4}) (\d{4})\b`)

// told is the code that the patient has got, as they read it.
func (p *practice) told() string {
	p.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.sent) == 0 {
		p.Fatal("no code came")
	}
	found := eight.FindString(p.sent[len(p.sent)-1].Text)
	if found == "" {
		p.Fatalf("no code in %q", p.sent[len(p.sent)-1].Text)
	}
	return found
}

func (p *practice) token(who operation.Caller, params ...string) error {
	p.Helper()
	_, err := p.call(p.one, who, "visit-token", "a", params...)
	return err
}

// All that an app does by itself opens no record: the patient's code does, once, for the app
// that asked, and nothing that the server keeps or answers holds it.
func TestAppAlone(t *testing.T) {
	onEngines(t, func(p *practice) {
		p.begun("a")
		// The app plays everybody: it takes their links, enters and admits.
		dr, pat := p.enter(p.must(app, "join", "a", "participant=Practitioner/doc")), p.enter(p.must(app, "join", "a", "participant=Patient/ana"))
		if err := p.one.Admit(p.Context(), dr.room, dr.seat, pat.seat); err != nil {
			p.Fatal(err)
		}
		p.refused("an app alone", p.token(app), fhir.Forbidden)
		p.refused("with a code that nobody sent", p.token(app, "code=12345678"), fhir.Forbidden)

		answer := p.must(app, "visit-code", "a")
		code := p.told()
		if m := p.sent[0]; m.To != "+522281234567" || m.Channel != "sms" || !strings.Contains(m.Text, "Dra. Ñuño") {
			p.Errorf("sent is %+v", m)
		}
		plain := strings.ReplaceAll(code, " ", "")
		for what, text := range map[string]string{"the answer": string(answer.AppendCompact(nil, 0)), "the record": p.everywhere()} {
			if strings.Contains(text, code) || strings.Contains(text, plain) {
				p.Errorf("the code is in %s: %s", what, text)
			}
			if !strings.Contains(text, "4567") || strings.Contains(text, "2281234567") && what == "the answer" {
				p.Errorf("%s does not tell where it went to: %s", what, text)
			}
		}
		p.refused("another app with the code", p.token(rival, "code="+code), fhir.Forbidden)
		if err := p.token(app, "code="+code); err != nil {
			p.Fatal(err)
		}
		if err := p.token(app); err != nil { // its token was lost
			p.Errorf("once more: %v", err)
		}
		p.refused("another app after the proof", p.token(rival), fhir.Forbidden)
		p.refused("the code again", p.token(app, "code="+code), fhir.Forbidden)
		if all := p.noted(&p.moments); strings.Count(all, "proved:code") != 1 {
			p.Errorf("the trail is told %s", all)
		}
	})
}

// everywhere is all that is stored of the patient.
func (p *practice) everywhere() string {
	p.Helper()
	var all strings.Builder
	for _, typ := range []string{"Communication", "CommunicationRequest", "Encounter", "Appointment", "Consent", "DocumentReference"} {
		found, err := p.store.Search(p.Context(), &search.Query{Where: []search.Expr{search.Types{Any: []string{typ}}}, Count: 100, Restriction: search.Unrestricted})
		if err != nil {
			p.Fatal(err)
		}
		for i := range found.Matches {
			all.Write(found.Matches[i].JSON)
		}
	}
	return all.String()
}

// Codes are guessed a few times, and no more after that; not by many at once either.
func TestGuesses(t *testing.T) {
	onEngines(t, func(p *practice) {
		p.begun("a")
		wrong := func(n int) string { // no code that was sent
			guess := fmt.Sprintf("%08d", n)
			if guess == strings.ReplaceAll(p.told(), " ", "") {
				guess = "00009999"
			}
			return "code=" + guess
		}
		p.must(app, "visit-code", "a")
		var refused atomic.Int64
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				if err := p.token(app, wrong(i)); fhir.CodeOf(err) == fhir.Forbidden || fhir.CodeOf(err) == fhir.Throttled {
					refused.Add(1)
				}
			})
		}
		all.Wait()
		if refused.Load() != 8 {
			p.Errorf("%d of 8 guesses are refused", refused.Load())
		}
		if err := p.token(app, "code="+p.told()); err == nil {
			p.Error("after five wrong ones the code is good")
		}
		p.must(app, "visit-code", "a", "channel=email")
		if m := p.sent[1]; m.Channel != "email" || m.To != "ana@ejemplo.mx" {
			p.Errorf("sent is %+v", m)
		}
		for i := range 5 {
			_ = p.token(app, wrong(100+i)) // refused in one way or the other
		}
		p.must(app, "visit-code", "a")
		p.refused("guesses of a day", p.token(app, "code="+p.told()), fhir.Throttled)
		_, err := p.call(p.one, app, "visit-code", "a")
		p.refused("a fourth code", err, fhir.Throttled)
		p.refused("a code that is old", p.later(p.token), fhir.Throttled)
	})
}

func (p *practice) later(ask func(operation.Caller, ...string) error) error {
	p.set(p.time().Add(16 * time.Minute))
	return ask(app, "code="+p.told())
}

// A code is good for a quarter of an hour, and the last one alone.
func TestOldCodes(t *testing.T) {
	onEngines(t, func(p *practice) {
		p.begun("a")
		p.must(app, "visit-code", "a")
		first := p.told()
		p.set(p.time().Add(16 * time.Minute))
		p.refused("an old code", p.token(app, "code="+first), fhir.Forbidden)
		p.must(app, "visit-code", "a")
		second := p.told()
		p.must(app, "visit-code", "a")
		if first != second {
			p.refused("the code before the last", p.token(app, "code="+second), fhir.Forbidden)
		}
		p.silent = true
		p.appointment("b", "booked", begins)
		p.begun("b")
		_, err := p.call(p.one, app, "visit-code", "b")
		p.refused("no line", err, fhir.Unavailable)
	})
}

// A number that was put into the record for the code gets none, nor one that is not in it
// any more.
func TestContacts(t *testing.T) {
	onEngines(t, func(p *practice) {
		p.begun("a")
		mine := `{"resourceType":"Patient","id":"ana","name":[{"family":"Ruiz"}],"telecom":[{"system":"phone","use":"mobile","value":"+525500000000"},{"system":"phone","use":"old","value":"+522281234567"}]}`
		p.put(mine)
		_, err := p.call(p.one, app, "visit-code", "a")
		p.refused("a number of today", err, fhir.Unprocessable)
		p.set(p.time().Add(26 * time.Minute)) // the visit goes on
		p.put(`{"resourceType":"Patient","id":"new","telecom":[{"system":"phone","value":"+525500000000"}]}`)
		if p.messages() != 0 {
			p.Errorf("sent were %+v", p.sent)
		}
		p.put(`{"resourceType":"Patient","id":"ana","telecom":[{"system":"phone","value":"+525500000000"},{"system":"email","value":"ana@ejemplo.mx"}]}`)
		p.must(app, "visit-code", "a")
		if m := p.sent[0]; m.To != "ana@ejemplo.mx" {
			p.Errorf("sent to %s", m.To)
		}
	})
}

// What a patient, or a professional with a licence, does signed in as themselves is a proof;
// what an app says in their name is none.
func TestProofInPerson(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(p *practice)
		want fhir.Code // 0 for a token
	}{
		"the patient consents":                {func(p *practice) { p.must(ana, "visit-consent", "a", "how=electronic") }, 0},
		"the patient takes a link":            {func(p *practice) { p.must(ana, "join", "a") }, 0},
		"a professional checks the identity":  {func(p *practice) { p.must(doctor, "start-visit", "a", "identity=known") }, 0},
		"a professional says nothing of it":   {func(p *practice) { p.must(doctor, "start-visit", "a", "place=Xalapa") }, fhir.Forbidden},
		"a professional takes a link":         {func(p *practice) { p.must(doctor, "join", "a") }, fhir.Forbidden},
		"a professional notes a consent":      {func(p *practice) { p.must(doctor, "visit-consent", "a", "how=verbal") }, fhir.Forbidden},
		"one of another visit checks":         {func(p *practice) { p.must(other, "start-visit", "a", "identity=known") }, fhir.Forbidden},
		"one without a licence checks":        {func(p *practice) { p.unlicensed(); p.must(doctor, "start-visit", "a", "identity=known") }, fhir.Forbidden},
		"the app consents and joins for them": {func(p *practice) { p.must(app, "join", "a", "participant=Patient/ana") }, fhir.Forbidden},
	} {
		t.Run(name, func(t *testing.T) {
			onEngines(t, func(p *practice) {
				p.begun("a")
				c.do(p)
				p.refused(name, p.token(app), c.want)
			})
		})
	}
}

// other is a professional who is not in the visit.
var other = operation.Caller{Principal: "o", User: fhir.Ref{Type: "Practitioner", ID: "other"}, Roles: []string{"clinician"}}

func (p *practice) unlicensed() {
	p.put(`{"resourceType":"Practitioner","id":"doc","name":[{"text":"Dra. Ñuño"}]}`)
}

// A proof is for one visit and one patient, and opens the record for as long as a visit
// lasts, wherever the app moves the Appointment.
func TestProofEnds(t *testing.T) {
	onEngines(t, func(p *practice) {
		p.appointment("b", "booked", begins)
		p.must(ana, "visit-consent", "a", "how=electronic") // before it began
		p.begun("a")
		p.begun("b")
		if err := p.token(app); err != nil {
			p.Fatal(err)
		}
		_, err := p.call(p.one, app, "visit-token", "b")
		p.refused("the proof of another visit", err, fhir.Forbidden)

		// Consent for one patient, and then another one is put into the Appointment.
		p.put(`{"resourceType":"Patient","id":"eva"}`)
		p.appointment("c", "booked", begins)
		p.must(ana, "visit-consent", "c", "how=electronic")
		p.put(strings.Replace(string(p.raw("Appointment", "c")), "Patient/ana", "Patient/eva", 1))
		p.must(app, "start-visit", "c")
		p.must(app, "visit-consent", "c", "how=verbal")
		_, err = p.call(p.one, app, "visit-token", "c")
		p.refused("the proof of another patient", err, fhir.Forbidden)

		// The Appointment is moved on and on.
		moved := 0
		for err = nil; err == nil && moved < 40; moved++ {
			p.set(p.time().Add(20 * time.Minute))
			p.appointment("a", "booked", p.time().Add(-time.Minute))
			p.enter(p.must(app, "join", "a", "participant=Patient/ana")) // else it is a no-show
			p.tend()
			err = p.token(app)
		}
		p.refused("moved on", err, fhir.Forbidden)
		if open := time.Duration(moved) * 20 * time.Minute; open > 5*time.Hour || open < 4*time.Hour {
			p.Errorf("the record was open for %s", open)
		}
	})
}

// An app has nothing to do in the visits of another one: it could sit there as anybody.
func TestVisitOfOneApp(t *testing.T) {
	onEngines(t, func(p *practice) {
		p.begun("a")
		for _, c := range [][]string{
			{"start-visit", "identity=known"}, {"join", "participant=Patient/ana"}, {"join", "participant=Practitioner/doc"}, {"invite", "name=x", "role=family"},
			{"uninvite", "seat=x"}, {"visit-code"}, {"visit-token"}, {"end-visit"},
		} {
			_, err := p.call(p.one, rival, c[0], "a", c[1:]...)
			p.refused(c[0], err, fhir.Forbidden)
		}
		keeper := operation.Caller{Principal: "his", Client: "his", Roles: []string{"clinic-system"}}
		p.must(keeper, "join", "a", "participant=Practitioner/doc")

		// One that an app booked is not begun by another one.
		p.appointment("b", "booked", begins)
		p.bookedBy("x", "b")
		_, err := p.call(p.one, rival, "start-visit", "b")
		p.refused("booked by another one", err, fhir.Forbidden)
		p.must(app, "start-visit", "b")
	})
}
