package profile

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir/operation"
)

// OperationCanonical begins the URLs of the definitions of this project's own operations.
const OperationCanonical = "https://github.com/amate-health/amate/fhir/OperationDefinition/"

// definition says what an operation is.
type definition struct {
	name, title, text string
	id                string // where it is not the name
	changes           bool
	scope             operation.Scope
	types             []string
	in, out           []parameter
}

// parameter is one of an operation.
type parameter struct {
	name, typ, text string
	min             int
	max             string // "" is 1
	parts           []parameter
}

type object map[string]any

// Operations returns the OperationDefinitions of operations whose packages make none
// themselves, by the names of their files: the package of profiles holds them.
func Operations() map[string][]byte {
	all := map[string][]byte{}
	lists := slices.Concat(definitions, vaccination, vaccinationCards, campaigns, agendas, prescribing, measuring, visitOperations, subscribing, referring, ingests, publishing, fetching)
	for i := range lists {
		d := &lists[i]
		out, err := json.MarshalIndent(d.resource(), "", " ")
		if err != nil {
			panic(err) // made of strings
		}
		all["OperationDefinition-"+d.key()+".json"] = append(out, '\n')
	}
	return all
}

func (d *definition) key() string {
	if d.id != "" {
		return d.id
	}
	return d.name
}

// resource returns the OperationDefinition.
//
// See https://hl7.org/fhir/R4/operationdefinition.html.
func (d *definition) resource() object {
	o := object{
		"resourceType": "OperationDefinition", "id": d.key(), "url": OperationCanonical + d.key(), "version": "0.1.0", "name": programName(d.name), "title": d.title,
		"status": "draft", "kind": "operation", "experimental": false, "date": "2026-11-22", "publisher": "Amate", "description": d.text,
		"jurisdiction": []object{{"coding": []object{{"system": "urn:iso:std:iso:3166", "code": "MX", "display": "Mexico"}}}},
		"affectsState": d.changes, "code": d.name, "system": d.scope&operation.OnSystem != 0, "type": d.scope&operation.OnType != 0,
		"instance": d.scope&operation.OnInstance != 0, "parameter": append(described("in", d.in), described("out", d.out)...),
	}
	if d.types != nil {
		o["resource"] = d.types
	}
	return o
}

func described(use string, list []parameter) []object {
	var all []object
	for _, p := range list {
		if p.max == "" {
			p.max = "1"
		}
		one := object{"name": p.name, "use": use, "min": p.min, "max": p.max, "documentation": p.text}
		if p.parts == nil {
			one["type"] = p.typ
		} else {
			one["part"] = described(use, p.parts)
		}
		all = append(all, one)
	}
	return all
}

// programName makes a name for programs of the name of an operation: "ArcoRequest".
func programName(name string) string {
	out := ""
	for word := range strings.SplitSeq(name, "-") {
		out += strings.ToUpper(word[:1]) + word[1:]
	}
	return out
}
