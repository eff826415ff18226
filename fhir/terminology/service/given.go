package service

import (
	"context"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/terminology"
)

// givenSet returns the value set that a call is about, worked out: the one it is on,
// the one it brings, or the one it names by URL.
func (s *service) givenSet(ctx context.Context, v *terminology.View, in *input) (*terminology.Set, error) {
	if in.text("context") != "" {
		return nil, fhir.Errorf(fhir.NotSupported, "the parameter context is not supported; name the value set by url")
	}
	if in.call.ID != "" {
		item, err := v.ByID(in.call.Ref())
		if err != nil {
			return nil, err
		}
		if err := s.may(ctx, in.call, item.Header); err != nil {
			return nil, err
		}
		return v.Expansion(item.ValueSet), nil
	}
	doc, node, ok, err := resourceIn(in.call, "valueSet")
	if err != nil {
		return nil, err
	}
	if !ok {
		if body, bare := in.call.In.Body(); bare {
			doc, node, ok = body, 0, true
		}
	}
	url, version := terminology.SplitCanonical(in.text("url"))
	if v := in.text("valueSetVersion"); v != "" {
		version = v
	}
	if in.err != nil {
		return nil, in.err
	}
	if ok {
		return bring(v, doc, node)
	}
	if url == "" {
		return nil, fhir.Errorf(fhir.Invalid, "give the url of a value set, or the valueSet itself")
	}
	found, err := v.ValueSet(url, version)
	if err != nil {
		return nil, err
	}
	if err := s.may(ctx, in.call, &found.Header); err != nil {
		return nil, err
	}
	return v.Expansion(found), nil
}

// bring works out a value set that is given whole.
func bring(v *terminology.View, doc *element.Doc, node element.Node) (*terminology.Set, error) {
	found, err := terminology.ReadValueSet(doc, node)
	if err != nil {
		return nil, err
	}
	return v.ExpandOnce(found), nil
}

// subsumes says how two codes of a system stand to one another.
//
// See https://hl7.org/fhir/R4/codesystem-operation-subsumes.html.
func (s *service) subsumes(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	in := &input{call: call}
	url, version := in.text("system"), in.text("version")
	a, b := coding{code: in.text("codeA")}, coding{code: in.text("codeB")}
	if c, ok := in.coding("codingA"); ok {
		a = c
	}
	if c, ok := in.coding("codingB"); ok {
		b = c
	}
	if in.err != nil {
		return nil, in.err
	}
	if a.code == "" || b.code == "" {
		return nil, fhir.Errorf(fhir.Invalid, "give codeA and codeB, or codingA and codingB")
	}
	if a.system != "" && b.system != "" && a.system != b.system {
		return nil, fhir.Errorf(fhir.Invalid, "both codes must be of the same code system")
	}
	v := s.registry.View()
	given, err := s.givenSystem(v, in)
	if err != nil {
		return nil, err
	}
	for _, c := range []coding{a, b} {
		if url == "" {
			url, version = c.system, c.version
		}
	}
	if given == nil {
		if url == "" {
			return nil, fhir.Errorf(fhir.Invalid, "give the system of the codes")
		}
		if given, err = v.System(url, version); err != nil {
			return nil, err
		}
	}
	if err := s.may(ctx, call, &given.Header); err != nil {
		return nil, err
	}
	for _, c := range []coding{a, b} {
		if c.system != "" && c.system != given.URL {
			return nil, fhir.Errorf(fhir.Invalid, "a coding is of another code system").With("%s, not %s", c.system, given.URL)
		}
	}
	relation, err := given.Relate(a.code, b.code)
	if err != nil {
		return nil, err
	}
	p := newParameters()
	p.text("outcome", "valueCode", string(relation))
	return p.answer(), nil
}
