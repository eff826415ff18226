package birth

import (
	"bytes"
	"encoding/json"
	"strings"

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
	e.SetEscapeHTML(false) // narrative stays readable
	if err := e.Encode(v); err != nil {
		panic(err) // see above
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

// text returns the member of n called name when it is a string; else "".
func text(d *element.Doc, n element.Node, name string) string {
	m := d.Get(n, name)
	if m == element.None || d.Kind(m) != element.String {
		return ""
	}
	return d.Text(m)
}

// items yields the items of the array of n called name.
func items(d *element.Doc, n element.Node, name string) func(yield func(element.Node) bool) {
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

// push adds an item to the array of object n called name, which it makes where there is none.
func push(e *element.Edit, d *element.Doc, n element.Node, name, item string) {
	if list := d.Get(n, name); list != element.None && d.Kind(list) == element.Array {
		e.Append(list, item)
	} else {
		e.Append(n, string(element.Quote(nil, name))+":["+item+"]")
	}
}

// set makes value, JSON, the member of object n called name.
func set(e *element.Edit, d *element.Doc, n element.Node, name, value string) {
	if m := d.Get(n, name); m != element.None {
		e.Replace(m, value)
	} else {
		e.Append(n, string(element.Quote(nil, name))+":"+value)
	}
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

// fold brings a name into the form in which names are compared.
func fold(s string) string {
	s = strings.NewReplacer("Á", "A", "É", "E", "Í", "I", "Ó", "O", "Ú", "U", "Ü", "U", ".", "", "-", " ").Replace(strings.ToUpper(s))
	return strings.Join(strings.Fields(s), " ")
}
