package xml

import "sort"

// Positions says where in the XML a place in the JSON made of it comes from.
type Positions struct {
	xml, json []byte
	marks     []mark // in the order of the JSON
}

// mark ties the start of an element's JSON to the start of its tag.
type mark struct{ json, xml uint32 }

// Place returns the line and column in the XML of the element in which a line and
// column of the JSON lie. All count from 1, and columns count characters.
func (p *Positions) Place(line, col int) (int, int) {
	offset := 0
	for ; offset < len(p.json) && line > 1; offset++ {
		if p.json[offset] == '\n' {
			line--
		}
	}
	for ; offset < len(p.json) && col > 1; offset++ {
		if offset+1 < len(p.json) && p.json[offset+1]&0xc0 != 0x80 {
			col--
		}
	}
	k := sort.Search(len(p.marks), func(i int) bool { return int(p.marks[i].json) > offset })
	if k == 0 {
		return position(p.xml, 0)
	}
	return position(p.xml, int(p.marks[k-1].xml))
}
