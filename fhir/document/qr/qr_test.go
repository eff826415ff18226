package qr

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// read has zbarimg, which is of others, read pictures of codes.
func read(t *testing.T, codes ...*Code) []string {
	t.Helper()
	if _, err := exec.LookPath("zbarimg"); err != nil {
		t.Skip("SKIPPED, NOTHING WAS TESTED: there is no zbarimg (apt-get install zbar-tools)")
	}
	dir := t.TempDir()
	args := []string{"-q", "--raw", "-Sdisable", "-Sqrcode.enable"}
	for i, c := range codes {
		picture, err := c.PNG(3)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, string(rune('A'+i))+".png")
		if err := os.WriteFile(file, picture, 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, file)
	}
	out, err := exec.Command("zbarimg", args...).Output()
	if err != nil {
		t.Fatalf("zbarimg: %v: %s", err, out)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

// TestRead draws codes of versions of each layout and both levels, of text and digits, as
// full as can be.
func TestRead(t *testing.T) {
	var codes []*Code
	var want []string
	for _, version := range []int{1, 2, 6, 7, 9, 10, 14, 21, 22, 26, 27, 32, 40} {
		for _, level := range []Level{L, M} {
			n := dataWords(version, level)*24/10 - 35 // digits that surely fit
			if version == 1 {
				n = 12
			}
			digits := strings.Repeat("5676290952432060346029243740", n/28+1)[:n]
			var c *Code
			for ; ; digits += "7" { // as many as there are in this version
				next, err := Encode(level, Segment{Text: "shc:/"}, Segment{Text: digits + "7", Numeric: true})
				if err != nil || next.Version > version {
					break
				}
				c = next
			}
			if c == nil || c.Version != version {
				t.Fatalf("no code of version %d", version)
			}
			codes, want = append(codes, c), append(want, "shc:/"+digits)
		}
	}
	got := read(t, codes...)
	if len(got) != len(want) {
		t.Fatalf("%d of %d codes are read", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("version %d: read as %.60q, want %.60q", codes[i].Version, got[i], want[i])
		}
	}
}

// TestRoom: the longest card that is to fit into version 22 does, and the limits of the
// standard hold.
func TestRoom(t *testing.T) {
	for _, c := range []struct {
		level   Level
		numeric bool
		length  int
		version int
	}{
		{L, true, 41, 1}, {M, true, 34, 1}, {L, false, 17, 1}, {M, false, 14, 1}, {L, false, 2953, 40}, {M, false, 2331, 40}, {L, true, 7089, 40}, {M, true, 5596, 40}, {L, false, 18, 2}, {L, true, 42, 2},
	} {
		code, err := Encode(c.level, Segment{Text: strings.Repeat("1", c.length), Numeric: c.numeric})
		if err != nil || code.Version != c.version || code.Size != 17+4*c.version {
			t.Errorf("%+v: %+v %v", c, code, err)
		}
	}
	if c, err := Encode(L, Segment{Text: "shc:/"}, Segment{Text: strings.Repeat("56", 1195), Numeric: true}); err != nil || c.Version != 22 {
		t.Errorf("a card of 1195 characters: %+v %v", c, err)
	}
	for _, level := range []Level{L, M} {
		if _, err := Encode(level, Segment{Text: strings.Repeat("1", 7090), Numeric: true}); err != ErrTooLong {
			t.Error(err)
		}
	}
	if _, err := Encode(L, Segment{Text: "12x", Numeric: true}); err == nil {
		t.Error("letters are taken for digits")
	}
}

func TestSVG(t *testing.T) {
	c, err := Encode(M, Segment{Text: "https://salud.example/verify/x"})
	if err != nil {
		t.Fatal(err)
	}
	svg := string(c.SVG())
	area := 0
	for _, part := range strings.Split(svg, "M")[2:] {
		_, after, ok := strings.Cut(part, "h")
		if ok {
			n := 0
			for _, d := range after {
				if d < '0' || d > '9' {
					break
				}
				n = n*10 + int(d-'0')
			}
			area += n
		}
	}
	dark := 0
	for _, d := range c.dark {
		if d {
			dark++
		}
	}
	if area != dark || !strings.HasPrefix(svg, "<svg ") || !strings.HasSuffix(svg, "</svg>") {
		t.Errorf("%d modules are drawn, %d are dark", area, dark)
	}
}

func BenchmarkEncode(b *testing.B) {
	digits := strings.Repeat("56", 1195)
	for b.Loop() {
		if _, err := Encode(L, Segment{Text: "shc:/"}, Segment{Text: digits, Numeric: true}); err != nil {
			b.Fatal(err)
		}
	}
}
