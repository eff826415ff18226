package service

import (
	"context"
	"slices"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/terminology"
)

// lookup tells what a code means.
//
// See https://hl7.org/fhir/R4/codesystem-operation-lookup.html.
func (s *service) lookup(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	in := &input{call: call}
	at := coding{system: in.text("system"), version: in.text("version"), code: in.text("code")}
	if c, ok := in.coding("coding"); ok {
		if at.code != "" {
			return nil, fhir.Errorf(fhir.Invalid, "give code and system, or coding, not both")
		}
		at = c
	}
	langs := in.languages()
	if in.err != nil {
		return nil, in.err
	}
	if at.code == "" || at.system == "" {
		return nil, fhir.Errorf(fhir.Invalid, "$lookup needs code and system, or a coding that has both")
	}
	v := s.registry.View()
	system, err := v.System(at.system, at.version)
	if err != nil {
		return nil, err
	}
	if err := s.may(ctx, call, &system.Header); err != nil {
		return nil, err
	}
	c, ok := system.Find(at.code)
	if !ok {
		return nil, notInSystem(system, at.code)
	}
	var wanted []string
	for _, value := range call.In.All("property") {
		wanted = append(wanted, value.Text)
	}
	return describe(v, c, langs, wanted), nil
}

func notInSystem(s *terminology.System, code string) error {
	if !s.Complete() {
		return fhir.Errorf(fhir.NotFound, "the code is not in what is known here of the code system").
			With("code %q: only a part of %s is known here (content: %s)", code, s.Canonical(), s.Content)
	}
	return fhir.Errorf(fhir.NotFound, "the code is not in the code system").With("%s has no code %q", s.Canonical(), code)
}

// describe writes what is known of c. wanted names properties; nil asks for all.
func describe(v *terminology.View, c terminology.Concept, langs terminology.Languages, wanted []string) *operation.Answer {
	more := v.Supplements(c)
	p := newParameters()
	name := c.System.Title
	if name == "" {
		name = c.System.Name
	}
	if name == "" {
		name = c.System.URL
	}
	p.text("name", "valueString", name)
	p.text("version", "valueString", c.System.Version)
	display := c.DisplayIn(langs, more...)
	if display == "" {
		display = c.Code() // the output demands one
	}
	p.text("display", "valueString", display)
	wants := func(property string) bool { return len(wanted) == 0 || slices.Contains(wanted, property) }
	if wants("designation") || slices.ContainsFunc(wanted, isLanguage) {
		for d := range c.Designations() {
			designate(p, d)
		}
		for _, d := range more {
			designate(p, d)
		}
	}
	if definition := c.Definition(); definition != "" && wants("definition") {
		property(p, "definition", "valueString", definition)
	}
	stated := map[string]bool{}
	for x := range c.Properties() {
		stated[x.Code] = true
		if wants(x.Code) {
			property(p, x.Code, x.Type, x.Value)
		}
	}
	if !stated["parent"] && wants("parent") {
		for parent := range c.Parents() {
			property(p, "parent", "valueCode", parent.Code())
		}
	}
	if !stated["child"] && wants("child") {
		for child := range c.Children() {
			property(p, "child", "valueCode", child.Code())
		}
	}
	if !stated["inactive"] && slices.Contains(wanted, "inactive") {
		property(p, "inactive", "valueBoolean", map[bool]string{true: "true", false: "false"}[c.Inactive()])
	}
	return p.answer()
}

// isLanguage reports whether a requested property is "lang.X".
func isLanguage(name string) bool { return len(name) > 5 && name[:5] == "lang." }

func designate(p *parameters, d terminology.Designation) {
	p.part("designation", func(p *parameters) {
		p.text("language", "valueCode", d.Language)
		p.json("use", "valueCoding", d.Use)
		p.text("value", "valueString", d.Value)
	})
}

// property writes one value of a property; typ is the name of the value[x].
func property(p *parameters, code, typ, value string) {
	p.part("property", func(p *parameters) {
		p.text("code", "valueCode", code)
		switch typ {
		case "valueCoding", "valueBoolean", "valueInteger", "valueDecimal":
			p.json("value", typ, value)
		default:
			p.text("value", typ, value)
		}
	})
}
