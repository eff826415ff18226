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
	p.Birth = ParseDate(d.TextAt(n, "birthDate"))
	switch d.TextAt(n, "gender") {
	case "male":
		p.Sex = 'M'
	case "female":
		p.Sex = 'F'
	case "other":
		p.Sex = 'X'
	}
	for id := range d.Items(n, "identifier") {
		if v, ok := r.id(d, id); ok {
			p.IDs = append(p.IDs, v)
		}
	}
	for t := range d.Items(n, "telecom") {
		if system := d.TextAt(t, "system"); d.TextAt(t, "use") != "old" && (system == "phone" || system == "sms") {
			if v := Telephone(d.TextAt(t, "value")); v != "" {
				p.Phones = append(p.Phones, v)
			}
		}
	}
	for a := range d.Items(n, "address") {
		if d.TextAt(a, "use") == "old" {
			continue
		}
		if h := ParseHome(line(d, a), d.TextAt(a, "city"), d.TextAt(a, "state"), d.TextAt(a, "postalCode")); h.Known() {
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
	p.Multiple = p.Multiple || d.TextAt(n, "multipleBirthBoolean") == "true"
	p.Mother = mother(d, n)
	return p
}

// names fills in the official name, or the first that is not old, and the surnames of
// those of before.
func (r Reading) names(p *Person, d *element.Doc, n element.Node) {
	best, found := element.None, false
	for name := range d.Items(n, "name") {
		switch use := d.TextAt(name, "use"); {
		case use == "old" || use == "maiden":
			p.Former = append(p.Former, family(d, name)...)
		case !found || use == "official" && d.TextAt(best, "use") != "official":
			best, found = name, true
		}
	}
	if !found {
		return
	}
	given := ""
	for g := range d.Items(best, "given") {
		given += " " + d.Text(g)
	}
	p.Given, p.Family = Names(given), family(d, best)
	for s := range d.Items(best, "suffix") {
		p.Suffix += Fold(d.Text(s))
	}
}

// family returns the surnames of a HumanName: those of its extensions, each of which is
// one surname, or the words of its family.
func family(d *element.Doc, name element.Node) []string {
	extra := d.Get(name, "_family")
	father := Surnames(extension(d, extra, fathersFamily))
	if len(father) == 0 {
		return Surnames(d.TextAt(name, "family"))
	}
	both := father[:1]
	if mother := Surnames(extension(d, extra, mothersFamily)); len(mother) > 0 {
		both = append(both, mother[0])
	}
	return both
}

func (r Reading) id(d *element.Doc, n element.Node) (ID, bool) {
	id := ID{System: d.TextAt(n, "system"), Value: Fold(d.TextAt(n, "value"))}
	if id.Value == "" || d.TextAt(n, "use") == "old" || d.TextAt(n, "use") == "temp" {
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
	for c := range d.Items(n, "contact") {
		for rel := range d.Items(c, "relationship") {
			for coding := range d.Items(rel, "coding") {
				if code := d.TextAt(coding, "code"); code != "MTH" && code != "NMTH" {
					continue
				}
				name := d.Get(c, "name")
				words := d.TextAt(name, "family")
				for g := range d.Items(name, "given") {
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
	for l := range d.Items(a, "line") {
		all += " " + d.Text(l)
	}
	return all
}

// extension returns the primitive value of the extension of n with a URL.
func extension(d *element.Doc, n element.Node, url string) string {
	for e := range d.Items(n, "extension") {
		if d.TextAt(e, "url") != url {
			continue
		}
		for _, value := range []string{"valueString", "valueCode"} {
			if v := d.TextAt(e, value); v != "" {
				return v
			}
		}
	}
	return ""
}
