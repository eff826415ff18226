package view

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/fhirpath"
)

// constantForm is what names of constants look like.
var constantForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*$`)

// readConstants reads the constants, which expressions call %name.
func (c *compiler) readConstants(root element.Node) error {
	i := 0
	for n := range c.d.Items(root, "constant") {
		at := fmt.Sprintf("ViewDefinition.constant[%d]", i)
		name := c.d.TextAt(n, "name")
		switch {
		case !constantForm.MatchString(name):
			return fault(at+".name", "a name begins with a letter, and has letters, digits and _ alone").With("%.100q", name)
		case c.constants[name] != (fhirpath.Item{}):
			return fault(at+".name", "two constants have the same name").With("%.100q", name)
		}
		item, err := c.constant(n, at)
		if err != nil {
			return err
		}
		c.constants[name] = item
		i++
	}
	return nil
}

// constant reads the value of one.
func (c *compiler) constant(n element.Node, at string) (fhirpath.Item, error) {
	for m := c.d.First(n); m != element.None; m = c.d.Next(n, m) {
		typ, ok := strings.CutPrefix(string(c.d.Name(m)), "value")
		if !ok {
			continue
		}
		text := c.d.Text(m)
		switch typ {
		case "Boolean":
			return fhirpath.Computed(fhirpath.Boolean(text == "true")), nil
		case "Date", "DateTime", "Instant":
			text = "@" + text
		case "Time":
			text = "@T" + text
		case "Integer", "Decimal", "PositiveInt", "UnsignedInt", "Integer64":
		default:
			if c.d.Kind(m) != element.String {
				return fhirpath.Item{}, fault(at+".value"+typ, "a constant is a primitive")
			}
			return fhirpath.Computed(fhirpath.String(text)), nil
		}
		e, err := fhirpath.Compile(text)
		if err != nil {
			return fhirpath.Item{}, fault(at+".value"+typ, "the value does not follow its type").With("%.100q", c.d.Text(m))
		}
		found, err := e.EvalItem(nothing, nil)
		if err != nil || len(found) != 1 {
			return fhirpath.Item{}, fault(at+".value"+typ, "the value does not follow its type").With("%.100q", c.d.Text(m))
		}
		return found[0], nil
	}
	return fhirpath.Item{}, fault(at, "a constant has a value, such as valueString")
}
