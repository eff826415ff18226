package fhirpath

import (
	"strings"

	"github.com/amate-health/amate/fhir/spec"
)

// typeSpec is a type as an expression names it. Without a namespace, a name may
// stand for a FHIR type and for a System type at once: Quantity.
type typeSpec struct {
	text   string
	fhir   *spec.Type
	system string
}

var systemTypes = map[string]bool{
	"Boolean": true, "String": true, "Integer": true, "Decimal": true, "Quantity": true,
	"Date": true, "DateTime": true, "Time": true, "Any": true,
}

// lookupType returns nil for an unknown name.
func lookupType(parts []string) *typeSpec {
	t := &typeSpec{text: strings.Join(parts, ".")}
	space, name := "", strings.Join(parts, ".")
	if len(parts) > 1 && (parts[0] == "FHIR" || parts[0] == "System") {
		space, name = parts[0], strings.Join(parts[1:], ".")
	}
	if space != "System" {
		t.fhir = spec.TypeOf(name)
	}
	if space != "FHIR" && systemTypes[name] {
		t.system = name
	}
	// A type of the other namespace, such as System.Patient, is a type that nothing has.
	if t.fhir == nil && t.system == "" && (space == "" || spec.TypeOf(name) == nil && !systemTypes[name]) {
		return nil
	}
	return t
}

// holds reports whether i is of type t or of one that specialises it.
func (t *typeSpec) holds(i Item) bool {
	if i.Doc == nil {
		return t.system != "" && (t.system == "Any" || i.value.System() == t.system)
	}
	if v := i.System(); i.Type == nil && v != nil {
		return t.system == v.System()
	}
	return t.fhir != nil && i.Type.Is(t.fhir.Name)
}

// info returns what type() says of i.
func (i Item) info() (TypeInfo, bool) {
	if i.Doc == nil {
		return TypeInfo{"System", i.value.System()}, true
	}
	if v := i.System(); i.Type == nil && v != nil {
		return TypeInfo{"System", v.System()}, true
	}
	if i.Type == nil {
		return TypeInfo{}, false
	}
	return TypeInfo{"FHIR", i.Type.Name}, true
}

// base returns the qualified name of what the type specialises.
func (t TypeInfo) base() string {
	if typ := spec.TypeOf(t.Name); t.Namespace == "FHIR" && typ != nil && typ.Base != nil {
		return "FHIR." + typ.Base.Name
	}
	return "System.Any"
}
