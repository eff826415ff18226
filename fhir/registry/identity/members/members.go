// Package members edits JSON objects member by member, in their order, without reading what
// it does not touch: numbers keep their digits.
package members

import (
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir/element"
)

// Member is a member of an object, its value in compact JSON.
type Member struct {
	Name string
	Raw  string
}

// Object is a JSON object, its members in order.
type Object []Member

// Parse reads an object.
func Parse(json []byte) (Object, error) {
	d, err := element.Parse(json)
	if err != nil {
		return nil, err
	}
	return At(d, 0), nil
}

// At returns the object at a node, nil when there is none.
func At(d *element.Doc, at element.Node) Object {
	if at == element.None || d.Kind(at) != element.Object {
		return nil
	}
	var o Object
	for n := d.First(at); n != element.None; n = d.Next(at, n) {
		o = append(o, Member{string(d.Name(n)), string(d.AppendCompact(nil, n))})
	}
	return o
}

// Of reads an object; nil, which has no members, for anything else.
func Of(raw string) Object {
	o, err := Parse([]byte(raw))
	if err != nil {
		return nil
	}
	return o
}

// Get returns a member as JSON, "" for none.
func (o Object) Get(name string) string {
	for _, m := range o {
		if m.Name == name {
			return m.Raw
		}
	}
	return ""
}

// Text returns a string member, "" for none.
func (o Object) Text(name string) string {
	raw := o.Get(name)
	if !strings.HasPrefix(raw, `"`) {
		return ""
	}
	d, err := element.Parse([]byte(`[` + raw + `]`))
	if err != nil {
		return ""
	}
	return d.Text(d.First(0))
}

// With returns o with a member set, or removed when raw is "".
func (o Object) With(name, raw string) Object {
	out := slices.Clone(o)
	for i := range out {
		if out[i].Name == name {
			if raw == "" {
				return slices.Delete(out, i, i+1)
			}
			out[i].Raw = raw
			return out
		}
	}
	if raw == "" {
		return out
	}
	return append(out, Member{name, raw})
}

// String returns o as compact JSON.
func (o Object) String() string {
	b := []byte{'{'}
	for i, m := range o {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(element.Quote(b, m.Name), ':')
		b = append(b, m.Raw...)
	}
	return string(append(b, '}'))
}

// Items returns the items of an array, nil for anything else.
func Items(raw string) []string {
	if !strings.HasPrefix(raw, "[") {
		return nil
	}
	d, err := element.Parse([]byte(raw))
	if err != nil {
		return nil
	}
	var all []string
	for n := d.First(0); n != element.None; n = d.Next(0, n) {
		all = append(all, string(d.AppendCompact(nil, n)))
	}
	return all
}

// Array is the reverse of Items; "" for none, which With leaves out.
func Array(all []string) string {
	if len(all) == 0 {
		return ""
	}
	return "[" + strings.Join(all, ",") + "]"
}

// Quote returns a string as JSON.
func Quote(s string) string { return string(element.Quote(nil, s)) }
