package fhirpath

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/spec"
)

// The functions that FHIR adds and that ask something outside of the resource; Env
// says whom.
//
// See https://hl7.org/fhir/R4/fhirpath.html#functions.
var outside = map[string]function{
	"conformsTo":     {min: 1, max: 1, eval: conformsTo},
	"memberOf":       {min: 1, max: 1, eval: memberOf},
	"subsumes":       withCollection(func(r *run, in, arg Collection) (Collection, error) { return subsumes(r, in, arg) }),
	"subsumedBy":     withCollection(func(r *run, in, arg Collection) (Collection, error) { return subsumes(r, arg, in) }),
	"checkModifiers": {min: 0, max: 20, eval: checkModifiers},
	"htmlChecks":     plain(htmlChecks),
	"elementDefinition": plain(func(*run, Collection) (Collection, error) {
		return nil, failure("elementDefinition() is not available here")
	}),
	"slice": {min: 2, max: 2, eval: func(*run, scope, Collection, []node) (Collection, error) {
		return nil, failure("slice() is not available here")
	}},
}

// conformsTo knows the definitions of R4 itself and asks Env.ConformsTo about others.
func conformsTo(r *run, s scope, in Collection, args []node) (Collection, error) {
	arg, err := args[0].eval(r, s)
	if err != nil || len(in) == 0 {
		return nil, err
	}
	url, ok, err := text(arg)
	if !ok {
		return nil, err
	}
	if len(in) > 1 {
		return nil, failure("conformsTo() looks at one item, found %d", len(in))
	}
	if name, base := strings.CutPrefix(url, extensions); base && spec.TypeOf(name) != nil {
		return truths(in[0].Type.Is(name)), nil
	}
	if r.env.ConformsTo == nil {
		return nil, &Failure{Rule: "a profile is not known", Value: url}
	}
	conforms, err := r.env.ConformsTo(in[0], url)
	return truths(conforms), err
}

// memberOf is empty where nobody knows the value set.
func memberOf(r *run, s scope, in Collection, args []node) (Collection, error) {
	arg, err := args[0].eval(r, s)
	if err != nil || len(in) == 0 {
		return nil, err
	}
	url, ok, err := text(arg)
	if !ok {
		return nil, err
	}
	if len(in) > 1 {
		return nil, failure("memberOf() looks at one item, found %d", len(in))
	}
	if r.env.MemberOf == nil {
		return nil, nil
	}
	member, known, err := r.env.MemberOf(in[0], url)
	if err != nil || !known {
		return nil, err
	}
	return truths(member), nil
}

func subsumes(r *run, x, y Collection) (Collection, error) {
	if len(x) == 0 || len(y) == 0 || r.env.Subsumes == nil {
		return nil, nil
	}
	if len(x) > 1 || len(y) > 1 {
		return nil, failure("subsumption is between single codes")
	}
	holds, known, err := r.env.Subsumes(x[0], y[0])
	if err != nil || !known {
		return nil, err
	}
	return truths(holds), nil
}

// checkModifiers lets its input through when it has no modifier extensions but those named.
func checkModifiers(r *run, s scope, in Collection, args []node) (Collection, error) {
	known := map[string]bool{}
	for _, a := range args {
		c, err := a.eval(r, s)
		if err != nil {
			return nil, err
		}
		url, _, err := text(c)
		if err != nil {
			return nil, err
		}
		known[url] = true
	}
	for _, i := range in {
		found, err := r.member(nil, i, "modifierExtension")
		if err != nil {
			return nil, err
		}
		for _, e := range found {
			if n := e.Doc.Get(e.Node, "url"); n == element.None || !known[e.Doc.Text(n)] {
				return nil, failure("a modifier extension is not understood")
			}
		}
	}
	return in, nil
}

// htmlChecks holds the narrative of a resource against the rules for XHTML, by
// Env.HTML where that is set.
//
// See https://hl7.org/fhir/R4/narrative.html#xhtml.
func htmlChecks(r *run, in Collection) (Collection, error) {
	for _, i := range in {
		s, ok := i.System().(String)
		if !ok {
			return truths(false), nil
		}
		if err := r.step(1 + len(s)/16); err != nil {
			return nil, err
		}
		check := r.env.HTML
		if check == nil {
			check = narrative
		}
		if !check(string(s)) {
			return truths(false), nil
		}
	}
	return truths(true), nil
}

// forbidden are elements that no narrative may have; so are those that are no HTML.
var forbidden = map[string]bool{
	"script": true, "form": true, "input": true, "button": true, "iframe": true, "frame": true, "frameset": true,
	"object": true, "embed": true, "applet": true, "base": true, "link": true, "head": true, "body": true, "html": true, "meta": true, "xlink": true,
}

// narrative reports whether s is a well-formed div without active content.
func narrative(s string) bool {
	d := xml.NewDecoder(strings.NewReader(s))
	d.Entity = xml.HTMLEntity
	depth, roots := 0, 0
	for {
		t, err := d.Token()
		if err != nil {
			return errors.Is(err, io.EOF) && roots == 1
		}
		switch t := t.(type) {
		case xml.StartElement:
			if depth == 0 {
				roots++
			}
			if depth == 0 && t.Name.Local != "div" || forbidden[t.Name.Local] || active(t.Attr) {
				return false
			}
			depth++
		case xml.EndElement:
			depth--
		case xml.Directive:
			return false
		case xml.ProcInst:
			return false
		case xml.CharData:
			if depth == 0 && strings.TrimSpace(string(t)) != "" {
				return false
			}
		}
	}
}

// active reports whether an attribute would run something.
func active(attributes []xml.Attr) bool {
	for _, a := range attributes {
		if strings.HasPrefix(strings.ToLower(a.Name.Local), "on") || strings.HasPrefix(strings.ToLower(strings.TrimSpace(a.Value)), "javascript:") {
			return true
		}
	}
	return false
}
