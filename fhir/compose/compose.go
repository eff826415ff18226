// Package compose writes the small resources and parts of resources that the server
// makes itself.
package compose

import (
	"bytes"
	"encoding/json"

	"github.com/amate-health/amate/fhir"
)

// Object is a JSON object in the making. Its members are written in the order of their
// names.
type Object map[string]any

// JSON returns v, which is made of strings, numbers, lists, Objects and JSON that was read
// before (json.RawMessage), as compact JSON.
func JSON(v any) []byte {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false) // narrative stays readable
	if err := e.Encode(v); err != nil {
		panic(err) // see above
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

// Text returns v as JSON does, for what is put into other JSON as a string.
func Text(v any) string { return string(JSON(v)) }

// Coding returns a Coding; without display where that is "".
func Coding(system, code, display string) Object {
	c := Object{"system": system, "code": code}
	if display != "" {
		c["display"] = display
	}
	return c
}

// Concept returns a CodeableConcept of one Coding.
func Concept(system, code, display string) Object {
	return Object{"coding": []Object{Coding(system, code, display)}}
}

// Reference returns a Reference to whatever version of a resource is current.
func Reference(ref fhir.Ref) Object { return Object{"reference": ref.Current().String()} }

// Part returns a part of Parameters, whose value is of a type written as FHIR does behind
// "value": "String", "Reference".
func Part(name, typ string, value any) Object { return Object{"name": name, "value" + typ: value} }

// Parameters returns the JSON of a Parameters resource.
func Parameters(parts ...Object) []byte {
	b := []byte(`{"resourceType":"Parameters"`)
	if len(parts) > 0 {
		b = append(append(b, `,"parameter":`...), JSON(parts)...)
	}
	return append(b, '}')
}
