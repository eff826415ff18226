package xml

import (
	"sort"
	"sync"

	"github.com/amate-health/amate/fhir/element"
)

// Positions says where in the XML a place in the JSON made of it comes from. It is
// safe for use by many goroutines.
type Positions struct {
	xml, json []byte
	marks     []mark // in the order of the JSON

	measure   sync.Once // positions are seldom asked for, and then for many issues
	inXML, in *element.Ruler
}

// mark ties the start of an element's JSON to the start of its tag.
type mark struct{ json, xml uint32 }

// Place returns the line and column in the XML of the element in which a line and
// column of the JSON lie. All count from 1, and columns count characters.
func (p *Positions) Place(line, col int) (int, int) {
	p.measure.Do(func() { p.inXML, p.in = element.NewRuler(p.xml), element.NewRuler(p.json) })
	offset := p.in.Offset(line, col)
	k := sort.Search(len(p.marks), func(i int) bool { return int(p.marks[i].json) > offset })
	if k == 0 {
		return 1, 1
	}
	return p.inXML.At(int(p.marks[k-1].xml))
}
