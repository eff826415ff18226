package giis

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
)

// Offer is what $giis-export needs.
type Offer struct {
	Store     Store
	Catalogue func() Catalogue // nil for none
	Now       func() time.Time
	Limit     int // visits of a facility at most, in one answer
}

// The media types of the answers that are no resource.
const (
	mediaText = "text/plain"
	mediaCSV  = "text/csv"
)

// Operations returns $giis-export: [base]/$giis-export?guide=B015&clues=...&month=2026-10.
// As text/plain it answers the file, in windows-1252; as text/csv what was found; and as
// FHIR a Parameters with the counts and an OperationOutcome of what was found. Whoever
// acts for an establishment gets the file of that one alone.
func (o *Offer) Operations() []operation.Operation {
	return []operation.Operation{{
		Name: "giis-export", URL: "https://github.com/amate-health/amate/fhir/OperationDefinition/giis-export",
		Scope: operation.OnSystem, Media: []string{mediaText, mediaCSV}, Run: o.run,
	}}
}

func (o *Offer) run(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	e, err := o.asked(call)
	if err != nil {
		return nil, err
	}
	made, err := e.Run(ctx, o.Store)
	if err != nil {
		return nil, err
	}
	switch call.Media {
	case mediaText:
		if made.File == nil {
			return nil, &fhir.Error{Code: fhir.Unprocessable, Details: "there are errors, so that no file is made", Issues: made.Report.issues()}
		}
		return &operation.Answer{Media: mediaText + "; charset=windows-1252", Raw: made.File}, nil
	case mediaCSV:
		var b bytes.Buffer
		err := made.Report.CSV(&b)
		return &operation.Answer{Media: mediaCSV + "; charset=utf-8", Raw: b.Bytes()}, err
	}
	return &operation.Answer{JSON: made.parameters()}, nil
}

// asked reads the parameters of a call. Errors: fhir.Invalid, fhir.Forbidden.
func (o *Offer) asked(call *operation.Call) (*Export, error) {
	e := &Export{Restriction: call.Restriction, Now: o.Now(), Limit: o.Limit}
	if o.Catalogue != nil {
		e.Catalogue = o.Catalogue()
	}
	for _, name := range call.In.Names() {
		values := call.In.All(name)
		first := values[0].Text
		if name != "clues" && len(values) > 1 {
			return nil, fhir.Errorf(fhir.Invalid, "this parameter comes once").At(name)
		}
		switch name {
		case "guide":
			if first != "B015" && first != "GIIS-B015" {
				return nil, fhir.Errorf(fhir.Invalid, "the guide that is offered is B015").With("%.100q", first).At(name)
			}
		case "clues":
			for _, v := range values {
				e.CLUES = append(e.CLUES, strings.Split(v.Text, ",")...)
			}
		case "month":
			month, err := time.Parse("2006-01", first)
			if err != nil {
				return nil, fhir.Errorf(fhir.Invalid, "a month is YYYY-MM").With("%.100q", first).At(name)
			}
			e.Month = month
		case "faulty":
			e.Faulty = first
		case "_format", "_pretty":
		default:
			return nil, fhir.Errorf(fhir.Invalid, "$giis-export takes guide, clues, month and faulty").With("%.100q", name)
		}
	}
	if e.Month.IsZero() {
		return nil, fhir.Errorf(fhir.Invalid, "the month is needed, as YYYY-MM").At("month")
	}
	for _, c := range e.CLUES {
		if org := call.Caller.Org; org != "" && c != org {
			return nil, fhir.Errorf(fhir.Forbidden, "you act for another establishment").At("clues")
		}
	}
	return e, nil
}

// mostIssues is how many findings an OperationOutcome lists; the counts are of all.
const mostIssues = 500

func (p *Report) issues() []fhir.Issue {
	var out []fhir.Issue
	for _, f := range p.Findings {
		if len(out) == mostIssues {
			out = append(out, fhir.Issue{Severity: "information", Type: "informational", Rule: "giis-more",
				Details: fmt.Sprintf("%d further findings are not listed: text/csv has all", len(p.Findings)-mostIssues)})
			break
		}
		issue := fhir.Issue{Severity: f.Severity(), Type: "business-rule", Rule: "giis-" + f.Rule, Details: f.Text}
		if f.Name != "" {
			issue.Details = f.Name + ": " + f.Text
		}
		if f.Visit != "" {
			issue.Diagnostics = f.Visit
			if f.Value != "" {
				issue.Diagnostics += fmt.Sprintf(" has %q", f.Value)
			}
		}
		out = append(out, issue)
	}
	return out
}

// parameters returns the report as a Parameters resource.
func (m *Made) parameters() []byte {
	b := []byte(`{"resourceType":"Parameters","parameter":[{"name":"name","valueString":`)
	b = element.Quote(b, m.Name)
	b = fmt.Appendf(b, `},{"name":"made","valueBoolean":%t}`, m.File != nil)
	for _, n := range []struct {
		name  string
		count int
	}{{"rows", m.Report.Rows}, {"leftOut", m.Report.Left}, {"errors", m.Report.Errors}, {"warnings", m.Report.Warnings}} {
		b = fmt.Appendf(b, `,{"name":"%s","valueInteger":%d}`, n.name, n.count)
	}
	issues := m.Report.issues()
	if len(issues) == 0 {
		issues = []fhir.Issue{{Severity: "information", Type: "informational", Rule: "giis-sound", Details: "nothing is wrong"}}
	}
	b = operation.AppendOutcome(append(b, `,{"name":"findings","resource":`...), issues)
	return append(b, "}]}"...)
}
