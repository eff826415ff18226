package message

import (
	"bytes"
	"slices"

	"github.com/amate-health/amate/fhir/element"
)

// merged returns old with what a message says in its place. Members that the message
// says nothing of stay; of identifiers, each that either has.
func merged(old, said []byte, clear []string) ([]byte, error) {
	was, err := element.Parse(old)
	if err != nil {
		return nil, err
	}
	is, err := element.Parse(said)
	if err != nil {
		return nil, err
	}
	fresh := map[string][]byte{}
	for n := is.First(0); n != element.None; n = is.Next(0, n) {
		fresh[string(is.Name(n))] = is.Raw(n)
	}
	if list := was.Get(0, "identifier"); list != element.None {
		fresh["identifier"] = union(was.Raw(list), fresh["identifier"])
	}
	if n := was.Get(0, "name"); n != element.None && fresh["name"] != nil && sameName(was, n, is) {
		delete(fresh, "name")
	}
	if n := was.Get(0, "period"); n != element.None && fresh["period"] != nil {
		if fresh["period"], err = merged(was.Raw(n), fresh["period"], nil); err != nil {
			return nil, err
		}
	}
	gone := slices.Clone(clear)
	if fresh["deceasedBoolean"] != nil {
		gone = append(gone, "deceasedDateTime")
	}
	if fresh["deceasedDateTime"] != nil {
		gone = append(gone, "deceasedBoolean")
	}
	out := []byte{'{'}
	add := func(name string, raw []byte) {
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(element.Quote(out, name), ':'), raw...)
	}
	written := map[string]bool{}
	for n := was.First(0); n != element.None; n = was.Next(0, n) {
		name := string(was.Name(n))
		plain := name
		if name != "" && name[0] == '_' {
			plain = name[1:]
		}
		switch value := fresh[plain]; {
		case slices.Contains(gone, plain):
		case value == nil:
			add(name, was.Raw(n))
		case plain == name:
			add(name, value)
			written[name] = true
		case bytes.Equal(value, was.Raw(was.Get(0, plain))):
			add(name, was.Raw(n)) // what is said of the value still holds
		}
	}
	for n := is.First(0); n != element.None; n = is.Next(0, n) {
		if name := string(is.Name(n)); fresh[name] != nil && !written[name] && !slices.Contains(clear, name) {
			add(name, fresh[name])
		}
	}
	return append(out, '}'), nil
}

// identifiersIn returns the identifiers of a resource.
func identifiersIn(d *element.Doc, resource element.Node) []Identifier {
	var all []Identifier
	list := d.Get(resource, "identifier")
	if list == element.None || d.Kind(list) != element.Array {
		return nil
	}
	for n := d.First(list); n != element.None; n = d.Next(list, n) {
		all = append(all, Identifier{textAt(d, n, "system"), textAt(d, n, "value")})
	}
	return all
}

func textAt(d *element.Doc, n element.Node, name string) string {
	if n == element.None || d.Kind(n) != element.Object {
		return ""
	}
	v := d.Get(n, name)
	if v == element.None || d.Kind(v) == element.Object || d.Kind(v) == element.Array {
		return ""
	}
	return d.Text(v)
}

// union joins two lists of identifiers: those of old as they are, then the new ones.
func union(old, said []byte) []byte {
	if said == nil {
		return old
	}
	was, err := element.Parse([]byte(`{"identifier":` + string(old) + `}`))
	if err != nil {
		return said
	}
	is, err := element.Parse([]byte(`{"identifier":` + string(said) + `}`))
	if err != nil {
		return old
	}
	known := identifiersIn(was, 0)
	out := bytes.TrimSuffix(bytes.Clone(old), []byte("]"))
	list := is.Get(0, "identifier")
	for n := is.First(list); n != element.None; n = is.Next(list, n) {
		if !slices.Contains(known, Identifier{textAt(is, n, "system"), textAt(is, n, "value")}) {
			out = append(append(out, ','), is.Raw(n)...)
		}
	}
	return append(out, ']')
}

// sameName reports whether the first name of both is the same one, so that what is
// known of it beside, such as which part comes from whom, stays.
func sameName(was *element.Doc, list element.Node, is *element.Doc) bool {
	parts := func(d *element.Doc, list element.Node) (all []string) {
		if list == element.None || d.Kind(list) != element.Array || d.Size(list) == 0 {
			return nil
		}
		n := d.First(list)
		all = append(all, textAt(d, n, "family"))
		given := d.Get(n, "given")
		if given == element.None {
			return all
		}
		for g := d.First(given); g != element.None; g = d.Next(given, g) {
			if d.Kind(g) != element.Object && d.Kind(g) != element.Array {
				all = append(all, d.Text(g))
			}
		}
		return all
	}
	said := is.Get(0, "name")
	return is.Size(said) == 1 && slices.Equal(parts(was, list), parts(is, said))
}

// retired returns a patient who was merged into another.
//
// See https://hl7.org/fhir/R4/patient.html#linking.
func retired(old []byte, survivor string) ([]byte, error) {
	link := inner().raw("other", reference(survivor, "")).text("type", "replaced-by").end()
	d, err := element.Parse(old)
	if err != nil {
		return nil, err
	}
	links := "[" + link + "]"
	if n := d.Get(0, "link"); n != element.None && d.Size(n) > 0 {
		if replacedBy(d, 0) == survivor {
			links = string(d.Raw(n))
		} else {
			links = string(bytes.TrimSuffix(bytes.Clone(d.Raw(n)), []byte("]"))) + "," + link + "]"
		}
	}
	return merged(old, []byte(`{"active":false,"link":`+links+`}`), nil)
}

// replacedBy returns the reference to the patient who took this one's place, "" for none.
func replacedBy(d *element.Doc, patient element.Node) string {
	list := d.Get(patient, "link")
	if list == element.None || d.Kind(list) != element.Array {
		return ""
	}
	for n := d.First(list); n != element.None; n = d.Next(list, n) {
		if textAt(d, n, "type") == "replaced-by" {
			return textAt(d, d.Get(n, "other"), "reference")
		}
	}
	return ""
}
