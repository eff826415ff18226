package check

import (
	"strings"
	"time"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/registry/identity"
)

// The extensions of a name and a birth that are read.
const (
	fathersFamily = "http://hl7.org/fhir/StructureDefinition/humanname-fathers-family"
	mothersFamily = "http://hl7.org/fhir/StructureDefinition/humanname-mothers-family"
	birthPlace    = "http://hl7.org/fhir/StructureDefinition/patient-birthPlace"
)

// PersonOf returns what of a Patient a CURP is compared with. What cannot be told apart is
// left empty, so that it is not compared: a family name of three words and more may be two
// surnames in several ways.
func PersonOf(d *element.Doc, root element.Node) identity.Person {
	var p identity.Person
	if name := officialName(d, root); name != element.None {
		p.Given = joined(d, d.Get(name, "given"))
		p.Father = extension(d, d.Get(name, "_family"), fathersFamily)
		p.Mother = extension(d, d.Get(name, "_family"), mothersFamily)
		if words := strings.Fields(d.TextAt(name, "family")); p.Father == "" && len(words) <= 2 && len(words) > 0 {
			p.Father = words[0]
			if len(words) == 2 {
				p.Mother = words[1]
			}
		}
		if p.Father == "" {
			p.Given = "" // a name is compared as a whole, or not
		}
	}
	if born, err := time.Parse(time.DateOnly, d.TextAt(root, "birthDate")); err == nil {
		p.Born = born
	}
	switch d.TextAt(root, "gender") {
	case "male":
		p.Sex = 'H'
	case "female":
		p.Sex = 'M'
	case "other":
		p.Sex = 'X'
	}
	p.BirthIn = bornIn(d, root)
	return p
}

// officialName returns the official name, or the first that is not old.
func officialName(d *element.Doc, root element.Node) element.Node {
	best := element.None
	for n := range d.Items(root, "name") {
		switch use := d.TextAt(n, "use"); {
		case use == "old" || use == "maiden" || use == "nickname" || use == "anonymous":
		case use == "official":
			return n
		case best == element.None:
			best = n
		}
	}
	return best
}

// bornIn returns the entity of birth as a CURP has it, "" when it is not said so.
func bornIn(d *element.Doc, root element.Node) string {
	for e := range d.Items(root, "extension") {
		if d.TextAt(e, "url") != birthPlace {
			continue
		}
		a := d.Get(e, "valueAddress")
		if a == element.None {
			return ""
		}
		if country := d.TextAt(a, "country"); country != "" && country != "MX" && country != "MEX" {
			return identity.Abroad
		}
		if entity, ok := identity.EntityOf(d.TextAt(a, "state")); ok {
			return entity
		}
	}
	return ""
}

func extension(d *element.Doc, n element.Node, url string) string {
	for e := range d.Items(n, "extension") {
		if d.TextAt(e, "url") == url {
			return d.TextAt(e, "valueString")
		}
	}
	return ""
}

func joined(d *element.Doc, list element.Node) string {
	if list == element.None || d.Kind(list) != element.Array {
		return ""
	}
	var all []string
	for n := d.First(list); n != element.None; n = d.Next(list, n) {
		if d.Kind(n) == element.String {
			all = append(all, d.Text(n))
		}
	}
	return strings.Join(all, " ")
}
