package fhirpath

import "github.com/amate-health/amate/fhir/element"

// Coding is a code and its system, "" when that is not given.
type Coding struct{ System, Code string }

// Codings returns the codes that an item holds: a Coding, those of a CodeableConcept,
// or a bare code or text.
func Codings(i Item) []Coding {
	if i.Doc == nil || i.Type == nil || !i.Type.Is("Coding") && !i.Type.Is("CodeableConcept") {
		if s, ok := i.System().(String); ok {
			return []Coding{{Code: string(s)}}
		}
		return nil
	}
	if i.Node == element.None {
		return nil
	}
	if i.Type.Is("Coding") {
		return []Coding{coding(i.Doc, i.Node)}
	}
	var all []Coding
	list := i.Doc.Get(i.Node, "coding")
	if list == element.None || i.Doc.Kind(list) != element.Array {
		return nil
	}
	for n := i.Doc.First(list); n != element.None; n = i.Doc.Next(list, n) {
		all = append(all, coding(i.Doc, n))
	}
	return all
}

func coding(d *element.Doc, n element.Node) Coding {
	var c Coding
	if s := d.Get(n, "system"); s != element.None {
		c.System = d.Text(s)
	}
	if s := d.Get(n, "code"); s != element.None {
		c.Code = d.Text(s)
	}
	return c
}

// Terminology answers questions about single codes; known is false where it has no answer.
type Terminology interface {
	Member(valueSet string, c Coding) (member, known bool)
	Subsumes(c, other Coding) (subsumes, known bool)
}

// Ask lets memberOf(), subsumes() and subsumedBy() ask t.
//
// See https://hl7.org/fhir/R4/fhirpath.html#functions.
func (e *Env) Ask(t Terminology) {
	e.MemberOf = func(i Item, valueSet string) (member, known bool, err error) {
		known = true
		for _, c := range Codings(i) {
			is, sure := t.Member(valueSet, c)
			if is {
				return true, true, nil
			}
			known = known && sure
		}
		return false, known, nil
	}
	e.Subsumes = func(a, b Item) (subsumes, known bool, err error) {
		known = true
		for _, c := range Codings(a) {
			for _, other := range Codings(b) {
				is, sure := t.Subsumes(c, other)
				if is {
					return true, true, nil
				}
				known = known && sure
			}
		}
		return false, known, nil
	}
}
