package operation

import (
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/search"
)

// Only refuses parameters other than these, and those of the form of answers, which begin
// with an underscore. Errors: fhir.Invalid.
func (c *Call) Only(names ...string) error {
	for _, name := range c.In.Names() {
		if !slices.Contains(names, name) && !strings.HasPrefix(name, "_") {
			return fhir.Errorf(fhir.Invalid, "the operation has no such parameter").
				With("it has %s, not %.100q%s", strings.Join(names, ", "), name, search.Nearest(name, names))
		}
	}
	return nil
}

// Needed returns the text of a parameter that must be there; what says what it is.
// Errors: fhir.Invalid.
func (c *Call) Needed(name, what string) (string, error) {
	v, err := c.In.Text(name)
	if err == nil && strings.TrimSpace(v) == "" {
		err = fhir.Errorf(fhir.Invalid, "the parameter %s is needed: %s", name, what)
	}
	return v, err
}

// Reference returns the resource that a parameter refers to, which is of one of these
// types: as a Reference, as text, or, where there is one type, as an id. It is zero when the
// parameter is left out. Errors: fhir.Invalid.
func (c *Call) Reference(name string, types ...string) (fhir.Ref, error) {
	v, given, err := c.In.One(name)
	if err != nil || !given {
		return fhir.Ref{}, err
	}
	text := v.Text
	if n, _ := v.Typed(); text == "" && n != element.None {
		text = v.Doc.TextAt(n, "reference")
	}
	text = strings.TrimPrefix(text, c.Base+"/")
	if len(types) == 1 && !strings.Contains(text, "/") {
		text = types[0] + "/" + text
	}
	ref, ok := fhir.ParseRef(text)
	if !ok || !slices.Contains(types, ref.Type) {
		return fhir.Ref{}, fhir.Errorf(fhir.Invalid, "the parameter %s is a reference to a %s", name, strings.Join(types, " or ")).
			With("it is %.200q", text).At("Parameters.parameter.where(name='" + name + "')")
	}
	return ref.Current(), nil
}
