package r4

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/amate-health/amate/fhir/element"
)

// mutations are the changes that are tried. Each edits at node n, or returns false
// where it cannot.
var mutations = []struct {
	name string
	make func(r *rand.Rand, d *element.Doc, e *element.Edit, n element.Node) bool
}{
	{"drop", func(_ *rand.Rand, _ *element.Doc, e *element.Edit, n element.Node) bool {
		e.Drop(n)
		return true
	}},
	{"double", func(_ *rand.Rand, d *element.Doc, e *element.Edit, n element.Node) bool {
		e.InsertAfter(n, named(d, n, string(d.Name(n)), string(d.AppendCompact(nil, n))))
		return true
	}},
	{"retype", func(r *rand.Rand, _ *element.Doc, e *element.Edit, n element.Node) bool {
		e.Replace(n, pick(r, `"text"`, `7`, `-7`, `1.50`, `true`, `{"id":"x"}`, `["text"]`, `[1]`, `[{"id":"x"}]`))
		return true
	}},
	{"nothing", func(r *rand.Rand, _ *element.Doc, e *element.Edit, n element.Node) bool {
		e.Replace(n, pick(r, `null`, `""`, `{}`, `[]`, `[null]`, `" "`))
		return true
	}},
	{"into a list", func(_ *rand.Rand, d *element.Doc, e *element.Edit, n element.Node) bool {
		e.Replace(n, "["+string(d.AppendCompact(nil, n))+"]")
		return true
	}},
	{"out of a list", func(_ *rand.Rand, d *element.Doc, e *element.Edit, n element.Node) bool {
		if d.Kind(n) != element.Array || d.Size(n) == 0 {
			return false
		}
		e.Replace(n, string(d.AppendCompact(nil, d.First(n))))
		return true
	}},
	{"rename", func(r *rand.Rand, d *element.Doc, e *element.Edit, n element.Node) bool {
		name := string(d.Name(n))
		if name == "" {
			return false
		}
		name = pick(r, "_"+name, name+"s", strings.ToUpper(name[:1])+name[1:], "valueString", "value", "extension", strings.TrimLeft(name, "_"))
		e.InsertAfter(n, named(d, n, name, string(d.AppendCompact(nil, n))))
		e.Replace(n, "0")
		e.Drop(n)
		return true
	}},
	{"add a member", func(r *rand.Rand, d *element.Doc, e *element.Edit, n element.Node) bool {
		if d.Kind(n) != element.Object {
			return false
		}
		e.Append(n, pick(r, `"unknown":1`, `"id":"x y"`, `"extension":[{"url":"http://x"}]`, `"extension":[{"url":"http://x","valueCode":"c"}]`,
			`"modifierExtension":[{"url":"http://x","valueBoolean":true}]`, `"contained":[{"resourceType":"Patient","id":"p1"}]`, `"_id":{"extension":[]}`,
			`"language":"es-MX"`, `"text":{"status":"generated"}`, `"meta":{"versionId":"1"}`, `"valueInteger":1`, `"valueBoolean":false`, `"resourceType":"Patient"`))
		return true
	}},
	{"an item of nothing", func(_ *rand.Rand, d *element.Doc, e *element.Edit, n element.Node) bool {
		if d.Kind(n) != element.Array {
			return false
		}
		e.Append(n, "null")
		return true
	}},
	{"give it an id", func(r *rand.Rand, d *element.Doc, e *element.Edit, n element.Node) bool {
		name := string(d.Name(n))
		if name == "" || d.Kind(n) == element.Object {
			return false
		}
		e.InsertAfter(n, `"_`+name+`":`+pick(r, `{"id":"x"}`, `[{"id":"x"}]`, `{"extension":[{"url":"http://x","valueCode":"c"}]}`, `[null]`, `{}`, `"x"`))
		return true
	}},
	{"another text", func(r *rand.Rand, d *element.Doc, e *element.Edit, n element.Node) bool {
		if d.Kind(n) != element.String {
			return false
		}
		text := d.Text(n)
		e.SetString(n, pick(r, "nonsense", strings.ToUpper(text), text+" ", " "+text, text+"\n", text+text, "ñ", "Foo/1", "Patient/1", "Medication/1/_history/2",
			"#nothing", "urn:uuid:53fefa32-fcbb-4ff8-8a92-55ee120877b7", "http://example.org/fhir/Observation/1", "2020-02-30", "2020-13", "2020-02-28T24:00:00Z",
			"2020-02-28T10:00:60Z", "2020-02-28T10:00:00.1Z", "2020-02-28T10:00", "25:00:00", "http://x y", "%", "://", "12"))
		return true
	}},
	{"another number", func(r *rand.Rand, d *element.Doc, e *element.Edit, n element.Node) bool {
		if d.Kind(n) != element.Number {
			return false
		}
		e.Replace(n, pick(r, "0", "-1", "-0", "1e2", "1E-3", "2147483648", "1.0", "123456789012345678901234567890", `"5"`, "1e400"))
		return true
	}},
}

func pick(r *rand.Rand, from ...string) string { return from[r.IntN(len(from))] }

// named returns value as it stands beside n: as a member called name, or as an item.
func named(d *element.Doc, n element.Node, name, value string) string {
	if len(d.Name(n)) == 0 {
		return value
	}
	return string(element.Quote(nil, name)) + ":" + value
}

// mutate returns src with one change at random, and what was done.
func mutate(r *rand.Rand, src []byte) (string, []byte) {
	d, err := element.Parse(src)
	if err != nil {
		panic(err)
	}
	for {
		n := element.Node(1 + r.IntN(d.Len()-1))
		m := mutations[r.IntN(len(mutations))]
		e := d.Edit(0)
		if m.make(r, d, e, n) {
			return fmt.Sprintf("%s at %.60s", m.name, d.Raw(n)), e.AppendTo(nil)
		}
	}
}
