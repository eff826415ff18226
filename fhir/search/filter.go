package search

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/amate-health/amate/fhir"
)

// Bounds of one _filter.
const (
	maxFilter      = 8000 // bytes
	maxFilterTests = 100
	maxFilterDepth = 20 // parentheses and brackets
)

// filter reads _filter.
//
// See https://hl7.org/fhir/R4/search_filter.html.
func (p *parser) filter(param Param) error {
	if param.Name != "_filter" {
		return unknown("_filter has no modifiers")
	}
	if len(param.Value) > maxFilter {
		return fhir.Errorf(fhir.TooCostly, "_filter of more than %d bytes", maxFilter)
	}
	f := filterParser{text: param.Value}
	tree, err := f.whole()
	if err != nil {
		return err
	}
	var e Expr
	if p.q.Type == "" && len(p.types) > 0 {
		var any Or
		for _, typ := range p.types {
			if e, err = p.filtered(typ, tree, 0); err != nil {
				return err
			}
			any = append(any, And{Types{[]string{typ}}, e})
		}
		e = any
	} else if e, err = p.filtered(p.q.Type, tree, 0); err != nil {
		return err
	}
	p.q.Where = append(p.q.Where, e)
	return nil
}

// A filter as it was written, before it is known what resources it is about.
type (
	filterNode  any
	filterNot   struct{ x filterNode }
	filterLogic struct {
		or   bool
		x, y filterNode
	}
	filterTest struct {
		path   []filterStep
		op     string
		value  string
		quoted bool // the value was a JSON string
	}
)

// filterStep is a name of a path, with the condition in brackets after it, or nil.
type filterStep struct {
	name string
	only filterNode
}

// filterOps are the operators, by what they mean.
var filterOps = map[string]bool{
	"eq": true, "ne": true, "co": true, "sw": true, "ew": true, "gt": true, "lt": true, "ge": true, "le": true, "ap": true,
	"sa": true, "eb": true, "pr": true, "po": true, "ss": true, "sb": true, "in": true, "ni": true, "re": true,
}

type filterParser struct {
	text  string
	at    int
	depth int
	tests int
}

// wrong is a fault of the filter, with its place.
func (f *filterParser) wrong(format string, args ...any) error {
	e := fhir.Errorf(fhir.Invalid, "search parameter \"_filter\" cannot be read: "+format, args...)
	return e.With("at character %d: %.60q", f.at+1, f.text[min(f.at, len(f.text)):])
}

func (f *filterParser) whole() (filterNode, error) {
	n, err := f.logic()
	if err != nil {
		return nil, err
	}
	if f.at < len(f.text) {
		return nil, f.wrong("after a test come and, or, or the end")
	}
	return n, nil
}

// logic reads tests joined by and, or; from left to right, neither binding closer
// than the other.
func (f *filterParser) logic() (filterNode, error) {
	if f.depth++; f.depth > maxFilterDepth {
		return nil, fhir.Errorf(fhir.TooCostly, "_filter with more than %d parentheses within one another", maxFilterDepth)
	}
	defer func() { f.depth-- }()
	x, err := f.term()
	if err != nil {
		return nil, err
	}
	for {
		f.space()
		var or bool
		switch {
		case f.word("and"):
		case f.word("or"):
			or = true
		default:
			return x, nil
		}
		y, err := f.term()
		if err != nil {
			return nil, err
		}
		x = filterLogic{or, x, y}
	}
}

func (f *filterParser) term() (filterNode, error) {
	f.space()
	start := f.at
	negated := f.word("not")
	f.space()
	if f.next('(') {
		x, err := f.logic()
		if err != nil {
			return nil, err
		}
		if f.space(); !f.next(')') {
			return nil, f.wrong("a closing parenthesis is missing")
		}
		if negated {
			return filterNot{x}, nil
		}
		return x, nil
	}
	f.at = start
	return f.test()
}

func (f *filterParser) test() (filterNode, error) {
	if f.tests++; f.tests > maxFilterTests {
		return nil, fhir.Errorf(fhir.TooCostly, "_filter with more than %d tests", maxFilterTests)
	}
	t := filterTest{}
	for {
		step, err := f.step()
		if err != nil {
			return nil, err
		}
		t.path = append(t.path, step)
		if !f.next('.') {
			break
		}
	}
	if len(t.path) > maxChain+1 {
		return nil, fhir.Errorf(fhir.TooCostly, "a chain of more than %d references", maxChain)
	}
	if t.path[len(t.path)-1].only != nil {
		return nil, f.wrong("after a condition in brackets comes a dot and another name")
	}
	f.space()
	at := f.at
	if t.op = strings.ToLower(f.name()); !filterOps[t.op] {
		f.at = at
		return nil, f.wrong("after a name comes an operator: eq, ne, co, sw, ew, gt, lt, ge, le, ap, sa, eb, pr, po, ss, sb, in, ni or re")
	}
	f.space()
	if err := f.value(&t); err != nil {
		return nil, err
	}
	return t, nil
}

// step reads a name, and perhaps a condition in brackets.
func (f *filterParser) step() (filterStep, error) {
	s := filterStep{name: f.name()}
	if s.name == "" {
		return s, f.wrong("here the name of a search parameter is missing")
	}
	if !f.next('[') {
		return s, nil
	}
	var err error
	if s.only, err = f.logic(); err != nil {
		return s, err
	}
	if f.space(); !f.next(']') {
		return s, f.wrong("a closing bracket is missing")
	}
	return s, nil
}

// value reads a JSON string, or whatever stands before white space, ) and ].
func (f *filterParser) value(out *filterTest) error {
	rest := f.text[f.at:]
	if strings.HasPrefix(rest, `"`) {
		d := json.NewDecoder(strings.NewReader(rest))
		if err := d.Decode(&out.value); err != nil {
			return f.wrong("a string in quotes is written as in JSON")
		}
		out.quoted = true
		f.at += int(d.InputOffset())
	} else {
		end := strings.IndexAny(rest, " \t\r\n)]")
		if end < 0 {
			end = len(rest)
		}
		out.value = rest[:end]
		f.at += end
	}
	if out.value == "" || !text(out.value) {
		return f.wrong("after an operator comes a value")
	}
	return nil
}

func (f *filterParser) space() {
	for f.at < len(f.text) && strings.IndexByte(" \t\r\n", f.text[f.at]) >= 0 {
		f.at++
	}
}

func (f *filterParser) next(c byte) bool {
	if f.at < len(f.text) && f.text[f.at] == c {
		f.at++
		return true
	}
	return false
}

// word reads a word of the grammar, when it stands here alone.
func (f *filterParser) word(w string) bool {
	at := f.at
	if strings.EqualFold(f.name(), w) && (f.at == len(f.text) || strings.IndexByte(" \t\r\n(", f.text[f.at]) >= 0) {
		return true
	}
	f.at = at
	return false
}

func (f *filterParser) name() string {
	start := f.at
	for f.at < len(f.text) {
		c := f.text[f.at]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == ':' {
			f.at++
			continue
		}
		break
	}
	return f.text[start:f.at]
}

// String returns the test as it was written.
func (t filterTest) String() string {
	var names []string
	for _, s := range t.path {
		names = append(names, s.name)
	}
	value := t.value
	if t.quoted {
		value = strconv.Quote(value)
	}
	return strings.Join(names, ".") + " " + t.op + " " + value
}
