package merge

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir/registry/identity"
)

// Keep says which of two values survives a merge.
type Keep string

// The ways.
const (
	Fill     Keep = "fill"     // that of the target; that of the source where the target has none
	Verified Keep = "verified" // that of the one whose CURP is verified further; else as Fill
	Unite    Keep = "unite"    // the items of both, each once
	Newest   Keep = "newest"   // the items of both, those of the record that was changed last first
	Names    Keep = "names"    // the names of the one verified further, then those of the other, which are old names then
	Numbers  Keep = "numbers"  // the identifiers of both, of which one CURP is the current one and others are old
	ByURL    Keep = "by-url"   // the extensions of both, of each URL those of the target where it has any
)

// Rule says what survives of an element of Patient. deceased, multipleBirth stand for
// all their types.
type Rule struct {
	Element string `json:"element"`
	Keep    Keep   `json:"keep"`
}

// Default are the rules where nobody sets others. Elements that no rule names stay as the
// target has them.
var Default = []Rule{
	{"identifier", Numbers}, {"name", Names}, {"telecom", Newest}, {"address", Newest}, {"birthDate", Verified}, {"gender", Verified},
	{"deceased", Fill}, {"multipleBirth", Verified}, {"maritalStatus", Fill}, {"photo", Fill}, {"contact", Unite}, {"communication", Unite},
	{"generalPractitioner", Unite}, {"managingOrganization", Fill}, {"extension", ByURL},
}

// ReadRules reads rules, a JSON list of {"element", "keep"}.
func ReadRules(r io.Reader) ([]Rule, error) {
	var rules []Rule
	in := json.NewDecoder(r)
	in.DisallowUnknownFields()
	if err := in.Decode(&rules); err != nil {
		return nil, fmt.Errorf("rules of survivorship: %w", err)
	}
	for i, rule := range rules {
		known := slices.ContainsFunc(Default, func(d Rule) bool { return d.Element == rule.Element })
		if !known {
			return nil, fmt.Errorf("rule %d: there is no choice about Patient.%s", i+1, rule.Element)
		}
		switch rule.Keep {
		case Fill, Verified, Unite, Newest, Names, Numbers, ByURL:
		default:
			return nil, fmt.Errorf("rule %d: %q is no way to keep a value", i+1, rule.Keep)
		}
	}
	return rules, nil
}

// levels in order: a later one is verified further.
var levels = []string{identity.Unverified, identity.ChecksumOnly, identity.Consistent, identity.RenapoVerified}

// level returns how far a CURP in use of a Patient was verified, -1 without one.
func level(patient object) int {
	best := -1
	for _, raw := range items(patient.Get("identifier")) {
		if id := mustObject(raw); id.Text("system") == identity.SystemCURP && id.Text("use") != "old" {
			best = max(best, levelOf(id))
		}
	}
	return best
}

func levelOf(id object) int {
	for _, raw := range items(id.Get("extension")) {
		if e := mustObject(raw); e.Text("url") == identity.Verification {
			return max(0, slices.Index(levels, e.Text("valueCode")))
		}
	}
	return 0
}

// survivor is one merge of two Patients.
type survivor struct {
	source, target object
	newer          bool // the source was changed after the target
	verified       bool // the source is verified further
	today          time.Time
}

// survive returns the target as the rules have it. Links and labels are not their affair.
func survive(rules []Rule, source, target object, newer bool, today time.Time) object {
	s := survivor{source: source, target: target, newer: newer, verified: level(source) > level(target), today: today}
	out := target
	for _, r := range rules {
		out = s.apply(out, r)
	}
	return out
}

func (s *survivor) apply(out object, r Rule) object {
	switch r.Keep {
	case Fill:
		return fill(out, s.source, s.target, r.Element, false)
	case Verified:
		return fill(out, s.source, s.target, r.Element, s.verified)
	}
	a, b := items(s.target.Get(r.Element)), local(items(s.source.Get(r.Element)))
	if len(b) == 0 {
		return out
	}
	var all []string
	switch r.Keep {
	case Unite:
		all = unite(a, b)
	case Newest:
		if all = unite(a, b); s.newer {
			all = unite(b, a)
		}
	case Names:
		if all = unite(a, former(b, a)); s.verified {
			all = unite(b, former(a, b))
		}
	case Numbers:
		all = s.numbers(a, b)
	case ByURL:
		all = byURL(a, b)
	}
	return out.With(r.Element, array(all))
}

// fill sets an element, and what belongs to it, from the source when the target has none,
// or when the source goes first and has one.
func fill(out, source, target object, element string, first bool) object {
	mine, theirs := namesOf(target, element), namesOf(source, element)
	if len(theirs) == 0 || len(mine) > 0 && !first || slices.ContainsFunc(theirs, func(n string) bool { return len(local([]string{source.Get(n)})) == 0 }) {
		return out
	}
	for _, n := range mine {
		if !slices.Contains(theirs, n) {
			out = out.With(n, "")
		}
	}
	for _, n := range theirs {
		out = out.With(n, source.Get(n))
	}
	return out
}

// namesOf returns the members of o that make up an element: birthDate and _birthDate,
// deceasedBoolean.
func namesOf(o object, element string) []string {
	var all []string
	for _, m := range o {
		plain := strings.TrimPrefix(m.Name, "_")
		choice := element == "deceased" || element == "multipleBirth"
		if plain == element || choice && strings.HasPrefix(plain, element) {
			all = append(all, m.Name)
		}
	}
	return all
}

// local leaves out what refers to a contained resource, which the other does not have.
func local(all []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(raw string) bool { return strings.Contains(raw, `"reference":"#`) })
}

func unite(a, b []string) []string {
	all := slices.Clone(a)
	for _, raw := range b {
		if !slices.Contains(all, raw) {
			all = append(all, raw)
		}
	}
	return all
}

// former returns those names that are not among current, as names no longer in use; a
// nickname or maiden name stays what it is.
func former(names, current []string) []string {
	var all []string
	for _, raw := range names {
		n := mustObject(raw)
		same := slices.ContainsFunc(current, func(c string) bool { return mustObject(c).With("use", "").String() == n.With("use", "").String() })
		if same {
			continue
		}
		if use := n.Text("use"); use == "" || use == "usual" || use == "official" || use == "temp" {
			n = n.With("use", `"old"`)
		}
		all = append(all, n.String())
	}
	return all
}

// numbers unites identifiers. There is one CURP in use: that of the target, unless that of
// the source is verified further. The generic value is nobody's.
func (s *survivor) numbers(a, b []string) []string {
	key := func(o object) string { return o.Text("system") + "|" + o.Text("value") }
	inUse := func(o object) bool { return o.Text("system") == identity.SystemCURP && o.Text("use") != "old" }
	all := slices.Clone(a)
	for _, raw := range b {
		id := mustObject(raw)
		if id.Text("value") == identity.GenericCURP {
			continue
		}
		i := slices.IndexFunc(all, func(r string) bool { return key(mustObject(r)) == key(id) && id.Text("value") != "" })
		if i >= 0 {
			if levelOf(id) > levelOf(mustObject(all[i])) {
				all[i] = raw
			}
			continue
		}
		if inUse(id) {
			j := slices.IndexFunc(all, func(r string) bool { return inUse(mustObject(r)) })
			switch {
			case j >= 0 && s.verified:
				all[j] = Retire(all[j], s.today)
			case j >= 0:
				raw = Retire(raw, s.today)
			}
		}
		all = append(all, raw)
	}
	return all
}

// Retire returns an identifier as one that was in use until the day of today.
func Retire(identifier string, today time.Time) string {
	id := mustObject(identifier).With("use", `"old"`)
	period := mustObject(id.Get("period"))
	if period.Text("end") == "" {
		id = id.With("period", period.With("end", quote(today.Format(time.DateOnly))).String())
	}
	return id.String()
}

func byURL(a, b []string) []string {
	all := slices.Clone(a)
	has := func(url string) bool {
		return slices.ContainsFunc(a, func(raw string) bool { return mustObject(raw).Text("url") == url })
	}
	for _, raw := range b {
		if !has(mustObject(raw).Text("url")) {
			all = append(all, raw)
		}
	}
	return all
}

// linked returns a Patient with a link of a type to another, if it has not got it.
func linked(p object, typ, other string) object {
	all := items(p.Get("link"))
	for _, raw := range all {
		l := mustObject(raw)
		if l.Text("type") == typ && mustObject(l.Get("other")).Text("reference") == "Patient/"+other {
			return p
		}
	}
	return p.With("link", array(append(all, `{"other":{"reference":`+quote("Patient/"+other)+`},"type":`+quote(typ)+`}`)))
}

// unlinked returns a Patient without a link of a type to another.
func unlinked(p object, typ, other string) object {
	all := slices.DeleteFunc(items(p.Get("link")), func(raw string) bool {
		l := mustObject(raw)
		return l.Text("type") == typ && strings.HasSuffix(mustObject(l.Get("other")).Text("reference"), "Patient/"+other)
	})
	return p.With("link", array(all))
}

// replacedBy returns the id of the Patient of this server who replaced p, "" for none.
func replacedBy(p object, base string) string {
	for _, raw := range items(p.Get("link")) {
		l := mustObject(raw)
		if l.Text("type") != "replaced-by" {
			continue
		}
		ref := strings.TrimPrefix(mustObject(l.Get("other")).Text("reference"), base+"/")
		if id, ok := strings.CutPrefix(ref, "Patient/"); ok {
			return id
		}
	}
	return ""
}

// labelled gives p the security labels of both, so that what binds one binds the other.
func labelled(p, other object) object {
	meta := mustObject(p.Get("meta"))
	all := unite(items(meta.Get("security")), items(mustObject(other.Get("meta")).Get("security")))
	if len(all) == 0 {
		return p
	}
	return p.With("meta", meta.With("security", array(all)).String())
}

// ReplacedBy returns the id of the Patient of this server who, by its own links, replaced
// an inactive one; "" for none.
func ReplacedBy(json []byte, base string) string {
	if !strings.Contains(string(json), replaced) {
		return ""
	}
	p, err := parseObject(json)
	if err != nil || p.Get("active") != "false" {
		return ""
	}
	return replacedBy(p, base)
}
