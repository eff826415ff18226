package xml

import (
	"sort"
	"sync"
)

// Positions says where in the XML a place in the JSON made of it comes from. It is
// safe for use by many goroutines.
type Positions struct {
	xml, json []byte
	marks     []mark // in the order of the JSON

	measure   sync.Once // positions are seldom asked for, and then for many issues
	inXML, in *ruler
}

// mark ties the start of an element's JSON to the start of its tag.
type mark struct{ json, xml uint32 }

// Place returns the line and column in the XML of the element in which a line and
// column of the JSON lie. All count from 1, and columns count characters.
func (p *Positions) Place(line, col int) (int, int) {
	p.measure.Do(func() { p.inXML, p.in = newRuler(p.xml), newRuler(p.json) })
	offset := p.in.offset(line, col)
	k := sort.Search(len(p.marks), func(i int) bool { return int(p.marks[i].json) > offset })
	if k == 0 {
		return 1, 1
	}
	return p.inXML.at(int(p.marks[k-1].xml))
}

// stride is how many bytes lie between the places that a ruler knows.
const stride = 1 << 10

// ruler finds lines and columns in a text without reading all of it each time.
type ruler struct {
	src    []byte
	places []place // of every stride-th byte
}

// place is a line and a column, from 1.
type place struct{ line, col int32 }

func newRuler(src []byte) *ruler {
	r := &ruler{src: src, places: make([]place, 0, len(src)/stride+1)}
	at := place{1, 1}
	for i, c := range src {
		if i%stride == 0 {
			r.places = append(r.places, at)
		}
		at = at.after(c)
	}
	return r
}

// after returns the place behind a byte. Only the first byte of a character counts.
func (p place) after(c byte) place {
	switch {
	case c == '\n':
		return place{p.line + 1, 1}
	case c&0xc0 != 0x80:
		p.col++
	}
	return p
}

// at returns the line and column of an offset within the text.
func (r *ruler) at(offset int) (line, col int) {
	if len(r.places) == 0 {
		return 1, 1
	}
	k := min(offset/stride, len(r.places)-1)
	p := r.places[k]
	for _, c := range r.src[k*stride : min(offset, len(r.src))] {
		p = p.after(c)
	}
	return int(p.line), int(p.col)
}

// offset returns the offset of the character at a line and column, or of the one
// that is nearest before it.
func (r *ruler) offset(line, col int) int {
	beyond := func(p place) bool { return int(p.line) > line || int(p.line) == line && int(p.col) > col }
	k := sort.Search(len(r.places), func(i int) bool { return beyond(r.places[i]) })
	if k == 0 {
		return 0
	}
	offset := (k - 1) * stride
	p := r.places[k-1]
	for i, c := range r.src[offset:min(offset+2*stride, len(r.src))] {
		if c&0xc0 == 0x80 { // within a character
			continue
		}
		if beyond(p) {
			break
		}
		offset = (k-1)*stride + i
		p = p.after(c)
	}
	return offset
}
