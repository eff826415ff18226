package merge

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/search"
)

// linkKind is the kind of the entries that say who was replaced by whom. Their key is
// the source, their group the day of the last change, so that news is found quickly.
const linkKind = "merge-link"

// link is the content of such an entry.
type link struct {
	Target string `json:"target"`
	Undone bool   `json:"undone,omitempty"`
}

// State is where small state is.
type State interface {
	Entry(ctx context.Context, kind, key string) (fhir.Entry, error)
	Put(ctx context.Context, entries ...fhir.Entry) error
	Entries(ctx context.Context, kind, group, after string, limit int) ([]fhir.Entry, error)
}

// Links knows which Patients were replaced by which, in memory: every write asks it.
// The zero Links knows of none. It is safe for use by many goroutines.
type Links struct {
	mu     sync.RWMutex
	to     map[string]string   // source -> target
	from   map[string][]string // target -> sources
	loaded bool
}

// Load reads all links, and after the first time those of today and yesterday. Servers
// that share a database call it every few seconds.
func (l *Links) Load(ctx context.Context, s State, now time.Time) error {
	l.mu.RLock()
	loaded := l.loaded
	l.mu.RUnlock()
	groups := []string{""}
	if loaded {
		groups = []string{day(now.Add(-24 * time.Hour)), day(now)}
	}
	for _, group := range groups {
		after := ""
		for {
			page, err := s.Entries(ctx, linkKind, group, after, 1000)
			if err != nil {
				return err
			}
			for i := range page {
				var v link
				if err := json.Unmarshal(page[i].Value, &v); err != nil {
					return err
				}
				after = page[i].Key
				if v.Undone {
					l.drop(after)
				} else {
					l.set(after, v.Target)
				}
			}
			if len(page) < 1000 {
				break
			}
		}
	}
	l.mu.Lock()
	l.loaded = true
	l.mu.Unlock()
	return nil
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

func (l *Links) set(source, target string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.to[source] == target {
		return
	}
	if l.to == nil {
		l.to, l.from = map[string]string{}, map[string][]string{}
	}
	l.forget(source)
	l.to[source] = target
	l.from[target] = append(l.from[target], source)
}

func (l *Links) drop(source string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forget(source)
}

func (l *Links) forget(source string) {
	target, ok := l.to[source]
	if !ok {
		return
	}
	delete(l.to, source)
	l.from[target] = slices.DeleteFunc(l.from[target], func(s string) bool { return s == source })
	if len(l.from[target]) == 0 {
		delete(l.from, target)
	}
}

// maxChain bounds how far replacements are followed.
const maxChain = 32

// Survivor returns the id of the Patient who stands for id in the end, which is id
// itself when nobody replaced it.
func (l *Links) Survivor(id string) string {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for range maxChain {
		next, ok := l.to[id]
		if !ok {
			break
		}
		id = next
	}
	return id
}

// Replaced returns the ids of all Patients whom id stands for, itself left out.
func (l *Links) Replaced(id string) []string {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.replaced(id)
}

func (l *Links) replaced(id string) []string {
	all := slices.Clone(l.from[id])
	for i := 0; i < len(all) && i < 1000; i++ {
		for _, s := range l.from[all[i]] {
			if s != id && !slices.Contains(all, s) {
				all = append(all, s)
			}
		}
	}
	return all
}

// Together returns id and the ids of all Patients who are one person with it.
func (l *Links) Together(id string) []string {
	survivor := l.Survivor(id)
	return append([]string{survivor}, l.Replaced(survivor)...)
}

// also returns under which further Patients a resource of type typ is found that
// refers to Patient/id: those who stand for it. A Consent binds for all who are one
// person, since the Patients who were replaced still have what they were called.
func (l *Links) also(typ, id string) []string {
	l.mu.RLock()
	_, replaced := l.to[id]
	_, stands := l.from[id]
	l.mu.RUnlock()
	if typ == "Consent" && (replaced || stands) {
		return slices.DeleteFunc(l.Together(id), func(other string) bool { return other == id })
	}
	if !replaced {
		return nil
	}
	var all []string
	for range maxChain {
		l.mu.RLock()
		next, ok := l.to[id]
		l.mu.RUnlock()
		if !ok {
			break
		}
		all = append(all, next)
		id = next
	}
	return all
}

// Index returns ix with what follows from links. r must have its JSON. It leaves ix as
// it is.
func (l *Links) Index(r *fhir.Resource, ix search.Index) search.Index {
	if r.Ref.Type == "Patient" {
		return l.unnamed(r, ix)
	}
	var more []search.Link
	for _, one := range ix.Links {
		if one.Target.Type != "Patient" {
			continue
		}
		for _, id := range l.also(r.Ref.Type, one.Target.ID) {
			more = append(more, search.Link{Param: one.Param, Target: fhir.Ref{Type: "Patient", ID: id}})
		}
	}
	if len(more) == 0 {
		return ix
	}
	ix.Links = append(slices.Clone(ix.Links), more...)
	slices.SortFunc(ix.Links, func(a, b search.Link) int {
		return cmp.Or(cmp.Compare(a.Param, b.Param), cmp.Compare(a.Target.Type, b.Target.Type),
			cmp.Compare(a.Target.ID, b.Target.ID), cmp.Compare(a.Target.Version, b.Target.Version))
	})
	ix.Links = slices.Compact(ix.Links)
	return ix
}

// unnamed takes the identifiers of a Patient who was replaced out of the index: they
// are those of the target now, and a criterion such as Patient?identifier=X selects the
// target alone.
func (l *Links) unnamed(r *fhir.Resource, ix search.Index) search.Index {
	l.mu.RLock()
	_, replaced := l.to[r.Ref.ID]
	l.mu.RUnlock()
	if !replaced {
		return ix
	}
	d, err := element.Parse(r.JSON)
	if err != nil {
		return ix
	}
	list := d.Get(0, "identifier")
	if list == element.None {
		return ix
	}
	alone, err := element.Parse([]byte(`{"resourceType":"Patient","identifier":` + string(d.Raw(list)) + `}`))
	if err != nil {
		return ix
	}
	theirs, err := search.Extract(alone, 0, "")
	if err != nil {
		return ix
	}
	gone := make(map[int64]bool, len(theirs.Tokens))
	for _, t := range theirs.Tokens {
		gone[t] = !slices.Contains(nobody(), t)
	}
	ix.Tokens = slices.DeleteFunc(slices.Clone(ix.Tokens), func(t int64) bool { return gone[t] })
	return ix
}

// nobody returns the tokens of a Patient of whom nothing is said.
var nobody = sync.OnceValue(func() []int64 {
	d, err := element.Parse([]byte(`{"resourceType":"Patient"}`))
	if err != nil {
		return nil
	}
	ix, _ := search.Extract(d, 0, "") // a Patient is a resource
	return ix.Tokens
})

// Batch returns b with what follows from links for the index of what it writes.
func (l *Links) Batch(b *bundle.Batch) *bundle.Batch {
	l.mu.RLock()
	none := len(l.to) == 0
	l.mu.RUnlock()
	if none {
		return b
	}
	out := *b
	out.Changes = slices.Clone(b.Changes)
	for i := range out.Changes {
		c := &out.Changes[i]
		if c.Op == bundle.Delete {
			continue
		}
		build := c.Build
		c.Build = func(env *bundle.Env, at fhir.Ref, current *fhir.Resource) (*bundle.Content, error) {
			content, err := build(env, at, current)
			if err != nil {
				return nil, err
			}
			other := *content
			other.Index = l.Index(&fhir.Resource{Ref: at, JSON: content.Body.JSON}, content.Index)
			return &other, nil
		}
	}
	return &out
}

// Count returns how many Patients were replaced.
func (l *Links) Count() int {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return len(l.to)
}
