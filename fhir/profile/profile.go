package profile

import (
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/spec"
)

// Profile is a compiled StructureDefinition. It must not be changed.
type Profile struct {
	URL, Version, Name string
	Title              string
	Type               string // the R4 type that it constrains
	Base               string // canonical URL of what it is based on
	Contexts           []Context
	Root               *Node
}

// Extension reports whether p defines an extension.
func (p *Profile) Extension() bool { return p.Type == "Extension" }

// Context is where an extension may stand.
//
// See https://hl7.org/fhir/R4/defining-extensions.html#context.
type Context struct {
	Type       string // element | extension | fhirpath
	Expression string
}

// Node is what a profile says of one element, or of one slice of it.
type Node struct {
	Name  string // of the element, "value" for value[x]; "" for the root
	Slice string // "" for the element as a whole
	Min   int
	Max   int // Unbounded when the profile sets no limit

	Types       []Type // nil leaves them as they are
	Fixed       *Value
	Pattern     *Value
	Binding     *Binding
	Constraints []Constraint
	MaxLength   int // 0 sets no limit
	MinLength   int
	Least, Most *Limit // nil set no limit
	MustSupport bool

	Slicing *Slicing
	Slices  []*Node
	Kids    []*Node
	Content string // what a content reference points to, such as "Observation.referenceRange"; "" for none

	typ *spec.Type // of the element, while compiling; nil when it is open
}

// Unbounded is a Max without a limit.
const Unbounded = -1

// Type is a type that an element may have.
type Type struct {
	Code        string   // "Quantity", "Reference"
	Profiles    []string // canonical URLs; the value follows one of them
	Targets     []string // canonical URLs of profiles or types that a reference may point to
	Aggregation []string // contained | referenced | bundled
}

// Binding says what codes an element takes.
type Binding struct {
	Strength string // required | extensible | preferred
	ValueSet string // canonical URL
}

// Constraint is an invariant that the profile adds.
type Constraint struct{ Key, Severity, Human, Expression string }

// Slicing says how the values of an element are told apart.
//
// See https://hl7.org/fhir/R4/profiling.html#slicing.
type Slicing struct {
	Rules          string // open | closed | openAtEnd
	Ordered        bool
	Discriminators []Discriminator
}

// Discriminator is one way of telling slices apart.
type Discriminator struct {
	Type string // value | exists | pattern | type | profile
	Path string
	Way  []Step // Path, read; nil when it is not understood
}

// Step is one step of a discriminator's path. Exactly one of its fields is set.
type Step struct {
	Name      string // a child
	Extension string // extension(url)
	Type      string // ofType(Type), as(Type)
	Resolve   bool   // resolve()
}

// Value is a value in a definition.
type Value struct {
	Doc  *element.Doc
	Node element.Node
}

// Limit is the least or greatest value that an element may have.
type Limit struct {
	Value
	Type string // of it: "Quantity", "date"
}

// Kid returns the node of the child called name, or nil.
func (n *Node) Kid(name string) *Node {
	for _, k := range n.Kids {
		if k.Name == name {
			return k
		}
	}
	return nil
}

// slice returns the slice called name, or nil.
func (n *Node) slice(name string) *Node {
	for _, s := range n.Slices {
		if s.Slice == name {
			return s
		}
	}
	return nil
}

// clone returns a copy of n, of which every part can be changed.
func (n *Node) clone() *Node {
	c := *n
	c.Slices, c.Kids = nil, nil
	for _, s := range n.Slices {
		c.Slices = append(c.Slices, s.clone())
	}
	for _, k := range n.Kids {
		c.Kids = append(c.Kids, k.clone())
	}
	c.Constraints = append([]Constraint(nil), n.Constraints...)
	return &c
}

// size counts the nodes of n.
func (n *Node) size() int {
	count := 1
	for _, s := range n.Slices {
		count += s.size()
	}
	for _, k := range n.Kids {
		count += k.size()
	}
	return count
}

// silent reports whether n says nothing.
func (n *Node) silent() bool {
	return n.Min == 0 && n.Max == Unbounded && n.Types == nil && n.Fixed == nil && n.Pattern == nil &&
		n.Binding == nil && n.Constraints == nil && n.MaxLength == 0 && n.MinLength == 0 && n.Least == nil && n.Most == nil && n.Slicing == nil &&
		n.Slices == nil && n.Kids == nil
}

// prune drops what says nothing from below n.
func (n *Node) prune() {
	kids := n.Kids[:0]
	for _, k := range n.Kids {
		if k.prune(); !k.silent() {
			kids = append(kids, k)
		}
	}
	if n.Kids = kids; len(kids) == 0 {
		n.Kids = nil
	}
	for _, s := range n.Slices {
		s.prune()
	}
}
