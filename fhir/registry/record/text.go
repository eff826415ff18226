package record

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir/element"
)

// months are written in full, so that nobody takes a month for a day.
var months = [...]string{
	"enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre",
}

// when writes a FHIR date or time in words: "22 de noviembre de 2026, 14:05 (UTC-06:00)".
// A time is that of the place where it was written.
func when(s string) string {
	if t, ok := instant(s); ok {
		return day(t) + t.Format(", 15:04 (UTC-07:00)")
	}
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return day(t)
	}
	if t, err := time.Parse("2006-01", s); err == nil {
		return months[t.Month()-1] + " de " + strconv.Itoa(t.Year())
	}
	return s
}

// noted writes a time that a server has noted, which is in UTC, as that of the place where
// the document was written, beside whose times it is read.
func (d *document) noted(s string) string {
	at, ok := instant(s)
	written, known := instant(d.text(d.comp, "date"))
	if _, offset := at.Zone(); ok && known && offset == 0 {
		s = at.In(written.Location()).Format(time.RFC3339)
	}
	return when(s)
}

func day(t time.Time) string {
	return strconv.Itoa(t.Day()) + " de " + months[t.Month()-1] + " de " + strconv.Itoa(t.Year())
}

// age writes how old someone born on a date was at another: years, below two years
// months, below two months days; "" when the dates do not tell.
func age(born, at string) string {
	from, err := time.Parse(time.DateOnly, born)
	if err != nil || len(at) < len(time.DateOnly) {
		return ""
	}
	to, err := time.Parse(time.DateOnly, at[:len(time.DateOnly)])
	if err != nil || to.Before(from) {
		return ""
	}
	whole := (to.Year()-from.Year())*12 + int(to.Month()) - int(from.Month())
	if to.Day() < from.Day() {
		whole--
	}
	switch {
	case whole >= 24:
		return strconv.Itoa(whole/12) + " años"
	case whole >= 2:
		return strconv.Itoa(whole) + " meses"
	}
	if days := int(to.Sub(from).Hours() / 24); days != 1 {
		return strconv.Itoa(days) + " días"
	}
	return "1 día"
}

// sexes are the words for AdministrativeGender.
var sexes = map[string]string{"male": "Hombre", "female": "Mujer", "other": "Otro", "unknown": "Se desconoce"}

// address returns the first Address at n in one line, or "".
func address(d *document, n element.Node) string {
	n = d.get(n)
	if n == element.None {
		return ""
	}
	if text := d.text(n, "text"); text != "" {
		return text
	}
	var parts []string
	for _, name := range []string{"line", "postalCode", "city", "district", "state", "country"} {
		for p := range d.each(n, name) {
			text := d.Text(p)
			if text != "" && !(name == "country" && text == "MX") && !slices.Contains(parts, text) { // a town is often called like its municipality
				parts = append(parts, text)
			}
		}
	}
	return strings.Join(parts, ", ")
}

// said returns what a CodeableConcept says: its text, else a display, else a code.
func (d *document) said(n element.Node) string {
	n = d.get(n)
	if n == element.None {
		return ""
	}
	if text := d.text(n, "text"); text != "" {
		return text
	}
	for c := range d.each(n, "coding") {
		if text := d.text(c, "display"); text != "" {
			return text
		}
	}
	return d.text(n, "coding", "code")
}

// diagnosed is said with the code of CIE-10.
func (d *document) diagnosed(n element.Node) string {
	text := d.said(n)
	for c := range d.each(n, "coding") {
		if code := d.text(c, "code"); d.text(c, "system") == icd10 && code != text {
			return text + " (CIE-10 " + code + ")"
		}
	}
	return text
}

// amountOf writes a Quantity: "120 mmHg".
func (d *document) amountOf(n element.Node) string {
	n = d.get(n)
	if n == element.None {
		return ""
	}
	unit := d.text(n, "unit")
	if unit == "" {
		unit = d.text(n, "code")
	}
	if shown, ok := units[unit]; ok {
		unit = shown
	}
	return strings.TrimSpace(d.text(n, "comparator") + d.text(n, "value") + " " + unit)
}

// units are those that people write in another way than UCUM.
var units = map[string]string{"Cel": "°C", "mm[Hg]": "mmHg", "/min": "por minuto", "{beats}/min": "por minuto", "{breaths}/min": "por minuto", "kg/m2": "kg/m²", "1": ""}

// signNames are the vital signs in Spanish.
var signNames = map[string]string{
	bloodPressure: "Tensión arterial", heartRate: "Frecuencia cardiaca", breathing: "Frecuencia respiratoria", temperature: "Temperatura",
	saturation: "Saturación de oxígeno", saturationAny: "Saturación de oxígeno", weight: "Peso", height: "Talla", length: "Talla",
	waist: "Circunferencia de cintura", glucose: "Glucemia", glucoseStrip: "Glucemia capilar", glucosePOC: "Glucemia", "39156-5": "Índice de masa corporal",
	systolic: "Presión sistólica", diastolic: "Presión diastólica",
}

// observed names what an Observation, or a component of it, is about.
func (d *document) observed(n element.Node) string {
	for c := range d.each(n, "code", "coding") {
		if name := signNames[d.text(c, "code")]; name != "" && d.text(c, "system") == LOINC {
			return name
		}
	}
	return d.said(d.Get(n, "code"))
}

// valueOf writes the value of an Observation or component, of whatever type.
func (d *document) valueOf(n element.Node) string {
	if d.coded(d.Get(n, "code"), LOINC, bloodPressure) && d.has(n, "component") {
		up, down := "", ""
		for c := range d.each(n, "component") {
			switch v := d.text(c, "valueQuantity", "value"); {
			case d.coded(d.Get(c, "code"), LOINC, systolic):
				up = v
			case d.coded(d.Get(c, "code"), LOINC, diastolic):
				down = v
			}
		}
		if up != "" && down != "" {
			return up + "/" + down + " mmHg"
		}
	}
	if text := d.primitiveValue(n); text != "" {
		return text
	}
	var all []string
	for c := range d.each(n, "component") {
		all = append(all, d.observed(c)+": "+d.valueOf(c))
	}
	if len(all) > 0 {
		return strings.Join(all, "; ")
	}
	if why := d.said(d.Get(n, "dataAbsentReason")); why != "" {
		return "sin dato: " + why
	}
	return ""
}

func (d *document) primitiveValue(n element.Node) string {
	for c := range d.members(n, "value") {
		switch name := string(d.Name(c)); name {
		case "valueQuantity":
			return d.amountOf(c)
		case "valueCodeableConcept":
			return d.said(c)
		case "valueDateTime":
			return when(d.Text(c))
		case "valueBoolean":
			return map[string]string{"true": "Sí", "false": "No"}[d.Text(c)]
		case "valueRatio":
			return d.amountOf(d.Get(c, "numerator")) + " / " + d.amountOf(d.Get(c, "denominator"))
		case "valueRange":
			return d.amountOf(d.Get(c, "low")) + " a " + d.amountOf(d.Get(c, "high"))
		default:
			if k := d.Kind(c); k != element.Object && k != element.Array {
				return d.Text(c)
			}
		}
	}
	return ""
}

// members yields the members of n whose names begin with prefix.
func (d *document) members(n element.Node, prefix string) func(func(element.Node) bool) {
	return func(yield func(element.Node) bool) {
		if n == element.None || d.Kind(n) != element.Object {
			return
		}
		for c := d.First(n); c != element.None; c = d.Next(n, c) {
			if strings.HasPrefix(string(d.Name(c)), prefix) && !yield(c) {
				return
			}
		}
	}
}

// moment returns when something took place, of the elements that say it in one type or another.
func (d *document) moment(n element.Node) string {
	for _, way := range [][]string{
		{"effectiveDateTime"}, {"effectivePeriod", "start"}, {"effectiveInstant"}, {"performedDateTime"}, {"performedPeriod", "start"},
		{"occurrenceDateTime"}, {"onsetDateTime"}, {"authoredOn"}, {"recordedDate"}, {"date"}, {"issued"},
	} {
		if s := d.text(n, way...); s != "" {
			return when(s)
		}
	}
	return ""
}
