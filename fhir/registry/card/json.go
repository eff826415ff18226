package card

import (
	"bytes"
	"encoding/json"
	"iter"
	"maps"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
)

// object is a JSON object that is written here.
type object map[string]any

// MarshalJSON writes resourceType first, and the rest in the order of its names.
func (o object) MarshalJSON() ([]byte, error) {
	typ, ok := o["resourceType"]
	if !ok {
		return plain(map[string]any(o))
	}
	rest := maps.Clone(o)
	delete(rest, "resourceType")
	head, err := plain(map[string]any{"resourceType": typ})
	if err != nil || len(rest) == 0 {
		return head, err
	}
	tail, err := plain(map[string]any(rest))
	if err != nil {
		return nil, err
	}
	return append(append(head[:len(head)-1], ','), tail[1:]...), nil
}

// encode returns v as compact JSON. What is given is made of strings, numbers, lists,
// objects and JSON that was read before.
func encode(v any) []byte {
	out, err := plain(v)
	if err != nil {
		panic(err) // see above
	}
	return out
}

// plain writes JSON as it is: nothing of it goes into a page.
func plain(v any) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), err
}

// text returns the primitive at the end of a path of names from n; "" for none.
func text(d *element.Doc, n element.Node, names ...string) string {
	n = at(d, n, names...)
	if n == element.None || d.Kind(n) == element.Object || d.Kind(n) == element.Array {
		return ""
	}
	return d.Text(n)
}

// at returns the member of n at the end of a path of names; element.None for none.
func at(d *element.Doc, n element.Node, names ...string) element.Node {
	for _, name := range names {
		n = d.Get(n, name)
	}
	return n
}

// items yields the items of the array of n called name.
func items(d *element.Doc, n element.Node, name string) iter.Seq[element.Node] {
	return func(yield func(element.Node) bool) {
		list := d.Get(n, name)
		if list == element.None || d.Kind(list) != element.Array {
			return
		}
		for i := d.First(list); i != element.None && yield(i); {
			i = d.Next(list, i)
		}
	}
}

// part is a parameter with a value.
func part(name, typ string, value any) object { return object{"name": name, "value" + typ: value} }

// answer returns parameters as what an operation returns.
func answer(parts []object) *operation.Answer {
	if len(parts) == 0 {
		return &operation.Answer{JSON: []byte(`{"resourceType":"Parameters"}`)}
	}
	return &operation.Answer{JSON: []byte(`{"resourceType":"Parameters","parameter":` + string(encode(parts)) + "}")}
}
