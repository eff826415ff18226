package terminology

import (
	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
)

// Map is one version of a concept map.
type Map struct {
	Header
	Source, Target string // canonicals of value sets; "" when unsaid
	groups         []group
}

// group maps codes of one system to those of another.
type group struct {
	source, sourceVersion, target, targetVersion string

	from     map[string][]mapping // by source code
	to       map[string][]mapping // the same by target code
	unmapped unmapped
}

// mapping is one source code with one target.
type mapping struct {
	source, target, display string
	equivalence             string
	product, dependsOn      []Dependency
}

// unmapped says what becomes of codes that a group does not map.
type unmapped struct{ mode, code, display, url string }

// Dependency is a further value that a mapping depends on or makes.
type Dependency struct{ Property, System, Value, Display string }

// Match is one result of a translation.
type Match struct {
	Equivalence           string
	System, Version, Code string // Code is "" when there is no target
	Display               string
	Product               []Dependency
	Map                   string // canonical of the map that it comes from
}

// readMap reads the concept map at root.
func readMap(d *element.Doc, root element.Node) (*Map, error) {
	head, err := readHeader(d, root)
	if err != nil {
		return nil, err
	}
	m := &Map{Header: head}
	text := func(of element.Node, name string) string { return string(optional(d, d.Get(of, name))) }
	m.Source = text(root, "sourceCanonical") + text(root, "sourceUri")
	m.Target = text(root, "targetCanonical") + text(root, "targetUri")
	each(d, d.Get(root, "group"), func(n element.Node) {
		g := group{
			source: text(n, "source"), sourceVersion: text(n, "sourceVersion"),
			target: text(n, "target"), targetVersion: text(n, "targetVersion"),
			from: map[string][]mapping{}, to: map[string][]mapping{},
		}
		each(d, d.Get(n, "element"), func(e element.Node) {
			source := text(e, "code")
			each(d, d.Get(e, "target"), func(t element.Node) {
				one := mapping{
					source: source, target: text(t, "code"), display: text(t, "display"), equivalence: text(t, "equivalence"),
					product: readDependencies(d, d.Get(t, "product")), dependsOn: readDependencies(d, d.Get(t, "dependsOn")),
				}
				g.from[source] = append(g.from[source], one)
				if one.target != "" {
					g.to[one.target] = append(g.to[one.target], one)
				}
			})
		})
		u := d.Get(n, "unmapped")
		g.unmapped = unmapped{text(u, "mode"), text(u, "code"), text(u, "display"), text(u, "url")}
		m.groups = append(m.groups, g)
	})
	return m, nil
}

func readDependencies(d *element.Doc, list element.Node) []Dependency {
	var all []Dependency
	each(d, list, func(n element.Node) {
		text := func(name string) string { return string(optional(d, d.Get(n, name))) }
		all = append(all, Dependency{text("property"), text("system"), text("value"), text("display")})
	})
	return all
}

// Translation asks what a code maps to.
type Translation struct {
	System, Version, Code string
	TargetSystem          string       // "" for any
	Dependencies          []Dependency // values known of what mappings may depend on
	Reverse               bool         // the code is a target, and its sources are asked for
}

// reversed turns equivalences around.
//
// See https://hl7.org/fhir/R4/valueset-concept-map-equivalence.html.
var reversed = map[string]string{"wider": "narrower", "narrower": "wider", "subsumes": "specializes", "specializes": "subsumes"}

// maxMaps bounds how many maps hand a code on to one another.
const maxMaps = 10

// Translate returns what m maps a code to. other finds the map that an unmapped
// code is handed on to.
//
// See https://hl7.org/fhir/R4/conceptmap-operation-translate.html.
func (m *Map) Translate(t Translation, other func(canonical string) (*Map, bool)) ([]Match, error) {
	return m.translate(t, other, 0)
}

func (m *Map) translate(t Translation, other func(string) (*Map, bool), depth int) ([]Match, error) {
	if depth > maxMaps {
		return nil, fhir.Errorf(fhir.Unprocessable, "concept maps hand an unmapped code on in a circle")
	}
	var all []Match
	for i := range m.groups {
		g := &m.groups[i]
		if t.Reverse {
			all = append(all, m.reverse(g, t)...)
			continue
		}
		if t.System != "" && g.source != "" && g.source != t.System || t.Version != "" && g.sourceVersion != "" && t.Version != g.sourceVersion ||
			t.TargetSystem != "" && g.target != t.TargetSystem {
			continue
		}
		found, known := g.from[t.Code]
		for _, one := range found {
			if satisfied(one.dependsOn, t.Dependencies) {
				all = append(all, Match{one.equivalence, g.target, g.targetVersion, one.target, one.display, one.product, m.Canonical()})
			}
		}
		if known {
			continue
		}
		more, err := m.whenUnmapped(g, t, other, depth)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	return all, nil
}

func (m *Map) reverse(g *group, t Translation) []Match {
	if t.System != "" && g.target != t.System || t.TargetSystem != "" && g.source != t.TargetSystem {
		return nil
	}
	var all []Match
	for _, one := range g.to[t.Code] {
		equivalence := one.equivalence
		if turned, ok := reversed[equivalence]; ok {
			equivalence = turned
		}
		all = append(all, Match{equivalence, g.source, g.sourceVersion, one.source, "", nil, m.Canonical()})
	}
	return all
}

// whenUnmapped follows group.unmapped.
func (m *Map) whenUnmapped(g *group, t Translation, other func(string) (*Map, bool), depth int) ([]Match, error) {
	switch u := g.unmapped; u.mode {
	case "provided":
		return []Match{{"inexact", g.target, g.targetVersion, t.Code, "", nil, m.Canonical()}}, nil
	case "fixed":
		return []Match{{"inexact", g.target, g.targetVersion, u.code, u.display, nil, m.Canonical()}}, nil
	case "other-map":
		next, ok := other(u.url)
		if !ok {
			return nil, fhir.Errorf(fhir.Unprocessable, "a concept map hands unmapped codes on to one that is not known here").
				With("%s hands on to %s", m.Canonical(), u.url)
		}
		return next.translate(t, other, depth+1)
	}
	return nil, nil
}

// satisfied reports whether all that a mapping depends on is given.
func satisfied(needed, given []Dependency) bool {
	for _, n := range needed {
		ok := false
		for _, g := range given {
			ok = ok || n.Property == g.Property && n.Value == g.Value && (n.System == "" || g.System == "" || n.System == g.System)
		}
		if !ok {
			return false
		}
	}
	return true
}
