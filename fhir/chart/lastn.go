package chart

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
)

// lastN answers Observation/$lastn: of the observations that a search finds, the
// most recent ones of each code. It reads those of one subject only, newest first,
// and keeps no more than it will return.
//
// See https://hl7.org/fhir/R4/observation-operation-lastn.html.
type lastN struct{ store Store }

const (
	// maxRead is how many observations of a subject are looked through.
	maxRead = 100_000

	// batch is how many are read at a time.
	batch = 1000
)

func (l *lastN) run(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	most, q, err := l.parse(call)
	if err != nil {
		return nil, err
	}
	includes := q.Includes
	q.Includes = nil
	g := newGroups(most)
	for read := 0; ; {
		res, err := l.store.Search(ctx, q)
		if err != nil {
			return nil, err
		}
		for i := range res.Matches {
			g.add(res.Matches[i])
		}
		if q.After = res.Next; q.After == "" {
			break
		}
		if read += len(res.Matches); read >= maxRead {
			return nil, fhir.Errorf(fhir.TooCostly, "there are more than %d observations to look through; narrow the search by date or code", maxRead)
		}
	}
	set := &operation.Set{Self: q.Self, Ignored: q.Ignored}
	set.Matches = g.kept()
	set.Total = int64(len(set.Matches))
	if len(includes) > 0 && len(set.Matches) > 0 {
		if set.Included, err = l.include(ctx, call, set.Matches, includes); err != nil {
			return nil, err
		}
	}
	return &operation.Answer{Set: set}, nil
}

// include returns what the observations bring along.
func (l *lastN) include(ctx context.Context, call *operation.Call, matches []fhir.Resource, includes []search.Include) ([]fhir.Resource, error) {
	ids := make([]string, len(matches))
	for i := range matches {
		ids[i] = matches[i].Ref.ID
	}
	res, err := l.store.Search(ctx, &search.Query{
		Type: "Observation", Where: []search.Expr{search.IDs{Any: ids}}, Count: len(ids), Includes: includes,
		Bytes: 2 * call.MaxBytes, Restriction: call.Restriction,
	})
	if err != nil {
		return nil, err
	}
	return res.Included, nil
}

// parse reads the parameters of a call: max, and those of the search.
func (l *lastN) parse(call *operation.Call) (most int, q *search.Query, err error) {
	most = 1
	if v, given, err := call.In.One("max"); err != nil {
		return 0, nil, err
	} else if given {
		n, bad := strconv.ParseUint(v.Text, 10, 31)
		if bad != nil || n == 0 {
			return 0, nil, wrong("max", v.Text, "it is a number of observations, 1 or more")
		}
		most = int(n)
	}
	var params []search.Param
	for _, name := range call.In.Names() {
		for _, v := range call.In.All(name) {
			if name != "max" {
				params = append(params, search.Param{Name: name, Value: v.Text})
			}
		}
	}
	if err := checkAsked(params); err != nil {
		return 0, nil, err
	}
	asked := params
	params = append(params[:len(params):len(params)], search.Param{Name: "_sort", Value: "-date"}, search.Param{Name: "_count", Value: strconv.Itoa(batch)})
	if q, err = search.Parse("Observation", params, call.Search); err != nil {
		return 0, nil, err
	}
	q.Self = slices.DeleteFunc(q.Self, func(p search.Param) bool { return !slices.Contains(asked, p) })
	if most != 1 {
		q.Self = append(q.Self, search.Param{Name: "max", Value: strconv.Itoa(most)})
	}
	q.Bytes, q.Restriction = call.MaxBytes, call.Restriction
	return most, q, nil
}

// checkAsked holds a call to what $lastn asks for: a subject, and a category or code.
func checkAsked(params []search.Param) error {
	var subject, code bool
	for _, p := range params {
		name := p.Name
		if at := strings.IndexAny(name, ":."); at >= 0 {
			name = name[:at]
		}
		switch name {
		case "patient", "subject":
			subject = subject || p.Value != "" && !strings.HasSuffix(p.Name, ":missing") && !strings.HasSuffix(p.Name, ":not")
		case "_sort", "_count", "_total", "_cursor":
			return fhir.Errorf(fhir.Invalid, "$lastn does not take %s: it has an order of its own, and max says how much comes", name)
		default:
			code = code || name == "category" || aboutCode(name)
		}
	}
	switch {
	case !subject:
		return fhir.Errorf(fhir.Invalid, "$lastn needs a subject: the parameter patient or subject")
	case !code:
		return fhir.Errorf(fhir.Invalid, "$lastn needs the parameter category, or one that holds a code, such as code or code-value-quantity")
	}
	return nil
}

// aboutCode reports whether a search parameter of Observation looks at a code.
func aboutCode(name string) bool {
	return strings.Contains(name, "code") && spec.Param("Observation", name) != nil
}
