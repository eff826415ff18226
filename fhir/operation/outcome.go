package operation

import (
	"strconv"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
)

// RuleSystem is the code system of the rule keys in OperationOutcome.issue.details.
const RuleSystem = "urn:amate:rule"

// AppendOutcome appends an OperationOutcome to b.
//
// See https://hl7.org/fhir/R4/operationoutcome.html.
func AppendOutcome(b []byte, issues []fhir.Issue) []byte {
	b = append(b, `{"resourceType":"OperationOutcome","issue":[`...)
	for i := range issues {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendIssue(b, &issues[i])
	}
	return append(b, "]}"...)
}

func appendIssue(b []byte, i *fhir.Issue) []byte {
	b = append(b, '{')
	if i.Line > 0 {
		b = append(b, `"extension":[`...)
		b = appendPosition(b, "line", i.Line)
		b = append(b, ',')
		b = appendPosition(b, "col", i.Col)
		b = append(b, "],"...)
	}
	b = append(b, `"severity":`...)
	b = element.Quote(b, i.Severity)
	b = append(b, `,"code":`...)
	b = element.Quote(b, i.Type)
	if i.Rule != "" || i.Details != "" {
		b = append(b, `,"details":{`...)
		if i.Rule != "" {
			b = append(b, `"coding":[{"system":"`+RuleSystem+`","code":`...)
			b = element.Quote(b, i.Rule)
			b = append(b, "}]"...)
		}
		if i.Details != "" {
			if i.Rule != "" {
				b = append(b, ',')
			}
			b = append(b, `"text":`...)
			b = element.Quote(b, i.Details)
		}
		b = append(b, '}')
	}
	if i.Diagnostics != "" {
		b = append(b, `,"diagnostics":`...)
		b = element.Quote(b, i.Diagnostics)
	}
	if i.Expression != "" {
		b = append(b, `,"expression":[`...)
		b = element.Quote(b, i.Expression)
		b = append(b, ']')
	}
	return append(b, '}')
}

// appendPosition writes the extension that gives a line or column of the input.
//
// See https://hl7.org/fhir/R4/extension-operationoutcome-issue-source.html.
func appendPosition(b []byte, axis string, n int) []byte {
	b = append(b, `{"url":"http://hl7.org/fhir/StructureDefinition/operationoutcome-issue-`...)
	b = append(b, axis...)
	b = append(b, `","valueInteger":`...)
	b = strconv.AppendInt(b, int64(n), 10)
	return append(b, '}')
}
