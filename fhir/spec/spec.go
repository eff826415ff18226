package spec

import (
	"maps"
	"slices"
)

// Kind sorts types by how their JSON looks.
type Kind uint8

// The kinds of type.
const (
	Primitive    Kind = 1 + iota // a JSON string, number or boolean, with an optional _name object beside it
	Complex                      // a datatype such as HumanName; also Element and BackboneElement
	Backbone                     // an element with children of its own, named by its path: "Patient.contact"
	ResourceKind                 // a resource, abstract ones (Resource, DomainResource) included
)

// Type is a datatype, a resource type or a backbone element.
type Type struct {
	Name     string    // "Patient", "HumanName", "boolean", "Patient.contact"
	Kind     Kind      //
	Abstract bool      // Element, BackboneElement, Resource, DomainResource
	Base     *Type     // what it specialises; nil for Element and Resource
	Elements []Element // in the order of the definition, inherited ones first; empty for a Primitive but for id and extension
	Pattern  Pattern   // how the text of a Primitive is checked; NoPattern otherwise

	// Constraints hold for every value of the type, beside those of its Base.
	Constraints []*Constraint

	byName map[string]*Element
}

// Element is one JSON property of a type. A choice such as value[x] stands once
// for each type it allows: valueQuantity, valueString, ...
type Element struct {
	Name     string    // the JSON property: "birthDate", "valueQuantity"
	Choice   string    // "value" for value[x]; "" when the element is no choice
	Type     *Type     // nil only for elements that hold any resource (contained, Bundle.entry.resource): see Resource
	Resource bool      // holds a whole resource
	Min      int       // for a choice: of the choice as a whole
	Many     bool      // an array in JSON (max > 1)
	Max      int       // 0 means unbounded where Many; else 1 (or the number the definition gives)
	Binding  *ValueSet // the required binding, when its codes are known; else nil
	Targets  []string  // for Reference and canonical: allowed target types; nil allows any
	Summary  bool      // isSummary
	Modifier bool      // isModifier
	Simple   bool      // a SimpleQuantity: a Quantity that must not have a comparator
	Index    int       // place in the Elements of the type that has it

	// Constraints hold for the values of this element, beside those of their type.
	Constraints []*Constraint
}

// Constraint is an invariant: a condition in FHIRPath that must hold.
//
// See https://hl7.org/fhir/R4/conformance-rules.html#constraints.
type Constraint struct {
	Key        string // "obs-6"; not unique in R4, which has three called inv-1
	Severity   string // error | warning
	Expression string // evaluated on the element that has the constraint
	Human      string // what it says
}

// ValueSet is the expansion of a value set that some element must take its codes from.
type ValueSet struct {
	URL     string
	Codes   map[string]struct{}            // every code, whatever its system
	Systems map[string]map[string]struct{} // system -> codes
}

// SearchType is the type of a search parameter.
//
// See https://hl7.org/fhir/R4/search.html#ptypes.
type SearchType uint8

// The nine search types.
const (
	Number SearchType = 1 + iota
	Date
	String
	Token
	Reference
	Composite
	Quantity
	URI
	Special
)

// String returns the code of the type in SearchParameter.type.
func (t SearchType) String() string {
	return [...]string{"", "number", "date", "string", "token", "reference", "composite", "quantity", "uri", "special"}[t]
}

// SearchParam is one search parameter as it applies to one resource type.
//
// Expressions are as published: "as" stands there for ofType, also on several items
// ("(Group.characteristic.value as boolean)").
type SearchParam struct {
	ID         uint16      // stable for ever: it is stored. 1 to 19999 for the R4 table, from 20000 for parameters added later
	Base       string      // resource type; "Resource" or "DomainResource" for those of every type
	Code       string      // "birthdate"
	Type       SearchType  //
	Expression string      // FHIRPath, already narrowed to Base where the definition joins several types with |; "" for _text, _content, _query
	Targets    []string    // for Reference: types it may point to, of those that the element allows
	Components []Component // for Composite
	URL        string      // canonical URL of the definition
}

// Component is a part of a composite search parameter.
type Component struct {
	Expression string // relative to an item of the composite's expression
	Definition string // canonical URL of the parameter that gives its type
	Type       SearchType
}

// TypeOf returns the type called name: resource, datatype, primitive, or backbone
// by path ("Patient.contact"). It returns nil when there is none.
func TypeOf(name string) *Type { return types[name] }

// IsResource reports whether name is a concrete resource type: of R4, or added to it.
func IsResource(name string) bool {
	t := types[name]
	return t != nil && t.Kind == ResourceKind && !t.Abstract
}

// Resources returns the names of all concrete resource types, sorted: those of R4, and
// the few that are added to it.
func Resources() []string { return resources }

// Added reports whether name is a resource type that R4 does not have, such as ViewDefinition.
func Added(name string) bool { return added[name] }

// Element returns the element whose JSON property is name, or nil. It does not allocate.
func (t *Type) Element(name []byte) *Element { return t.byName[string(name)] }

// Is reports whether t is, or specialises, the type called name.
func (t *Type) Is(name string) bool {
	for ; t != nil; t = t.Base {
		if t.Name == name {
			return true
		}
	}
	return false
}

// Params returns the search parameters of a resource type, those of Resource and
// DomainResource included, sorted by code.
func Params(resource string) []*SearchParam { return params[resource] }

// Param returns the search parameter of resource called code, or nil. With
// resource "" it returns a parameter of every type (of Resource).
func Param(resource, code string) *SearchParam { return paramsByCode[resource][code] }

// ParamByID returns the search parameter stored under id, or nil.
func ParamByID(id uint16) *SearchParam {
	if int(id) >= len(paramsByID) {
		return nil
	}
	return paramsByID[id]
}

// Compartments returns the names of the compartments, sorted: Device, Encounter,
// Patient, Practitioner, RelatedPerson.
func Compartments() []string { return slices.Sorted(maps.Keys(compartments)) }

// Compartment returns the codes of the parameters of resource that put it into
// compartment; nil when it is never in it. The code "{def}" stands for the resource
// that the compartment is of, which is in it by its id.
//
// See https://hl7.org/fhir/R4/compartmentdefinition.html.
func Compartment(compartment, resource string) []string { return compartments[compartment][resource] }
