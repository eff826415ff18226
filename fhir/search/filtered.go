package search

import (
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/spec"
)

// filtered turns a filter into a condition on resources of type typ. depth counts
// the references followed to get here.
func (p *parser) filtered(typ string, n filterNode, depth int) (Expr, error) {
	switch n := n.(type) {
	case filterNot:
		x, err := p.filtered(typ, n.x, depth)
		if err != nil {
			return nil, err
		}
		return Not{x}, nil
	case filterLogic:
		x, err := p.filtered(typ, n.x, depth)
		if err != nil {
			return nil, err
		}
		y, err := p.filtered(typ, n.y, depth)
		if err != nil {
			return nil, err
		}
		if n.or {
			return Or{x, y}, nil
		}
		return And{x, y}, nil
	}
	t := n.(filterTest)
	return p.filterPath(typ, t.path, &t, depth)
}

// filterPath follows the references of a path to its test.
func (p *parser) filterPath(typ string, path []filterStep, t *filterTest, depth int) (Expr, error) {
	if depth > maxChain {
		return nil, fhir.Errorf(fhir.TooCostly, "a chain of more than %d references", maxChain)
	}
	head := path[0]
	if rest, ok := strings.CutPrefix(head.name, "_has:"); ok && head.only == nil {
		return p.reversed(typ, head.name, rest, func(source, name string) (Expr, error) {
			return p.filterPath(source, append([]filterStep{{name: name}}, path[1:]...), t, depth+1)
		})
	}
	if len(path) == 1 {
		return p.filterTest(typ, head.name, t)
	}
	return p.follow(typ, head.name, func(target string) (Expr, error) {
		e, err := p.filterPath(target, path[1:], t, depth+1)
		if err != nil || head.only == nil {
			return e, err
		}
		only, err := p.filtered(target, head.only, depth+1)
		if err != nil {
			return nil, err
		}
		return And{only, e}, nil
	})
}

// filterTest makes the condition of one test on a parameter of typ.
func (p *parser) filterTest(typ, name string, t *filterTest) (Expr, error) {
	switch name {
	case "id", "_id":
		if t.op != "eq" && t.op != "ne" {
			return nil, p.noOp("_id", "token", t.op, "eq, ne")
		}
		return negated(IDs{[]string{t.value}}, t.op == "ne"), nil
	case "_lastUpdated":
		if prefix := filterPrefix(t.op); prefix != "" {
			return p.updated("", prefix+strings.ReplaceAll(t.value, ",", `\,`))
		}
		return nil, p.noOp(name, "date", t.op, dateOps)
	}
	param, err := p.lookup(typ, name)
	if err != nil {
		return nil, err
	}
	parts := parts(typ, param)
	if parts == nil {
		return p.filterOne(param, t)
	}
	all := make(Or, len(parts))
	for i := range parts {
		if all[i], err = p.filterOne(parts[i], t); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func negated(e Expr, not bool) Expr {
	if not {
		return Not{e}
	}
	return e
}

// filterPrefix returns the prefix that an operator stands for, "" when it is another
// kind of test.
func filterPrefix(op string) string {
	switch op {
	case "eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap":
		return op
	}
	return ""
}

// dateOps are the operators for dates, in messages.
const dateOps = "eq, ne, gt, lt, ge, le, ap, sa, eb, po, pr"

func (p *parser) noOp(name, typ, op, have string) error {
	return fhir.Errorf(fhir.Invalid, "search parameter \"_filter\": %s cannot be tested with %s; of type %s: %s", show(name), op, typ, have)
}

// filterOne makes the condition of a test on param.
func (p *parser) filterOne(param *spec.SearchParam, t *filterTest) (Expr, error) {
	if t.op == "pr" {
		switch t.value {
		case "true":
			return parseMissing(param, "false")
		case "false":
			return parseMissing(param, "true")
		}
		return nil, fhir.Errorf(fhir.Invalid, "search parameter \"_filter\": after pr comes true or false")
	}
	raw := filterValue(param, t)
	switch param.Type {
	case spec.String:
		return p.filterString(param, t, raw)
	case spec.Token:
		return p.filterToken(param, t, raw)
	case spec.Reference:
		return p.filterMatch(param, t, map[string]string{"re": "", "eq": "", "ne": ""}, raw)
	case spec.URI:
		return p.filterMatch(param, t, map[string]string{"eq": "", "ne": "", "sw": "below"}, raw)
	case spec.Composite, spec.Special:
		return p.filterMatch(param, t, map[string]string{"eq": "", "ne": ""}, raw)
	case spec.Date:
		if t.op == "po" {
			return p.overlaps(param, raw)
		}
	}
	prefix := filterPrefix(t.op)
	if prefix == "" {
		have := dateOps
		if param.Type != spec.Date {
			have = "eq, ne, gt, lt, ge, le, ap, sa, eb, pr"
		}
		return nil, p.noOp(param.Code, param.Type.String(), t.op, have)
	}
	return p.match(param, "", prefix+raw)
}

// namespaces are names that a filter may use for the URLs of code systems.
var namespaces = map[string]string{
	"loinc": "http://loinc.org", "snomed": "http://snomed.info/sct",
	"rxnorm": "http://www.nlm.nih.gov/research/umls/rxnorm", "ucum": unitsOfMeasure,
}

// filterValue writes the value of a test as it stands in a query. A comma never
// parts two values here.
func filterValue(param *spec.SearchParam, t *filterTest) string {
	raw := t.value
	if param.Type == spec.String {
		return strings.NewReplacer(`\`, `\\`, ",", `\,`).Replace(raw)
	}
	parts := split(raw, ',')
	raw = strings.Join(parts, `\,`)
	fields := split(raw, '|')
	for i := range len(fields) - 1 {
		if url := namespaces[fields[i]]; url != "" {
			fields[i] = url
		}
	}
	return strings.Join(fields, "|")
}

// filterMatch reads a test whose operator stands for a modifier; ne is the opposite
// of eq for a resource that has a value.
func (p *parser) filterMatch(param *spec.SearchParam, t *filterTest, ops map[string]string, raw string) (Expr, error) {
	modifier, ok := ops[t.op]
	if !ok {
		names := []string{"pr"}
		for op := range ops {
			names = append(names, op)
		}
		slices.Sort(names)
		return nil, p.noOp(param.Code, param.Type.String(), t.op, strings.Join(names, ", "))
	}
	e, err := p.match(param, modifier, raw)
	if err != nil || t.op != "ne" {
		return e, err
	}
	has, err := parseMissing(param, "false")
	if err != nil {
		return nil, err
	}
	return And{has, Not{e}}, nil
}

func (p *parser) filterToken(param *spec.SearchParam, t *filterTest, raw string) (Expr, error) {
	return p.filterMatch(param, t, map[string]string{
		"eq": "", "ne": "", "in": "in", "ni": "not-in", "ss": "below", "sb": "above",
	}, raw)
}

func (p *parser) filterString(param *spec.SearchParam, t *filterTest, raw string) (Expr, error) {
	var modifier string
	switch t.op {
	case "eq", "ne":
		modifier = "equal"
	case "ew":
		modifier = "ends"
	case "co":
		modifier = "contains"
	case "sw":
	default:
		return nil, p.noOp(param.Code, "string", t.op, "eq, ne, co, sw, ew, pr")
	}
	m := Match{Param: param, Compared: spec.String, Modifier: modifier, Values: []Value{parseString("", raw)}}
	m.Values[0].Raw = raw
	if t.op != "ne" {
		return m, nil
	}
	has, err := parseMissing(param, "false")
	if err != nil {
		return nil, err
	}
	return And{has, Not{m}}, nil
}

// overlaps makes the condition that a date has a moment in common with that of raw.
func (p *parser) overlaps(param *spec.SearchParam, raw string) (Expr, error) {
	v, err := parseDate(param.Code, raw, p.opts.Now)
	if err != nil {
		return nil, err
	}
	if v.Prefix != "eq" {
		return nil, badValue(param, raw, "after po comes a date without a prefix")
	}
	v.Prefix = "ap" // which compares for an overlap, and has widened nothing
	return Match{Param: param, Compared: spec.Date, Values: []Value{v}}, nil
}
