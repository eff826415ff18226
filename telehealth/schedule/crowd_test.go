package schedule_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/search"
)

// Whatever many people do at once in agendas of one doctor, in two zones and over midnight:
// nobody is seen beside another, and what is not booked is free.
func TestCrowd(t *testing.T) {
	onEngines(t, func(c *clinic) {
		agendas := []string{"tijuana", "mexico"}
		rules := map[string]func(id string) string{
			"tijuana": func(id string) string { return late(id, "America/Tijuana", "21:00:00", "00:00:00", "") },
			"mexico": func(id string) string {
				return late(id, "America/Mexico_City", "23:00:00", "00:00:00", `,{"url":"open","extension":[{"url":"from","valueTime":"00:15:00"},{"url":"to","valueTime":"02:15:00"}]}`)
			},
		}
		for _, a := range agendas {
			c.put(rules[a](a))
		}
		seed := rand.Uint64()
		c.Logf("seed %d", seed)
		var wg sync.WaitGroup
		for i := range 6 {
			wg.Go(func() { c.visitor(rand.New(rand.NewPCG(seed, uint64(i))), agendas, fmt.Sprintf("p%d", i)) })
		}
		wg.Wait()

		q, err := search.Parse("Appointment", []search.Param{{Name: "status", Value: "booked"}, {Name: "_count", Value: "500"}}, search.Options{})
		if err != nil {
			c.Fatal(err)
		}
		q.Restriction = search.Unrestricted
		found, err := c.store.Search(c.Context(), q)
		if err != nil || len(found.Matches) == 0 {
			c.Fatalf("%d are booked, %v", len(found.Matches), err)
		}
		type visit struct{ start, end time.Time }
		var booked []visit
		for i := range found.Matches {
			d, err := element.Parse(found.Matches[i].JSON)
			if err != nil {
				c.Fatal(err)
			}
			booked = append(booked, visit{at(d.TextAt(0, "start")), at(d.TextAt(0, "end"))})
		}
		touches := func(v visit) bool {
			return slices.ContainsFunc(booked, func(o visit) bool { return o != v && v.start.Before(o.end) && o.start.Before(v.end) })
		}
		for i, v := range booked {
			if touches(v) || slices.Contains(booked[:i], v) {
				c.Errorf("the doctor is in two places at %s", v.start)
			}
		}
		// Of the slots of each agenda, those are free which touch nothing that is booked: beside
		// it is the same one of somebody who has nothing to do.
		offered := func(a string) (all []visit) {
			d := c.must("find", "", "schedule="+a, "start=2026-11-22T00:00:00-06:00", "end=2026-11-27T00:00:00-06:00", "_count=200")
			for e := range d.Items(0, "entry") {
				all = append(all, visit{at(d.TextAt(e, "resource", "start")), at(d.TextAt(e, "resource", "end"))})
			}
			return all
		}
		for _, a := range agendas {
			c.put(strings.Replace(rules[a]("idle-"+a), "Practitioner/doc", "Practitioner/idle", 1))
			free, all := offered(a), offered("idle-"+a)
			for _, v := range all {
				if taken := touches(v) || slices.Contains(booked, v); taken == slices.Contains(free, v) {
					c.Errorf("%s at %s: taken is %t, and so is offered", a, v.start, taken)
				}
			}
			if len(all) < 20 {
				c.Errorf("%s has %d slots", a, len(all))
			}
		}
	})
}

// visitor books, moves, cancels and lets holds be, as chance has it.
func (c *clinic) visitor(chance *rand.Rand, agendas []string, patient string) {
	if err := c.put(fmt.Sprintf(`{"resourceType":"Patient","id":%q}`, patient)); err != nil {
		c.Error(err)
	}
	when := func() string { // in four days, from 23:00 to 2:00 in Mexico City, by quarters of an hour
		return "start=" + at("2026-11-22T23:00:00-06:00").AddDate(0, 0, chance.IntN(4)).Add(time.Duration(chance.IntN(13))*15*time.Minute).Format(time.RFC3339)
	}
	var mine []string
	for range 30 {
		agenda, which := "schedule="+agendas[chance.IntN(2)], 0
		if len(mine) > 0 {
			which = chance.IntN(len(mine))
		}
		var d *element.Doc
		var err error
		switch n := chance.IntN(10); {
		case n < 5 || len(mine) == 0:
			if d, err = c.call("book", "", agenda, when(), "patient="+patient); err == nil {
				mine = append(mine, d.TextAt(0, "id"))
			}
		case n < 7:
			_, err = c.call("reschedule", mine[which], agenda, when())
		case n < 9:
			_, err = c.call("cancel", mine[which], "reason=pat")
			mine = slices.Delete(mine, which, which+1)
		default:
			if d, err = c.call("hold", "", agenda, when()); err == nil {
				if d, err = c.call("book", "", "hold="+part(d, "hold"), "patient="+patient); err == nil {
					mine = append(mine, d.TextAt(0, "id"))
				}
			}
		}
		if code := fhir.CodeOf(err); err != nil && code != fhir.Conflict && code != fhir.Unprocessable && code != fhir.Throttled {
			c.Error(err)
		}
	}
}
