package validate

import (
	"context"
	"slices"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/fhirpath"
)

// Validator checks resources as fully as it can: beyond what Check does, the
// constraints of R4, narratives, bundles, questionnaires and their answers, codes
// and profiles. Its zero value works, and knows no profiles and no codes. It is
// safe for use by many goroutines, and must not be changed while it is used.
type Validator struct {
	Profiles       Profiles       // nil knows none
	Codes          Codes          // nil knows only the codes of required bindings of R4
	Units          Units          // nil takes every unit
	Questionnaires Questionnaires // nil knows only questionnaires that are contained

	// StrictExtensions makes an extension without a known definition an error, as
	// the reference validator does. R4 says that systems should not refuse such
	// resources, so it is for $validate and not for what is written.
	StrictExtensions bool
}

// Answer is what is known about a statement.
type Answer uint8

// The answers.
const (
	Unknown Answer = iota
	Yes
	No
)

// Codes knows terminology.
type Codes interface {
	// Member tells whether code of system is in the value set, and whether display
	// suits it. An empty valueSet asks only about the code itself; an empty system
	// is that of a code without one. display is Unknown when it is "" or cannot be judged.
	Member(valueSet, system, code, display string) (member, shown Answer)
}

// Units knows units of measure.
type Units interface {
	// Valid reports whether code is a UCUM unit.
	Valid(code string) bool
}

// Questionnaires finds a stored Questionnaire by its canonical URL, with or without |version.
type Questionnaires interface {
	Questionnaire(canonical string) (json []byte, found bool)
}

// maxIssues is how many errors a Validator reports, and how many issues of less
// weight, which so cannot hide an error.
const maxIssues = 1000

// Validate checks the resource at root of d against R4, the profiles that it names
// in meta.profile, and those given. The issues are in the order of the text. When
// ctx ends early, one of them says so.
func (v *Validator) Validate(ctx context.Context, d *element.Doc, root element.Node, profiles ...string) []fhir.Issue {
	issues := Check(d, root, "")
	x := &inspection{Validator: v, ctx: ctx, doc: d, seen: map[string]bool{}}
	for i := range issues {
		x.broken = x.broken || issues[i].Rule == cutOff.key
	}
	top := rootPlace(d, root)
	if top.isResource() && !top.item.Type.Abstract && d.Kind(root) == element.Object {
		x.resource(top, nil, profiles)
	}
	own := x.located()
	all := append(issues, own...)
	slices.SortStableFunc(all, func(a, b fhir.Issue) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Col - b.Col
	})
	return all
}

// issue is short for what is found.
type issue = fhir.Issue

// inspection is the state of one Validate.
type inspection struct {
	*Validator
	ctx     context.Context
	doc     *element.Doc
	issues  []fhir.Issue
	offsets []int
	seen    map[string]bool // issues that were reported, so that none is twice
	errors  int
	others  int
	broken  bool
	depth   int                // of resources within resources, and of profiles within profiles
	memo    map[profileAt]bool // what has been held to a rule
	tried   map[profileAt]bool // whether it conforms
}

// subject is a resource that is looked at: the whole of what is checked, an entry
// of a bundle, a contained one.
type subject struct {
	*place
	within *subject // the resource that this one is in; nil for the root
	inside bool     // it is contained
	bundle *bundleIndex
	entry  *bundleEntry // of bundle, that it is or is in
}

// container returns the resource that contains s, or s itself.
func (s *subject) container() *subject {
	for s.inside && s.within != nil {
		s = s.within
	}
	return s
}

// env is what constraints on elements of s may refer to.
func (s *subject) env() *fhirpath.Env {
	return &fhirpath.Env{
		Resource:  s.item,
		Variables: map[string]fhirpath.Item{"rootResource": s.container().item},
		Steps:     500_000,
	}
}

// report adds an issue about p.
func (x *inspection) report(severity, code, rule, details, diagnostics string, p *place) {
	kind := &x.others
	if severity == "error" {
		kind = &x.errors
	}
	if *kind >= maxIssues {
		x.broken = true
		return
	}
	expression := p.path()
	key := severity + "\x00" + rule + "\x00" + expression + "\x00" + details + "\x00" + diagnostics
	if x.seen[key] {
		return
	}
	x.seen[key] = true
	*kind++
	x.offsets = append(x.offsets, p.offset())
	x.issues = append(x.issues, fhir.Issue{
		Severity: severity, Type: code, Rule: rule, Details: details, Diagnostics: diagnostics, Expression: expression,
	})
}

// fail reports an error of the type "invalid".
func (x *inspection) fail(rule, details, diagnostics string, p *place) {
	x.report("error", "invalid", rule, details, diagnostics, p)
}

// warn reports a warning of the type "invalid".
func (x *inspection) warn(rule, details, diagnostics string, p *place) {
	x.report("warning", "invalid", rule, details, diagnostics, p)
}

// located returns the issues with their lines and columns.
func (x *inspection) located() []fhir.Issue {
	locate(x.doc, x.issues, x.offsets)
	if x.ctx.Err() != nil || x.broken {
		x.issues = append(x.issues, fhir.Issue{
			Severity: "warning", Type: cutOff.code, Rule: cutOff.key, Details: cutOff.text,
		})
	}
	return x.issues
}
