package service

import (
	"context"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/terminology"
)

// verdict is the answer of $validate-code.
type verdict struct {
	result  bool
	message string // what is wrong, or should be known
	display string // the name that should be used
	system  string // found for a code without one
}

// noCoding is the verdict on a concept that has only a text, or nothing.
var noCoding = verdict{message: "the concept has no coding"}

func (v *verdict) answer() *operation.Answer {
	p := newParameters()
	p.truth("result", v.result)
	p.text("message", "valueString", v.message)
	p.text("display", "valueString", v.display)
	p.text("system", "valueUri", v.system)
	return p.answer()
}

// validateInSystem says whether a code is one of a code system.
//
// See https://hl7.org/fhir/R4/codesystem-operation-validate-code.html.
func (s *service) validateInSystem(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	in := &input{call: call}
	codings, err := in.codings("url")
	if err != nil {
		return nil, err
	}
	abstract, langs, url := in.truth("abstract", true), in.languages(), in.text("url")
	version := in.text("version")
	if in.err != nil {
		return nil, in.err
	}
	v := s.registry.View()
	given, err := s.givenSystem(v, in)
	if err != nil {
		return nil, err
	}
	last := noCoding
	var unknown error
	for _, c := range codings {
		if given == nil && url == "" && c.system == "" {
			return nil, fhir.Errorf(fhir.Invalid, "give the url of the code system, or a coding with a system")
		}
		system := given
		if system == nil {
			asked := c.system
			if url != "" {
				asked, c.version = url, version
			}
			if system, err = v.System(asked, c.version); err != nil {
				unknown = err // another coding may do
				continue
			}
		}
		if err := s.may(ctx, call, &system.Header); err != nil {
			return nil, err
		}
		if last = inSystem(v, system, c, abstract, langs); last.result {
			return last.answer(), nil
		}
	}
	if unknown != nil {
		return nil, unknown
	}
	return last.answer(), nil
}

// givenSystem returns the code system that the call is on, or that it brings; nil
// when it names one by its URL.
func (s *service) givenSystem(v *terminology.View, in *input) (*terminology.System, error) {
	if in.call.ID != "" {
		item, err := v.ByID(in.call.Ref())
		if err != nil {
			return nil, err
		}
		return item.System, nil
	}
	doc, node, ok, err := resourceIn(in.call, "codeSystem")
	if err != nil || !ok {
		return nil, err
	}
	item, err := terminology.Read(doc.AppendCompact(nil, node), nil)
	if err != nil {
		return nil, err
	}
	if item.System == nil {
		return nil, fhir.Errorf(fhir.Invalid, "the parameter codeSystem is no CodeSystem")
	}
	return item.System, nil
}

// resourceIn returns the resource that a parameter carries.
func resourceIn(call *operation.Call, name string) (*element.Doc, element.Node, bool, error) {
	v, ok, err := call.In.One(name)
	if err != nil || !ok {
		return nil, element.None, false, err
	}
	n, ok := v.Resource()
	if !ok {
		return nil, element.None, false, fhir.Errorf(fhir.Invalid, "the parameter %s carries no resource", name)
	}
	return v.Doc, n, true, nil
}

func inSystem(v *terminology.View, system *terminology.System, c coding, abstract bool, langs terminology.Languages) verdict {
	if c.system != "" && c.system != system.URL {
		return verdict{message: "the coding is of another code system: " + c.system}
	}
	concept, ok := system.Find(c.code)
	if !ok {
		message := "the code '" + c.code + "' is not in the code system " + system.Canonical()
		if !system.Complete() {
			message += ", of which only a part is known here"
		}
		return verdict{message: message}
	}
	display := concept.DisplayIn(langs, v.Supplements(concept)...)
	switch {
	case concept.Abstract() && !abstract:
		return verdict{message: "the code '" + c.code + "' is abstract", display: display}
	case c.display != "" && !v.Names(concept, c.display):
		return verdict{message: wrongDisplay(c, display), display: display}
	}
	out := verdict{result: true, display: display}
	if concept.Inactive() {
		out.message = "the code '" + c.code + "' is inactive"
	}
	return out
}

func wrongDisplay(c coding, display string) string {
	return "'" + c.display + "' is no display of the code '" + c.code + "', which is called '" + display + "'"
}

// validateInSet says whether a value set has a code.
//
// See https://hl7.org/fhir/R4/valueset-operation-validate-code.html.
func (s *service) validateInSet(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	in := &input{call: call}
	codings, err := in.codings("system")
	if err != nil {
		return nil, err
	}
	abstract, langs, infer := in.truth("abstract", false), in.languages(), in.truth("inferSystem", false)
	if in.err != nil {
		return nil, in.err
	}
	v := s.registry.View()
	set, err := s.givenSet(ctx, v, in)
	if err != nil {
		return nil, err
	}
	last := noCoding
	for _, c := range codings {
		if c.system == "" && !infer && !oneSystem(set) {
			return nil, fhir.Errorf(fhir.Invalid, "give the system of the code, or inferSystem=true")
		}
		if last = inSet(v, set, c, abstract, langs); last.result {
			break
		}
	}
	return last.answer(), nil
}

// oneSystem reports whether all codes of a set are of the same system, so that a code
// without one can only be of that.
func oneSystem(s *terminology.Set) bool {
	first := ""
	for url := range s.Systems() {
		if first != "" && url != first {
			return false
		}
		first = url
	}
	return true
}

func inSet(v *terminology.View, set *terminology.Set, c coding, abstract bool, langs terminology.Languages) verdict {
	m := v.In(set, c.system, c.version, c.code, c.display)
	name := set.ValueSet.Canonical()
	if name == "" {
		name = "given"
	}
	var out verdict
	if c.system == "" {
		out.system = m.System
	}
	out.display = m.Display
	if len(langs) > 0 && m.Concept.System != nil {
		out.display = m.Concept.DisplayIn(langs, v.Supplements(m.Concept)...)
	}
	switch {
	case m.Status == terminology.NotIn:
		out.message = "the code '" + c.code + "'" + of(c.system) + " is not in the value set " + name + notInItsSystem(v, c)
	case m.Status == terminology.UnknownSystem:
		out.message = "whether the code '" + c.code + "'" + of(c.system) + " is in the value set " + name + " cannot be told: " + strings.Join(m.Problems, "; ")
	case m.Status == terminology.Abstract && !abstract:
		out.message = "the code '" + c.code + "' is abstract"
	case m.WrongDisplay:
		out.message = wrongDisplay(c, out.display)
	default:
		out.result = true
		if m.Inactive {
			out.message = "the code '" + c.code + "' is inactive"
		}
	}
	return out
}

func of(system string) string {
	if system == "" {
		return ""
	}
	return " of " + system
}

// notInItsSystem adds that a code does not exist at all, where that is known.
func notInItsSystem(v *terminology.View, c coding) string {
	if c.system == "" {
		return ""
	}
	system, err := v.System(c.system, c.version)
	if err != nil {
		return "; the code system " + c.system + " is not known here"
	}
	if _, ok := system.Find(c.code); !ok && system.Complete() {
		return "; the code system has no such code"
	}
	return ""
}
