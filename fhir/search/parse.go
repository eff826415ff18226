package search

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/spec"
)

// Options says how a query string is read.
type Options struct {
	Lenient      bool      // pass over what is not understood, into Query.Ignored, instead of refusing it
	Base         string    // the server's base URL, without a slash at the end: references below it are local
	Now          time.Time // what ap is near to, for dates; zero is the present
	DefaultCount int       // Query.Count when no _count is given; 0 means 20
	MaxCount     int       // the largest page; 0 means 1000

	Catalogue   *Catalogue  // the parameters that can be searched by; nil is Standard
	Terminology Terminology // for :in, :not-in, :above and :below on tokens; nil refuses them

	FullText func(typ string) bool // whether resources of a type are indexed for _text and _content; nil is all

	// Hidden reports whether a parameter of resources of type typ, with a modifier,
	// looks at what the caller may not see: it is refused, wherever in a search it
	// stands. nil hides nothing.
	Hidden func(typ string, p *spec.SearchParam, modifier string) bool
}

// Bounds of a query. Beyond them nobody writes one by hand, and the SQL grows out
// of proportion.
const (
	maxParams = 200
	maxValues = 1000 // in one list
	maxInAll  = 5000 // in the lists of all parameters
	maxChain  = 4    // references followed one after another

	maxFollowed = 1000 // types that chains lead to, in all
)

// Parse reads the parameters of a search of resources of type typ, "" for all types.
// Errors are *fhir.Error with code Invalid, and name the parameter at fault.
//
// With opts.Lenient, a parameter that is not understood is passed over, but a value
// that is wrong for a known parameter is still refused: leaving out a condition
// that was meant would show more than was asked for.
//
// See https://hl7.org/fhir/R4/search.html.
func Parse(typ string, params []Param, opts Options) (*Query, error) {
	if opts.DefaultCount == 0 {
		opts.DefaultCount = 20
	}
	if opts.MaxCount == 0 {
		opts.MaxCount = 1000
	}
	if opts.Now.IsZero() {
		opts.Now = time.Now()
	}
	opts.Catalogue = opts.Catalogue.or()
	if typ != "" && !spec.IsResource(typ) {
		return nil, fhir.Errorf(fhir.UnknownType, "%s is no resource type", show(typ))
	}
	if len(params) > maxParams {
		return nil, fhir.Errorf(fhir.TooCostly, "more than %d search parameters", maxParams)
	}
	if err := checkText(params); err != nil {
		return nil, err
	}
	p := parser{opts: opts, q: &Query{Type: typ, Count: min(opts.DefaultCount, opts.MaxCount)}, seen: map[string]bool{}}
	if err := p.readTypes(params); err != nil {
		return nil, err
	}
	for _, param := range params {
		err := p.param(param)
		var unknown *unknownError
		if errors.As(err, &unknown) && opts.Lenient {
			p.q.Ignored = append(p.q.Ignored, param.Name)
			continue
		}
		if unknown != nil {
			return nil, unknown.fault
		}
		if err != nil {
			return nil, err
		}
		p.q.Self = append(p.q.Self, param)
	}
	return p.q, p.finish()
}

// checkText refuses what no stored text can be equal to, and what PostgreSQL would
// not take as text: a null, and bytes that are not UTF-8. It also counts the values.
func checkText(params []Param) error {
	values := 0
	for _, param := range params {
		if !text(param.Name) {
			return fhir.Errorf(fhir.Invalid, "the name of a search parameter is not text in UTF-8").With("%q", param.Name)
		}
		if !text(param.Value) {
			return badValueOf(param.Name, param.Value, "it is not text in UTF-8")
		}
		values += strings.Count(param.Value, ",") + 1
	}
	if values > maxInAll {
		return fhir.Errorf(fhir.TooCostly, "more than %d values in the search parameters together", maxInAll)
	}
	return nil
}

func text(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

// unknownError marks a parameter that is not understood at all, which a lenient
// search passes over.
type unknownError struct{ fault *fhir.Error }

func (e *unknownError) Error() string { return e.fault.Error() }

func unknown(format string, args ...any) error {
	return &unknownError{fhir.Errorf(fhir.Invalid, format, args...)}
}

// parser is the state of one Parse.
type parser struct {
	opts Options
	q    *Query
	seen map[string]bool // result parameters that may stand once only

	types    []string // those of _type, in a search of all types
	followed int      // types that chains have been tried with
	quiet    bool     // errors need no suggestions
}

// param reads one parameter: one that shapes the result, or a condition.
func (p *parser) param(param Param) error {
	base, _, _ := strings.Cut(param.Name, ":")
	if f, ok := resultParams[base]; ok {
		if err := p.visible(p.q.Type, p.opts.Catalogue.Lookup(p.q.Type, base), ""); err != nil {
			return err
		}
		return f(p, param)
	}
	if param.Value == "" {
		return unknown("search parameter %s has no value", show(param.Name))
	}
	e, err := p.byType(param)
	if err != nil {
		return err
	}
	p.q.Where = append(p.q.Where, e)
	return nil
}

// byType reads a condition. In a search of several types, a parameter that not every
// type has must be one of each type listed, and is read as that of each.
//
// See https://hl7.org/fhir/R4/http.html#search.
func (p *parser) byType(param Param) (Expr, error) {
	e, err := p.condition(p.q.Type, param.Name, param.Value, 0)
	var unknown *unknownError
	if err == nil || len(p.types) == 0 || !errors.As(err, &unknown) {
		return e, err
	}
	var any Or
	for _, typ := range p.types {
		if e, err = p.condition(typ, param.Name, param.Value, 0); err != nil {
			return nil, err
		}
		any = append(any, And{Types{[]string{typ}}, e})
	}
	return any, nil
}

// finish settles what depends on more than one parameter.
func (p *parser) finish() error {
	if p.q.Summary == "count" {
		p.q.Count, p.q.Total = 0, TotalAccurate
	}
	if p.q.Count == 0 && !p.seen["_total"] {
		p.q.Total = TotalAccurate // a count is all that such a search can be for
	}
	return nil
}

// condition reads a parameter of resources of type typ. depth counts the references
// followed to get here.
func (p *parser) condition(typ, name, value string, depth int) (Expr, error) {
	if depth > maxChain {
		return nil, fhir.Errorf(fhir.TooCostly, "a chain of more than %d references", maxChain)
	}
	if rest, ok := strings.CutPrefix(name, "_has:"); ok {
		return p.has(typ, name, rest, value, depth)
	}
	if head, next, ok := strings.Cut(name, "."); ok {
		return p.chain(typ, head, next, value, depth)
	}
	code, modifier, modified := strings.Cut(name, ":")
	if modified && modifier == "" {
		return nil, unknown("search parameter %s ends in a colon", show(name))
	}
	switch code {
	case "_id":
		return parseIDs(modifier, value)
	case "_lastUpdated":
		return p.updated(modifier, value)
	}
	param, err := p.lookup(typ, code)
	if err == nil {
		err = p.visible(typ, param, modifier)
	}
	if err != nil {
		return nil, err
	}
	parts := parts(typ, param)
	if parts == nil {
		return p.match(param, modifier, value)
	}
	all := make([]Expr, len(parts))
	for i := range parts {
		if all[i], err = p.match(parts[i], modifier, value); err != nil {
			return nil, err
		}
	}
	return union(all), nil
}

// notYet refuses a parameter by which resources are still being indexed, and says
// where the progress of that can be watched.
func (p *parser) notYet(typ string, param *spec.SearchParam) error {
	fault := fhir.Errorf(fhir.Invalid, "search parameter %s%s is new here, and resources are still being indexed by it", show(param.Code), of(typ))
	if a := p.opts.Catalogue.addition(param.ID); a != nil && a.Job != "" {
		fault = fault.With("see %s/$reindex-status/%s", p.opts.Base, a.Job)
	}
	return &unknownError{fault}
}

// lookup finds a parameter that can be searched by.
func (p *parser) lookup(typ, code string) (*spec.SearchParam, error) {
	param := p.opts.Catalogue.Lookup(typ, code)
	switch {
	case param == nil && p.quiet:
		return nil, unknown("unknown search parameter %s%s", show(code), of(typ))
	case param == nil:
		return nil, unknown("unknown search parameter %s%s%s", show(code), of(typ), nearest(code, p.codes(typ)))
	case param.Type == spec.Composite && len(param.Components) != 2:
		return nil, unknown("search parameter %s%s joins %d values, and this server joins two", show(code), of(typ), len(param.Components))
	case !Supported(param):
		return nil, unknown("search parameter %s%s is not supported by this server", show(code), of(typ))
	case p.opts.Catalogue.pending(param):
		return nil, p.notYet(typ, param)
	}
	return param, p.visible(typ, param, "")
}

// visible refuses a parameter that looks at what the caller may not see.
func (p *parser) visible(typ string, param *spec.SearchParam, modifier string) error {
	if p.opts.Hidden != nil && param != nil && p.opts.Hidden(typ, param, modifier) {
		return fhir.Errorf(fhir.Forbidden, "search parameter %s%s looks at what you may not see", show(param.Code), of(typ))
	}
	return nil
}

// Supported reports whether this server can search by p.
func Supported(p *spec.SearchParam) bool {
	switch p.Type {
	case spec.Composite:
		return len(p.Components) == 2
	case spec.Special:
		return p.Code == "near" && p.Base == "Location"
	}
	return p.Expression != ""
}

func of(typ string) string {
	if typ == "" {
		return " of all types"
	}
	return " of " + typ
}

func (p *parser) codes(typ string) []string {
	var all []string
	for _, param := range p.opts.Catalogue.Params(typ) {
		all = append(all, param.Code)
	}
	return all
}

// list splits a value at its commas.
func list(name, value string) ([]string, error) {
	raws := split(value, ',')
	if len(raws) > maxValues {
		return nil, fhir.Errorf(fhir.TooCostly, "search parameter %s has more than %d values", show(name), maxValues)
	}
	if slices.Contains(raws, "") {
		return nil, fhir.Errorf(fhir.Invalid, "search parameter %s has an empty value in its list", show(name))
	}
	return raws, nil
}

func parseMissing(param *spec.SearchParam, value string) (Expr, error) {
	missing, err := strconv.ParseBool(value)
	if err != nil || value != "true" && value != "false" {
		return nil, fhir.Errorf(fhir.Invalid, "%s:missing is either true or false", show(param.Code))
	}
	v := Value{Raw: value, Bool: missing}
	if t := compared(param); hashed(t) || t == spec.Special {
		v.Tokens = []int64{PresenceHash(param.ID)}
	}
	return Match{Param: param, Compared: compared(param), Modifier: "missing", Values: []Value{v}}, nil
}

func parseIDs(modifier, value string) (Expr, error) {
	if modifier != "" {
		return nil, unknown("_id has no modifiers")
	}
	raws, err := list("_id", value)
	if err != nil {
		return nil, err
	}
	ids := IDs{}
	for _, raw := range raws {
		ids.Any = append(ids.Any, unescape(raw)) // what is no id matches nothing
	}
	return ids, nil
}

func (p *parser) updated(modifier, value string) (Expr, error) {
	if modifier != "" {
		return nil, unknown("_lastUpdated has no modifiers")
	}
	raws, err := list("_lastUpdated", value)
	if err != nil {
		return nil, err
	}
	var any Or
	for _, raw := range raws {
		v, err := parseDate("_lastUpdated", raw, p.opts.Now)
		if err != nil {
			return nil, err
		}
		any = append(any, Updated{v})
	}
	if len(any) == 1 {
		return any[0], nil
	}
	return any, nil
}

// badValue refuses a value of p. The value itself goes where it is not logged.
func badValue(p *spec.SearchParam, raw, why string) error { return badValueOf(p.Code, raw, why) }

func badValueOf(name, raw, why string) error {
	return fhir.Errorf(fhir.Invalid, "search parameter %s has a value that cannot be read: %s", show(name), why).With("%s=%s", name, raw)
}
