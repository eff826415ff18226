package analysis

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/amate-health/amate/fhir/spec"
)

//go:embed rules.json
var rulesJSON []byte

// ruleSet says what a Deidentifier lets through. Paths are those of fhir/spec: the name of
// a type and of a property of its JSON.
type ruleSet struct {
	hidden map[string]bool // resource types of which nothing is shown
	types  map[string]bool // datatypes that are left out
	drop   map[string]bool // elements that are left out
	keep   map[string]bool // elements that stay although they are text or a URI
	dates  map[string]act  // by path; "*" for all others

	plans sync.Map // *spec.Type -> []act, by the index of the element
}

// act is what happens to the value of an element.
type act uint8

const (
	dropped   act = iota
	whole         // as it is: numbers, booleans
	coded         // as it is, unless it looks like what identifies somebody
	spelled       // a name of a place or unit: likewise, and not long
	unit          // the unit of a Quantity
	named         // id of a resource
	pointed       // a reference, or a URL that names a resource
	onlyYear      // of dates
	onlyMonth     //
	onlyWeek      //
	birth         // a year, and those of the old are one
	child         // a resource within
	inside        // its parts are looked at
)

// ways are the names of acts in rules.json.
var ways = map[string]act{"year": onlyYear, "month": onlyMonth, "week": onlyWeek, "birth": birth}

var rules = readRules(rulesJSON)

// readRules reads the rules that are built in. A test holds their paths to exist.
func readRules(text []byte) *ruleSet {
	var r struct {
		Hidden, Types, Elements, Keep []string
		Dates                         map[string]string
	}
	if err := json.Unmarshal(text, &r); err != nil {
		panic(fmt.Errorf("rules.json: %w", err)) // it is built in
	}
	s := &ruleSet{hidden: setOf(r.Hidden), types: setOf(r.Types), drop: setOf(r.Elements), keep: setOf(r.Keep), dates: map[string]act{}}
	for path, way := range r.Dates {
		a, ok := ways[way]
		if !ok {
			panic(fmt.Sprintf("rules.json: %s is generalised as %q", path, way))
		}
		s.dates[path] = a
	}
	return s
}

func setOf(list []string) map[string]bool {
	set := make(map[string]bool, len(list))
	for _, s := range list {
		set[s] = true
	}
	return set
}

// plan returns what happens to the elements of t.
func (r *ruleSet) plan(t *spec.Type) []act {
	if p, ok := r.plans.Load(t); ok {
		return p.([]act)
	}
	plan := make([]act, len(t.Elements))
	for i := range t.Elements {
		plan[i] = r.decide(t, &t.Elements[i])
	}
	p, _ := r.plans.LoadOrStore(t, plan)
	return p.([]act)
}

// decide says what happens to an element of t.
func (r *ruleSet) decide(t *spec.Type, el *spec.Element) act {
	path := t.Name + "." + el.Name
	switch {
	case r.drop[path]:
		return dropped
	case el.Name == "id":
		if t.Kind == spec.ResourceKind {
			return named
		}
		return dropped
	case el.Type == nil || el.Resource:
		return child
	case path == "Reference.reference" || path == "Bundle.entry.fullUrl":
		return pointed
	case el.Name == "unit" && t.Is("Quantity"):
		return unit
	}
	for base := el.Type; base != nil; base = base.Base {
		if r.types[base.Name] {
			return dropped
		}
	}
	if el.Type.Kind != spec.Primitive {
		return inside
	}
	return r.primitive(el.Type.Name, path)
}

// primitive says what happens to a value of a primitive type.
func (r *ruleSet) primitive(typ, path string) act {
	switch typ {
	case "boolean", "integer", "decimal", "positiveInt", "unsignedInt":
		return whole
	case "code", "canonical":
		return coded
	case "date", "dateTime", "instant":
		if a, ok := r.dates[path]; ok {
			return a
		}
		return r.dates["*"]
	}
	if r.keep[path] { // strings, URIs and times
		return spelled
	}
	return dropped
}
