package monitor_test

import (
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/validate"
	"github.com/amate-health/amate/telehealth/monitor"
)

// TestCheck: a Goal is stored only with rules that watch for what was meant.
func TestCheck(t *testing.T) {
	limit := `"detailRange":{"low":` + quantity("90", "mm[Hg]") + `,"high":` + quantity("140", "mm[Hg]") + `}`
	change := `{"url":"change","valueQuantity":` + quantity("-2", "kg") + `}`
	for name, row := range map[string]struct{ target, want string }{
		"no rule":                 {`{"measure":{"text":"x"}}`, ""},
		"limits":                  {target("8480-6", limit), ""},
		"all settings":            {target("8480-6", limit, `{"url":"count","valuePositiveInt":2},{"url":"of","valuePositiveInt":3}`, duration("silence", "2", "d"), duration("escalate", "5", "min"), notify("CareTeam/t")), ""},
		"a fall":                  {target("29463-7", "", change, duration("window", "72", "h")), ""},
		"what a panel is not":     {target("85354-9", limit), "about a measurement"},
		"something else":          {target("718-7", limit), "about a measurement"},
		"nothing to watch for":    {target("8480-6", ""), "a limit, a change or a silence"},
		"limits the wrong way":    {target("8480-6", `"detailRange":{"low":`+quantity("140", "mm[Hg]")+`,"high":`+quantity("90", "mm[Hg]")+`}`), "below the upper one"},
		"a unit of another kind":  {target("8480-6", `"detailRange":{"low":`+quantity("90", "kg")+`}`), "can be converted"},
		"no comparator":           {target("8480-6", `"detailQuantity":`+quantity("90", "mm[Hg]")), "comparator"},
		"more than are looked at": {target("8480-6", limit, `{"url":"count","valuePositiveInt":4},{"url":"of","valuePositiveInt":3}`), "at most of"},
		"too many":                {target("8480-6", limit, `{"url":"of","valuePositiveInt":51}`), "positiveInt from 1 to 50"},
		"a change for ever":       {target("29463-7", "", change), "has a window"},
		"a window of nothing":     {target("29463-7", limit, duration("window", "3", "d")), "can be converted"},
		"too long":                {target("8480-6", limit, duration("silence", "93", "d")), "to 92 days"},
		"too short":               {target("8480-6", limit, duration("silence", "5", "s")), "from a minute"},
		"no duration":             {target("8480-6", limit, duration("silence", "5", "kg")), "from a minute"},
		"a patient is called":     {target("8480-6", limit, notify("Patient/ana")), "up to 20 are called"},
		"unknown":                 {target("8480-6", limit, `{"url":"x","valueCode":"y"}`), "a rule has priority"},
	} {
		d, err := element.Parse([]byte(goal("g", "active", row.target)))
		if err != nil {
			t.Fatal(err)
		}
		issues := monitor.Check(d, 0, "Goal")
		switch {
		case row.want == "" && len(issues) > 0:
			t.Errorf("%s: %v", name, issues)
		case row.want != "" && (len(issues) == 0 || !strings.Contains(issues[0].Details, row.want) || !strings.HasPrefix(issues[0].Expression, "Goal.target[0]") || issues[0].Line == 0):
			t.Errorf("%s: %v, want %s", name, issues, row.want)
		}
	}
}

// FuzzCheck: no Goal breaks the reader of rules.
func FuzzCheck(f *testing.F) {
	f.Add(goal("g", "active", target("8310-5", `"detailRange":{"low":`+quantity("1", "[degF]")+`}`, `{"url":"change","valueQuantity":`+quantity("1", "[degF]")+`}`, duration("window", "999999999", "a"))))
	f.Add(`{"target":[{"extension":[{"url":"` + monitor.RuleURL + `"}],"measure":{"coding":[{"system":"http://loinc.org","code":"8480-6"}]},"detailRange":7}]}`)
	f.Add(`{"target":7}`)
	f.Add(goal("g", "active", target("8867-4", `"detailQuantity":{"value":"-","comparator":"<"}`)))
	f.Fuzz(func(t *testing.T, body string) {
		d, err := element.Parse([]byte(body))
		if err != nil {
			return
		}
		for _, i := range monitor.Check(d, 0, "Goal") {
			if i.Details == "" || i.Expression == "" {
				t.Errorf("%+v", i)
			}
		}
	})
}

// TestTemplates: what is proposed to begin with is sound, names where it is from, and
// watches for nothing until a clinician says so.
func TestTemplates(t *testing.T) {
	h := newHome(t, "sqlite")
	for code, want := range map[string]int{"": 3, "I50.0": 1, "E11": 1, "Z00": 0} {
		d, err := h.call("monitoring-templates", "Goal", "", "", "condition="+code)
		if code == "" {
			d, err = h.call("monitoring-templates", "Goal", "", "")
		}
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for e := range d.Items(0, "entry") {
			n++
			r, err := element.Parse(d.Raw(d.Get(e, "resource")))
			if err != nil {
				t.Fatal(err)
			}
			body := string(r.Raw(0))
			if issues := append(monitor.Check(r, 0, "Goal"), validate.Check(r, 0, "Goal")...); len(issues) > 0 {
				t.Errorf("%s: %v", body, issues)
			}
			if !strings.Contains(body, "Fuente: ") || r.TextAt(0, "lifecycleStatus") != "proposed" {
				t.Error(body)
			}
			h.put(strings.Replace(strings.Replace(body, `"display":"Paciente por indicar"`, `"reference":"Patient/ana"`, 1), `"resourceType":"Goal"`, `"resourceType":"Goal","id":"t`+r.TextAt(0, "description", "text")[:1]+`"`, 1))
		}
		if n != want {
			t.Errorf("%s: %d, want %d", code, n, want)
		}
	}
	h.follow()
	h.send("", `{"id":"a","code":"41653-7","value":50,"unit":"mg/dL","at":"2026-11-22T11:00:00-06:00"}`)
	h.follow()
	if n := len(h.found("Task")); n != 0 {
		t.Errorf("%d alerts of what is only proposed", n)
	}
}

// TestTrend: days are those of the place, and only what the caller may see is counted.
func TestTrend(t *testing.T) {
	onEngines(t, func(h *home) {
		h.send("", systolic("a", 120, -1), systolic("b", 131, -10*60), systolic("c", 140, -13*60), weight("d", 80.5, -2))
		const want = `{"name":"series","part":[{"name":"code","valueCoding":{"code":"8480-6","display":"Presión arterial sistólica","system":"http://loinc.org"}},{"name":"unit","valueCode":"mm[Hg]"},` +
			`{"name":"day","part":[{"name":"date","valueDate":"2026-11-21"},{"name":"count","valueUnsignedInt":1},{"name":"min","valueDecimal":140.0},{"name":"max","valueDecimal":140.0},{"name":"mean","valueDecimal":140.0},{"name":"last","valueDecimal":140.0}]},` +
			`{"name":"day","part":[{"name":"date","valueDate":"2026-11-22"},{"name":"count","valueUnsignedInt":2},{"name":"min","valueDecimal":120.0},{"name":"max","valueDecimal":131.0},{"name":"mean","valueDecimal":125.5},{"name":"last","valueDecimal":120.0}]}]}`
		d, err := h.call("measurements", "Patient", "ana", "")
		if err != nil {
			h.Fatal(err)
		}
		if got := string(d.Raw(0)); !strings.Contains(got, want) || !strings.Contains(got, "29463-7") || !strings.Contains(got, `"valueDate":"2026-10-24"`) {
			h.Error(got)
		}
		for params, want := range map[string]int{"code=29463-7": 1, "code=85354-9": 2, "code=8462-4,8867-4": 1, "start=2026-11-22": 3, "end=2026-11-20": 0} {
			d, err := h.call("measurements", "Patient", "ana", "", params)
			if err != nil {
				h.Fatal(err)
			}
			if n := strings.Count(string(d.Raw(0)), `"series"`); n != want {
				h.Errorf("%s: %d series", params, n)
			}
		}
		for _, bad := range []string{"code=1-8", "start=x", "start=2026-11-23", "start=2020-01-01", "by=day"} {
			if _, err := h.call("measurements", "Patient", "ana", "", bad); err == nil {
				h.Errorf("%s is understood", bad)
			}
		}
		if _, err := h.call("measurements", "Patient", "nobody", ""); err == nil {
			h.Error("a trend of nobody")
		}
		h.only = &search.Restriction{Types: map[string][]search.Expr{"Patient": {}, "Observation": {search.IDs{Any: []string{"none"}}}}}
		if d, err := h.call("measurements", "Patient", "ana", ""); err != nil || strings.Contains(string(d.Raw(0)), "series") {
			h.Errorf("what is hidden: %v", err)
		}
		h.only = &search.Restriction{Types: map[string][]search.Expr{"Observation": {}}}
		if _, err := h.call("measurements", "Patient", "ana", ""); fhir.CodeOf(err) != fhir.NotFound {
			h.Errorf("of a hidden patient: %v", err)
		}
	})
}
