package element

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"
)

// attacks are inputs that have broken JSON readers before.
func attacks() []string {
	var members strings.Builder
	for i := range 200 {
		members.WriteString(`"m` + strconv.Itoa(i) + `":0,`)
	}
	return []string{
		strings.Repeat("[", 150), strings.Repeat(`{"a":[`, 60) + strings.Repeat(`]}`, 60),
		strings.Repeat("9", 300), "1e99999", "-0.0", "1E+400", "123456789012345678901234567890.10",
		"\"\xff\xfe\"", "\"\xc3\x28\"", `"\ud800"`, `"\ud83d\ude00"`, `"\udc00\ud800"`, "{\"a\x00\":1}", `"\u0000"`,
		`{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, "{" + members.String() + `"m7":1}`, "{" + members.String() + `"z":1}`,
		"\xef\xbb\xbf{}", "{}\x00", "\ufeff", `["\u005C","\u0022"]`, " \t\r\n{ } ", `[1,]`, `[,1]`, `{"a":}`, `nul`, `[1e]`, `"`,
		`{"resourceType":"Patient","id":"1","meta":{"versionId":"3","tag":[{"code":"a"}]},"multipleBirthInteger":2}`,
		`{"meta":{},"x":1.10,"y":1e3,"z":-0.0,"n":123456789012345678901234567890.0}`,
		`{"resourceType":"B","meta":{"lastUpdated":"x"},"met\u0061x":null}`,
	}
}

// FuzzParse holds Parse to encoding/json wherever the two follow the same rule.
func FuzzParse(f *testing.F) {
	for _, s := range attacks() {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		d, err := Parse(src)
		text := bytes.TrimPrefix(src, byteOrderMark)
		var se *SyntaxError
		if errors.As(err, &se) {
			same := se.Rule == RuleSyntax || se.Rule == RuleControl
			if same && json.Valid(text) {
				t.Fatalf("refused by %s at %d, but valid: %q", se.Rule, se.Offset, src)
			}
			if se.Offset > len(src) || se.Line < 1 || se.Col < 1 {
				t.Fatalf("position %d %d:%d of %q", se.Offset, se.Line, se.Col, src)
			}
			return
		}
		want, err := decode(text)
		if err != nil || !json.Valid(text) {
			t.Fatalf("taken, but not valid: %q", src)
		}
		if !same(plainValue(d, 0), want) {
			t.Fatalf("read differently: %q", src)
		}
		compact := d.AppendCompact(nil, 0)
		var ref bytes.Buffer
		if err := json.Compact(&ref, text); err != nil || !bytes.Equal(compact, ref.Bytes()) {
			t.Fatalf("compact %q, want %q", compact, ref.Bytes())
		}
		if again, err := decode(AppendPretty(nil, src[len(src)-len(text):])); err != nil || !same(again, want) {
			t.Fatalf("pretty of %q: %v", src, err)
		}
	})
}

// FuzzStamp: what Stamp writes equals what was read but for id and meta.
func FuzzStamp(f *testing.F) {
	for _, s := range attacks() {
		f.Add([]byte(s), "n1")
	}
	f.Fuzz(func(t *testing.T, src []byte, id string) {
		d, err := Parse(src)
		if err != nil || d.Kind(0) != Object {
			return
		}
		body, v, u := d.Edit(0).Stamp(id)
		stamped := string(body[:v]) + "12" + string(body[v:u]) + "2026-01-01T00:00:00.000Z" + string(body[u:])
		again, err := Parse([]byte(stamped))
		if err != nil {
			t.Fatalf("%q became %q: %v", src, stamped, err)
		}
		got := plainValue(again, 0).(map[string]any)
		meta := got["meta"].(map[string]any)
		if got["id"] != strings.ToValidUTF8(id, "\ufffd") && !strings.Contains(got["id"].(string), "\ufffd") ||
			meta["versionId"] != "12" || meta["lastUpdated"] != "2026-01-01T00:00:00.000Z" {
			t.Fatalf("%q became %q", src, stamped)
		}
		want := plainValue(d, 0).(map[string]any)
		old, _ := want["meta"].(map[string]any)
		for _, m := range []map[string]any{meta, old} {
			for _, name := range []string{"versionId", "lastUpdated", "_versionId", "_lastUpdated"} {
				delete(m, name)
			}
		}
		if len(meta)+len(old) > 0 && !same(any(meta), any(old)) {
			t.Fatalf("meta of %q became %q", src, stamped)
		}
		for _, m := range []map[string]any{got, want} {
			delete(m, "id")
			delete(m, "meta")
		}
		if !same(got, want) {
			t.Fatalf("%q became %q", src, stamped)
		}
	})
}

// TestHugeObject: a duplicate is found among 100,000 members.
func TestHugeObject(t *testing.T) {
	var b strings.Builder
	b.WriteByte('{')
	for i := range 100_000 {
		b.WriteString(`"name` + strconv.Itoa(i) + `":0,`)
	}
	if _, err := Parse([]byte(b.String() + `"last":1}`)); err != nil {
		t.Fatal(err)
	}
	_, err := Parse([]byte(b.String() + `"name99":1}`))
	var se *SyntaxError
	if !errors.As(err, &se) || se.Rule != RuleDuplicate || se.Input != "name99" || se.Offset != b.Len() {
		t.Errorf("%v", err)
	}
}

func TestLimits(t *testing.T) {
	var d Doc
	for _, c := range []struct {
		in   string
		lim  Limits
		rule string
	}{
		{`[[[1]]]`, Limits{Depth: 3}, ""},
		{`[[[1]]]`, Limits{Depth: 2}, RuleDepth},
		{`123456`, Limits{Number: 6}, ""},
		{`-123456`, Limits{Number: 6}, RuleNumber},
		{`{"abc":1}`, Limits{Name: 3}, ""},
		{`{"abcd":1}`, Limits{Name: 3}, RuleName},
		{`{"` + strings.Repeat("n", 1<<16) + `":1}`, Limits{Name: 1 << 20}, RuleName},
		{`[1,2,3]`, Limits{Nodes: 4}, ""},
		{`[1,2,3]`, Limits{Nodes: 3}, RuleNodes},
		{strings.Repeat("[", 5000) + strings.Repeat("]", 5000), Limits{Depth: 5000}, ""},
	} {
		err := d.Parse([]byte(c.in), c.lim)
		var se *SyntaxError
		if errors.As(err, &se) && se.Rule != c.rule || (err == nil) != (c.rule == "") {
			t.Errorf("%.20s %+v: %v, want %q", c.in, c.lim, err, c.rule)
		}
		if err != nil && (d.Len() != 0 || d.Source() != nil) {
			t.Errorf("%.20s: the Doc is not empty after an error", c.in)
		}
	}
}

func TestParseReuses(t *testing.T) {
	src := sample(t)
	var d Doc
	if err := d.Parse(src, Limits{}); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(20, func() {
		if err := d.Parse(src, Limits{}); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
