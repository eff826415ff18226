package dose

import (
	"bytes"
	"encoding/json"
	"iter"
	"maps"
	"slices"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
)

// object is a JSON object that is written here.
type object map[string]any

// encode returns v as JSON. What is given is made of strings, numbers, lists, objects and
// JSON that was read before.
func encode(v any) []byte {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // see above
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

// resource returns v as JSON, its type first, where people look for it.
func resource(v object) []byte {
	rest := maps.Clone(v)
	delete(rest, "resourceType")
	return slices.Concat([]byte(`{"resourceType":`), encode(v["resourceType"]), []byte(","), encode(rest)[1:])
}

// text returns the member of n called name when it is a string; else "".
func text(d *element.Doc, n element.Node, name string) string {
	if n == element.None {
		return ""
	}
	m := d.Get(n, name)
	if m == element.None || d.Kind(m) != element.String {
		return ""
	}
	return d.Text(m)
}

// at returns the member of n at the end of a path of names; element.None for none.
func at(d *element.Doc, n element.Node, names ...string) element.Node {
	for _, name := range names {
		if n == element.None {
			return n
		}
		n = d.Get(n, name)
	}
	return n
}

// items yields the items of the array of n called name.
func items(d *element.Doc, n element.Node, name string) iter.Seq[element.Node] {
	return func(yield func(element.Node) bool) {
		list := at(d, n, name)
		if list == element.None || d.Kind(list) != element.Array {
			return
		}
		for i := d.First(list); i != element.None && yield(i); {
			i = d.Next(list, i)
		}
	}
}

// members reads an object, so that it can be changed. The values stay as they were written.
func members(d *element.Doc, n element.Node) object {
	all := object{}
	for c := d.First(n); c != element.None; c = d.Next(n, c) {
		all[string(d.Name(c))] = json.RawMessage(d.AppendCompact(nil, c))
	}
	return all
}

func coding(system, code, display string) object {
	c := object{"system": system, "code": code}
	if display != "" {
		c["display"] = display
	}
	return c
}

func concept(system, code, display string) object {
	return object{"coding": []object{coding(system, code, display)}}
}

func refer(ref fhir.Ref) object { return object{"reference": ref.Current().String()} }

func part(name, typ string, value any) object { return object{"name": name, "value" + typ: value} }

// answer returns parameters as what an operation returns.
func answer(parts []object) *operation.Answer {
	return &operation.Answer{JSON: []byte(`{"resourceType":"Parameters","parameter":` + string(encode(parts)) + "}")}
}

// outcome is a parameter that holds findings.
func outcome(name string, issues []fhir.Issue) object {
	return object{"name": name, "resource": json.RawMessage(operation.AppendOutcome(nil, issues))}
}
