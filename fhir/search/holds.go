package search

import (
	"slices"
	"time"

	"github.com/amate-health/amate/fhir"
)

// Subject is a resource that a condition can be tried on without a database.
type Subject struct {
	Ref     fhir.Ref
	Updated time.Time
	Index   *Index
}

// Holds reports whether e holds for s. It answers fhir.NotSupported for Chain and
// Has, which need other resources.
func Holds(e Expr, s *Subject) (bool, error) {
	switch e := e.(type) {
	case And:
		for _, x := range e {
			if ok, err := Holds(x, s); err != nil || !ok {
				return false, err
			}
		}
		return true, nil
	case Or:
		for _, x := range e {
			if ok, err := Holds(x, s); err != nil || ok {
				return ok, err
			}
		}
		return false, nil
	case Not:
		ok, err := Holds(e.X, s)
		return !ok && err == nil, err
	case Match:
		return e.Holds(s.Index), nil
	case IDs:
		return slices.Contains(e.Any, s.Ref.ID), nil
	case Types:
		return slices.Contains(e.Any, s.Ref.Type), nil
	case Words:
		in := s.Index.Content
		if e.Narrative {
			in = s.Index.Text
		}
		return !slices.ContainsFunc(e.All, func(w string) bool { return !slices.Contains(in, w) }), nil
	case Updated:
		at := s.Updated.UnixMicro()
		return Range{Lo: at, Hi: at + 1}.holds(&e.Value), nil
	}
	return false, fhir.Errorf(fhir.NotSupported, "this condition needs other resources")
}
