package bundle

import (
	"errors"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/validate"
)

// validate holds s to the rules of its type.
func (s *Source) validate() error {
	typ := s.Type()
	issues := validate.Check(s.Doc, s.Root, typ)
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
