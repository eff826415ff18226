package summary

import (
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir/element"
)

// known is the record that a document is compared with, by what its parts are about.
type known struct{ byName map[string][]*record }

func (k *known) add(r *record) {
	if r.doc.TextAt(0, "status") == "entered-in-error" || has(r.doc, r.doc.Get(0, "verificationStatus"), "", "entered-in-error") {
		return
	}
	for _, name := range about(r.doc, 0, nil) {
		k.byName[name] = append(k.byName[name], r)
	}
}

// proposable are the types that proposals are made of, each with the element that says
// what it is about.
var proposable = map[string]string{
	"AllergyIntolerance": "code", "Condition": "code", "MedicationStatement": "medicationCodeableConcept", "MedicationRequest": "medicationCodeableConcept",
	"Immunization": "vaccineCode", "Procedure": "code", "Observation": "code",
}

// kin are types whose records tell of the same things.
var kin = map[string]string{"MedicationRequest": "MedicationStatement"}

// occasions are the types of which each is another event, even of the same code.
var occasions = map[string]string{"Immunization": "occurrence", "Procedure": "performed", "Observation": "effective"}

// about returns the names of what a resource is about. medication is the concept of one
// that only refers to it.
func about(d *element.Doc, n element.Node, medication *concept) []string {
	typ := d.TextAt(n, "resourceType")
	var all []string
	if medication != nil {
		all = names(medication.doc, medication.node)
	} else if at, ok := proposable[typ]; ok {
		all = names(d, d.Get(n, at))
	}
	when := ""
	if stem, ok := occasions[typ]; ok {
		when = day(moment(d, n, stem))
	}
	if k, ok := kin[typ]; ok {
		typ = k
	}
	for i := range all {
		all[i] = typ + " " + all[i] + " " + when
	}
	return all
}

// concept is a CodeableConcept somewhere.
type concept struct {
	doc  *element.Doc
	node element.Node
}

// facts are what makes two statements about the same thing agree, by type.
var facts = map[string][]string{
	"AllergyIntolerance":  {"clinicalStatus", "verificationStatus", "criticality", "type"},
	"Condition":           {"clinicalStatus", "verificationStatus"},
	"MedicationStatement": {"status", "dosage"},
	"MedicationRequest":   {"status", "dosageInstruction"},
	"Immunization":        {"status", "lotNumber"},
	"Procedure":           {"status"},
	"Observation":         {"status", "value", "component"},
}

// differences lists the elements in which two resources disagree. One that only one of
// them has is no disagreement.
func differences(a *element.Doc, x element.Node, b *element.Doc) []string {
	typ := a.TextAt(x, "resourceType")
	if typ != b.TextAt(0, "resourceType") { // a statement and a prescription: only that both are in use
		if a.TextAt(x, "status") != b.TextAt(0, "status") {
			return []string{"status"}
		}
		return nil
	}
	var all []string
	for _, name := range facts[typ] {
		one, two := fact(a, x, name), fact(b, 0, name)
		if one != "" && two != "" && one != two {
			all = append(all, name)
		}
	}
	return all
}

// fact is an element in a form that can be compared: codes without their names.
func fact(d *element.Doc, n element.Node, name string) string {
	m := d.Get(n, name)
	if m == element.None && name == "value" {
		var property string
		if m, property = typed(d, n, name); m != element.None && strings.HasSuffix(property, "Quantity") {
			return d.TextAt(m, "value") + " " + d.TextAt(m, "code")
		}
	}
	switch {
	case m == element.None:
		return ""
	case d.Kind(m) == element.Object && d.Get(m, "coding") != element.None:
		return strings.Join(sorted(names(d, m)), ",")
	case d.Kind(m) == element.Object, d.Kind(m) == element.Array:
		return string(d.AppendCompact(nil, m))
	}
	return d.Text(m)
}

func sorted(list []string) []string {
	slices.Sort(list)
	return list
}

// compare says how a proposal stands to the record.
func (k *known) compare(d *element.Doc, p *proposal) {
	var there []*record
	for _, name := range p.names {
		for _, r := range k.byName[name] {
			if !slices.Contains(there, r) {
				there = append(there, r)
			}
		}
	}
	if there == nil {
		p.kind = "new"
		return
	}
	p.existing = there
	p.kind = "conflict"
	for _, r := range there {
		differ := differences(d, p.node, r.doc)
		if len(differ) == 0 {
			p.kind, p.existing, p.differ = "same", []*record{r}, nil
			return
		}
		for _, name := range differ {
			if !slices.Contains(p.differ, name) {
				p.differ = append(p.differ, name)
			}
		}
	}
}

// opposed makes a conflict of "there are none" where the record has some.
func (k *known) opposed(d *element.Doc, p *proposal) {
	typ := d.TextAt(p.node, "resourceType")
	if p.kind != "new" || negated(d, d.Get(p.node, proposable[typ])) == 0 {
		return
	}
	for name, list := range k.byName {
		if strings.HasPrefix(name, typ+" ") {
			for _, r := range list {
				if !slices.Contains(p.existing, r) && negated(r.doc, r.doc.Get(0, proposable[typ])) == 0 && current(r.doc) {
					p.kind, p.differ = "conflict", []string{"code"}
					p.existing = append(p.existing, r)
				}
			}
		}
	}
	slices.SortFunc(p.existing, func(a, b *record) int { return strings.Compare(a.Ref.String(), b.Ref.String()) })
}

// current reports whether a record is of what is so now.
func current(d *element.Doc) bool {
	return !has(d, d.Get(0, "clinicalStatus"), "", "inactive", "resolved", "remission") && !has(d, d.Get(0, "verificationStatus"), "", "refuted") &&
		!slices.Contains([]string{"stopped", "completed", "not-taken"}, d.TextAt(0, "status"))
}
