package hl7

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

const oru = "MSH|^~\\&|LIS|HGM|AMATE|SSA|20261120101500-0600||ORU^R01^ORU_R01|00042|P|2.5.1|||AL|NE\r" +
	"PID|1||PEGJ850315HDFRRN09^^^CURP~12345^^^HGM^MR||PÉREZ&&^JUAN^CARLOS||19850315|M\r" +
	"OBX|1|NM|718-7^Hemoglobina^LN||13.5|g/dL|12-16|N|||F\r" +
	"OBX|2|ST|X^\\T\\ y \\S\\^L||a\\.br\\b\\X41\\||||||F\r"

func TestGet(t *testing.T) {
	m, err := Parse(oru, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"MSH-1": "|", "MSH-2": `^~\&`, "MSH-3": "LIS", "MSH-9.2": "R01", "MSH-10": "00042", "MSH-12": "2.5.1", "MSH-16": "NE",
		"PID-3.1": "PEGJ850315HDFRRN09", "PID-3(2).1": "12345", "PID-3(2).4": "HGM", "PID-5.1.1": "PÉREZ", "PID-5.3": "CARLOS",
		"OBX-3.2": "Hemoglobina", "OBX[2]-3.2": "& y ^", "OBX[2]-5": "a\nbA", "OBX[3]-5": "", "PID-99": "", "ZZZ-1": "", "PID": "", "PID-0": "", "PID-3(0)": "",
	} {
		if got := m.Get(path); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
}

func TestSegmentEnds(t *testing.T) {
	for _, end := range []string{"\r", "\n", "\r\n", "\r\r", "\n\n"} {
		m, err := Parse(strings.ReplaceAll(oru, "\r", end), Limits{})
		if err != nil || len(m.Segments) != 4 || m.Get("OBX[2]-11") != "F" {
			t.Errorf("segments that end with %q: %v", end, err)
		}
	}
}

func TestOtherEncoding(t *testing.T) {
	m, err := Parse("MSH$*!#%$LIS*x\rPID$1$$1*2!3*4%5#T#\r", Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"MSH-3.2": "x", "PID-3.2": "2", "PID-3(2).1": "3", "PID-3(2).2.1": "4", "PID-3(2).2.2": "5%"} {
		if got := m.Get(path); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
}

func TestWrongMessages(t *testing.T) {
	for name, of := range map[string]struct {
		text string
		code Code
		at   string
	}{
		"nothing":                {"", SegmentSequence, "MSH"},
		"no header":              {"PID|1\r", SegmentSequence, "MSH"},
		"no encoding":            {"MSH|\r", SegmentSequence, "MSH"},
		"the same twice":         {"MSH|^^\\&|a\r", SegmentSequence, "MSH"},
		"a letter":               {"MSH|^~A&|a\r", SegmentSequence, "MSH"},
		"segment in small":       {"MSH|^~\\&|a\rpid|1\r", SegmentSequence, ""},
		"two headers":            {"MSH|^~\\&|a\rMSH|^~\\&|a\r", SegmentSequence, "MSH[2]"},
		"too many fields":        {"MSH|^~\\&|a\rPID" + strings.Repeat("|", 300), Internal, "PID"},
		"too many repetitions":   {"MSH|^~\\&|a\rPID|" + strings.Repeat("a~", 1200), Internal, "PID-1"},
		"more segments than any": {"MSH|^~\\&|a" + strings.Repeat("\rNTE", 10_001), Internal, ""},
	} {
		_, err := Parse(of.text, Limits{})
		var bad *Error
		if !errors.As(err, &bad) || bad.Code != of.code || bad.Path() != of.at {
			t.Errorf("%s: %v, want code %d at %q", name, err, of.code, of.at)
		}
	}
}

func TestPlaces(t *testing.T) {
	for _, of := range []struct {
		e         Error
		path, erl string
	}{
		{Error{Segment: "PID", Sequence: 1}, "PID", "PID^1"},
		{Error{Segment: "PID", Sequence: 1, Field: 3}, "PID-3", "PID^1^3"},
		{Error{Segment: "OBX", Sequence: 2, Field: 3, Repetition: 2, Component: 1}, "OBX[2]-3(2).1", "OBX^2^3^2^1"},
		{Error{Segment: "OBX", Sequence: 2, Field: 3, Component: 1}, "OBX[2]-3.1", "OBX^2^3^1^1"},
		{Error{}, "", ""},
	} {
		if of.e.Path() != of.path || of.e.ERL() != of.erl {
			t.Errorf("%+v is at %q, %q, want %q, %q", of.e, of.e.Path(), of.e.ERL(), of.path, of.erl)
		}
	}
}

func TestCharsets(t *testing.T) {
	head := func(charset string) string { return "MSH|^~\\&|a|||||||||||||||" + charset }
	for name, of := range map[string]struct{ charset, body, fallback, want string }{
		"UTF-8":            {"UNICODE UTF-8", "ñ", "", "ñ"},
		"ISO 8859-1":       {"8859/1", "\xf1", "", "ñ"},
		"none, UTF-8":      {"", "ñ", "", "ñ"},
		"none, Latin":      {"", "\xf1\x80", "", "ñ€"},
		"fallback":         {"", "\xc3\xb1", "8859/1", "Ã±"},
		"several":          {"8859/1~UNICODE UTF-8", "\xe1", "", "á"},
		"not UTF-8":        {"UNICODE UTF-8", "\xf1", "", "!"},
		"an unknown one":   {"ISO IR87", "x", "", "!"},
		"a null character": {"", "\x00", "", "!"},
		"no such byte":     {"8859/1", "\x81", "", "!"},
	} {
		text, err := Decode([]byte(head(of.charset)+"\rNTE|1||"+of.body), of.fallback)
		got := text[strings.LastIndexByte(text, '|')+1:]
		if err != nil {
			got = "!"
		}
		if got != of.want {
			t.Errorf("%s: %q %v, want %q", name, got, err, of.want)
		}
	}
}

func TestSplit(t *testing.T) {
	message := "MSH|^~\\&|a\rPID|1\r"
	for name, of := range map[string]struct {
		text string
		n    int
		fail bool
	}{
		"one message":    {message, 1, false},
		"two":            {message + message, 2, false},
		"a batch":        {"BHS|^~\\&|a||||||||77\r" + message + message + "BTS|2\r", 2, false},
		"a file":         {"FHS|^~\\&\rBHS|^~\\&\r" + message + "BTS|1\rBHS|^~\\&\r" + message + "BTS|1\rFTS|2\r", 2, false},
		"no count":       {"BHS|^~\\&\r" + message + "BTS\r", 1, false},
		"a lost message": {"BHS|^~\\&\r" + message + "BTS|2\r", 0, true},
		"a lost batch":   {"FHS|^~\\&\rBHS|^~\\&\r" + message + "BTS|1\rFTS|2\r", 0, true},
		"text before":    {"hello\r" + message, 0, true},
		"nothing":        {"", 0, false},
	} {
		f, err := Split(of.text, Limits{})
		if (err != nil) != of.fail || err == nil && len(f.Messages) != of.n {
			t.Errorf("%s: %v, %v", name, f, err)
		}
		if err == nil && of.n > 0 && !strings.HasSuffix(f.Messages[0], "PID|1\r") {
			t.Errorf("%s: the first message is %q", name, f.Messages[0])
		}
	}
}

// TestRoundTrip writes what was read, for messages that are written in the usual way.
func TestRoundTrip(t *testing.T) {
	leaf := rapid.Map(rapid.StringOfN(rapid.RuneFrom([]rune(`ab ñ€|^~\&`+"\n\t")), 0, 8, -1), func(s string) string { return Usual.Escaped(s) })
	join := func(g *rapid.Generator[string], by string, most int) *rapid.Generator[string] {
		return rapid.Map(rapid.SliceOfN(g, 1, most), func(s []string) string { return strings.Join(s, by) })
	}
	field := join(join(join(leaf, "&", 3), "^", 3), "~", 3)
	line := rapid.Map(rapid.SliceOfN(field, 0, 6), func(f []string) string { return "PID|" + strings.Join(f, "|") + "\r" })
	rapid.Check(t, func(t *rapid.T) {
		text := "MSH|^~\\&|LIS\r" + strings.Join(rapid.SliceOfN(line, 0, 5).Draw(t, "lines"), "")
		m, err := Parse(text, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if got := string(m.AppendTo(nil)); got != text {
			t.Fatalf("%q became %q", text, got)
		}
	})
}

func TestEscapesReturn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[ -~ñ\n\t]*`).Draw(t, "text")
		if got := Usual.Unescape(Usual.Escaped(text)); got != text {
			t.Fatalf("%q became %q", text, got)
		}
	})
}

// FuzzParse looks for texts that break the parser, and for such as do not settle: what
// it writes, it reads as the same.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		oru, "MSH|^~\\&|", "MSH|^~|a", "MSH|^~\\&|a\rPID|\\X\\|\\X4\\|\\.sp99999\\|\\E|\\\\|\\Zx\\", "MSH^~|\\&^a\rOBX^1",
		"MSH|^~\\&|a\rOBX|1|ED|x||^^^Base64^" + strings.Repeat("A", 500), "\x0bMSH|^~\\&", "MSH|^~\\&|a\rPID|" + strings.Repeat("^&~", 200),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m, err := Parse(s, Limits{})
		if err != nil {
			return
		}
		once := string(m.AppendTo(nil))
		again, err := Parse(once, Limits{})
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if twice := string(again.AppendTo(nil)); twice != once {
			t.Fatalf("%q became %q", once, twice)
		}
		if _, err := Split(s, Limits{}); err == nil {
			_ = m.Get("PID-3(2).1.1")
		}
		_, _ = Decode([]byte(s), "")
	})
}

func BenchmarkParse(b *testing.B) {
	text := oru + strings.Repeat("OBX|1|NM|718-7^Hemoglobina^LN||13.5|g/dL|12-16|N|||F\r", 5)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(text, Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}
