package hl7

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// Decode returns the text of a message as it came, by the character set that MSH-18
// names, or else by fallback, in UTF-8. Without any of them it is UTF-8 where it is
// valid as such, and windows-1252 otherwise, of which ISO 8859-1 is the printable part.
//
// See https://www.hl7.eu/HL7v2x/v251/std251/ch02.html, MSH-18, and table 0211.
func Decode(raw []byte, fallback string) (string, error) {
	raw = bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf"))
	name := declared(raw)
	if name == "" {
		name = fallback
	}
	switch strings.ToUpper(strings.TrimSpace(name)) {
	case "", "ASCII", "NONE":
		if utf8.Valid(raw) {
			return checked(string(raw))
		}
		return checked(fromLatin(raw))
	case "UNICODE UTF-8", "UTF-8", "UTF8", "UNICODE":
		if !utf8.Valid(raw) {
			return "", &Error{Code: DataType, Segment: "MSH", Field: 18, Text: "the message is not the UTF-8 that it is said to be"}
		}
		return checked(string(raw))
	case "8859/1", "ISO-8859-1", "ISO8859-1", "ISO 8859-1", "LATIN1", "WINDOWS-1252", "CP1252", "WINDOWS 1252":
		return checked(fromLatin(raw))
	case "8859/15", "ISO-8859-15":
		text, err := charmap.ISO8859_15.NewDecoder().Bytes(raw)
		if err != nil {
			return "", err
		}
		return checked(string(text))
	}
	return "", &Error{Code: TableValue, Segment: "MSH", Field: 18, Text: "this character set is not read here: want UNICODE UTF-8 or 8859/1", Quoted: name}
}

// checked refuses text that no record can hold.
func checked(text string) (string, error) {
	if strings.IndexByte(text, 0) >= 0 || strings.ContainsRune(text, utf8.RuneError) {
		return "", &Error{Code: DataType, Segment: "MSH", Field: 18, Text: "the message holds bytes that its character set does not have"}
	}
	return text, nil
}

// declared returns the first repetition of MSH-18.
func declared(raw []byte) string {
	line := raw
	if end := bytes.IndexAny(raw, "\r\n"); end >= 0 {
		line = raw[:end]
	}
	if len(line) < 5 || string(line[:3]) != "MSH" {
		return ""
	}
	separator, repetition := line[3], line[5:min(6, len(line))]
	fields := bytes.Split(line, []byte{separator})
	if len(fields) < 18 {
		return ""
	}
	name := fields[17]
	if len(repetition) == 1 && repetition[0] != separator {
		name, _, _ = bytes.Cut(name, repetition)
	}
	return string(name)
}

// fromLatin decodes windows-1252. What it does not define becomes U+FFFD.
func fromLatin(raw []byte) string {
	b := make([]byte, 0, len(raw)+len(raw)/8)
	for _, c := range raw {
		if c < utf8.RuneSelf {
			b = append(b, c)
		} else {
			b = utf8.AppendRune(b, charmap.Windows1252.DecodeByte(c))
		}
	}
	return string(b)
}

// Encode returns text in the character set that MSH-18 names, as far as it has the
// characters: others become question marks. Whatever is not known is UTF-8.
func Encode(text, charset string) []byte {
	switch strings.ToUpper(strings.TrimSpace(charset)) {
	case "8859/1", "ISO-8859-1", "ISO8859-1", "ISO 8859-1", "LATIN1", "WINDOWS-1252", "CP1252", "WINDOWS 1252":
	default:
		return []byte(text)
	}
	b := make([]byte, 0, len(text))
	for _, r := range text {
		if c, ok := charmap.Windows1252.EncodeRune(r); ok {
			b = append(b, c)
		} else {
			b = append(b, '?')
		}
	}
	return b
}
