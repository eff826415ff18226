package validate

import (
	"github.com/amate-health/amate/fhir/element"
)

// maxDepth bounds how deep resources and profiles may be nested in one another.
const maxDepth = 32

// resource checks a resource at p. within is the resource that it stands in.
func (x *inspection) resource(p *place, within *subject, profiles []string) {
	if x.depth >= maxDepth || x.ctx.Err() != nil || p.item.Type == nil {
		return
	}
	x.depth++
	defer func() { x.depth-- }()
	s := &subject{place: p, within: within}
	if within != nil {
		s.bundle, s.entry = within.bundle, within.entry
		s.inside = p.elem.Name == "contained"
	}
	if p.item.Type.Name == "Bundle" {
		s.bundle, s.entry = x.indexBundle(s), nil
	}
	x.walk(s, p)
	x.whole(s)
	x.profiles(s, profiles)
}

// walk checks p and everything below it, up to resources within.
func (x *inspection) walk(s *subject, p *place) {
	if x.errors >= maxIssues || x.ctx.Err() != nil {
		return
	}
	x.constraints(s, p)
	x.datatype(s, p)
	for _, k := range p.kids() {
		if k.elem.Resource {
			inner := *s
			if s.bundle != nil && s.bundle.at == s.place {
				inner.entry = s.bundle.entryAt(p)
			}
			x.resource(k, &inner, nil)
			continue
		}
		x.walk(s, k)
	}
}

// whole checks what concerns a resource as a whole.
func (x *inspection) whole(s *subject) {
	x.containedUsed(s)
	if !s.inside {
		x.distinctIDs(s)
	}
	switch s.item.Type.Name {
	case "Bundle":
		x.bundleRules(s)
	case "Questionnaire":
		x.questionnaire(s)
	case "QuestionnaireResponse":
		x.response(s)
	case "StructureDefinition":
		x.definition(s)
	}
}

// containedUsed holds s to dom-3: a contained resource is referred to from the rest
// of the resource, or refers to the resource that contains it.
//
// See https://hl7.org/fhir/R4/domainresource.html.
func (x *inspection) containedUsed(s *subject) {
	list := s.all("contained")
	if len(list) == 0 || s.inside {
		return
	}
	used := map[string]bool{}
	d := s.item.Doc
	for n := s.item.Node + 1; n < d.After(s.item.Node); n++ {
		if d.Kind(n) != element.String {
			continue
		}
		if text := d.Bytes(n); len(text) > 1 && text[0] == '#' {
			used[string(text[1:])] = true
		}
	}
	for id := range narrativeLinks(s) {
		used[id] = true
	}
	for _, c := range list {
		if id := c.id(); id != "" && !used[id] && !refersToContainer(c) {
			x.report("error", "invariant", "dom-3",
				"If the resource is contained in another resource, it SHALL be referred to from elsewhere in the resource or SHALL refer to the containing resource", quote([]byte(id)), c)
		}
	}
}

// refersToContainer reports whether something below p is the reference "#".
func refersToContainer(p *place) bool {
	d := p.item.Doc
	for n := p.item.Node + 1; n < d.After(p.item.Node); n++ {
		if d.Kind(n) == element.String && string(d.Bytes(n)) == "#" {
			return true
		}
	}
	return false
}

// distinctIDs holds the ids of elements and of the narrative to be unique within a
// resource, and those of contained resources likewise.
//
// See https://hl7.org/fhir/R4/datatypes.html#Element.
func (x *inspection) distinctIDs(s *subject) {
	elements, contained := map[string]bool{}, map[string]bool{}
	var visit func(p *place)
	visit = func(p *place) {
		for _, k := range p.kids() {
			switch {
			case k.elem.Resource && k.elem.Name == "contained":
				if id := k.id(); id != "" && contained[id] {
					x.fail("contained-id-unique", "two contained resources have the same id", quote([]byte(id)), k)
				} else {
					contained[id] = true
				}
			case k.elem.Resource:
			case k.item.Type != nil && k.item.Type.Name == "ElementDefinition": // sdf-16 and sdf-17 are about these
			case k.elem.Name == "id" && p != s.place && k.primitive():
				id := k.value()
				if elements[id] {
					x.fail("id-unique", "two elements of the resource have the same id", quote([]byte(id)), p)
				}
				elements[id] = true
			default:
				visit(k)
			}
		}
	}
	visit(s.place)
}
