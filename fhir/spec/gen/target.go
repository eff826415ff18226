package main

import (
	"regexp"
	"slices"
	"sort"
	"strings"
)

// oneReference matches an alternative that names one reference, with or without a test of
// what it points to: "Flag.subject", "Flag.subject.where(resolve() is Patient)",
// "(Medication.ingredient.item as Reference)".
var oneReference = regexp.MustCompile(`^\(?([A-Z][A-Za-z.]*?)( as Reference\))?(\.where\(resolve\(\) is ([A-Za-z]+)\))?$`)

// targets returns the types that p may point to from its base, sorted. A definition
// that serves many types gives the targets of all of them; those are cut down to what
// the elements of this base allow, so that a bare id (patient=123) has one type.
func (d *definitions) targets(p baseParam) []string {
	given := slices.Clone(p.Target)
	sort.Strings(given)
	allowed := map[string]bool{}
	for _, part := range alternatives(p.expression) {
		m := oneReference.FindStringSubmatch(part)
		if m == nil {
			return given
		}
		names := d.referenceTargets(m[1])
		if m[4] != "" {
			names = []string{m[4]}
		}
		if names == nil {
			return given // any type, or not an element of the resource itself
		}
		for _, name := range names {
			allowed[name] = true
		}
	}
	cut := slices.DeleteFunc(slices.Clone(given), func(name string) bool { return !allowed[name] })
	if len(cut) == 0 {
		return given
	}
	return cut
}

// referenceTargets returns the types that the Reference at path may point to; nil
// when there is no such element, or it may point to any.
func (d *definitions) referenceTargets(path string) []string {
	name, _, _ := strings.Cut(path, ".")
	s := d.structures[name]
	if s == nil {
		return nil
	}
	for _, e := range s.Snapshot.Element {
		if e.Path != path && e.Path != path+"[x]" {
			continue
		}
		var names []string
		for _, t := range e.Type {
			for _, profile := range t.TargetProfile {
				names = append(names, strings.TrimPrefix(profile, structurePrefix))
			}
		}
		if slices.Contains(names, "Resource") {
			return nil
		}
		return names
	}
	return nil
}
