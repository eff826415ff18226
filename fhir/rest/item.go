package rest

import (
	"strings"

	"github.com/amate-health/amate/fhir/search"
)

// withoutItem takes the segment after the name of a system operation off a path,
// where the operation has such a segment: it comes back as the parameter that it is.
func (r *router) withoutItem(path string) (string, []search.Param) {
	name, value, ok := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	name, value = unescape(name), unescape(value)
	if !ok || value == "" || strings.Contains(value, "/") || !strings.HasPrefix(name, "$") {
		return path, nil
	}
	if op := r.operationAt("", "", name[1:]); op != nil && op.Item != "" {
		return "/" + name, []search.Param{{Name: op.Item, Value: value}}
	}
	return path, nil
}
