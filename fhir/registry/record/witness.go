package record

import (
	"strconv"

	"github.com/amate-health/amate/fhir/element"
)

// participation is the code system in which a RelatedPerson is said to be a witness.
const (
	participation = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
	witness       = "WIT"
)

// witnesses checks who signed a consent or a voluntary discharge beside its author:
// the patient or who stands for them, and two witnesses (10.1.1.8 to 10.1.1.10; 10.2.2).
//
// They are the attesters of mode "personal". A witness is a RelatedPerson whose
// relationship is v3-ParticipationType WIT, or a professional other than the author; who
// gives the consent is the Patient, or a RelatedPerson that is no witness.
func (d *document) witnesses(k *Kind) {
	author := map[element.Node]bool{}
	for a := range d.each(d.comp, "author") {
		if e := d.professional(a); e != nil {
			author[e.node] = true
		}
	}
	clauses := struct{ giver, witness string }{"10.1.1.8", "10.1.1.10"}
	if k.Clause == "10.2" {
		clauses.giver, clauses.witness = "10.2.2", "10.2.2"
	}
	givers, seen := 0, map[element.Node]bool{}
	i := -1
	for a := range d.each(d.comp, "attester") {
		i++
		if d.text(a, "mode") != "personal" {
			continue
		}
		path := d.compPath() + ".attester[" + strconv.Itoa(i) + "]"
		e := d.find(d.Get(a, "party"))
		if e == nil {
			d.missing(clauses.witness, path+".party", a, "who attests is not in the document")
			continue
		}
		if d.name(d.Get(e.node, "name")) == "" {
			d.missing(clauses.witness, e.path+".name", e.node, "who attests has no name")
		}
		if !d.has(a, "time") {
			d.missing(clauses.witness, path+".time", a, "it is not said when they signed")
		}
		switch d.typeOf(e.node) {
		case "Patient":
			givers++
		case "RelatedPerson":
			if d.isWitness(e.node) {
				seen[e.node] = true
			} else {
				givers++
			}
		case "Practitioner", "PractitionerRole":
			p := d.professional(d.Get(a, "party"))
			if p != nil && author[p.node] {
				d.report("error", "invalid", rule(clauses.witness), path+".party", a, "the author is no witness of the document")
			} else {
				seen[e.node] = true
			}
		}
	}
	if givers == 0 {
		d.missing(clauses.giver, d.compPath()+".attester", d.comp, "neither the patient nor a relative, guardian or representative has signed")
	}
	if len(seen) < 2 {
		d.missing(clauses.witness, d.compPath()+".attester", d.comp, "two witnesses sign the document, and there are "+strconv.Itoa(len(seen)))
	}
}

func (d *document) isWitness(person element.Node) bool {
	for r := range d.each(person, "relationship") {
		if d.coded(r, participation, witness) {
			return true
		}
	}
	return false
}
