package profile

import (
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir/spec"
)

// unsay drops what e repeats from R4, where the parent of n tells what that is.
func (c *compiler) unsay(n *Node, e *elementDefinition) {
	if n.Slice != "" || n == c.root {
		return
	}
	base := baseElements(c.def.Type, e.Path)
	if len(base) == 0 {
		return
	}
	b := base[0]
	if n.Min <= b.Min {
		n.Min = 0
	}
	if n.Max == Unbounded || n.Max == b.Max && b.Max > 0 && (!b.Many || b.Max > 1) {
		n.Max = Unbounded
	}
	if !b.Many && n.Max == 1 {
		n.Max = Unbounded
	}
	if n.Binding != nil && b.Binding != nil && n.Binding.Strength == "required" {
		if url, _, _ := strings.Cut(n.Binding.ValueSet, "|"); url == b.Binding.URL {
			n.Binding = nil
		}
	}
	if sameTypes(n.Types, base) {
		n.Types = nil
	}
}

// baseElements returns the R4 element at path, once for each type of a choice.
func baseElements(typ, path string) []*spec.Element {
	steps := strings.Split(path, ".")[1:]
	t := spec.TypeOf(typ)
	for i, name := range steps {
		if t == nil {
			return nil
		}
		var found []*spec.Element
		if stem, ok := strings.CutSuffix(name, "[x]"); ok {
			for j := range t.Elements {
				if t.Elements[j].Choice == stem {
					found = append(found, &t.Elements[j])
				}
			}
		} else if e := t.Element([]byte(name)); e != nil {
			found = append(found, e)
		}
		if i == len(steps)-1 {
			return found
		}
		if len(found) != 1 {
			return nil
		}
		t = found[0].Type
	}
	return nil
}

// sameTypes reports whether types allow all that R4 allows.
func sameTypes(types []Type, base []*spec.Element) bool {
	for _, b := range base {
		i := slices.IndexFunc(types, func(t Type) bool {
			return b.Type != nil && (t.Code == b.Type.Name || b.Type.Kind == spec.Backbone) || b.Resource && t.Code == "Resource"
		})
		if i < 0 || types[i].Profiles != nil || types[i].Aggregation != nil {
			return false
		}
		for _, target := range b.Targets {
			if len(types[i].Targets) > 0 && !slices.Contains(types[i].Targets, core+target) {
				return false
			}
		}
		if len(b.Targets) == 0 && len(types[i].Targets) > 0 && !slices.Contains(types[i].Targets, core+"Resource") {
			return false
		}
	}
	return true
}
