package validate

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/spec"
)

// Mode says how thoroughly a resource is checked before it is written.
type Mode uint8

// The modes.
const (
	Base Mode = iota // by Check
	Full             // by a Validator: constraints, codes, and the profiles that it claims
	Off              // not at all, but that it is JSON and names its type
)

// Policy says in which mode resources are checked, by their type.
type Policy struct {
	Default   Mode
	Types     map[string]Mode
	Validator *Validator    // for Full
	Within    time.Duration // how long one check may take; 0 is 30 seconds
}

var modeNames = map[string]Mode{"off": Off, "base": Base, "profiles": Full}

// ParsePolicy reads a policy such as "base" or "base,Patient=profiles,Binary=off".
func ParsePolicy(text string) (*Policy, error) {
	p := &Policy{Types: map[string]Mode{}}
	for i, part := range strings.Split(text, ",") {
		typ, name, typed := strings.Cut(strings.TrimSpace(part), "=")
		if !typed {
			typ, name = "", typ
		}
		mode, ok := modeNames[name]
		switch {
		case !ok:
			return nil, fmt.Errorf("%q is no mode of validation: want off, base or profiles", name)
		case typed && !spec.IsResource(typ):
			return nil, fmt.Errorf("%q is no resource type", typ)
		case !typed && i > 0:
			return nil, fmt.Errorf("%q: the mode for all types comes first", text)
		case typed:
			p.Types[typ] = mode
		default:
			p.Default = mode
		}
	}
	return p, nil
}

// Check checks a resource that is to be written. It returns what is wrong with it,
// and what else is worth telling.
func (p *Policy) Check(d *element.Doc, root element.Node, typ string) []fhir.Issue {
	mode, ok := p.Types[typ]
	if !ok {
		mode = p.Default
	}
	switch {
	case mode == Off:
		return nil
	case mode == Base || p.Validator == nil:
		return Check(d, root, typ)
	}
	if issues := Check(d, root, typ); Fault(issues) != nil {
		return issues
	}
	limit := p.Within
	if limit == 0 {
		limit = 30 * time.Second
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return p.Validator.Validate(ctx, d, root)
}
