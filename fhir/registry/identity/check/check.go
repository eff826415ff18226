// Package check holds resources that are written to what is known of their identifiers: a
// CURP, CLUES, cédula, RFC or NSS that cannot be one is refused or warned of, and nobody but
// the server says that RENAPO has confirmed a CURP.
package check

import (
	"fmt"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/registry/identity"
)

// Mode says what becomes of a resource with an identifier that cannot be right.
type Mode uint8

// The modes.
const (
	Warn   Mode = iota // it is written, and the client is told
	Refuse             // it is not written
	Off                // nobody looks
)

var modes = map[string]Mode{"off": Off, "warn": Warn, "refuse": Refuse}

// systems are the identifiers that can be chosen by name.
var systems = map[string]string{
	"curp": identity.SystemCURP, "clues": identity.SystemCLUES, "cedula": identity.SystemCedula, "rfc": identity.SystemRFC, "nss": identity.SystemNSS,
}

// Policy says how identifiers are dealt with. The zero Policy warns.
type Policy struct {
	Default Mode
	Systems map[string]Mode // by the URI of the system
	Now     func() time.Time
}

// Parse reads a policy such as "warn" or "warn,curp=refuse,rfc=off".
func Parse(s string) (*Policy, error) {
	p := &Policy{Systems: map[string]Mode{}}
	for i, part := range strings.Split(s, ",") {
		name, mode, by := strings.Cut(strings.TrimSpace(part), "=")
		if !by {
			name, mode = "", name
		}
		m, ok := modes[mode]
		system, known := systems[name]
		switch {
		case !ok:
			return nil, fmt.Errorf("%q is no way to deal with identifiers: want off, warn or refuse", mode)
		case by && !known:
			return nil, fmt.Errorf("%q is no identifier that can be checked: want curp, clues, cedula, rfc or nss", name)
		case by:
			p.Systems[system] = m
		case i > 0:
			return nil, fmt.Errorf("%q: the way for all identifiers comes first", s)
		default:
			p.Default = m
		}
	}
	return p, nil
}

func (p *Policy) mode(system string) Mode {
	if m, ok := p.Systems[system]; ok {
		return m
	}
	return p.Default
}

func (p *Policy) now() time.Time {
	if p.Now == nil {
		return time.Now()
	}
	return p.Now()
}

// types are those whose identifiers are looked at: people, places and organisations.
var types = map[string]bool{
	"Patient": true, "Person": true, "RelatedPerson": true, "Practitioner": true, "PractitionerRole": true, "Organization": true, "Location": true,
}

// Check returns what is wrong with the identifiers of a resource. The issues are errors
// where the policy refuses, else warnings.
func (p *Policy) Check(d *element.Doc, root element.Node, typ string) []fhir.Issue {
	list := d.Get(root, "identifier")
	if !types[typ] || list == element.None || d.Kind(list) != element.Array {
		return nil
	}
	var issues []fhir.Issue
	i := -1
	for n := d.First(list); n != element.None; n = d.Next(list, n) {
		i++
		system, value := d.TextAt(n, "system"), d.TextAt(n, "value")
		mode := p.mode(system)
		if mode == Off || value == "" {
			continue
		}
		at := fmt.Sprintf("%s.identifier[%d].value", typ, i)
		for _, problem := range identity.Check(system, value, p.now()) {
			issues = append(issues, p.issue(d, d.Get(n, "value"), problem, mode == Refuse && (!problem.Warning || generic(problem)), at))
		}
		if system == identity.SystemCURP && typ == "Patient" && d.TextAt(n, "use") != "old" {
			for _, problem := range identity.CURPProblems(value, PersonOf(d, root)) {
				issues = append(issues, p.issue(d, d.Get(n, "value"), problem, false, at))
			}
		}
	}
	return issues
}

// generic reports whether a problem is that the value stands for having none: it would make
// one person of all who have none.
func generic(p identity.Problem) bool { return p.Rule == "curp-generic" }

func (p *Policy) issue(d *element.Doc, n element.Node, problem identity.Problem, refuse bool, at string) fhir.Issue {
	severity := "warning"
	if refuse {
		severity = "error"
	}
	out := fhir.Issue{Severity: severity, Type: "value", Rule: problem.Rule, Details: problem.Text, Expression: at}
	if problem.At > 0 {
		out.Diagnostics = fmt.Sprintf("from character %d on", problem.At)
	}
	start, _ := d.Span(n)
	out.Line, out.Col = d.Position(start)
	return out
}

// RightName is the right to say that RENAPO has confirmed a CURP.
const RightName = "renapo-verified"

// Hold keeps everybody but the server from saying that RENAPO has confirmed a CURP: a write
// may keep what the server said, and may not say it of another value.
func Hold() bundle.Hold {
	return bundle.Hold{Name: RightName, Types: []string{"Patient", "Person", "RelatedPerson", "Practitioner"}, Check: held}
}

func held(before, after *fhir.Resource) error {
	if after.JSON == nil || !element.Mentions(after.JSON, identity.RenapoVerified) {
		return nil
	}
	allowed := map[string]bool{}
	if before != nil && before.JSON != nil {
		for _, v := range claims(before.JSON) {
			allowed[v] = true
		}
	}
	for _, v := range claims(after.JSON) {
		if !allowed[v] {
			return &fhir.Error{Code: fhir.Unprocessable, Issues: []fhir.Issue{{
				Severity: "error", Type: "business-rule", Rule: RightName, Expression: after.Ref.Type + ".identifier",
				Details: "only the server says that RENAPO has confirmed a CURP: leave out the extension, and call Patient/[id]/$verify-curp",
			}}}
		}
	}
	return nil
}

// claims returns the identifiers of which a resource says that RENAPO has confirmed them,
// wherever in it they stand.
func claims(json []byte) []string {
	d, err := element.Parse(json)
	if err != nil {
		return nil
	}
	var all []string
	var walk func(n element.Node)
	walk = func(n element.Node) {
		if d.Kind(n) == element.Object {
			if list := d.Get(n, "extension"); list != element.None && d.Kind(list) == element.Array {
				for e := d.First(list); e != element.None; e = d.Next(list, e) {
					if d.TextAt(e, "url") == identity.Verification && d.TextAt(e, "valueCode") == identity.RenapoVerified {
						all = append(all, d.TextAt(n, "system")+"|"+d.TextAt(n, "value"))
					}
				}
			}
		}
		if d.Kind(n) == element.Object || d.Kind(n) == element.Array {
			for c := d.First(n); c != element.None; c = d.Next(n, c) {
				walk(c)
			}
		}
	}
	walk(0)
	return all
}
