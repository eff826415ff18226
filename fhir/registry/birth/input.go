package birth

import (
	"encoding/base64"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/birth/sinac"
	"github.com/amate-health/amate/fhir/registry/identity"
	"github.com/amate-health/amate/fhir/search"
)

// claim is what the parameters of a call say of a birth.
type claim struct {
	row     sinac.Row
	mother  party
	newborn party
	father  *party

	certifier    fhir.Ref
	folio        string   // brought along, or of a draft; "" for one of the server's
	acknowledged []string // rules whose warnings the certifier knows of
}

// party is somebody as the caller describes them: by a reference, or by a resource.
type party struct {
	Person
	json []byte // of the resource; nil for a reference
	at   string // parameter
}

// Parameters that are not columns.
var claimNames = []string{"mother", "newborn", "father", "certifier", "certificate", "folio", "acknowledge", "replaces", "reason"}

// claimed reads the parameters of $birth-certify and $birth-replace.
func claimed(call *operation.Call) (*claim, error) {
	c := &claim{}
	for _, name := range call.In.Names() {
		column, ok := sinac.Named(name)
		if !ok || column.String() != name {
			if !slices.Contains(claimNames, name) && !call.Lenient {
				return nil, fhir.Errorf(fhir.Invalid, "this operation does not take this parameter").
					With("it takes the columns of SINAC and %s, not %.100q%s", strings.Join(claimNames, ", "), name, search.Nearest(name, claimNames))
			}
			continue
		}
		text, err := call.In.Text(name)
		if err != nil {
			return nil, err
		}
		c.row[column] = strings.TrimSpace(text)
	}
	var err error
	if c.mother, _, err = c.party(call, "mother", "Patient"); err != nil {
		return nil, err
	}
	if c.newborn, _, err = c.party(call, "newborn", "Patient"); err != nil {
		return nil, err
	}
	father, ok, err := c.party(call, "father", "RelatedPerson")
	if err != nil {
		return nil, err
	}
	if ok {
		c.father = &father
	}
	if c.certifier, err = call.Reference("certifier", "Practitioner"); err != nil {
		return nil, err
	}
	if c.folio, err = call.In.Text("folio"); err != nil {
		return nil, err
	}
	for _, v := range call.In.All("acknowledge") {
		c.acknowledged = append(c.acknowledged, v.Text)
	}
	return c, nil
}

// party reads a parameter that is a resource of a type or, of a Patient, a reference.
func (c *claim) party(call *operation.Call, name, typ string) (party, bool, error) {
	p := party{at: "Parameters.parameter.where(name='" + name + "')"}
	v, ok, err := call.In.One(name)
	if err != nil || !ok {
		return p, false, err
	}
	n, ok := v.Resource()
	if !ok {
		p.Ref, err = call.Reference(name, typ)
		return p, true, err
	}
	if v.Doc.TextAt(n, "resourceType") != typ {
		return p, false, fhir.Errorf(fhir.Invalid, "the parameter %s is a %s, or a reference to one", name, typ).At(p.at)
	}
	p.json = []byte(v.Doc.Raw(n))
	p.Person = personIn(v.Doc, n)
	return p, true, nil
}

// personIn reads who a Patient, RelatedPerson or Practitioner is.
func personIn(d *element.Doc, n element.Node) Person {
	p := Person{Born: d.TextAt(n, "birthDate"), Sex: d.TextAt(n, "gender")}
	best := element.None
	for name := range d.Items(n, "name") {
		if use := d.TextAt(name, "use"); best == element.None || use == "official" {
			best = name
		}
	}
	if best != element.None {
		p.Name = nameIn(d, best)
	}
	for id := range d.Items(n, "identifier") {
		if d.TextAt(id, "system") == identity.SystemCURP && d.TextAt(id, "use") != "old" {
			if v := strings.ToUpper(strings.TrimSpace(d.TextAt(id, "value"))); v != identity.GenericCURP {
				p.CURP = v
			}
		}
	}
	return p
}

// nameIn reads a HumanName: surnames apart where the extensions of HL7 part them.
//
// See https://hl7.org/fhir/R4/extension-humanname-fathers-family.html.
func nameIn(d *element.Doc, n element.Node) Name {
	var name Name
	var given []string
	for g := range d.Items(n, "given") {
		if d.Kind(g) == element.String {
			given = append(given, d.Text(g))
		}
	}
	name.Given = strings.Join(given, " ")
	for e := range d.Items(d.Get(n, "_family"), "extension") {
		switch d.TextAt(e, "url") {
		case fathersFamily:
			name.First = d.TextAt(e, "valueString")
		case mothersFamily:
			name.Second = d.TextAt(e, "valueString")
		}
	}
	family := d.TextAt(n, "family")
	if name.First == "" {
		name.First, name.Second = family, ""
	} else if rest, ok := strings.CutPrefix(family, name.First+" "); ok && name.Second == "" {
		name.Second = rest
	}
	if name == (Name{}) {
		name.Given = d.TextAt(n, "text")
	}
	return name
}

// binary reads a base64Binary. Errors: fhir.Invalid.
func binary(name, value string) ([]byte, error) {
	out, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(value), ""))
	if err != nil || len(out) == 0 {
		return nil, fhir.Errorf(fhir.Invalid, "the parameter %s is base64", name)
	}
	return out, nil
}

// escape writes a text as part of a value of a search parameter.
func escape(s string) string {
	return strings.NewReplacer(`\`, `\\`, `,`, `\,`, `|`, `\|`, `$`, `\$`).Replace(s)
}
