package page

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	imagefont "golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
)

func TestEqualBytes(t *testing.T) {
	if !bytes.Equal(mustPDF(t, note()), mustPDF(t, note())) {
		t.Error("one document gives two files")
	}
	a, b := note(), note()
	b.Author = "Otra"
	ida, idb := read(t, mustPDF(t, a)).trailer["ID"].([]any)[0], read(t, mustPDF(t, b)).trailer["ID"].([]any)[0]
	if ida == idb {
		t.Error("two documents have one identifier")
	}
}

func TestSingle(t *testing.T) {
	d := open(t, mustPDF(t, form()))
	if len(d.sheets) != 1 {
		t.Fatalf("%d sheets", len(d.sheets))
	}
	p := form()
	p.Single = false
	if n := len(open(t, mustPDF(t, p)).sheets); n < 2 {
		t.Errorf("%d sheets in type that is not smaller: the test shows nothing", n)
	}
	p.Single = true
	for range 4 {
		p.Blocks = append(p.Blocks, form().Blocks...)
	}
	if _, err := p.PDF(); !errors.Is(err, errSheet) {
		t.Errorf("error %v", err)
	}
	p = &Page{Title: "t", Single: true, Blocks: []Block{Text("a"), Break{}, Text("b")}}
	if n := len(open(t, mustPDF(t, p)).sheets); n != 1 {
		t.Errorf("%d sheets", n)
	}
	p.Single = false
	if n := len(open(t, mustPDF(t, p)).sheets); n != 2 {
		t.Errorf("%d sheets", n)
	}
}

func TestMark(t *testing.T) {
	p := note()
	p.Mark = "BORRADOR"
	d := open(t, mustPDF(t, p))
	for i, pieces := range d.sheets {
		last := pieces[len(pieces)-1]
		if last.text != "BORRADOR" || last.artifact["Subtype"] != name("Watermark") {
			t.Errorf("sheet %d ends in %+v", i, last)
		}
	}
	if n := d.tree.kids[1]; n.tag != "P" || n.text != "BORRADOR" {
		t.Errorf("what follows the title is %s %q", n.tag, n.text)
	}
}

func TestRefused(t *testing.T) {
	for name, p := range map[string]*Page{
		"no title":                               {Title: " \n", Blocks: []Block{Text("x")}},
		"an empty code":                          {Title: "t", Blocks: []Block{Code{Alt: "a"}}},
		"a code that nothing stands in place of": {Title: "t", Blocks: []Block{Code{Text: "x"}}},
		"a code of 3 kB":                         {Title: "t", Blocks: []Block{Code{Text: strings.Repeat("x", 3000), Alt: "a"}}},
		"no block":                               {Title: "t", Blocks: []Block{nil}},
	} {
		if _, err := p.PDF(); err == nil {
			t.Errorf("%s: a PDF", name)
		}
		if _, err := p.HTML(); err == nil {
			t.Errorf("%s: HTML", name)
		}
	}
}

func TestLinks(t *testing.T) {
	for link, want := range map[string]bool{
		"https://a.example/x?y=1": true, "http://a.example": true, "": false, "javascript:alert(1)": false,
		"JAVASCRIPT:alert(1)": false, "data:text/html,x": false, "file:///etc/passwd": false, "//a.example": false,
		"https://a.example/)>>/S/JavaScript(": true, "https://a.example/\"><script>": true,
	} {
		p := &Page{Title: "t", Blocks: []Block{Code{Text: "x", Alt: "a", Link: link}}}
		d := open(t, mustPDF(t, p))
		if got := len(d.tree.find("Link")) == 1; got != want {
			t.Errorf("%q leads somewhere: %t in the PDF", link, got)
		}
		h, err := p.HTML()
		if got := bytes.Contains(h, []byte("<a href=")); got != want || err != nil {
			t.Errorf("%q leads somewhere: %t in HTML (%v)", link, got, err)
		}
		for _, l := range d.tree.find("Link") {
			if a := d.dict(l.links[0]["A"]); len(a) != 2 || a["S"] != name("URI") || !strings.HasPrefix(a["URI"].(string), "http") {
				t.Errorf("%q: %v", link, a)
			}
		}
	}
}

func TestHeadingsLeaveNoLevelOut(t *testing.T) {
	p := &Page{Title: "t", Blocks: []Block{Heading{4, "a"}, Heading{4, "b"}, Heading{1, "c"}, Heading{3, "d"}, Heading{0, "e"}, Heading{9, "f"}}}
	var got []string
	open(t, mustPDF(t, p)).tree.walk(func(n *tree) {
		if strings.HasPrefix(n.tag, "H") {
			got = append(got, n.tag+n.text)
		}
	})
	if s := strings.Join(got, " "); s != "H1t H2a H3b H1c H2d H1e H2f" {
		t.Errorf("headings %s", s)
	}
}

// TestFont sets text in what is left of the font with another reader of fonts.
func TestFont(t *testing.T) {
	all, err := fonts()
	if err != nil {
		t.Fatal(err)
	}
	s := &subset{font: all[regular], ids: map[rune]uint16{}}
	text := []rune("Ññáéíóúü¿¡€–—“”‘’≥≤µ°²³½±×÷…•½ªº«»Çç→ΩαB 1\u00a0")
	for _, r := range text {
		s.id(r)
	}
	tables := s.cut()
	for _, name := range []string{"cmap", "name", "post", "OS/2"} { // which a PDF does without, and this reader does not
		tables[name] = s.tables[name]
	}
	cut, err := sfnt.Parse(fontFile(tables))
	if err != nil {
		t.Fatal(err)
	}
	whole, err := sfnt.Parse(goregular.TTF)
	if err != nil {
		t.Fatal(err)
	}
	var b, c sfnt.Buffer
	for _, r := range text {
		old, err := whole.GlyphIndex(&b, r)
		if err != nil || old == 0 {
			t.Fatalf("the font has no %c", r)
		}
		want, err := whole.LoadGlyph(&b, old, fixed.I(100), nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := cut.LoadGlyph(&c, sfnt.GlyphIndex(s.id(r)), fixed.I(100), nil)
		if err != nil {
			t.Fatalf("%c: %v", r, err)
		}
		if len(got) != len(want) {
			t.Fatalf("%c is drawn in %d strokes, want %d", r, len(got), len(want))
		}
		for i := range got {
			if got[i] != want[i] {
				t.Fatalf("%c is drawn otherwise", r)
			}
		}
		w, _ := whole.GlyphAdvance(&b, old, fixed.I(100), imagefont.HintingNone)
		if g, _ := cut.GlyphAdvance(&c, sfnt.GlyphIndex(s.id(r)), fixed.I(100), imagefont.HintingNone); g != w {
			t.Errorf("%c is %v wide, want %v", r, g, w)
		}
	}
	if n := len(s.file()); n > 40_000 {
		t.Errorf("%d bytes for %d characters", n, len(text))
	}
}

func BenchmarkPDF(b *testing.B) {
	for name, p := range map[string]*Page{"note": note(), "form": form()} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				mustPDF(b, p)
			}
		})
	}
}

func BenchmarkHTML(b *testing.B) {
	p := note()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.HTML(); err != nil {
			b.Fatal(err)
		}
	}
}
