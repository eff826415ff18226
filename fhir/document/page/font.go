package page

import (
	"encoding/binary"
	"errors"
	"sync"
	"unicode"

	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/gobolditalic"
	"golang.org/x/image/font/gofont/goitalic"
	"golang.org/x/image/font/gofont/goregular"
)

// face is one of the four styles of the type that documents are set in.
type face uint8

const (
	regular face = iota
	bold
	italic
	boldItalic
	faces = 4
)

// faceOf returns the face of a span.
func faceOf(isBold, isItalic bool) face {
	f := regular
	if isBold {
		f = bold
	}
	if isItalic {
		f += italic
	}
	return f
}

// missing stands where the type has no glyph for a character: it shows that something
// is there that could not be printed.
const missing = '\uFFFD'

// font is a TrueType font, taken apart as far as setting text and cutting it down to
// the glyphs that a document uses needs.
//
// See https://learn.microsoft.com/typography/opentype/spec/otff.
type font struct {
	name    string // its PostScript name
	tables  map[string][]byte
	glyphs  []uint16 // by character of the basic plane; 0 is none
	units   float64  // units to the em
	ascent  int
	descent int // below the line, negative
	slant   int // italic angle in degrees
	widths  int // glyphs with a width of their own in hmtx
	long    bool
}

// fonts returns the four faces, read once.
var fonts = sync.OnceValues(func() ([faces]*font, error) {
	var out [faces]*font
	files := [faces]struct {
		name  string
		ttf   []byte
		slant int
	}{
		{"GoRegular", goregular.TTF, 0}, {"GoBold", gobold.TTF, 0},
		{"GoItalic", goitalic.TTF, -12}, {"GoBoldItalic", gobolditalic.TTF, -12},
	}
	for i, file := range files {
		f, err := readFont(file.ttf)
		if err != nil {
			return out, err
		}
		f.name, f.slant = file.name, file.slant
		out[i] = f
	}
	return out, nil
})

var errFont = errors.New("page: the font cannot be read")

// readFont reads a TrueType font. It checks what it relies on, and no more: the fonts
// are part of the program.
func readFont(ttf []byte) (*font, error) {
	f := &font{tables: map[string][]byte{}}
	if len(ttf) < 12 {
		return nil, errFont
	}
	for i := range int(binary.BigEndian.Uint16(ttf[4:])) {
		entry := ttf[12+16*i:]
		from, size := binary.BigEndian.Uint32(entry[8:]), binary.BigEndian.Uint32(entry[12:])
		if uint64(from)+uint64(size) > uint64(len(ttf)) {
			return nil, errFont
		}
		f.tables[string(entry[:4])] = ttf[from : from+size]
	}
	for name, least := range map[string]int{"head": 54, "hhea": 36, "maxp": 6, "hmtx": 4, "loca": 4, "glyf": 1, "cmap": 4} {
		if len(f.tables[name]) < least {
			return nil, errFont
		}
	}
	head, hhea := f.tables["head"], f.tables["hhea"]
	f.units = float64(binary.BigEndian.Uint16(head[18:]))
	f.long = binary.BigEndian.Uint16(head[50:]) == 1
	f.ascent = int(int16(binary.BigEndian.Uint16(hhea[4:])))
	f.descent = int(int16(binary.BigEndian.Uint16(hhea[6:])))
	f.widths = int(binary.BigEndian.Uint16(hhea[34:]))
	return f, f.readGlyphs()
}

// readGlyphs reads the map from characters to glyphs, which is of format 4 in these
// fonts.
func (f *font) readGlyphs() error {
	cmap := f.tables["cmap"]
	for i := range int(binary.BigEndian.Uint16(cmap[2:])) {
		sub := cmap[binary.BigEndian.Uint32(cmap[4+8*i+4:]):]
		if binary.BigEndian.Uint16(sub) != 4 {
			continue
		}
		f.glyphs = make([]uint16, 0x10000)
		n := int(binary.BigEndian.Uint16(sub[6:])) // twice the number of segments
		for s := 0; s < n; s += 2 {
			f.readSegment(sub, n, s)
		}
		return nil
	}
	return errFont
}

// readSegment reads the segment at byte s of n bytes of segments.
func (f *font) readSegment(sub []byte, n, s int) {
	at := func(i int) int { return int(binary.BigEndian.Uint16(sub[i:])) }
	end, start := at(14+s), at(16+n+s)
	delta, offset := at(16+2*n+s), at(16+3*n+s)
	for c := start; c <= end && c < 0xFFFF; c++ {
		g := c
		if offset != 0 {
			g = at(16 + 3*n + s + offset + 2*(c-start))
			if g == 0 {
				continue
			}
		}
		f.glyphs[c] = uint16(g + delta)
	}
}

// glyph returns the glyph of a character: that of the missing one where there is none.
func (f *font) glyph(r rune) uint16 {
	if r >= 0 && int(r) < len(f.glyphs) {
		if g := f.glyphs[r]; g != 0 && !unicode.In(r, unicode.Mn, unicode.Me) {
			return g
		}
	}
	return f.glyphs[missing]
}

// advance returns how far a glyph moves the pen, in units of the font.
func (f *font) advance(glyph uint16) int {
	return int(binary.BigEndian.Uint16(f.tables["hmtx"][4*min(int(glyph), f.widths-1):]))
}

// width returns how wide a character is at one point of size.
func (f *font) width(r rune) float64 { return float64(f.advance(f.glyph(r))) / f.units }

// thousandths turns units of the font into thousandths of the em, which PDF counts in.
func (f *font) thousandths(units int) float64 { return float64(units) * 1000 / f.units }

// outline returns the drawing of a glyph; nothing for a blank.
func (f *font) outline(glyph int) []byte {
	loca := f.tables["loca"]
	at := func(i int) int {
		if f.long {
			return int(binary.BigEndian.Uint32(loca[4*i:]))
		}
		return 2 * int(binary.BigEndian.Uint16(loca[2*i:]))
	}
	return f.tables["glyf"][at(glyph):at(glyph+1)]
}
