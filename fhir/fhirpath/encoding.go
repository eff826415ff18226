package fhirpath

import (
	"encoding/base64"
	"encoding/hex"
	"html"
	"strings"
	"unicode/utf8"

	"github.com/amate-health/amate/fhir/element"
)

// Texts in other forms. A form that is not known gives an empty result, a text that
// is not in its form an error.
//
// See https://hl7.org/fhirpath/#additional-string-functions.
var encodings = map[string]function{
	"encode":   onText(1, 1, recode(encode)),
	"decode":   onText(1, 1, recode(decode)),
	"escape":   onText(1, 1, recode(escape)),
	"unescape": onText(1, 1, recode(unescape)),
}

func recode(f func(s, form string) (out string, known bool, err error)) func(*run, string, []arg) (Collection, error) {
	return func(r *run, s string, a []arg) (Collection, error) {
		out, known, err := f(s, a[0].text)
		if err != nil || !known {
			return nil, err
		}
		return join(r, out)
	}
}

func encode(s, form string) (string, bool, error) {
	switch form {
	case "hex":
		return hex.EncodeToString([]byte(s)), true, nil
	case "base64":
		return base64.StdEncoding.EncodeToString([]byte(s)), true, nil
	case "urlbase64":
		return base64.URLEncoding.EncodeToString([]byte(s)), true, nil
	}
	return "", false, nil
}

func decode(s, form string) (string, bool, error) {
	var out []byte
	var err error
	switch form {
	case "hex":
		out, err = hex.DecodeString(s)
	case "base64":
		out, err = base64.StdEncoding.DecodeString(s)
	case "urlbase64":
		out, err = base64.URLEncoding.DecodeString(s)
	default:
		return "", false, nil
	}
	if err != nil || !utf8.Valid(out) {
		return "", true, failure("the text is not %s of a text", form)
	}
	return string(out), true, nil
}

var htmlEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&#39;")

func escape(s, form string) (string, bool, error) {
	switch form {
	case "html":
		return htmlEscapes.Replace(s), true, nil
	case "json":
		quoted := element.Quote(nil, s)
		return string(quoted[1 : len(quoted)-1]), true, nil
	}
	return "", false, nil
}

func unescape(s, form string) (string, bool, error) {
	switch form {
	case "html":
		return html.UnescapeString(s), true, nil
	case "json":
		out, err := unescapeJSON(s)
		return out, true, err
	}
	return "", false, nil
}

// unescapeJSON resolves the escapes of s. Quotes in it need none, and a backslash
// that begins no escape stands for itself.
func unescapeJSON(s string) (string, error) {
	var quoted strings.Builder
	quoted.WriteByte('"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s) && strings.IndexByte(`"\/bfnrtu`, s[i+1]) >= 0:
			i++
			quoted.WriteString(s[i-1 : i+1])
		case c == '"', c == '\\':
			quoted.WriteByte('\\')
			quoted.WriteByte(c)
		case c < ' ':
			plain := element.Quote(nil, s[i:i+1])
			quoted.Write(plain[1 : len(plain)-1])
		default:
			quoted.WriteByte(c)
		}
	}
	quoted.WriteByte('"')
	d, err := element.Parse([]byte(quoted.String()))
	if err != nil || d.Kind(0) != element.String {
		return "", failure("the text is not escaped as JSON")
	}
	return d.Text(0), nil
}
