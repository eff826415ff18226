package service

import (
	"context"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/terminology"
)

// Visible reports whether the caller may see a stored resource.
type Visible func(ctx context.Context, ref fhir.Ref, may *search.Restriction) (bool, error)

// service answers from a registry.
type service struct {
	registry *terminology.Registry
	visible  Visible
}

// Operations returns the terminology operations. Terminology is public: visible is
// asked about a stored resource only when the caller's restriction speaks of its type.
func Operations(r *terminology.Registry, visible Visible) []operation.Operation {
	s := &service{r, visible}
	const definition = "http://hl7.org/fhir/OperationDefinition/"
	both := operation.OnType | operation.OnInstance
	return []operation.Operation{
		{Name: "lookup", URL: definition + "CodeSystem-lookup", Scope: operation.OnType, Types: []string{"CodeSystem"}, Run: s.lookup},
		{Name: "validate-code", URL: definition + "CodeSystem-validate-code", Scope: both, Types: []string{"CodeSystem"}, Run: s.validateInSystem},
		{Name: "subsumes", URL: definition + "CodeSystem-subsumes", Scope: both, Types: []string{"CodeSystem"}, Run: s.subsumes},
		{Name: "validate-code", URL: definition + "ValueSet-validate-code", Scope: both, Types: []string{"ValueSet"}, Run: s.validateInSet},
		{Name: "expand", URL: definition + "ValueSet-expand", Scope: both, Types: []string{"ValueSet"}, Run: s.expand},
		{Name: "translate", URL: definition + "ConceptMap-translate", Scope: both, Types: []string{"ConceptMap"}, Run: s.translate},
	}
}

// may refuses what the caller may not see, as if it did not exist.
func (s *service) may(ctx context.Context, call *operation.Call, h *terminology.Header) error {
	if h.Ref == (fhir.Ref{}) || call.Restriction.Open() {
		return nil
	}
	if _, restricted := call.Restriction.Of(h.Ref.Type); !restricted {
		return nil
	}
	ok, err := s.visible(ctx, h.Ref, call.Restriction)
	if err != nil || ok {
		return err
	}
	return fhir.Errorf(fhir.NotFound, "there is no such %s here", h.Ref.Type)
}

// coding is a code in a system.
type coding struct{ system, version, code, display string }

// input reads the parameters of one call. The first error stands.
type input struct {
	call *operation.Call
	err  error
}

// text returns a primitive parameter, "" when it is absent.
func (in *input) text(name string) string {
	v, err := in.call.In.Text(name)
	in.fail(err)
	return v
}

// truth returns a boolean parameter.
func (in *input) truth(name string, standard bool) bool {
	switch v := in.text(name); v {
	case "":
		return standard
	case "true":
		return true
	case "false":
		return false
	default:
		in.fail(fhir.Errorf(fhir.Invalid, "the parameter %s is true or false", name).With("%q", v))
		return standard
	}
}

// number returns an integer parameter of 0 or more, or -1 when it is absent.
func (in *input) number(name string) int {
	v := in.text(name)
	if v == "" {
		return -1
	}
	n := 0
	for _, c := range []byte(v) {
		if c < '0' || c > '9' || len(v) > 9 {
			in.fail(fhir.Errorf(fhir.Invalid, "the parameter %s is a number, 0 or more", name).With("%q", v))
			return -1
		}
		n = n*10 + int(c-'0')
	}
	return n
}

func (in *input) fail(err error) {
	if in.err == nil {
		in.err = err
	}
}

// one returns the value[x] of a parameter that is no primitive.
func (in *input) one(name string) (*element.Doc, element.Node) {
	v, ok, err := in.call.In.One(name)
	in.fail(err)
	if err != nil || !ok {
		return nil, element.None
	}
	n, _ := v.Typed()
	if n == element.None || v.Doc.Kind(n) != element.Object {
		in.fail(fhir.Errorf(fhir.Invalid, "the parameter %s is not of the type that it should be", name))
		return nil, element.None
	}
	return v.Doc, n
}

// coding returns a parameter that is a Coding, and whether it is there.
func (in *input) coding(name string) (coding, bool) {
	d, n := in.one(name)
	if n == element.None {
		return coding{}, false
	}
	return readCoding(d, n), true
}

func readCoding(d *element.Doc, n element.Node) coding {
	text := func(member string) string {
		if m := d.Get(n, member); m != element.None {
			return d.Text(m)
		}
		return ""
	}
	return coding{text("system"), text("version"), text("code"), text("display")}
}

// concept returns the codings of a parameter that is a CodeableConcept, and whether it is there.
func (in *input) concept(name string) ([]coding, bool) {
	d, n := in.one(name)
	if n == element.None {
		return nil, false
	}
	var all []coding
	if list := d.Get(n, "coding"); list != element.None && d.Kind(list) == element.Array {
		for c := d.First(list); c != element.None; c = d.Next(list, c) {
			all = append(all, readCoding(d, c))
		}
	}
	return all, true
}

// languages returns displayLanguage.
func (in *input) languages() terminology.Languages {
	return terminology.ParseLanguages(in.text("displayLanguage"))
}

// codings returns what is asked about: code with system, coding or codeableConcept,
// of which there must be exactly one.
func (in *input) codings(systemName string) (all []coding, err error) {
	given := 0
	if code := in.text("code"); code != "" {
		given++
		version := in.text("systemVersion")
		if systemName != "system" {
			version = in.text("version")
		}
		all = []coding{{in.text(systemName), version, code, in.text("display")}}
	}
	if c, ok := in.coding("coding"); ok {
		given++
		all = []coding{c}
	}
	if list, ok := in.concept("codeableConcept"); ok {
		given++
		all = list
	}
	if in.err != nil {
		return nil, in.err
	}
	if given != 1 {
		return nil, fhir.Errorf(fhir.Invalid, "give one of code, coding and codeableConcept")
	}
	for i := range all {
		if all[i].code == "" {
			return nil, fhir.Errorf(fhir.Invalid, "a coding has no code")
		}
	}
	return all, nil
}
