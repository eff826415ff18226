package prescription

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
)

// The warnings. Each is refused until it is overridden with a reason.
const (
	warnAllergy   = "receta-alergia"
	warnDuplicate = "receta-duplicado"
	warnWeight    = "receta-peso"
)

// adult is the age in years from which no weight is asked for.
const adult = 18

// warning is what speaks against an item, unless who prescribes knows better.
type warning struct {
	rule, text, diagnostics string
	item                    int
	because                 fhir.Ref // the allergy or request; zero for none
}

// controlled refuses medicines that need a special prescription.
//
// See Ley General de Salud, arts. 226 and 240 to 242.
func (s *service) controlled(items []*Item) []fhir.Issue {
	var all []fhir.Issue
	for i, m := range items {
		g := s.Groups.Of(m.Ingredients)
		at := fmt.Sprintf("Parameters.parameter[%d]", i)
		if g.Controlled() && !slices.Contains(s.Fractions, g.Fraction) {
			all = append(all, fhir.Issue{
				Severity: "error", Type: "business-rule", Rule: "receta-controlado", Expression: at,
				Details:     "a medicine of group " + g.Fraction + " (LGS art. 226) is not prescribed here: it needs the special prescription book with the bar code of COFEPRIS",
				Diagnostics: clip(m.Generic()),
			})
		}
		if m.Repeats > 0 && (g.Antibiotic || g.Controlled()) {
			all = append(all, fhir.Issue{
				Severity: "error", Type: "business-rule", Rule: "receta-resurtido", Expression: at,
				Details: "the prescription of an antibiotic or of a controlled medicine is kept by the pharmacy, and not repeated", Diagnostics: clip(m.Generic()),
			})
		}
	}
	return all
}

func clip(s string) string {
	if r := []rune(s); len(r) > 120 {
		return string(r[:120])
	}
	return s
}

// identified refuses a patient who cannot be told from others.
func identified(d *element.Doc, now time.Time) []fhir.Issue {
	var all []fhir.Issue
	need := func(ok bool, at, text string) {
		if !ok {
			all = append(all, fhir.Issue{Severity: "error", Type: "required", Rule: "receta-paciente", Details: text, Expression: "Patient." + at})
		}
	}
	born, known := birthDate(d, 0)
	need(nameText(d, 0) != "", "name", "a prescription names its patient")
	need(known && !born.After(now), "birthDate", "the patient's date of birth is needed, for their age")
	need(d.TextAt(0, "gender") != "", "gender", "the patient's sex is needed")
	need(d.TextAt(0, "deceasedBoolean") != "true" && d.TextAt(0, "deceasedDateTime") == "", "deceased", "nothing is prescribed for who has died")
	return all
}

func birthDate(d *element.Doc, n element.Node) (time.Time, bool) {
	born, err := time.Parse(time.DateOnly, d.TextAt(n, "birthDate"))
	return born, err == nil
}

// years is an age in whole years.
func years(born, now time.Time) int {
	n := now.Year() - born.Year()
	if now.Month() < born.Month() || now.Month() == born.Month() && now.Day() < born.Day() {
		n--
	}
	return n
}

// warnings compares what is prescribed with the record, as far as the caller may see it.
func (s *service) warnings(ctx context.Context, call *operation.Call, patient fhir.Ref, d *element.Doc, items []*Item) ([]warning, error) {
	of := search.Param{Name: "patient", Value: patient.String()}
	allergies, err := s.find(ctx, call, "AllergyIntolerance", of)
	if err != nil {
		return nil, err
	}
	active, err := s.find(ctx, call, "MedicationRequest", of, search.Param{Name: "status", Value: "active,on-hold"})
	if err != nil {
		return nil, err
	}
	var all []warning
	for i, m := range items {
		for _, a := range allergies {
			if against(a, m) {
				all = append(all, warning{rule: warnAllergy, item: i, because: fhir.Ref{Type: "AllergyIntolerance", ID: a.TextAt(0, "id")},
					text: "the patient is on record as allergic to this", diagnostics: clip(m.Generic() + ": " + conceptText(a, a.Get(0, "code")))})
			}
		}
		for _, r := range active {
			if s.lapsed(r) || !same(m.Ingredients, ingredientsOf(r)) {
				continue
			}
			all = append(all, warning{rule: warnDuplicate, item: i, because: fhir.Ref{Type: "MedicationRequest", ID: r.TextAt(0, "id")},
				text: "the patient has an active prescription of the same", diagnostics: clip(m.Generic())})
		}
		for n := range i {
			if same(m.Ingredients, items[n].Ingredients) {
				all = append(all, warning{rule: warnDuplicate, item: i, text: "the same is prescribed twice", diagnostics: clip(m.Generic())})
			}
		}
	}
	if born, ok := birthDate(d, 0); ok && years(born, s.Now().In(s.Zone)) < adult {
		since := s.Now().AddDate(0, 0, -s.WeightDays).UTC().Format(time.DateOnly)
		found, err := s.find(ctx, call, "Observation", of, search.Param{Name: "code", Value: loinc + "|" + weightCode}, search.Param{Name: "date", Value: "ge" + since})
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			for i := range items {
				all = append(all, warning{rule: warnWeight, item: i, text: fmt.Sprintf("a child's dose goes by weight, and none is on record of the last %d days", s.WeightDays)})
			}
		}
	}
	return all, nil
}

// lapsed reports whether the time to dispense a request is over.
func (s *service) lapsed(d *element.Doc) bool {
	_, until, ok := validity(d, d.Get(0, "dispenseRequest"))
	return ok && s.Now().After(until)
}

// against reports whether an allergy is one to a medicine: to a substance in it, by code or
// by name, or to its class in ATC.
func against(a *element.Doc, m *Item) bool {
	for _, status := range []string{"clinicalStatus", "verificationStatus"} {
		for c := range a.Items(a.Get(0, status), "coding") {
			switch a.TextAt(c, "code") {
			case "resolved", "inactive", "refuted", "entered-in-error":
				return false
			}
		}
	}
	to := []Ingredient{{Name: conceptText(a, a.Get(0, "code")), codes: codesOf(a, a.Get(0, "code"))}}
	for r := range a.Items(0, "reaction") {
		if c := a.Get(r, "substance"); c != element.None {
			to = append(to, Ingredient{Name: conceptText(a, c), codes: codesOf(a, c)})
		}
	}
	for i := range m.Ingredients {
		for n := range to {
			if alike(&m.Ingredients[i], &to[n]) || within(to[n].codes[atc], m.Ingredients[i].codes[atc]) {
				return true
			}
		}
	}
	return false
}

// within reports whether one of codes belongs to one of classes of ATC, of four characters
// or more.
func within(classes, codes []string) bool {
	for _, class := range classes {
		for _, c := range codes {
			if len(class) >= 4 && strings.HasPrefix(c, class) {
				return true
			}
		}
	}
	return false
}

// alike reports whether two substances have a code in common, or one name, or one is named
// within the other: "amoxicilina" and "Amoxicilina trihidratada".
func alike(a, b *Ingredient) bool {
	for system, codes := range a.codes {
		for _, c := range codes {
			if slices.Contains(b.codes[system], c) {
				return true
			}
		}
	}
	x, y := strings.Fields(fold(a.Name)), strings.Fields(fold(b.Name))
	if len(x) == 0 || len(y) == 0 {
		return false
	}
	return slices.Contains(y, x[0]) || slices.Contains(x, y[0])
}

// same reports whether all substances of one medicine are in the other.
func same(a, b []Ingredient) bool {
	if len(a) == 0 || len(b) == 0 {
		return false
	}
	if len(b) < len(a) {
		a, b = b, a
	}
	for i := range a {
		if !slices.ContainsFunc(b, func(o Ingredient) bool { return alike(&a[i], &o) }) {
			return false
		}
	}
	return true
}

// ingredientsOf is what a stored request prescribes, as far as it says itself.
func ingredientsOf(d *element.Doc) []Ingredient {
	var all []Ingredient
	for c := range d.Items(0, "contained") {
		if d.TextAt(c, "resourceType") != "Medication" {
			continue
		}
		for i := range d.Items(c, "ingredient") {
			n := d.Get(i, "itemCodeableConcept")
			all = append(all, Ingredient{Name: conceptText(d, n), codes: codesOf(d, n)})
		}
	}
	if n := d.Get(0, "medicationCodeableConcept"); n != element.None {
		all = append(all, Ingredient{Name: conceptText(d, n), codes: codesOf(d, n)})
	}
	return all
}

// override is why a warning is passed over.
type override struct{ rule, reason string }

// overrides reads the parameters by which warnings are passed over.
func overrides(call *operation.Call) ([]override, error) {
	var all []override
	for _, v := range call.In.All("override") {
		var o override
		for _, p := range v.Parts("rule") {
			o.rule = p.Text
		}
		for _, p := range v.Parts("reason") {
			o.reason = strings.TrimSpace(p.Text)
		}
		if !slices.Contains([]string{warnAllergy, warnDuplicate, warnWeight}, o.rule) || len(o.reason) < 5 || len(o.reason) > 1000 {
			return nil, fhir.Errorf(fhir.Invalid, "an override has the rule of a warning (%s, %s or %s) and a reason of 5 to 1000 bytes", warnAllergy, warnDuplicate, warnWeight)
		}
		all = append(all, o)
	}
	return all, nil
}

// unanswered are the warnings that nothing overrides, as issues.
func unanswered(all []warning, by []override) []fhir.Issue {
	var issues []fhir.Issue
	for _, w := range all {
		if !slices.ContainsFunc(by, func(o override) bool { return o.rule == w.rule }) {
			issues = append(issues, fhir.Issue{
				Severity: "error", Type: "business-rule", Rule: w.rule, Expression: fmt.Sprintf("Parameters.parameter[%d]", w.item), Diagnostics: w.diagnostics,
				Details: w.text + ": to prescribe it all the same, send the parameter override with this rule and the reason",
			})
		}
	}
	return issues
}
