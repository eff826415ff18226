package terminology

import (
	"math"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
)

// builder makes a table from the concepts of one or more resources.
type builder struct {
	t        table
	text     []byte
	word     map[string]uint32
	value    map[string]span // values of properties that came before; bounded by maxValues
	edges    []edge
	pending  []pending         // parents and children given by code, to be found at the end
	meanings map[string]string // property code -> the last part of its standard URI
}

// pending is an edge of which one end is known only by its code.
type pending struct {
	at     int32
	code   span
	parent bool // the code is a parent of at; else a child
}

func newBuilder() *builder {
	return &builder{word: map[string]uint32{}, value: map[string]span{}, meanings: map[string]string{}}
}

// standard is the namespace of the properties that FHIR defines for all code systems.
//
// See https://hl7.org/fhir/R4/codesystem-concept-properties.html.
const standard = "http://hl7.org/fhir/concept-properties#"

// declare learns from CodeSystem.property what the codes of properties stand for.
func (b *builder) declare(defs []PropertyDef) {
	for _, d := range defs {
		if meaning, ok := strings.CutPrefix(d.URI, standard); ok {
			b.meanings[d.Code] = meaning
		}
	}
}

// maxText is the most text that the spans of one table can point into.
const maxText = math.MaxUint32

func (b *builder) add(text []byte) span {
	at := len(b.text)
	b.text = append(b.text, text...)
	return span{uint32(at), uint32(len(text))}
}

// maxValues bounds how many values of properties are remembered to be used again.
const maxValues = 4096

// share is add for text that is likely to come again.
func (b *builder) share(text []byte) span {
	if s, ok := b.value[string(text)]; ok {
		return s
	}
	s := b.add(text)
	if len(b.value) < maxValues {
		b.value[string(text)] = s
	}
	return s
}

func (b *builder) intern(text []byte) uint32 {
	if i, ok := b.word[string(text)]; ok {
		return i
	}
	i := uint32(len(b.t.words))
	b.t.words = append(b.t.words, string(text))
	b.word[string(text)] = i
	return i
}

// concepts takes in a list of concepts and what is below them. parent is the
// concept that they are nested in, or -1.
func (b *builder) concepts(d *element.Doc, list element.Node, parent int32) error {
	if list == element.None || d.Kind(list) != element.Array {
		return nil
	}
	for c := d.First(list); c != element.None; c = d.Next(list, c) {
		if len(b.text)+len(d.Raw(c)) > maxText || len(b.t.rows) >= math.MaxInt32-1 {
			return fhir.Errorf(fhir.TooLarge, "a code system of more than 4 GB")
		}
		if err := b.concept(d, c, parent); err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) concept(d *element.Doc, c element.Node, parent int32) error {
	i := int32(len(b.t.rows))
	r := row{designations: uint32(len(b.t.designations)), properties: uint32(len(b.t.properties))}
	nested := element.None
	if d.Kind(c) != element.Object {
		return fhir.Errorf(fhir.Unprocessable, "a concept is not an object")
	}
	for m := d.First(c); m != element.None; m = d.Next(c, m) {
		switch string(d.Name(m)) {
		case "code":
			r.code = b.add(d.Bytes(m))
		case "display":
			r.display = b.add(d.Bytes(m))
		case "definition":
			r.definition = b.add(d.Bytes(m))
		case "designation":
			b.designations(d, m)
		case "property":
			r.flags |= b.properties(d, m, i)
		case "concept":
			nested = m
		}
	}
	if r.code.n == 0 {
		return fhir.Errorf(fhir.Unprocessable, "a concept without a code")
	}
	b.t.rows = append(b.t.rows, r)
	if parent >= 0 {
		b.edges = append(b.edges, edge{i, parent})
	}
	return b.concepts(d, nested, i)
}

func (b *builder) designations(d *element.Doc, list element.Node) {
	for n := d.First(list); n != element.None; n = d.Next(list, n) {
		value := d.Get(n, "value")
		if value == element.None {
			continue
		}
		b.t.designations = append(b.t.designations, designation{
			language: b.intern(optional(d, d.Get(n, "language"))),
			use:      b.intern(compact(d, d.Get(n, "use"))),
			value:    b.add(d.Bytes(value)),
		})
	}
}

// properties takes in the properties of concept i and returns what flags they raise.
func (b *builder) properties(d *element.Doc, list element.Node, i int32) (f flags) {
	for n := d.First(list); n != element.None; n = d.Next(list, n) {
		code, value := d.Get(n, "code"), element.None
		for m := d.First(n); m != element.None; m = d.Next(n, m) {
			if strings.HasPrefix(string(d.Name(m)), "value") {
				value = m
			}
		}
		if code == element.None || value == element.None {
			continue
		}
		p := property{code: b.intern(d.Bytes(code)), typ: b.intern(d.Name(value))}
		if d.Kind(value) == element.Object {
			p.value = b.share(compact(d, value))
		} else {
			p.value = b.share(d.Bytes(value))
		}
		b.t.properties = append(b.t.properties, p)
		f |= b.meaning(b.t.words[p.code], string(d.Bytes(value)), i, p.value)
	}
	return f
}

// meaning acts on the properties that FHIR gives a meaning, by their URI or, since
// many code systems declare none, by their usual code.
func (b *builder) meaning(code, value string, i int32, at span) flags {
	if m, ok := b.meanings[code]; ok {
		code = m
	}
	switch code {
	case "notSelectable", "abstract":
		if value == "true" {
			return abstract
		}
	case "inactive":
		if value == "true" {
			return inactive
		}
	case "status":
		switch value {
		case "retired", "inactive":
			return inactive
		case "deprecated":
			return deprecated
		}
	case "parent", "subsumedBy":
		b.pending = append(b.pending, pending{i, at, true})
	case "child":
		b.pending = append(b.pending, pending{i, at, false})
	}
	return 0
}

// finish returns the table. folded says that codes differ by more than case.
func (b *builder) finish(folded bool) *table {
	t := &b.t
	t.folded = folded
	t.text = string(b.text)
	t.rows = append(t.rows, row{designations: uint32(len(t.designations)), properties: uint32(len(t.properties))})
	b.text, b.value = nil, nil
	t.rows, t.designations, t.properties = slices.Clone(t.rows), slices.Clone(t.designations), slices.Clone(t.properties) // to their size
	t.index()
	for _, p := range b.pending {
		switch other := t.find(t.str(p.code)); {
		case other < 0: // it points out of what is here
		case p.parent:
			b.edges = append(b.edges, edge{p.at, other})
		default:
			b.edges = append(b.edges, edge{other, p.at})
		}
	}
	t.link(b.edges)
	return t
}

// optional returns the text of a node, or nil for element.None.
func optional(d *element.Doc, n element.Node) []byte {
	if n == element.None {
		return nil
	}
	return d.Bytes(n)
}

// compact returns the JSON of a node, or nil for element.None.
func compact(d *element.Doc, n element.Node) []byte {
	if n == element.None {
		return nil
	}
	return d.AppendCompact(nil, n)
}
