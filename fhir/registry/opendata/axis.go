package opendata

import (
	"math/bits"
	"sort"
	"strconv"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/registry/identity"
)

// Codes of every dimension.
const (
	total   = "total" // over all values
	unknown = "NE"    // not said, or not one of those that there are
)

// mostPlaces bounds the states and municipalities: Mexico has 32 and 2,478.
const mostPlaces = 1<<13 - 1

// axis is a dimension with the values that were met: a tree, the root of which is the total.
type axis struct {
	name   string
	def    *Dimension // nil for whether a row counts in a rate
	codes  []string   // by node; 0 is the total
	titles []Text
	parent []int32
	depth  []int8
	kids   [][]int32
	byCode map[string]int32

	shift, width uint // where a node stands in the key of a cell
}

func newAxis(name string, d *Dimension) *axis {
	a := &axis{name: name, def: d, byCode: map[string]int32{}}
	a.add(total, -1, Text{"Total", "Total"})
	most := 1<<5 - 1 // months and what is not known
	switch {
	case d == nil:
		a.add("1", 0, Text{"Sí", "Yes"})
		a.add("0", 0, Text{"No", "No"})
		most = 3
	case d.Kind == Place:
		most = mostPlaces
	case d.Kind == Band:
		for i := range len(d.Bands) + 1 {
			a.add(d.bandCode(i), 0, d.bandTitle(i))
		}
		most = len(a.codes) + 1
	case d.Kind == Code:
		for _, c := range d.Codes {
			a.add(c.Code, 0, c.Title)
		}
		most = len(a.codes) + 1
	}
	a.width = uint(bits.Len(uint(most)))
	return a
}

func (a *axis) add(code string, parent int32, title Text) int32 {
	n := int32(len(a.codes))
	a.codes, a.titles, a.parent, a.kids = append(a.codes, code), append(a.titles, title), append(a.parent, parent), append(a.kids, nil)
	depth := int8(0)
	if parent >= 0 {
		depth = a.depth[parent] + 1
		a.kids[parent] = append(a.kids[parent], n)
	}
	a.depth = append(a.depth, depth)
	a.byCode[code] = n
	return n
}

// node returns the node of a code, which it adds where it is new.
func (a *axis) node(code string, parent int32, title func() Text) (int32, error) {
	if n, ok := a.byCode[code]; ok {
		return n, nil
	}
	if len(a.codes) >= 1<<a.width-1 {
		return 0, fhir.Errorf(fhir.Invalid, "the dimension %s has more values than it may have", a.name)
	}
	return a.add(code, parent, title()), nil
}

var notSaid = Text{"No especificado", "Not specified"}

func (a *axis) unknown() (int32, error) {
	return a.node(unknown, 0, func() Text { return notSaid })
}

// leaf returns the deepest node of a value.
func (a *axis) leaf(value string) (int32, error) {
	if a.def == nil {
		if value == "true" {
			return 1, nil
		}
		return 2, nil
	}
	switch a.def.Kind {
	case Place:
		return a.place(value)
	case Month:
		if len(value) < 7 {
			return a.unknown()
		}
		return a.node(value[:7], 0, func() Text { return monthTitle(value[:7]) })
	case Band:
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return a.unknown()
		}
		return int32(sort.Search(len(a.def.Bands), func(i int) bool { return v < a.def.Bands[i] })) + 1, nil
	}
	for i, c := range a.def.Codes {
		if value == c.Code && len(c.Values) == 0 {
			return int32(i) + 1, nil
		}
		for _, v := range c.Values {
			if value == v {
				return int32(i) + 1, nil
			}
		}
	}
	return a.unknown()
}

// place returns the node of a key of INEGI: of two digits, or of five.
func (a *axis) place(value string) (int32, error) {
	if n, ok := a.byCode[value]; ok && a.depth[n] == 2 {
		return n, nil
	}
	if len(value) < 2 {
		value = unknown
	}
	entity := value[:2]
	name, ok := entityName(entity)
	if !ok {
		entity, value, name = unknown, unknown, notSaid
	}
	state, err := a.node(entity, 0, func() Text { return name })
	if err != nil {
		return 0, err
	}
	if len(value) != 5 || !digits(value) {
		value = entity + "999"
	}
	return a.node(value, state, func() Text { return municipalityTitle(value, name) })
}

func digits(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

func entityName(key string) (Text, bool) {
	for _, e := range identity.Entities() {
		if e.INEGI == key {
			return Text{e.Name, e.Name}, true
		}
	}
	return Text{}, false
}

var months = [12]Text{{"enero", "January"}, {"febrero", "February"}, {"marzo", "March"}, {"abril", "April"}, {"mayo", "May"}, {"junio", "June"},
	{"julio", "July"}, {"agosto", "August"}, {"septiembre", "September"}, {"octubre", "October"}, {"noviembre", "November"}, {"diciembre", "December"}}

func monthTitle(code string) Text {
	m, err := strconv.Atoi(code[5:])
	if err != nil || m < 1 || m > 12 {
		return Same(code)
	}
	return Text{months[m-1].Spanish + " de " + code[:4], months[m-1].English + " " + code[:4]}
}

// Same is a text that is the same in both languages.
func Same(s string) Text { return Text{s, s} }

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// bandCode is "<15", "15-19" or "50+"; of whole numbers the last of a band is named.
func (d *Dimension) bandCode(i int) string {
	switch {
	case i == 0:
		return "<" + number(d.Bands[0])
	case i == len(d.Bands):
		return number(d.Bands[i-1]) + "+"
	}
	return number(d.Bands[i-1]) + "-" + number(d.Bands[i]-1)
}

func (d *Dimension) bandTitle(i int) Text {
	es, en := d.Unit.In("es"), d.Unit.In("en")
	if es != "" {
		es, en = " "+es, " "+en
	}
	switch {
	case i == 0:
		low := number(d.Bands[0])
		return Text{"menos de " + low + es, "less than " + low + en}
	case i == len(d.Bands):
		high := number(d.Bands[i-1])
		return Text{high + es + " o más", high + en + " or more"}
	}
	from, to := number(d.Bands[i-1]), number(d.Bands[i]-1)
	return Text{from + " a " + to + es, from + " to " + to + en}
}

// at returns the ancestor of a node at a depth that is not below it.
func (a *axis) at(n int32, depth int8) int32 {
	for a.depth[n] > depth {
		n = a.parent[n]
	}
	return n
}

// used says which values of a dimension may be named: those that are defined, and those of
// the cells. Detail that was withdrawn is not told by naming what it was of.
func (c *Cube) used(d int) []bool {
	a := c.axes[d]
	used := make([]bool, len(a.codes))
	for n := range used {
		used[n] = n == 0 || a.def.Kind != Place && a.def.Kind != Month && a.codes[n] != unknown
	}
	for i := range c.cells {
		used[a.of(c.cells[i].key)] = true
	}
	return used
}

func (a *axis) of(key uint64) int32 { return int32(key >> a.shift & (1<<a.width - 1)) }

func (a *axis) with(key uint64, n int32) uint64 {
	return key&^((1<<a.width-1)<<a.shift) | uint64(n)<<a.shift
}
