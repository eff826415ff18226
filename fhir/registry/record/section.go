package record

import (
	"strconv"

	"github.com/amate-health/amate/fhir/element"
)

// section checks one section of k: that it is there, that it says something, and that
// its entries are what the norm asks for.
func (d *document) section(k *Kind, s *Section) {
	n, at := d.sectionOf(s)
	path := d.compPath() + ".section"
	if n == element.None {
		if !s.Optional {
			d.missing(s.Clause, path, d.comp, "the section \""+s.Title+"\" ("+s.Code+") is missing")
		}
		return
	}
	path += "[" + strconv.Itoa(at) + "]"
	if d.has(n, "emptyReason") {
		return
	}
	if !d.written(n) {
		d.missing(s.Clause, path+".text", n, "the section \""+s.Title+"\" says nothing, nor why not (emptyReason)")
		return
	}
	d.content(s, n, path)
}

// written reports whether the section at n says something: in its text, its entries,
// or a part of it. A narrative of status "empty" is what a draft has where its author
// is to write.
func (d *document) written(n element.Node) bool {
	if d.text(n, "text", "status") != "empty" && plain(d.text(n, "text", "div")) != "" {
		return true
	}
	if d.has(n, "entry") {
		return true
	}
	for part := range d.each(n, "section") {
		if d.written(part) {
			return true
		}
	}
	return false
}

// content checks the entries of the section s at n.
func (d *document) content(s *Section, n element.Node, path string) {
	found := map[string]int{} // how many entries there are of each type
	signs := map[string]bool{}
	i := -1
	for ref := range d.each(n, "entry") {
		i++
		at := path + ".entry[" + strconv.Itoa(i) + "]"
		e := d.find(ref)
		if e == nil {
			d.missing(s.Clause, at, ref, "what the entry refers to is not in the document")
			continue
		}
		found[d.typeOf(e.node)]++
		switch {
		case s.Content == Vitals && d.typeOf(e.node) == "Observation":
			d.sign(s, e, signs)
		case d.typeOf(e.node) == "MedicationRequest":
			d.prescribed(s, e)
		case s.Content == Administrations && d.typeOf(e.node) == "MedicationAdministration":
			d.administered(s, e)
		case s.Content == Diagnoses && d.typeOf(e.node) == "Condition":
			d.diagnosis(s, e)
		}
	}
	switch s.Content {
	case Vitals:
		d.signsAsked(s, n, path, signs)
	case Receiver:
		d.receiver(s, n, path)
	}
}

// diagnosis tells of a diagnosis without a code of CIE-10, the catalogue that
// NOM-024-SSA3-2012, 6.4.2, names.
func (d *document) diagnosis(s *Section, e *entry) {
	for c := range d.each(e.node, "code", "coding") {
		if d.text(c, "system") == icd10 {
			return
		}
	}
	d.report("warning", "business-rule", "nom-024-6.4.2", e.path+".code", e.node, "the diagnosis has no code of CIE-10 ("+s.Clause+")")
}

const icd10 = "http://hl7.org/fhir/sid/icd-10"

// receiver checks that an establishment to which a patient is sent has a name.
func (d *document) receiver(s *Section, n element.Node, path string) {
	for ref := range d.each(n, "entry") {
		e := d.find(ref)
		if e == nil {
			continue
		}
		if typ := d.typeOf(e.node); (typ == "Organization" || typ == "Location") && d.text(e.node, "name") == "" {
			d.missing(s.Clause, e.path+".name", e.node, "the establishment that takes the patient has no name")
		}
		if d.same(ref, d.Get(d.comp, "custodian")) {
			d.report("error", "invalid", rule(s.Clause), path+".entry", ref, "the patient is sent to the establishment that sends")
		}
	}
}

// prescribed checks that a prescription says dose, route and frequency: 6.2.6. Free
// text cannot be checked, and is not enough.
func (d *document) prescribed(s *Section, e *entry) {
	if d.text(e.node, "doNotPerform") == "true" {
		return
	}
	if !d.has(e.node, "dosageInstruction") {
		d.missing(s.Clause, e.path+".dosageInstruction", e.node, "a medication is prescribed without dose, route and frequency")
		return
	}
	i := -1
	for dose := range d.each(e.node, "dosageInstruction") {
		i++
		at := e.path + ".dosageInstruction[" + strconv.Itoa(i) + "]"
		if !d.amount(dose) {
			d.missing(s.Clause, at+".doseAndRate", dose, "a medication is prescribed without its dose (dosis)")
		}
		if !d.has(dose, "route") {
			d.missing(s.Clause, at+".route", dose, "a medication is prescribed without its route (vía de administración)")
		}
		if !d.frequency(dose) {
			d.missing(s.Clause, at+".timing", dose, "a medication is prescribed without its frequency (periodicidad)")
		}
	}
}

func (d *document) amount(dose element.Node) bool {
	for a := range d.each(dose, "doseAndRate") {
		if d.has(a, "doseQuantity", "value") || d.has(a, "doseRange") || d.has(a, "rateQuantity", "value") || d.has(a, "rateRange") || d.has(a, "rateRatio") {
			return true
		}
	}
	return false
}

// frequency reports whether a dosage says how often: by a timing, or when needed.
func (d *document) frequency(dose element.Node) bool {
	for _, way := range [][]string{
		{"timing", "repeat", "frequency"}, {"timing", "repeat", "period"}, {"timing", "repeat", "when"}, {"timing", "repeat", "timeOfDay"},
		{"timing", "code"}, {"timing", "event"}, {"asNeededCodeableConcept"},
	} {
		if d.has(dose, way...) {
			return true
		}
	}
	return d.text(dose, "asNeededBoolean") == "true"
}

// administered checks date, time, amount and route of what a nurse gave: 9.1.3.
func (d *document) administered(s *Section, e *entry) {
	if d.text(e.node, "status") == "not-done" {
		return
	}
	if _, ok := instant(d.text(e.node, "effectiveDateTime")); !ok {
		if _, ok = instant(d.text(e.node, "effectivePeriod", "start")); !ok {
			d.missing(s.Clause, e.path+".effective", e.node, "it is not said at what date and time the medication was given")
		}
	}
	if !d.has(e.node, "dosage", "dose", "value") && !d.has(e.node, "dosage", "rateQuantity", "value") && !d.has(e.node, "dosage", "rateRatio") {
		d.missing(s.Clause, e.path+".dosage.dose", e.node, "the amount of the medication that was given is not said")
	}
	if !d.has(e.node, "dosage", "route") {
		d.missing(s.Clause, e.path+".dosage.route", e.node, "the route by which the medication was given is not said")
	}
}
