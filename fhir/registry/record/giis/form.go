package giis

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir/registry/identity"
)

// form checks a value by itself: "" is nothing wrong.
func (v *Variable) form(value string, today time.Time) string {
	switch {
	case value != strings.TrimSpace(value):
		return "blanks around the value"
	case value == "" && v.kind != disease:
		return "no value"
	case value == v.unknown && v.unknown != "":
		return ""
	}
	switch v.kind {
	case key:
		return v.keyForm(value)
	case keys:
		return v.keysForm(value)
	case number:
		return v.numberForm(value)
	case date:
		if t, err := time.Parse(layout, value); err != nil || len(value) != len(layout) || t.Year() < 1800 {
			return "a date is dd/mm/aaaa"
		}
	case name:
		return nameForm(value)
	case curp:
		return curpForm(value, today)
	case clues:
		if p := identity.Check(identity.SystemCLUES, value, today); len(p) > 0 {
			return p[0].Text
		}
	case entity:
		if !entityForm.MatchString(value) {
			return "two digits of a federal entity, 00 not stated, 88 does not apply, 99 not known"
		}
	case disease:
		if value != "" && !diseaseForm.MatchString(value) {
			return "a code of the CIE has 4 characters, of which the last is X where there is no fourth"
		}
	}
	return ""
}

var (
	entityForm  = regexp.MustCompile(`^(0[0-9]|[12][0-9]|3[0-2]|88|99)$`)
	diseaseForm = regexp.MustCompile(`^([A-Z][0-9]{2}[0-9X]|(MT|CP)[0-9]{2})$`)
	nameChars   = regexp.MustCompile(`^[A-ZÑ\-,./'¨ ]+$`)
	twoSpecials = regexp.MustCompile(`[\-,./'¨]{2}`)
)

func (v *Variable) keyForm(value string) string {
	if v.codes == "" {
		if !one(fmt.Sprintf("%d-%d", int(max(v.low, 0)), int(v.high)), value) {
			return "a number of the catalogue"
		}
	} else if !one(v.codes, value) {
		return "one of " + v.codes
	}
	return ""
}

func (v *Variable) keysForm(value string) string {
	all := list(value)
	if len(all) > v.most {
		return fmt.Sprintf("at most %d values", v.most)
	}
	for i, s := range all {
		switch {
		case !one(v.codes, s):
			return "values among " + v.codes + ", parted by &"
		case slices.Contains(all[:i], s):
			return "the same value twice"
		case len(all) > 1 && one(v.alone, s):
			return s + " stands alone"
		}
	}
	return ""
}

var decimal = regexp.MustCompile(`^[0-9]{1,3}(\.([0-9]{1,3}))?$`)

func (v *Variable) numberForm(value string) string {
	m := decimal.FindStringSubmatch(value)
	if m == nil || len(m[2]) > v.decimals {
		return fmt.Sprintf("a number with at most %d decimals", v.decimals)
	}
	var n float64
	fmt.Sscan(value, &n)
	if n < v.low || n > v.high {
		return fmt.Sprintf("%g to %g, or %s when it is not known", v.low, v.high, v.unknown)
	}
	return ""
}

// nameForm checks a name by the rules that the guide has for all of them.
func nameForm(value string) string {
	switch n := len([]rune(value)); {
	case n < 2 || n > 50:
		return "2 to 50 characters"
	case !nameChars.MatchString(value):
		return "capitals A to Z and Ñ without accents, and - , . / ' ¨"
	case twoSpecials.MatchString(value):
		return "two special characters side by side"
	case strings.Contains(value, "  "):
		return "two blanks side by side"
	}
	return ""
}

// curpForm checks a CURP; the generic one has its own rules.
func curpForm(value string, today time.Time) string {
	if value == identity.GenericCURP {
		return ""
	}
	for _, p := range identity.Check(identity.SystemCURP, value, today) {
		if !p.Warning {
			return p.Text
		}
	}
	if value != strings.ToUpper(value) {
		return "a CURP is written in capitals"
	}
	return ""
}
