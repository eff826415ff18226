package search

import (
	"slices"
	"strconv"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/spec"
)

// resultParams are the parameters that shape the result, and those that say where
// to look.
//
// See https://hl7.org/fhir/R4/search.html#return.
var resultParams map[string]func(*parser, Param) error

func init() {
	resultParams = map[string]func(*parser, Param) error{
		"_count":    once((*parser).count),
		"_sort":     once((*parser).sort),
		"_total":    once((*parser).total),
		"_summary":  once((*parser).summary),
		"_elements": (*parser).elements,
		"_type":     once((*parser).typeList),

		"_include":    (*parser).include,
		"_revinclude": (*parser).include,

		// Read by fhir/rest, and kept for the self link.
		"_format": func(*parser, Param) error { return nil },
		"_pretty": func(*parser, Param) error { return nil },

		"_text": (*parser).fullText, "_content": (*parser).fullText,
		"_list": (*parser).inList, "_filter": (*parser).filter,
		"_contained": once((*parser).contained),

		"_containedType": unsupported, "_query": unsupported, "_score": unsupported,
	}
}

func unsupported(_ *parser, param Param) error {
	return unknown("search parameter %s is not supported by this server", show(param.Name))
}

// once refuses a second parameter of the same name, and any modifier.
func once(f func(*parser, Param) error) func(*parser, Param) error {
	return func(p *parser, param Param) error {
		name, _, modified := strings.Cut(param.Name, ":")
		if modified {
			return unknown("%s has no modifiers", show(name))
		}
		if p.seen[name] {
			return fhir.Errorf(fhir.Invalid, "%s is given twice", show(name))
		}
		p.seen[name] = true
		return f(p, param)
	}
}

// count bounds a page; more than the most is cut down to it.
//
// See https://hl7.org/fhir/R4/search.html#count.
func (p *parser) count(param Param) error {
	n, err := strconv.ParseUint(param.Value, 10, 31)
	if err != nil {
		return badValueOf("_count", param.Value, "it is a number of resources, 0 or more")
	}
	p.q.Count = min(int(n), p.opts.MaxCount)
	return nil
}

// total reads _total.
//
// See https://hl7.org/fhir/R4/search.html#total.
func (p *parser) total(param Param) error {
	switch param.Value {
	case "none":
		p.q.Total = TotalNone
	case "estimate":
		p.q.Total = TotalEstimate
	case "accurate":
		p.q.Total = TotalAccurate
	default:
		return badValueOf("_total", param.Value, "it is none, estimate or accurate")
	}
	return nil
}

// contained takes only what is done anyway: contained resources are not searched,
// those that contain them are returned.
//
// See https://hl7.org/fhir/R4/search.html#contained.
func (p *parser) contained(param Param) error {
	switch param.Value {
	case "false":
		return nil
	case "true", "both":
		return unknown("this server does not search contained resources; _contained is false")
	}
	return badValueOf("_contained", param.Value, "it is false, true or both")
}

func (p *parser) summary(param Param) error {
	if !slices.Contains([]string{"true", "text", "data", "count", "false"}, param.Value) {
		return badValueOf("_summary", param.Value, "it is true, text, data, count or false")
	}
	p.q.Summary = param.Value
	return nil
}

func (p *parser) elements(param Param) error {
	for name := range strings.SplitSeq(param.Value, ",") {
		if name = strings.TrimSpace(name); name == "" {
			return badValueOf("_elements", param.Value, "it is a list of element names")
		}
		p.q.Elements = append(p.q.Elements, name)
	}
	return nil
}

// typeList reads _type: the types that a search of all types looks at.
func (p *parser) typeList(param Param) error {
	if p.q.Type != "" {
		return unknown("_type is for searches of all types, not of %s", p.q.Type)
	}
	p.q.Where = append(p.q.Where, Types{p.types})
	return nil
}

// readTypes finds _type before all else, since the other parameters are those of its
// types.
func (p *parser) readTypes(params []Param) error {
	for _, param := range params {
		if param.Name != "_type" || p.q.Type != "" {
			continue
		}
		p.types = nil
		for typ := range strings.SplitSeq(param.Value, ",") {
			if !spec.IsResource(typ) {
				return badValueOf("_type", param.Value, "it is a list of resource types"+nearest(typ, spec.Resources()))
			}
			if !slices.Contains(p.types, typ) {
				p.types = append(p.types, typ)
			}
		}
	}
	return nil
}

// sort reads _sort.
//
// See https://hl7.org/fhir/R4/search.html#sort.
func (p *parser) sort(param Param) error {
	for key := range strings.SplitSeq(param.Value, ",") {
		code, desc := strings.CutPrefix(key, "-")
		s := Sort{Desc: desc}
		switch code {
		case "":
			return badValueOf("_sort", param.Value, "it is a list of search parameters, each perhaps after a minus sign")
		case "_id", "_lastUpdated":
			s.Field = code
		default:
			found, err := p.lookup(p.q.Type, code)
			if err != nil {
				return err
			}
			if same := parts(p.q.Type, found); len(same) == 1 {
				found = same[0]
			} else if same != nil {
				return unknown("this server cannot sort by %s, which joins several parameters", show(code))
			}
			if found.Type == spec.Composite || found.Type == spec.Special {
				return unknown("this server cannot sort by %s, which is %s", show(code), found.Type)
			}
			s.Param = found
		}
		p.q.Sort = append(p.q.Sort, s)
	}
	if len(p.q.Sort) > 5 {
		return fhir.Errorf(fhir.TooCostly, "_sort with more than 5 keys")
	}
	return nil
}

// include reads _include and _revinclude: Type:parameter, Type:parameter:Target,
// Type:* or *.
//
// See https://hl7.org/fhir/R4/search.html#include.
func (p *parser) include(param Param) error {
	name, modifier, modified := strings.Cut(param.Name, ":")
	if modified && modifier != "iterate" && modifier != "recurse" {
		return unknown("modifier :%s of %s is not supported; there is iterate", show(modifier), name)
	}
	in := Include{Reverse: name == "_revinclude", Iterate: modified}
	if param.Value == "*" {
		return p.includeAll(in)
	}
	parts := strings.Split(param.Value, ":")
	if len(parts) < 2 || len(parts) > 3 {
		return badValueOf(name, param.Value, "it has the form Type:parameter or Type:parameter:Target")
	}
	if in.Source = parts[0]; !spec.IsResource(in.Source) {
		return badValueOf(name, param.Value, "it begins with a resource type"+nearest(in.Source, spec.Resources()))
	}
	if len(parts) == 3 {
		if in.Target = parts[2]; !spec.IsResource(in.Target) {
			return badValueOf(name, param.Value, "it ends in a resource type"+nearest(in.Target, spec.Resources()))
		}
	}
	if err := p.includes(&in, parts[1]); err != nil {
		return err
	}
	p.q.Includes = append(p.q.Includes, in)
	return nil
}

// includeAll adds the include that follows every reference: of what was found, or to it.
func (p *parser) includeAll(in Include) error {
	if in.Reverse {
		if p.q.Type == "" || in.Iterate {
			return unknown("_revinclude=* is for a search of one type, without :iterate")
		}
		for _, source := range spec.Resources() {
			for _, found := range p.opts.Catalogue.Params(source) {
				if found.Type == spec.Reference && !slices.Contains(in.Params, found) && slices.Contains(targets(found, ""), p.q.Type) {
					in.Params = append(in.Params, found)
				}
			}
		}
	}
	p.q.Includes = append(p.q.Includes, in)
	return nil
}

// canonical reports whether a parameter refers by canonical URL alone.
func canonical(param *spec.SearchParam) bool {
	is := func(path string) bool {
		t := spec.TypeOf(param.Base)
		for i, name := range strings.Split(strings.TrimSpace(path), ".") {
			if i == 0 {
				continue // the type itself
			}
			var e *spec.Element
			if t != nil {
				e = t.Element([]byte(name))
			}
			if e == nil {
				return false
			}
			t = e.Type
		}
		return t != nil && t.Is("canonical")
	}
	for path := range strings.SplitSeq(param.Expression, "|") {
		if !is(path) {
			return false
		}
	}
	return true
}

// includes finds the reference parameters of an include.
func (p *parser) includes(in *Include, code string) error {
	target := in.Target
	if in.Reverse && !in.Iterate && target == "" {
		target = p.q.Type
	}
	if code == "*" {
		for _, found := range p.opts.Catalogue.Params(in.Source) {
			if found.Type == spec.Reference && (target == "" || slices.Contains(targets(found, ""), target)) {
				in.Params = append(in.Params, found)
			}
		}
		return nil
	}
	found, err := p.lookup(in.Source, code)
	if err != nil {
		return err
	}
	if found.Type != spec.Reference {
		return unknown("search parameter %s of %s is no reference", show(code), in.Source)
	}
	if canonical(found) {
		return unknown("search parameter %s of %s refers by canonical URL, which %s does not follow", show(code), in.Source,
			map[bool]string{false: "_include", true: "_revinclude"}[in.Reverse])
	}
	if target != "" && !slices.Contains(targets(found, ""), target) {
		return unknown("search parameter %s of %s never refers to %s", show(code), in.Source, target)
	}
	if !in.Reverse && !in.Iterate && p.q.Type != "" && in.Source != p.q.Type {
		return unknown("_include from %s in a search of %s needs :iterate", in.Source, p.q.Type)
	}
	in.Params = []*spec.SearchParam{found}
	return nil
}
