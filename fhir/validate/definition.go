package validate

import (
	"errors"
	"strings"

	"github.com/amate-health/amate/fhir/profile"
)

// definition checks what R4 says in words about profiles.
//
// See https://hl7.org/fhir/R4/profiling.html.
func (x *inspection) definition(s *subject) {
	if s.text("derivation") != "constraint" {
		return
	}
	for _, view := range []string{"differential", "snapshot"} {
		for i, e := range s.get(view).elements() {
			if i == 0 && e.get("slicing") != nil && !strings.Contains(e.text("path"), ".") {
				x.fail("profile-root-slicing", "a profile cannot slice its root", "", e)
			}
			x.choiceNamed(e)
		}
	}
	x.compiles(s)
}

// compiles reports a profile that cannot be put into effect, because it names what
// its type does not have.
func (x *inspection) compiles(s *subject) {
	if x.Profiles == nil || s.text("kind") == "logical" {
		return
	}
	_, err := profile.Compile(s.item.Doc.Raw(s.item.Node), x.Profiles.Profile)
	if err == nil || errors.Is(err, profile.ErrBaseUnknown) {
		return
	}
	x.report("error", "invalid", "profile-unusable", "the profile cannot be put into effect", err.Error(), s.place)
}

func (p *place) elements() []*place {
	if p == nil {
		return nil
	}
	return p.all("element")
}

// choiceNamed refuses a path that names one type of a choice but leaves its types open.
func (x *inspection) choiceNamed(e *place) {
	path := e.text("path")
	root, rest, ok := strings.Cut(path, ".")
	if !ok {
		return
	}
	typ, last := typeAt(root, rest)
	if typ == nil || last == "" {
		return
	}
	for i := range typ.Elements {
		el := &typ.Elements[i]
		if el.Choice == "" || !strings.HasPrefix(last, el.Choice) || last == el.Choice+"[x]" {
			continue
		}
		if el := typ.Element([]byte(last)); el == nil {
			x.fail("profile-path", "the path names a type that the choice does not have", quote([]byte(path)), e)
		}
		return
	}
}
