package main

import (
	"bytes"
	"fmt"
	"regexp"
	"sort"
	"strings"
)

// notStandard matches the ids of SearchParameters in the package that R4 does not
// list for its resource types: those that come with extensions and profiles
// (some have no base, some no expression), the examples, and _filter, which is a
// language of its own.
var notStandard = regexp.MustCompile(`^(example.*|filter|.*-extensions-.*|.*-genetic-.*)$`)

// baseParam is a search parameter as it applies to one type.
type baseParam struct {
	*searchParam
	base       string
	expression string
}

// writeParams writes one line for each pair of a search parameter and a type that
// it is for, with its id: the place in the order of type and code.
func writeParams(b *bytes.Buffer, d *definitions) error {
	typeOf := map[string]string{} // canonical URL -> search type
	var all []baseParam
	for _, p := range d.params {
		if notStandard.MatchString(p.ID) {
			continue
		}
		typeOf[p.URL] = p.Type
		for _, base := range p.Base {
			e, err := narrow(p.Expression, base, d)
			if err != nil {
				return fmt.Errorf("%s of %s: %w", p.ID, base, err)
			}
			all = append(all, baseParam{p, base, e})
		}
	}
	sort.Slice(all, func(i, j int) bool {
		if all[i].base != all[j].base {
			return all[i].base < all[j].base
		}
		return all[i].Code < all[j].Code
	})
	for i, p := range all {
		if i > 0 && p.base == all[i-1].base && p.Code == all[i-1].Code {
			return fmt.Errorf("%s of %s is defined twice", p.Code, p.base)
		}
		fmt.Fprintf(b, "P\t%d\t%s\t%s\t%s\t%s\t%s", i+1, p.base, p.Code, p.Type, p.URL, p.expression)
		if p.Target != nil {
			fmt.Fprintf(b, "\t%s", strings.Join(d.targets(p), "|"))
		}
		fmt.Fprintln(b)
		for _, c := range p.Component {
			t := typeOf[c.Definition]
			if t == "" {
				return fmt.Errorf("%s: component %s is not defined", p.ID, c.Definition)
			}
			fmt.Fprintf(b, "C\t%s\t%s\t%s\n", t, c.Definition, c.Expression)
		}
	}
	return nil
}

// root matches the type that a path begins with, inside any brackets.
var root = regexp.MustCompile(`^\(*([A-Z][A-Za-z]*)`)

// narrow keeps those alternatives of expression that can yield something for base:
// all but those that begin with another type.
func narrow(expression, base string, d *definitions) (string, error) {
	if expression == "" {
		return "", nil
	}
	var kept []string
	for _, part := range alternatives(expression) {
		m := root.FindStringSubmatch(part)
		if m == nil || m[1] == base || d.structures[m[1]] == nil {
			kept = append(kept, part)
		}
	}
	if kept == nil {
		return "", fmt.Errorf("nothing left of %q", expression)
	}
	return strings.Join(kept, " | "), nil
}

// alternatives splits a FHIRPath expression at each | outside brackets and quotes.
func alternatives(expression string) []string {
	var parts []string
	start, depth, quoted := 0, 0, false
	for i := range len(expression) {
		switch c := expression[i]; {
		case c == '\'':
			quoted = !quoted
		case quoted:
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == '|' && depth == 0:
			parts = append(parts, strings.TrimSpace(expression[start:i]))
			start = i + 1
		}
	}
	return append(parts, strings.TrimSpace(expression[start:]))
}
