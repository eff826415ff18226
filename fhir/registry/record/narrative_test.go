package record

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/amate-health/amate/fhir/document/page"
)

const divOpen, divClose = `<div xmlns="http://www.w3.org/1999/xhtml">`, `</div>`

func p(spans ...page.Span) page.Paragraph { return page.Paragraph{Spans: spans} }

func TestNarrative(t *testing.T) {
	bold := func(s string) page.Span { return page.Span{Text: s, Bold: true} }
	text := func(s string) page.Span { return page.Span{Text: s} }
	for in, want := range map[string][]page.Block{
		"":                                      nil,
		"  \n ":                                 nil,
		"hola":                                  {p(text("hola"))},
		"<p>a</p>\n<p>b</p>":                    {p(text("a")), p(text("b"))},
		"<p> a \n\t b </p>":                     {p(text("a b"))},
		"a<br/>b":                               {p(text("a\nb"))},
		"<p>a <b>c</b> d</p>":                   {p(text("a "), bold("c"), text(" d"))},
		"<p><b><i>x</i></b></p>":                {p(page.Span{Text: "x", Bold: true, Italic: true})},
		"<p>&lt;b&gt; &amp; &oacute;</p>":       {p(text("<b> & ó"))},
		"<h1>Uno</h1><p>a</p>":                  {page.Heading{Level: 3, Text: "Uno"}, p(text("a"))},
		"<h6>Seis</h6>":                         {page.Heading{Level: 4, Text: "Seis"}},
		"<ul><li>a</li> <li><b>b</b></li></ul>": {page.List{Items: [][]page.Span{{text("a")}, {bold("b")}}}},
		"<ol><li><p>a</p></li></ol>":            {page.List{Ordered: true, Items: [][]page.Span{{text("a")}}}},
		"<ul><li>a<ul><li>b</li><li>c</li></ul></li></ul>": {page.List{Items: [][]page.Span{{text("a\n– b\n– c")}}}},
		"<ul></ul><table></table><p></p>":                  nil,
		"<hr/>":                                            {page.Rule{}},
		"<pre>a\n  b</pre>":                                {p(text("a\n  b"))},
		"<p>a<img src='http://x/y.png' alt='radiografía'/></p>":     {p(text("a[radiografía]"))},
		"<p>a<img src='http://x/y.png'/></p>":                       {p(text("a"))},
		"<a href='javascript:alert(1)'>ver</a>":                     {p(text("ver"))},
		"<script>alert(1)</script>":                                 nil,
		"<p onclick='x()'>a<script>alert(1)</script>b</p>":          {p(text("ab"))},
		"<style>p{}</style><svg><text>x</text></svg><p>a</p>":       {p(text("a"))},
		"<iframe src='x'>y</iframe><form><input value='z'/></form>": nil,
		"<p>abc\u202edef\u0007</p>":                                 {p(text("abcdef"))},
		"<table><tr><th>A</th><th>B</th></tr><tr><td>1</td><td>2</td></tr></table>": {
			page.Table{Head: []string{"A", "B"}, Rows: [][]string{{"1", "2"}}},
		},
		"<table><caption>C</caption><thead><tr><td>A</td><td>B</td></tr></thead><tbody><tr><th>x</th><td>2</td></tr><tr><th>y</th></tr></tbody></table>": {
			page.Table{Caption: "C", Head: []string{"A", "B"}, Rows: [][]string{{"x", "2"}, {"y", ""}}, RowHeads: true},
		},
		"<table><tr><td>Peso</td><td>70</td></tr></table>":       {page.Facts{Columns: 1, Items: []page.Fact{{Label: "Peso", Value: "70"}}}},
		"<table><tr><td>1</td><td>2</td><td>3</td></tr></table>": {page.List{Items: [][]page.Span{{text("1 · 2 · 3")}}}},
		"<p>unclosed <b>bold":      {p(text("unclosed "), bold("bold"))},
		"</p></div></div><p>a</p>": {p(text("a"))},
		strings.Repeat("<div>", 500) + "deep" + strings.Repeat("</div>", 500): nil,
	} {
		got := narrative(divOpen + in + divClose)
		if in == "</p></div></div><p>a</p>" {
			got = narrative(in)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%.100s\nis   %+v\nwant %+v", in, got, want)
		}
	}
}

// TestNarrativeAgain: blocks that were written as XHTML come back as they were.
func TestNarrativeAgain(t *testing.T) {
	words := rapid.StringMatching(`[A-Za-zñáé<>&"'0-9/]{1,8}( [A-Za-zñ&<0-9]{1,8}){0,3}`)
	spans := rapid.Custom(func(t *rapid.T) []page.Span {
		var out []page.Span
		style := rapid.SampledFrom([]page.Span{{}, {Bold: true}, {Italic: true}, {Bold: true, Italic: true}})
		for range rapid.IntRange(1, 4).Draw(t, "spans") {
			s := style.Draw(t, "style")
			if s.Text = words.Draw(t, "text"); rapid.Bool().Draw(t, "two lines") {
				s.Text += "\n" + words.Draw(t, "more")
			}
			if n := len(out); n > 0 && out[n-1].Bold == s.Bold && out[n-1].Italic == s.Italic {
				continue // one span of a style after another is one span
			}
			out = append(out, s)
		}
		return out
	})
	rapid.Check(t, func(t *rapid.T) {
		var blocks []page.Block
		for range rapid.IntRange(0, 5).Draw(t, "blocks") {
			switch rapid.IntRange(0, 2).Draw(t, "kind") {
			case 0:
				blocks = append(blocks, page.Paragraph{Spans: spans.Draw(t, "spans")})
			case 1:
				blocks = append(blocks, page.List{Ordered: rapid.Bool().Draw(t, "ordered"), Items: rapid.SliceOfN(spans, 1, 4).Draw(t, "items")})
			case 2:
				columns := rapid.IntRange(2, 4).Draw(t, "columns")
				row := rapid.SliceOfN(words, columns, columns)
				blocks = append(blocks, page.Table{
					Head: row.Draw(t, "head"), Rows: rapid.SliceOfN(row, 1, 4).Draw(t, "rows"), RowHeads: rapid.Bool().Draw(t, "row heads"),
				})
			}
		}
		if got := narrative(xhtml(blocks)); !reflect.DeepEqual(got, blocks) {
			t.Fatalf("%s\n%s\n%s", xhtml(blocks), fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", blocks))
		}
	})
}

// FuzzNarrative: whatever a narrative holds, it becomes blocks of text that can be
// printed, in which no control character is left.
func FuzzNarrative(f *testing.F) {
	for _, seed := range []string{
		"<div>", "<!DOCTYPE x [<!ENTITY a 'b'>]><div>&a;</div>", "<div><![CDATA[<script>]]></div>", "<div>&#0;&#x202e;</div>", "<table><tr><td><table><tr><td>x",
		"<ul><li><ul><li>", "<div><p/><br/><br/></div>", "<DIV><SCRIPT>x</SCRIPT></DIV>", "<div><x:script xmlns:x='y'>a</x:script></div>", "<?xml version='1.0'?>\xff\xfe",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, div string) {
		for _, b := range narrative(div) {
			text := fmt.Sprintf("%v", b)
			if strings.ContainsAny(text, "\x00\x07\x1b\u202e\u2066") {
				t.Errorf("%q leaves %q", div, text)
			}
			if t, ok := b.(page.Table); ok {
				for _, row := range t.Rows {
					if len(row) != len(t.Head) {
						panic("a row of another length")
					}
				}
			}
		}
		plain(div)
	})
}
