package sign

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"testing"

	"github.com/amate-health/amate/fhir"
	"pgregory.net/rapid"
)

// TestCanonicalOfTheStandard holds the examples of RFC 8785: 3.2.2 and 3.2.3 and the
// numbers of appendix B.
func TestCanonicalOfTheStandard(t *testing.T) {
	for in, want := range map[string]string{
		`{
  "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
  "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
  "literals": [null, true, false]
}`: `{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`,
		`{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One",` +
			`"\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}`: `{"\r":"Carriage Return","1":"One","` + "\u0080" +
			`":"Control","ö":"Latin Small Letter O With Diaeresis","€":"Euro Sign","😀":"Emoji: Grinning Face","` + "\ufb33" + `":"Hebrew Letter Dalet With Dagesh"}`,
		`[ ]`: `[]`, `{ }`: `{}`, ` [ [ ] , [ 1 ] , { } ] `: `[[],[1],{}]`, `"\b\t\n\f\r\u0001\u001f\u007f"`: `"\b\t\n\f\r\u0001\u001f` + "\x7f" + `"`,
	} {
		got, err := Canonical([]byte(in))
		if err != nil || string(got) != want {
			t.Errorf("%s\nis  %s, %v\nwant %s", in, got, err, want)
		}
	}
	for bits, want := range map[uint64]string{
		0x0000000000000000: "0", 0x8000000000000000: "0", 0x0000000000000001: "5e-324", 0x8000000000000001: "-5e-324",
		0x7fefffffffffffff: "1.7976931348623157e+308", 0xffefffffffffffff: "-1.7976931348623157e+308",
		0x4340000000000000: "9007199254740992", 0xc340000000000000: "-9007199254740992", 0x4430000000000000: "295147905179352830000",
		0x44b52d02c7e14af5: "9.999999999999997e+22", 0x44b52d02c7e14af6: "1e+23", 0x44b52d02c7e14af7: "1.0000000000000001e+23",
		0x444b1ae4d6e2ef4e: "999999999999999700000", 0x444b1ae4d6e2ef4f: "999999999999999900000", 0x444b1ae4d6e2ef50: "1e+21",
		0x3eb0c6f7a0b5ed8c: "9.999999999999997e-7", 0x3eb0c6f7a0b5ed8d: "0.000001",
		0x41b3de4355555553: "333333333.3333332", 0x41b3de4355555554: "333333333.33333325", 0x41b3de4355555555: "333333333.3333333",
		0x41b3de4355555556: "333333333.3333334", 0x41b3de4355555557: "333333333.33333343",
		0xbecbf647612f3696: "-0.0000033333333333333333", 0x43143ff3c1cb0959: "1424953923781206.2",
	} {
		if got := appendNumber(nil, math.Float64frombits(bits)); string(got) != want {
			t.Errorf("%x is %s, want %s", bits, got, want)
		}
	}
}

func TestCanonicalRefuses(t *testing.T) {
	for _, in := range []string{``, `{`, `{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `"\ud800"`, `01`, `[1,]`, "\"\xff\"", `NaN`, `{} {}`} {
		if got, err := Canonical([]byte(in)); err == nil {
			t.Errorf("%q is %s", in, got)
		}
	}
	if _, err := Canonical([]byte(`[1e400]`)); fhir.CodeOf(err) != fhir.Unprocessable {
		t.Errorf("a number beyond a double: %v", err)
	}
}

// TestDocumentKeepsValues: no two values become one.
func TestDocumentKeepsValues(t *testing.T) {
	same := []string{`1`, `1.0`, `1.000`, `10e-1`, `0.1E1`, `100E-2`}
	for _, text := range same {
		got, err := Document([]byte(`{"a":` + text + `}`))
		if err != nil || string(got) != `{"a":1}` {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
	for _, text := range []string{`0.12345678901234567890`, `9007199254740993`, `1.00000000000000000001`, `5e-400`, `-123456789012345678901`} {
		if got, err := Document([]byte(`{"a":` + text + `}`)); fhir.CodeOf(err) != fhir.Unprocessable {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
	for _, text := range []string{`0`, `-0.0`, `0e5`, `70.30`, `1.7976931348623157e+308`, `5e-324`, `123456789012345`, `-98.6`, `100`, `1e22`} {
		if got, err := Document([]byte(`{"a":` + text + `}`)); err != nil {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
}

func TestDocumentLeavesOut(t *testing.T) {
	got, err := Document([]byte(`{"resourceType":"Bundle","id":"x","meta":{"versionId":"3"},"signature":{"data":"AA"},"entry":[{"resource":{"id":"y","meta":{"tag":[]},"signature":1}}]}`))
	if want := `{"entry":[{"resource":{"id":"y","meta":{"tag":[]},"signature":1}}],"resourceType":"Bundle"}`; err != nil || string(got) != want {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
}

// value makes up any JSON value.
func value(depth int) *rapid.Generator[any] {
	kinds := []*rapid.Generator[any]{
		rapid.Custom(func(t *rapid.T) any { return rapid.String().Draw(t, "string") }),
		rapid.Custom(func(t *rapid.T) any { return rapid.Float64().Draw(t, "number") }),
		rapid.Custom(func(t *rapid.T) any { return rapid.SampledFrom([]any{nil, true, false, 0, -1, 1.5}).Draw(t, "literal") }),
	}
	if depth > 0 {
		kinds = append(kinds,
			rapid.Custom(func(t *rapid.T) any { return rapid.SliceOfN(value(depth-1), 0, 4).Draw(t, "list") }),
			rapid.Custom(func(t *rapid.T) any { return rapid.MapOfN(rapid.String(), value(depth-1), 0, 5).Draw(t, "object") }))
	}
	return rapid.OneOf(kinds...)
}

// shuffled writes v with white space and members in any order.
func shuffled(t *rapid.T, v any) []byte {
	space := func() string { return rapid.SampledFrom([]string{"", " ", "\n\t", "\r\n  "}).Draw(t, "space") }
	var out bytes.Buffer
	var write func(v any)
	write = func(v any) {
		out.WriteString(space())
		switch v := v.(type) {
		case map[string]any:
			keys := []string{}
			for k := range v {
				keys = append(keys, k)
			}
			out.WriteString("{")
			if len(keys) > 0 {
				keys = rapid.Permutation(keys).Draw(t, "order")
			}
			for i, k := range keys {
				if i > 0 {
					out.WriteString(",")
				}
				name, _ := json.Marshal(k)
				out.WriteString(space() + string(name) + space() + ":")
				write(v[k])
			}
			out.WriteString("}")
		case []any:
			out.WriteString("[")
			for i, item := range v {
				if i > 0 {
					out.WriteString(",")
				}
				write(item)
			}
			out.WriteString("]")
		default:
			text, _ := json.Marshal(v)
			out.Write(text)
		}
		out.WriteString(space())
	}
	write(v)
	return out.Bytes()
}

// TestCanonicalIsOne: however a value is written, its canonical form is the same, is
// canonical itself, and means the same.
func TestCanonicalIsOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := value(3).Draw(t, "value")
		plain, err := json.Marshal(v)
		if err != nil {
			t.Skip()
		}
		one, err := Canonical(plain)
		if err != nil {
			t.Fatalf("%s: %v", plain, err)
		}
		two, err := Canonical(shuffled(t, v))
		if err != nil || !bytes.Equal(one, two) {
			t.Fatalf("%s\nand\n%s, %v", one, two, err)
		}
		if again, err := Canonical(one); err != nil || !bytes.Equal(again, one) {
			t.Fatalf("once more: %s, %v", again, err)
		}
		var back, want any
		if json.Unmarshal(one, &back) != nil || json.Unmarshal(plain, &want) != nil {
			t.Fatalf("%s is no JSON", one)
		}
		if !reflect.DeepEqual(back, want) {
			t.Fatalf("%s means %v, not %v", one, back, want)
		}
	})
}

func FuzzCanonical(f *testing.F) {
	for _, seed := range []string{
		`{"b":[1.50,{"z":null,"a":"\u00e9"}],"a":1e-7}`, `{"a":1,"a":2}`, `"\ud83d\ude00"`, `{"\ue000":1,"\ud83d\ude00":2,"\uffff":3}`,
		`[1e-400,-0,1E+21,123456789012345678901234567890]`, `{"":{"":{"":[]}}}`, "\ufeff{}", `"\u0000\u001f"`, `[[[[[[[[]]]]]]]]`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		one, err := Canonical(in)
		if err != nil {
			return
		}
		again, err := Canonical(one)
		if err != nil || !bytes.Equal(one, again) {
			t.Fatalf("%q: %q, then %q, %v", in, one, again, err)
		}
		if !json.Valid(one) {
			t.Fatalf("%q: %q is no JSON", in, one)
		}
		if exact, err := Document(in); err == nil {
			if again, err := Document(exact); err != nil || !bytes.Equal(exact, again) {
				t.Fatalf("document %q: %q, then %q, %v", in, exact, again, err)
			}
		}
	})
}
