package element

import (
	"bytes"
	"strconv"
	"unicode/utf8"

	"github.com/amate-health/amate/fhir"
)

// The rules a SyntaxError can name.
const (
	RuleSyntax    = "json-syntax"    // the grammar of RFC 8259
	RuleNumber    = "json-number"    // the grammar of numbers, or one that is too long
	RuleEscape    = "json-escape"    // an unknown escape or a lone surrogate
	RuleControl   = "json-control"   // a bare control character in a string
	RuleUTF8      = "json-utf8"      // bytes that are no UTF-8
	RuleDuplicate = "json-duplicate" // a member name that stands twice in an object
	RuleName      = "json-name"      // a member name that is too long
	RuleDepth     = "json-depth"     // Limits.Depth
	RuleNodes     = "json-nodes"     // Limits.Nodes
	RuleSize      = "json-size"      // longer than 2 GiB
)

// SyntaxError says why a text was not taken as JSON. errors.As turns it into a
// *fhir.Error as well.
type SyntaxError struct {
	Offset    int    // in bytes, from 0
	Line, Col int    // from 1; Col counts characters, not bytes
	Rule      string // one of the Rule constants
	Text      string // what is wrong; holds nothing of the input
	Input     string // the input at fault, for the caller only; "" where the position says enough
}

// Error returns the rule broken and where, and nothing of the input.
func (e *SyntaxError) Error() string {
	return "line " + strconv.Itoa(e.Line) + ", column " + strconv.Itoa(e.Col) + ": " + e.Text
}

// As lets errors.As convert e into a *fhir.Error.
func (e *SyntaxError) As(target any) bool {
	t, ok := target.(**fhir.Error)
	if ok {
		*t = e.Fault()
	}
	return ok
}

// Fault returns e as an error for a caller: TooLarge for a limit on size or
// depth, else Invalid.
func (e *SyntaxError) Fault() *fhir.Error {
	issue := fhir.Issue{
		Severity: "fatal", Type: "structure", Rule: e.Rule,
		Details: e.Error(), Line: e.Line, Col: e.Col,
	}
	if e.Input != "" {
		issue.Diagnostics = e.Text + ": " + strconv.Quote(e.Input)
	}
	code := fhir.Invalid
	switch e.Rule {
	case RuleDepth, RuleNodes, RuleSize:
		code, issue.Type = fhir.TooLarge, "too-long"
	case RuleNumber, RuleEscape, RuleControl, RuleUTF8:
		issue.Type = "invalid"
	}
	return &fhir.Error{Code: code, Issues: []fhir.Issue{issue}}
}

func (e *SyntaxError) quote(input []byte) *SyntaxError {
	e.Input = string(input)
	return e
}

func (p *parser) fail(rule string, at int, text string) *SyntaxError {
	return &SyntaxError{Offset: at, Rule: rule, Text: text}
}

func (p *parser) duplicate(n Node) *SyntaxError {
	at := int(p.doc.nodes[n].nameAt) - 1
	return p.fail(RuleDuplicate, at, "a member name stands twice in one object").quote(p.doc.Name(n))
}

// position returns the line and column of a byte offset, both from 1. The column
// counts characters.
func position(src []byte, offset int) (line, col int) {
	before := src[:min(offset, len(src))]
	start := bytes.LastIndexByte(before, '\n') + 1
	return 1 + bytes.Count(before, []byte{'\n'}), 1 + utf8.RuneCount(before[start:])
}
