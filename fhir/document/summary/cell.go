package summary

import (
	"strconv"
	"strings"

	"github.com/amate-health/amate/fhir/element"
)

// cells returns what the narrative says of an item: as many texts as its section has columns.
func (m *making) cells(it *item) [4]string {
	d, w := it.doc, m.words
	switch it.Ref.Type {
	case "MedicationStatement", "MedicationRequest":
		return [4]string{m.medicine(d), w.dosage(d), w.status(d.TextAt(0, "status")), day(it.when)}
	case "AllergyIntolerance":
		return [4]string{w.name(d, d.Get(0, "code")), w.status(d.TextAt(0, "criticality")), w.reactions(d), day(it.when)}
	case "Condition":
		return [4]string{w.name(d, d.Get(0, "code")), w.status(code(d, d.Get(0, "clinicalStatus"))), w.certainty(d), day(it.when)}
	case "Immunization":
		return [4]string{w.name(d, d.Get(0, "vaccineCode")), w.dose(d), d.TextAt(0, "lotNumber"), day(it.when)}
	case "Procedure":
		return [4]string{w.name(d, d.Get(0, "code")), w.status(d.TextAt(0, "status")), w.sites(d), day(it.when)}
	case "Observation":
		return [4]string{w.name(d, d.Get(0, "code")), w.values(d), w.interpretation(d), day(it.when)}
	case "DiagnosticReport":
		said := d.TextAt(0, "conclusion")
		if said == "" {
			said = w.all(d, d.Get(0, "conclusionCode"))
		}
		return [4]string{w.name(d, d.Get(0, "code")), said, "", day(it.when)}
	case "DeviceUseStatement":
		return [4]string{m.device(d), w.status(d.TextAt(0, "status")), w.name(d, d.Get(0, "bodySite")), day(it.when)}
	case "CarePlan":
		title := d.TextAt(0, "title")
		if title == "" {
			title = w.all(d, d.Get(0, "category"))
		}
		return [4]string{title, w.status("active"), w.activities(d), day(it.when)}
	case "ClinicalImpression":
		return [4]string{w.name(d, d.Get(0, "code")), w.status(d.TextAt(0, "status")), d.TextAt(0, "summary"), day(it.when)}
	case "Consent":
		return [4]string{w.all(d, d.Get(0, "category")), w.status("active"), "", day(it.when)}
	}
	return [4]string{}
}

// day is a date for people, without the time.
func day(when string) string { return when[:min(len(when), 10)] }

// medicine names the medication of a statement or a prescription.
func (m *making) medicine(d *element.Doc) string {
	if concept := d.Get(0, "medicationCodeableConcept"); concept != element.None {
		return m.words.name(d, concept)
	}
	return m.referred(d, "medicationReference", "Medication", "code")
}

// device names the device of a statement.
func (m *making) device(d *element.Doc) string { return m.referred(d, "device", "Device", "type") }

// referred names what a member refers to: within the record, along with it, or by a display.
func (m *making) referred(d *element.Doc, member, typ, concept string) string {
	ref := strings.TrimPrefix(reference(d, 0, member), m.call.Base+"/")
	if id, ok := strings.CutPrefix(ref, "#"); ok {
		name := ""
		each(d, 0, "contained", func(c element.Node) {
			if d.TextAt(c, "id") == id {
				name = m.words.thing(d, c, concept)
			}
		})
		return name
	}
	for _, r := range m.others {
		if r.Ref.Type == typ && r.Ref.Current().String() == ref {
			return m.words.thing(r.doc, 0, concept)
		}
	}
	if display := d.TextAt(d.Get(0, member), "display"); display != "" {
		return display
	}
	return "—"
}

// thing names a Medication or Device.
func (w *reader) thing(d *element.Doc, n element.Node, concept string) string {
	name := w.name(d, d.Get(n, concept))
	each(d, n, "deviceName", func(c element.Node) {
		if name == "" {
			name = d.TextAt(c, "name")
		}
	})
	return name
}

// all names each concept of a list.
func (w *reader) all(d *element.Doc, list element.Node) string {
	var names []string
	if list != element.None && d.Kind(list) == element.Array {
		for c := d.First(list); c != element.None; c = d.Next(list, c) {
			names = append(names, w.name(d, c))
		}
	}
	return strings.Join(names, "; ")
}

// dosage tells how a medication is taken.
func (w *reader) dosage(d *element.Doc) string {
	member := "dosage"
	if d.Get(0, member) == element.None {
		member = "dosageInstruction"
	}
	var lines []string
	each(d, 0, member, func(n element.Node) {
		line := d.TextAt(n, "text")
		if line == "" {
			line = d.TextAt(n, "patientInstruction")
		}
		if line == "" {
			line = w.dosing(d, n)
		}
		if line != "" {
			lines = append(lines, line)
		}
	})
	return strings.Join(lines, "; ")
}

// dosing tells a dosage that has no text: how much, how often, by which way.
func (w *reader) dosing(d *element.Doc, n element.Node) string {
	var parts []string
	each(d, n, "doseAndRate", func(r element.Node) {
		if dose, name := typed(d, r, "dose"); dose != element.None {
			parts = append(parts, w.value(d, dose, name))
		}
	})
	repeat := d.Get(d.Get(n, "timing"), "repeat")
	if often, every := d.TextAt(repeat, "frequency"), d.TextAt(repeat, "period"); often != "" && every != "" {
		unit := w.status("period-" + d.TextAt(repeat, "periodUnit"))
		parts = append(parts, phrase{often + " cada " + every + " " + unit, often + " every " + every + " " + unit}.in(w.language))
	}
	if route := w.name(d, d.Get(n, "route")); route != "" {
		parts = append(parts, route)
	}
	if d.TextAt(n, "asNeededBoolean") == "true" {
		parts = append(parts, phrase{"si se necesita", "as needed"}.in(w.language))
	}
	return strings.Join(parts, ", ")
}

// reactions names how an allergy shows.
func (w *reader) reactions(d *element.Doc) string {
	var all []string
	each(d, 0, "reaction", func(r element.Node) {
		if s := w.all(d, d.Get(r, "manifestation")); s != "" {
			if grave := d.TextAt(r, "severity"); grave != "" {
				s += " (" + w.status(grave) + ")"
			}
			all = append(all, s)
		}
	})
	return strings.Join(all, "; ")
}

// certainty tells of a problem what is not sure, and where it is.
func (w *reader) certainty(d *element.Doc) string {
	var parts []string
	if is := code(d, d.Get(0, "verificationStatus")); is != "" && is != "confirmed" {
		parts = append(parts, w.status(is))
	}
	if s := w.name(d, d.Get(0, "severity")); s != "" {
		parts = append(parts, s)
	}
	if s := w.sites(d); s != "" {
		parts = append(parts, s)
	}
	return strings.Join(parts, "; ")
}

func (w *reader) sites(d *element.Doc) string { return w.all(d, d.Get(0, "bodySite")) }

// dose tells which dose a vaccination was.
func (w *reader) dose(d *element.Doc) string {
	said := ""
	each(d, 0, "protocolApplied", func(p element.Node) {
		if n, _ := typed(d, p, "doseNumber"); n != element.None {
			said = d.Text(n)
		}
	})
	return said
}

// activities lists what a plan consists of.
func (w *reader) activities(d *element.Doc) string {
	var all []string
	each(d, 0, "activity", func(a element.Node) {
		if s := w.name(d, d.Get(d.Get(a, "detail"), "code")); s != "" {
			all = append(all, s)
		}
	})
	return strings.Join(all, "; ")
}

// interpretation is high, low, and what else an observation says of its value.
func (w *reader) interpretation(d *element.Doc) string {
	said := w.all(d, d.Get(0, "interpretation"))
	if status := d.TextAt(0, "status"); status == "preliminary" {
		said = strings.Trim(w.status(status)+"; "+said, "; ")
	}
	return said
}

// values is what was observed.
func (w *reader) values(d *element.Doc) string {
	var all []string
	if v, name := typed(d, 0, "value"); v != element.None {
		all = append(all, w.value(d, v, name))
	}
	each(d, 0, "component", func(c element.Node) {
		if v, name := typed(d, c, "value"); v != element.None {
			all = append(all, w.name(d, d.Get(c, "code"))+": "+w.value(d, v, name))
		}
	})
	return strings.Join(all, "; ")
}

// value writes a value[x] or dose[x], whose name tells its type.
func (w *reader) value(d *element.Doc, v element.Node, name string) string {
	switch {
	case strings.HasSuffix(name, "CodeableConcept"):
		return w.name(d, v)
	case strings.HasSuffix(name, "Quantity"):
		return quantity(d, v)
	case strings.HasSuffix(name, "Range"):
		return quantity(d, d.Get(v, "low")) + " – " + quantity(d, d.Get(v, "high"))
	case strings.HasSuffix(name, "Ratio"):
		return quantity(d, d.Get(v, "numerator")) + " / " + quantity(d, d.Get(v, "denominator"))
	case strings.HasSuffix(name, "Period"):
		return day(d.TextAt(v, "start")) + " – " + day(d.TextAt(v, "end"))
	case strings.HasSuffix(name, "Boolean"):
		if d.Text(v) == "true" {
			return phrase{"sí", "yes"}.in(w.language)
		}
		return "no"
	case strings.HasSuffix(name, "DateTime"):
		return day(d.Text(v))
	}
	if k := d.Kind(v); k == element.Object || k == element.Array {
		return "…"
	}
	return d.Text(v)
}

func quantity(d *element.Doc, n element.Node) string {
	unit := d.TextAt(n, "unit")
	if unit == "" {
		unit = d.TextAt(n, "code")
	}
	return strings.TrimSpace(d.TextAt(n, "comparator") + short(d.TextAt(n, "value")) + " " + unit)
}

// short is a decimal for people: of what has more than four decimals, five figures.
func short(number string) string {
	if dot := strings.IndexByte(number, '.'); dot < 0 || len(number)-dot <= 5 {
		return number
	}
	v, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return number
	}
	return strconv.FormatFloat(v, 'g', 5, 64)
}

// status puts a code of R4 into words; one that it does not know stays.
func (w *reader) status(is string) string {
	if p, ok := statuses[is]; ok {
		return p.in(w.language)
	}
	return is
}

var statuses = map[string]phrase{
	"active": {"activo", "active"}, "intended": {"indicado, aún no iniciado", "intended"}, "on-hold": {"suspendido", "on hold"},
	"unknown": {"se desconoce", "unknown"}, "high": {"alto", "high"}, "low": {"bajo", "low"}, "unable-to-assess": {"no valorable", "unable to assess"},
	"recurrence": {"recurrente", "recurrence"}, "relapse": {"recaída", "relapse"}, "inactive": {"inactivo", "inactive"},
	"remission": {"en remisión", "remission"}, "resolved": {"resuelto", "resolved"}, "completed": {"realizado", "completed"},
	"in-progress": {"en curso", "in progress"}, "mild": {"leve", "mild"}, "moderate": {"moderada", "moderate"}, "severe": {"grave", "severe"},
	"unconfirmed": {"sin confirmar", "unconfirmed"}, "provisional": {"provisional", "provisional"}, "differential": {"diferencial", "differential"},
	"preliminary": {"preliminar", "preliminary"},
	"period-s":    {"s", "s"}, "period-min": {"min", "min"}, "period-h": {"h", "h"}, "period-d": {"día(s)", "day(s)"},
	"period-wk": {"semana(s)", "week(s)"}, "period-mo": {"mes(es)", "month(s)"}, "period-a": {"año(s)", "year(s)"},
}
