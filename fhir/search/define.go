package search

import (
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/fhirpath"
	"github.com/amate-health/amate/fhir/spec"
)

// faulty is an error in a SearchParameter resource, at one of its elements.
func faulty(element, format string, args ...any) *fhir.Error {
	return fhir.Errorf(fhir.Unprocessable, format, args...).At("SearchParameter." + element)
}

// Define reads the SearchParameter resource at root: one parameter for each of its
// base types, without an ID. A component takes its type from the parameter of c that
// it names. Errors are *fhir.Error with code Unprocessable, whose Expression names
// the element at fault; With checks the rest.
//
// See https://hl7.org/fhir/R4/searchparameter.html.
func (c *Catalogue) Define(d *element.Doc, root element.Node) ([]spec.SearchParam, error) {
	r := reading{d}
	if r.text(root, "resourceType") != "SearchParameter" {
		return nil, fhir.Errorf(fhir.Unprocessable, "this is no SearchParameter").At("resourceType")
	}
	p := spec.SearchParam{
		Code: r.text(root, "code"), URL: r.text(root, "url"), Expression: r.text(root, "expression"),
		Type: spec.SearchTypeOf(r.text(root, "type")), Targets: r.texts(root, "target"),
	}
	switch {
	case p.URL == "":
		return nil, faulty("url", "a search parameter needs a URL")
	case p.Type == 0:
		return nil, faulty("type", "a search parameter has a type: number, date, string, token, reference, composite, quantity or uri")
	}
	for n := range r.items(root, "component") {
		definition := r.text(n, "definition")
		found := c.ByURL(definition)
		if len(found) == 0 {
			return nil, faulty("component.definition", "a component names a search parameter that is not known").With("%q", definition)
		}
		p.Components = append(p.Components, spec.Component{Expression: r.text(n, "expression"), Definition: definition, Type: found[0].Type})
	}
	bases := r.texts(root, "base")
	if len(bases) == 0 {
		return nil, faulty("base", "a search parameter is for at least one resource type")
	}
	var all []spec.SearchParam
	for i, base := range bases {
		if slices.Contains(bases[:i], base) {
			continue
		}
		p.Base = base
		all = append(all, p)
	}
	return all, nil
}

// reading reads the members of a resource that need no more than their text.
type reading struct{ d *element.Doc }

// text returns the member of n called name when it is a string; else "".
func (r reading) text(n element.Node, name string) string {
	c := r.d.Get(n, name)
	if c == element.None || r.d.Kind(c) != element.String {
		return ""
	}
	return r.d.Text(c)
}

// items yields the members of the array of n called name.
func (r reading) items(n element.Node, name string) func(yield func(element.Node) bool) {
	return func(yield func(element.Node) bool) {
		list := r.d.Get(n, name)
		if list == element.None || r.d.Kind(list) != element.Array {
			return
		}
		for i := r.d.First(list); i != element.None && yield(i); {
			i = r.d.Next(list, i)
		}
	}
}

func (r reading) texts(n element.Node, name string) (all []string) {
	for i := range r.items(n, name) {
		if r.d.Kind(i) == element.String {
			all = append(all, r.d.Text(i))
		}
	}
	return all
}

// check holds an added parameter to what is needed to index and search by it.
func (c *Catalogue) check(a *Added) error {
	base := spec.TypeOf(a.Base)
	switch {
	case a.ID < FirstAdded:
		return fhir.Errorf(fhir.Unprocessable, "the ID %d of a search parameter is one of R4", a.ID)
	case !codeForm(a.Code):
		return faulty("code", "the code of a search parameter is a letter, then up to 63 letters, digits, - or _").With("%q", a.Code)
	case base == nil || base.Kind != spec.ResourceKind:
		return faulty("base", "the base of a search parameter is a resource type").With("%q", a.Base)
	case a.Type == spec.Special:
		return faulty("type", "a special search parameter is one that a server knows by name")
	case a.Type == 0:
		return faulty("type", "a search parameter has a type")
	case strings.TrimSpace(a.Expression) == "":
		return faulty("expression", "a search parameter without an expression cannot be searched by")
	case len(a.Expression) > maxExpression:
		return faulty("expression", "an expression of more than %d characters", maxExpression)
	}
	for _, target := range a.Targets {
		if !spec.IsResource(target) && target != "Resource" {
			return faulty("target", "a target is a resource type").With("%q", target)
		}
	}
	if a.Type == spec.Composite {
		if err := checkComponents(&a.SearchParam); err != nil {
			return err
		}
	} else if len(a.Components) > 0 {
		return faulty("component", "only a composite search parameter has components")
	}
	return c.leads(a, base)
}

// maxExpression bounds the FHIRPath of an added parameter, in bytes.
const maxExpression = 4000

// leads makes sure that the expression of a can yield values of its type.
func (c *Catalogue) leads(a *Added, base *spec.Type) error {
	plan := new(typePlan)
	if err := plan.param(a.Base, &a.SearchParam, 0); err != nil {
		return err
	}
	if len(plan.root.fields) == 0 && len(plan.here) == 0 && len(plan.evaluated) == 0 {
		return faulty("expression", "the expression leads to nothing of %s that a %s parameter can be searched by", a.Base, a.Type).With("%s", a.Expression)
	}
	for _, e := range plan.evaluated {
		if err := e.expr.Check(base, base); err != nil {
			return faulty("expression", "the expression does not fit %s", a.Base).With("%v", err)
		}
	}
	return nil
}

// checkComponents holds the parts of a composite to those that can be indexed
// together.
func checkComponents(p *spec.SearchParam) error {
	switch {
	case len(p.Components) != 2:
		return faulty("component", "this server takes composite search parameters of two components")
	case p.Components[0].Type != spec.Token:
		return faulty("component.definition", "the first component of a composite search parameter is a token")
	}
	switch t := p.Components[1].Type; t {
	case spec.Composite, spec.Special:
		return faulty("component.definition", "the second component of a composite search parameter cannot be %s", t)
	}
	for _, part := range p.Components {
		if part.Expression == "" || len(part.Expression) > maxExpression {
			return faulty("component.expression", "a component needs an expression")
		}
		if _, err := fhirpath.Compile(part.Expression, fhirpath.Filtering); err != nil {
			return faulty("component.expression", "the expression of a component is not FHIRPath").With("%v", err)
		}
	}
	return nil
}

// codeForm reports whether code can stand as a name in a query. The underscore at
// the beginning belongs to the specification.
func codeForm(code string) bool {
	for i := 0; i < len(code); i++ {
		switch c := code[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
		case i > 0 && (c >= '0' && c <= '9' || c == '-' || c == '_'):
		default:
			return false
		}
	}
	return code != "" && len(code) <= 64
}
