package paper

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/registry/birth"
	"github.com/amate-health/amate/fhir/registry/birth/sinac"
)

// shelf is a ledger of certificates in memory.
type shelf []*birth.Certificate

func (s shelf) Certificate(_ context.Context, folio string) (*birth.Certificate, error) {
	for _, c := range s {
		if c.Folio == folio {
			return c, nil
		}
	}
	return nil, fhir.Errorf(fhir.NotFound, "none")
}

func (s shelf) Verified(_ context.Context, token string) (*birth.Certificate, error) {
	for _, c := range s {
		if c.Token == token && token != "" {
			return c, nil
		}
	}
	return nil, fhir.Errorf(fhir.NotFound, "none")
}

func (s shelf) Each(_ context.Context, q birth.Query, f func(*birth.Certificate) error) error {
	for _, c := range s {
		if c.State == birth.Draft || !strings.HasPrefix(c.Certifier.Facility, q.Facility) || c.Newborn.Born < q.From || c.Newborn.Born >= q.Until {
			continue
		}
		if err := f(c); err != nil {
			return err
		}
	}
	return nil
}

func (s shelf) History(context.Context, string) ([]fhir.BirthEvent, error) { return nil, nil }

// bornOn is a certificate of a birth at noon, certified and registered so long after; a
// negative number is never.
func bornOn(facility, day string, state birth.State, hours float64, registered int) *birth.Certificate {
	c := &birth.Certificate{State: state, Certifier: birth.Official{Facility: facility}, Newborn: birth.Person{Born: day}}
	at, err := time.ParseInLocation("2006-01-02T15:04", day+"T12:00", central)
	if err != nil {
		panic(err)
	}
	c.Row.SetDate(sinac.Born, at)
	c.Row[sinac.BornAt], c.Row[sinac.Sex], c.Row[sinac.Weight] = "12:00", "1", "9999"
	c.Certified = at.Add(time.Duration(hours * float64(time.Hour)))
	if registered >= 0 {
		c.State = birth.Registered
		c.Registration = &birth.Registration{Date: at.AddDate(0, 0, registered).Format(time.DateOnly)}
	}
	return c
}

const clinic, village = "MCIMB005225", "MCIMB000111"

func reported(t testing.TB, s shelf, a Asked) *Report {
	t.Helper()
	a.Year, a.Now = 2026, time.Date(2026, 11, 21, 0, 0, 0, 0, central)
	r, err := Run(t.Context(), s, a)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestReport(t *testing.T) {
	s := shelf{
		bornOn(clinic, "2026-01-05", birth.Certified, 2, 10),
		bornOn(clinic, "2026-01-31", birth.Certified, 24, 61),
		bornOn(clinic, "2026-01-31", birth.Delivered, 30, -1), // due long ago
		bornOn(clinic, "2026-01-02", birth.Void, 1, -1),
		bornOn(clinic, "2026-01-02", birth.Replaced, 1, -1),
		bornOn(clinic, "2026-11-01", birth.Certified, 1, -1), // may still come
		bornOn(village, "2026-11-01", birth.Certified, 1, 0),
		bornOn(village, "2025-12-31", birth.Certified, 1, 1),
		bornOn(village, "2027-01-01", birth.Certified, 1, 1),
	}
	s[0].Replaces = "F" // of the certificate that it replaces, not of the birth
	r := reported(t, s, Asked{})
	if len(r.Lines) != 3 || r.Lines[0].Facility != village || r.Lines[1].Month != "2026-01" || r.Lines[2].Month != "2026-11" {
		t.Fatalf("%+v", r.Lines)
	}
	january := r.Lines[1]
	if january.Births != 3 || january.Void.N != 1 || january.Replaced.N != 1 || january.Waiting.N != 1 {
		t.Errorf("%+v", january)
	}
	if c := january.Certify; c.N != 2 || c.Median != 24 || c.P90 != 30 || c.Share != 0.5 {
		t.Errorf("to the certificate: %+v", c)
	}
	if c := january.Register; c.N != 2 || c.Median != 10 || c.P90 != 61 || math.Abs(c.Share-1.0/3) > 1e-9 {
		t.Errorf("to registration: %+v", c)
	}
	if c := r.Lines[2].Register; c.N != 0 || c.Known {
		t.Errorf("what may still come is counted: %+v", c)
	}
	if r.Total.Births != 5 || r.Gaps[sinac.Weight].Missing != 5 || r.Gaps[sinac.Sex].Missing != 0 || r.Gaps[sinac.Weight].Of != 5 {
		t.Errorf("%+v\n%+v", r.Total, r.Gaps)
	}
	if r := reported(t, s, Asked{Facility: village}); len(r.Lines) != 1 || r.Total.Births != 1 {
		t.Errorf("of one facility: %+v", r)
	}
	for _, write := range []func(*Report, *bytes.Buffer) error{
		func(r *Report, b *bytes.Buffer) error { return r.CSV(b) }, func(r *Report, b *bytes.Buffer) error { return r.Write(b) },
		func(r *Report, b *bytes.Buffer) error { raw, err := r.parameters(); b.Write(raw); return err },
	} {
		var b bytes.Buffer
		if err := write(r, &b); err != nil || !strings.Contains(b.String(), clinic) || !strings.Contains(b.String(), "0.333") || !strings.Contains(b.String(), "PESO") {
			t.Errorf("%v\n%s", err, b.String())
		}
	}
}

// TestFewAreHidden: whatever the births are, nothing that is of fewer than Smallest is
// shown where they are to be hidden; nor does it come out when one figure that is shown is
// taken from another.
func TestFewAreHidden(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var s shelf
		for _, facility := range []string{clinic, village} {
			for range rapid.IntRange(0, 40).Draw(rt, "births") {
				state := rapid.SampledFrom([]birth.State{birth.Certified, birth.Certified, birth.Delivered, birth.Void, birth.Replaced}).Draw(rt, "state")
				registered := -1
				if state.Live() {
					registered = rapid.IntRange(-1, 90).Draw(rt, "registered")
				}
				c := bornOn(facility, "2026-03-04", state, rapid.Float64Range(0, 60).Draw(rt, "hours"), registered)
				if rapid.Bool().Draw(rt, "weighed") {
					c.Row[sinac.Weight] = "3000"
				}
				s = append(s, c)
			}
		}
		all := reported(t, s, Asked{Suppress: true})
		sum := map[string]int{}
		for _, l := range all.Lines {
			if l.Births < Smallest {
				rt.Fatalf("%d births are shown", l.Births)
			}
			for name, c := range map[string]Count{"void": l.Void, "replaced": l.Replaced, "waiting": l.Waiting} {
				if !c.Hidden && c.N > 0 && c.N < Smallest {
					rt.Fatalf("%s %d is shown", name, c.N)
				}
				if !c.Hidden {
					sum[name] += c.N
				}
			}
			for _, v := range []Times{l.Certify, l.Register} {
				if v.N > 0 && v.N < Smallest {
					rt.Fatalf("times of %d are shown", v.N)
				}
				if in := int(math.Round(v.Share * float64(v.N))); v.Known && v.N == len(l.certify) && (in > 0 && in < Smallest || v.N-in > 0 && v.N-in < Smallest) {
					rt.Fatalf("a share of %d of %d is shown", in, v.N)
				}
			}
			sum["births"] += l.Births
			alone := reported(t, s, Asked{Suppress: true, Facility: l.Facility})
			for i, g := range alone.Gaps {
				if g.Missing > 0 && g.Missing < Smallest || g.Of-g.Missing > 0 && g.Of-g.Missing < Smallest {
					rt.Fatalf("%s misses in %d of %d", g.Column, g.Missing, g.Of)
				}
				sum[fmt.Sprint("gap", i)] += g.Missing
				sum[fmt.Sprint("of", i)] += g.Of
			}
		}
		if t := all.Total; t.Births != sum["births"] || t.Void.N != sum["void"] || t.Replaced.N != sum["replaced"] || t.Waiting.N != sum["waiting"] {
			rt.Fatalf("the total %+v tells more than the lines, %v", t, sum)
		}
		for i, g := range all.Gaps {
			if g.Missing != sum[fmt.Sprint("gap", i)] || g.Of != sum[fmt.Sprint("of", i)] {
				rt.Fatalf("%s tells more in sum than by facility", g.Column)
			}
		}
	})
}
