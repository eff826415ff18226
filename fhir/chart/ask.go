package chart

import (
	"slices"
	"strconv"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
)

// asked is what a call of $everything asks for.
type asked struct {
	start, end *search.Value // of the care; nil for no bound
	types      []string      // of what is returned; nil for all
	since      search.Expr   // nil for no bound
	count      int           // of a page; 0 leaves it to the server
	self       []search.Param
	ignored    []string
}

// names of the parameters of $everything; those of the care are on Patient only.
var (
	careParams  = []string{"start", "end"}
	otherParams = []string{"_since", "_type", "_count"}
)

// parseAsked reads the parameters of a call.
// Errors: fhir.Invalid, which name the parameter.
func parseAsked(call *operation.Call) (*asked, error) {
	names := otherParams
	if call.Type == "Patient" {
		names = append(careParams[:2:2], otherParams...)
	}
	a := &asked{}
	for _, name := range call.In.Names() {
		if slices.Contains(names, name) {
			continue
		}
		if !call.Lenient {
			return nil, fhir.Errorf(fhir.Invalid, "$everything does not take this parameter").
				With("it takes %s, not %.100q%s", strings.Join(names, ", "), name, search.Nearest(name, names))
		}
		a.ignored = append(a.ignored, name)
	}
	for _, name := range names {
		for _, v := range call.In.All(name) {
			if err := a.take(name, v.Text); err != nil {
				return nil, err
			}
			a.self = append(a.self, search.Param{Name: name, Value: v.Text})
		}
	}
	return a, nil
}

// take reads one parameter.
func (a *asked) take(name, text string) (err error) {
	for _, p := range a.self {
		if p.Name == name && name != "_type" {
			return fhir.Errorf(fhir.Invalid, "the parameter %s may be given once", name)
		}
	}
	switch name {
	case "start":
		a.start, err = careDate(name, text)
	case "end":
		a.end, err = careDate(name, text)
	case "_since":
		a.since, err = since(text)
	case "_count":
		n, bad := strconv.ParseUint(text, 10, 31)
		if bad != nil || n == 0 {
			return wrong(name, text, "it is a number of resources, 1 or more")
		}
		a.count = int(n)
	case "_type":
		for typ := range strings.SplitSeq(text, ",") {
			if typ = strings.TrimSpace(typ); !spec.IsResource(typ) {
				return wrong(name, text, "it is a list of resource types"+search.Nearest(typ, spec.Resources()))
			}
			if !slices.Contains(a.types, typ) {
				a.types = append(a.types, typ)
			}
		}
	}
	return err
}

// careDate reads a date, which may be a year or a month.
func careDate(name, text string) (*search.Value, error) {
	q, err := search.Parse("Encounter", []search.Param{{Name: "date", Value: "eq" + text}}, search.Options{})
	if err == nil {
		if m, ok := q.Where[0].(search.Match); ok && len(m.Values) == 1 {
			return &m.Values[0], nil
		}
	}
	return nil, wrong(name, text, "it is a date such as 2026-01-31")
}

// since is the condition that a resource changed at an instant or later.
func since(text string) (search.Expr, error) {
	q, err := search.Parse("", []search.Param{{Name: "_lastUpdated", Value: "ge" + text}}, search.Options{})
	if err != nil || text == "" || text[0] < '0' || text[0] > '9' || strings.Contains(text, ",") {
		return nil, wrong("_since", text, "it is an instant such as 2026-01-31T08:00:00Z")
	}
	return q.Where[0], nil
}

func wrong(name, text, why string) error {
	return fhir.Errorf(fhir.Invalid, "the parameter %s has a value that cannot be read: %s", name, why).With("%s=%.200s", name, text)
}

// bounded reports whether a asks for the care of a certain time.
func (a *asked) bounded() bool { return a.start != nil || a.end != nil }

// wants reports whether resources of type typ are to be returned.
func (a *asked) wants(typ string) bool { return a.types == nil || slices.Contains(a.types, typ) }

// members returns the types of the compartment to look for, nil for all. When types
// are asked for that are never in the compartment, everything in it may lead to them.
func (a *asked) members(compartment string) []string {
	for _, typ := range a.types {
		if !search.InCompartment(compartment, typ) {
			return nil
		}
	}
	return a.types
}
