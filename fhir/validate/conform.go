package validate

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/fhirpath"
	"github.com/amate-health/amate/fhir/profile"
	"github.com/amate-health/amate/fhir/spec"
)

// Profiles knows profiles.
type Profiles interface {
	// Profile returns the profile with a canonical URL, url or url|version, and nil
	// when it is not known.
	Profile(canonical string) (*profile.Profile, error)
}

// profileAt is a profile, or a node of one, applied to a place.
type profileAt struct {
	node *profile.Node
	at   *place
}

// vitalSigns are the LOINC codes whose observations R4 asks to follow a profile.
//
// See https://hl7.org/fhir/R4/observation-vitalsigns.html.
var vitalSigns = map[string]string{
	"85353-1": "vitalspanel", "9279-1": "resprate", "8867-4": "heartrate", "2708-6": "oxygensat", "8310-5": "bodytemp",
	"8302-2": "bodyheight", "9843-4": "headcircum", "29463-7": "bodyweight", "39156-5": "bmi", "85354-9": "bp",
}

// profiles holds s to the profiles that are given, and to those that it names.
func (x *inspection) profiles(s *subject, more []string) {
	claimed := s.get("meta")
	done := map[string]bool{}
	for _, p := range more {
		if p != "" && !done[p] {
			done[p] = true
			x.claim(s, p, s.place, true)
		}
	}
	if claimed != nil {
		for _, p := range claimed.all("profile") {
			if url := p.value(); url != "" && !done[url] {
				done[url] = true
				x.claim(s, url, p, false)
			}
		}
	}
	if s.item.Type.Name != "Observation" {
		return
	}
	if code := s.get("code"); code != nil {
		for _, c := range code.all("coding") {
			name := vitalSigns[c.text("code")]
			if url := definitionBase + name; name != "" && c.text("system") == "http://loinc.org" && !done[url] {
				done[url] = true
				x.claim(s, url, s.place, false)
			}
		}
	}
}

const definitionBase = "http://hl7.org/fhir/StructureDefinition/"

// claim holds s to one profile. asked is whether the caller names it.
func (x *inspection) claim(s *subject, canonical string, at *place, asked bool) {
	if t := profile.TypeOf(canonical); t != nil {
		if !s.item.Type.Is(t.Name) {
			x.report("error", "invalid", "profile-type", "the profile is for another type", quote([]byte(canonical)), at)
		}
		return
	}
	p := x.profile(canonical, at)
	switch {
	case p == nil && asked:
		x.report("error", "not-found", "profile-unknown", "the profile is not known here", quote([]byte(canonical)), at)
	case p == nil:
		x.report("warning", "not-found", "profile-unknown", "the profile is not known here, so it was not checked", quote([]byte(canonical)), at)
	case !s.item.Type.Is(p.Type):
		x.report("error", "invalid", "profile-type", "the profile is for another type", p.Type+" instead of "+s.item.Type.Name, at)
	default:
		x.apply(s, p, s.place)
	}
}

// profile looks up a profile; nil when it is not known, or cannot be understood,
// which is reported.
func (x *inspection) profile(canonical string, at *place) *profile.Profile {
	if x.Profiles == nil {
		return nil
	}
	p, err := x.Profiles.Profile(canonical)
	if err != nil {
		x.report("warning", "not-supported", "profile-unusable", "the profile cannot be used", err.Error(), at)
		return nil
	}
	return p
}

// apply holds a place to a profile. What has been held to it before is not held
// again, so profiles that refer to one another come to an end.
func (x *inspection) apply(s *subject, p *profile.Profile, at *place) {
	x.enter(s, &rules{profile: p}, p.Root, at)
}

// rules is where a node comes from.
type rules struct{ profile *profile.Profile }

func (r *rules) source() string {
	if r.profile.Version != "" {
		return r.profile.URL + "|" + r.profile.Version
	}
	return r.profile.URL
}

func (x *inspection) enter(s *subject, r *rules, n *profile.Node, at *place) {
	key := profileAt{n, at}
	if x.memo == nil {
		x.memo = map[profileAt]bool{}
	}
	if x.memo[key] || x.depth > 2*maxDepth || x.ctx.Err() != nil {
		return
	}
	x.memo[key] = true
	x.depth++
	x.element(s, r, n, at)
	x.depth--
}

// conforms reports whether a place follows a node, and reports nothing else.
func (x *inspection) conforms(s *subject, r *rules, n *profile.Node, at *place) bool {
	key := profileAt{n, at}
	if known, ok := x.tried[key]; ok {
		return known
	}
	if x.tried == nil {
		x.tried = map[profileAt]bool{}
	}
	x.tried[key] = true // whoever comes back here meanwhile finds nothing wrong with it
	trial := &inspection{Validator: x.Validator, ctx: x.ctx, doc: x.doc, seen: map[string]bool{}, depth: x.depth, tried: x.tried}
	trial.enter(s, r, n, at)
	ok := !slices.ContainsFunc(trial.issues, func(i issue) bool { return i.Severity == "error" })
	x.tried[key] = ok
	return ok
}

// element holds one value to what a node says of it.
func (x *inspection) element(s *subject, r *rules, n *profile.Node, at *place) {
	x.typed(s, r, n, at)
	if n.Fixed != nil && !equal(n.Fixed, at) {
		x.breach("fixed-value", "value", "the value is not the one that the profile fixes", shown(n.Fixed), r, at)
	}
	if n.Pattern != nil && !fits(n.Pattern, at) {
		x.breach("pattern", "value", "the value does not have what the profile's pattern has", shown(n.Pattern), r, at)
	}
	if n.MaxLength > 0 && utf8.RuneCountInString(at.value()) > n.MaxLength {
		x.breach("max-length", "value", "the text is longer than the profile allows", strconv.Itoa(n.MaxLength), r, at)
	}
	if n.MinLength > 0 && at.item.Node != element.None && utf8.RuneCountInString(at.value()) < n.MinLength {
		x.breach("min-length", "value", "the text is shorter than the profile allows", strconv.Itoa(n.MinLength), r, at)
	}
	x.limits(s, r, n, at)
	if n.Binding != nil {
		x.bound(n.Binding, r, at)
	}
	for i := range n.Constraints {
		c := &n.Constraints[i]
		expr, err := compile(c.Expression)
		if err != nil {
			x.report("information", "not-supported", c.Key, "the constraint cannot be evaluated here", err.Error(), at)
			continue
		}
		x.hold(s, at, expr, c.Key, c.Severity, c.Human)
	}
	s = x.within(s, at) // the constraints above are the profile's of what is around; what follows is the resource's own
	x.kidsOf(s, r, n, at)
	if n.Content != "" {
		if target := contentOf(r.profile.Root, n.Content); target != nil && target != n {
			x.enter(s, r, target, at)
		}
	}
}

// contentOf finds the node that a content reference names: an id such as "Observation.referenceRange".
func contentOf(root *profile.Node, id string) *profile.Node {
	n := root
	for _, name := range strings.Split(id, ".")[1:] {
		name, _, _ = strings.Cut(name, ":")
		if n = n.Kid(strings.TrimSuffix(name, "[x]")); n == nil {
			return nil
		}
	}
	return n
}

// breach reports a rule of a profile that is broken.
func (x *inspection) breach(rule, code, details, diagnostics string, r *rules, at *place) {
	if diagnostics != "" {
		diagnostics += "; "
	}
	x.report("error", code, rule, details, diagnostics+"profile "+r.source(), at)
}

// kidsOf holds what stands below a place to the kids of a node.
func (x *inspection) kidsOf(s *subject, r *rules, n *profile.Node, at *place) {
	for _, k := range n.Kids {
		items := at.all(k.Name)
		x.count(k, len(items), r, at)
		for _, i := range items {
			x.enter(s, r, k, i)
		}
		if len(k.Slices) > 0 {
			x.sliced(s, r, k, items, at)
		}
	}
}

// within returns the subject of a place below s: the place itself when it is a resource.
func (x *inspection) within(s *subject, at *place) *subject {
	if at == s.place || at.elem == nil || !at.isResource() {
		return s
	}
	inner := &subject{place: at, within: s, bundle: s.bundle, entry: s.entry, inside: at.elem.Name == "contained"}
	if s.bundle != nil && s.bundle.at == s.place {
		inner.entry = s.bundle.entryAt(at.up)
	}
	return inner
}

// count holds the number of values of an element or slice to its limits.
func (x *inspection) count(n *profile.Node, count int, r *rules, at *place) {
	name := n.Name
	if n.Slice != "" {
		name += ":" + n.Slice
	}
	switch {
	case count < n.Min:
		x.breach("cardinality-min", "required", "the profile asks for more of the element", fmt.Sprintf("%s: %d of at least %d", name, count, n.Min), r, at)
	case n.Max != profile.Unbounded && count > n.Max:
		x.breach("cardinality-max", "structure", "the profile allows less of the element", fmt.Sprintf("%s: %d of at most %d", name, count, n.Max), r, at)
	}
}

// typed holds the type of a value to those of a node, and the value to their profiles.
func (x *inspection) typed(s *subject, r *rules, n *profile.Node, at *place) {
	if n.Types == nil || at.item.Type == nil {
		return
	}
	var fitting []profile.Type
	for _, t := range n.Types {
		if ofType(at, t.Code) {
			fitting = append(fitting, t)
		}
	}
	if len(fitting) == 0 {
		x.breach("type", "structure", "the profile does not allow this type", at.item.Type.Name, r, at)
		return
	}
	var urls []string
	for _, t := range fitting {
		if len(t.Profiles) == 0 {
			urls = nil
			break
		}
		urls = append(urls, t.Profiles...)
	}
	x.oneOf(s, urls, at)
	if at.item.Type.Name == "Reference" || at.item.Type.Name == "canonical" {
		x.target(s, r, fitting, at)
	}
}

// ofType reports whether a place is of the type called code, in the sense of profiles.
func ofType(at *place, code string) bool {
	t := at.item.Type
	switch {
	case t.Is(code), t.Kind == spec.Backbone && (code == "BackboneElement" || code == "Element"):
		return true
	case code == "SimpleQuantity" || code == "MoneyQuantity":
		return t.Name == "Quantity"
	}
	return false
}

// oneOf holds a value to the only profile of a list, or to any of several.
func (x *inspection) oneOf(s *subject, urls []string, at *place) {
	if len(urls) == 0 {
		return
	}
	var known []*profile.Profile
	for _, url := range urls {
		if t := profile.TypeOf(url); t != nil {
			if at.item.Type.Is(t.Name) {
				return
			}
			continue
		}
		p := x.profile(url, at)
		if p == nil {
			return // it may be the one that fits
		}
		if at.item.Type.Is(p.Type) {
			known = append(known, p)
		}
	}
	inner := x.within(s, at)
	if len(known) == 1 {
		x.apply(inner, known[0], at)
		return
	}
	for _, p := range known {
		if x.conforms(inner, &rules{p}, p.Root, at) {
			return
		}
	}
	x.report("error", "structure", "profile-none", "the value follows none of the profiles that it may follow", strings.Join(urls, ", "), at)
}

// env is what expressions may ask about.
func (x *inspection) env(s *subject) *fhirpath.Env {
	env := s.env()
	env.Done = x.ctx.Done()
	env.Resolve = func(reference string) (fhirpath.Item, bool) {
		if s.bundle == nil {
			return fhirpath.Item{}, false
		}
		found := s.bundle.find(s.entry, reference)
		if len(found) != 1 {
			return fhirpath.Item{}, false
		}
		return found[0].resource.item, true
	}
	env.MemberOf = func(i fhirpath.Item, valueSet string) (member, known bool, err error) {
		codes, _ := codesOf(&place{index: -1, item: i})
		known = len(codes) > 0
		for _, c := range codes {
			switch x.member(valueSet, c) {
			case Yes:
				return true, true, nil
			case Unknown:
				known = false
			}
		}
		return false, known, nil
	}
	return env
}
