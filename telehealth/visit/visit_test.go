package visit_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/telehealth/room"
	"github.com/amate-health/amate/telehealth/visit"
)

// TestWindow: a visit begins a quarter of an hour before its Appointment, and a minute of
// clocks that differ is forgiven on both sides.
func TestWindow(t *testing.T) {
	onEngines(t, func(p *practice) {
		for _, c := range []struct {
			before time.Duration
			want   fhir.Code
		}{{24 * time.Hour, fhir.Forbidden}, {16*time.Minute + time.Second, fhir.Forbidden}, {-61*time.Minute - time.Second, fhir.Forbidden}, {15*time.Minute + 59*time.Second, 0}} {
			p.set(begins.Add(-c.before))
			_, err := p.call(p.one, app, "start-visit", "a")
			p.refused(c.before.String(), err, c.want)
		}
		p.must(ana, "visit-consent", "a", "how=verbal")
		name, token, _ := p.link(p.must(ana, "join", "a"))
		p.set(begins.Add(-20 * time.Minute)) // a server whose clock goes wrong
		_, _, err := p.one.Enter(t.Context(), token)
		p.refused("too early", err, fhir.Forbidden)
		p.set(begins.Add(61*time.Minute + time.Second))
		_, _, err = p.one.Enter(t.Context(), token)
		p.refused("too late", err, fhir.Forbidden)
		p.set(begins.Add(60*time.Minute + 30*time.Second))
		ticket, secret, err := p.one.Enter(t.Context(), token) // what was refused is not spent
		if err != nil || ticket.Room != name || !ticket.Closes.Equal(begins.Add(time.Hour)) || !ticket.Opens.Equal(begins.Add(-15*time.Minute)) || ticket.Admitted || ticket.Role != room.Patient || ticket.Name != "Ana Ruiz" {
			t.Fatalf("%+v %v", ticket, err)
		}
		p.set(begins.Add(62 * time.Minute))
		_, err = p.one.Resume(t.Context(), secret)
		p.refused("come back too late", err, fhir.Forbidden)
	})
}

// TestTokens: a link is good once, whoever of several servers is asked, and for one room.
func TestTokens(t *testing.T) {
	onEngines(t, func(p *practice) {
		p.opened()
		name, token, seat := p.link(p.must(ana, "join", "a"))
		var mu sync.Mutex
		var wg sync.WaitGroup
		won, secret := 0, ""
		for i := range 12 {
			wg.Go(func() {
				s := []*visit.Service{p.one, p.other}[i%2]
				_, got, err := s.Enter(t.Context(), token)
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					won, secret = won+1, got
				} else if fhir.CodeOf(err) != fhir.LoginRequired {
					t.Errorf("the loser is told %v", err)
				}
			})
		}
		wg.Wait()
		if won != 1 {
			t.Fatalf("%d entered by one link", won)
		}
		again, err := p.server().Resume(t.Context(), secret) // a server that was started meanwhile
		if err != nil || again.Seat != seat {
			t.Fatalf("%+v %v", again, err)
		}
		flipped := "A" + secret[1:]
		if secret[0] == 'A' {
			flipped = "B" + secret[1:]
		}
		for what, s := range map[string]string{"the token": token, "another's room": strings.Repeat("x", len(name)) + secret[len(name):], "cut": secret[:40], "longer": secret + "x", "nothing": "", "the room": name, "flipped": flipped} {
			_, err := p.one.Resume(t.Context(), s)
			p.refused(what, err, fhir.LoginRequired)
			_, _, err = p.one.Enter(t.Context(), s)
			p.refused(what, err, fhir.LoginRequired)
		}
		e, err := p.store.Entry(t.Context(), "visit", name)
		if err != nil || strings.Contains(string(e.Value), token[22:]) || strings.Contains(string(e.Value), secret[22:]) {
			t.Errorf("secrets are kept as they are: %v", err)
		}
		_, second, same := p.link(p.must(ana, "join", "a"))
		if same != seat {
			t.Errorf("a second seat: %s", same)
		}
		_, newer, err := p.one.Enter(t.Context(), second)
		if err != nil {
			t.Fatal(err)
		}
		_, err = p.one.Resume(t.Context(), secret)
		p.refused("the device before", err, fhir.LoginRequired)
		if _, err := p.one.Resume(t.Context(), newer); err != nil {
			t.Fatal(err)
		}
	})
}

// TestStartedOnce: whoever starts a visit at the same time starts the same one.
func TestStartedOnce(t *testing.T) {
	onEngines(t, func(p *practice) {
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				if _, err := p.call([]*visit.Service{p.one, p.other}[i%2], app, "start-visit", "a"); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		all, err := p.store.Entries(t.Context(), "visit", "", "", 10)
		if err != nil || len(all) != 1 {
			t.Fatalf("%d visits, %v", len(all), err)
		}
		var e struct{ Meta struct{ VersionID string } }
		if err := json.Unmarshal(p.raw("Encounter", "a"), &e); err != nil || e.Meta.VersionID != "1" {
			t.Errorf("the Encounter is of version %s, %v", e.Meta.VersionID, err)
		}
	})
}

// TestTaken: an Encounter of somebody else's making stays as it is.
func TestTaken(t *testing.T) {
	onEngines(t, func(p *practice) {
		p.put(`{"resourceType":"Encounter","id":"a","status":"finished","class":{"code":"AMB"}}`)
		_, err := p.call(p.one, app, "start-visit", "a")
		p.refused("in the place of another", err, fhir.Conflict)
		p.stand("finished", "booked")
	})
}

// TestRoom: who waits is let in or turned away by a clinician, and by nobody else.
func TestRoom(t *testing.T) {
	onEngines(t, func(p *practice) {
		p.opened()
		dr, patient := p.enter(p.must(doctor, "join", "a")), p.enter(p.must(app, "join", "a", "participant=Patient/ana"))
		guest := p.enter(p.must(ana, "invite", "a", "name=Rosa", "role=interpreter", "language=nah"))
		ctx := t.Context()
		for _, by := range []string{patient.seat, guest.seat, "nobody", ""} {
			p.refused("admit by "+by, p.one.Admit(ctx, dr.room, by, guest.seat), fhir.Forbidden)
			p.refused("refuse by "+by, p.one.Refuse(ctx, dr.room, by, dr.seat), fhir.Forbidden)
			p.refused("end by "+by, p.one.End(ctx, dr.room, by), fhir.Forbidden)
		}
		said := room.Event{Room: dr.room, Seat: patient.seat, Kind: room.Said, ID: "1", Text: "x", At: p.time()}
		p.refused("who waits speaks", p.one.Happened(ctx, said), fhir.LoginRequired)
		p.refused("admit nobody", p.one.Admit(ctx, dr.room, dr.seat, "nobody"), fhir.LoginRequired)
		if err := p.one.Admit(ctx, dr.room, dr.seat, guest.seat); err != nil {
			t.Fatal(err)
		}
		p.stand("arrived", "arrived") // an interpreter is not the patient
		if err := p.other.Admit(ctx, dr.room, dr.seat, patient.seat); err != nil {
			t.Fatal(err)
		}
		p.stand("in-progress", "arrived")
		if err := p.one.Refuse(ctx, dr.room, dr.seat, guest.seat); err != nil {
			t.Fatal(err)
		}
		_, err := p.one.Resume(ctx, guest.secret)
		p.refused("who was turned away", err, fhir.LoginRequired)
		if _, refused, err := p.other.Over(ctx, dr.room); err != nil || len(refused) != 1 || refused[0] != guest.seat {
			t.Errorf("another server hears of %v, %v", refused, err)
		}
		for i := range 5 {
			p.must(doctor, "invite", "a", "name=G"+string(rune('a'+i)), "role=family")
		}
		_, err = p.call(p.one, doctor, "invite", "a", "name=Too", "role=family")
		p.refused("one too many", err, fhir.Conflict)
		if err := p.one.End(ctx, dr.room, dr.seat); err != nil {
			t.Fatal(err)
		}
		p.stand("finished", "fulfilled")
		_, err = p.one.Resume(ctx, patient.secret)
		p.refused("after the end", err, fhir.Gone)
		p.refused("speak after the end", p.one.Happened(ctx, said), fhir.Gone)
		if ended, _, err := p.other.Over(ctx, dr.room); err != nil || !ended {
			t.Errorf("another server does not hear of the end: %v", err)
		}
	})
}

// TestEvents: what is told twice is remembered once, and what a server did not live to tell
// is told by the silence.
func TestEvents(t *testing.T) {
	onEngines(t, func(p *practice) {
		dr, patient := p.met()
		start := p.time()
		event := func(kind room.Kind, after time.Duration, more func(*room.Event)) {
			e := room.Event{Room: dr.room, Seat: patient.seat, Kind: kind, At: start.Add(after)}
			if more != nil {
				more(&e)
			}
			for range 2 {
				p.tell(e)
			}
		}
		event(room.Entered, 0, nil)
		event(room.Measured, time.Second, func(e *room.Event) {
			e.Quality = room.Quality{Loss: 0.1, Jitter: 10 * time.Millisecond, RoundTrip: 50 * time.Millisecond}
		})
		event(room.Measured, 2*time.Second, func(e *room.Event) {
			e.Quality = room.Quality{Loss: 0.3, Jitter: 30 * time.Millisecond, RoundTrip: 150 * time.Millisecond, Relayed: true}
		})
		event(room.AudioOnly, 3*time.Second, nil)
		for _, id := range []string{"m1", "m2", "m1"} {
			event(room.Said, 4*time.Second, func(e *room.Event) { e.ID, e.Text = id, "línea "+id })
		}
		event(room.Dropped, time.Minute, nil)
		event(room.Entered, 0, nil) // the answer was lost, long ago
		event(room.Entered, 2*time.Minute, nil)
		event(room.Entered, 3*time.Minute, nil)  // another device
		event(room.Entered, 10*time.Minute, nil) // the server had gone
		p.set(start.Add(12 * time.Minute))
		p.must(doctor, "end-visit", "a")
		p.must(doctor, "end-visit", "a")
		event(room.Dropped, 12*time.Minute, nil) // told too late
		p.stand("finished", "fulfilled")
		text := string(p.raw("Encounter", "a"))
		for _, want := range []string{`"url":"drops","valueInteger":2`, `"url":"seconds","valueInteger":240`, `"url":"loss","valueDecimal":0.2000`, `"url":"worstLoss","valueDecimal":0.3000`,
			`"url":"jitter","valueDecimal":20.0`, `"url":"roundTrip","valueDecimal":100.0`, `"url":"relayed","valueBoolean":true`, `"url":"audioOnly","valueBoolean":true`, `"value":12`} {
			if !strings.Contains(text, want) {
				t.Errorf("the Encounter does not say %s: %s", want, text)
			}
		}
		if got := p.noted(&p.moments); got != "proved:patient entered:clinician entered:patient dropped:patient entered:patient entered:patient" {
			t.Errorf("the trail is told %s", got)
		}
		q, err := search.Parse("Communication", []search.Param{{Name: "encounter", Value: "Encounter/a"}}, search.Options{})
		if err != nil {
			t.Fatal(err)
		}
		q.Restriction = search.Unrestricted
		if found, err := p.store.Search(t.Context(), q); err != nil || len(found.Matches) != 2 {
			t.Errorf("%d lines of the chat, %v", len(found.Matches), err)
		}
	})
}

// TestTend: visits that nobody closes are closed, once, with what came of them.
func TestTend(t *testing.T) {
	for name, c := range map[string]struct {
		before                 func(p *practice)
		until                  time.Duration // after the start
		encounter, appointment string
		open                   bool
	}{
		"the patient does not come":     {(*practice).opened, 21 * time.Minute, "cancelled", "noshow", false},
		"they are waited for":           {(*practice).opened, 19 * time.Minute, "planned", "booked", true},
		"the clinician alone came":      {func(p *practice) { p.opened(); p.enter(p.must(doctor, "join", "a")) }, 21 * time.Minute, "cancelled", "noshow", false},
		"they wait":                     {func(p *practice) { p.opened(); p.enter(p.must(ana, "join", "a")) }, 21 * time.Minute, "arrived", "arrived", true},
		"nobody let them in":            {func(p *practice) { p.opened(); p.enter(p.must(ana, "join", "a")) }, 62 * time.Minute, "cancelled", "arrived", false},
		"the visit goes on":             {func(p *practice) { p.met() }, 50 * time.Minute, "in-progress", "arrived", true},
		"nobody ended it":               {func(p *practice) { p.met() }, 62 * time.Minute, "finished", "fulfilled", false},
		"the appointment was cancelled": {func(p *practice) { p.opened(); p.appointment("a", "cancelled", begins) }, 0, "cancelled", "cancelled", false},
		"it was moved by an hour":       {func(p *practice) { p.opened(); p.appointment("a", "booked", begins.Add(time.Hour)) }, 21 * time.Minute, "planned", "booked", true},
		"the consent was withdrawn":     {func(p *practice) { p.met(); p.consent("no", "active", `,"provision":{"type":"deny"}`) }, 10 * time.Minute, "finished", "fulfilled", false},
		"it is waited for consent":      {func(p *practice) { p.must(app, "start-visit", "a") }, 10 * time.Minute, "planned", "booked", true},
	} {
		t.Run(name, func(t *testing.T) {
			onEngines(t, func(p *practice) {
				c.before(p)
				token, err := p.call(p.one, app, "visit-token", "a")
				granted := err == nil && token != nil
				p.set(begins.Add(c.until))
				var wg sync.WaitGroup
				for _, s := range []*visit.Service{p.one, p.other, p.one} {
					wg.Go(func() {
						if err := s.Tend(t.Context()); err != nil {
							t.Error(err)
						}
					})
				}
				wg.Wait()
				p.tend()
				p.stand(c.encounter, c.appointment)
				if (p.noted(&p.ended) == "") != c.open || (p.noted(&p.revoked) != "") != (granted && !c.open) {
					t.Errorf("ended: %s, tokens taken back: %s", p.noted(&p.ended), p.noted(&p.revoked))
				}
			})
		})
	}
}

// TestConsents: which Consents open a visit.
func TestConsents(t *testing.T) {
	onEngines(t, func(p *practice) {
		p.must(app, "start-visit", "a")
		permit := `,"provision":{"type":"permit"%s}`
		for _, c := range []struct {
			what, status, more string
			ok                 bool
		}{
			{"a proposal", "proposed", "", false}, {"one that was withdrawn", "inactive", "", false}, {"one", "active", "", true}, {"one that permits", "active", strings.Replace(permit, "%s", "", 1), true},
			{"one that denies", "active", `,"provision":{"type":"deny"}`, false},
			{"one from tomorrow", "active", strings.Replace(permit, "%s", `,"period":{"start":"2026-11-24"}`, 1), false},
			{"one until yesterday", "active", strings.Replace(permit, "%s", `,"period":{"end":"2026-11-22"}`, 1), false},
			{"one until today", "active", strings.Replace(permit, "%s", `,"period":{"start":"2026-11","end":"2026-11-23"}`, 1), true},
			{"one of this year", "active", strings.Replace(permit, "%s", `,"period":{"end":"2026"}`, 1), true},
			{"one until an hour ago", "active", strings.Replace(permit, "%s", `,"period":{"end":"2026-11-23T07:55:00-06:00"}`, 1), false},
		} {
			p.consent("k", c.status, c.more)
			_, err := p.call(p.one, ana, "join", "a")
			if (err == nil) != c.ok || err != nil && fhir.CodeOf(err) != fhir.Forbidden {
				t.Errorf("%s: %v", c.what, err)
			}
		}
		p.consent("k", "active", "")
		_, token, _ := p.link(p.must(ana, "join", "a"))
		p.consent("no", "active", `,"provision":{"type":"deny"}`)
		_, _, err := p.one.Enter(t.Context(), token)
		p.refused("denied after the link was given out", err, fhir.Forbidden)
		p.consent("k", "inactive", "")
		_, err = p.call(p.one, doctor, "visit-consent", "a", "how=verbal")
		p.refused("recorded beside a denial", err, fhir.Conflict)
	})
}

// TestConsentsChanged: of whom it is said that their Consents changed, the visit ends
// unless one is left; those of others go on.
func TestConsentsChanged(t *testing.T) {
	onEngines(t, func(p *practice) {
		dr, _ := p.met()
		p.put(`{"resourceType":"Consent","id":"a-tc","status":"inactive","scope":{"text":"x"},"category":[{"text":"x"}],"patient":{"reference":"Patient/ana"},"policyRule":{"text":"x"}}`)
		if err := p.other.ConsentsChanged(t.Context(), "rosa"); err != nil {
			t.Fatal(err)
		}
		p.stand("in-progress", "arrived")
		if err := p.other.ConsentsChanged(t.Context()); err != nil {
			t.Fatal(err)
		}
		p.stand("finished", "fulfilled")
		if p.noted(&p.ended) != dr.room {
			t.Errorf("ended: %s", p.noted(&p.ended))
		}
	})
}

// TestSeen: who does not see the Appointment knows of no visit.
func TestSeen(t *testing.T) {
	onEngines(t, func(p *practice) {
		p.opened()
		p.only = &search.Restriction{}
		for _, name := range []string{"start-visit", "visit-consent", "join", "invite", "uninvite", "visit-code", "visit-token", "end-visit"} {
			params := map[string][]string{"visit-consent": {"how=verbal"}, "invite": {"name=x", "role=family"}, "uninvite": {"seat=x"}}[name]
			for _, who := range []operation.Caller{doctor, ana, app} {
				_, err := p.call(p.one, who, name, "a", params...)
				p.refused(name, err, fhir.NotFound)
			}
		}
	})
}

// empty is a store that holds nothing.
type empty struct{ visit.Store }

func (empty) Entry(context.Context, string, string) (fhir.Entry, error) {
	return fhir.Entry{}, fhir.Errorf(fhir.NotFound, "nothing")
}

// FuzzToken: whatever somebody shows, they are told that it is no link, and nothing else.
func FuzzToken(f *testing.F) {
	for _, s := range []string{"", "#", "a/b", strings.Repeat("x", 65), strings.Repeat("é", 40), strings.Repeat("\x00", 23), "' OR 1=1 --xxxxxxxxxxxxxxxxxxx", strings.Repeat("y", 10000)} {
		f.Add(s)
	}
	p := &practice{now: begins}
	s := visit.New(visit.Config{Store: empty{}, Now: p.time})
	f.Fuzz(func(t *testing.T, token string) {
		if _, _, err := s.Enter(t.Context(), token); fhir.CodeOf(err) != fhir.LoginRequired {
			t.Errorf("%q enters: %v", token, err)
		}
		if _, err := s.Resume(t.Context(), token); fhir.CodeOf(err) != fhir.LoginRequired {
			t.Errorf("%q comes back: %v", token, err)
		}
	})
}
