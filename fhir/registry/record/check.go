package record

import (
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/registry/identity"
)

// Check holds a document Bundle to what NOM-004-SSA3-2012 asks of it and profiles
// cannot say. An error among the issues keeps it from being signed; warnings are for
// its author to look at. The Rule of each issue names the clause: "nom-004-6.2.4".
// Documents that the norm does not know have no issues.
//
// A document refers to nobody outside of it, so what it refers to must be in the
// Bundle; of a Composition alone, Check says that it is not.
func Check(doc *element.Doc) []fhir.Issue {
	d, ok := read(doc)
	if !ok {
		return []fhir.Issue{{Severity: "error", Type: "structure", Rule: "nom-004-document", Details: "a document is a Bundle whose first entry is a Composition", Expression: d.typeOf(0)}}
	}
	k := d.kind()
	if k == nil {
		return nil
	}
	d.header()
	d.patient()
	d.authors(k)
	for i := range k.Sections {
		d.section(k, &k.Sections[i])
	}
	if k.Stay {
		d.stay(k)
	}
	if k.Witnessed {
		d.witnesses(k)
	}
	d.oneSubject()
	return d.issues
}

// report adds an issue about the node n, which path names.
func (d *document) report(severity, code, rule, path string, n element.Node, details string) {
	i := fhir.Issue{Severity: severity, Type: code, Rule: rule, Details: details, Expression: path}
	if n != element.None {
		start, _ := d.Span(n)
		i.Line, i.Col = d.Position(start)
	}
	d.issues = append(d.issues, i)
}

// missing reports that something required is not there.
func (d *document) missing(clause, path string, n element.Node, details string) {
	d.report("error", "required", rule(clause), path, n, details)
}

func rule(clause string) string { return "nom-004-" + clause }

// header checks establishment, title, date and time: clauses 5.2.1, 5.10.
func (d *document) header() {
	c := d.compPath()
	if d.text(d.comp, "title") == "" {
		d.missing("5.10", c+".title", d.comp, "the document has no title")
	}
	if date := d.text(d.comp, "date"); !strings.Contains(date, "T") {
		d.missing("5.10", c+".date", d.get(d.comp, "date"), "the document does not say its date and time of day")
	}
	at := c + ".custodian"
	org := d.find(d.Get(d.comp, "custodian"))
	if org == nil || d.typeOf(org.node) != "Organization" {
		d.missing("5.2.1", at, d.comp, "the establishment (custodian) is not in the document")
		return
	}
	if d.text(org.node, "name") == "" {
		d.missing("5.2.1", org.path+".name", org.node, "the establishment has no name")
	}
	if address(d, d.Get(org.node, "address")) == "" {
		d.missing("5.2.1", org.path+".address", org.node, "the establishment has no address")
	}
	if d.identifier(org.node, identity.SystemCLUES) == "" {
		d.report("error", "required", "nom-024-clues", org.path+".identifier", org.node, "the establishment has no CLUES")
	}
}

// patient checks who the document is about: clauses 5.2.3 and 5.9.
func (d *document) patient() {
	p := d.find(d.Get(d.comp, "subject"))
	if p == nil || d.typeOf(p.node) != "Patient" {
		d.missing("5.9", d.compPath()+".subject", d.comp, "the patient is not in the document")
		return
	}
	if d.name(d.Get(p.node, "name")) == "" {
		d.missing("5.9", p.path+".name", p.node, "the patient has no name")
	}
	if !d.has(p.node, "gender") {
		d.missing("5.9", p.path+".gender", p.node, "the sex of the patient is not said")
	}
	if !d.has(p.node, "birthDate") {
		d.missing("5.9", p.path+".birthDate", p.node, "the age of the patient cannot be told without a date of birth")
	}
	if address(d, d.Get(p.node, "address")) == "" {
		d.missing("5.2.3", p.path+".address", p.node, "the patient has no address")
	}
	if !d.has(p.node, "identifier") {
		d.missing("5.9", p.path+".identifier", p.node, "the patient has no record number, nor any other identifier")
	}
}

// authors checks who wrote it: full name (5.10), and cédula (Ley General de Salud, 83).
func (d *document) authors(k *Kind) {
	found := false
	for a := range d.each(d.comp, "author") {
		e := d.professional(a)
		if e == nil {
			continue
		}
		found = true
		if d.name(d.Get(e.node, "name")) == "" {
			d.missing("5.10", e.path+".name", e.node, "the author has no name")
		}
		if d.cedula(e.node) == "" {
			d.report("error", "required", "lgs-83", e.path+".identifier", e.node, "the author has no cédula profesional")
		}
	}
	if !found {
		d.missing("5.10", d.compPath()+".author", d.comp, "no author is in the document: "+k.Name+" is signed by a health professional")
	}
}

// professional returns the Practitioner that a Reference at n leads to, by a
// PractitionerRole too; nil when there is none.
func (d *document) professional(n element.Node) *entry {
	e := d.find(n)
	if e != nil && d.typeOf(e.node) == "PractitionerRole" {
		e = d.find(d.Get(e.node, "practitioner"))
	}
	if e == nil || d.typeOf(e.node) != "Practitioner" {
		return nil
	}
	return e
}

// cedula returns the number of a Practitioner's licence, or "".
func (d *document) cedula(n element.Node) string {
	if v := d.identifier(n, identity.SystemCedula); v != "" {
		return v
	}
	for q := range d.each(n, "qualification") {
		if v := d.identifier(q, identity.SystemCedula); v != "" {
			return v
		}
	}
	return ""
}

// stay checks the dates of a discharge, and the causes of a death: 8.9.1 and 8.9.11.
func (d *document) stay(k *Kind) {
	path := d.compPath() + ".encounter"
	e := d.find(d.Get(d.comp, "encounter"))
	if e == nil {
		d.missing("8.9.1", path, d.comp, "the stay (encounter) is not in the document")
		return
	}
	from, to := d.text(e.node, "period", "start"), d.text(e.node, "period", "end")
	switch {
	case from == "":
		d.missing("8.9.1", e.path+".period.start", e.node, "the day of admission is not said")
	case to == "":
		d.missing("8.9.1", e.path+".period.end", e.node, "the day of discharge is not said")
	case later(from, to):
		d.report("error", "invalid", rule("8.9.1"), e.path+".period", d.get(e.node, "period"), "the discharge is before the admission")
	}
	if s := k.Section(deathCauses); s != nil && d.died(e) {
		if n, _ := d.sectionOf(s); n == element.None || !d.written(n) {
			d.missing(s.Clause, d.compPath()+".section", d.comp, "the patient died, and the section \""+s.Title+"\" does not say of what")
		}
	}
}

// died reports whether the patient left the stay dead.
func (d *document) died(stay *entry) bool {
	if d.coded(d.get(stay.node, "hospitalization", "dischargeDisposition"), "http://terminology.hl7.org/CodeSystem/discharge-disposition", "exp") {
		return true
	}
	p := d.find(d.Get(d.comp, "subject"))
	if p == nil {
		return false
	}
	when, end := d.text(p.node, "deceasedDateTime"), d.text(stay.node, "period", "end")
	return when != "" && end != "" && !later(when, end)
}

// later reports whether the FHIR date or time a is later than b. What they do not say
// both is not compared.
func later(a, b string) bool {
	x, okX := instant(a)
	y, okY := instant(b)
	if okX && okY {
		return x.After(y)
	}
	n := min(len(a), len(b), len(time.DateOnly))
	return a[:n] > b[:n]
}

// instant reads a date with a time of day.
func instant(s string) (time.Time, bool) {
	t, err := time.Parse(time.RFC3339, s)
	return t, err == nil
}

// oneSubject reports entries that are about another patient: what was put there by mistake.
func (d *document) oneSubject() {
	subject := d.Get(d.comp, "subject")
	if d.find(subject) == nil {
		return
	}
	for i := range d.entries {
		e := &d.entries[i]
		for _, name := range []string{"subject", "patient"} {
			ref := d.Get(e.node, name)
			if ref == element.None || d.Kind(ref) != element.Object || d.text(ref, "reference") == "" || d.typeOf(e.node) == "RelatedPerson" {
				continue
			}
			if !d.same(ref, subject) {
				d.report("error", "invalid", "nom-004-5.9", e.path+"."+name, ref, "it is not about the patient of the document")
			}
		}
	}
}
