package match

import (
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/registry/identity"
)

// Reading says how Patients are read.
type Reading struct {
	// Personal are the systems of numbers that a person has wherever they go; a number
	// of any other system is that of one establishment. nil is the CURP alone.
	Personal map[string]bool
}

// The extensions that are read.
const (
	fathersFamily = "http://hl7.org/fhir/StructureDefinition/humanname-fathers-family"
	mothersFamily = "http://hl7.org/fhir/StructureDefinition/humanname-mothers-family"
	maidenName    = "http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName"
)

// Patient returns what of a Patient is compared; n is its node in d. A number that
// stands for having none is left out, and so is what is old.
func (r Reading) Patient(d *element.Doc, n element.Node) Person {
	var p Person
	r.names(&p, d, n)
	p.Birth = ParseDate(text(d, n, "birthDate"))
	switch text(d, n, "gender") {
	case "male":
		p.Sex = 'M'
	case "female":
		p.Sex = 'F'
	case "other":
		p.Sex = 'X'
	}
	for id := range items(d, n, "identifier") {
		if v, ok := r.id(d, id); ok {
			p.IDs = append(p.IDs, v)
		}
	}
	for t := range items(d, n, "telecom") {
		if system := text(d, t, "system"); text(d, t, "use") != "old" && (system == "phone" || system == "sms") {
			if v := Telephone(text(d, t, "value")); v != "" {
				p.Phones = append(p.Phones, v)
			}
		}
	}
	for a := range items(d, n, "address") {
		if text(d, a, "use") == "old" {
			continue
		}
		if h := ParseHome(line(d, a), text(d, a, "city"), text(d, a, "state"), text(d, a, "postalCode")); h.Known() {
			p.Homes = append(p.Homes, h)
		}
	}
	if m := d.Get(n, "multipleBirthInteger"); m != element.None {
		p.Multiple = true
		for _, c := range d.Bytes(m) {
			if c >= '0' && c <= '9' && p.Order < 100 {
				p.Order = 10*p.Order + int(c-'0')
			}
		}
	}
	p.Multiple = p.Multiple || text(d, n, "multipleBirthBoolean") == "true"
	p.Mother = mother(d, n)
	return p
}

// names fills in the official name, or the first that is not old, and the surnames of
// those of before.
func (r Reading) names(p *Person, d *element.Doc, n element.Node) {
	best, found := element.None, false
	for name := range items(d, n, "name") {
		switch use := text(d, name, "use"); {
		case use == "old" || use == "maiden":
			p.Former = append(p.Former, family(d, name)...)
		case !found || use == "official" && text(d, best, "use") != "official":
			best, found = name, true
		}
	}
	if !found {
		return
	}
	given := ""
	for g := range items(d, best, "given") {
		given += " " + d.Text(g)
	}
	p.Given, p.Family = Names(given), family(d, best)
	for s := range items(d, best, "suffix") {
		p.Suffix += Fold(d.Text(s))
	}
}

// family returns the surnames of a HumanName: those of its extensions, each of which is
// one surname, or the words of its family.
func family(d *element.Doc, name element.Node) []string {
	extra := d.Get(name, "_family")
	father := Surnames(extension(d, extra, fathersFamily))
	if len(father) == 0 {
		return Surnames(text(d, name, "family"))
	}
	both := father[:1]
	if mother := Surnames(extension(d, extra, mothersFamily)); len(mother) > 0 {
		both = append(both, mother[0])
	}
	return both
}

func (r Reading) id(d *element.Doc, n element.Node) (ID, bool) {
	id := ID{System: text(d, n, "system"), Value: Fold(text(d, n, "value"))}
	if id.Value == "" || text(d, n, "use") == "old" || text(d, n, "use") == "temp" {
		return ID{}, false
	}
	if id.System == identity.SystemCURP {
		id.Verified = extension(d, n, identity.Verification) == identity.RenapoVerified
		return id, id.Value != identity.GenericCURP
	}
	id.Local = !r.Personal[id.System]
	return id, true
}

// mother returns the words of the mother's name.
func mother(d *element.Doc, n element.Node) []string {
	for c := range items(d, n, "contact") {
		for rel := range items(d, c, "relationship") {
			for coding := range items(d, rel, "coding") {
				if code := text(d, coding, "code"); code != "MTH" && code != "NMTH" {
					continue
				}
				name := d.Get(c, "name")
				words := text(d, name, "family")
				for g := range items(d, name, "given") {
					words = d.Text(g) + " " + words
				}
				return Names(words)
			}
		}
	}
	return Names(extension(d, n, maidenName))
}

// line joins the lines of an address.
func line(d *element.Doc, a element.Node) string {
	all := ""
	for l := range items(d, a, "line") {
		all += " " + d.Text(l)
	}
	return all
}

// text returns the primitive called name of n, "" when there is none.
func text(d *element.Doc, n element.Node, name string) string {
	if n == element.None {
		return ""
	}
	c := d.Get(n, name)
	if c == element.None || d.Kind(c) == element.Object || d.Kind(c) == element.Array {
		return ""
	}
	return d.Text(c)
}

// items goes through the list called name of n.
func items(d *element.Doc, n element.Node, name string) func(func(element.Node) bool) {
	return func(yield func(element.Node) bool) {
		if n == element.None {
			return
		}
		list := d.Get(n, name)
		if list == element.None || d.Kind(list) != element.Array {
			return
		}
		for c := d.First(list); c != element.None; c = d.Next(list, c) {
			if !yield(c) {
				return
			}
		}
	}
}

// extension returns the primitive value of the extension of n with a URL.
func extension(d *element.Doc, n element.Node, url string) string {
	for e := range items(d, n, "extension") {
		if text(d, e, "url") != url {
			continue
		}
		for _, value := range []string{"valueString", "valueCode"} {
			if v := text(d, e, value); v != "" {
				return v
			}
		}
	}
	return ""
}
