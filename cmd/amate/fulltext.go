package main

import (
	"fmt"
	"strings"

	"github.com/amate-health/amate/fhir/spec"
)

// textTypes are the types of resources whose text _text and _content search. As a
// flag it is all, none, a list of types, or all and then those to leave out:
// all,-Observation.
type textTypes struct {
	all     bool
	but     map[string]bool // listed, or left out when all is set
	written string
}

// UnmarshalText reads the flag.
func (t *textTypes) UnmarshalText(text []byte) error {
	*t = textTypes{but: map[string]bool{}, written: string(text)}
	for i, item := range strings.Split(string(text), ",") {
		name, without := strings.CutPrefix(item, "-")
		switch {
		case i == 0 && item == "all":
			t.all = true
		case item == "none" && string(text) == "none":
		case !spec.IsResource(name) || without != t.all:
			return fmt.Errorf("%q: want all, none, a list of resource types, or all and types to leave out, as in all,-Observation", item)
		default:
			t.but[name] = true
		}
	}
	return nil
}

// MarshalText returns the flag as it was written.
func (t textTypes) MarshalText() ([]byte, error) { return []byte(t.written), nil }

// has reports whether the text of resources of type typ is indexed.
func (t *textTypes) has(typ string) bool { return t.all != t.but[typ] }
