package search

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/spec"
)

// A Consent is also indexed by what it says, so that a search can leave out what
// patients have refused. Its tree of provisions becomes a list of rules. A rule is
// a provision that permits or denies: it applies when everything holds that it and
// the provisions around it ask for, and none of the provisions right inside it
// applies, since those are its exceptions. A group of facts is asked for, of which
// one must be true: it is one of the actors, or it is for one of the purposes.
//
// The rows stand among Index.Dates under parameters of their own. Range.Lo says
// which rule, exception (0 is the rule itself) and group they belong to.
//
// See https://hl7.org/fhir/R4/consent.html.
const (
	ConsentFrom  uint16 = 19991 // Range.Hi: from when a rule or exception is in force; the group is 0
	ConsentUntil uint16 = 19992 // Range.Hi: until when, exclusive
	ConsentTerm  uint16 = 19993 // Range.Hi: a fact of a group
)

// The parts of Range.Lo, in bits from the right: group, exception, rule, effect.
const (
	ConsentGroups     = 12 // bits of a group
	ConsentExceptions = 12
	ConsentRules      = 12
	ConsentDenies     = 1 << (ConsentGroups + ConsentExceptions + ConsentRules) // the rule denies; else it permits
	maxConsent        = 1<<ConsentGroups - 1
)

// Consented holds for a live resource that no consent refuses: of none of the
// patients whom it is about, an active consent has a rule that denies and applies.
//
// Of a Group that is not asked, as it belongs to whoever keeps it: see OfMembers.
type Consented struct {
	Self   bool                // the resource is the patient
	Params []*spec.SearchParam // references that lead to the patients
	// Through are references to other resources: the patients of whom those tell, by
	// their ConcernParams, count as well.
	Through []*spec.SearchParam
	Facts   []int64 // what is true of the caller
	Class   int64   // what is true of resources of the type
	// Needed says that not to be refused is not enough: there must be a rule that
	// permits and applies.
	Needed bool
}

func (Consented) expr() {}

// OfMembers reports whether every live resource meets c, and is shown without those whom
// it names and whose consents refuse.
func (c Consented) OfMembers() bool { return !c.Self && len(c.Params) == 0 && len(c.Through) == 0 }

// Member returns the condition on a patient that c, which is OfMembers, has a Group name
// them. tokens are those that the Group is found by.
func (c Consented) Member(tokens []int64) Consented {
	c.Self, c.Facts = true, append(slices.Clip(c.Facts), tokens...)
	if !slices.ContainsFunc(Confidential(), func(label int64) bool { return slices.Contains(tokens, label) }) {
		c.Facts = append(c.Facts, Unlabelled)
	}
	return c
}

// String returns a name, since the rest is hashes.
func (c Consented) String() string {
	if c.Needed {
		return "consent:permits"
	}
	return "consent:does-not-refuse"
}

// FactKind says what a fact is about.
type FactKind string

// The kinds of facts that consents ask for.
const (
	FactActor   FactKind = "actor"   // Type/id, or system|value of an identifier
	FactRole    FactKind = "role"    // name of a role
	FactPurpose FactKind = "purpose" // code of v3-ActReason
	FactAction  FactKind = "action"  // code of consentaction
	FactClass   FactKind = "class"   // resource type
)

// Fact returns the hash of a fact.
func Fact(kind FactKind, text string) int64 { return TokenHash(ConsentTerm, string(kind)+" "+text) }

// anyCaller stands for a rule that asks for nothing of the caller.
var anyCaller = Fact("caller", "any")

// Denials returns the tokens of Consents with a rule that denies and that could apply
// to a caller of whom facts are true. Whether it does, Consented finds out; most
// callers are named by no Consent at all.
func Denials(facts []int64) []int64 {
	all := make([]int64, 0, len(facts)+1)
	for _, f := range append(slices.Clip(facts), anyCaller) {
		all = append(all, denial(f))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func denial(fact int64) int64 {
	return TokenHash(ConsentFrom, string(binary.BigEndian.AppendUint64(nil, uint64(fact))))
}

// DenialParam is a parameter under which Denials are asked for in a Match. It is no
// search parameter: nobody can name it.
var DenialParam = &spec.SearchParam{ID: ConsentFrom, Base: "Consent", Code: "denials", Type: spec.Token}

// Unlabelled is the fact that a resource has no label of confidentiality.
var Unlabelled = Fact("label", "none")

// The systems that provisions take codes from.
const (
	SystemRole            = "https://github.com/amate-health/amate/fhir/CodeSystem/rol" // roles of the policy
	systemConfidentiality = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
	systemPurpose         = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
	systemAction          = "http://terminology.hl7.org/CodeSystem/consentaction"
	systemResourceTypes   = "http://hl7.org/fhir/resource-types"
	systemScope           = "http://terminology.hl7.org/CodeSystem/consentscope"
)

// confidentiality are its codes, from the least confidential on.
//
// See https://terminology.hl7.org/CodeSystem-v3-Confidentiality.html.
var confidentiality = []string{"U", "L", "M", "N", "R", "V"}

// Confidential returns the tokens of all labels of confidentiality.
func Confidential() []int64 { return labels(confidentiality) }

func labels(codes []string) []int64 {
	var all []int64
	for _, code := range codes {
		all = append(all, label(systemConfidentiality, code))
	}
	return all
}

// label returns the token of a security label.
func label(system, code string) int64 {
	return TokenHash(spec.Param("Patient", "_security").ID, system+"|"+code)
}

// provision is a node of the tree, understood.
type provision struct {
	denies, permits bool
	from, until     int64
	groups          [][]int64
	callers         [][]int64 // those of them that are about the caller, the most telling first
	unclear         bool      // it asks for something that is not understood
	inner           []*provision
}

// consent adds the rules of the Consent at n.
func (x *extractor) consent(n element.Node) {
	if string(x.child(n, "status")) != "active" || !x.privacy(n) {
		return
	}
	top := x.d.Get(n, "provision")
	if top == element.None || x.d.Kind(top) != element.Object {
		return
	}
	budget := maxConsent
	p := x.provision(top, 0, &budget)
	if !p.denies && !p.permits {
		switch x.policyRule(n) {
		case "OPTIN":
			p.permits = true
		case "OPTOUT":
			p.denies = true
		}
	}
	if budget <= 0 { // nobody writes this by hand; what cannot be followed shows nothing
		p = &provision{denies: true, from: math.MinInt64, until: math.MaxInt64}
	}
	rules := 0
	x.rules(p, nil, nil, &rules)
}

// privacy reports whether a consent is about who may see what. One to a treatment,
// or an advance directive, is not.
func (x *extractor) privacy(n element.Node) bool {
	about := true
	x.each(x.d.Get(n, "scope"), "coding", func(c element.Node) {
		if string(x.child(c, "system")) == systemScope {
			code := string(x.child(c, "code"))
			about = code != "adr" && code != "treatment"
		}
	})
	return about
}

func (x *extractor) policyRule(n element.Node) (code string) {
	if rule := x.d.Get(n, "policyRule"); rule != element.None {
		x.each(rule, "coding", func(c element.Node) {
			if is := string(x.child(c, "code")); is == "OPTIN" || is == "OPTOUT" {
				code = is
			}
		})
	}
	return code
}

// provision reads a node of the tree. budget is how many nodes and facts there may
// still be.
func (x *extractor) provision(n element.Node, depth int, budget *int) *provision {
	p := &provision{from: math.MinInt64, until: math.MaxInt64}
	if *budget--; depth > 16 || *budget <= 0 {
		*budget = 0
		return p
	}
	switch string(x.child(n, "type")) {
	case "deny":
		p.denies = true
	case "permit":
		p.permits = true
	}
	for c := x.d.First(n); c != element.None; c = x.d.Next(n, c) {
		switch string(x.d.Name(c)) {
		case "type", "id":
		case "period":
			p.from, p.until = x.validity(c)
		case "provision":
			x.each(n, "provision", func(in element.Node) { p.inner = append(p.inner, x.provision(in, depth+1, budget)) })
		case "actor":
			p.caller(x.actors(n), true, budget)
		case "action":
			p.caller(x.codes(n, "action", systemAction, FactAction), false, budget)
		case "purpose":
			p.caller(x.codings(n, "purpose", systemPurpose, FactPurpose), false, budget)
		case "class":
			p.add(x.codings(n, "class", systemResourceTypes, FactClass), budget)
		case "securityLabel":
			p.add(x.securityLabels(n, p.denies), budget)
		case "code":
			p.add(x.anyCode(n), budget)
		default: // data, dataPeriod, extensions
			p.unclear = true
		}
	}
	return p
}

// add adds a group of facts; with none, nothing of it was understood.
func (p *provision) add(facts []int64, budget *int) {
	if len(facts) == 0 {
		p.unclear = true
		return
	}
	slices.Sort(facts)
	p.groups = append(p.groups, slices.Compact(facts))
	*budget -= len(facts)
}

// caller adds a group of facts about the caller.
func (p *provision) caller(facts []int64, telling bool, budget *int) {
	if p.add(facts, budget); len(facts) == 0 {
		return
	}
	if telling {
		p.callers = slices.Insert(p.callers, 0, facts)
	} else {
		p.callers = append(p.callers, facts)
	}
}

// validity reads a Period, in microseconds; an end that is missing is open.
func (x *extractor) validity(n element.Node) (from, until int64) {
	from, until = math.MinInt64, math.MaxInt64
	if at, ok := parseSpan(x.child(n, "start")); ok {
		from = at.lo
	}
	if at, ok := parseSpan(x.child(n, "end")); ok {
		until = at.hi
	}
	return from, until
}

// actors returns the facts of Consent.provision.actor. What an actor is to the
// patient is passed over where it only says that they receive the record; a role of
// the policy stands for everyone who has it.
func (x *extractor) actors(n element.Node) (facts []int64) {
	clear := true
	x.each(n, "actor", func(a element.Node) {
		who := x.d.Get(a, "reference")
		if role := x.d.Get(a, "role"); role != element.None {
			x.each(role, "coding", func(c element.Node) {
				switch string(x.child(c, "code")) {
				case "CST", "AUT", "AUCG", "INF", "ENT", "WIT": // it is about whose record it is, not who asks for it
					clear = false
				}
			})
		}
		if ref, ok := localRef(x.child(who, "reference"), x.base); ok {
			facts = append(facts, Fact(FactActor, ref.String()))
		}
		if id := x.d.Get(who, "identifier"); id != element.None {
			system, value := string(x.child(id, "system")), string(x.child(id, "value"))
			if system == SystemRole {
				facts = append(facts, Fact(FactRole, value))
			} else {
				facts = append(facts, Fact(FactActor, system+"|"+value))
			}
		}
	})
	if !clear {
		return nil
	}
	return facts
}

// codings returns the facts of a member that holds Codings of one system.
func (x *extractor) codings(n element.Node, member, system string, kind FactKind) (facts []int64) {
	clear := true
	x.each(n, member, func(c element.Node) {
		if is := string(x.child(c, "system")); is != system && is != "" {
			clear = false
			return
		}
		facts = append(facts, Fact(kind, string(x.child(c, "code"))))
	})
	if !clear {
		return nil
	}
	return facts
}

// codes returns the facts of a member that holds CodeableConcepts of one system.
func (x *extractor) codes(n element.Node, member, system string, kind FactKind) (facts []int64) {
	x.each(n, member, func(concept element.Node) {
		facts = append(facts, x.codings(concept, "coding", system, kind)...)
	})
	return facts
}

// securityLabels returns the tokens of labels. Confidentiality is a scale: who
// denies what is restricted denies what is more so, too, and who permits it permits
// what is less so.
func (x *extractor) securityLabels(n element.Node, denies bool) (facts []int64) {
	x.each(n, "securityLabel", func(c element.Node) {
		system, code := string(x.child(c, "system")), string(x.child(c, "code"))
		at := slices.Index(confidentiality, code)
		switch {
		case system != systemConfidentiality || at < 0:
			facts = append(facts, label(system, code))
		case denies:
			facts = append(facts, labels(confidentiality[at:])...)
		default:
			facts = append(append(facts, labels(confidentiality[:at+1])...), Unlabelled)
		}
	})
	return facts
}

// anyCode returns the tokens under which resources of the record have one of the
// codes of Consent.provision.code.
func (x *extractor) anyCode(n element.Node) (facts []int64) {
	x.each(n, "code", func(concept element.Node) {
		x.each(concept, "coding", func(c element.Node) {
			form := string(x.child(c, "system")) + "|" + string(x.child(c, "code"))
			for _, id := range codeParams() {
				facts = append(facts, TokenHash(id, form))
			}
		})
	})
	return facts
}
