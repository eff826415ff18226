package record

import (
	"strings"

	"github.com/amate-health/amate/fhir/document/page"
)

// table adds a table. One without a row of headers becomes labelled values when it has
// two columns, and lines of a list otherwise: a table of a page has headers, which are
// read aloud with its cells.
func (w *flow) table(n *node) {
	t := tableRows{}
	t.gather(n, false)
	if t.caption != "" && len(t.rows) == 0 {
		w.blocks = append(w.blocks, page.Text(t.caption))
	}
	if len(t.rows) == 0 {
		return
	}
	for i := range t.rows {
		for len(t.rows[i]) < t.columns {
			t.rows[i] = append(t.rows[i], "")
		}
	}
	switch {
	case t.headed:
		w.blocks = append(w.blocks, page.Table{Caption: t.caption, Head: t.rows[0], Rows: t.rows[1:], RowHeads: t.rowHeads})
		return
	case t.caption != "":
		w.blocks = append(w.blocks, page.Paragraph{Spans: []page.Span{{Text: t.caption, Bold: true}}})
	}
	if t.columns == 2 {
		facts := page.Facts{Columns: 1}
		for _, row := range t.rows {
			facts.Items = append(facts.Items, page.Fact{Label: row[0], Value: row[1]})
		}
		w.blocks = append(w.blocks, facts)
		return
	}
	list := page.List{}
	for _, row := range t.rows {
		if text := strings.Trim(strings.Join(row, " · "), " ·"); text != "" {
			list.Items = append(list.Items, []page.Span{{Text: text}})
		}
	}
	if len(list.Items) > 0 {
		w.blocks = append(w.blocks, list)
	}
}

// tableRows are the texts of a table.
type tableRows struct {
	caption  string
	rows     [][]string
	columns  int
	headed   bool // the first row has headers
	rowHeads bool // each other row begins with one
}

func (t *tableRows) gather(n *node, head bool) {
	for _, k := range n.kids {
		switch k.name {
		case "caption":
			t.caption = textOf(flat(k.kids, style{}))
		case "thead":
			t.gather(k, true)
		case "tbody", "tfoot":
			t.gather(k, head)
		case "tr":
			t.row(k, head)
		}
	}
}

func (t *tableRows) row(n *node, head bool) {
	var cells []string
	heads := 0
	for _, c := range n.kids {
		if c.name != "td" && c.name != "th" {
			continue
		}
		if c.name == "th" {
			heads++
		}
		cells = append(cells, textOf(flat(c.kids, style{})))
	}
	if len(cells) == 0 {
		return
	}
	if len(t.rows) == 0 {
		t.headed = head || heads == len(cells) && heads > 1
		t.rowHeads = true
	} else if heads == 0 {
		t.rowHeads = false
	}
	t.rows = append(t.rows, cells)
	t.columns = max(t.columns, len(cells))
}
