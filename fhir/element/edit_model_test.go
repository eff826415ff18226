package element

import (
	"testing"

	"pgregory.net/rapid"
)

// value draws JSON text, with or without white space.
func value(t *rapid.T, depth int) string {
	kinds := []string{`1.10`, `-0.0`, `"ñ\n"`, `""`, `true`, `null`, `{`, `[`}
	if depth == 0 {
		kinds = kinds[:6]
	}
	kind := rapid.SampledFrom(kinds).Draw(t, "kind")
	gap := rapid.SampledFrom([]string{"", "", " ", "\n\t"}).Draw(t, "gap")
	if kind != "{" && kind != "[" {
		return kind + gap
	}
	out, n := kind+gap, rapid.IntRange(0, 4).Draw(t, "size")
	for i := range n {
		if i > 0 {
			out += gap + ","
		}
		if kind == "{" {
			out += `"` + string(rune('a'+i)) + `":` + gap
		}
		out += value(t, depth-1)
	}
	return out + map[string]string{"{": "}", "[": "]"}[kind] + gap
}

// edited is plainValue with replacements and drops made.
func edited(d *Doc, n Node, replaced map[Node]string, dropped map[Node]bool) any {
	if text, ok := replaced[n]; ok {
		return text
	}
	switch d.Kind(n) {
	case Object:
		m := map[string]any{}
		for c := d.First(n); c != None; c = d.Next(n, c) {
			if !dropped[c] {
				m[string(d.Name(c))] = edited(d, c, replaced, dropped)
			}
		}
		return m
	case Array:
		items := []any{}
		for c := d.First(n); c != None; c = d.Next(n, c) {
			if !dropped[c] {
				items = append(items, edited(d, c, replaced, dropped))
			}
		}
		return items
	}
	return plainValue(d, n)
}

// TestEditModel: any set of replacements and drops, in any order, gives what the
// same changes to a plain tree give.
func TestEditModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		src := `{"r":` + value(t, 4) + `}`
		d, err := Parse([]byte(src))
		if err != nil {
			t.Fatalf("%s: %v", src, err)
		}
		e, replaced, dropped := d.Edit(0), map[Node]string{}, map[Node]bool{}
		for range rapid.IntRange(0, 5).Draw(t, "changes") {
			n := Node(rapid.IntRange(1, d.Len()-1).Draw(t, "node"))
			if replaced[n] != "" || dropped[n] {
				continue
			}
			if rapid.Bool().Draw(t, "drop") {
				dropped[n] = true
				e.Drop(n)
			} else {
				replaced[n] = "\"new\"\u2028"
				e.SetString(n, replaced[n])
			}
		}
		out := e.AppendTo(nil)
		got, err := decode(out)
		if err != nil || !same(got, edited(d, 0, replaced, dropped)) {
			t.Fatalf("%s became %s: %v", src, out, err)
		}
	})
}
