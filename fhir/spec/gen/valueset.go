package main

import (
	"bytes"
	"fmt"
	"slices"
	"sort"
	"strings"
)

// writeValueSets writes the expansion of each value set that some element must
// take its codes from. No such set of R4 excludes codes, filters them or draws on
// another set, and it is an error when one does.
func writeValueSets(b *bytes.Buffer, d *definitions) error {
	urls := map[string]bool{}
	for _, s := range d.structures {
		for _, e := range s.Snapshot.Element {
			if url := requiredValueSet(e); url != "" {
				urls[url] = true
			}
		}
	}
	var sorted []string
	for url := range urls {
		sorted = append(sorted, url)
	}
	sort.Strings(sorted)
	for _, url := range sorted {
		systems, missing, err := d.expand(url)
		if err != nil {
			return fmt.Errorf("%s: %w", url, err)
		}
		if missing != "" {
			fmt.Fprintf(b, "N\t%s\t%s\n", url, missing)
			continue
		}
		fmt.Fprintf(b, "V\t%s\n", url)
		for _, s := range systems {
			fmt.Fprintf(b, "S\t%s\t%s\n", s.url, strings.Join(s.codes, "\t"))
		}
	}
	return nil
}

type system struct {
	url   string
	codes []string
}

// expand lists the codes of a value set, by system. When a part of the set is not
// in the package, missing says which, and the set cannot be listed.
func (d *definitions) expand(url string) (systems []system, missing string, err error) {
	v := d.valueSets[url]
	if v == nil {
		return nil, "value set not in the package", nil
	}
	if len(v.Compose.Include) == 0 || v.Compose.Exclude != nil {
		return nil, "", fmt.Errorf("no include, or an exclude")
	}
	for _, in := range v.Compose.Include {
		if in.Filter != nil || in.ValueSet != nil {
			return nil, "", fmt.Errorf("a filter or a value set of value sets")
		}
		var codes []string
		for _, c := range in.Concept {
			codes = append(codes, c.Code)
		}
		if in.Concept == nil {
			c := d.codeSystems[in.System]
			if c == nil || c.Content != "complete" {
				return nil, "code system " + in.System + " not in the package", nil
			}
			codes = selectable(nil, c.Concept)
		}
		i := slices.IndexFunc(systems, func(s system) bool { return s.url == in.System })
		if i < 0 {
			i = len(systems)
			systems = append(systems, system{url: in.System})
		}
		systems[i].codes = append(systems[i].codes, codes...)
	}
	return systems, "", nil
}

// selectable appends the codes of concepts and of those under them to codes,
// save concepts that only group others (notSelectable).
func selectable(codes []string, concepts []concept) []string {
	for _, c := range concepts {
		group := false
		for _, p := range c.Property {
			group = group || p.Code == "notSelectable" && p.ValueBoolean
		}
		if !group {
			codes = append(codes, c.Code)
		}
		codes = selectable(codes, c.Concept)
	}
	return codes
}
