package naive

import (
	"slices"
	"strings"
)

// referenceValue is a reference: to a resource of this server, by a URL, or by an
// identifier; or several of these at once.
type referenceValue struct {
	local      string // Type/id
	url        string // any other literal reference that is no fragment
	identifier *tokenValue
}

func (w *World) readReference(p *Param, datatype string, v any) []value {
	m := object(v)
	literal := text1(m["reference"])
	var r referenceValue
	if r.local = w.local(literal); r.local == "" && !strings.HasPrefix(literal, "#") {
		r.url = literal
	}
	if id := object(m["identifier"]); id != nil {
		t := readToken("Identifier", id)[0].(tokenValue)
		r.identifier = &t
	}
	if literal == "" && r.identifier == nil {
		return nil
	}
	if one := p.Code == "patient" || p.Code == "practitioner"; one && !p.may(r.typ(m)) {
		return nil // as Observation.patient, which is subject where that is a Patient
	}
	return []value{r}
}

// may reports whether p can point to a resource of a type.
func (p *Param) may(typ string) bool { return len(p.Targets) == 0 || slices.Contains(p.Targets, typ) }

// typ is the type that a reference points to, as far as it tells.
func (r referenceValue) typ(m map[string]any) string {
	if t := text1(m["type"]); t != "" {
		return t
	}
	parts := strings.Split(or(r.local, r.url), "/")
	if len(parts) < 2 {
		return ""
	}
	if n := len(parts); n >= 4 && parts[n-2] == "_history" {
		parts = parts[:n-2]
	}
	return parts[len(parts)-2]
}

// refersTo compares a reference with one as it stands in a query: an id, Type/id or
// a URL.
//
// See https://hl7.org/fhir/R4/search.html#reference.
func (w *World) refersTo(p *Param, r referenceValue, typ, text string) bool {
	if local := w.local(text); local != "" {
		return r.local == local
	}
	if strings.Contains(text, ":") {
		unversioned, _, _ := strings.Cut(r.url, "/_history/")
		return r.url != "" && (r.url == text || unversioned == text)
	}
	have, id, _ := strings.Cut(r.local, "/")
	return id == text && (have == typ || typ == "" && p.may(have))
}

// uriValue is a URI, or a canonical that may have a version.
type uriValue struct {
	text      string
	canonical bool
}

// matches compares to the letter. A canonical can be asked for without its version.
//
// See https://hl7.org/fhir/R4/search.html#uri.
func (u uriValue) matches(modifier, text string) bool {
	switch modifier {
	case "below":
		return strings.HasPrefix(u.text, text)
	case "above":
		return strings.HasPrefix(text, u.text)
	}
	bare := u.text
	if u.canonical {
		bare, _, _ = strings.Cut(u.text, "|")
	}
	return u.text == text || bare == text
}
