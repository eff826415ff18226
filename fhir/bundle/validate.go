package bundle

import (
	"errors"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/validate"
)

// Rules checks a resource of a type before it is written.
type Rules func(d *element.Doc, root element.Node, typ string) []fhir.Issue

// validate holds s to rules; nil stands for the base rules of its type.
func (s *Source) validate(rules Rules) error {
	if rules == nil {
		rules = validate.Check
	}
	typ := s.Type()
	issues := rules(s.Doc, s.Root, typ)
	if issues == nil {
		return nil
	}
	if s.Path != "" {
		validate.Within(issues, typ, s.Path)
	}
	if fault := validate.Fault(issues); fault != nil {
		return fault
	}
	return nil
}

// Within names the place of an error that has none yet.
func Within(err error, path string) error {
	var e *fhir.Error
	if err == nil || !errors.As(err, &e) || e.Expression != "" {
		return err
	}
	placed := *e
	placed.Expression = path
	return &placed
}
