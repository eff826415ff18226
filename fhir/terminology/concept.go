package terminology

import (
	"iter"
	"strings"
)

// Concept is a concept of a code system.
type Concept struct {
	System *System
	at     int32  // row of the table, or -1
	formed string // the code, when a rule formed it
}

// Designation is another name of a concept.
type Designation struct {
	Language string
	Use      string // JSON of a Coding, or ""
	Value    string
}

// Property is one value of a property of a concept.
type Property struct {
	Code  string
	Type  string // "valueCode", "valueCoding", "valueString", "valueInteger", "valueBoolean", "valueDateTime", "valueDecimal"
	Value string // text of a primitive, or the JSON of a Coding
}

func (c Concept) row() *row {
	if c.at < 0 {
		return &row{}
	}
	return &c.System.table.rows[c.at]
}

// Code returns the code as the system writes it.
func (c Concept) Code() string {
	if c.at < 0 {
		return c.formed
	}
	return c.System.table.str(c.row().code)
}

// Display returns the preferred name, in the language of the system; "" for none.
func (c Concept) Display() string {
	if c.at < 0 {
		display, _ := c.System.rule.Check(c.formed)
		return display
	}
	return c.System.table.str(c.row().display)
}

// Definition returns what the concept means; "" for none.
func (c Concept) Definition() string { return c.System.table.str(c.row().definition) }

// Abstract reports whether the concept only groups others.
func (c Concept) Abstract() bool { return c.row().flags&abstract != 0 }

// Inactive reports whether the concept is retired.
func (c Concept) Inactive() bool { return c.row().flags&inactive != 0 }

// Designations yields the other names of the concept.
func (c Concept) Designations() iter.Seq[Designation] {
	return func(yield func(Designation) bool) {
		if c.at < 0 {
			return
		}
		t := c.System.table
		for _, d := range t.designations[c.row().designations:t.rows[c.at+1].designations] {
			if !yield(Designation{t.words[d.language], t.words[d.use], t.str(d.value)}) {
				return
			}
		}
	}
}

// Properties yields the properties of the concept, in the order of the definition.
func (c Concept) Properties() iter.Seq[Property] {
	return func(yield func(Property) bool) {
		if c.at < 0 {
			return
		}
		t := c.System.table
		for _, p := range t.properties[c.row().properties:t.rows[c.at+1].properties] {
			if !yield(Property{t.words[p.code], t.words[p.typ], t.str(p.value)}) {
				return
			}
		}
	}
}

// Parents yields the concepts right above; Children those right below.
func (c Concept) Parents() iter.Seq[Concept] { return c.linked(&c.System.table.parents) }

// Children yields the concepts right below.
func (c Concept) Children() iter.Seq[Concept] { return c.linked(&c.System.table.children) }

func (c Concept) linked(l *links) iter.Seq[Concept] {
	return func(yield func(Concept) bool) {
		if c.at < 0 {
			return
		}
		for _, to := range l.of(c.at) {
			if !yield(Concept{c.System, to, ""}) {
				return
			}
		}
	}
}

// Below yields the concept itself and all that it subsumes.
func (c Concept) Below() iter.Seq[Concept] { return c.reached(&c.System.table.children) }

// Above yields the concept itself and all that subsume it.
func (c Concept) Above() iter.Seq[Concept] { return c.reached(&c.System.table.parents) }

func (c Concept) reached(l *links) iter.Seq[Concept] {
	return func(yield func(Concept) bool) {
		if c.at < 0 {
			yield(c)
			return
		}
		walk(l, c.at, func(i int32) bool { return yield(Concept{c.System, i, ""}) })
	}
}

// Languages is what a reader wants to read, best first, as in Accept-Language.
type Languages []string

// ParseLanguages reads a list such as "es-MX, es;q=0.8". Weights are taken to fall
// in the order given.
func ParseLanguages(list string) Languages {
	var all Languages
	for part := range strings.SplitSeq(list, ",") {
		tag, _, _ := strings.Cut(part, ";")
		if tag = strings.TrimSpace(tag); tag != "" && tag != "*" {
			all = append(all, tag)
		}
	}
	return all
}

// speaks reports whether text in language have is what a reader of want can read:
// the same language, or a regional form of it, or its general form.
func speaks(have, want string) bool {
	if have == "" {
		return false
	}
	if strings.EqualFold(have, want) {
		return true
	}
	h, _, _ := strings.Cut(have, "-")
	w, _, _ := strings.Cut(want, "-")
	return strings.EqualFold(h, w)
}

// DisplayIn returns the name of the concept in the first language of langs that it
// has one in, and else its display. more holds designations from elsewhere:
// supplements and value sets.
func (c Concept) DisplayIn(langs Languages, more ...Designation) string {
	for _, want := range langs {
		if speaks(c.System.Language, want) {
			break
		}
		best := ""
		for _, d := range more {
			if speaks(d.Language, want) {
				return d.Value
			}
		}
		for d := range c.Designations() {
			if strings.EqualFold(d.Language, want) {
				return d.Value
			}
			if best == "" && speaks(d.Language, want) {
				best = d.Value
			}
		}
		if best != "" {
			return best
		}
	}
	return c.Display()
}
