package terminology

import (
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
)

// Kind is the type of a terminology resource.
type Kind uint8

// The kinds.
const (
	CodeSystemKind Kind = iota
	ValueSetKind
	ConceptMapKind
	kinds int = iota
)

// String returns the resource type.
func (k Kind) String() string { return [...]string{"CodeSystem", "ValueSet", "ConceptMap"}[k] }

// KindOf returns the kind of a resource type, and whether it is one of terminology.
func KindOf(typ string) (Kind, bool) {
	for k := range Kind(kinds) {
		if k.String() == typ {
			return k, true
		}
	}
	return 0, false
}

// Types returns the resource types that a Registry takes.
func Types() []string { return []string{"CodeSystem", "ValueSet", "ConceptMap"} }

// Header is what all terminology resources begin with.
type Header struct {
	Kind         Kind
	Ref          fhir.Ref // where it is stored; zero for the content of R4 and for what is stored nowhere
	ID           string
	URL, Version string
	Name, Title  string
	Status       string
	Language     string // of displays that say no other
	Experimental bool
}

// Canonical returns the URL with its version, where there is one.
func (h *Header) Canonical() string {
	if h.Version == "" {
		return h.URL
	}
	return h.URL + "|" + h.Version
}

// readHeader reads the head of the resource at root.
func readHeader(d *element.Doc, root element.Node) (Header, error) {
	typ := d.Get(root, "resourceType")
	kind, ok := KindOf(string(optional(d, typ)))
	if !ok {
		return Header{}, fhir.Errorf(fhir.Unprocessable, "not a CodeSystem, ValueSet or ConceptMap")
	}
	text := func(name string) string { return string(optional(d, d.Get(root, name))) }
	return Header{
		Kind: kind, ID: text("id"), URL: text("url"), Version: text("version"), Name: text("name"), Title: text("title"),
		Status: text("status"), Language: text("language"), Experimental: text("experimental") == "true",
	}, nil
}

// SplitCanonical takes url|version apart. A fragment (#x) stays with the URL.
func SplitCanonical(canonical string) (url, version string) {
	url, version, _ = strings.Cut(canonical, "|")
	return url, version
}

// older reports whether version a comes before b: numbers within them are compared
// as numbers, everything else as text. No version comes before any.
func older(a, b string) bool {
	for a != "" && b != "" {
		x, restA := piece(a)
		y, restB := piece(b)
		if x != y {
			if isDigit(x[0]) && isDigit(y[0]) {
				x, y = strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
				if len(x) != len(y) {
					return len(x) < len(y)
				}
				if x == y {
					a, b = restA, restB
					continue
				}
			}
			return x < y
		}
		a, b = restA, restB
	}
	return a == "" && b != ""
}

// piece cuts a run of digits, or of anything else, off the front of a version.
func piece(v string) (first, rest string) {
	n := 1
	for n < len(v) && isDigit(v[n]) == isDigit(v[0]) {
		n++
	}
	return v[:n], v[n:]
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
