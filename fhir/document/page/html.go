package page

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html"
	"math"
	"strconv"
	"strings"
)

//go:embed page.css
var css string

// Policy is the Content-Security-Policy that an HTML page of this package needs: its
// own style sheet, and nothing else. It is to be sent with it.
var Policy = func() string {
	sum := sha256.Sum256([]byte(css))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}()

// HTML returns the document as a page of HTML without scripts, which needs nothing
// from elsewhere. It fails when the document has no title, and when a code holds
// nothing or too much.
func (p *Page) HTML() ([]byte, error) {
	if strings.TrimSpace(clean(p.Title)) == "" {
		return nil, errTitle
	}
	w := &writer{}
	w.put(`<!DOCTYPE html>`, "\n", `<html lang="`, p.lang(), `"><head><meta charset="utf-8">`,
		`<meta name="viewport" content="width=device-width, initial-scale=1"><title>`)
	w.text(p.Title)
	w.put(`</title>`)
	if p.Author != "" {
		w.put(`<meta name="author" content="`)
		w.text(p.Author)
		w.put(`">`)
	}
	w.put(`<style>`, css, "</style></head>\n<body>")
	if p.Mark != "" {
		w.put(`<div class="mark" aria-hidden="true">`)
		w.text(p.Mark)
		w.put(`</div>`)
	}
	w.put("<main>\n")
	for _, b := range p.content() {
		if err := w.block(b); err != nil {
			return nil, err
		}
	}
	w.put("</main>\n")
	if p.Foot != "" {
		w.put(`<footer>`)
		w.lines(p.Foot)
		w.put("</footer>\n")
	}
	w.put("</body></html>\n")
	return w.Bytes(), nil
}

// writer writes HTML. What it is not told to be text is its own.
type writer struct {
	bytes.Buffer
	ids int // given to parts that are named by others
}

func (w *writer) put(parts ...string) {
	for _, s := range parts {
		w.WriteString(s)
	}
}

// text writes text as it is: nothing in it is markup.
func (w *writer) text(s string) { w.WriteString(html.EscapeString(clean(s))) }

// lines writes text with its line breaks.
func (w *writer) lines(s string) {
	for i, l := range strings.Split(clean(s), "\n") {
		if i > 0 {
			w.put("<br>")
		}
		w.WriteString(html.EscapeString(l))
	}
}

func (w *writer) spans(spans []Span) {
	for _, s := range spans {
		if s.Bold {
			w.put("<strong>")
		}
		if s.Italic {
			w.put("<em>")
		}
		w.lines(s.Text)
		if s.Italic {
			w.put("</em>")
		}
		if s.Bold {
			w.put("</strong>")
		}
	}
}

func (w *writer) block(b Block) error {
	switch b := b.(type) {
	case Heading:
		tag := "h" + strconv.Itoa(b.Level)
		w.put("<", tag, ">")
		w.lines(b.Text)
		w.put("</", tag, ">\n")
	case Paragraph:
		w.put("<p>")
		w.spans(b.Spans)
		w.put("</p>\n")
	case List:
		w.list(b)
	case Facts:
		w.facts(b)
	case Table:
		w.table(b)
	case Code:
		return w.code(b)
	case Notice:
		w.put(`<p class="notice">`)
		w.spans(b.Spans)
		w.put("</p>\n")
	case Rule:
		w.put("<hr>\n")
	case Break:
		w.put(`<div class="break"></div>`, "\n")
	default:
		return fmt.Errorf("page: a block of type %T", b)
	}
	return nil
}

func (w *writer) list(l List) {
	if len(l.Items) == 0 {
		return
	}
	tag := "ul"
	if l.Ordered {
		tag = "ol"
	}
	w.put("<", tag, ">")
	for _, spans := range l.Items {
		w.put("<li>")
		w.spans(spans)
		w.put("</li>")
	}
	w.put("</", tag, ">\n")
}

func (w *writer) facts(f Facts) {
	if len(f.Items) == 0 {
		return
	}
	w.put(`<dl class="c`, strconv.Itoa(f.columns()), `">`)
	for _, item := range f.Items {
		w.put(`<div class="w`, strconv.Itoa(item.wide(f.columns())), `"><dt>`)
		w.lines(item.Label)
		w.put(`</dt><dd>`)
		w.lines(item.Value)
		w.put(`</dd></div>`)
	}
	w.put("</dl>\n")
}

// table writes a table in a frame that scrolls by itself on a narrow screen, also by
// keyboard.
func (w *writer) table(t Table) {
	n := t.columns()
	if t.Caption != "" {
		w.ids++
		id := "t" + strconv.Itoa(w.ids)
		w.put(`<div class="table" role="region" tabindex="0" aria-labelledby="`, id, `"><table><caption id="`, id, `">`)
		w.lines(t.Caption)
		w.put(`</caption>`)
	} else {
		w.put(`<div class="table" tabindex="0"><table>`)
	}
	if len(t.Head) > 0 {
		w.put(`<thead><tr>`)
		w.cells(t.Head, n, n, "col")
		w.put(`</tr></thead>`)
	}
	w.put("<tbody>\n")
	for _, r := range t.Rows {
		w.put(`<tr>`)
		heads := 0
		if t.RowHeads {
			heads = 1
		}
		w.cells(r, n, heads, "row")
		w.put("</tr>\n")
	}
	w.put("</tbody></table></div>\n")
}

// cells writes n cells, of which the first are heads.
func (w *writer) cells(values []string, n, heads int, scope string) {
	for i := range n {
		tag, open := "td", "<td>"
		if i < heads {
			tag, open = "th", `<th scope="`+scope+`">`
		}
		w.put(open)
		if i < len(values) {
			w.lines(values[i])
		}
		w.put("</", tag, ">")
	}
}

// code writes a QR code as a drawing that says what it is.
func (w *writer) code(q Code) error {
	modules, err := q.modules()
	if err != nil {
		return err
	}
	w.ids++
	id, side := "q"+strconv.Itoa(w.ids), strconv.Itoa(len(modules)+2*quiet)
	w.put(`<div class="code">`)
	link, linked := q.target()
	if linked {
		w.put(`<a href="`, html.EscapeString(link), `" rel="noopener noreferrer">`)
	}
	mm := strconv.FormatFloat(math.Round(q.side()*100)/100, 'f', -1, 64) + "mm"
	w.put(`<svg role="img" aria-labelledby="`, id, `" width="`, mm, `" height="`, mm, `" viewBox="0 0 `, side, ` `, side,
		`" shape-rendering="crispEdges"><title id="`, id, `">`)
	w.text(q.Alt)
	w.put(`</title><path fill="#fff" d="M0 0h`, side, `v`, side, `H0z"/><path d="`)
	bars(modules, func(x, y, length int) {
		fmt.Fprintf(w, "M%d %dh%dv1h-%dz", x+quiet, y+quiet, length, length)
	})
	w.put(`"/></svg>`)
	if linked {
		w.put(`</a>`)
	}
	if len(q.Beside) > 0 {
		w.put(`<p>`)
		w.spans(q.Beside)
		w.put(`</p>`)
	}
	w.put("</div>\n")
	return nil
}
