package naive

import "strings"

// tokenValue is a code with its system, as token parameters compare it.
type tokenValue struct {
	system, code string
	plain        bool         // of a datatype that cannot have a system: no question about the system is put to it
	anyCase      bool         // compared without regard to case
	says         []string     // display, text of the concept, text of the identifier's type
	types        []tokenValue // of an identifier: the codings of its type
}

func readToken(datatype string, v any) []value {
	m := object(v)
	switch datatype {
	case "CodeableConcept":
		var all []value
		concept := texts(v, "text")
		for _, coding := range walk([]any{v}, "coding") {
			all = append(all, coding1(coding, concept))
		}
		if len(all) == 0 && len(concept) > 0 {
			all = append(all, tokenValue{says: concept})
		}
		return all
	case "Coding":
		return []value{coding1(v, nil)}
	case "Identifier":
		t := tokenValue{system: text1(m["system"]), code: text1(m["value"]), says: texts(v, "type.text")}
		for _, coding := range walk([]any{v}, "type.coding") {
			t.types = append(t.types, coding1(coding, nil))
		}
		return []value{t}
	case "ContactPoint":
		if s := text1(m["value"]); s != "" {
			return []value{tokenValue{code: s, plain: true}}
		}
	case "boolean":
		if b, ok := v.(bool); ok {
			return []value{tokenValue{code: map[bool]string{true: "true", false: "false"}[b], plain: true}}
		}
	case "code", "string":
		if s := text1(v); s != "" {
			return []value{tokenValue{code: s, plain: true, anyCase: datatype == "string"}}
		}
	}
	return nil
}

func coding1(v any, concept []string) tokenValue {
	m := object(v)
	return tokenValue{system: text1(m["system"]), code: text1(m["code"]), says: append(texts(v, "display"), concept...)}
}

// present reports whether the value counts for :missing: a concept of nothing but
// text has no token.
func (t tokenValue) present() bool { return t.system != "" || t.code != "" }

// token is what a query asks of a token. With hasSystem, an empty system asks for
// codes without one; an empty code asks for the system alone.
type token struct {
	system, code string
	hasSystem    bool
}

func (t tokenValue) matches(q token) bool {
	switch {
	case !t.present():
		return false
	case q.hasSystem && (t.plain || t.system != q.system):
		return false
	case t.anyCase:
		return strings.EqualFold(t.code, q.code)
	case q.code == "":
		return q.hasSystem && q.system != ""
	}
	return t.code == q.code
}

// saying reports whether a text of the value, or a word of it, begins with what is
// asked for.
//
// See https://hl7.org/fhir/R4/search.html#token.
func (t tokenValue) saying(text string) bool {
	for _, s := range t.says {
		if have := fold(s); strings.HasPrefix(have, fold(text)) || strings.Contains(have, " "+fold(text)) {
			return true
		}
	}
	return false
}

// ofType compares an identifier with system|code|value.
func (t tokenValue) ofType(system, code, number string) bool {
	if t.code != number {
		return false
	}
	for _, typ := range t.types {
		if typ.system == system && typ.code == code {
			return true
		}
	}
	return false
}
