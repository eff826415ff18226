package monitor

import (
	"context"
	_ "embed"
	"encoding/json"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/operation"
)

//go:embed templates.json
var templatesFile []byte

// template is what a published guideline says of a condition, as a Goal that a clinician
// can begin with. It is off until one has made it theirs.
type template struct {
	Name      string   // of the template
	Title     string   // in Spanish
	Condition []string // codes of ICD-10, up to the point
	Source    string   // of the limits
	Targets   []json.RawMessage
}

// templates answers Goal/$monitoring-templates: Goals to begin with, which are proposed
// and watch for nothing.
func (s *Service) templates(_ context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := understood(call, "condition"); err != nil {
		return nil, err
	}
	condition, err := call.In.Text("condition")
	if err != nil {
		return nil, err
	}
	var all []template
	if err := json.Unmarshal(templatesFile, &all); err != nil {
		return nil, err
	}
	var entries []compose.Object
	for i := range all {
		if t := &all[i]; condition == "" || t.of(condition) {
			entries = append(entries, compose.Object{"resource": t.goal()})
		}
	}
	set := compose.Object{"resourceType": "Bundle", "type": "collection"}
	if len(entries) > 0 {
		set["entry"] = entries
	} else if !strings.ContainsAny(condition, "0123456789") {
		return nil, fhir.Errorf(fhir.Invalid, "the parameter condition is a code of ICD-10, such as I10").With("%.50q", condition)
	}
	return &operation.Answer{JSON: compose.JSON(set), Nothing: true}, nil
}

func (t *template) of(code string) bool {
	for _, c := range t.Condition {
		if strings.HasPrefix(code, c) {
			return true
		}
	}
	return false
}

func (t *template) goal() compose.Object {
	return compose.Object{
		"resourceType": "Goal", "lifecycleStatus": "proposed", "description": compose.Object{"text": t.Title},
		"subject": compose.Object{"display": "Paciente por indicar"}, "target": t.Targets,
		"note": []compose.Object{{"text": "Fuente: " + t.Source + " Los límites de cada paciente los decide el personal clínico; nada se vigila mientras el objetivo no esté activo."}},
	}
}
