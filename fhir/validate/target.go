package validate

import (
	"strings"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/fhirpath"
	"github.com/amate-health/amate/fhir/profile"
)

// resolve returns the resource that a Reference or canonical at p leads to, when
// it is contained or in the same bundle.
func (x *inspection) resolve(s *subject, p *place) *place {
	ref := p.value()
	if p.item.Type != nil && p.item.Type.Name == "Reference" {
		ref = p.text("reference")
	}
	if id, ok := strings.CutPrefix(ref, "#"); ok {
		c := s.container()
		if id == "" {
			return c.place
		}
		for _, r := range c.all("contained") {
			if r.id() == id {
				return r
			}
		}
		return nil
	}
	if s.bundle == nil || ref == "" {
		return nil
	}
	if found := s.bundle.find(s.entry, ref); len(found) == 1 {
		return found[0].resource
	}
	return nil
}

// target holds a reference to what a profile lets it point to.
func (x *inspection) target(s *subject, r *rules, types []profile.Type, at *place) {
	if at.item.Node == element.None {
		return
	}
	var urls []string
	for _, t := range types {
		if len(t.Targets) == 0 {
			return
		}
		urls = append(urls, t.Targets...)
		x.aggregation(s, t, r, at)
	}
	to := x.resolve(s, at)
	typ := fhirpath.TargetType(at.item.Doc, at.item.Node)
	if to != nil {
		typ = to.item.Type
	}
	if typ == nil || at.item.Type.Name == "canonical" {
		return
	}
	possible := false
	var followed []*profile.Profile
	for _, url := range urls {
		if c := profile.TypeOf(url); c != nil {
			if typ.Is(c.Name) {
				return
			}
			continue
		}
		p := x.profile(url, at)
		if p == nil {
			return // it may be the one that fits
		}
		if typ.Is(p.Type) {
			possible = true
			followed = append(followed, p)
		}
	}
	switch {
	case !possible:
		x.breach("reference-target", "structure", "the profile does not let the reference point to this type", typ.Name, r, at)
	case to != nil:
		x.follows(s, followed, r, to, at)
	}
}

// follows holds the target of a reference, when it is at hand, to one of the
// profiles that it may follow.
func (x *inspection) follows(s *subject, profiles []*profile.Profile, r *rules, to, at *place) {
	inner := &subject{place: to, within: s.within, bundle: s.bundle, entry: s.entry}
	if to.elem != nil && to.elem.Name == "contained" {
		inner.within, inner.inside = s.container(), true
	} else if s.bundle != nil && to.up != nil {
		inner.entry = s.bundle.entryAt(to.up)
	}
	names := make([]string, len(profiles))
	for i, p := range profiles {
		if x.conforms(inner, &rules{p}, p.Root, to) {
			return
		}
		names[i] = p.URL
	}
	x.breach("reference-profile", "structure", "what the reference points to follows none of the profiles that it may follow", strings.Join(names, ", "), r, at)
}

// aggregation holds a reference to be contained, in the same bundle, or neither.
//
// See https://hl7.org/fhir/R4/valueset-resource-aggregation-mode.html.
func (x *inspection) aggregation(s *subject, t profile.Type, r *rules, at *place) {
	ref := at.text("reference")
	if len(t.Aggregation) == 0 || ref == "" {
		return
	}
	mode := "referenced"
	if ref[0] == '#' {
		mode = "contained"
	} else if x.resolve(s, at) != nil {
		mode = "bundled"
	}
	for _, a := range t.Aggregation {
		if a == mode || a == "referenced" && mode == "bundled" {
			return
		}
	}
	x.breach("aggregation", "structure", "the profile does not allow a reference of this kind", mode, r, at)
}
