package parameter

import (
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"

	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
)

// document is what all servers of a database agree on: which parameters there are
// beside those of R4, and the numbers that they are indexed under.
type document struct {
	Next    uint16            `json:"next"`    // the first number that was never given
	Params  []record          `json:"params"`  // by number; those that are gone keep theirs
	Sources map[string]source `json:"sources"` // by the id of the SearchParameter
}

// source is what was made of a SearchParameter resource.
type source struct {
	Version int64  `json:"version"`
	Problem string `json:"problem,omitempty"` // why it is not searched by, though it is active
}

// record is a parameter for one base type.
type record struct {
	ID         uint16      `json:"id"`
	Source     string      `json:"source"`
	URL        string      `json:"url"`
	Base       string      `json:"base"`
	Code       string      `json:"code"`
	Type       string      `json:"type"`
	Expression string      `json:"expression"`
	Targets    []string    `json:"targets,omitempty"`
	Components []component `json:"components,omitempty"`

	State state  `json:"state"`
	Stamp int64  `json:"stamp"` // of the document in which what is indexed under ID changed last
	Job   string `json:"job"`   // that has been indexing it since, or removing its rows
}

// component is a part of a composite parameter.
type component struct {
	Expression string `json:"expression"`
	Definition string `json:"definition"`
	Type       string `json:"type"`
}

// state says what can be done with a parameter.
type state string

const (
	filling state = "filling" // what is written is indexed by it; what was there before, not all yet
	ready   state = "ready"
	gone    state = "gone"
)

// idsEnd is the first number that is not given: numbers are stored in 16 bits.
const idsEnd = 65000

func readDocument(value []byte) (*document, error) {
	d := &document{Next: search.FirstAdded, Sources: map[string]source{}}
	if value == nil {
		return d, nil
	}
	if err := json.Unmarshal(value, d); err != nil {
		return nil, fmt.Errorf("the search parameters of this database cannot be read: %w", err)
	}
	return d, nil
}

// value returns d as it is stored.
func (d *document) value() []byte {
	value, err := json.Marshal(d)
	if err != nil {
		panic(err) // strings and numbers only
	}
	return value
}

func (r *record) added() search.Added {
	a := search.Added{Searchable: r.State == ready, Job: r.Job}
	a.SearchParam = spec.SearchParam{
		ID: r.ID, Base: r.Base, Code: r.Code, Type: spec.SearchTypeOf(r.Type), Expression: r.Expression,
		Targets: r.Targets, URL: r.URL,
	}
	for _, c := range r.Components {
		a.Components = append(a.Components, spec.Component{Expression: c.Expression, Definition: c.Definition, Type: spec.SearchTypeOf(c.Type)})
	}
	return a
}

// recordOf returns what is kept of p.
func recordOf(p *spec.SearchParam, source string) record {
	r := record{
		ID: p.ID, Source: source, URL: p.URL, Base: p.Base, Code: p.Code, Type: p.Type.String(), Expression: p.Expression,
		Targets: p.Targets,
	}
	for _, c := range p.Components {
		r.Components = append(r.Components, component{c.Expression, c.Definition, c.Type.String()})
	}
	return r
}

// indexedAs reports whether a and b find the same values in every resource.
func (r *record) indexedAs(b *record) bool {
	return r.Base == b.Base && r.Type == b.Type && r.Expression == b.Expression &&
		slices.Equal(r.Targets, b.Targets) && slices.Equal(r.Components, b.Components)
}

// find returns the record of a source for a base type, nil when there never was one.
func (d *document) find(source, base string) *record {
	for i := range d.Params {
		if r := &d.Params[i]; r.Source == source && r.Base == base {
			return r
		}
	}
	return nil
}

// id returns the number of a source for a base type, a new one if it has none.
func (d *document) id(source, base string) uint16 {
	if r := d.find(source, base); r != nil {
		return r.ID
	}
	return d.Next
}

// put makes want the parameter of its source and base, as of stamp.
func (d *document) put(want record, stamp int64) {
	r := d.find(want.Source, want.Base)
	if r == nil {
		want.State, want.Stamp = filling, stamp
		d.Params = append(d.Params, want)
		d.Next = max(d.Next, want.ID+1)
		return
	}
	want.ID, want.State, want.Stamp, want.Job = r.ID, r.State, r.Stamp, r.Job
	if r.State == gone || !r.indexedAs(&want) {
		want.State, want.Stamp = filling, stamp
	}
	*r = want
}

// drop takes those parameters of a source out whose base types are not among keep.
func (d *document) drop(source string, keep []string, stamp int64) {
	for i := range d.Params {
		if r := &d.Params[i]; r.Source == source && r.State != gone && !slices.Contains(keep, r.Base) {
			r.State, r.Stamp = gone, stamp
		}
	}
}

// live returns the parameters that are indexed, but for those of a source.
func (d *document) live(except string) []search.Added {
	var all []search.Added
	for i := range d.Params {
		if r := &d.Params[i]; r.State != gone && (except == "" || r.Source != except) {
			all = append(all, r.added())
		}
	}
	return all
}

// changedAt returns the types whose index the document of stamp changed, sorted, and
// a few words on what it was.
func (d *document) changedAt(stamp int64) (types []string, why string) {
	n := 0
	for i := range d.Params {
		r := &d.Params[i]
		if r.Stamp != stamp {
			continue
		}
		n++
		if n <= 5 {
			why += ", " + r.Base + "." + r.Code
		}
		types = append(types, typesOf(r.Base)...)
	}
	if n == 0 {
		return nil, ""
	}
	if n > 5 {
		why += fmt.Sprintf(" and %d more", n-5)
	}
	slices.Sort(types)
	return slices.Compact(types), "search parameters " + why[2:]
}

// jobs returns the jobs that somebody waits for.
func (d *document) jobs() map[string]bool {
	all := map[string]bool{}
	for i := range d.Params {
		all[d.Params[i].Job] = true
	}
	return all
}

// typesOf returns the resource types that a parameter of base is for.
func typesOf(base string) []string {
	if spec.IsResource(base) {
		return []string{base}
	}
	var all []string
	for _, typ := range spec.Resources() {
		if spec.TypeOf(typ).Is(base) {
			all = append(all, typ)
		}
	}
	return all
}

// catalogue returns the catalogue of d. It grows out of old, so that what has not
// changed need not be compiled again. refused is told of parameters that do not fit
// this program; the others are there all the same.
func (d *document) catalogue(old *search.Catalogue, refused func(*search.Added, error)) *search.Catalogue {
	have := map[uint16]search.Added{}
	for _, a := range old.Added() {
		have[a.ID] = a
	}
	var changed []search.Added
	for _, a := range d.live("") {
		if before, ok := have[a.ID]; !ok || !reflect.DeepEqual(before, a) {
			changed = append(changed, a)
		}
		delete(have, a.ID)
	}
	var left []uint16
	for id := range have {
		left = append(left, id)
	}
	c := old.Without(left...)
	inOrder(changed)
	if all, err := c.With(changed...); err == nil {
		return all
	}
	for i := range changed {
		c = c.Without(changed[i].ID)
	}
	for i := range changed {
		if more, err := c.With(changed[i]); err == nil {
			c = more
		} else {
			refused(&changed[i], err)
		}
	}
	return c
}

// inOrder puts composites after what they are made of.
func inOrder(all []search.Added) {
	slices.SortStableFunc(all, func(a, b search.Added) int { return cmp.Compare(len(a.Components), len(b.Components)) })
}
