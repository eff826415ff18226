package search

import (
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/fhirpath"
	"github.com/amate-health/amate/fhir/spec"
)

// modifiers that R4 allows, by type of parameter; :missing stands for all, the name
// of a type for references. A composite has none but :missing.
//
// See https://hl7.org/fhir/R4/search.html#modifiers.
var modifiers = map[spec.SearchType][]string{
	spec.String:    {"exact", "contains"},
	spec.Token:     {"text", "not", "in", "not-in", "above", "below", "of-type"},
	spec.URI:       {"above", "below"},
	spec.Reference: {"identifier", "text", "above", "below"},
}

// datatypes that a modifier needs at least one of, where it does not go with every
// parameter of its type.
var modified = map[spec.SearchType]map[string][]string{
	spec.Token: {
		"text":    {"CodeableConcept", "Coding", "Identifier"},
		"of-type": {"Identifier"},
	},
	spec.Reference: {
		"identifier": {"Reference"},
		"text":       {"Reference"},
		"above":      {"canonical"},
		"below":      {"canonical"},
	},
}

func (p *parser) checkModifier(param *spec.SearchParam, modifier string) error {
	if modifier == "" {
		return nil
	}
	if slices.Contains(modifiers[param.Type], modifier) {
		need := modified[param.Type][modifier]
		if need == nil || p.opts.Catalogue.yields(param, need...) {
			return nil
		}
		return unknown("modifier :%s goes with values of type %s, which search parameter %s does not have", modifier, strings.Join(need, " or "), show(param.Code))
	}
	if param.Type == spec.Reference && spec.IsResource(modifier) {
		if slices.Contains(targets(param, ""), modifier) {
			return nil
		}
		return unknown("search parameter %s never refers to %s; it refers to %s", show(param.Code), modifier, strings.Join(param.Targets, ", "))
	}
	have := append([]string{"missing"}, modifiers[param.Type]...)
	if param.Type == spec.Reference {
		have = append(have, "the name of a type")
	}
	return unknown("modifier :%s of search parameter %s is not supported; of type %s: %s",
		show(modifier), show(param.Code), param.Type, strings.Join(have, ", "))
}

// yields reports whether the values of p can be of one of the datatypes called
// names; also when that is known only in a resource. A whole resource, which counts
// as a reference to itself, is a "Reference".
func (c *Catalogue) yields(p *spec.SearchParam, names ...string) bool {
	found, ok := c.datatypes.Load(p)
	if !ok {
		var types []*spec.Type
		if expr, err := fhirpath.Compile(p.Expression, fhirpath.Filtering); err == nil {
			paths, _ := expr.Paths(spec.TypeOf(p.Base))
			for _, path := range paths {
				types = append(types, path.Type)
			}
		}
		found, _ = c.datatypes.LoadOrStore(p, types)
	}
	types := found.([]*spec.Type)
	return len(types) == 0 || slices.ContainsFunc(types, func(t *spec.Type) bool {
		return slices.ContainsFunc(names, func(name string) bool {
			return name == "Reference" && (t == nil || t.Kind == spec.ResourceKind) || t.Is(name)
		})
	})
}

// match reads the values of a parameter.
func (p *parser) match(param *spec.SearchParam, modifier, value string) (Expr, error) {
	if modifier == "missing" {
		return parseMissing(param, value)
	}
	if err := p.checkModifier(param, modifier); err != nil {
		return nil, err
	}
	raws, err := list(param.Code, value)
	if err != nil {
		return nil, err
	}
	m := Match{Param: param, Compared: compared(param)}
	switch {
	case param.Type == spec.String, modifier == "text", modifier == "below" && param.Type == spec.URI:
		m.Modifier = modifier
	default:
		m.Asked = modifier
	}
	var also Expr // what a value says that m cannot
	for _, raw := range raws {
		v, err := p.value(param, modifier, raw)
		if err != nil {
			return nil, err
		}
		m.Values = append(m.Values, v)
		if modifier == "below" && param.Type == spec.Reference {
			also = orElse(also, narrower(param, raw))
		}
	}
	switch {
	case modifier == "not":
		m.Asked = ""
		return Not{m}, nil
	case modifier == "not-in":
		m.Asked = "in"
		return Not{m}, nil
	case also != nil:
		return orElse(m, also), nil
	}
	return m, nil
}

// orElse returns the condition that a or b holds, either of which may be nil.
func orElse(a, b Expr) Expr {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return Or{a, b}
}

// value reads one value, still escaped.
func (p *parser) value(param *spec.SearchParam, modifier, raw string) (Value, error) {
	switch modifier {
	case "text":
		return parseText(param, raw)
	case "in", "not-in":
		return p.members(param, raw)
	case "of-type":
		return parseOfType(param, raw)
	case "identifier":
		return parseIdentifier(param, raw)
	case "above", "below":
		return p.hierarchy(param, modifier, raw)
	}
	switch param.Type {
	case spec.Token:
		return parseToken(param, raw)
	case spec.URI:
		return parseURI(param, raw), nil
	case spec.Reference:
		return parseReference(param, modifier, raw, p.opts.Base)
	case spec.Date:
		return parseDate(param.Code, raw, p.opts.Now)
	case spec.Number:
		return parseNumber(param, raw)
	case spec.Quantity:
		return parseQuantity(param, raw)
	case spec.Composite:
		return p.composite(param, raw)
	case spec.Special:
		return parseNear(param, raw)
	}
	return parseString(modifier, raw), nil
}

// hierarchy reads one value of :above or :below.
func (p *parser) hierarchy(param *spec.SearchParam, modifier, raw string) (Value, error) {
	switch param.Type {
	case spec.Token:
		return p.subsumed(param, raw, modifier == "above")
	case spec.Reference:
		return versions(param, modifier, raw)
	}
	text := unescape(raw)
	if strings.HasPrefix(text, "urn:") {
		return Value{}, badValue(param, raw, "only URLs have a hierarchy, URNs have none")
	}
	if modifier == "below" {
		return Value{Raw: raw, Text: cut(text)}, nil
	}
	if len(text) > maxString {
		return Value{}, badValue(param, raw, "it is too long")
	}
	v := Value{Raw: raw}
	for i := range text {
		if i > 0 {
			v.Tokens = append(v.Tokens, TokenHash(param.ID, text[:i]))
		}
	}
	v.Tokens = append(v.Tokens, TokenHash(param.ID, text))
	slices.Sort(v.Tokens)
	return v, nil
}

// versions reads one value of :above or :below on a canonical: url|version. Below
// 1.2 are 1.2 itself and 1.2.x, above it are 1.2 and 1. Those below are found by
// narrower; without a version, all are below.
//
// See https://hl7.org/fhir/R4/references.html#canonical.
func versions(param *spec.SearchParam, modifier, raw string) (Value, error) {
	text := unescape(raw)
	url, version, ok := strings.Cut(text, "|")
	v := Value{Raw: raw, Tokens: []int64{TokenHash(param.ID, text)}}
	switch {
	case !strings.Contains(url, ":"):
		return v, badValue(param, raw, "with :"+modifier+" it is a canonical URL, perhaps with |version; other references have no hierarchy here")
	case !ok || modifier == "below":
		return v, nil
	}
	for i := range version {
		if version[i] == '.' {
			v.Tokens = append(v.Tokens, TokenHash(param.ID, url+"|"+version[:i]))
		}
	}
	slices.Sort(v.Tokens)
	return v, nil
}

// narrower returns the condition that a canonical has a version below that of raw;
// nil when raw has none.
func narrower(param *spec.SearchParam, raw string) Expr {
	text := unescape(raw)
	if !strings.Contains(text, "|") {
		return nil
	}
	return Match{Param: param, Compared: param.Type, Modifier: "below", Values: []Value{{Raw: raw, Text: cut(text + ".")}}}
}

// parseIdentifier reads one value of :identifier on a reference, still escaped, in
// the form of a token.
//
// See https://hl7.org/fhir/R4/search.html#reference.
func parseIdentifier(p *spec.SearchParam, raw string) (Value, error) {
	forms, err := tokenForms(p, raw)
	if err != nil {
		return Value{}, err
	}
	return Value{Raw: raw, Tokens: []int64{TokenHash(p.ID, identifierMark+forms[0])}}, nil
}

// notHere turns an error of the terminology about something that is not known into
// one about a value of the query.
func notHere(param *spec.SearchParam, raw string, err error) error {
	if fhir.CodeOf(err) == fhir.NotFound {
		return badValue(param, raw, err.Error())
	}
	return err
}
