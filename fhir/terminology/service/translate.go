package service

import (
	"context"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/terminology"
)

// translate says what a code is in another system.
//
// See https://hl7.org/fhir/R4/conceptmap-operation-translate.html.
func (s *service) translate(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	in := &input{call: call}
	codings, err := in.translated()
	if err != nil {
		return nil, err
	}
	asked := terminology.Translation{
		TargetSystem: in.text("targetsystem"), Reverse: in.truth("reverse", false), Dependencies: in.dependencies(),
	}
	v := s.registry.View()
	maps, err := s.maps(ctx, v, in)
	if err != nil {
		return nil, err
	}
	if in.err != nil {
		return nil, in.err
	}
	other := func(canonical string) (*terminology.Map, bool) {
		m, err := v.Map(terminology.SplitCanonical(canonical))
		return m, err == nil
	}
	var matches []terminology.Match
	for _, c := range codings {
		t := asked
		t.System, t.Version, t.Code = c.system, c.version, c.code
		for _, m := range maps {
			found, err := m.Translate(t, other)
			if err != nil {
				return nil, err
			}
			matches = append(matches, found...)
		}
	}
	return translation(v, matches, len(maps)), nil
}

// translated returns the codings to translate.
func (in *input) translated() ([]coding, error) {
	codings, err := in.codings("system")
	if err != nil {
		return nil, err
	}
	if version := in.text("version"); version != "" && len(codings) == 1 && codings[0].version == "" {
		codings[0].version = version
	}
	for _, c := range codings {
		if c.system == "" {
			return nil, fhir.Errorf(fhir.Invalid, "give the system of the code")
		}
	}
	return codings, nil
}

// dependencies returns what the caller knows that mappings may depend on.
func (in *input) dependencies() []terminology.Dependency {
	var all []terminology.Dependency
	for _, v := range in.call.In.All("dependency") {
		var d terminology.Dependency
		for _, part := range v.Parts("element") {
			d.Property = part.Text
		}
		for _, part := range v.Parts("concept") {
			n, _ := part.Typed()
			if n == element.None {
				continue
			}
			list := part.Doc.Get(n, "coding")
			if list != element.None && part.Doc.Kind(list) == element.Array && part.Doc.Size(list) > 0 {
				c := readCoding(part.Doc, part.Doc.First(list))
				d.System, d.Value = c.system, c.code
			} else if text := part.Doc.Get(n, "text"); text != element.None {
				d.Value = part.Doc.Text(text)
			}
		}
		all = append(all, d)
	}
	return all
}

// maps returns the concept maps that a call is about: the one it is on, brings or
// names, or else all that lead from source to target.
func (s *service) maps(ctx context.Context, v *terminology.View, in *input) ([]*terminology.Map, error) {
	if in.call.ID != "" {
		item, err := v.ByID(in.call.Ref())
		if err != nil {
			return nil, err
		}
		return []*terminology.Map{item.Map}, s.may(ctx, in.call, item.Header)
	}
	if doc, node, ok, err := resourceIn(in.call, "conceptMap"); err != nil || ok {
		if err != nil {
			return nil, err
		}
		item, err := terminology.Read(doc.AppendCompact(nil, node), nil)
		if err != nil {
			return nil, err
		}
		if item.Map == nil {
			return nil, fhir.Errorf(fhir.Invalid, "the parameter conceptMap is no ConceptMap")
		}
		return []*terminology.Map{item.Map}, nil
	}
	if url := in.text("url"); url != "" {
		u, version := terminology.SplitCanonical(url)
		if given := in.text("conceptMapVersion"); given != "" {
			version = given
		}
		m, err := v.Map(u, version)
		if err != nil {
			return nil, err
		}
		return []*terminology.Map{m}, s.may(ctx, in.call, &m.Header)
	}
	return s.mapsBetween(ctx, v, in)
}

func (s *service) mapsBetween(ctx context.Context, v *terminology.View, in *input) ([]*terminology.Map, error) {
	source, target := in.text("source"), in.text("target")
	if in.truth("reverse", false) {
		source, target = target, source
	}
	if source == "" && target == "" && in.text("targetsystem") == "" {
		return nil, fhir.Errorf(fhir.Invalid, "give the url of a concept map, or where to translate to: target or targetsystem")
	}
	var all []*terminology.Map
	for m := range v.Maps() {
		if source != "" && m.Source != source || target != "" && m.Target != target {
			continue
		}
		if s.may(ctx, in.call, &m.Header) == nil {
			all = append(all, m)
		}
	}
	if len(all) == 0 {
		return nil, fhir.Errorf(fhir.NotFound, "no concept map known here leads from that source to that target").With("from %q to %q", source, target)
	}
	return all, nil
}

// translation writes the matches. It is a result when one of them is a translation.
func translation(v *terminology.View, matches []terminology.Match, maps int) *operation.Answer {
	result := false
	for _, m := range matches {
		result = result || m.Code != "" && m.Equivalence != "unmatched" && m.Equivalence != "disjoint"
	}
	p := newParameters()
	p.truth("result", result)
	switch {
	case maps > 0 && len(matches) == 0:
		p.text("message", "valueString", "the concept map says nothing of the code")
	case !result:
		p.text("message", "valueString", "the code has no equivalent")
	}
	for _, m := range matches {
		p.part("match", func(p *parameters) {
			p.text("equivalence", "valueCode", m.Equivalence)
			if m.Code != "" {
				if m.Display == "" {
					m.Display = displayOf(v, m.System, m.Version, m.Code)
				}
				p.json("concept", "valueCoding", codingJSON(coding{m.System, m.Version, m.Code, m.Display}))
			}
			for _, d := range m.Product {
				p.part("product", func(p *parameters) {
					p.text("element", "valueUri", d.Property)
					p.json("concept", "valueCoding", codingJSON(coding{system: d.System, code: d.Value, display: d.Display}))
				})
			}
			p.text("source", "valueUri", m.Map)
		})
	}
	return p.answer()
}

func displayOf(v *terminology.View, system, version, code string) string {
	s, err := v.System(system, version)
	if err != nil {
		return ""
	}
	c, ok := s.Find(code)
	if !ok {
		return ""
	}
	return c.Display()
}
