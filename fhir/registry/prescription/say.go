package prescription

import (
	"math/big"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir/element"
)

// conceptText is how a CodeableConcept is written: its text, else a display.
func conceptText(d *element.Doc, n element.Node) string {
	if text := strings.TrimSpace(d.TextAt(n, "text")); text != "" {
		return text
	}
	for c := range d.Items(n, "coding") {
		if text := strings.TrimSpace(d.TextAt(c, "display")); text != "" {
			return text
		}
	}
	return ""
}

// codesOf are the codes of a CodeableConcept by their systems.
func codesOf(d *element.Doc, n element.Node) map[string][]string {
	all := map[string][]string{}
	for c := range d.Items(n, "coding") {
		if system, code := d.TextAt(c, "system"), d.TextAt(c, "code"); system != "" && code != "" {
			all[system] = append(all[system], code)
		}
	}
	return all
}

// ratioText writes a strength: "500 mg", "250 mg/5 mL"; "" where it is not whole.
func ratioText(d *element.Doc, n element.Node) string {
	part := func(name string) (value, unit string) {
		q := d.Get(n, name)
		if v := rat(d.TextAt(q, "value")); v != nil && v.Sign() > 0 {
			value = amountText(v)
		}
		if unit = d.TextAt(q, "unit"); unit == "" {
			unit = strings.Trim(d.TextAt(q, "code"), "{}")
		}
		return value, unit
	}
	value, unit := part("numerator")
	if value == "" || unit == "" {
		return ""
	}
	text := value + " " + unit
	if per, of := part("denominator"); per != "" && of != "" && !(per == "1" && of == "1") {
		if per == "1" {
			return text + "/" + of
		}
		return text + "/" + per + " " + of
	}
	return text
}

// units of time, as periodUnit and UCUM have them: one, and several.
var units = map[string][2]string{
	"min": {"minuto", "minutos"}, "h": {"hora", "horas"}, "d": {"día", "días"}, "wk": {"semana", "semanas"}, "mo": {"mes", "meses"}, "a": {"año", "años"},
}

func timeText(v *big.Rat, unit string) string {
	names, ok := units[unit]
	if !ok || v == nil || v.Sign() <= 0 {
		return ""
	}
	if v.Cmp(big.NewRat(1, 1)) == 0 {
		return "1 " + names[0]
	}
	return amountText(v) + " " + names[1]
}

// frequency writes timing.repeat: "cada 8 horas", "2 veces cada día"; "" where it is not
// whole.
//
// See https://hl7.org/fhir/R4/datatypes.html#Timing.
func frequency(d *element.Doc, timing element.Node) string {
	repeat := d.Get(timing, "repeat")
	often, period := rat(d.TextAt(repeat, "frequency")), rat(d.TextAt(repeat, "period"))
	if count := d.TextAt(repeat, "count"); count == "1" && often == nil {
		return "dosis única"
	}
	if often == nil || often.Sign() <= 0 {
		return ""
	}
	every := timeText(period, d.TextAt(repeat, "periodUnit"))
	if every == "" {
		return ""
	}
	if often.Cmp(big.NewRat(1, 1)) == 0 {
		return "cada " + every
	}
	return amountText(often) + " veces cada " + every
}

// bounds writes how long a dosage goes on; "" where it does not say.
func bounds(d *element.Doc, timing element.Node) string {
	repeat := d.Get(timing, "repeat")
	if n := d.Get(repeat, "boundsDuration"); n != element.None {
		return span(d, n)
	}
	if d.TextAt(repeat, "count") == "1" {
		return "una sola vez"
	}
	if n := d.Get(repeat, "boundsPeriod"); n != element.None {
		from, err := time.Parse(time.DateOnly, clip10(d.TextAt(n, "start")))
		until, err2 := time.Parse(time.DateOnly, clip10(d.TextAt(n, "end")))
		if err == nil && err2 == nil && !until.Before(from) {
			return "del " + from.Format("02/01/2006") + " al " + until.Format("02/01/2006")
		}
	}
	return ""
}

// span writes a Duration.
func span(d *element.Doc, n element.Node) string {
	return timeText(rat(d.TextAt(n, "value")), d.TextAt(n, "code"))
}

func clip10(s string) string { return s[:min(len(s), 10)] }

// nameText is how the first HumanName of the resource at n is written.
func nameText(d *element.Doc, n element.Node) string {
	for name := range d.Items(n, "name") {
		if d.TextAt(name, "use") == "old" {
			continue
		}
		if text := d.TextAt(name, "text"); text != "" {
			return text
		}
		var parts []string
		for _, list := range []string{"prefix", "given"} {
			for p := range d.Items(name, list) {
				parts = append(parts, d.Text(p))
			}
		}
		if family := d.TextAt(name, "family"); family != "" {
			parts = append(parts, family)
		}
		return strings.Join(parts, " ")
	}
	return ""
}

// identifierOf is the value of the first identifier of a system.
func identifierOf(d *element.Doc, n element.Node, system string) string {
	for id := range d.Items(n, "identifier") {
		if d.TextAt(id, "system") == system && d.TextAt(id, "value") != "" {
			return d.TextAt(id, "value")
		}
	}
	return ""
}

// addressText is how the first Address of the resource at n is written.
func addressText(d *element.Doc, n element.Node) string {
	for a := range d.Items(n, "address") {
		if text := d.TextAt(a, "text"); text != "" {
			return text
		}
		var parts []string
		for l := range d.Items(a, "line") {
			parts = append(parts, d.Text(l))
		}
		for _, name := range []string{"city", "district", "state", "postalCode"} {
			if text := d.TextAt(a, name); text != "" {
				parts = append(parts, text)
			}
		}
		return strings.Join(parts, ", ")
	}
	return ""
}
