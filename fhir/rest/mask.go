package rest

import (
	"slices"
	"strings"
	"sync"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/fhirpath"
	"github.com/amate-health/amate/fhir/spec"
)

// Mask leaves elements out of whatever goes to a caller: resources that are read,
// found, listed in a history, returned by a write or by an operation. What it leaves
// out cannot be searched by either, so that nobody can find by a name that they may
// not see. A nil Mask leaves everything in.
type Mask struct {
	of map[string][]*Veil // by resource type
}

// MaskRules say what a Veil leaves out.
type MaskRules struct {
	Text     bool     // all free text: strings, markdown, narrative, attached data
	Types    []string // whatever has one of these datatypes
	Elements []string // by path, such as "Address.line"; "Patient.birthDate:year" leaves the year
	Keep     []string // by path: stays although it is free text
}

// Veil is a set of MaskRules, compiled. It is safe for use by many goroutines.
type Veil struct {
	text              bool
	types, drop, keep map[string]bool
	year              map[string]bool
	plans             sync.Map // *spec.Type -> []veiling, by the index of the element
}

// veiling is what happens to an element.
type veiling uint8

const (
	unveiled veiling = iota
	dropped
	onlyYear
	descended // its parts are looked at
)

// NewMask returns the mask that holds every one of the veils listed for a resource
// type. Types that are not listed stay whole, unless they stand within one that is.
func NewMask(veils map[string][]*Veil) *Mask { return &Mask{of: veils} }

// NewVeil compiles rules.
func NewVeil(r MaskRules) *Veil {
	v := &Veil{text: r.Text, types: setOf(r.Types), keep: setOf(r.Keep), drop: map[string]bool{}, year: map[string]bool{}}
	for _, path := range r.Elements {
		if at, ok := strings.CutSuffix(path, ":year"); ok {
			v.year[at] = true
		} else {
			v.drop[path] = true
		}
	}
	return v
}

func setOf(list []string) map[string]bool {
	set := make(map[string]bool, len(list))
	for _, s := range list {
		set[s] = true
	}
	return set
}

// plan returns what happens to the elements of t.
func (v *Veil) plan(t *spec.Type) []veiling {
	if p, ok := v.plans.Load(t); ok {
		return p.([]veiling)
	}
	plan := make([]veiling, len(t.Elements))
	for i := range t.Elements {
		plan[i] = v.decide(t, &t.Elements[i])
	}
	p, _ := v.plans.LoadOrStore(t, plan)
	return p.([]veiling)
}

// decide says what happens to an element of t.
func (v *Veil) decide(t *spec.Type, el *spec.Element) veiling {
	path := t.Name + "." + el.Name
	switch {
	case v.drop[path]:
		return dropped
	case v.year[path]:
		return onlyYear
	case el.Type == nil || el.Resource:
		return descended
	}
	for base := el.Type; base != nil; base = base.Base {
		if v.types[base.Name] {
			return dropped
		}
	}
	switch el.Type.Name {
	case "string", "markdown", "xhtml", "base64Binary":
		if v.text && !v.keep[path] {
			return dropped
		}
	}
	if el.Type.Kind == spec.Primitive {
		return unveiled
	}
	return descended
}

// Empty reports whether m leaves everything in.
func (m *Mask) Empty() bool { return m == nil || len(m.of) == 0 }

// Veils reports whether m leaves something out of resources of type typ.
func (m *Mask) Veils(typ string) bool { return m != nil && len(m.of[typ]) > 0 }

// Apply returns a resource without what m leaves out.
// Errors: those of element.Parse.
func (m *Mask) Apply(resource []byte) ([]byte, error) { return m.appendTo(nil, resource) }

// appendTo appends src, a resource, without what m leaves out.
func (m *Mask) appendTo(dst, src []byte) ([]byte, error) {
	doc, err := element.Parse(src)
	if err != nil {
		return dst, err
	}
	w := masking{Mask: m, doc: doc, edit: doc.Edit(0)}
	w.resource(0, nil)
	return w.edit.AppendTo(dst), nil
}

// masking is the work on one document.
type masking struct {
	*Mask
	doc  *element.Doc
	edit *element.Edit
}

// resource masks the resource at n, which stands within one under outer.
func (w *masking) resource(n element.Node, outer []*Veil) {
	if w.doc.Kind(n) != element.Object {
		return
	}
	name := ""
	if at := w.doc.Get(n, "resourceType"); at != element.None {
		name = w.doc.Text(at)
	}
	veils := outer
	for _, v := range w.of[name] {
		if !slices.Contains(veils, v) {
			veils = append(slices.Clone(veils), v)
		}
	}
	t := spec.TypeOf(name)
	if t == nil || t.Kind != spec.ResourceKind {
		if len(veils) > 0 { // nobody knows what its elements are
			w.empty(n)
		}
		return
	}
	w.object(n, t, veils)
	if len(veils) > 0 {
		w.tag(n)
	}
}

// empty drops everything of a resource of an unknown type.
func (w *masking) empty(n element.Node) {
	for c := w.doc.First(n); c != element.None; c = w.doc.Next(n, c) {
		if name := string(w.doc.Name(c)); name != "resourceType" && name != "id" {
			w.edit.Drop(c)
		}
	}
}

// object masks the members of n, an object of type t, and reports whether any is left.
func (w *masking) object(n element.Node, t *spec.Type, veils []*Veil) (left bool) {
	for c := w.doc.First(n); c != element.None; c = w.doc.Next(n, c) {
		name := w.doc.Name(c)
		if string(name) == "resourceType" {
			left = true
			continue
		}
		var el *spec.Element
		if len(name) > 0 && name[0] != '_' { // extensions of a primitive: who knows what they say
			el = t.Element(name)
		}
		switch {
		case el != nil && w.member(c, t, el, veils):
			left = true
		case el == nil && len(veils) == 0:
			left = true
		default:
			w.edit.Drop(c)
		}
	}
	return left
}

// member masks the value of an element, and reports whether anything is left of it.
func (w *masking) member(c element.Node, t *spec.Type, el *spec.Element, veils []*Veil) bool {
	year := false
	for _, v := range veils {
		switch act := v.plan(t)[el.Index]; act {
		case dropped:
			return false
		case onlyYear:
			year = true
		}
	}
	switch {
	case year:
		return w.yearOf(c)
	case el.Type == nil || el.Resource:
		return w.each(c, func(n element.Node) bool { w.resource(n, veils); return true })
	case el.Type.Kind != spec.Primitive && (len(veils) > 0 || carriesResources(el.Type)):
		return w.each(c, func(n element.Node) bool { return w.doc.Kind(n) != element.Object || w.object(n, el.Type, veils) })
	case len(veils) > 0:
		return w.each(c, func(n element.Node) bool { return w.doc.Kind(n) != element.Null })
	}
	return true
}

// carriesResources reports whether resources can stand below an element of type t
// that is itself outside of any veil: the entries of a Bundle, the parameters of a
// Parameters.
func carriesResources(t *spec.Type) bool {
	return strings.HasPrefix(t.Name, "Bundle.") || strings.HasPrefix(t.Name, "Parameters.")
}

// each masks the items of an array by f, drops those of which nothing is left, and
// reports whether any is; or does so with the value itself.
func (w *masking) each(c element.Node, f func(element.Node) bool) (left bool) {
	if w.doc.Kind(c) != element.Array {
		return f(c)
	}
	for n := w.doc.First(c); n != element.None; n = w.doc.Next(c, n) {
		if f(n) {
			left = true
		} else {
			w.edit.Drop(n)
		}
	}
	return left
}

// yearOf cuts a date to its year.
func (w *masking) yearOf(c element.Node) bool {
	if w.doc.Kind(c) != element.String || len(w.doc.Bytes(c)) < 4 {
		return false
	}
	w.edit.SetString(c, string(w.doc.Bytes(c)[:4]))
	return true
}

// tag marks a resource as a part of itself.
func (w *masking) tag(n element.Node) {
	meta := w.doc.Get(n, "meta")
	if meta == element.None {
		if at := w.doc.Get(n, "resourceType"); at != element.None {
			w.edit.InsertAfter(at, `"meta":{"tag":[`+subsetTag+`]}`)
		}
		return
	}
	tagSubset(w.doc, w.edit, meta)
}

// Hides reports whether a search parameter of resources of type typ ("" for any)
// looks at something that m leaves out or cuts.
func (m *Mask) Hides(typ string, p *spec.SearchParam, modifier string) bool {
	if m.Empty() {
		return false
	}
	if typ != "" {
		t := spec.TypeOf(typ)
		return slices.ContainsFunc(m.of[typ], func(v *Veil) bool { return v.hides(t, p, modifier) })
	}
	for name := range m.of {
		if m.Hides(name, p, modifier) {
			return true
		}
	}
	return false
}

// hides reports whether p, of resources of type t, looks at something veiled.
func (v *Veil) hides(t *spec.Type, p *spec.SearchParam, modifier string) bool {
	switch p.Code {
	case "_id", "_lastUpdated", "_profile", "_security", "_tag":
		return false
	}
	if v.text && (p.Expression == "" || modifier == "text" || modifier == "identifier") {
		return true
	}
	if p.Type == spec.Composite {
		return v.text && slices.ContainsFunc(p.Components, func(c spec.Component) bool { return c.Type == spec.String })
	}
	expr, err := fhirpath.Compile(p.Expression, fhirpath.Filtering)
	if err != nil {
		return true
	}
	paths, ok := expr.Paths(t)
	if !ok {
		return true // what it evaluates cannot be told
	}
	return slices.ContainsFunc(paths, func(path fhirpath.Path) bool { return v.touches(t, p, path) })
}

// touches reports whether a path from t leads to or through something veiled.
func (v *Veil) touches(t *spec.Type, p *spec.SearchParam, path fhirpath.Path) bool {
	for _, step := range path.Steps {
		el := t.Element([]byte(step.Name))
		if el == nil {
			return true
		}
		if act := v.plan(t)[el.Index]; act == dropped || act == onlyYear {
			return true
		}
		if t = el.Type; t == nil {
			return true
		}
	}
	// A search for text in a datatype looks at all parts of it.
	return p.Type == spec.String && t.Kind != spec.Primitive && slices.Contains(v.plan(t), dropped)
}
