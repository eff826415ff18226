package search

import (
	"slices"
	"sync"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/fhirpath"
	"github.com/amate-health/amate/fhir/spec"
)

// Indexing says how resources are indexed.
type Indexing struct {
	Base      string     // the server's base URL, without a slash at the end: references below it count as relative
	Catalogue *Catalogue // nil is Standard
	FullText  bool       // fill Index.Text and Index.Content

	// Person fills Index.Person for the Patient at root; nil leaves it empty.
	Person func(d *element.Doc, root element.Node) Person
}

// Extract returns the index values of the resource at root by the parameters of R4,
// without full text. See Indexing.Extract.
func Extract(d *element.Doc, root element.Node, base string) (Index, error) {
	return Indexing{Base: base}.Extract(d, root)
}

// Extract returns the index values of the resource at root. What it returns holds no
// memory of d.
//
// Values that cannot be read as their type asks are passed over, since finding
// those is the business of validation.
func (in Indexing) Extract(d *element.Doc, root element.Node) (Index, error) {
	item := fhirpath.Root(d, root)
	if item.Type == nil || !spec.IsResource(item.Type.Name) {
		return Index{}, fhir.Errorf(fhir.Invalid, "not a resource")
	}
	plan, err := in.Catalogue.or().planOf(item.Type.Name)
	if err != nil {
		return Index{}, err
	}
	x := extractors.Get().(*extractor)
	x.reset(d, in.Base)
	for i := range plan.here {
		plan.here[i].emit(x, &plan.here[i], root)
	}
	x.walk(&plan.root, root)
	for i := range plan.evaluated {
		x.evaluate(&plan.evaluated[i], item)
	}
	if in.FullText {
		x.fullText(item.Type, root)
	}
	switch item.Type.Name {
	case "Consent":
		x.consent(root)
	case "Bundle":
		x.bundle(root)
	case "Binary":
		x.binary(root)
	}
	x.ties(item.Type.Name, root)
	ix := x.take()
	if in.Person != nil && item.Type.Name == "Patient" {
		ix.Person = in.Person(d, root)
	}
	x.reset(nil, "")
	extractors.Put(x)
	return ix, nil
}

// extractors lends the buffers that an extraction collects its values in.
var extractors = sync.Pool{New: func() any { return new(extractor) }}

// maxOrdinal is how many parameters a type can have; R4 gives none more than 60.
const maxOrdinal = 256

// extractor is one extraction.
type extractor struct {
	d    *element.Doc
	base string
	seen [maxOrdinal / 64]uint64 // one bit for each parameter that has its presence token
	ix   Index

	// Of a composite: the pair that rows are for, and where tokens go instead of ix.
	pairing Pair
	gather  *gatherer
	halves  [2]gatherer

	texts interned
	last  measure // the unit met last, since composites meet each again
}

func (x *extractor) reset(d *element.Doc, base string) {
	x.d, x.base, x.seen = d, base, [maxOrdinal / 64]uint64{}
	ix := &x.ix
	clear(ix.Links) // so that a buffer keeps no strings alive
	clear(ix.Strings)
	clear(ix.Words)
	ix.Tokens, ix.Links, ix.Dates = ix.Tokens[:0], ix.Links[:0], ix.Dates[:0]
	ix.Numbers, ix.Strings, ix.Words, ix.Places = ix.Numbers[:0], ix.Strings[:0], ix.Words[:0], ix.Places[:0]
	clear(ix.Text)
	clear(ix.Content)
	ix.Text, ix.Content = ix.Text[:0], ix.Content[:0]
	x.pairing, x.gather, x.last = Pair{}, nil, measure{}
}

// take returns a tidy copy, each slice of just its size.
func (x *extractor) take() Index {
	x.ix.tidy()
	return Index{
		Tokens: clip(x.ix.Tokens), Links: clip(x.ix.Links), Dates: clip(x.ix.Dates),
		Numbers: clip(x.ix.Numbers), Strings: clip(x.ix.Strings),
		Words: clip(x.ix.Words), Places: clip(x.ix.Places),
		Text: clip(x.ix.Text), Content: clip(x.ix.Content),
	}
}

func clip[T any](s []T) []T {
	if len(s) == 0 {
		return nil
	}
	return slices.Clone(s)
}

// present notes that the resource has a value for l, for :missing.
func (x *extractor) present(l *leaf) {
	word, bit := l.ordinal/64, uint64(1)<<(l.ordinal%64)
	if x.seen[word]&bit == 0 {
		x.seen[word] |= bit
		x.ix.Tokens = append(x.ix.Tokens, l.presence)
	}
}

// walk follows all paths from object n in one pass over its members.
func (x *extractor) walk(b *branch, n element.Node) {
	d := x.d
	if d.Kind(n) != element.Object {
		return
	}
	for c := d.First(n); c != element.None; c = d.Next(n, c) {
		name := d.Name(c)
		for i := range b.fields {
			if f := &b.fields[i]; f.name == string(name) {
				x.field(f, c)
				break
			}
		}
	}
}

// field follows the edges under one name.
func (x *extractor) field(f *field, c element.Node) {
	d := x.d
	if d.Kind(c) != element.Array {
		x.item(f, c, 0)
		return
	}
	at := 0
	for i := d.First(c); i != element.None; i = d.Next(c, i) {
		x.item(f, i, at)
		at++
	}
}

func (x *extractor) item(f *field, n element.Node, at int) {
	if x.d.Kind(n) == element.Null {
		return
	}
	for i := range f.edges {
		e := &f.edges[i]
		if e.index >= 0 && e.index != at || !e.keep.Passes(x.d, n) {
			continue
		}
		for j := range e.leaves {
			l := &e.leaves[j]
			l.emit(x, l, n)
		}
		if len(e.fields) > 0 {
			x.walk(&e.branch, n)
		}
	}
}

// child returns the member of n called name when it is a string; else nil.
func (x *extractor) child(n element.Node, name string) []byte {
	c := x.d.Get(n, name)
	if c == element.None || x.d.Kind(c) != element.String {
		return nil
	}
	return x.d.Bytes(c)
}

// each calls f with the items of member name of n, or with the member itself when
// it is no array.
func (x *extractor) each(n element.Node, name string, f func(element.Node)) {
	c := x.d.Get(n, name)
	if c == element.None {
		return
	}
	if x.d.Kind(c) != element.Array {
		f(c)
		return
	}
	for i := x.d.First(c); i != element.None; i = x.d.Next(c, i) {
		f(i)
	}
}
