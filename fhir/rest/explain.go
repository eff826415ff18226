package rest

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
)

// explainParam asks how a search is carried out, instead of for what it finds.
const explainParam = "__explain"

// takeExplain takes explainParam out of the parameters of a search, and reports
// whether it asks for an explanation.
// Errors: fhir.Invalid; fhir.Forbidden when this server explains nothing, or not to
// this caller.
func (a *API) takeExplain(req *Request, d Decision) (bool, error) {
	at := slices.IndexFunc(req.Params, func(p search.Param) bool { return p.Name == explainParam })
	if at < 0 {
		return false, nil
	}
	value := req.Params[at].Value
	req.Params = slices.Delete(slices.Clone(req.Params), at, at+1)
	switch {
	case value == "false":
		return false, nil
	case value != "true":
		return false, fhir.Errorf(fhir.Invalid, "%s is true or false", explainParam)
	case a.Explain == nil:
		return false, fhir.Errorf(fhir.Forbidden, "this server does not explain searches: it was started without --explain")
	case !d.Explain:
		return false, fhir.Errorf(fhir.Forbidden, "only operators may ask how a search is carried out")
	}
	return true, nil
}

// explanation carries q out and tells how: what was understood, then each statement
// with the engine's plan and what it took. The words of the search are in it, so that
// it goes to the caller only, and into no log.
func (a *API) explanation(ctx context.Context, q *search.Query) (*Response, error) {
	plans, err := a.Explain(ctx, q)
	if err != nil {
		return nil, err
	}
	understood := q.Type + "?" + search.And(q.Where).String()
	issues := []fhir.Issue{told("search-tree", "what was understood", understood)}
	for i := range plans {
		p := &plans[i]
		details := fmt.Sprintf("%s: %.3f ms", p.Purpose, float64(p.Took.Microseconds())/1000)
		if p.Start != "" {
			details += "; begins with " + p.Start
		}
		issues = append(issues, told("search-plan", details, fmt.Sprintf("%s\n-- %d arguments\n%s", p.SQL, p.Args, p.Text)))
	}
	return &Response{Status: http.StatusOK, Body: operation.AppendOutcome(nil, issues)}, nil
}

func told(rule, details, diagnostics string) fhir.Issue {
	return fhir.Issue{Severity: "information", Type: "informational", Rule: rule, Details: details, Diagnostics: diagnostics}
}
