package demo

import "strconv"

// object is a JSON object whose members keep their order. A member whose value is
// nil, "", or an object or list with nothing in it is left out, since FHIR has no
// empty values.
type object []member

type member struct {
	name  string
	value any // string, decimal, int, bool, object or list
}

// list is a JSON array.
type list []any

// decimal is a number whose digits are kept as they are.
type decimal string

func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case object:
		return len(v) == 0
	case list:
		return len(v) == 0
	}
	return false
}

// appendJSON appends the compact JSON of v to dst.
func appendJSON(dst []byte, v any) []byte {
	switch v := v.(type) {
	case string:
		return appendString(dst, v)
	case decimal:
		return append(dst, v...)
	case int:
		return strconv.AppendInt(dst, int64(v), 10)
	case bool:
		return strconv.AppendBool(dst, v)
	case list:
		return appendList(dst, v)
	case object:
		return appendObject(dst, v)
	}
	return append(dst, "null"...)
}

func appendObject(dst []byte, o object) []byte {
	dst = append(dst, '{')
	first := true
	for _, m := range o {
		if empty(m.value) {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = appendString(dst, m.name)
		dst = append(dst, ':')
		dst = appendJSON(dst, m.value)
	}
	return append(dst, '}')
}

func appendList(dst []byte, l list) []byte {
	dst = append(dst, '[')
	for i, item := range l {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendJSON(dst, item)
	}
	return append(dst, ']')
}

// appendString quotes s. The population's text holds no control characters.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, s[i])
	}
	return append(dst, '"')
}

// The datatypes that occur again and again.

func coding(system, code, display string) object {
	return object{{"system", system}, {"code", code}, {"display", display}}
}

func concept(system, code, display string) object {
	return object{{"coding", list{coding(system, code, display)}}, {"text", display}}
}

func reference(typ, id string) object {
	return object{{"reference", typ + "/" + id}}
}

func quantity(value decimal, unit, code string) object {
	return object{{"value", value}, {"unit", unit}, {"system", "http://unitsofmeasure.org"}, {"code", code}}
}

// testIdentifier is an identifier that says it is made up.
func testIdentifier(use, system, value string) object {
	return object{{"use", use}, {"system", system}, {"value", value},
		{"assigner", object{{"display", "DATOS DE PRUEBA"}}}}
}
