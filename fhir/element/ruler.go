package element

import "sort"

// stride is how many bytes lie between the places that a Ruler knows.
const stride = 1 << 10

// Ruler finds lines and columns in a text without reading all of it each time.
// Both count from 1, and columns count characters. Many goroutines may use it.
type Ruler struct {
	src    []byte
	places []place // of every stride-th byte
}

// place is a line and a column, from 1.
type place struct{ line, col int32 }

// NewRuler reads src, which must not change while the Ruler is used.
func NewRuler(src []byte) *Ruler {
	r := &Ruler{src: src, places: make([]place, 0, len(src)/stride+1)}
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

// At returns the line and column of an offset within the text.
func (r *Ruler) At(offset int) (line, col int) {
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

// Offset returns the offset of the character at a line and column, or of the one
// that is nearest before it.
func (r *Ruler) Offset(line, col int) int {
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

// Position returns the line and column of an offset in the source, both from 1;
// the column counts characters. The source is read once, however often this is asked.
func (d *Doc) Position(offset int) (line, col int) {
	r := d.ruler.Load()
	if r == nil {
		r = NewRuler(d.src)
		d.ruler.Store(r)
	}
	return r.At(offset)
}
