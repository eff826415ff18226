package campaign

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
)

// analyst sees statistics alone.
func analyst(c *operation.Call) { c.Caller.Roles = []string{"analyst"} }

// village is a town of a few children whose coverage is counted by hand. All days are those
// of 22 November 2026.
func village(t testing.TB) *town {
	w := newTown(t)
	hexa := func(ages ...int) (all []shot) {
		for _, age := range ages {
			all = append(all, shot{"146", age})
		}
		return append(all, newborn...)
	}
	w.child("a", 400, "09015", one, "female", append(hexa(61, 122, 183), shot{"03", 370})...) // born on 2025-10-18: all in time
	w.child("b", 400, "09015", one, "male", hexa(61, 200, 300)...)                            // the second and third late, no MMR
	w.child("c", 400, "09014", two, "female", hexa(61)...)                                    // dropped out
	w.child("d", 400, "15033", three, "male")                                                 // no dose at all
	w.child("e", 100, "15033", three, "male", hexa(30)...)                                    // too young a dose does not count
	w.child("f", 60, "15033", three, "female")                                                // too young to be late
	w.child("g", 3000, "09015", one, "male", hexa(61, 122, 183)...)                           // before the five years
	return w
}

func TestCoverage(t *testing.T) {
	w := village(t)
	for query, want := range map[string]map[string]string{
		"": {
			"DTaP-1-coverage": "3/5", "DTaP-1-timely": "3/5", "DTaP-1-zero-dose": "2/5", "DTaP-3-coverage": "2/4", "DTaP-3-timely": "1/4", "DTaP-3-dropout": "1/3",
			"MMR-1-coverage": "1/4", "BCG-1-coverage": "4/6", "DTaP-4-coverage": "0/0", "Rotavirus-3-coverage": "none", "Influenza-1-coverage": "none", "HepB-1-timely": "4/6",
		},
		"facility=" + one:                         {"DTaP-3-coverage": "2/2", "DTaP-3-timely": "1/2"},
		"municipality=15033":                      {"DTaP-1-coverage": "0/2", "DTaP-1-zero-dose": "2/2"},
		"state=09&sex=female":                     {"DTaP-3-coverage": "1/2"},
		"born-from=2026":                          {"DTaP-1-coverage": "0/1", "BCG-1-coverage": "1/2"},
		"born-from=2025-10-18&born-until=2025-10": {"DTaP-1-coverage": "3/4"},
		"born-from=2010&born-until=2020":          {"DTaP-3-coverage": "1/1", "DTaP-4-coverage": "0/1", "MMR-2-coverage": "0/1"},
		"date=2026-02-01":                         {"DTaP-1-coverage": "3/4", "DTaP-2-coverage": "0/0"},
		"vaccine=Measles":                         {"Measles-1-coverage": "1/4", "DTaP-1-coverage": "none"},
		"vaccine=hexavalente&date=2026-04-01":     {"DTaP-2-coverage": "1/4", "DTaP-2-dropout": "2/3"},
	} {
		a, err := w.call("immunization-coverage", query, nil)
		if err != nil {
			t.Errorf("%s: %v", query, err)
			continue
		}
		for code, want := range want {
			if got := figure(t, a, code); got != want {
				t.Errorf("%s: %s is %s, want %s", query, code, got, want)
			}
		}
	}
	a, err := w.call("immunization-coverage", "by=sex,state&vaccine=BCG", nil)
	if err != nil {
		t.Fatal(err)
	}
	for part, want := range map[string]string{"09 female": "2/2", "09 male": "1/1", "15 male": "1/2", "15 female": "0/1"} {
		if got := figure(t, a, "BCG-1-coverage", strings.Fields(part)...); got != want {
			t.Errorf("%s: %s, want %s", part, got, want)
		}
	}
	for _, query := range []string{"date=2026-11-23", "by=planet", "vaccine=Influenza", "vaccine=x", "born-from=2027", "born-from=1990", "born-from=x", "sex=other", "denominator=x", "denominator=population", "a=b", "municipality=1"} {
		if _, err := w.call("immunization-coverage", query, nil); fhir.CodeOf(err) != fhir.Invalid {
			t.Errorf("%s: %v", query, err)
		}
	}
}

// TestCoverageOfWhomTheCallerSees: who runs the programme counts whom they may see, at the
// establishments below theirs.
func TestCoverageOfWhomTheCallerSees(t *testing.T) {
	w := village(t)
	w.hidden["c"] = true
	for _, k := range []struct {
		org, query, want string
		code             fhir.Code
	}{
		{"", "", "2/4", 0}, {"DFSSA000000", "", "2/2", 0}, {"DFSSA000000", "facility=" + two, "0/0", 0}, {"DFSSA000000", "facility=" + three, "", fhir.Forbidden},
	} {
		a, err := w.call("immunization-coverage", k.query, func(c *operation.Call) {
			restricted(c)
			c.Caller = operation.Caller{Roles: []string{"vaccination-manager"}, Org: k.org}
		})
		if fhir.CodeOf(err) != k.code || err == nil && figure(t, a, "DTaP-1-coverage") != k.want {
			t.Errorf("%q %q: %v", k.org, k.query, err)
			if err == nil {
				t.Error(figure(t, a, "DTaP-1-coverage"))
			}
		}
	}
	for _, query := range []string{"by=facility", "by=month", "facility=" + one, "date=2026-11-21", "born-from=2025-02"} {
		if _, err := w.call("immunization-coverage", query, analyst); fhir.CodeOf(err) != fhir.Invalid {
			t.Errorf("%s: %v", query, err)
		}
	}
	a, err := w.call("immunization-coverage", "", func(c *operation.Call) { analyst(c); c.Media = mediaCSV })
	if err != nil || strings.Count(string(a.Raw), ",true\n") < 10 || strings.Contains(string(a.Raw), "%") {
		t.Errorf("figures of few children: %v\n%s", err, a.Raw)
	}
}

// TestPopulation counts against a population from elsewhere.
func TestPopulation(t *testing.T) {
	w := village(t)
	entries, err := ReadPopulations(strings.NewReader("\ufeffyear,municipality,sex,population\n2025,09015,female,10\n2025,09015,male,12\n2025,09014,female,5\n2025,09014,male,6\n2025,15,,40\n2025,09,,33\n2024,00,,99\n"), "f.csv")
	if err != nil || len(entries) != 2 {
		t.Fatal(err, entries)
	}
	for _, e := range entries {
		w.entries[e.Kind+"/"+e.Key] = e
	}
	ask := func(query string, part ...string) string {
		a, err := w.call("immunization-coverage", "denominator=population&"+query, nil)
		if err != nil {
			t.Fatal(err)
		}
		return figure(t, a, "DTaP-1-coverage", part...)
	}
	for _, k := range []struct{ query, part, want string }{
		{"born-from=2025&born-until=2025&state=09", "", "3/33"}, {"born-from=2025&born-until=2025&by=municipality", "09015", "2/22"}, {"born-from=2025&born-until=2025&by=sex&municipality=09015", "female", "1/10"},
		{"born-from=2025&born-until=2025&by=state", "15", "0/40"}, {"born-from=2024&born-until=2024", "", "0/99"}, {"born-from=2025&born-until=2025", "", "3"}, {"born-from=2023&born-until=2023", "", "0"}, {"born-from=2025&born-until=2025&by=municipality", "15033", "0"},
	} {
		if got := ask(k.query, strings.Fields(k.part)...); got != k.want {
			t.Errorf("%s %s: %s, want %s", k.query, k.part, got, k.want)
		}
	}
	for _, bad := range []string{"", "year\n2025\n", "year,population\n", "year,population\nx,1\n", "year,population\n2025,-1\n", "year,population,municipality\n2025,1,9015\n", "year,population,sex\n2025,1,other\n", "year,population\n2025,1\n2025,2\n", "year,population\n2025\n"} {
		if _, err := ReadPopulations(strings.NewReader(bad), ""); err == nil {
			t.Errorf("%q is read", bad)
		}
	}
}

// drawn is a report of cells that are drawn.
func drawn(t *rapid.T) *Report {
	r := &Report{Asked: Asked{Statistic: true, By: []string{byMunicipality}}, smallest: 11, Vaccines: []*Vaccine{{Name: "v", Doses: 2}}}
	r.targets = []target{{vaccine: r.Vaccines[0], number: 1, zero: true}, {vaccine: r.Vaccines[0], number: 2}}
	r.Total = r.cell(Key{})
	upTo := func(n int, name string) int {
		return rapid.SampledFrom([]int{0, min(n, 1), min(n, 5), max(0, n-3), n, n / 2}).Draw(t, name)
	}
	for i := range rapid.IntRange(1, 6).Draw(t, "cells") {
		c := r.cell(Key{Place: int32(i + 1)})
		c.Registered = rapid.IntRange(1, 60).Draw(t, "registered")
		first := &c.tallies[0]
		first.expected = upTo(c.Registered, "expected")
		first.given = upTo(first.expected, "given")
		*first = tally{all: first.given, expected: first.expected, given: first.given, timely: upTo(first.given, "timely"), started: first.given}
		second := &c.tallies[1]
		second.expected = upTo(first.expected, "expected 2")
		second.started = min(second.expected, first.given)
		second.given = upTo(second.started, "given 2")
		second.timely = upTo(second.given, "timely 2")
		r.Cells = append(r.Cells, c)
		r.Total.Registered += c.Registered
		for k := range c.tallies {
			a, b := &r.Total.tallies[k], c.tallies[k]
			*a = tally{a.all + b.all, a.expected + b.expected, a.given + b.given, a.timely + b.timely, a.started + b.started}
		}
	}
	r.hide()
	return r
}

// TestFewAreHidden: no number of fewer people than are shown is shown, nor comes out when
// the parts that are shown are taken from the whole.
func TestFewAreHidden(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := drawn(rt)
		for target := range r.targets {
			var left []int // what is hidden, as the total and the other cells give it away
			hidden := 0
			for _, c := range r.Cells {
				parts := r.parts(c, target)
				if r.hidden[c][target] {
					hidden++
					for k, n := range parts {
						if k == len(left) {
							left = append(left, 0)
						}
						left[k] += n
					}
				} else if slices.ContainsFunc(parts, r.few) {
					rt.Fatalf("shown: %v", parts)
				}
			}
			if r.hidden[r.Total][target] {
				continue
			}
			if slices.ContainsFunc(r.parts(r.Total, target), r.few) {
				rt.Fatalf("shown of all: %v", r.parts(r.Total, target))
			}
			if hidden == 1 || slices.ContainsFunc(left, r.few) {
				rt.Fatalf("%d cells hide %v, which the total gives away", hidden, left)
			}
		}
		for _, c := range append(slices.Clone(r.Cells), r.Total) {
			for _, f := range r.figures(c) {
				if f.Hidden && f.Registered+f.Denominator+f.Numerator > 0 || f.Registered%10+f.Denominator%10+f.Numerator%10 != 0 || f.Numerator > f.Denominator {
					rt.Fatalf("%+v", f)
				}
			}
		}
	})
}

// TestCountAgreesWithAssessing: what is counted from rows is what comes out of the doses
// that the engine finds valid, whatever was given.
func TestCountAgreesWithAssessing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newTown(t)
		on := schedule.DateOf(w.now)
		want, expected, registered := 0, 0, rapid.IntRange(1, 6).Draw(rt, "children")
		for i := range registered {
			age := rapid.IntRange(1, 1500).Draw(rt, "age")
			var shots []shot
			for range rapid.IntRange(0, 5).Draw(rt, "doses") {
				shots = append(shots, shot{rapid.SampledFrom([]string{"146", "20", "01", "10", "08"}).Draw(rt, "cvx"), rapid.IntRange(0, age).Draw(rt, "day")})
			}
			id := fmt.Sprint("c", i)
			w.child(id, age, "09015", one, "female", shots...)
			book, err := w.library.Find("", on)
			if err != nil {
				rt.Fatal(err)
			}
			kept := w.known(id, book.Reader)
			found, err := book.Assess(kept, on)
			if err != nil {
				rt.Fatal(err)
			}
			pertussis, diphtheria, tetanus := 0, 0, 0
			for _, e := range found.Evaluations {
				if e.Status == "Valid" {
					switch e.Antigen {
					case "Pertussis":
						pertussis++
					case "Diphtheria":
						diphtheria++
					case "Tetanus":
						tetanus++
					}
				}
			}
			if kept.Born.Add(schedule.Period{Months: 5, Set: true}) <= on {
				expected++
				if min(pertussis, diphtheria, tetanus) >= 2 {
					want++
				}
			}
		}
		a, err := w.call("immunization-coverage", "born-from=2020", nil)
		if err != nil {
			rt.Fatal(err)
		}
		if got := figure(t, a, "DTaP-2-coverage"); got != fmt.Sprintf("%d/%d", want, expected) {
			rt.Fatalf("%s, want %d/%d", got, want, expected)
		}
	})
}
