package search

import (
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir/spec"
)

// word adds what a token says.
func (x *extractor) word(l *leaf, kind WordKind, posting int64, text []byte) {
	if len(text) == 0 {
		return
	}
	x.ix.Words = append(x.ix.Words, Word{Param: l.param, Kind: kind, Posting: posting, Text: cut(x.texts.text(text[:min(len(text), 2*maxString)]))})
}

// says adds a text that goes with a token, or stands for one: a concept of nothing
// but text is not missing.
func (x *extractor) says(l *leaf, text []byte) {
	if len(text) > 0 && x.gather == nil {
		x.present(l)
		x.display(l, text)
	}
}

// display adds a text for :text.
func (x *extractor) display(l *leaf, text []byte) {
	if len(text) == 0 || x.gather != nil {
		return
	}
	folded := x.texts.fold(text)
	if folded == "" {
		return
	}
	posting := x.markedText(l, displayMark, folded)
	x.ix.Words = append(x.ix.Words, Word{Param: l.param, Kind: DisplayWord, Posting: posting, Text: folded})
}

// parseText reads one value of :text, still escaped.
func parseText(p *spec.SearchParam, raw string) (Value, error) {
	v := Value{Raw: raw, Text: cut(Fold(unescape(raw)))}
	if v.Text == "" {
		return v, badValue(p, raw, "there is nothing in it to look for")
	}
	return v, nil
}

// holds compares the stored w with v: a text or a word in it begins with what is
// asked for; a uri begins with it, to the letter.
func (w Word) holds(modifier string, v *Value) bool {
	if modifier == "below" {
		return w.Kind == CodeWord && strings.HasPrefix(w.Text, v.Text)
	}
	return w.Kind == DisplayWord && (strings.HasPrefix(w.Text, v.Text) || strings.Contains(w.Text, " "+v.Text))
}

// worded reports whether m looks in Index.Words.
func (m Match) worded() bool { return m.Modifier == "text" || m.Modifier == "below" }

func (m Match) inWords(ix *Index, v *Value) bool {
	return slices.ContainsFunc(ix.Words, func(w Word) bool { return w.Param == m.Param.ID && w.holds(m.Modifier, v) })
}
