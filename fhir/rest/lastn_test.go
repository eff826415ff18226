package rest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir/rest"
)

// measured returns an Observation; codes are written system|code, or as text.
func measured(id, patient, when string, codes ...string) string {
	var coding []string
	text := ""
	for _, c := range codes {
		system, code, ok := strings.Cut(c, "|")
		if !ok {
			text = fmt.Sprintf(`"text":%q`, c)
			continue
		}
		coding = append(coding, fmt.Sprintf(`{"system":%q,"code":%q}`, system, code))
	}
	concept := text
	if coding != nil {
		concept = `"coding":[` + strings.Join(coding, ",") + "]"
	}
	if when != "" {
		when = `"effectiveDateTime":"` + when + `",`
	}
	return fmt.Sprintf(`{"resourceType":"Observation","id":%q,"status":"final",%s"category":[{"coding":[{"system":"http://c","code":"vital"}]}],"code":{%s},"subject":{"reference":"Patient/%s"}}`, id, when, concept, patient)
}

func TestLastN(t *testing.T) {
	bothEngines(t, func(t *testing.T, open func(testing.TB) rest.Store) {
		s := charted(t, open(t))
		var entries []string
		for id, json := range map[string]string{
			"pulse1":  measured("pulse1", "a", "2020-01-01", "http://l|pulse"),
			"pulse2":  measured("pulse2", "a", "2020-01-02", "http://l|pulse"),
			"pulse3":  measured("pulse3", "a", "2020-01-03", "http://l|pulse"),
			"tie":     measured("tie", "a", "2020-01-02", "http://l|pulse"),
			"tieutc":  measured("tieutc", "a", "2020-01-01T18:00:00-06:00", "http://l|pulse"),
			"a":       measured("a", "a", "2021-01-01", "http://l|a"),
			"b":       measured("b", "a", "2021-01-02", "http://l|b"),
			"ab":      measured("ab", "a", "2019-01-01", "http://l|a", "http://l|b"),
			"foreign": measured("foreign", "a", "2018-01-01", "http://m|a"),
			"text":    measured("text", "a", "2018-01-02", "Temp"),
			"text2":   measured("text2", "a", "2018-01-03", "Temp"),
			"text3":   measured("text3", "a", "2018-01-04", "temp"),
			"never":   measured("never", "a", "", "http://l|pulse"),
			"other":   measured("other", "b", "2022-01-01", "http://l|pulse"),
			"wrong":   strings.Replace(measured("wrong", "c", "2022-01-01", "http://l|pulse"), "final", "entered-in-error", 1),
		} {
			entries = append(entries, entry("", "PUT", "Observation/"+id, json, ""))
		}
		for _, id := range []string{"a", "b", "c"} {
			entries = append(entries, entry("", "PUT", "Patient/"+id, patient(id, id), ""))
		}
		s.want(200, s.do("POST", "/", bundleOf("transaction", entries...)))
		for _, c := range []struct{ query, want string }{
			{"patient=a&category=vital", "b pulse3 text3 text2 foreign"}, // a and b are one group, by ab
			{"patient=Patient/a&code=http://l|pulse&max=2", "pulse3 pulse2 tie tieutc"},
			{"subject=Patient/a&code=http://l|pulse&max=4", "pulse3 pulse2 tie tieutc"},
			{"subject=Patient/a&code=http://l|pulse&max=5", "pulse3 pulse2 tie tieutc pulse1"},
			{"subject=Patient/a&code=http://l|pulse&max=9", "pulse3 pulse2 tie tieutc pulse1 never"},
			{"patient=a&code=http://l|pulse&date=lt2020-01-02T00:00:00Z", "pulse1"},
			{"patient=a&category=vital&code=http://l|a,http://l|b&max=2", "b a"},
			{"patient=b&category=vital", "other"},
			{"patient=c&category=vital", "wrong"},
			{"patient=c&category=vital&status=final", ""},
			{"patient=nobody&category=vital", ""},
			{"patient.identifier=http://s|b&category=vital", "other"},
		} {
			a := s.want(200, s.do("GET", "/Observation/$lastn?"+c.query, ""))
			b := a.bundle(t)
			got := strings.ReplaceAll(strings.Join(b.ids(), " "), "Observation/", "")
			if !sameTies(got, c.want) || b.Total == nil || *b.Total != len(b.Entry) || b.Type != "searchset" {
				t.Errorf("%s: %s, want %s", c.query, got, c.want)
			}
		}
		b := s.want(200, s.do("GET", "/Observation/$lastn?patient=b&category=vital&_include=Observation:subject", "")).bundle(t)
		if got := b.sorted(); got != "Observation/other Patient/b include" || !strings.HasSuffix(b.link("self"), "/Observation/$lastn?patient=b&category=vital&_include=Observation:subject") {
			t.Errorf("with what they refer to: %s %v", got, b.Link)
		}
		body := `{"resourceType":"Parameters","parameter":[{"name":"patient","valueString":"b"},{"name":"code","valueString":"http://l|pulse"},{"name":"max","valuePositiveInt":3}]}`
		if got := s.want(200, s.do("POST", "/Observation/$lastn", body)).bundle(t).sorted(); got != "Observation/other" {
			t.Errorf("by POST: %s", got)
		}
	})
}

// sameTies compares two lists in which pulse2, tie and tieutc, made at one time, may stand in any order.
func sameTies(got, want string) bool {
	same := strings.NewReplacer("tieutc", "pulse2", "tie", "pulse2")
	return same.Replace(got) == same.Replace(want) && len(got) == len(want)
}

func TestLastNRefusals(t *testing.T) {
	s := charted(t, newStore(t))
	for _, c := range []struct{ query, says string }{
		{"category=vital", "subject"},
		{"patient=&category=vital", "subject"},
		{"patient:missing=false&category=vital", "subject"},
		{"patient=a", "category"},
		{"patient=a&status=final", "category"},
		{"patient=a&category=vital&max=0", "max"},
		{"patient=a&category=vital&max=many", "max"},
		{"patient=a&category=vital&max=1&max=2", "max"},
		{"patient=a&category=vital&_sort=date", "_sort"},
		{"patient=a&category=vital&_count=3", "_count"},
		{"patient=a&category=vital&nonsense=1", "nonsense"},
		{"patient=a&code-nonsense=vital", "category"},
	} {
		if a := s.do("GET", "/Observation/$lastn?"+c.query, ""); a.status != 400 || !a.outcome(t).says(c.says) {
			t.Errorf("%s: %d %s", c.query, a.status, a.body)
		}
	}
	s.want(404, s.do("GET", "/Observation/x/$lastn?patient=a&code=b", ""))
	s.want(404, s.do("GET", "/Patient/$lastn?patient=a&code=b", ""))
}
