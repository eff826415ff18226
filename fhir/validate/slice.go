package validate

import (
	"strings"

	"github.com/amate-health/amate/fhir/profile"
	"github.com/amate-health/amate/fhir/spec"
)

// sliced holds the values of an element to its slices: each value goes to the
// first slice that its discriminators choose.
//
// See https://hl7.org/fhir/R4/profiling.html#slicing.
func (x *inspection) sliced(s *subject, r *rules, n *profile.Node, items []*place, at *place) {
	if n.Slicing == nil {
		return
	}
	of := make([][]*place, len(n.Slices))
	last, outside := -1, false
	for _, item := range items {
		chosen := -1
		for i, slice := range n.Slices {
			if x.chooses(s, r, n, slice, item) {
				chosen = i
				if !strings.Contains(slice.Slice, "/") {
					break
				}
			}
		}
		switch {
		case chosen < 0 && n.Slicing.Rules == "closed":
			x.breach("slicing-closed", "structure", "the value is in none of the slices, and the slicing is closed", "", r, item)
		case chosen < 0:
			outside = true
			continue
		case chosen >= 0 && outside && n.Slicing.Rules == "openAtEnd":
			x.breach("slicing-order", "structure", "values outside the slices stand after those within", "", r, item)
		case chosen >= 0 && n.Slicing.Ordered && chosen < last:
			x.breach("slicing-order", "structure", "the slices stand in the order of the profile", n.Slices[chosen].Slice, r, item)
		}
		if chosen >= 0 {
			of[chosen] = append(of[chosen], item)
			last = max(last, chosen)
		}
	}
	for i, slice := range n.Slices {
		x.count(slice, len(of[i]), r, at)
		for _, item := range of[i] {
			x.enter(s, r, slice, item)
		}
		if len(slice.Slices) > 0 {
			x.sliced(s, r, slice, of[i], at)
		}
	}
}

// chooses reports whether all discriminators put item into slice. Without any, a
// value belongs to the slice that it conforms to.
func (x *inspection) chooses(s *subject, r *rules, n *profile.Node, slice *profile.Node, item *place) bool {
	if len(n.Slicing.Discriminators) == 0 {
		return x.conforms(s, r, slice, item)
	}
	for i := range n.Slicing.Discriminators {
		if !x.discriminates(s, r, &n.Slicing.Discriminators[i], slice, item) {
			return false
		}
	}
	return true
}

// target is a node with the profile that it is part of.
type target struct {
	rules *rules
	node  *profile.Node
}

// discriminates reports whether one discriminator puts item into slice.
func (x *inspection) discriminates(s *subject, r *rules, d *profile.Discriminator, slice *profile.Node, item *place) bool {
	if d.Way == nil {
		return x.conforms(s, r, slice, item)
	}
	if url, ok := x.extensionURL(d, slice); ok {
		return item.text("url") == url
	}
	s = x.within(s, item)
	found, known := x.follow(s, d.Way, []*place{item})
	targets := x.defined(r, slice, d.Way)
	switch d.Type {
	case "exists":
		for _, t := range targets {
			if t.node.Max == 0 {
				return len(found) == 0
			}
		}
		return len(found) > 0
	case "type":
		return x.typeChosen(targets, found, known)
	case "profile":
		return x.profileChosen(s, targets, found)
	}
	for i := len(d.Way) - 1; i >= 0 && len(targets) == 0; i-- { // a pattern further up may have it
		if targets = saying(x.defined(r, slice, d.Way[:i])); targets != nil {
			found, _ = x.follow(s, d.Way[:i], []*place{item})
		}
	}
	if len(targets) == 0 {
		return true // the slice says nothing of it, so every value will do
	}
	for _, t := range targets {
		for _, f := range found {
			if x.conforms(x.within(s, f), t.rules, t.node, f) {
				return true
			}
		}
	}
	return len(found) == 0 && allOptional(targets)
}

// saying returns those targets that fix a value or have a pattern.
func saying(all []target) (out []target) {
	for _, t := range all {
		if t.node.Fixed != nil || t.node.Pattern != nil {
			out = append(out, t)
		}
	}
	return out
}

// allOptional reports whether nothing is asked of a value, so that none will do.
func allOptional(targets []target) bool {
	for _, t := range targets {
		n := t.node
		if n.Fixed != nil || n.Pattern != nil || n.Min > 0 || n.Binding != nil {
			return false
		}
	}
	return true
}

// extensionURL returns the URL that tells a slice of extensions apart: that of the
// profile of the slice, or the one fixed there.
func (x *inspection) extensionURL(d *profile.Discriminator, slice *profile.Node) (string, bool) {
	if len(d.Way) != 1 || d.Way[0].Name != "url" || len(slice.Types) != 1 || slice.Types[0].Code != "Extension" || len(slice.Types[0].Profiles) == 0 {
		return "", false
	}
	url, _, _ := strings.Cut(slice.Types[0].Profiles[0], "|")
	return url, true
}

// follow goes a discriminator's way in the resource. known is false when a
// reference could not be followed.
func (x *inspection) follow(s *subject, way []profile.Step, from []*place) (found []*place, known bool) {
	known = true
	for _, step := range way {
		var next []*place
		for _, p := range from {
			switch {
			case step.Name != "":
				next = append(next, p.all(step.Name)...)
			case step.Extension != "":
				for _, e := range p.all("extension") {
					if e.text("url") == step.Extension {
						next = append(next, e)
					}
				}
			case step.Type != "":
				if p.item.Type != nil && ofType(p, step.Type) {
					next = append(next, p)
				}
			case step.Resolve:
				to := x.resolve(s, p)
				known = known && to != nil
				if to != nil {
					next = append(next, to)
				}
			}
		}
		from = next
	}
	return from, known
}

// defined goes the same way in the definition of a slice, into the profiles of the
// types that it passes.
func (x *inspection) defined(r *rules, slice *profile.Node, way []profile.Step) []target {
	at := []target{{r, slice}}
	for _, step := range way {
		var next []target
		for _, t := range at {
			next = append(next, x.step(t, step)...)
		}
		at = next
	}
	return at
}

func (x *inspection) step(t target, step profile.Step) (next []target) {
	switch {
	case step.Name != "":
		if k := t.node.Kid(step.Name); k != nil {
			return withSlices(t.rules, k)
		}
		for _, p := range x.profilesOf(t.node, false) {
			if k := p.Root.Kid(step.Name); k != nil {
				next = append(next, target{&rules{p}, k})
			}
		}
	case step.Extension != "":
		if k := t.node.Kid("extension"); k != nil {
			for _, e := range k.Slices {
				if len(e.Types) == 1 && len(e.Types[0].Profiles) == 1 && e.Types[0].Profiles[0] == step.Extension {
					next = append(next, target{t.rules, e})
				}
			}
		}
	case step.Type != "":
		return []target{t}
	case step.Resolve:
		for _, p := range x.profilesOf(t.node, true) {
			next = append(next, target{&rules{p}, p.Root})
		}
		if next == nil { // types alone
			next = []target{t}
		}
	}
	return next
}

// withSlices returns an element's slices that must be there, and the element itself
// when there are none or it says something too.
func withSlices(r *rules, n *profile.Node) (out []target) {
	for _, s := range n.Slices {
		if s.Min > 0 {
			out = append(out, target{r, s})
		}
	}
	if out == nil || n.Kids != nil || n.Fixed != nil || n.Pattern != nil {
		out = append(out, target{r, n})
	}
	return out
}

// profilesOf returns the known profiles of a node's types, or of what they point to.
func (x *inspection) profilesOf(n *profile.Node, targets bool) []*profile.Profile {
	var out []*profile.Profile
	for _, t := range n.Types {
		urls := t.Profiles
		if targets {
			urls = t.Targets
		}
		for _, url := range urls {
			if x.Profiles == nil || profile.TypeOf(url) != nil {
				continue
			}
			if p, err := x.Profiles.Profile(url); err == nil && p != nil {
				out = append(out, p)
			}
		}
	}
	return out
}

// typeChosen reports whether what was found is of a type that the slice has. Of a
// reference that leads out of what is checked, the text may tell the type.
func (x *inspection) typeChosen(targets []target, found []*place, known bool) bool {
	for _, t := range targets {
		for _, f := range found {
			if f.item.Type == nil {
				continue
			}
			if typeAllowed(t, f.item.Type) {
				return true
			}
		}
	}
	return len(found) == 0 && !known && len(targets) == 1
}

// typeAllowed reports whether a node, or the root of a profile, is about a type.
func typeAllowed(t target, typ *spec.Type) bool {
	if t.node == t.rules.profile.Root {
		return typ.Is(t.rules.profile.Type)
	}
	if t.node.Types == nil { // a choice that is itself sliced by its types
		for _, s := range t.node.Slices {
			if typeAllowed(target{t.rules, s}, typ) {
				return true
			}
		}
	}
	for _, a := range t.node.Types {
		if typ.Is(a.Code) {
			return true
		}
		for _, url := range a.Targets {
			if c := profile.TypeOf(url); c != nil && typ.Is(c.Name) {
				return true
			}
		}
	}
	return false
}

// profileChosen reports whether what was found follows a profile that the slice has.
func (x *inspection) profileChosen(s *subject, targets []target, found []*place) bool {
	for _, f := range found {
		for _, t := range targets {
			if t.node == t.rules.profile.Root {
				if f.item.Type.Is(t.rules.profile.Type) && x.conforms(x.within(s, f), t.rules, t.node, f) {
					return true
				}
				continue
			}
			for _, url := range urlsOf(t.node) {
				if c := profile.TypeOf(url); c != nil && f.item.Type.Is(c.Name) {
					return true
				}
			}
			for _, p := range append(x.profilesOf(t.node, false), x.profilesOf(t.node, true)...) {
				if f.item.Type.Is(p.Type) && x.conforms(x.within(s, f), &rules{p}, p.Root, f) {
					return true
				}
			}
		}
	}
	return false
}

func urlsOf(n *profile.Node) (urls []string) {
	for _, t := range n.Types {
		urls = append(append(urls, t.Profiles...), t.Targets...)
	}
	return urls
}
