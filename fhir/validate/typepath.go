package validate

import (
	"strings"

	"github.com/amate-health/amate/fhir/spec"
)

// typeAt follows path, without its last step, from a type of R4. It returns the
// type that holds the last step, and that step; nil when the path leads nowhere.
func typeAt(root, path string) (*spec.Type, string) {
	t := spec.TypeOf(root)
	for t != nil {
		name, rest, more := strings.Cut(path, ".")
		if !more {
			return t, name
		}
		e := t.Element([]byte(name))
		if e == nil {
			return nil, ""
		}
		t, path = e.Type, rest
	}
	return nil, ""
}
