package terminology

import (
	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
)

// ValueSet is one version of a value set: what it says, not yet worked out.
type ValueSet struct {
	Header
	Immutable bool

	implied          bool // it exists by its URL alone
	inactiveOut      bool // compose.inactive is false
	include, exclude []clause
	stored           []listed // the expansion that came with it, in order
	storedWhole      bool     // and that is all of it
	head             []byte   // its members but text, compose and expansion, as JSON without the closing brace
}

// clause is a compose.include or compose.exclude.
type clause struct {
	system, version string
	codes           []listed
	filters         []filter
	valueSets       []string // canonicals; the clause takes what is in all of them
}

// listed is a code that a value set names.
type listed struct {
	system, version, code string // system and version only within a stored expansion
	display               string
	designations          []Designation
	abstract, inactive    bool
}

// filter is a compose.include.filter.
type filter struct{ property, op, value string }

// maxClauses bounds the include and exclude clauses of a value set.
const maxClauses = 10_000

// ReadValueSet reads the value set at root.
func ReadValueSet(d *element.Doc, root element.Node) (*ValueSet, error) {
	head, err := readHeader(d, root)
	if err != nil {
		return nil, err
	}
	if head.Kind != ValueSetKind {
		return nil, fhir.Errorf(fhir.Unprocessable, "not a ValueSet")
	}
	v := &ValueSet{Header: head, head: headOf(d, root)}
	compose := d.Get(root, "compose")
	v.inactiveOut = string(optional(d, d.Get(compose, "inactive"))) == "false"
	if v.include, err = clauses(d, d.Get(compose, "include")); err != nil {
		return nil, err
	}
	if v.exclude, err = clauses(d, d.Get(compose, "exclude")); err != nil {
		return nil, err
	}
	if expansion := d.Get(root, "expansion"); expansion != element.None {
		v.readContains(d, d.Get(expansion, "contains"))
		total := d.Get(expansion, "total")
		v.storedWhole = len(v.stored) > 0 && (total == element.None || atoi(d.Bytes(total)) <= len(v.stored))
	}
	return v, nil
}

// headOf copies the members of a value set that its expansion keeps, type and id
// first, and gives it the status that it must have.
func headOf(d *element.Doc, root element.Node) []byte {
	out := []byte(`{"resourceType":"ValueSet"`)
	member := func(m element.Node) {
		out = append(element.Quote(append(out, ','), d.Name(m)), ':')
		out = d.AppendCompact(out, m)
	}
	if id := d.Get(root, "id"); id != element.None {
		member(id)
	}
	for m := d.First(root); m != element.None; m = d.Next(root, m) {
		switch string(d.Name(m)) {
		case "resourceType", "id", "text", "compose", "expansion", "meta", "contained", "extension", "contact", "useContext", "jurisdiction":
		default:
			member(m)
		}
	}
	if d.Get(root, "status") == element.None {
		out = append(out, `,"status":"draft"`...)
	}
	return out
}

func atoi(text []byte) int {
	n := 0
	for _, c := range text {
		if c < '0' || c > '9' || n > 1<<40 {
			return 0
		}
		n = n*10 + int(c-'0')
	}
	return n
}

func clauses(d *element.Doc, list element.Node) ([]clause, error) {
	if list == element.None || d.Kind(list) != element.Array {
		return nil, nil
	}
	if d.Size(list) > maxClauses {
		return nil, fhir.Errorf(fhir.TooCostly, "a value set of more than %d clauses", maxClauses)
	}
	var all []clause
	for n := d.First(list); n != element.None; n = d.Next(list, n) {
		text := func(of element.Node, name string) string { return string(optional(d, d.Get(of, name))) }
		c := clause{system: text(n, "system"), version: text(n, "version")}
		each(d, d.Get(n, "concept"), func(m element.Node) {
			c.codes = append(c.codes, listed{
				code: text(m, "code"), display: text(m, "display"), designations: readDesignations(d, d.Get(m, "designation")),
			})
		})
		each(d, d.Get(n, "filter"), func(m element.Node) {
			c.filters = append(c.filters, filter{text(m, "property"), text(m, "op"), text(m, "value")})
		})
		each(d, d.Get(n, "valueSet"), func(m element.Node) { c.valueSets = append(c.valueSets, d.Text(m)) })
		all = append(all, c)
	}
	return all, nil
}

// each calls f with every item of a list, which may be element.None.
func each(d *element.Doc, list element.Node, f func(element.Node)) {
	if list == element.None || d.Kind(list) != element.Array {
		return
	}
	for n := d.First(list); n != element.None; n = d.Next(list, n) {
		f(n)
	}
}

func readDesignations(d *element.Doc, list element.Node) []Designation {
	var all []Designation
	each(d, list, func(n element.Node) {
		all = append(all, Designation{
			Language: string(optional(d, d.Get(n, "language"))),
			Use:      string(compact(d, d.Get(n, "use"))),
			Value:    string(optional(d, d.Get(n, "value"))),
		})
	})
	return all
}

// readContains takes in the codes of an expansion, nested ones behind their parent.
func (v *ValueSet) readContains(d *element.Doc, list element.Node) {
	each(d, list, func(n element.Node) {
		text := func(name string) string { return string(optional(d, d.Get(n, name))) }
		if code := text("code"); code != "" {
			v.stored = append(v.stored, listed{
				system: text("system"), version: text("version"), code: code, display: text("display"),
				designations: readDesignations(d, d.Get(n, "designation")),
				abstract:     text("abstract") == "true", inactive: text("inactive") == "true",
			})
		}
		v.readContains(d, d.Get(n, "contains"))
	})
}
