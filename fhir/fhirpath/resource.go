package fhirpath

import (
	"bytes"
	"strings"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/spec"
)

// The functions that FHIR adds.
//
// See https://hl7.org/fhir/R4/fhirpath.html#functions.
var resources = map[string]function{
	"extension": {min: 1, max: 1, eval: extension},
	"hasValue": plain(func(_ *run, in Collection) (Collection, error) {
		return truths(len(in) == 1 && primitiveValue(in[0]) != nil), nil
	}),
	"getValue": plain(func(_ *run, in Collection) (Collection, error) {
		if len(in) != 1 {
			return nil, nil
		}
		if v := primitiveValue(in[0]); v != nil {
			return values(v), nil
		}
		return nil, nil
	}),
	"resolve": plain(resolve),
}

func primitiveValue(i Item) Value {
	if i.Doc != nil && i.Type != nil && i.Type.Kind != spec.Primitive {
		return nil
	}
	return i.System()
}

func extension(r *run, s scope, in Collection, args []node) (Collection, error) {
	c, err := args[0].eval(r, s)
	if err != nil {
		return nil, err
	}
	url, ok, err := text(c)
	if !ok {
		return nil, err
	}
	var out Collection
	for _, i := range in {
		all, err := r.member(nil, i, "extension")
		if err != nil {
			return nil, err
		}
		for _, e := range all {
			if e.Node == element.None {
				continue
			}
			if n := e.Doc.Get(e.Node, "url"); n != element.None && string(e.Doc.Bytes(n)) == url {
				out = append(out, e)
			}
		}
	}
	return out, nil
}

// resolve finds contained resources, and others by Env.Resolve. Of any other
// reference only the type of its target is known, from the type element or the
// text, so that resolve() is Patient can be answered. Such an item has no children.
func resolve(r *run, in Collection) (Collection, error) {
	var out Collection
	for _, i := range in {
		if err := r.step(1); err != nil {
			return nil, err
		}
		if i.Doc == nil || i.Node == element.None {
			continue
		}
		n := i.Node
		if i.Doc.Kind(n) == element.Object {
			n = i.Doc.Get(n, "reference")
		}
		if n != element.None && i.Doc.Kind(n) == element.String {
			if ref := i.Doc.Text(n); strings.HasPrefix(ref, "#") {
				out = append(out, r.contained(i.Doc, ref[1:])...)
				continue
			} else if r.env.Resolve != nil {
				if found, ok := r.env.Resolve(ref); ok {
					out = append(out, found)
					continue
				}
			}
		}
		if t := TargetType(i.Doc, i.Node); t != nil {
			out = append(out, Item{Type: t, Doc: i.Doc, Node: element.None, Side: element.None})
		}
	}
	return out, nil
}

// contained finds the contained resource called id in the outermost resource that is
// known; "" is that resource itself.
func (r *run) contained(d *element.Doc, id string) Collection {
	root := r.root
	if outer, ok := r.env.Variables["rootResource"]; ok && outer.Doc == d {
		root = outer
	} else if r.env.Resource.Doc == d {
		root = r.env.Resource
	}
	if root.Doc != d || root.Node == element.None {
		return nil
	}
	if id == "" {
		return Collection{root}
	}
	list := d.Get(root.Node, "contained")
	if list == element.None || d.Kind(list) != element.Array {
		return nil
	}
	for c := d.First(list); c != element.None; c = d.Next(list, c) {
		if n := d.Get(c, "id"); n != element.None && string(d.Bytes(n)) == id {
			return Collection{Root(d, c)}
		}
	}
	return nil
}

// TargetType returns the type that the Reference, canonical or uri at n points to,
// as far as its own content tells: by Reference.type, or by its literal text, as in
// "Patient/1", "http://example.org/fhir/Patient/1" and "Patient/1/_history/2". It
// returns nil when that does not tell. It does not allocate.
func TargetType(d *element.Doc, n element.Node) *spec.Type {
	if d.Kind(n) == element.Object {
		if t := d.Get(n, "type"); t != element.None && d.Kind(t) == element.String {
			if typ := spec.TypeOf(string(d.Bytes(t))); typ != nil && typ.Kind == spec.ResourceKind {
				return typ
			}
		}
		n = d.Get(n, "reference")
	}
	if n == element.None || d.Kind(n) != element.String {
		return nil
	}
	return typeInURL(d.Bytes(n))
}

var history = []byte("/_history/")

// typeInURL returns the resource type that stands before the id.
func typeInURL(url []byte) *spec.Type {
	if at := bytes.Index(url, history); at >= 0 {
		url = url[:at]
	}
	id := bytes.LastIndexByte(url, '/')
	if id < 0 {
		return nil
	}
	url = url[:id]
	if at := bytes.LastIndexByte(url, '/'); at >= 0 {
		url = url[at+1:]
	}
	if t := spec.TypeOf(string(url)); t != nil && t.Kind == spec.ResourceKind {
		return t
	}
	return nil
}
