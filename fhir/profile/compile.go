package profile

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/amate-health/amate/fhir/spec"
)

// core is where R4's own definitions live.
const core = "http://hl7.org/fhir/StructureDefinition/"

// ErrBaseUnknown says that what a definition is based on is not known.
var ErrBaseUnknown = errors.New("its base is not known")

// Compile compiles the text of a StructureDefinition that nobody has stored. lookup
// finds what it is based on. The error is ErrBaseUnknown when there is no such thing.
func Compile(text []byte, lookup func(canonical string) (*Profile, error)) (*Profile, error) {
	d, err := readDefinition(text)
	if err != nil {
		return nil, err
	}
	return compile(d, func(url string) (*Profile, error) {
		if TypeOf(url) != nil {
			return nil, nil
		}
		p, err := lookup(url)
		if err == nil && p == nil {
			err = ErrBaseUnknown
		}
		return p, err
	})
}

// compile makes a profile of d. base returns the profile that another is based on,
// and nil for the definition of an R4 type.
func compile(d *definition, base func(url string) (*Profile, error)) (*Profile, error) {
	p := &Profile{
		URL: d.URL, Version: d.Version, Name: d.Name, Title: d.Title, Type: d.Type,
		Base: d.BaseDefinition, Contexts: d.Context,
	}
	typ := spec.TypeOf(d.Type)
	if typ == nil {
		return nil, fmt.Errorf("%s is of the type %q, which R4 does not have", d.URL, d.Type)
	}
	c := &compiler{def: d, root: &Node{Max: Unbounded, typ: typ}}
	elements := d.Snapshot.Element
	if len(elements) == 0 {
		elements = d.Differential.Element
		on, err := base(d.BaseDefinition)
		if err != nil {
			return nil, fmt.Errorf("%s: its base: %w", d.URL, err)
		}
		if on != nil {
			c.root = on.Root.clone()
			c.root.typ = typ
		}
	}
	if len(elements) > maxElements {
		return nil, fmt.Errorf("%s has more than %d elements", d.URL, maxElements)
	}
	for i := range elements {
		if i%100 == 99 && c.root.size() > maxNodes {
			return nil, fmt.Errorf("%s comes to more than %d rules", d.URL, maxNodes)
		}
		if err := c.element(&elements[i]); err != nil {
			return nil, fmt.Errorf("%s, element %s: %w", d.URL, elements[i].name(), err)
		}
	}
	c.root.prune()
	p.Root = c.root
	return p, nil
}

// Bounds of one definition. The largest published have some 500 elements.
const (
	maxElements = 10_000
	maxNodes    = 50_000
)

func (e *elementDefinition) name() string {
	if e.ID != "" {
		return e.ID
	}
	return e.Path
}

// compiler puts the elements of one definition into a tree.
type compiler struct {
	def    *definition
	root   *Node
	slices map[string]string // path -> the slice that the last element there was of, for elements without an id
}

// element applies one ElementDefinition.
func (c *compiler) element(e *elementDefinition) error {
	n, err := c.node(e)
	if err != nil {
		return err
	}
	return c.apply(n, e)
}

// node returns the node that e is about, making it where it is not there yet.
func (c *compiler) node(e *elementDefinition) (*Node, error) {
	segments, err := c.segments(e)
	if err != nil {
		return nil, err
	}
	n := c.root
	for _, s := range segments {
		name, slice, _ := strings.Cut(s, ":")
		if n, err = n.child(name, slice); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// segments splits the place of e, below the root: "identifier:curp", "system".
func (c *compiler) segments(e *elementDefinition) ([]string, error) {
	if e.Path == "" {
		return nil, fmt.Errorf("it has no path")
	}
	path := strings.Split(e.Path, ".")
	if id := splitID(e.ID); len(id) == len(path) && matches(id[1:], path[1:]) {
		return id[1:], nil
	}
	if c.slices == nil {
		c.slices = map[string]string{}
	}
	at, out := path[0], []string(nil)
	for i, name := range path[1:] {
		at += "." + name
		if i == len(path)-2 {
			for deeper := range c.slices { // what was open below is closed
				if strings.HasPrefix(deeper, at+".") {
					delete(c.slices, deeper)
				}
			}
			c.slices[at] = e.SliceName
		}
		if s := c.slices[at]; s != "" {
			name += ":" + s
		}
		out = append(out, name)
	}
	return out, nil
}

// splitID splits an id at its dots, but for those within the name of a slice that
// is no part of a path; such names cannot be told apart and give no match.
func splitID(id string) []string { return strings.Split(id, ".") }

// matches reports whether the segments of an id are those of a path.
func matches(id, path []string) bool {
	for i := range id {
		name, _, _ := strings.Cut(id[i], ":")
		if name == path[i] {
			continue
		}
		stem, choice := strings.CutSuffix(name, "[x]")
		if !choice || !strings.HasPrefix(path[i], stem) {
			return false
		}
	}
	return true
}

// child returns the child called name of n, or its slice.
func (n *Node) child(name, slice string) (*Node, error) {
	stem, typ, err := n.element(name)
	if err != nil {
		return nil, err
	}
	k := n.Kid(stem)
	if k == nil {
		k = &Node{Name: stem, Max: Unbounded, typ: typ}
		n.Kids = append(n.Kids, k)
	}
	if k.typ == nil {
		k.typ = typ
	}
	short := ""
	if slice == "" && stem != name && stem+"[x]" != name { // valueQuantity for a slice of value[x]
		short, slice = name[len(stem):], name
		if k.Slicing == nil {
			k.Slicing = &Slicing{Rules: "open", Discriminators: []Discriminator{{Type: "type", Path: "$this", Way: []Step{}}}}
		}
	}
	if slice == "" {
		return k, nil
	}
	s := k.slice(slice)
	if s == nil {
		s = k.newSlice(slice)
	}
	if t := s.sliceType(stem, short); t != nil {
		s.typ = t
		if s.Types == nil && short != "" {
			s.Types = []Type{{Code: t.Name}}
		}
	}
	return s, nil
}

// newSlice adds a slice to k. A slice of a slice, "a/b", begins as a copy of "a".
func (k *Node) newSlice(name string) *Node {
	s := &Node{Name: k.Name, Max: Unbounded, typ: k.typ}
	if at := strings.LastIndexByte(name, '/'); at > 0 {
		if outer := k.slice(name[:at]); outer != nil {
			s = outer.clone()
			s.Slicing, s.Slices, s.Min = nil, nil, 0
		}
	}
	s.Slice = name
	k.Slices = append(k.Slices, s)
	return s
}

// sliceType returns the type that the name of a slice of a choice tells:
// "valueQuantity" is the Quantity of value[x].
func (n *Node) sliceType(stem, short string) *spec.Type {
	if short == "" {
		var ok bool
		if short, ok = strings.CutPrefix(n.Slice, stem); !ok || short == "" || n.typ != nil {
			return nil
		}
	}
	if t := spec.TypeOf(short); t != nil {
		return t
	}
	return spec.TypeOf(strings.ToLower(short[:1]) + short[1:])
}

// element returns the name of an element as nodes have it, and its type when there
// is one only.
func (n *Node) element(name string) (stem string, typ *spec.Type, err error) {
	stem, choice := strings.CutSuffix(name, "[x]")
	if n.typ == nil || choice {
		return stem, nil, nil
	}
	if e := n.typ.Element([]byte(name)); e != nil {
		if e.Choice != "" {
			return e.Choice, nil, nil
		}
		return name, e.Type, nil
	}
	if n.typ.Kind == spec.Primitive || n.typ.Kind == spec.ResourceKind && n.typ.Abstract {
		return name, nil, nil // "value" of a primitive; anything of a resource that is yet open
	}
	return "", nil, fmt.Errorf("%s has no element %s", n.typ.Name, name)
}

// apply adds what e says to n.
func (c *compiler) apply(n *Node, e *elementDefinition) (err error) {
	root := n == c.root
	if e.Min != nil && !root {
		n.Min = *e.Min
	}
	if e.Max != "" && !root {
		if n.Max, err = maxOf(e.Max); err != nil {
			return err
		}
	}
	if e.MaxLength > 0 {
		n.MaxLength = e.MaxLength
	}
	n.MustSupport = n.MustSupport || e.MustSupport
	if e.fixed != nil {
		n.Fixed, err = valueOf(e.fixed)
	}
	if e.pattern != nil && err == nil {
		n.Pattern, err = valueOf(e.pattern)
	}
	if e.least != nil && err == nil {
		n.Least, err = limitOf(e.least, e.leastType)
	}
	if e.most != nil && err == nil {
		n.Most, err = limitOf(e.most, e.mostType)
	}
	if err != nil {
		return err
	}
	for _, x := range e.Extension {
		if x.URL == core+"minLength" {
			n.MinLength = x.ValueInteger
		}
	}
	if b := e.Binding; b != nil && b.ValueSet != "" && b.Strength != "example" {
		n.Binding = &Binding{Strength: b.Strength, ValueSet: b.ValueSet}
	}
	if e.ContentReference != "" {
		_, n.Content, _ = strings.Cut(e.ContentReference, "#")
	}
	c.types(n, e, root)
	c.constraints(n, e)
	if e.Slicing != nil && !root {
		slicing(n, e)
	}
	c.unsay(n, e)
	return nil
}

func maxOf(text string) (int, error) {
	if text == "*" {
		return Unbounded, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("max %q", text)
	}
	return n, nil
}

// types takes the types of e.
func (c *compiler) types(n *Node, e *elementDefinition, root bool) {
	if len(e.Type) == 0 || root {
		return
	}
	n.Types = nil
	for _, t := range e.Type {
		code := t.Code
		if strings.HasPrefix(code, "http://hl7.org/fhirpath/System.") {
			n.Types = nil
			return
		}
		n.Types = append(n.Types, Type{Code: code, Profiles: t.Profile, Targets: t.TargetProfile, Aggregation: t.Aggregation})
	}
	if len(n.Types) == 1 && (n.typ == nil || n.typ.Kind != spec.Backbone) {
		if t := spec.TypeOf(n.Types[0].Code); t != nil {
			n.typ = t
		}
	}
}

// constraints adds those of e that R4 does not have.
func (c *compiler) constraints(n *Node, e *elementDefinition) {
	for _, k := range e.Constraint {
		own, fromCore := strings.CutPrefix(k.Source, core)
		if k.Expression == "" || fromCore && spec.TypeOf(own) != nil || settled(n.typ, k.Key) {
			continue
		}
		found := Constraint{Key: k.Key, Severity: k.Severity, Human: k.Human, Expression: k.Expression}
		if i := slices.IndexFunc(n.Constraints, func(o Constraint) bool { return o.Key == k.Key }); i >= 0 {
			n.Constraints[i] = found
		} else {
			n.Constraints = append(n.Constraints, found)
		}
	}
}

// settled reports whether a constraint is one of R4 that holds for elements of a type anyway.
func settled(t *spec.Type, key string) bool {
	if key == "ele-1" || key == "ext-1" || key == "txt-1" || key == "txt-2" {
		return true
	}
	for ; t != nil; t = t.Base {
		for _, c := range t.Constraints {
			if c.Key == key {
				return true
			}
		}
	}
	return false
}

// slicing takes the slicing of e.
func slicing(n *Node, e *elementDefinition) {
	s := &Slicing{Rules: e.Slicing.Rules, Ordered: e.Slicing.Ordered}
	for _, d := range e.Slicing.Discriminator {
		s.Discriminators = append(s.Discriminators, Discriminator{Type: d.Type, Path: d.Path, Way: way(d.Path)})
	}
	if s.Rules == "" {
		s.Rules = "open"
	}
	if len(s.Discriminators) == 0 && n.Slicing != nil {
		s.Discriminators = n.Slicing.Discriminators
	}
	n.Slicing = s
}
