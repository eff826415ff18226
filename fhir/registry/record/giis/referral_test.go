package giis

import (
	"fmt"
	"testing"
)

// TestReferral: variables 101 and 102 of visits, as they pass the guide's own rules.
func TestReferral(t *testing.T) {
	asks := func(category, status, more string) string {
		return fmt.Sprintf(`"status":%q,"intent":"order","category":[{"coding":[{"system":%q,"code":%q}]}]%s`, status, systemReferral, category, more)
	}
	cause := func(code string) string {
		return fmt.Sprintf(`,"reasonCode":[{"text":"Disnea"},{"coding":[{"system":%q,"code":%q}]}]`, SystemCause, code)
	}
	for name, c := range map[string]struct {
		requests []string
		want     string // referidoPor|contrarreferido
	}{
		"nobody":                 {nil, "-1|0"},
		"referred":               {[]string{asks(categoryRefer, "active", "")}, "5|0"},
		"for a cause":            {[]string{asks(categoryRefer, "active", cause("3"))}, "3|0"},
		"two, one with a cause":  {[]string{asks(categoryRefer, "completed", ""), asks(categoryRefer, "active", cause("4"))}, "4|0"},
		"rejected":               {[]string{asks(categoryRefer, "revoked", cause("3"))}, "-1|0"},
		"sent back":              {[]string{asks(categoryCounter, "active", "")}, "-1|1"},
		"sent back and on":       {[]string{asks(categoryCounter, "completed", ""), asks(categoryRefer, "active", "")}, "5|0"},
		"a request of any other": {[]string{asks("x", "active", "")}, "-1|0"},
	} {
		t.Run(name, func(t *testing.T) {
			s := clinic()
			s.visit("a", "AMB", "2026-10-05T10:00:00-06:00", icd("E11.9"))
			for i, r := range c.requests {
				s.put("ServiceRequest", fmt.Sprint("r", i), `"encounter":{"reference":"Encounter/a"},"subject":{"reference":"Patient/p"},`+r)
			}
			made, err := october(s, nil)
			if err != nil {
				t.Fatal(err)
			}
			if made.File == nil || made.Report.Errors != 0 {
				t.Fatalf("it does not pass the rules: %+v", made.Report)
			}
			rows, _, _, err := Decode(made.File)
			if err != nil {
				t.Fatal(err)
			}
			if got := rows[0].at(vReferred) + "|" + rows[0].at(vCounterReferred); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}
