package page

import (
	"bytes"
	"encoding/xml"
	"io"
	"strings"
	"testing"
	"time"
	"unicode"

	"pgregory.net/rapid"
)

// attacks are texts that a document must bear.
var attacks = []string{
	"", " ", "\n", "\n\n\n", "\x00", "\x01\x1f\x7f", "a\tb\rc\r\nd", "\xff\xfe\xfd", "\xed\xa0\x80", "\uFEFF", "\uFFFF", "\U0010FFFF",
	"<script>alert(1)</script>", "\"'><img src=x onerror=alert(1)>", "]]>", "&amp;", "<!--", "</title></style>", "(\\)", ">>endobj", "%PDF",
	"שלום עולם", "مرحبا بالعالم", "👩‍⚕️ 🇲🇽", "漢字かな交じり文", "\u202Etxt.exe\u2066", "e\u0301 n\u0303 x\u0301", "\u0301", "a\u00ADb\u200Bc",
	"ñ Ñ ¿ ¡ € – “ ” ≥ ≤ µ ° ² é", "x" + strings.Repeat("W", 3000), strings.Repeat("a b ", 2000), strings.Repeat("\n", 500), strings.Repeat("-", 999),
}

func anyText() *rapid.Generator[string] {
	return rapid.OneOf(rapid.SampledFrom(attacks), rapid.String(), rapid.StringMatching(`[A-Za-zñáéí ]{0,200}`),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 40), func(b []byte) string { return string(b) }))
}

func anySpans() *rapid.Generator[[]Span] {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Span {
		return Span{Text: anyText().Draw(t, "text"), Bold: rapid.Bool().Draw(t, "bold"), Italic: rapid.Bool().Draw(t, "italic")}
	}), 0, 4)
}

func anyBlock(t *rapid.T) Block {
	text, few := anyText(), rapid.IntRange(-1, 7)
	switch rapid.IntRange(0, 9).Draw(t, "block") {
	case 0:
		return Heading{Level: few.Draw(t, "level"), Text: text.Draw(t, "heading")}
	case 1:
		return Paragraph{anySpans().Draw(t, "spans")}
	case 2:
		return List{rapid.Bool().Draw(t, "ordered"), rapid.SliceOfN(anySpans(), 0, 5).Draw(t, "items")}
	case 3:
		return Facts{few.Draw(t, "columns"), rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Fact {
			return Fact{text.Draw(t, "label"), text.Draw(t, "value"), few.Draw(t, "wide")}
		}), 0, 9).Draw(t, "facts")}
	case 4, 5:
		table := Table{Caption: text.Draw(t, "caption"), Head: rapid.SliceOfN(text, 0, 6).Draw(t, "head"), RowHeads: rapid.Bool().Draw(t, "heads"),
			Rows: rapid.SliceOfN(rapid.SliceOfN(text, 0, 8), 0, 12).Draw(t, "rows")}
		if rapid.Bool().Draw(t, "widths") {
			table.Widths = rapid.SliceOfN(rapid.Float64(), len(table.Head), len(table.Head)).Draw(t, "shares")
		}
		return table
	case 6:
		return Code{Text: "x" + rapid.StringN(0, 200, 600).Draw(t, "held"), Alt: "a" + text.Draw(t, "alt"), Millimetres: rapid.Float64().Draw(t, "mm"),
			Link: text.Draw(t, "link"), Beside: anySpans().Draw(t, "beside")}
	case 7:
		return Notice{anySpans().Draw(t, "notice")}
	case 8:
		return Rule{}
	}
	return Break{}
}

// said returns all text of a document in the order it is read, without white space.
func said(p *Page, labels bool) string {
	var b strings.Builder
	put := func(spans ...Span) {
		for _, s := range spans {
			b.WriteString(clean(s.Text) + "\n")
		}
	}
	for _, block := range p.content() {
		switch v := block.(type) {
		case Heading:
			put(Span{Text: v.Text})
		case Paragraph:
			put(v.Spans...)
		case Notice:
			put(v.Spans...)
		case Code:
			put(v.Beside...)
		case List:
			for i, item := range v.Items {
				if labels && v.Ordered {
					put(Span{Text: string(rune('1'+i)) + "."})
				} else if labels {
					put(Span{Text: "•"})
				}
				put(item...)
			}
		case Facts:
			for _, f := range v.Items {
				put(Span{Text: f.Label}, Span{Text: f.Value})
			}
		case Table:
			put(Span{Text: v.Caption})
			for _, r := range append([][]string{v.Head}, v.Rows...) {
				for _, value := range r {
					put(Span{Text: value})
				}
			}
		}
	}
	return squeeze(b.String())
}

// squeeze leaves white space out of text, as it is printed.
func squeeze(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, s)
}

func anyPage(t *rapid.T) *Page {
	p := &Page{Title: "t" + anyText().Draw(t, "title"), Lang: rapid.SampledFrom([]string{"", "es-MX", "en", "\"><x>", "x)"}).Draw(t, "lang"),
		Author: anyText().Draw(t, "author"), Foot: anyText().Draw(t, "foot"), Mark: anyText().Draw(t, "mark"), Created: time.Unix(1e9, 0)}
	for range rapid.IntRange(0, 12).Draw(t, "blocks") {
		p.Blocks = append(p.Blocks, anyBlock(t))
	}
	return p
}

// TestAnyText prints documents of any content, and takes their text out again.
func TestAnyText(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := anyPage(rt)
		d := open(t, mustPDF(t, p))
		if got, want := squeeze(d.tree.all()), said(p, true); got != want {
			rt.Fatalf("the PDF says\n%q, want\n%q", got, want)
		}
		checkHTML(t, p)
		p.Single = true
		if raw, err := p.PDF(); err == nil {
			if n := len(open(t, raw).sheets); n != 1 {
				rt.Fatalf("%d sheets", n)
			}
		}
	})
}

// checkHTML reads the HTML of a page as it is meant, and checks that it says what the
// page does and that nothing in it runs.
func checkHTML(t testing.TB, p *Page) {
	t.Helper()
	raw, err := p.HTML()
	if err != nil {
		t.Fatal(err)
	}
	if body, ok := bytes.CutPrefix(raw, []byte("<!DOCTYPE html>\n")); ok {
		raw = body
	}
	dec := xml.NewDecoder(bytes.NewReader(raw))
	dec.Strict, dec.AutoClose, dec.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	var main strings.Builder
	var stack []string
	for {
		token, err := dec.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("%v in %s", err, raw)
		}
		switch v := token.(type) {
		case xml.StartElement:
			stack = append(stack, v.Name.Local)
			checkElement(t, v)
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		case xml.CharData:
			if len(stack) > 2 && stack[2] == "main" && stack[len(stack)-1] != "title" {
				main.Write(v)
			}
		}
	}
	if got, want := squeeze(main.String()), said(p, false); got != want {
		t.Fatalf("the HTML says\n%q, want\n%q", got, want)
	}
}

// htmlNames are the elements and attributes that our HTML is made of.
var htmlNames = " html head meta title style body div main h1 h2 h3 h4 p strong em br ul ol li dl dt dd table caption thead tbody tr th td hr svg path a footer " +
	"lang charset name content class aria-hidden aria-labelledby role tabindex id scope width height viewBox shape-rendering fill d href rel "

func checkElement(t testing.TB, e xml.StartElement) {
	t.Helper()
	names := []string{e.Name.Local}
	for _, a := range e.Attr {
		names = append(names, a.Name.Local)
		if a.Name.Local == "href" && !strings.HasPrefix(a.Value, "http") {
			t.Fatalf("a link to %q", a.Value)
		}
	}
	for _, n := range names {
		if !strings.Contains(htmlNames, " "+n+" ") {
			t.Fatalf("%q in HTML", n)
		}
	}
}

func TestHTML(t *testing.T) {
	for _, p := range []*Page{note(), form()} {
		checkHTML(t, p)
	}
	h, _ := note().HTML()
	for _, want := range []string{`<html lang="es-MX">`, "<main>", "<h1>Nota de evolución</h1>", `<th scope="col">Fecha</th>`, `<th scope="row">2026-01-01</th>`,
		`<caption id="t1">`, `<title id="q2">Código QR que lleva a la página de verificación</title>`, "<footer>"} {
		if !bytes.Contains(h, []byte(want)) {
			t.Errorf("the HTML lacks %s", want)
		}
	}
	if !bytes.Contains(h, []byte("<style>"+css+"</style>")) || !strings.Contains(Policy, "'sha256-") {
		t.Error("the style sheet is not that of the policy")
	}
}

func FuzzText(f *testing.F) {
	for _, a := range attacks {
		f.Add(a)
	}
	f.Fuzz(func(t *testing.T, s string) {
		spans := []Span{{Text: s}, {Text: s, Bold: true, Italic: true}}
		p := &Page{Title: "t" + s, Author: s, Lang: s, Foot: s, Mark: s, Blocks: []Block{Heading{2, s}, Paragraph{spans}, List{true, [][]Span{spans}},
			Facts{3, []Fact{{s, s, 1}, {s, s, 3}}}, Table{s, []string{s, s}, [][]string{{s}, {s, s, s}}, nil, true}, Notice{spans},
			Code{Text: "x", Alt: "a" + s, Link: s, Beside: spans}}}
		d := open(t, mustPDF(t, p))
		if got, want := squeeze(d.tree.all()), said(p, true); got != want {
			t.Fatalf("the PDF says\n%q, want\n%q", got, want)
		}
		checkHTML(t, p)
	})
}
