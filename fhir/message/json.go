package message

import (
	"sync"

	"github.com/amate-health/amate/fhir/element"
)

// object writes JSON, member by member. What is empty is left out.
type object struct {
	b    []byte
	open bool // nothing stands in the innermost object or list yet
}

// objects lends what JSON is put together in: a message has a hundred objects.
var objects = sync.Pool{New: func() any { return new(object) }}

// begin returns an object that begins with text. It is given back by end or bytes.
func begin(text string, open bool) *object {
	o := objects.Get().(*object)
	o.b, o.open = append(o.b[:0], text...), open
	return o
}

func newObject(resource string) *object {
	o := begin(`{"resourceType":"`, false)
	o.b = append(append(o.b, resource...), '"')
	return o
}

func (o *object) comma() {
	if o.open {
		o.open = false
		return
	}
	o.b = append(o.b, ',')
}

func (o *object) name(n string) {
	o.comma()
	o.b = append(append(append(o.b, '"'), n...), `":`...)
}

// text writes a string, unless it is "".
func (o *object) text(name, value string) *object {
	if value != "" {
		o.name(name)
		o.b = element.Quote(o.b, value)
	}
	return o
}

// raw writes JSON as it is, unless it is "".
func (o *object) raw(name, json string) *object {
	if json != "" {
		o.name(name)
		o.b = append(o.b, json...)
	}
	return o
}

// list writes a list of JSON values, unless there are none.
func (o *object) list(name string, items []string) *object {
	if len(items) > 0 {
		o.name(name)
		o.b = appendList(o.b, items)
	}
	return o
}

// reference writes a Reference to a URL, with a display in its place or beside; none without both.
func (o *object) reference(name, url, display string) *object {
	if url == "" && display == "" {
		return o
	}
	o.name(name)
	o.b, o.open = append(o.b, '{'), true
	o.text("reference", url).text("display", display)
	o.b, o.open = append(o.b, '}'), false
	return o
}

func reference(url, display string) string {
	if url == "" && display == "" {
		return ""
	}
	return inner().text("reference", url).text("display", display).end()
}

func appendList(b []byte, items []string) []byte {
	b = append(b, '[')
	for i, item := range items {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, item...)
	}
	return append(b, ']')
}

// inner begins an object that is no resource.
func inner() *object { return begin("{", true) }

// end returns the JSON of the object, "" when nothing was written. Nothing can be done with
// the object after it.
func (o *object) end() string {
	text := ""
	if !o.open {
		o.b = append(o.b, '}')
		text = string(o.b)
	}
	objects.Put(o)
	return text
}

// bytes is end for a resource.
func (o *object) bytes() []byte {
	text := append(append(make([]byte, 0, len(o.b)+1), o.b...), '}')
	objects.Put(o)
	return text
}

func quoted(s string) string { return string(element.Quote(nil, s)) }

// nonempty returns the items that are not "".
func nonempty(items ...string) []string {
	var out []string
	for _, i := range items {
		if i != "" {
			out = append(out, i)
		}
	}
	return out
}

func coding(system, code, display string) string {
	return inner().text("system", system).text("code", code).text("display", display).end()
}

// concept returns a CodeableConcept of one code.
func concept(system, code, display string) string {
	o := begin(`{"coding":[{`, true)
	o.text("system", system).text("code", code).text("display", display)
	o.b = append(o.b, "}]"...)
	return o.end()
}
