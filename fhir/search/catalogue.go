package search

import (
	"slices"
	"strings"
	"sync"

	"github.com/amate-health/amate/fhir/spec"
)

// Catalogue is a set of search parameters: those of R4, and those that have been
// added to them. It does not change, so that one request sees one set throughout,
// and a server that adds a parameter puts another Catalogue in its place. It also
// keeps the plans by which resources are indexed.
//
// See https://hl7.org/fhir/R4/searchparameter.html.
type Catalogue struct {
	added []*Added                                // by ID
	lists map[string][]*spec.SearchParam          // of the types that have more than R4 gives them, by code
	codes map[string]map[string]*spec.SearchParam // likewise
	urls  map[string][]*spec.SearchParam          // of the added ones
	plans sync.Map                                // resource type -> func() (*typePlan, error), made once each

	datatypes sync.Map // *spec.SearchParam -> []*spec.Type, what its values are
}

// Added is a search parameter beyond those of R4.
type Added struct {
	spec.SearchParam
	// Searchable says that all resources are indexed by it. Until then they are
	// indexed as they are written, and a search by it is refused.
	Searchable bool
	// Job is the job that indexes them: [base]/$reindex-status/[job] tells how far it is.
	Job string
}

// FirstAdded is the least ID of an added parameter.
const FirstAdded = 20000

// Standard is the catalogue of R4 alone.
var Standard = new(Catalogue)

// or returns c, or Standard for nil.
func (c *Catalogue) or() *Catalogue {
	if c == nil {
		return Standard
	}
	return c
}

// Params returns the parameters of a resource type, those of every type included,
// sorted by code; with typ "", those of every type. The result is not to be changed.
func (c *Catalogue) Params(typ string) []*spec.SearchParam {
	if list, ok := c.lists[typ]; ok {
		return list
	}
	return spec.Params(typ)
}

// Lookup returns the parameter of a resource type called code, searchable or not,
// or nil. With typ "" it returns a parameter of every type.
func (c *Catalogue) Lookup(typ, code string) *spec.SearchParam {
	if codes, ok := c.codes[typ]; ok {
		return codes[code]
	}
	return spec.Param(typ, code)
}

// ByID returns the parameter stored under id, or nil.
func (c *Catalogue) ByID(id uint16) *spec.SearchParam {
	if id < FirstAdded {
		return spec.ParamByID(id)
	}
	if a := c.addition(id); a != nil {
		return &a.SearchParam
	}
	return nil
}

// ByURL returns the parameters that a canonical URL defines, one for each base type
// that it is for.
func (c *Catalogue) ByURL(url string) []*spec.SearchParam {
	return slices.Concat(standardURLs()[url], c.urls[url])
}

// Added returns the parameters beyond those of R4, by ID.
func (c *Catalogue) Added() []Added {
	all := make([]Added, len(c.added))
	for i, a := range c.added {
		all[i] = *a
	}
	return all
}

// Searchable reports whether p can be searched by: this server knows how, and all
// resources are indexed by it.
func (c *Catalogue) Searchable(p *spec.SearchParam) bool { return Supported(p) && !c.pending(p) }

// pending reports whether resources are still being indexed by p.
func (c *Catalogue) pending(p *spec.SearchParam) bool {
	if p.ID < FirstAdded {
		return false
	}
	a := c.addition(p.ID)
	return a == nil || !a.Searchable
}

func (c *Catalogue) addition(id uint16) *Added {
	i, ok := slices.BinarySearchFunc(c.added, id, func(a *Added, id uint16) int { return int(a.ID) - int(id) })
	if !ok {
		return nil
	}
	return c.added[i]
}

var standardURLs = sync.OnceValue(func() map[string][]*spec.SearchParam {
	urls := map[string][]*spec.SearchParam{}
	for id := uint16(1); ; id++ {
		p := spec.ParamByID(id)
		if p == nil {
			return urls
		}
		urls[p.URL] = append(urls[p.URL], p)
	}
})

// With returns a catalogue that has added as well; one whose ID c has already takes
// its place. Errors are *fhir.Error with code Unprocessable, whose Expression names
// the element of the SearchParameter resource at fault.
func (c *Catalogue) With(added ...Added) (*Catalogue, error) {
	n := &Catalogue{added: slices.Clone(c.added)}
	for i := range added {
		a := added[i]
		at, ok := slices.BinarySearchFunc(n.added, a.ID, func(a *Added, id uint16) int { return int(a.ID) - int(id) })
		if ok {
			n.added[at] = &a
		} else {
			n.added = slices.Insert(n.added, at, &a)
		}
	}
	if err := n.complete(); err != nil {
		return nil, err
	}
	for i := range added {
		if err := n.check(n.addition(added[i].ID)); err != nil {
			return nil, err
		}
	}
	n.inherit(c)
	return n, nil
}

// Without returns a catalogue that lacks the added parameters with these IDs.
func (c *Catalogue) Without(ids ...uint16) *Catalogue {
	n := &Catalogue{added: slices.DeleteFunc(slices.Clone(c.added), func(a *Added) bool { return slices.Contains(ids, a.ID) })}
	if err := n.complete(); err != nil {
		panic("fhir/search: " + err.Error()) // fewer parameters cannot clash
	}
	n.inherit(c)
	return n
}

// complete makes the tables of c from its added parameters. Errors: two parameters
// of a type that have one code.
func (c *Catalogue) complete() error {
	c.lists, c.codes, c.urls = map[string][]*spec.SearchParam{}, map[string]map[string]*spec.SearchParam{}, map[string][]*spec.SearchParam{}
	for _, a := range c.added {
		c.urls[a.URL] = append(c.urls[a.URL], &a.SearchParam)
		for _, typ := range typesOf(a.Base) {
			if err := c.add(typ, &a.SearchParam); err != nil {
				return err
			}
		}
	}
	for _, list := range c.lists {
		slices.SortFunc(list, func(a, b *spec.SearchParam) int { return strings.Compare(a.Code, b.Code) })
	}
	return nil
}

// typesOf returns the resource types that a parameter of base is for; "" stands
// for a search of all types.
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
	if base == "Resource" {
		all = append(all, "")
	}
	return all
}

func (c *Catalogue) add(typ string, p *spec.SearchParam) error {
	codes := c.codes[typ]
	if codes == nil {
		list := spec.Params(typ)
		codes = make(map[string]*spec.SearchParam, len(list)+4)
		for _, old := range list {
			codes[old.Code] = old
		}
		c.codes[typ], c.lists[typ] = codes, slices.Clone(list)
	}
	if old := codes[p.Code]; old != nil {
		return faulty("code", "%s has a search parameter %s already", typ, show(p.Code)).With("it is defined by %s", old.URL)
	}
	codes[p.Code], c.lists[typ] = p, append(c.lists[typ], p)
	if len(codes) > maxOrdinal {
		return faulty("base", "%s has %d search parameters, and there is no room for more", typ, maxOrdinal)
	}
	return nil
}

// inherit takes over the plans of the types that have the same parameters in old.
func (c *Catalogue) inherit(old *Catalogue) {
	old.plans.Range(func(typ, plan any) bool {
		if slices.EqualFunc(c.Params(typ.(string)), old.Params(typ.(string)), sameParam) {
			c.plans.Store(typ, plan)
		}
		return true
	})
}

func sameParam(a, b *spec.SearchParam) bool {
	return a == b || a.ID == b.ID && a.Code == b.Code && a.Type == b.Type && a.Expression == b.Expression &&
		slices.Equal(a.Components, b.Components) && slices.Equal(a.Targets, b.Targets)
}
