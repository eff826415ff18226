package element

import (
	"errors"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir"
)

func TestParseWalk(t *testing.T) {
	d, err := Parse([]byte(` {"a" : "x\u00f1\ud83d\ude00\b\f\n\r\t\/\\\"", "b":[1.10,-0.0e+5,true,false,null,[],{}], "\u0063":{"d":{}} } `))
	if err != nil {
		t.Fatal(err)
	}
	if got := d.Text(d.Get(0, "a")); got != "xñ😀\b\f\n\r\t/\\\"" {
		t.Errorf("a = %q", got)
	}
	var items []string
	b := d.Get(0, "b")
	for c := d.First(b); c != None; c = d.Next(b, c) {
		items = append(items, string(d.Raw(c)))
	}
	if got := strings.Join(items, " "); got != "1.10 -0.0e+5 true false null [] {}" || d.Size(b) != 7 {
		t.Errorf("b = %s (%d)", got, d.Size(b))
	}
	c := d.Get(0, "c")
	if string(d.Raw(c)) != `{"d":{}}` || d.Next(0, c) != None || d.After(c) != Node(d.Len()) {
		t.Errorf("c = %s", d.Raw(c))
	}
	if string(d.Name(d.Get(c, "d"))) != "d" || d.Get(c, "e") != None || d.Get(None, "e") != None || d.Get(b, "e") != None {
		t.Error("Get")
	}
}

func TestParseRefuses(t *testing.T) {
	many := func(n int, key func(int) string) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(`,"` + key(i) + `":` + `0`)
		}
		return "{" + b.String()[1:] + "}"
	}
	letters := func(i int) string {
		return strings.Repeat("k", i%7) + string(rune('A'+i%26)) + strings.Repeat("z", i/26)
	}
	for _, c := range []struct {
		name, in, rule string
		line, col      int
	}{
		{"empty", "", RuleSyntax, 1, 1},
		{"blank", " \n ", RuleSyntax, 2, 2},
		{"trailing", "{} {", RuleSyntax, 1, 4},
		{"two values", "1 2", RuleSyntax, 1, 3},
		{"comma at end of object", `{"a":1,}`, RuleSyntax, 1, 8},
		{"comma at end of array", `[1,]`, RuleSyntax, 1, 4},
		{"no comma", `[1 2]`, RuleSyntax, 1, 4},
		{"no colon", `{"a" 1}`, RuleSyntax, 1, 6},
		{"no value", `{"a":}`, RuleSyntax, 1, 6},
		{"wrong bracket", `[1}`, RuleSyntax, 1, 3},
		{"wrong first bracket", `{]`, RuleSyntax, 1, 2},
		{"name unquoted", `{a:1}`, RuleSyntax, 1, 2},
		{"single quotes", `{'a':1}`, RuleSyntax, 1, 2},
		{"comment", "{}\n// x", RuleSyntax, 2, 1},
		{"unclosed", `{"a":[1`, RuleSyntax, 1, 8},
		{"unclosed after comma", `{"a":[1,`, RuleSyntax, 1, 9},
		{"unclosed name", `{"a`, RuleSyntax, 1, 4},
		{"word cut", `tru`, RuleSyntax, 1, 1},
		{"word long", `nulll`, RuleSyntax, 1, 5},
		{"NaN", `NaN`, RuleSyntax, 1, 1},
		{"plus", `+1`, RuleSyntax, 1, 1},
		{"bare point", `.5`, RuleSyntax, 1, 1},
		{"minus", `-`, RuleNumber, 1, 2},
		{"leading zero", `[01]`, RuleNumber, 1, 2},
		{"leading zeroes", `-00.1`, RuleNumber, 1, 1},
		{"point at end", `1.`, RuleNumber, 1, 3},
		{"exponent empty", `1e+`, RuleNumber, 1, 4},
		{"hex", `0x10`, RuleSyntax, 1, 2},
		{"10,000 digits", strings.Repeat("7", 10000), RuleNumber, 1, 1},
		{"10,000 decimals", "0." + strings.Repeat("7", 10000), RuleNumber, 1, 1},
		{"tab in string", "\"a\tb\"", RuleControl, 1, 3},
		{"NUL in string", "\"ñ\x00\"", RuleControl, 1, 3},
		{"NUL between", "{\x00}", RuleSyntax, 1, 2},
		{"newline in name", "{\"a\n\":1}", RuleControl, 1, 4},
		{"escape", `"\x41"`, RuleEscape, 1, 2},
		{"escape at end", `"\`, RuleEscape, 1, 2},
		{"escape quote unclosed", `"\"`, RuleSyntax, 1, 4},
		{"escape hex", `"\u12g4"`, RuleEscape, 1, 2},
		{"escape short", `"\u123"`, RuleEscape, 1, 2},
		{"lone high surrogate", `"\ud83d"`, RuleEscape, 1, 2},
		{"high then letter", `"\ud83dA\ude00"`, RuleEscape, 1, 2},
		{"two high", `"\ud83d\ud83d"`, RuleEscape, 1, 2},
		{"lone low surrogate", `"a\ude00"`, RuleEscape, 1, 3},
		{"lone surrogate in name", `{"\ude00":1}`, RuleEscape, 1, 3},
		{"UTF-8 cut", "\"ñ\xc3\"", RuleUTF8, 1, 3},
		{"UTF-8 overlong", "\"\xc0\xaf\"", RuleUTF8, 1, 2},
		{"UTF-8 surrogate", "\"\xed\xa0\x80\"", RuleUTF8, 1, 2},
		{"UTF-8 beyond", "\"\xf5\x80\x80\x80\"", RuleUTF8, 1, 2},
		{"UTF-8 in name", "{\"\xff\":1}", RuleUTF8, 1, 3},
		{"UTF-16", "{\x00}\x00", RuleSyntax, 1, 2},
		{"half a BOM", "\xef\xbb{}", RuleSyntax, 1, 1},
		{"two BOMs", "\xef\xbb\xbf\xef\xbb\xbf{}", RuleSyntax, 1, 2},
		{"duplicate", `{"a":1,"b":{"a":2},"a":3}`, RuleDuplicate, 1, 20},
		{"duplicate by escape", `{"a":1,"\u0061":3}`, RuleDuplicate, 1, 8},
		{"duplicate empty", `{"":1,"":3}`, RuleDuplicate, 1, 7},
		{"duplicate of 33", many(33, func(i int) string { return letters(i % 32) }), RuleDuplicate, 1, 0},
		{"duplicate of 400", many(400, func(i int) string { return letters(i % 399) }), RuleDuplicate, 1, 0},
		{"long name", `{"` + strings.Repeat("n", 300) + `":1}`, RuleName, 1, 2},
		{"very long name", `{"` + strings.Repeat("n", 70000) + `":1}`, RuleName, 1, 2},
		{"deep arrays", strings.Repeat("[", 2000) + strings.Repeat("]", 2000), RuleDepth, 1, 101},
		{"deep objects", strings.Repeat(`{"a":`, 2000), RuleDepth, 1, 501},
	} {
		_, err := Parse([]byte(c.in))
		var se *SyntaxError
		if !errors.As(err, &se) {
			t.Errorf("%s: %v, want a syntax error", c.name, err)
			continue
		}
		if se.Rule != c.rule || se.Line != c.line || c.col != 0 && se.Col != c.col {
			t.Errorf("%s: %s at %d:%d, want %s at %d:%d", c.name, se.Rule, se.Line, se.Col, c.rule, c.line, c.col)
		}
		want := fhir.Invalid
		if c.rule == RuleDepth {
			want = fhir.TooLarge
		}
		if fhir.CodeOf(err) != want {
			t.Errorf("%s: code %d, want %d", c.name, fhir.CodeOf(err), want)
		}
	}
}
