// Package page lays documents for people out: a clinical note, a birth certificate,
// a vaccination card. What a document says is a list of blocks; the same blocks become
// a PDF and an HTML page, so that the two cannot differ.
//
// Both are made for everyone: the PDF is tagged (ISO 32000-1, 14.7 and 14.8) with its
// language, a title, headings, table headers and texts in place of pictures; the HTML
// is plain, has no scripts and reads well aloud and on a telephone.
package page

import "time"

// Page is one document.
type Page struct {
	Title   string    // shown by a reader in place of a file name, and as the first heading where the blocks begin with none of level 1; never empty
	Lang    string    // BCP 47: "es-MX"
	Author  string    // who is responsible for the content; "" for none
	Created time.Time // date of the PDF; equal input gives equal bytes
	Foot    string    // at the foot of each sheet, beside its number, five lines at most; "" for none
	Mark    string    // across each sheet, when it is no longer or not yet valid: "CANCELADO", "BORRADOR"; "" for none
	Single  bool      // it must fit on one sheet: rather a smaller type, down to 6 points, than a second one; breaks are passed over
	Blocks  []Block
}

// Block is a part of a document: one of the types of this file.
type Block interface{ block() }

// Span is text in one style. A line break in it is kept.
type Span struct {
	Text         string
	Bold, Italic bool
}

// Heading begins a part. The title of the document is the first one, of level 1; a
// level deeper than one below the last is taken for that one.
type Heading struct {
	Level int // 1 to 4
	Text  string
}

// Paragraph is running text.
type Paragraph struct{ Spans []Span }

// List is a list of items.
type List struct {
	Ordered bool
	Items   [][]Span
}

// Facts are labelled values in columns, as on a form.
type Facts struct {
	Columns int // 1 to 6; 0 is 2
	Items   []Fact
}

// Fact is one labelled value.
type Fact struct {
	Label, Value string
	Wide         int // columns that it takes; 0 is 1
}

// Table has a row of headers; those of its first column head their rows when RowHeads.
type Table struct {
	Caption  string // "" for none
	Head     []string
	Rows     [][]string
	Widths   []float64 // shares of the width, as many as Head; nil lets the content decide
	RowHeads bool
}

// Code is a QR code (ISO/IEC 18004, level M; L for a SMART Health Card) with text beside it.
type Code struct {
	Text        string  // what it holds; beyond ASCII, some readers guess wrong
	Alt         string  // what stands in its place for those who cannot see it; never empty
	Millimetres float64 // its side, with the blank frame that it needs; 0 is 35
	Link        string  // where a tap on it leads: http or https; "" for nowhere
	Beside      []Span
}

// Notice is a text that must not be overlooked.
type Notice struct{ Spans []Span }

// Rule parts what is above from what is below.
type Rule struct{}

// Break begins a new sheet.
type Break struct{}

func (Heading) block()   {}
func (Paragraph) block() {}
func (List) block()      {}
func (Facts) block()     {}
func (Table) block()     {}
func (Code) block()      {}
func (Notice) block()    {}
func (Rule) block()      {}
func (Break) block()     {}

// Text returns a paragraph of plain text.
func Text(text string) Paragraph { return Paragraph{Spans: []Span{{Text: text}}} }
