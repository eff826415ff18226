package main

import (
	"context"
	"slices"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/registry/identity"
)

// A record that is blocked stays the record of that person. Whoever cannot see it would
// make a second one, in which all that the first one was blocked for begins anew; so a
// Patient with its CURP is refused. The answer tells nothing of whose it is.

// ruleReserved is the rule that refuses it.
const ruleReserved = "identifier-reserved"

// reserving returns b with the rule on what it writes.
func (o *opened) reserving(ctx context.Context, b *bundle.Batch) *bundle.Batch {
	patients := func(c bundle.Change) bool { return c.Ref.Type == "Patient" && c.Op != bundle.Delete }
	if !slices.ContainsFunc(b.Changes, patients) {
		return b
	}
	out := *b
	out.Changes = slices.Clone(b.Changes)
	for i := range out.Changes {
		c := &out.Changes[i]
		if !patients(*c) {
			continue
		}
		build := c.Build
		c.Build = func(env *bundle.Env, at fhir.Ref, current *fhir.Resource) (*bundle.Content, error) {
			content, err := build(env, at, current)
			if err != nil {
				return nil, err
			}
			return content, o.unreserved(ctx, content.Body.JSON, at.ID)
		}
	}
	return &out
}

// unreserved refuses a Patient who has the CURP of another one whose record is blocked.
func (o *opened) unreserved(ctx context.Context, json []byte, id string) error {
	doc, err := element.Parse(json)
	if err != nil {
		return nil // what is no resource is refused elsewhere
	}
	list := doc.Get(0, "identifier")
	if list == element.None || doc.Kind(list) != element.Array {
		return nil
	}
	for n := doc.First(list); n != element.None; n = doc.Next(list, n) {
		system, value := doc.Get(n, "system"), doc.Get(n, "value")
		if system == element.None || value == element.None || doc.Text(system) != identity.SystemCURP {
			continue
		}
		found, err := o.blockedPatients(ctx, identity.SystemCURP+"|"+escapedValue(doc.Text(value)))
		if err != nil {
			return err
		}
		if slices.ContainsFunc(found, func(r fhir.Resource) bool { return r.Ref.ID != id }) {
			return &fhir.Error{Code: fhir.Conflict, Issues: []fhir.Issue{{
				Severity: "error", Type: "conflict", Rule: ruleReserved,
				Details: "this CURP cannot be used in a new or another record; the office for the rights over personal data (ARCO) says what is to be done",
			}}}
		}
	}
	return nil
}

// escapedValue is a value as a search parameter has it.
func escapedValue(text string) string {
	var b []byte
	for i := range len(text) {
		switch text[i] {
		case '\\', ',', '$', '|':
			b = append(b, '\\')
		}
		b = append(b, text[i])
	}
	return string(b)
}
