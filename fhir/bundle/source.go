package bundle

import (
	"strconv"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/spec"
)

// Source is a resource as a client sent it: a body of its own, or an entry of a Bundle.
type Source struct {
	Doc  *element.Doc
	Root element.Node
	Path string // FHIRPath of Root when it is within a Bundle: "Bundle.entry[3].resource"; else ""
}

// Parse reads body, which must be one resource in JSON. body must not change
// while the Source is in use.
// Errors: *element.SyntaxError; fhir.Invalid when it is JSON but no resource.
func Parse(body []byte) (*Source, error) {
	doc, err := element.Parse(body)
	if err != nil {
		return nil, err
	}
	s := &Source{Doc: doc}
	if err := s.check(); err != nil {
		return nil, err
	}
	return s, nil
}

// check makes sure that s is an object which names a resource type.
func (s *Source) check() error {
	if s.Doc.Kind(s.Root) != element.Object {
		return fhir.Errorf(fhir.Invalid, "a resource is a JSON object").At(s.Path)
	}
	t := s.Doc.Get(s.Root, "resourceType")
	if t == element.None || s.Doc.Kind(t) != element.String {
		return fhir.Errorf(fhir.Invalid, "resourceType is missing").At(s.Path)
	}
	if name := s.Doc.Text(t); !spec.IsResource(name) {
		return fhir.Errorf(fhir.Invalid, "resourceType names no resource type of FHIR R4").
			With("resourceType is %.100q", name).At(s.Path)
	}
	return nil
}

// Type returns the resource type.
func (s *Source) Type() string { return s.text("resourceType") }

// ID returns the logical id in the body, or "".
func (s *Source) ID() string { return s.text("id") }

func (s *Source) text(member string) string {
	n := s.Doc.Get(s.Root, member)
	if n == element.None || s.Doc.Kind(n) != element.String {
		return ""
	}
	return s.Doc.Text(n)
}

// at returns the FHIRPath of a member of the resource.
func (s *Source) at(member string) string {
	if s.Path == "" {
		return s.Type() + "." + member
	}
	return s.Path + "." + member
}

// expression returns the FHIRPath of a node within the resource: "Patient.name[0].family".
func (s *Source) expression(n element.Node) string {
	path := s.Path
	if path == "" {
		path = s.Type()
	}
	d, at := s.Doc, s.Root
	for at != n {
		i, c := 0, d.First(at)
		for c != element.None && d.After(c) <= n {
			c = d.Next(at, c)
			i++
		}
		if c == element.None {
			return path
		}
		if d.Kind(at) == element.Array {
			path += "[" + strconv.Itoa(i) + "]"
		} else {
			path += "." + string(d.Name(c))
		}
		at = c
	}
	return path
}
