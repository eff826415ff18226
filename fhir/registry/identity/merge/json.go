package merge

import (
	"bytes"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir/element"
)

// member is a member of an object, its value in compact JSON.
type member struct {
	name string
	raw  string
}

// object is a JSON object, its members in order.
type object []member

func parseObject(json []byte) (object, error) {
	d, err := element.Parse(json)
	if err != nil {
		return nil, err
	}
	return objectAt(d, 0), nil
}

func objectAt(d *element.Doc, at element.Node) object {
	if d.Kind(at) != element.Object {
		return nil
	}
	var o object
	for n := d.First(at); n != element.None; n = d.Next(at, n) {
		o = append(o, member{string(d.Name(n)), string(d.AppendCompact(nil, n))})
	}
	return o
}

func (o object) get(name string) string {
	for _, m := range o {
		if m.name == name {
			return m.raw
		}
	}
	return ""
}

// text returns a string member, "" for none.
func (o object) text(name string) string { return unquoted(o.get(name)) }

func unquoted(raw string) string {
	if !strings.HasPrefix(raw, `"`) {
		return ""
	}
	d, err := element.Parse([]byte(`[` + raw + `]`))
	if err != nil {
		return ""
	}
	return d.Text(d.First(0))
}

// with returns o with a member set, or removed when raw is "".
func (o object) with(name, raw string) object {
	out := slices.Clone(o)
	for i := range out {
		if out[i].name == name {
			if raw == "" {
				return slices.Delete(out, i, i+1)
			}
			out[i].raw = raw
			return out
		}
	}
	if raw == "" {
		return out
	}
	return append(out, member{name, raw})
}

func (o object) String() string {
	var b []byte
	b = append(b, '{')
	for i, m := range o {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(element.Quote(b, m.name), ':')
		b = append(b, m.raw...)
	}
	return string(append(b, '}'))
}

// items returns the items of an array, nil for anything else.
func items(raw string) []string {
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

// array is the reverse of items; "" for none.
func array(all []string) string {
	if len(all) == 0 {
		return ""
	}
	return "[" + strings.Join(all, ",") + "]"
}

func mustObject(raw string) object {
	o, _ := parseObject([]byte(raw)) // what was parsed before; nil has no members
	return o
}

func quote(s string) string { return string(element.Quote(nil, s)) }

// repoint returns json with its references to Patient/from leading to Patient/to, how
// many there are, and whether it referred to Patient/to before. A reference to one
// version of a Patient stays: it says what was seen.
func repoint(json []byte, base, from, to string) (out []byte, n int, mixed bool, err error) {
	if !bytes.Contains(json, []byte("Patient")) && !bytes.Contains(json, []byte(`\`)) {
		return json, 0, false, nil
	}
	d, err := element.Parse(json)
	if err != nil {
		return nil, 0, false, err
	}
	edit := d.Edit(0)
	for node := element.Node(0); int(node) < d.Len(); node++ {
		if string(d.Name(node)) != "reference" || d.Kind(node) != element.String {
			continue
		}
		switch strings.TrimPrefix(d.Text(node), base+"/") {
		case "Patient/" + from:
			edit.SetString(node, "Patient/"+to)
			n++
		case "Patient/" + to:
			mixed = true
		}
	}
	if n == 0 {
		return json, 0, mixed, nil
	}
	return edit.AppendTo(nil), n, mixed, nil
}
