package naive

import (
	"fmt"
	"slices"
	"strings"
)

// Param is a search parameter of a type.
type Param struct {
	Type    string // "" for those of all types
	Code    string
	Kind    string // token string date number quantity reference uri composite
	Targets []string
	paths   []path
	root    string    // of a composite: where its parts begin
	parts   [2]*Param // of a composite
}

// path leads to values of a datatype.
type path struct{ at, datatype string }

// paramsOf returns the parameters of a type, those of all types included.
func paramsOf(typ string) []*Param {
	all := params[typ]
	if typ != "" {
		all = append(slices.Clone(all), params[""]...)
	}
	return all
}

// param finds a parameter; nil when the table has none.
func param(typ, code string) *Param {
	for _, p := range paramsOf(typ) {
		if p.Code == code {
			return p
		}
	}
	return nil
}

var params, resourceTypes = readTable(paramTable)

// readTable reads lines of the form "Type", "  code kind path:datatype ... > Target ..."
// and "  code composite root first second", where first and second have the form
// kind=path:datatype+path:datatype.
func readTable(table string) (map[string][]*Param, []string) {
	all, types, typ := map[string][]*Param{}, []string{}, ""
	for line := range strings.SplitSeq(table, "\n") {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0:
		case !strings.HasPrefix(line, " "):
			if typ = fields[0]; typ == "*" {
				typ = ""
				continue
			}
			types = append(types, typ)
		default:
			all[typ] = append(all[typ], readParam(typ, fields))
		}
	}
	return all, types
}

func readParam(typ string, fields []string) *Param {
	if len(fields) < 3 {
		panic(fmt.Sprint("not a search parameter: ", fields))
	}
	p := &Param{Type: typ, Code: fields[0], Kind: fields[1]}
	if p.Kind == "composite" {
		p.root = strings.TrimSuffix(fields[2], ".")
		for i, part := range fields[3:5] {
			kind, paths, _ := strings.Cut(part, "=")
			p.parts[i] = readParam(typ, append([]string{p.Code, kind}, strings.Split(paths, "+")...))
		}
		return p
	}
	rest := fields[2:]
	if i := slices.Index(rest, ">"); i >= 0 {
		rest, p.Targets = rest[:i], rest[i+1:]
	}
	for _, f := range rest {
		at := strings.LastIndexByte(f, ':')
		p.paths = append(p.paths, path{f[:at], f[at+1:]})
	}
	return p
}

// value is one of tokenValue, stringValue, dateValue, numberValue, referenceValue,
// uriValue and pairValue.
type value any

// values returns what p has in r.
func (w *World) values(r *Resource, p *Param) []value {
	if v, ok := r.values[p]; ok {
		return v
	}
	v := w.read([]any{r.JSON}, p)
	r.values[p] = v
	return v
}

// read reads the values of p below from.
func (w *World) read(from []any, p *Param) []value {
	var all []value
	if p.Kind == "composite" {
		for _, root := range walk(from, p.root) {
			first, second := w.read([]any{root}, p.parts[0]), w.read([]any{root}, p.parts[1])
			for _, a := range first {
				for _, b := range second {
					if a.(tokenValue).present() { // a code in words alone is no half of a pair
						all = append(all, pairValue{a, b})
					}
				}
			}
		}
		return all
	}
	for _, path := range p.paths {
		for _, at := range walk(from, path.at) {
			all = append(all, w.readValue(p, path.datatype, at)...)
		}
	}
	return all
}

// readValue reads one value of a datatype.
func (w *World) readValue(p *Param, datatype string, v any) []value {
	switch p.Kind {
	case "token":
		return readToken(datatype, v)
	case "string":
		return readString(datatype, v)
	case "date":
		return readDate(datatype, v)
	case "number", "quantity":
		return readNumber(datatype, v)
	case "reference":
		return w.readReference(p, datatype, v)
	case "uri":
		if s := text1(v); s != "" {
			return []value{uriValue{s, datatype == "canonical"}}
		}
	}
	return nil
}

// pairValue is a value of a composite: both parts are of one place.
type pairValue struct{ first, second value }
