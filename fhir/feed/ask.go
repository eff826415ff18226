package feed

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
)

// asked is what a call asks for.
type asked struct {
	since  string
	scope  string // name of the parameter that bounds the copy; "" for everything
	value  string // of it
	types  []string
	count  int
	wait   time.Duration
	params []search.Param // for the links: the scope and what else stays the same
}

// names of the parameters of $changes; scopes are those that bound the copy.
var (
	scopes     = []string{"patient", "group", "organization", "facility"}
	parameters = append(slices.Clip(scopes), "since", "_type", "_count", "wait")
)

// defaultCount is how many entries a page has when none is asked for.
const defaultCount = 200

// parse reads the parameters of a call.
// Errors: fhir.Invalid, which name the parameter.
func parse(call *operation.Call) (*asked, error) {
	a := &asked{count: min(defaultCount, call.MaxCount)}
	for _, name := range call.In.Names() {
		if !slices.Contains(parameters, name) {
			return nil, fhir.Errorf(fhir.Invalid, "$changes does not take this parameter").
				With("it takes %s, not %.100q%s", strings.Join(parameters, ", "), name, search.Nearest(name, parameters))
		}
		value, err := call.In.Text(name)
		if err != nil {
			return nil, err
		}
		if err := a.take(name, value, call.MaxCount); err != nil {
			return nil, err
		}
	}
	return a, nil
}

func (a *asked) take(name, value string, most int) error {
	if slices.Contains(scopes, name) {
		if a.scope != "" {
			return fhir.Errorf(fhir.Invalid, "$changes has one scope: %s or %s, not both", a.scope, name)
		}
		if a.scope, a.value = name, value; value == "" {
			return wrong(name, value, "it is not empty")
		}
		a.params = append(a.params, search.Param{Name: name, Value: value})
		return nil
	}
	switch name {
	case "since":
		a.since = value
		return nil
	case "_type":
		for typ := range strings.SplitSeq(value, ",") {
			if typ = strings.TrimSpace(typ); !spec.IsResource(typ) {
				return wrong(name, value, "it is a list of resource types"+search.Nearest(typ, spec.Resources()))
			}
			a.types = append(a.types, typ)
		}
		slices.Sort(a.types)
		a.types = slices.Compact(a.types)
	case "_count":
		n, err := strconv.ParseUint(value, 10, 31)
		if err != nil || n == 0 {
			return wrong(name, value, "it is a number of entries, 1 or more")
		}
		a.count = min(int(n), most)
	case "wait":
		n, err := strconv.ParseUint(value, 10, 31)
		if err != nil || time.Duration(n)*time.Second > maxWait {
			return wrong(name, value, "it is a number of seconds, at most "+strconv.Itoa(int(maxWait/time.Second)))
		}
		a.wait = time.Duration(n) * time.Second
	}
	a.params = append(a.params, search.Param{Name: name, Value: value})
	return nil
}

func wrong(name, value, why string) error {
	return fhir.Errorf(fhir.Invalid, "the parameter %s has a wrong value: %s", name, why).With("%s is %.100q", name, value)
}
