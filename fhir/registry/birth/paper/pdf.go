package paper

import (
	"bytes"
	"compress/zlib"
	"encoding/hex"
	"io"
	"strings"
	"unicode/utf16"
)

// InPDF returns what the QR code of a certificate says, out of its PDF as it was printed
// here: the code leads there when it is tapped. "" where there is none with a claim. What
// the PDF shows besides is not looked at: whoever altered it can have left the code.
func InPDF(pdf []byte) string {
	if found := claimIn(pdf); found != "" {
		return found
	}
	for rest := pdf; ; {
		_, after, ok := bytes.Cut(rest, []byte("stream\n"))
		if !ok {
			return ""
		}
		rest = after
		r, err := zlib.NewReader(bytes.NewReader(after))
		if err != nil {
			continue
		}
		text, _ := io.ReadAll(io.LimitReader(r, 1<<20)) // what can be read of a broken one
		if found := claimIn(text); found != "" {
			return found
		}
	}
}

// claimIn finds the target of a link that has a claim.
func claimIn(text []byte) string {
	for {
		_, after, ok := bytes.Cut(text, []byte("/URI "))
		if !ok {
			return ""
		}
		text = after
		if found := uri(after); Claimed(found) != "" {
			return found
		}
	}
}

// uri reads a string of a PDF that begins text: in parentheses, or in hexadecimal.
func uri(text []byte) string {
	switch {
	case bytes.HasPrefix(text, []byte("(")):
		inner, _, _ := bytes.Cut(text[1:], []byte(")"))
		return string(inner)
	case bytes.HasPrefix(text, []byte("<")):
		inner, _, _ := bytes.Cut(text[1:], []byte(">"))
		raw, err := hex.DecodeString(string(inner))
		if err != nil {
			return ""
		}
		if !strings.HasPrefix(string(raw), "\xFE\xFF") {
			return string(raw)
		}
		var units []uint16
		for i := 2; i+1 < len(raw); i += 2 {
			units = append(units, uint16(raw[i])<<8|uint16(raw[i+1]))
		}
		return string(utf16.Decode(units))
	}
	return ""
}
