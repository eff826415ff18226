package main

import (
	"bytes"
	"fmt"
	"sort"
	"strings"
)

const structurePrefix = "http://hl7.org/fhir/StructureDefinition/"

// writeTypes writes every type, each after its base, with the backbone elements
// of a type right after it. An element that a type has unchanged from its base is
// not repeated.
func writeTypes(b *bytes.Buffer, d *definitions) error {
	var names []string
	for name := range d.structures {
		names = append(names, name)
	}
	sort.Slice(names, func(i, j int) bool {
		if a, b := d.depth(names[i]), d.depth(names[j]); a != b {
			return a < b
		}
		return names[i] < names[j]
	})
	inherited := map[string]map[string]string{} // type -> element -> its line
	for _, name := range names {
		if err := d.writeType(b, d.structures[name], inherited); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// depth is the number of types that name descends from.
func (d *definitions) depth(name string) int {
	s := d.structures[name]
	if s == nil || s.Base == "" {
		return 0
	}
	return 1 + d.depth(strings.TrimPrefix(s.Base, structurePrefix))
}

func (d *definitions) writeType(b *bytes.Buffer, s *structure, inherited map[string]map[string]string) error {
	base := strings.TrimPrefix(s.Base, structurePrefix)
	kind := map[string]string{"primitive-type": "primitive", "complex-type": "complex", "resource": "resource"}[s.Kind]
	if kind == "" {
		return fmt.Errorf("kind %q", s.Kind)
	}
	line := fmt.Sprintf("T\t%s\t%s\t%s", s.Name, kind, base)
	abstract := ""
	if s.Abstract {
		abstract = "abstract"
	}
	line += trailing(abstract, d.constraintColumn(s.Snapshot.Element[0].Constraint, base))
	parents := []string{s.Name}
	heads := map[string]string{s.Name: line}
	bases := map[string]string{s.Name: base}
	own := map[string][]string{} // parent -> lines
	for _, e := range s.Snapshot.Element[1:] {
		dot := strings.LastIndexByte(e.Path, '.')
		parent, name := e.Path[:dot], e.Path[dot+1:]
		if kind == "primitive" && name == "value" {
			continue // the text itself
		}
		if isBackbone(e) {
			parents = append(parents, e.Path)
			heads[e.Path] = fmt.Sprintf("T\t%s\tbackbone\t%s", e.Path, e.Type[0].Code) +
				trailing("", d.constraintColumn(e.Constraint, e.Type[0].Code))
			bases[e.Path] = e.Type[0].Code
		}
		line, err := d.elementLine(s, name, e)
		if err != nil {
			return fmt.Errorf("%s: %w", e.Path, err)
		}
		if inherited[parent] == nil {
			inherited[parent] = map[string]string{}
		}
		inherited[parent][name] = line
		if inherited[bases[parent]][name] != line {
			own[parent] = append(own[parent], line)
		}
	}
	for _, p := range parents {
		fmt.Fprintln(b, heads[p])
		for _, line := range own[p] {
			fmt.Fprintln(b, line)
		}
	}
	return nil
}

// isBackbone reports whether e has children of its own in the definition.
func isBackbone(e element) bool {
	return len(e.Type) == 1 && (e.Type[0].Code == "BackboneElement" || e.Type[0].Code == "Element") &&
		!strings.HasSuffix(e.Path, "[x]")
}

func (d *definitions) elementLine(s *structure, name string, e element) (string, error) {
	types, err := typeColumn(s, name, e)
	if err != nil {
		return "", err
	}
	flags := ""
	if e.IsSummary {
		flags += "S"
	}
	if e.IsModifier {
		flags += "M"
	}
	if flags == "" {
		flags = "-"
	}
	constraints := ""
	if !isBackbone(e) && e.ContentReference == "" { // a backbone has them itself
		around := []string{"Element"}
		for _, t := range e.Type {
			around = append(around, t.Code)
		}
		constraints = d.constraintColumn(e.Constraint, around...)
	}
	return fmt.Sprintf("E\t%s\t%d..%s\t%s\t%s", name, e.Min, e.Max, types, flags) +
		trailing(requiredValueSet(e), constraints), nil
}

// trailing returns the last two columns of a line, without those at its end that are empty.
func trailing(first, second string) string {
	switch {
	case second == "" && first == "":
		return ""
	case second == "":
		return "\t" + first
	case first == "":
		first = "-"
	}
	return "\t" + first + "\t" + second
}

// requiredValueSet returns the URL, without a version, of the value set that e must
// take its codes from; "" when there is none.
func requiredValueSet(e element) string {
	if e.Binding.Strength != "required" {
		return ""
	}
	url, _, _ := strings.Cut(e.Binding.ValueSet, "|")
	return url
}

// typeColumn lists the types of e with their targets: "string", "Reference(Group|Patient)".
// A backbone element and a content reference give the path of the backbone.
func typeColumn(s *structure, name string, e element) (string, error) {
	if e.ContentReference != "" {
		return strings.TrimPrefix(e.ContentReference, "#"), nil
	}
	if isBackbone(e) {
		return e.Path, nil
	}
	if len(e.Type) == 0 || len(e.Type) > 1 && !strings.HasSuffix(name, "[x]") {
		return "", fmt.Errorf("%d types", len(e.Type))
	}
	var column []string
	for _, t := range e.Type {
		code := t.Code
		if code == "http://hl7.org/fhirpath/System.String" {
			code = "string" // unless said otherwise
		}
		for _, x := range t.Extension {
			if strings.HasSuffix(x.URL, "/structuredefinition-fhir-type") {
				code = x.ValueURL
			}
		}
		if s.Kind == "resource" && name == "id" && e.Path == s.Name+".id" {
			code = "id" // 4.0.1 says string by mistake; resource.html#Resource says id
		}
		for _, p := range t.Profile {
			if p != structurePrefix+"SimpleQuantity" {
				return "", fmt.Errorf("profile %s", p)
			}
			code = "SimpleQuantity"
		}
		targets, err := targetList(t.TargetProfile)
		if err != nil {
			return "", err
		}
		column = append(column, code+targets)
	}
	return strings.Join(column, ","), nil
}

// targetList returns "(A|B)" for the profiles of A and B; "" when any type will do.
func targetList(profiles []string) (string, error) {
	var names []string
	for _, p := range profiles {
		name, ok := strings.CutPrefix(p, structurePrefix)
		if !ok {
			return "", fmt.Errorf("target %s", p)
		}
		if name == "Resource" {
			return "", nil
		}
		names = append(names, name)
	}
	if names == nil {
		return "", nil
	}
	sort.Strings(names)
	return "(" + strings.Join(names, "|") + ")", nil
}
