package service

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/terminology"
)

// maxCodes is how many codes an expansion may have that is not asked for in pages.
const maxCodes = 25_000

// expand lists the codes of a value set.
//
// See https://hl7.org/fhir/R4/valueset-operation-expand.html.
func (s *service) expand(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	in := &input{call: call}
	for _, name := range []string{"system-version", "check-system-version", "force-system-version", "contextDirection"} {
		if in.text(name) != "" {
			return nil, fhir.Errorf(fhir.NotSupported, "the parameter %s of $expand is not supported", name)
		}
	}
	v := s.registry.View()
	set, err := s.givenSet(ctx, v, in)
	if err != nil {
		return nil, err
	}
	x := newExpansion(v, set, in)
	if in.err != nil {
		return nil, in.err
	}
	if err := set.Listable(); err != nil {
		return nil, err
	}
	if x.tree {
		err = x.writeTree()
	} else {
		err = x.writeList()
	}
	if err != nil {
		return nil, err
	}
	return &operation.Answer{JSON: x.finish()}, nil
}

// expansion is an expansion being written.
type expansion struct {
	view *terminology.View
	set  *terminology.Set

	filter        string
	words         []string // of the filter, folded
	offset, count int      // count is -1 for all
	activeOnly    bool
	designations  bool
	wanted        []string // designations: languages and uses; nil for all
	tree          bool     // codes below others stand within them
	forUI         bool     // leave out what only groups others
	langs         terminology.Languages
	without       []string // systems left out

	total    int
	contains []byte
}

func newExpansion(v *terminology.View, set *terminology.Set, in *input) *expansion {
	x := &expansion{
		view: v, set: set,
		filter: in.text("filter"), offset: max(0, in.number("offset")), count: in.number("count"),
		activeOnly: in.truth("activeOnly", false), designations: in.truth("includeDesignations", false),
		forUI: in.truth("excludeNotForUI", false), langs: in.languages(),
	}
	x.words = strings.Fields(search.Fold(x.filter))
	for _, d := range in.call.In.All("designation") {
		x.wanted = append(x.wanted, d.Text)
		x.designations = true
	}
	for _, d := range in.call.In.All("exclude-system") {
		url, _ := terminology.SplitCanonical(d.Text)
		x.without = append(x.without, url)
	}
	// Only one that asks for it gets a tree, and only whole: pages and filters would
	// tear it apart.
	x.tree = !in.truth("excludeNested", true) && x.count < 0 && x.offset == 0 && len(x.words) == 0
	return x
}

// keep reports whether an entry is wanted.
func (x *expansion) keep(e *terminology.Entry) bool {
	if x.activeOnly && e.Inactive() || x.forUI && e.Abstract() || slices.Contains(x.without, e.System) {
		return false
	}
	return len(x.words) == 0 || x.matches(e)
}

// matches reports whether each word of the filter begins a word of one name of e, or
// of its code.
func (x *expansion) matches(e *terminology.Entry) bool {
	if x.within(e.Display(nil)) || x.within(e.Code) || len(x.words) == 1 && strings.HasPrefix(strings.ToLower(e.Code), strings.ToLower(x.filter)) {
		return true
	}
	for d := range e.Designations() {
		if x.within(d.Value) {
			return true
		}
	}
	return false
}

func (x *expansion) within(name string) bool {
	name = search.Fold(name)
	for _, word := range x.words {
		if !strings.Contains(name, word) {
			return false
		}
	}
	return name != ""
}

func (x *expansion) writeList() error {
	for e := range x.set.Entries() {
		if !x.keep(&e) {
			continue
		}
		x.total++
		if x.total <= x.offset || x.count >= 0 && x.total > x.offset+x.count {
			continue
		}
		if x.count < 0 && x.total > maxCodes || x.total-x.offset > 4*maxCodes {
			return fhir.Errorf(fhir.TooCostly, "the expansion has more than %d codes: ask for pages by count and offset, or filter", maxCodes)
		}
		x.entry(&e)
		x.contains = append(x.contains, '}')
	}
	return nil
}

func (x *expansion) writeTree() error {
	tree := x.set.Tree(x.keep)
	var write func(list []terminology.Entry) error
	write = func(list []terminology.Entry) error {
		for i := range list {
			if x.total++; x.total > maxCodes {
				return fhir.Errorf(fhir.TooCostly, "the expansion has more than %d codes", maxCodes)
			}
			x.entry(&list[i])
			if below := tree.Children(list[i]); len(below) > 0 {
				x.contains = append(x.contains, `,"contains":[`...)
				if err := write(below); err != nil {
					return err
				}
				x.contains = append(x.contains, ']')
			}
			x.contains = append(x.contains, '}')
		}
		return nil
	}
	return write(tree.Roots)
}

// entry writes the members of a code, without closing them.
func (x *expansion) entry(e *terminology.Entry) {
	out := x.contains
	if n := len(out); n > 0 && out[n-1] != '[' {
		out = append(out, ',')
	}
	out = append(out, '{')
	if e.System != "" {
		out = append(element.Quote(append(out, `"system":`...), e.System), ',')
	}
	if e.Abstract() {
		out = append(out, `"abstract":true,`...)
	}
	if e.Inactive() {
		out = append(out, `"inactive":true,`...)
	}
	if e.Version != "" && x.severalVersions(e.System) {
		out = append(element.Quote(append(out, `"version":`...), e.Version), ',')
	}
	out = element.Quote(append(out, `"code":`...), e.Code)
	var more []terminology.Designation
	if e.Concept.System != nil && (len(x.langs) > 0 || x.designations) {
		more = x.view.Supplements(e.Concept)
	}
	if display := e.Display(x.langs, more...); display != "" {
		out = element.Quote(append(out, `,"display":`...), display)
	}
	x.contains = out
	if x.designations {
		x.designate(e, more)
	}
}

// severalVersions reports whether the set takes codes from more than one version of a system.
func (x *expansion) severalVersions(system string) bool {
	n := 0
	for url := range x.set.Systems() {
		if url == system {
			n++
		}
	}
	return n > 1
}

func (x *expansion) designate(e *terminology.Entry, more []terminology.Designation) {
	n := 0
	write := func(d terminology.Designation) {
		if x.wanted != nil && !slices.ContainsFunc(x.wanted, func(w string) bool { return wants(w, d) }) {
			return
		}
		if n++; n == 1 {
			x.contains = append(x.contains, `,"designation":[`...)
		} else {
			x.contains = append(x.contains, ',')
		}
		x.contains = append(x.contains, '{')
		if d.Language != "" {
			x.contains = append(element.Quote(append(x.contains, `"language":`...), d.Language), ',')
		}
		if d.Use != "" {
			x.contains = append(append(append(x.contains, `"use":`...), d.Use...), ',')
		}
		x.contains = append(element.Quote(append(x.contains, `"value":`...), d.Value), '}')
	}
	for d := range e.Designations() {
		write(d)
	}
	for _, d := range more {
		write(d)
	}
	if n > 0 {
		x.contains = append(x.contains, ']')
	}
}

// wants reports whether the parameter designation asks for d: by language ("es", or
// urn:ietf:bcp:47|es) or by use (system|code).
func wants(parameter string, d terminology.Designation) bool {
	system, code, ok := strings.Cut(parameter, "|")
	if !ok {
		return strings.EqualFold(parameter, d.Language)
	}
	if system == "urn:ietf:bcp:47" {
		return strings.EqualFold(code, d.Language)
	}
	use, err := element.Parse([]byte(d.Use))
	if err != nil {
		return false
	}
	c := readCoding(use, 0)
	return c.system == system && c.code == code
}

// finish returns the value set with its expansion.
func (x *expansion) finish() []byte {
	out := append([]byte(nil), x.set.ValueSet.Head()...)
	out = append(out, `,"expansion":{"identifier":"urn:uuid:`...)
	out = append(append(out, uuid.NewString()...), `","timestamp":"`...)
	out = time.Now().UTC().AppendFormat(out, fhir.InstantLayout)
	out = append(out, `","total":`...)
	out = strconv.AppendInt(out, int64(x.total), 10)
	if x.count >= 0 || x.offset > 0 {
		out = strconv.AppendInt(append(out, `,"offset":`...), int64(x.offset), 10)
	}
	out = append(out, `,"parameter":[`...)
	out = x.parameters(out)
	out = append(out, ']')
	if len(x.contains) > 0 {
		out = append(append(append(out, `,"contains":[`...), x.contains...), ']')
	}
	return append(out, `}}`...)
}

// parameters writes what the expansion was made with.
func (x *expansion) parameters(out []byte) []byte {
	first := true
	add := func(name, typ, json string) {
		if !first {
			out = append(out, ',')
		}
		first = false
		out = append(append(append(out, `{"name":"`...), name...), `","`...)
		out = append(append(append(append(out, typ...), `":`...), json...), '}')
	}
	quoted := func(text string) string { return string(element.Quote(nil, text)) }
	if x.filter != "" {
		add("filter", "valueString", quoted(x.filter))
	}
	if x.activeOnly {
		add("activeOnly", "valueBoolean", "true")
	}
	if x.designations {
		add("includeDesignations", "valueBoolean", "true")
	}
	add("excludeNested", "valueBoolean", strconv.FormatBool(!x.tree))
	if len(x.langs) > 0 {
		add("displayLanguage", "valueCode", quoted(x.langs[0]))
	}
	if x.count >= 0 {
		add("count", "valueInteger", strconv.Itoa(x.count))
	}
	for url, version := range x.set.Systems() {
		if version != "" {
			url += "|" + version
		}
		add("version", "valueUri", quoted(url))
	}
	for _, canonical := range x.set.Partial {
		add("warning-partial", "valueUri", quoted(canonical))
	}
	return out
}
