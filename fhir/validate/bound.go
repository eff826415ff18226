package validate

import (
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/profile"
	"github.com/amate-health/amate/fhir/spec"
)

// code is a code with its system, "" where that is not said.
type code struct{ system, code, display string }

// bound holds the codes of a value to a value set.
//
// See https://hl7.org/fhir/R4/terminologies.html#strength.
func (x *inspection) bound(b *profile.Binding, r *rules, at *place) {
	codes, can := codesOf(at)
	if !can {
		return
	}
	source := quote([]byte(b.ValueSet)) + "; profile " + r.source()
	if len(codes) == 0 {
		if at.get("extension") == nil && at.item.Type.Name == "CodeableConcept" {
			x.unbound(b.Strength, "the concept has no code, and one of the value set is asked for", source, at)
		}
		return
	}
	unknown := false
	for _, c := range codes {
		switch x.member(b.ValueSet, c) {
		case Yes:
			return
		case Unknown:
			unknown = true
		}
	}
	if unknown {
		if b.Strength == "required" {
			x.report("information", "not-supported", "binding-unknown", "whether the code is in the value set is not known here", source, at)
		}
		return
	}
	x.unbound(b.Strength, "the code is not in the value set", source, at)
}

// unbound reports a code that is not in a value set, as severely as the strength asks.
func (x *inspection) unbound(strength, details, source string, at *place) {
	switch strength {
	case "required":
		x.report("error", "code-invalid", "binding-required", details, source, at)
	case "extensible":
		x.report("warning", "code-invalid", "binding-extensible", details, source, at)
	default:
		x.report("information", "code-invalid", "binding-preferred", details, source, at)
	}
}

// member tells whether a code is in a value set.
func (x *inspection) member(valueSet string, c code) Answer {
	if x.Codes == nil {
		return Unknown
	}
	answer, _ := x.Codes.Member(valueSet, c.system, c.code, "")
	return answer
}

// codesOf returns the codes of a value; can is false when it is of a type that has none.
func codesOf(at *place) (codes []code, can bool) {
	if at.item.Type == nil || at.item.Node == element.None {
		return nil, false
	}
	coding := func(p *place, name string) {
		if c := p.text(name); c != "" {
			codes = append(codes, code{p.text("system"), c, p.text("display")})
		}
	}
	switch at.item.Type.Name {
	case "CodeableConcept":
		for _, c := range at.all("coding") {
			coding(c, "code")
		}
	case "Coding":
		coding(at, "code")
	case "Quantity", "Age", "Duration", "Count", "Distance":
		coding(at, "code")
	default:
		if at.item.Type.Kind != spec.Primitive {
			return nil, false
		}
		if v := at.value(); v != "" {
			codes = append(codes, code{code: v})
		}
	}
	return codes, true
}
