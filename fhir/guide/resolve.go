package guide

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// builtIn are packages whose content the program has itself.
var builtIn = map[string]string{"hl7.fhir.r4.core": "4.0.1", "hl7.fhir.r4.expansions": "4.0.1"}

// MissingError says which packages are needed and not there.
type MissingError struct{ Missing []Missing }

// Missing is a dependency that nothing satisfies.
type Missing struct {
	By *Package
	Dependency
	Have []string // versions of it that are there
}

// Error names all that is missing.
func (e *MissingError) Error() string {
	var parts []string
	for _, m := range e.Missing {
		text := fmt.Sprintf("%s needs %s#%s", m.By, m.Name, m.Version)
		if m.Have != nil {
			text += " (there is " + strings.Join(m.Have, ", ") + ")"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, "; ")
}

// Order returns packages such that each comes after those it depends on. there are
// the packages that are installed already. When something is missing, the error is
// a *MissingError, and the order is that of the rest all the same.
func Order(packages []*Package, there []Dependency) ([]*Package, error) {
	o := &ordering{packages: packages, there: there, state: map[*Package]int{}}
	for _, p := range packages {
		o.visit(p)
	}
	if len(o.missing) > 0 {
		return o.out, &MissingError{o.missing}
	}
	return o.out, nil
}

type ordering struct {
	packages []*Package
	there    []Dependency
	state    map[*Package]int // 1: on the way, 2: done
	out      []*Package
	missing  []Missing
}

// visit puts p behind what it depends on. Packages that depend on one another
// stand in the order of their names.
func (o *ordering) visit(p *Package) {
	if o.state[p] != 0 {
		return
	}
	o.state[p] = 1
	for _, d := range p.Dependencies {
		o.depend(p, d)
	}
	o.state[p] = 2
	o.out = append(o.out, p)
}

func (o *ordering) depend(p *Package, d Dependency) {
	if v, ok := builtIn[d.Name]; ok && Satisfies(v, d.Version) {
		return
	}
	var have []string
	var best *Package
	for _, q := range o.packages {
		if q.Name != d.Name {
			continue
		}
		have = append(have, q.Version)
		if Satisfies(q.Version, d.Version) && (best == nil || Compare(q.Version, best.Version) > 0) {
			best = q
		}
	}
	if best != nil {
		o.visit(best)
		return
	}
	for _, t := range o.there {
		if t.Name == d.Name {
			have = append(have, t.Version)
			if Satisfies(t.Version, d.Version) {
				return
			}
		}
	}
	slices.Sort(have)
	have = slices.Compact(have)
	o.missing = append(o.missing, Missing{By: p, Dependency: d, Have: have})
}

// Satisfies reports whether a version is one that a dependency asks for: exactly
// it ("6.1.0"), one of a range ("6.1.x", "6.x", "^6.1.0", "~6.1.0", ">=6.0.0 <7.0.0",
// alternatives with ||), or any ("*", "latest", "current", "dev", "").
func Satisfies(version, want string) bool {
	for _, alternative := range strings.Split(want, "||") {
		all := true
		parts := strings.Fields(alternative)
		for _, part := range parts {
			all = all && satisfies(version, part)
		}
		if all {
			return true
		}
	}
	return false
}

func satisfies(version, want string) bool {
	branch, _, _ := strings.Cut(want, "$")
	switch branch {
	case "", "*", "x", "latest", "current", "dev":
		return true
	}
	for _, op := range []string{">=", "<=", ">", "<", "="} {
		if bound, ok := strings.CutPrefix(want, op); ok {
			c := Compare(version, bound)
			return strings.Contains(op, "=") && c == 0 || op[0] == '>' && c > 0 || op[0] == '<' && c < 0
		}
	}
	if low, ok := strings.CutPrefix(want, "^"); ok {
		return Compare(version, low) >= 0 && samePart(version, low, 1)
	}
	if low, ok := strings.CutPrefix(want, "~"); ok {
		return Compare(version, low) >= 0 && samePart(version, low, 2)
	}
	parts := strings.Split(want, ".")
	for i, p := range parts {
		if p == "x" || p == "*" {
			return samePart(version, want, i)
		}
	}
	return version == want
}

// samePart reports whether the first n numbers of two versions are the same.
func samePart(a, b string, n int) bool {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	return len(x) >= n && len(y) >= n && slices.Equal(x[:n], y[:n])
}

// Compare orders versions: number by number, and one with a label ("1.0.0-ballot")
// before the same without.
func Compare(a, b string) int {
	a, labelA, _ := strings.Cut(a, "-")
	b, labelB, _ := strings.Cut(b, "-")
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for i := range max(len(x), len(y)) {
		if c := cmp.Compare(number(x, i), number(y, i)); c != 0 {
			return c
		}
	}
	if labelA == "" || labelB == "" {
		return -cmp.Compare(labelA, labelB)
	}
	return cmp.Compare(labelA, labelB)
}

// number returns the i-th part of a version, 0 when there is none.
func number(parts []string, i int) int {
	if i >= len(parts) {
		return 0
	}
	n, err := strconv.Atoi(parts[i])
	if err != nil {
		return 0
	}
	return n
}
