package element

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/amate-health/amate/fhir/samples"
)

// roundTrip holds parsing, compact and pretty writing to what encoding/json reads.
func roundTrip(t *testing.T, name string, src []byte) {
	t.Helper()
	want, err := decode(src)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	d, err := Parse(src)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	if !same(plainValue(d, 0), want) {
		t.Errorf("%s: read differently", name)
	}
	compact := d.AppendCompact(nil, 0)
	var ref bytes.Buffer
	if err := json.Compact(&ref, src); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if !bytes.Equal(compact, ref.Bytes()) {
		t.Errorf("%s: compact text differs", name)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, ref.Bytes(), "", "  "); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	for _, from := range [][]byte{src, compact} {
		if pretty := AppendPretty(nil, from); !bytes.Equal(bytes.TrimSpace(pretty), bytes.TrimSpace(indented.Bytes())) {
			t.Errorf("%s: pretty text differs", name)
		}
	}
}

func TestRoundTripExamples(t *testing.T) {
	n := 0
	eachFile(t, samples.Path(t, "r4-examples"), 1e6, func(name string, src []byte) {
		n++
		roundTrip(t, name, src)
	})
	if n < 300 {
		t.Errorf("only %d examples", n)
	}
}

func TestRoundTripDefinitions(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 30 MB")
	}
	n := 0
	eachPacked(t, samples.Path(t, "r4-core", "hl7.fhir.r4.core-4.0.1.tar.gz"), func(name string, src []byte) {
		if n++; n%5 == 0 { // the rest is parsed by the validator's tests
			roundTrip(t, name, src)
		}
	})
	if n < 4000 {
		t.Errorf("only %d files", n)
	}
}

func TestRoundTripSynthea(t *testing.T) {
	for _, dir := range []string{"synthea-r4-urn", "synthea-r4-conditional"} {
		eachFile(t, samples.Path(t, dir), 6, func(name string, src []byte) { roundTrip(t, name, src) })
	}
}

func TestQuote(t *testing.T) {
	for in, want := range map[string]string{
		"":                    `""`,
		"ñ < & > é 😀":         `"ñ < & > é 😀"`,
		"\"\\/":               `"\"\\/"`,
		"\n\r\t\b\f\x00\x1f ": `"\n\r\t\u0008\u000c\u0000\u001f "`,
		"a\xffb\xf0\x9f":      `"a` + "\ufffd" + `b` + "\ufffd\ufffd" + `"`,
		"\u2028":              "\"\u2028\"",
	} {
		if got := string(Quote(nil, in)); got != want {
			t.Errorf("Quote(%q) = %s, want %s", in, got, want)
		}
		if got := string(Quote(nil, []byte(in))); got != want {
			t.Errorf("Quote of bytes %q = %s, want %s", in, got, want)
		}
	}
}
