package rest

import (
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
)

// compartmentDefinition is what the canonical URLs of the compartments begin with;
// the name follows, its first letter small.
const compartmentDefinition = "http://hl7.org/fhir/CompartmentDefinition/"

// placeMember makes of a request that names a resource the search of its
// compartment for member, a type or * for all.
// Errors: fhir.NotFound when such resources have no compartment, fhir.UnknownType,
// fhir.Invalid when member is never in it.
//
// See https://hl7.org/fhir/R4/compartmentdefinition.html.
func (r *Request) placeMember(member string) error {
	switch {
	case !slices.Contains(spec.Compartments(), r.Type):
		return fhir.Errorf(fhir.NotFound, "there is nothing under this path; %s has no compartment", r.Type).
			With("there are compartments of %s", strings.Join(spec.Compartments(), ", "))
	case member == "*":
		r.Interaction = SearchSystem
	case !spec.IsResource(member):
		return fhir.Errorf(fhir.UnknownType, "no such resource type").With("%.100q is no resource type of FHIR R4", member)
	case !search.InCompartment(r.Type, member):
		return fhir.Errorf(fhir.Invalid, "%s is never in the compartment of a %s", member, r.Type)
	}
	r.Compartment = fhir.Ref{Type: r.Type, ID: r.ID}
	r.Type, r.ID = member, ""
	if member == "*" {
		r.Type = ""
	}
	return nil
}

// searchPath is the path, below the base, of the search that r asks for.
func (r *Request) searchPath() string {
	path := ""
	if r.Compartment.ID != "" {
		path = "/" + r.Compartment.String()
	}
	switch {
	case r.Type != "":
		path += "/" + r.Type
	case path != "":
		path += "/*"
	}
	return path
}

// within adds to the conditions of q that what it finds is in the compartment.
func within(q *search.Query, compartment fhir.Ref) error {
	if q.Type != "" {
		q.Where = append(q.Where, search.Compartment([]fhir.Ref{compartment}, q.Type))
		return nil
	}
	for _, e := range q.Where {
		types, ok := e.(search.Types)
		if !ok {
			continue
		}
		for _, typ := range types.Any {
			if !search.InCompartment(compartment.Type, typ) {
				return fhir.Errorf(fhir.Invalid, "_type: %s is never in the compartment of a %s", typ, compartment.Type)
			}
		}
	}
	q.Where = append(q.Where, search.WholeCompartment([]fhir.Ref{compartment}))
	return nil
}

// compartments writes CapabilityStatement.rest.compartment.
func (p *page) compartments() {
	var urls []string
	for _, name := range spec.Compartments() {
		urls = append(urls, compartmentDefinition+strings.ToLower(name[:1])+name[1:])
	}
	p.list("compartment", urls...)
}
