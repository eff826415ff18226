package giis

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir"
)

// What of resources the rows are made from. Elements that are not here do not matter.
type (
	coding struct{ System, Code string }

	concept struct {
		Coding []coding
		Text   string
	}

	reference struct{ Reference, Display string }

	identifier struct{ System, Value string }

	quantity struct {
		Value      json.Number
		Unit, Code string
		System     string
	}

	extension struct {
		URL                  string
		ValueString          string
		ValueAddress         *address
		ValueCodeableConcept *concept
	}

	address struct{ State, Country string }

	humanName struct {
		Use    string
		Family string
		Given  []string
		Parts  struct{ Extension []extension } `json:"_family"`
	}

	person struct { // Patient or Practitioner
		Extension     []extension
		Identifier    []identifier
		Name          []humanName
		Gender        string
		BirthDate     string
		Qualification []struct{ Code concept }
	}

	role struct { // PractitionerRole
		Practitioner, Organization reference
		Code, Specialty            []concept
	}

	encounter struct {
		Class       coding
		Subject     reference
		ServiceType concept
		ReasonCode  []concept
		Period      struct{ Start string }
		Participant []struct {
			Type       []concept
			Individual reference
		}
		Diagnosis []struct {
			Condition reference
			Rank      int
		}
		ServiceProvider reference
	}

	diagnosed struct {
		Code               concept
		Encounter          reference
		Subject            reference
		VerificationStatus concept
	}

	observation struct {
		Status               string
		Code                 concept
		Encounter            reference
		ValueQuantity        *quantity
		ValueInteger         json.Number
		ValueString          string
		ValueBoolean         *bool
		ValueCodeableConcept *concept
		Component            []struct {
			Code          concept
			ValueQuantity *quantity
		}
	}

	coverage struct {
		Status      string
		Type        concept
		Beneficiary reference
		Payor       []struct {
			Display    string
			Identifier identifier
		}
	}
)

// read reads a stored resource. What it holds passed the server's checks when it was
// stored; an element that is not as it is to be is passed over.
func read[T any](r *fhir.Resource) *T {
	var v T
	_ = json.Unmarshal(r.JSON, &v) // as much as can be read
	return &v
}

// of returns the id that a reference names, of a type.
func (r reference) of(typ string) string {
	ref, ok := fhir.ParseRef(r.Reference)
	if !ok || ref.Type != typ {
		return ""
	}
	return ref.ID
}

// code returns the code of a system; "" for none.
func (c *concept) code(system string) string {
	for _, k := range c.Coding {
		if k.System == system {
			return k.Code
		}
	}
	return ""
}

// identified returns the identifier of a system; "" for none.
func (p *person) identified(system string) string {
	for _, i := range p.Identifier {
		if i.System == system {
			return strings.ToUpper(strings.TrimSpace(i.Value))
		}
	}
	return ""
}

// official returns the name that counts.
func (p *person) official() *humanName {
	i := slices.IndexFunc(p.Name, func(n humanName) bool { return n.Use == "official" })
	if i < 0 && len(p.Name) > 0 {
		i = 0
	}
	if i < 0 {
		return &humanName{}
	}
	return &p.Name[i]
}

// Extensions of a name that tell its two surnames apart.
const (
	fathersFamily = "http://hl7.org/fhir/StructureDefinition/humanname-fathers-family"
	mothersFamily = "http://hl7.org/fhir/StructureDefinition/humanname-mothers-family"
	birthPlace    = "http://hl7.org/fhir/StructureDefinition/patient-birthPlace"
	genderOf      = "http://hl7.org/fhir/StructureDefinition/patient-genderIdentity"
)

// surnames returns the two surnames; the second is "" when there is none. A family name
// that is not told apart and has two words is taken for both.
func (n *humanName) surnames() (father, mother string) {
	for _, x := range n.Parts.Extension {
		switch x.URL {
		case fathersFamily:
			father = x.ValueString
		case mothersFamily:
			mother = x.ValueString
		}
	}
	if father == "" && mother == "" {
		words := strings.Fields(n.Family)
		if len(words) == 2 {
			return words[0], words[1]
		}
		return n.Family, ""
	}
	return father, mother
}
