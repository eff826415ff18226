package page

import (
	"slices"
	"strings"
)

// content returns the blocks as both kinds of document show them: with the title first
// where no heading of level 1 is, with the mark in words below it, since not everyone
// sees what runs across the sheet, and with headings whose levels leave none out
// (PDF/UA-1, 7.4.2; WCAG 2.1, 1.3.1). Of a table without columns its caption is left.
func (p *Page) content() []Block {
	blocks := slices.Clone(p.Blocks)
	if !titled(blocks) {
		blocks = slices.Insert(blocks, 0, Block(Heading{Level: 1, Text: p.Title}))
	}
	if p.Mark != "" {
		blocks = slices.Insert(blocks, 1, Block(Notice{Spans: []Span{{Text: p.Mark}}}))
	}
	last := 0
	for i, b := range blocks {
		switch b := b.(type) {
		case Heading:
			b.Level = max(1, min(b.Level, last+1, 4))
			last = b.Level
			blocks[i] = b
		case Table:
			if b.columns() == 0 {
				blocks[i] = Text(b.Caption)
			}
		}
	}
	return blocks
}

// titled reports that the first block is a heading of level 1.
func titled(blocks []Block) bool {
	if len(blocks) == 0 {
		return false
	}
	h, ok := blocks[0].(Heading)
	return ok && h.Level == 1
}

// english reports that the words that are ours are to be English; else they are
// Spanish.
func (p *Page) english() bool {
	lang := strings.ToLower(p.lang())
	return lang == "en" || strings.HasPrefix(lang, "en-")
}

// lang returns the language of the document: Mexican Spanish where it names none.
func (p *Page) lang() string {
	for _, r := range p.Lang {
		if r != '-' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') {
			return "es-MX"
		}
	}
	if p.Lang == "" {
		return "es-MX"
	}
	return p.Lang
}

// columns returns how many columns there are.
func (f *Facts) columns() int {
	if f.Columns <= 0 {
		return 2
	}
	return min(f.Columns, 6)
}

// wide returns how many of the columns a value takes.
func (f *Fact) wide(columns int) int { return max(1, min(f.Wide, columns)) }

// side returns the side of the code in millimetres, with its frame.
func (q *Code) side() float64 {
	if q.Millimetres > 0 && q.Millimetres < 1000 {
		return q.Millimetres
	}
	return 35
}
