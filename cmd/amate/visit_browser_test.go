package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/amate-health/amate/telehealth/video/videotest"
	"github.com/amate-health/amate/telehealth/visit"
)

// TestVisitPages is a visit as its people see it: each opens their link in a browser of
// their own, at a server with access control that is killed in the middle of it.
func TestVisitPages(t *testing.T) {
	t.Parallel()
	doctor, patient := videotest.Start(t), videotest.Start(t)
	c := &consulting{ward: &ward{T: t, where: []string{"--data", t.TempDir()}, tokens: map[string]string{}}, port: freePort(t), phones: newTelephones(t)}
	c.serve()
	c.places()
	id := c.booked(0, "Patient/p1")
	at := "Encounter/" + id
	c.must(http.StatusOK, visitApp, "POST", "Appointment/"+id+"/$start-visit", params("place", "String", "Av. Hidalgo 5, Xalapa", "emergency-name", "String", "Rosa", "emergency-relationship", "String", "hermana", "emergency-phone", "String", "2281234567"))
	c.must(http.StatusOK, visitPatient, "POST", "Appointment/"+id+"/$visit-consent", params("how", "Code", "electronic"))
	dr, pat := c.link(visitDoctor, at+"/$join", ""), c.link(visitPatient, at+"/$join", "")
	page := func(l entrance) string { return c.p.root("/visit/") + "#" + l.room + "/" + l.token }

	patient.Open(page(pat))
	patient.Accessible("device-check")
	patient.Join()
	patient.Until(`document.body.dataset.step === "wait" && document.querySelector("#wait-title").textContent === "Sala de espera"`)
	doctor.Enter(page(dr))
	doctor.Do(chromedp.Click("#language"), chromedp.WaitVisible(`[data-does="admit"]`))
	doctor.Until(`document.documentElement.lang === "en" && document.querySelector('[data-does="admit"]').textContent === "Let in" && document.querySelector("#waiting").textContent.includes("patient")`)
	doctor.Do(chromedp.Click(`[data-does="admit"]`))
	doctor.Sees(pat.seat)
	patient.Sees(dr.seat)
	doctor.Until(`document.querySelector("#help").textContent === "The patient is at: Av. Hidalgo 5, Xalapa. In an emergency: Rosa (hermana) 2281234567." && document.querySelector("#help").checkVisibility()`)
	patient.Until(`!document.querySelector("#help").checkVisibility() && !document.body.textContent.includes("Xalapa")`)
	doctor.Accessible("visit-in-english")
	patient.Do(chromedp.Click("#chat summary"), chromedp.SendKeys("#words", "¿Me oye, doctor?"), chromedp.Click("#say button"))
	doctor.Until(`document.querySelector("#said li")?.textContent.endsWith("¿Me oye, doctor?")`)

	// The patient's page is loaded again: they come back without a new link.
	patient.Do(chromedp.Reload(), chromedp.WaitVisible("#join"))
	doctor.Until(`visit.people.size === 0`)
	patient.Join()
	patient.Sees(dr.seat)

	c.killed(doctor, patient)
	doctor.Sees(pat.seat)
	// The page tells the quality every ten seconds; here it need not wait for that.
	doctor.Do(chromedp.Evaluate[chromedp.Void](`PACE.tell = 1; const sends = send; send = (m) => { sends(m); window.told ||= m.type === "quality" && m.quality.received > 0; }`))
	doctor.Until(`window.told`)

	doctor.Do(chromedp.Evaluate[chromedp.Void](`window.confirm = () => true`), chromedp.Click("#end"))
	for _, p := range []*videotest.Tab{doctor, patient} {
		p.Until(`document.body.dataset.over === "ended"`)
	}
	patient.Until(`document.querySelector("#over-title").textContent === "La consulta terminó"`)
	doctor.Until(`document.querySelector("#over-title").textContent === "The visit has ended"`)
	c.stays(at)
}

// killed kills the server in a visit and starts it again: both pages are connected again.
func (c *consulting) killed(pages ...*videotest.Tab) {
	c.Helper()
	c.p.kill()
	for _, p := range pages {
		p.Until(`document.body.dataset.socket === "lost"`)
	}
	c.serve()
	began := time.Now()
	for _, p := range pages {
		p.Until(`document.body.dataset.socket === "open" && visit.people.size === 1`)
	}
	c.Logf("both pages were connected again %s after the server was", time.Since(began).Round(time.Millisecond))
}

// stays is what the record holds of a visit: how long it was, who took part, how well it
// went, and what was written.
func (c *consulting) stays(at string) {
	c.Helper()
	text := c.must(http.StatusOK, visitDoctor, "GET", at, "")
	var e attended
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		c.Fatal(err)
	}
	roles, drops, measured := map[string]bool{}, 0, false
	for _, x := range e.Extension {
		for _, p := range x.Extension {
			if x.URL != visit.AttendanceURL {
				continue
			}
			switch p.URL {
			case "role":
				roles[p.Code] = true
			case "drops":
				drops += p.Integer
			case "roundTrip":
				measured = p.Decimal != nil
			}
		}
	}
	if e.Status != "finished" || e.Length.Value == nil || *e.Length.Value < 0 || e.Period.End == "" || len(e.Participant) != 1 || e.Participant[0].Period.End == "" {
		c.Errorf("the Encounter is %s", text)
	}
	if !roles["clinician"] || !roles["patient"] || drops < 1 || !measured {
		c.Errorf("attended by %v with %d drops, measured: %t; %s", roles, drops, measured, text)
	}
	if chat := c.must(http.StatusOK, visitPatient, "GET", "Communication?encounter="+at, ""); strings.Count(chat, `"contentString"`) != 1 || !strings.Contains(chat, "¿Me oye, doctor?") {
		c.Errorf("the chat is %s", chat)
	}
}
