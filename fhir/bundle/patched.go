package bundle

import (
	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/patch"
)

// Patch returns the Change that applies the JSON Patch in body to ref.
// Errors: those of patch.Parse.
//
// See https://hl7.org/fhir/R4/http.html#patch.
func (m Maker) Patch(body []byte, ref fhir.Ref) (Change, error) {
	p, err := patch.Parse(body)
	if err != nil {
		return Change{}, err
	}
	return m.patch(p, ref), nil
}

// patch builds from the current version, so all of its work is done where the
// patch is applied.
func (m Maker) patch(p *patch.Patch, ref fhir.Ref) Change {
	build := func(_ *Env, at fhir.Ref, current *fhir.Resource) (*Content, error) {
		body, err := p.Apply(current.JSON)
		if err != nil {
			return nil, err
		}
		s, err := Parse(body)
		if err != nil {
			return nil, patchedBadly(err)
		}
		if s.Type() != at.Type || s.ID() != at.ID {
			return nil, fhir.Errorf(fhir.Unprocessable, "a patch must leave resourceType and id as they are")
		}
		if err := s.validate(); err != nil {
			return nil, err
		}
		if err := s.literal(); err != nil {
			return nil, err
		}
		return m.content(s, at)
	}
	return Change{Op: Patch, Ref: ref, Build: build, NeedsCurrent: true}
}

// patchedBadly makes an error about a document that nobody sent one about the patch.
func patchedBadly(err error) error {
	if fhir.CodeOf(err) == fhir.TooLarge {
		return err
	}
	return fhir.Errorf(fhir.Unprocessable, "what the patch makes is no FHIR resource")
}
