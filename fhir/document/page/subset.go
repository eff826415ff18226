package page

import (
	"encoding/binary"
	"math"
	"slices"
)

// subset is what a document uses of a font. Each character gets a number of its own,
// also where two share a drawing, so that the text can be taken out of the document
// exactly as it was put in.
type subset struct {
	*font
	ids   map[rune]uint16
	runes []rune // by number less one: 0 is what a font must have, and nothing uses
}

// id returns the number of a character.
func (s *subset) id(r rune) uint16 {
	if id, ok := s.ids[r]; ok {
		return id
	}
	if len(s.runes) >= 0xF000 && r != missing { // numbers are of 16 bits, and parts of glyphs need some
		return s.id(missing)
	}
	s.runes = append(s.runes, r)
	id := uint16(len(s.runes))
	s.ids[r] = id
	return id
}

// Flags of a part of a glyph, https://learn.microsoft.com/typography/opentype/spec/glyf.
const (
	partWords = 0x1
	partScale = 0x8
	partMore  = 0x20
	partXY    = 0x40
	partTwo   = 0x80
)

// file returns a TrueType font with the glyphs of the subset, numbered as it numbers
// them.
func (s *subset) file() []byte { return fontFile(s.cut()) }

// cut returns the tables of that font.
func (s *subset) cut() map[string][]byte {
	sources := make([]uint16, 1, len(s.runes)+1)
	for _, r := range s.runes {
		sources = append(sources, s.glyph(r))
	}
	parts := map[uint16]uint16{} // where a glyph that others are made of went
	var glyf, loca, hmtx []byte
	for i := 0; i < len(sources); i++ {
		loca = binary.BigEndian.AppendUint32(loca, uint32(len(glyf)))
		glyf = append(glyf, s.drawing(sources[i], parts, &sources)...)
		for len(glyf)%4 != 0 {
			glyf = append(glyf, 0)
		}
		hmtx = append(hmtx, s.metrics(sources[i])...)
	}
	loca = binary.BigEndian.AppendUint32(loca, uint32(len(glyf)))
	head, hhea, maxp := slices.Clone(s.tables["head"]), slices.Clone(s.tables["hhea"]), slices.Clone(s.tables["maxp"])
	binary.BigEndian.PutUint32(head[8:], 0)
	binary.BigEndian.PutUint16(head[50:], 1)
	binary.BigEndian.PutUint16(hhea[34:], uint16(len(sources)))
	binary.BigEndian.PutUint16(maxp[4:], uint16(len(sources)))
	tables := map[string][]byte{"head": head, "hhea": hhea, "maxp": maxp, "glyf": glyf, "loca": loca, "hmtx": hmtx}
	for _, name := range []string{"cvt ", "fpgm", "prep"} {
		if t, ok := s.tables[name]; ok {
			tables[name] = t
		}
	}
	return tables
}

// drawing returns the drawing of a glyph, in which parts that are glyphs themselves
// are renumbered and, where they are new, appended to the sources.
func (s *subset) drawing(glyph uint16, parts map[uint16]uint16, sources *[]uint16) []byte {
	d := s.outline(int(glyph))
	if len(d) < 12 || int16(binary.BigEndian.Uint16(d)) >= 0 {
		return d
	}
	d = slices.Clone(d)
	for at, more := 10, true; more; {
		flags, part := binary.BigEndian.Uint16(d[at:]), binary.BigEndian.Uint16(d[at+2:])
		to, ok := parts[part]
		if !ok {
			to = uint16(len(*sources))
			parts[part] = to
			*sources = append(*sources, part)
		}
		binary.BigEndian.PutUint16(d[at+2:], to)
		at += 6
		if flags&partWords != 0 {
			at += 2
		}
		switch {
		case flags&partScale != 0:
			at += 2
		case flags&partXY != 0:
			at += 4
		case flags&partTwo != 0:
			at += 8
		}
		more = flags&partMore != 0
	}
	return d
}

// metrics returns the row of hmtx of a glyph: its width and its left bearing.
func (s *subset) metrics(glyph uint16) []byte {
	row := binary.BigEndian.AppendUint16(nil, uint16(s.advance(glyph)))
	t := s.tables["hmtx"]
	at := 4*int(glyph) + 2
	if int(glyph) >= s.widths {
		at = 4*s.widths + 2*(int(glyph)-s.widths)
	}
	if at+2 > len(t) {
		return append(row, 0, 0)
	}
	return append(row, t[at:at+2]...)
}

// fontFile puts tables together, with their checksums.
func fontFile(tables map[string][]byte) []byte {
	var names []string
	for name := range tables {
		names = append(names, name)
	}
	slices.Sort(names)
	n := len(names)
	log := int(math.Log2(float64(n)))
	out := binary.BigEndian.AppendUint32(nil, 0x00010000)
	for _, v := range []int{n, 16 << log, log, 16 * (n - 1<<log)} {
		out = binary.BigEndian.AppendUint16(out, uint16(v))
	}
	at, head := 12+16*n, 0
	for _, name := range names {
		t := tables[name]
		if name == "head" {
			head = at
		}
		out = append(out, name...)
		for _, v := range []uint32{checksum(t), uint32(at), uint32(len(t))} {
			out = binary.BigEndian.AppendUint32(out, v)
		}
		at += (len(t) + 3) &^ 3
	}
	for _, name := range names {
		out = append(out, tables[name]...)
		for len(out)%4 != 0 {
			out = append(out, 0)
		}
	}
	binary.BigEndian.PutUint32(out[head+8:], 0xB1B0AFBA-checksum(out))
	return out
}

// checksum adds a table up as words of 32 bits.
func checksum(t []byte) uint32 {
	var sum uint32
	for len(t) >= 4 {
		sum += binary.BigEndian.Uint32(t)
		t = t[4:]
	}
	var rest [4]byte
	copy(rest[:], t)
	return sum + binary.BigEndian.Uint32(rest[:])
}
