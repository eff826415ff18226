package recommend

import (
	"strconv"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
)

// writer writes compact JSON. A comma goes in front of whatever does not come first.
type writer struct{ b []byte }

func (w *writer) comma() {
	if n := len(w.b); n > 0 && w.b[n-1] != '{' && w.b[n-1] != '[' && w.b[n-1] != ':' {
		w.b = append(w.b, ',')
	}
}

func (w *writer) open(bracket byte) {
	w.comma()
	w.b = append(w.b, bracket)
}

func (w *writer) close(bracket byte) { w.b = append(w.b, bracket) }

// name begins a member; its value follows.
func (w *writer) name(name string) {
	w.comma()
	w.b = append(w.b, '"')
	w.b = append(append(w.b, name...), '"', ':')
}

// text writes a member, unless it is empty.
func (w *writer) text(name, value string) {
	if value != "" {
		w.name(name)
		w.b = element.Quote(w.b, value)
	}
}

// number writes a member, unless it is 0.
func (w *writer) number(name string, value int) {
	if value != 0 {
		w.name(name)
		w.b = strconv.AppendInt(w.b, int64(value), 10)
	}
}

// date writes a member, unless it is no date.
func (w *writer) date(name string, value schedule.Date) { w.text(name, value.String()) }

func (w *writer) raw(json []byte) {
	w.comma()
	w.b = append(w.b, json...)
}

// coding writes an item of CodeableConcept.coding.
func (w *writer) coding(system, code, display string) {
	w.open('{')
	w.text("system", system)
	w.text("code", code)
	w.text("display", display)
	w.close('}')
}

// concept writes a member with one coding and a text.
func (w *writer) concept(name, system string, of word, spanish bool) {
	w.name(name)
	w.open('{')
	w.name("coding")
	w.open('[')
	w.coding(system, of.code, of.display)
	w.close(']')
	w.text("text", of.in(spanish))
	w.close('}')
}

// refer writes a member that is a Reference: by URL, or by what it is called.
func (w *writer) refer(name, reference, display string) {
	w.name(name)
	w.open('{')
	w.text("reference", reference)
	if reference == "" {
		w.text("display", display)
	}
	w.close('}')
}
