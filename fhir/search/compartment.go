package search

import (
	"slices"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/spec"
)

// Compartment returns the condition that a resource of type typ is in the
// compartment of one of owners, which are all of the type that the compartment is
// named for. It is nil when no resource of typ ever is. The owner is in its own
// compartment, whether or not the definition says so.
//
// See https://hl7.org/fhir/R4/compartmentdefinition.html.
func Compartment(owners []fhir.Ref, typ string) Expr {
	any := belonging(nil, owners, typ)
	if len(owners) > 0 && typ == owners[0].Type {
		any = append(any, IDs{Any: idsOf(owners)})
	}
	if len(any) == 0 {
		return nil
	}
	return any
}

// WholeCompartment returns the condition that a resource, of whatever type, is in
// the compartment of one of owners.
func WholeCompartment(owners []fhir.Ref) Expr {
	if len(owners) == 0 {
		return Or{}
	}
	var all Or
	for _, typ := range spec.Resources() {
		all = belonging(all, owners, typ)
	}
	return Or{all, And{Types{[]string{owners[0].Type}}, IDs{Any: idsOf(owners)}}}
}

// InCompartment reports whether resources of type typ can be in compartments of
// the kind named compartment.
func InCompartment(compartment, typ string) bool {
	return typ == compartment || len(spec.Compartment(compartment, typ)) > 0
}

// CompartmentTypes returns the types that can be in compartments of the kind named
// compartment, sorted.
func CompartmentTypes(compartment string) []string {
	return slices.DeleteFunc(slices.Clone(spec.Resources()), func(typ string) bool { return !InCompartment(compartment, typ) })
}

// belonging appends the references by which a resource of type typ is in the
// compartment of one of owners.
func belonging(all Or, owners []fhir.Ref, typ string) Or {
	if len(owners) == 0 {
		return all
	}
	for _, code := range spec.Compartment(owners[0].Type, typ) {
		param := spec.Param(typ, code)
		if param == nil { // {def}, the owner itself
			continue
		}
		m := Match{Param: param, Compared: param.Type}
		for _, owner := range owners {
			m.Values = append(m.Values, Value{Raw: owner.Current().String(), Refs: []fhir.Ref{owner.Current()}})
		}
		all = append(all, m)
	}
	return all
}

func idsOf(refs []fhir.Ref) []string {
	all := make([]string, len(refs))
	for i, ref := range refs {
		all[i] = ref.ID
	}
	return all
}
