package validate

import (
	"strings"

	"github.com/amate-health/amate/fhir/profile"
	"github.com/amate-health/amate/fhir/spec"
)

// extensionDefined holds an extension to its definition: where it may stand, and
// what it holds.
//
// See https://hl7.org/fhir/R4/extensibility.html.
func (x *inspection) extensionDefined(s *subject, p *place) {
	url := p.text("url")
	modifier := p.elem != nil && p.elem.Name == "modifierExtension"
	switch {
	case url == "" || p.up == nil:
		return
	case !absolute(url):
		if p.up.item.Type == nil || p.up.item.Type.Name != "Extension" {
			x.fail("extension-url", "the URL of an extension is absolute, but within another extension", quote([]byte(url)), p)
		}
		return // a part of a complex extension, whose definition has it
	}
	if x.Profiles == nil {
		return
	}
	def := x.profile(url, p)
	switch {
	case def == nil && modifier:
		x.report("error", "not-supported", "extension-unknown", "a modifier extension that is not known may change what the resource means", quote([]byte(url)), p)
	case def == nil && x.StrictExtensions:
		x.report("error", "not-supported", "extension-unknown", "the extension is not known here", quote([]byte(url)), p)
	case def == nil:
		x.report("information", "not-supported", "extension-unknown", "the extension is not known here, so it was not checked", quote([]byte(url)), p)
	case !def.Extension():
		x.fail("extension-definition", "the URL is not that of an extension", def.Type, p)
	default:
		if !s.allowedAt(def, p.up) {
			x.report("error", "structure", "extension-context", "the extension may not stand here", contexts(def), p)
		}
		x.apply(s, def, p)
	}
}

func contexts(def *profile.Profile) string {
	var list []string
	for _, c := range def.Contexts {
		list = append(list, c.Type+" "+c.Expression)
	}
	return "it is for " + strings.Join(list, ", ")
}

// allowedAt reports whether an extension may stand on a place. Contexts in FHIRPath
// are taken to allow it.
//
// See https://hl7.org/fhir/R4/defining-extensions.html#context.
func (s *subject) allowedAt(def *profile.Profile, on *place) bool {
	if len(def.Contexts) == 0 || misplaced[def.URL] {
		return true
	}
	for _, c := range def.Contexts {
		switch c.Type {
		case "fhirpath":
			if s.selects(c.Expression, on) {
				return true
			}
		case "extension":
			if on.item.Type != nil && on.item.Type.Name == "Extension" && on.text("url") == c.Expression {
				return true
			}
		default:
			if onElement(c.Expression, on) {
				return true
			}
		}
	}
	return false
}

// selects reports whether an expression on the resource gives the element at a
// place, or that cannot be told.
func (s *subject) selects(expression string, on *place) bool {
	expr, err := compile(expression)
	if err != nil {
		return true
	}
	found, err := expr.EvalItem(s.item, s.env())
	if err != nil {
		return true
	}
	for _, i := range found {
		if i.Doc == on.item.Doc && i.Node == on.item.Node && i.Side == on.item.Side {
			return true
		}
	}
	return false
}

// misplaced are extensions of R4 that R4 itself puts elsewhere than their definition
// says: this one on ElementDefinition.type instead of the code within.
var misplaced = map[string]bool{"http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type": true}

// onElement reports whether expression names the element at a place: by its type,
// or by the way to it from a type above.
func onElement(expression string, on *place) bool {
	if _, after, ok := strings.Cut(expression, "#"); ok {
		expression = after
	}
	typ, path, deeper := strings.Cut(strings.ReplaceAll(expression, "[x]", ""), ".")
	if on.item.Type != nil && on.item.Type.Name == expression {
		return true // a backbone, wherever a content reference has put it
	}
	if typ == "Element" && !deeper {
		return true // anything, a resource too, as many definitions of R4 mean it
	}
	if !deeper {
		return isA(on, typ)
	}
	steps := strings.Split(path, ".")
	at := on
	for i := len(steps) - 1; i >= 0; i-- {
		name, _, _ := strings.Cut(steps[i], ":")
		if at == nil || at.elem == nil || at.elem.Name != name && at.elem.Choice != name {
			return false
		}
		at = at.up
	}
	return at != nil && isA(at, typ)
}

// isA reports whether a place is of a type, or of one that specialises it.
func isA(p *place, typ string) bool {
	t := p.item.Type
	if t == nil {
		return false
	}
	if typ == "Resource" {
		return t.Kind == spec.ResourceKind
	}
	return t.Is(typ)
}
