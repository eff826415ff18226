package search

import (
	"strconv"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/fhirpath"
	"github.com/amate-health/amate/fhir/spec"
)

// maxSteps bounds an evaluation, so that no parameter slows down every write.
const maxSteps = 100_000

// evaluate indexes what an expression without a direct plan yields. An evaluation
// that ends in an error, as the expression of an added parameter may, yields nothing:
// it is no reason to refuse a resource.
func (x *extractor) evaluate(e *evaluated, root fhirpath.Item) {
	out, err := e.expr.EvalItem(root, &fhirpath.Env{Steps: maxSteps})
	if err != nil {
		return
	}
	for _, i := range out {
		switch {
		case !i.IsElement():
			x.computed(&e.leaf, e.param.Type, i.System())
		case i.Doc == x.d && i.Node != element.None:
			end := e.leaf.to(e.param.Type, fhirpath.Path{Type: i.Type}, e.param.Base)
			if end.emit != nil {
				end.emit(x, &end, i.Node)
			}
		}
	}
}

// computed indexes a value that is no element of the resource.
func (x *extractor) computed(l *leaf, search spec.SearchType, v fhirpath.Value) {
	if v == nil {
		return
	}
	text := v.String()
	switch search {
	case spec.Token, spec.URI:
		x.token(l, nil, []byte(text), formCode)
	case spec.Reference:
		x.reference(l, []byte(text))
	case spec.String:
		x.text(l, []byte(text), false)
	case spec.Date:
		if s, ok := parseSpan([]byte(text)); ok {
			x.date(l, s)
		}
	case spec.Number:
		if f, err := strconv.ParseFloat(text, 64); err == nil {
			x.amount(l, 0, f, f, f)
		}
	case spec.Quantity:
		x.computedQuantity(l, v)
	}
}

func (x *extractor) computedQuantity(l *leaf, v fhirpath.Value) {
	text, unit := v.String(), ""
	if q, ok := v.(fhirpath.Quantity); ok {
		text, unit = q.Value.String(), q.Unit
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return
	}
	x.amount(l, 0, f, f, f)
	if unit != "" {
		x.amount(l, unitHash(nil, []byte(unit)), f, f, f)
	}
}
