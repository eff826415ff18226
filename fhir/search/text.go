package search

import (
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/spec"
)

// maxTerms bounds the words of one _text or _content.
const maxTerms = 50

// fullText reads _text or _content: words that must all stand in the narrative, or in
// all text, joined by and (which can be left out), or, not (or a minus sign), with
// parentheses and quotes. Not binds closest, then and. The words in quotes must all
// stand there, in any order. A comma is an or, as everywhere.
//
// See https://hl7.org/fhir/R4/search.html#content.
func (p *parser) fullText(param Param) error {
	name, _, modified := strings.Cut(param.Name, ":")
	if modified {
		return unknown("%s has no modifiers", name)
	}
	if param.Value == "" {
		return unknown("search parameter %s has no value", show(name))
	}
	if typ, ok := p.textless(); ok {
		return unknown("this server does not index the text of %s, which %s would search", typ, name)
	}
	raws, err := list(name, param.Value)
	if err != nil {
		return err
	}
	var any Or
	for _, raw := range raws {
		w := wordParser{narrative: name == "_text", tokens: wordTokens(unescape(raw))}
		if len(w.tokens) > 2*maxTerms {
			return fhir.Errorf(fhir.TooCostly, "%s with more than %d words", name, maxTerms)
		}
		e, err := w.or()
		switch {
		case err != "":
			return badValueOf(name, raw, err)
		case w.at < len(w.tokens):
			return badValueOf(name, raw, "it has a parenthesis too many")
		case e == nil:
			return badValueOf(name, raw, "there is no word in it to look for")
		}
		any = append(any, e)
	}
	if len(any) == 1 {
		p.q.Where = append(p.q.Where, any[0])
		return nil
	}
	p.q.Where = append(p.q.Where, any)
	return nil
}

// textless returns a type that is searched and not indexed for full text, if any is.
func (p *parser) textless() (typ string, ok bool) {
	types := p.types
	if p.q.Type != "" {
		types = []string{p.q.Type}
	} else if len(types) == 0 {
		types = spec.Resources()
	}
	for _, typ := range types {
		if p.opts.FullText != nil && !p.opts.FullText(typ) {
			return typ, true
		}
	}
	return "", false
}

// wordTokens parts a text at white space, parentheses and quotes. What stood in
// quotes begins with one.
func wordTokens(text string) (all []string) {
	for text != "" {
		switch text[0] {
		case ' ', '\t', '\n', '\r':
			text = text[1:]
		case '(', ')':
			all, text = append(all, text[:1]), text[1:]
		case '-':
			all, text = append(all, "not"), text[1:]
		case '"':
			quoted, rest, _ := strings.Cut(text[1:], `"`)
			all, text = append(all, `"`+quoted), rest
		default:
			end := strings.IndexAny(text, " \t\n\r()\"")
			if end < 0 {
				end = len(text)
			}
			all, text = append(all, text[:end]), text[end:]
		}
	}
	return all
}

// wordParser reads the tokens of a _text or _content. A condition is nil when it has
// none but the commonest words, which are not indexed.
type wordParser struct {
	narrative bool
	tokens    []string
	at, depth int
}

func (w *wordParser) next(word string) bool {
	if w.at < len(w.tokens) && strings.EqualFold(w.tokens[w.at], word) {
		w.at++
		return true
	}
	return false
}

func (w *wordParser) or() (Expr, string) {
	var any Or
	for {
		e, err := w.and()
		if err != "" {
			return nil, err
		}
		if e != nil {
			any = append(any, e)
		}
		if !w.next("or") {
			break
		}
	}
	switch len(any) {
	case 0:
		return nil, ""
	case 1:
		return any[0], ""
	}
	return any, ""
}

func (w *wordParser) and() (Expr, string) {
	all, words := And{}, Words{Narrative: w.narrative}
	for read := false; ; read = true {
		joined := w.next("and")
		if w.at == len(w.tokens) || w.tokens[w.at] == ")" || strings.EqualFold(w.tokens[w.at], "or") {
			if joined || !read {
				return nil, "and, or and not stand before a word or a parenthesis"
			}
			break
		}
		if joined && !read {
			return nil, "and stands between two words"
		}
		e, err := w.term()
		if err != "" {
			return nil, err
		}
		if plain, ok := e.(Words); ok {
			words.All = append(words.All, plain.All...)
		} else if e != nil {
			all = append(all, e)
		}
	}
	if len(words.All) > 0 {
		slices.Sort(words.All)
		words.All = slices.Compact(words.All)
		all = append(And{words}, all...)
	}
	switch len(all) {
	case 0:
		return nil, ""
	case 1:
		return all[0], ""
	}
	return all, ""
}

func (w *wordParser) term() (Expr, string) {
	if w.depth++; w.depth > 20 {
		return nil, "its parentheses are too deep"
	}
	defer func() { w.depth-- }()
	if w.next("not") {
		if w.at == len(w.tokens) || w.tokens[w.at] == ")" {
			return nil, "and, or and not stand before a word or a parenthesis"
		}
		e, err := w.term()
		if e == nil || err != "" {
			return nil, err
		}
		return Not{e}, ""
	}
	token := w.tokens[w.at]
	w.at++
	if token != "(" {
		words := Analyse(token)
		if len(words) == 0 {
			return nil, ""
		}
		return Words{w.narrative, words}, ""
	}
	e, err := w.or()
	if err != "" {
		return nil, err
	}
	if !w.next(")") {
		return nil, "it lacks a closing parenthesis"
	}
	if words, ok := e.(Words); ok {
		return And{words}, ""
	}
	return e, ""
}
