package bundle

import (
	"slices"

	"github.com/amate-health/amate/fhir"
)

// Hold is a rule about what may become of resources once they are in a certain state:
// a signed document stays as it is, a record under legal hold stays at all. It is
// asked inside the database transaction, with what is current there, for every change
// that would write a version, whichever way the change came; so no path leads around it.
type Hold struct {
	Name  string   // "signed-document"; also the right by which a Batch passes it
	Types []string // resource types that it is asked about; others cost nothing

	// Check refuses a change by an error, mostly a *fhir.Error with fhir.Conflict that
	// names the way out. before is the current version with its JSON, nil when there is
	// none; after is the version to come, a deletion having no JSON. It is pure, and may
	// be called by several goroutines and more than once for a change.
	Check func(before, after *fhir.Resource) error
}

// Refused returns the error of a change that a rule does not let pass: with the name of the
// rule, and why, which ends with the way out. code is fhir.Conflict where it is the current
// version that forbids it, else fhir.Unprocessable.
func Refused(code fhir.Code, rule, why string) error {
	kind := "business-rule"
	if code == fhir.Conflict {
		kind = "conflict"
	}
	return &fhir.Error{Code: code, Issues: []fhir.Issue{{Severity: "error", Type: kind, Rule: rule, Details: why}}}
}

// Held asks the holds of b about a change. Errors: those of Hold.Check.
func (b *Batch) Held(before, after *fhir.Resource) error {
	for i := range b.Holds {
		h := &b.Holds[i]
		if !slices.Contains(h.Types, after.Ref.Type) || slices.Contains(b.Rights, h.Name) {
			continue
		}
		if err := h.Check(before, after); err != nil {
			return err
		}
	}
	return nil
}

// Holding reports whether a change of a resource of type typ is to be asked about.
func (b *Batch) Holding(typ string) bool {
	for i := range b.Holds {
		if h := &b.Holds[i]; slices.Contains(h.Types, typ) && !slices.Contains(b.Rights, h.Name) {
			return true
		}
	}
	return false
}
