package bundle

import (
	"encoding/base64"
	"errors"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/patch"
)

// Patcher changes the JSON text of a resource: a JSON Patch or a FHIRPath Patch.
// It can be applied many times.
type Patcher interface {
	Apply(resource []byte) ([]byte, error)
}

// JSONPatch reads a JSON Patch document. Errors: those of patch.Parse.
//
// See https://www.rfc-editor.org/rfc/rfc6902.
func JSONPatch(body []byte) (Patcher, error) {
	p, err := patch.Parse(body)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// PathPatch reads a FHIRPath Patch, a Parameters resource.
// Errors: those of patch.ParseParameters; fhir.Unprocessable when it breaks the
// rules of Parameters.
//
// See https://hl7.org/fhir/R4/fhirpatch.html.
func PathPatch(s *Source) (Patcher, error) {
	if s.Type() != "Parameters" {
		return nil, fhir.Errorf(fhir.Invalid, "a patch in FHIR's own format is a Parameters resource, a FHIRPath Patch").
			With("this is a %s", s.Type()).At(s.Path)
	}
	if err := s.validate(nil); err != nil {
		return nil, err
	}
	p, err := patch.ParseParameters(s.Doc, s.Root)
	if err != nil {
		return nil, s.within(err)
	}
	return p, nil
}

// within places an error about a resource in the Bundle that the resource is in.
func (s *Source) within(err error) error {
	var e *fhir.Error
	if s.Path == "" || !errors.As(err, &e) {
		return err
	}
	placed := *e
	placed.Expression = s.Path + strings.TrimPrefix(e.Expression, s.Type())
	return &placed
}

// PatchIn returns the patch that an entry of a Bundle carries: a FHIRPath Patch as
// Parameters, or a JSON Patch in a Binary.
//
// See https://hl7.org/fhir/R4/http.html#patch.
func PatchIn(s *Source) (Patcher, error) {
	switch {
	case s.Type() == "Parameters":
		return PathPatch(s)
	case s.Type() != "Binary" || s.text("contentType") != "application/json-patch+json":
		return nil, fhir.Errorf(fhir.NotSupported, "a PATCH in a Bundle must be a Parameters resource, which is a FHIRPath Patch, "+
			"or a Binary of contentType application/json-patch+json").At(s.Path)
	}
	body, err := base64.StdEncoding.DecodeString(s.text("data"))
	if err != nil {
		return nil, fhir.Errorf(fhir.Invalid, "this is not base64").At(s.at("data"))
	}
	p, err := JSONPatch(body)
	return p, Within(err, s.at("data"))
}

// Patch returns the Change that applies p to ref.
//
// See https://hl7.org/fhir/R4/http.html#patch.
func (m Maker) Patch(p Patcher, ref fhir.Ref) Change {
	build := func(_ *Env, at fhir.Ref, current *fhir.Resource) (*Content, error) {
		return m.patched(p, at, current)
	}
	return Change{Op: Patch, Ref: ref, Build: build, NeedsCurrent: true}
}

// patched makes what is stored. It starts from the current version, so all of its
// work is done where the patch is applied.
func (m Maker) patched(p Patcher, at fhir.Ref, current *fhir.Resource) (*Content, error) {
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
	if err := s.validate(m.Rules); err != nil {
		return nil, err
	}
	if err := s.literal(); err != nil {
		return nil, err
	}
	return m.content(s, at)
}

// patchedBadly makes an error about a document that nobody sent one about the patch.
func patchedBadly(err error) error {
	if fhir.CodeOf(err) == fhir.TooLarge {
		return err
	}
	return fhir.Errorf(fhir.Unprocessable, "what the patch makes is no FHIR resource")
}

// patchLinked is Patch within a transaction: references that a FHIRPath Patch adds
// may lead to other entries.
func (p *planner) patchLinked(a *Action) (Change, error) {
	c := p.Patch(a.patch, a.Ref)
	if a.source.Type() != "Parameters" {
		return c, nil
	}
	edits, err := p.rewrites(a)
	if err != nil || len(edits) == 0 {
		return c, err
	}
	m, s := p.Maker, a.source
	c.Build = func(env *Env, at fhir.Ref, current *fhir.Resource) (*Content, error) {
		e := s.Doc.Edit(s.Root)
		for i := range edits {
			e.SetString(edits[i].node, edits[i].final(env))
		}
		doc, err := element.Parse(e.AppendTo(nil))
		if err != nil {
			return nil, err
		}
		linked, err := patch.ParseParameters(doc, 0)
		if err != nil {
			return nil, s.within(err)
		}
		return m.patched(linked, at, current)
	}
	return c, nil
}
