package sign

import (
	"bytes"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
)

// Canonicalization names the form that Document returns.
//
// See https://hl7.org/fhir/R4/json.html#canonical.
const Canonicalization = "http://hl7.org/fhir/canonicalization/json#document"

// Canonical returns the canonical form of a JSON text: no white space, members in the
// order of their UTF-16 names, strings with the fewest escapes, numbers as ECMAScript
// writes them. Canonical of its own result is that result.
// Errors: *element.SyntaxError; fhir.Unprocessable for a number beyond a double.
//
// See https://www.rfc-editor.org/rfc/rfc8785#section-3.2.
func Canonical(json []byte) ([]byte, error) {
	c := canonical{}
	return c.whole(json)
}

// Document returns what is signed of a document Bundle: the canonical form of all of it
// but the id and the meta of the Bundle itself, which change as it moves from server to
// server, and its signature.
// Errors: those of Canonical; fhir.Unprocessable for a number whose digits the canonical
// form would not keep apart from others.
func Document(bundle []byte) ([]byte, error) {
	c := canonical{exact: true, leave: []string{"id", "meta", "signature"}}
	return c.whole(bundle)
}

// canonical writes one text.
type canonical struct {
	exact bool     // numbers must keep their value
	leave []string // members of the root that are left out

	doc *element.Doc
	out []byte
}

func (c *canonical) whole(json []byte) ([]byte, error) {
	doc, err := element.Parse(json)
	if err != nil {
		return nil, err
	}
	c.doc, c.out = doc, make([]byte, 0, len(json))
	err = c.value(0)
	return c.out, err
}

func (c *canonical) value(n element.Node) (err error) {
	switch c.doc.Kind(n) {
	case element.Object:
		return c.object(n)
	case element.Array:
		c.out = append(c.out, '[')
		for item := c.doc.First(n); item != element.None; item = c.doc.Next(n, item) {
			if item != c.doc.First(n) {
				c.out = append(c.out, ',')
			}
			if err := c.value(item); err != nil {
				return err
			}
		}
		c.out = append(c.out, ']')
	case element.String:
		c.out = quote(c.out, c.doc.Bytes(n))
	case element.Number:
		c.out, err = c.number(c.doc.Bytes(n))
	default:
		c.out = append(c.out, c.doc.Raw(n)...)
	}
	return err
}

func (c *canonical) object(n element.Node) error {
	type member struct {
		name []byte
		node element.Node
	}
	members := make([]member, 0, c.doc.Size(n))
	for m := c.doc.First(n); m != element.None; m = c.doc.Next(n, m) {
		name := c.doc.Name(m)
		if n != 0 || !slices.Contains(c.leave, string(name)) {
			members = append(members, member{name, m})
		}
	}
	slices.SortFunc(members, func(a, b member) int { return compareUTF16(a.name, b.name) })
	c.out = append(c.out, '{')
	for i, m := range members {
		if i > 0 {
			c.out = append(c.out, ',')
		}
		c.out = append(quote(c.out, m.name), ':')
		if err := c.value(m.node); err != nil {
			return err
		}
	}
	c.out = append(c.out, '}')
	return nil
}

// compareUTF16 compares two UTF-8 texts by their UTF-16 code units.
//
// See https://www.rfc-editor.org/rfc/rfc8785#section-3.2.3.
func compareUTF16(a, b []byte) int {
	for len(a) > 0 && len(b) > 0 {
		x, n := utf8.DecodeRune(a)
		y, m := utf8.DecodeRune(b)
		if x != y {
			return unit(x) - unit(y)
		}
		a, b = a[n:], b[m:]
	}
	return len(a) - len(b)
}

// unit orders characters as the first UTF-16 unit that differs between two of them does:
// those beyond U+FFFF are written from U+D800 on, before U+E000.
func unit(r rune) int {
	if r >= 0xE000 && r <= 0xFFFF {
		return int(r) + 0x110000
	}
	return int(r)
}

const hex = "0123456789abcdef"

// quote appends text as RFC 8785 writes strings.
//
// See https://www.rfc-editor.org/rfc/rfc8785#section-3.2.2.2.
func quote(dst, text []byte) []byte {
	dst = append(dst, '"')
	from := 0
	for i, b := range text {
		if b >= ' ' && b != '"' && b != '\\' {
			continue
		}
		dst = append(dst, text[from:i]...)
		from = i + 1
		if at := bytes.IndexByte([]byte("\b\t\n\f\r\"\\"), b); at >= 0 {
			dst = append(dst, '\\', `btnfr"\`[at])
		} else {
			dst = append(dst, '\\', 'u', '0', '0', hex[b>>4], hex[b&15])
		}
	}
	return append(append(dst, text[from:]...), '"')
}

// number appends a number as ECMAScript writes the double next to it.
//
// See https://www.rfc-editor.org/rfc/rfc8785#section-3.2.2.3.
func (c *canonical) number(text []byte) ([]byte, error) {
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		return c.out, fhir.Errorf(fhir.Unprocessable, "a number is too large for canonical JSON").With("it is %.100s", text)
	}
	start := len(c.out)
	c.out = appendNumber(c.out, f)
	if c.exact && decimalOf(text) != decimalOf(c.out[start:]) {
		return c.out, fhir.Errorf(fhir.Unprocessable, "a number has more digits than canonical JSON keeps, so it cannot be signed").
			With("%.100s would become %s", text, c.out[start:])
	}
	return c.out, nil
}

func appendNumber(dst []byte, f float64) []byte {
	size := math.Abs(f)
	switch {
	case f == 0:
		return append(dst, '0') // also for -0
	case size >= 1e-6 && size < 1e21:
		return strconv.AppendFloat(dst, f, 'f', -1, 64)
	}
	dst = strconv.AppendFloat(dst, f, 'e', -1, 64)
	if n := len(dst); dst[n-2] == '0' && (dst[n-3] == '-' || dst[n-3] == '+') { // e-07 is e-7
		dst = append(dst[:n-2], dst[n-1])
	}
	return dst
}

// decimal is the value of a number, the same for all ways to write it.
type decimal struct {
	negative bool
	digits   string // without zeros at either end; "" for 0
	exponent int    // digits stand before the point, times ten to the power of it
}

// decimalOf reads the text of a JSON number.
func decimalOf(text []byte) decimal {
	var d decimal
	mantissa, power := text, 0
	if e := bytes.IndexAny(text, "eE"); e >= 0 {
		mantissa = text[:e]
		power, _ = strconv.Atoi(string(text[e+1:])) // beyond an int it is 0 or infinite, which is seen before
	}
	if mantissa[0] == '-' {
		d.negative, mantissa = true, mantissa[1:]
	}
	whole, fraction, _ := bytes.Cut(mantissa, []byte("."))
	digits := append(slices.Clip(whole), fraction...)
	d.exponent = power - len(fraction)
	trimmed := bytes.TrimRight(digits, "0")
	d.exponent += len(digits) - len(trimmed)
	d.digits = string(bytes.TrimLeft(trimmed, "0"))
	if d.digits == "" {
		return decimal{}
	}
	return d
}
