package search

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/fhirpath"
	"github.com/amate-health/amate/fhir/spec"
)

// A composite joins two values of one place in a resource: a code, and what it says.
// When the second is a number, a quantity, a date or a string, it is stored as that,
// in a row that carries the code as a Pair. When it is a token, a reference or a uri,
// the forms of both are hashed together, each with each.
//
// The code is asked for as code, system|code or |code, but not as system| alone.
//
// See https://hl7.org/fhir/R4/search.html#combining.

// joint is how a composite is indexed, from a place that its expression leads to.
type joint struct {
	first, second []end
	tokens        bool // the second part is hashed too
}

// end is a way to the values of a component.
type end struct {
	path fhirpath.Path
	leaf leaf
}

// gatherer collects the tokens of a component.
type gatherer struct{ list []half }

// half is a value of a component, with the forms in which it can be asked for.
type half struct {
	system, code []byte
	forms        forms
}

func (g *gatherer) token(system, code []byte, f forms) {
	g.list = append(g.list, half{system, code, f})
}

// components returns the two parts of a composite, the code first. In R4 one has the
// definitions of its parts the wrong way round (DocumentReference relationship), and
// one names a type in a way that FHIRPath does not know (Observation code-value-date).
func components(p *spec.SearchParam) []spec.Component {
	parts := slices.Clone(p.Components)
	if len(parts) == 2 && parts[0].Type != spec.Token && parts[1].Type == spec.Token {
		parts[0].Type, parts[1].Type = parts[1].Type, parts[0].Type
		parts[0].Definition, parts[1].Definition = parts[1].Definition, parts[0].Definition
	}
	for i := range parts {
		parts[i].Expression = strings.ReplaceAll(parts[i].Expression, "as(DateTime)", "as(dateTime)")
	}
	return parts
}

// compared returns the type of the values that a condition on p compares: of a
// composite, that of its second part.
func compared(p *spec.SearchParam) spec.SearchType {
	if p.Type == spec.Composite && len(p.Components) == 2 {
		return components(p)[1].Type
	}
	return p.Type
}

// hashed reports whether values of a type are stored as tokens.
func hashed(t spec.SearchType) bool {
	return t == spec.Token || t == spec.Reference || t == spec.URI
}

// jointOf plans the components of p from a place of type at. It is nil when one of
// them leads nowhere.
func jointOf(p *spec.SearchParam, at *spec.Type) *joint {
	parts := components(p)
	if len(parts) != 2 || at == nil {
		return nil
	}
	j := &joint{first: endsOf(p, parts[0], at), second: endsOf(p, parts[1], at), tokens: hashed(parts[1].Type)}
	if len(j.first) == 0 || len(j.second) == 0 {
		return nil
	}
	return j
}

func endsOf(p *spec.SearchParam, part spec.Component, at *spec.Type) (all []end) {
	expr, err := fhirpath.Compile(part.Expression, fhirpath.Filtering)
	if err != nil {
		return nil
	}
	paths, ok := expr.Paths(at)
	if !ok {
		return nil
	}
	for _, path := range paths {
		l := leaf{param: p.ID}.to(part.Type, path, at.Name)
		if l.emit != nil && len(path.Steps) > 0 {
			all = append(all, end{path, l})
		}
	}
	return all
}

func (x *extractor) ends(all []end, n element.Node) {
	for i := range all {
		e := &all[i]
		e.path.Walk(x.d, n, func(c element.Node) { e.leaf.emit(x, &e.leaf, c) })
	}
}

func emitComposite(x *extractor, l *leaf, n element.Node) {
	j := l.joint
	found := false
	for i := range j.second {
		j.second[i].path.Walk(x.d, n, func(element.Node) { found = true })
	}
	if !found {
		return
	}
	first := x.gathered(0, j.first, n)
	if j.tokens {
		second := x.gathered(1, j.second, n)
		for i := range first {
			for k := range second {
				x.together(l, &first[i], &second[k])
			}
		}
		return
	}
	for i := range first {
		if pair, ok := first[i].pair(l.param); ok {
			x.pairing = pair
			x.ends(j.second, n)
		}
	}
	x.pairing = Pair{}
}

// gathered returns the tokens of a component.
func (x *extractor) gathered(which int, ends []end, n element.Node) []half {
	g := &x.halves[which]
	g.list = g.list[:0]
	x.gather = g
	x.ends(ends, n)
	x.gather = nil
	return g.list
}

// pair returns the Pair of a code; ok is false when there is none.
func (h *half) pair(param uint16) (p Pair, ok bool) {
	if h.forms&(formCode|formBoth|formBare) == 0 {
		return Pair{}, false
	}
	var buf [256]byte
	b := binary.BigEndian.AppendUint16(buf[:0], param)
	p.Code = sum(append(b, h.code...))
	if h.forms&(formBoth|formBare) != 0 {
		p.Both = sum(append(append(append(b, h.system...), '|'), h.code...))
	}
	return p, true
}

// together adds the forms of both halves, each with each.
func (x *extractor) together(l *leaf, first, second *half) {
	var buf [512]byte
	b := binary.BigEndian.AppendUint16(buf[:0], l.param)
	if first.forms&formCode != 0 {
		x.joined(append(append(b, first.code...), pairMark...), second)
		x.present(l)
	}
	if first.forms&(formBoth|formBare) != 0 {
		b = append(append(append(b, first.system...), '|'), first.code...)
		x.joined(append(b, pairMark...), second)
	}
}

func (x *extractor) joined(b []byte, second *half) {
	if second.forms&formCode != 0 {
		x.ix.Tokens = append(x.ix.Tokens, sum(append(b, second.code...)))
	}
	x.systemForms(b, second.system, second.code, second.forms)
}

// composite reads one value of a composite, still escaped: code$value.
func (p *parser) composite(param *spec.SearchParam, raw string) (Value, error) {
	v := Value{Raw: raw}
	halves := split(raw, '$')
	if len(halves) != 2 || halves[0] == "" || halves[1] == "" {
		return v, badValue(param, raw, "it has two parts, a code and a value, with $ between them; within a value a $ is written \\$")
	}
	parts := components(param)
	second := &spec.SearchParam{ID: param.ID, Code: param.Code, Type: parts[1].Type}
	for _, definition := range p.opts.Catalogue.ByURL(parts[1].Definition) {
		second.Targets = append(second.Targets, definition.Targets...)
	}
	code, both, err := firstHalf(param, halves[0])
	if err != nil {
		return v, err
	}
	if hashed(second.Type) {
		return v.joined(param, cmp.Or(both, code), second, halves[1], p.opts.Base)
	}
	if v, err = p.value(second, "", halves[1]); err != nil {
		return v, err
	}
	v.Raw, v.Pair.Code = raw, TokenHash(param.ID, code)
	if both != "" {
		v.Pair.Both = TokenHash(param.ID, both)
	}
	return v, nil
}

// firstHalf reads the code of a composite value: its bare form, and the form with
// its system, "" when none was given.
func firstHalf(param *spec.SearchParam, raw string) (code, both string, err error) {
	forms, err := tokenForms(param, raw)
	if err != nil {
		return "", "", err
	}
	if len(forms) > 1 {
		return forms[0], "", nil
	}
	parts := split(raw, '|')
	if code = unescape(parts[1]); code == "" {
		return "", "", badValue(param, raw, "its first part is a code, system|code or |code; a system alone cannot be looked for here")
	}
	return code, forms[0], nil
}

// joined completes a value whose second half is hashed with the first.
func (v Value) joined(param *spec.SearchParam, first string, second *spec.SearchParam, raw, base string) (Value, error) {
	var forms []string
	var err error
	switch second.Type {
	case spec.Token:
		forms, err = tokenForms(second, raw)
	case spec.URI:
		forms = []string{unescape(raw)}
	default:
		text := unescape(raw)
		switch ref, ok := localRef([]byte(text), base); {
		case ok:
			forms = []string{ref.String()}
		case fhir.ValidID(text):
			for _, t := range targets(second, "") {
				forms = append(forms, t+"/"+text)
			}
		default:
			forms = []string{text}
		}
	}
	for _, form := range forms {
		v.Tokens = append(v.Tokens, TokenHash(param.ID, first+pairMark+form))
	}
	slices.Sort(v.Tokens)
	v.Tokens = slices.Compact(v.Tokens)
	return v, err
}
