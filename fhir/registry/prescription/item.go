package prescription

import (
	"fmt"
	"math/big"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/ucum"
)

// Ingredient is an active substance of a medicine.
type Ingredient struct {
	Name     string // generic
	Strength string // "500 mg", "250 mg/5 mL"

	codes map[string][]string // by system
}

// Item is one medicine of a prescription.
type Item struct {
	Brand       string // "" where only the generic name is given
	Form        string
	Ingredients []Ingredient

	Dose, Route, Frequency, Duration string // in words
	Instruction                      string // to the patient
	Quantity                         *big.Rat
	Unit                             string
	Repeats                          int64 // beyond the first time
}

// Generic is the generic name with strengths.
func (m *Item) Generic() string {
	var all []string
	for _, i := range m.Ingredients {
		all = append(all, strings.TrimSpace(i.Name+" "+i.Strength))
	}
	return strings.Join(all, " + ")
}

// Total is how much may be dispensed in all.
func (m *Item) Total() *big.Rat {
	return new(big.Rat).Mul(m.Quantity, new(big.Rat).SetInt64(1+m.Repeats))
}

// reading finds what a request lacks.
type reading struct {
	d      *element.Doc
	at     string // FHIRPath of the request
	issues []fhir.Issue
}

func (r *reading) fault(rule, at, text string) {
	r.issues = append(r.issues, fhir.Issue{Severity: "error", Type: "required", Rule: rule, Details: text, Expression: r.at + at})
}

// readItem reads the MedicationRequest at n. What it has to say is in the Reglamento de
// Insumos para la Salud, arts. 30 and 31.
func readItem(d *element.Doc, n element.Node, at string) (*Item, []fhir.Issue) {
	r := &reading{d: d, at: at}
	m := &Item{}
	r.medicine(n, m)
	r.dosage(n, m)
	r.supply(n, m)
	return m, r.issues
}

// medicine reads the contained Medication, which has what a code alone has not.
func (r *reading) medicine(n element.Node, m *Item) {
	d := r.d
	id, own := strings.CutPrefix(d.TextAt(n, "medicationReference", "reference"), "#")
	med := element.None
	for c := range d.Items(n, "contained") {
		if own && d.TextAt(c, "resourceType") == "Medication" && d.TextAt(c, "id") == id {
			med = c
		}
	}
	if med == element.None {
		r.fault("receta-medicamento", ".medication", "medicationReference leads to a contained Medication, with generic name, form and strength")
		return
	}
	m.Brand = conceptText(d, d.Get(med, "code"))
	if m.Form = conceptText(d, d.Get(med, "form")); m.Form == "" {
		r.fault("receta-forma", ".contained.form", "the pharmaceutical form is missing (Medication.form)")
	}
	for i := range d.Items(med, "ingredient") {
		if d.TextAt(i, "isActive") == "false" {
			continue
		}
		c := d.Get(i, "itemCodeableConcept")
		one := Ingredient{Name: conceptText(d, c), Strength: ratioText(d, d.Get(i, "strength")), codes: codesOf(d, c)}
		if one.Name == "" {
			r.fault("receta-generico", ".contained.ingredient.item", "the generic name is missing (denominación genérica, Medication.ingredient.itemCodeableConcept)")
		}
		if one.Strength == "" {
			r.fault("receta-concentracion", ".contained.ingredient.strength", "the strength is missing, with its unit (Medication.ingredient.strength)")
		}
		m.Ingredients = append(m.Ingredients, one)
	}
	if len(m.Ingredients) == 0 {
		r.fault("receta-generico", ".contained.ingredient", "the generic name is missing (denominación genérica, Medication.ingredient)")
	}
	if fold(m.Brand) == fold(firstName(m)) {
		m.Brand = ""
	}
}

func firstName(m *Item) string {
	if len(m.Ingredients) == 0 {
		return ""
	}
	return m.Ingredients[0].Name
}

// dosage reads how it is taken. With several dosages, each is whole in itself.
func (r *reading) dosage(n element.Node, m *Item) {
	d, some := r.d, false
	for dose := range d.Items(n, "dosageInstruction") {
		some = true
		const at = ".dosageInstruction"
		amount := ""
		for rate := range d.Items(dose, "doseAndRate") {
			if q := d.Get(rate, "doseQuantity"); q != element.None && amount == "" {
				amount = r.quantity(q, at+".doseAndRate.dose")
			}
		}
		if amount == "" {
			r.fault("receta-dosis", at+".doseAndRate.dose", "the dose is missing: a doseQuantity with a unit of UCUM")
		}
		route := conceptText(d, d.Get(dose, "route"))
		if route == "" {
			r.fault("receta-via", at+".route", "the route is missing")
		}
		timing := d.Get(dose, "timing")
		often := frequency(d, timing)
		if often == "" {
			r.fault("receta-frecuencia", at+".timing.repeat", "the frequency is missing: frequency, period and periodUnit of timing.repeat")
		}
		if d.TextAt(dose, "asNeededBoolean") == "true" || d.Get(dose, "asNeededCodeableConcept") != element.None {
			often += ", por razón necesaria"
		}
		m.Dose, m.Route, m.Frequency = join(m.Dose, amount), join(m.Route, route), join(m.Frequency, often)
		m.Duration = join(m.Duration, bounds(d, timing))
		text := d.TextAt(dose, "patientInstruction")
		if text == "" {
			text = d.TextAt(dose, "text")
		}
		if strings.TrimSpace(text) == "" {
			r.fault("receta-indicaciones", at+".patientInstruction", "the instructions to the patient are missing, in Spanish")
		}
		m.Instruction = join(m.Instruction, text)
	}
	if !some {
		r.fault("receta-dosis", ".dosageInstruction", "dose, route, frequency and instructions are missing")
	}
	if l := d.TextAt(n, "language"); l != "" && !strings.HasPrefix(strings.ToLower(l), "es") {
		r.fault("receta-idioma", ".language", "the instructions to the patient are in Spanish")
	}
}

// supply reads how much is to be handed out.
func (r *reading) supply(n element.Node, m *Item) {
	d := r.d
	supply := d.Get(n, "dispenseRequest")
	if supply == element.None {
		r.fault("receta-cantidad", ".dispenseRequest.quantity", "the quantity to dispense is missing")
	} else {
		q := d.Get(supply, "quantity")
		if v := rat(d.TextAt(q, "value")); v != nil && v.Sign() > 0 && d.TextAt(q, "unit") != "" {
			m.Quantity, m.Unit = v, d.TextAt(q, "unit")
		} else {
			r.fault("receta-cantidad", ".dispenseRequest.quantity", "the quantity to dispense is missing: a value above 0, with its unit")
		}
		if text := d.TextAt(supply, "numberOfRepeatsAllowed"); text != "" {
			if _, err := fmt.Sscan(text, &m.Repeats); err != nil || m.Repeats < 0 || m.Repeats > 24 {
				r.fault("receta-resurtido", ".dispenseRequest.numberOfRepeatsAllowed", "the number of repeats is 0 to 24")
			}
		}
		if m.Duration == "" {
			if s := d.Get(supply, "expectedSupplyDuration"); s != element.None {
				m.Duration = span(d, s)
			}
		}
	}
	if m.Duration == "" {
		r.fault("receta-duracion", ".dosageInstruction.timing.repeat.bounds", "the duration of the treatment is missing")
	}
}

// quantity writes a dose, whose unit is of UCUM.
func (r *reading) quantity(q element.Node, at string) string {
	d := r.d
	v, code := rat(d.TextAt(q, "value")), d.TextAt(q, "code")
	if v == nil || v.Sign() <= 0 {
		r.fault("receta-dosis", at, "a dose is above 0")
		return "?"
	}
	if _, err := ucum.Parse(code); err != nil || d.TextAt(q, "system") != "http://unitsofmeasure.org" {
		r.fault("receta-dosis", at+".code", "the unit of a dose is one of UCUM, such as mg, mL or {tableta}")
		return "?"
	}
	unit := d.TextAt(q, "unit")
	if unit == "" {
		unit = strings.Trim(code, "{}")
	}
	return amountText(v) + " " + unit
}

// longest is how many characters of a number are read: exponents make short texts huge.
const longest = 20

// decimals is how many digits a number has behind its point at most.
const decimals = 6

func rat(text string) *big.Rat {
	if text == "" || len(text) > longest || strings.ContainsAny(text, "eE/_") {
		return nil
	}
	if _, behind, _ := strings.Cut(text, "."); len(behind) > decimals {
		return nil // it could not be written as it is
	}
	v, ok := new(big.Rat).SetString(text)
	if !ok {
		return nil
	}
	return v
}

// amountText writes a number as short as it goes.
func amountText(v *big.Rat) string {
	text := v.FloatString(decimals)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}

func join(a, b string) string {
	switch {
	case a == "" || a == b:
		return b
	case b == "":
		return a
	}
	return a + "; " + b
}
