package terminology

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/amate-health/amate/fhir"
)

// Registry knows all terminology of a server: that of R4, and what is stored. Those
// who read it never wait for those who change it.
type Registry struct {
	mu  sync.Mutex // held while changing
	now atomic.Pointer[View]
}

// View is what a Registry knew at one moment. It does not change.
type View struct {
	base   *catalogue
	stored map[fhir.Ref]*Item
	byURL  [kinds]map[string][]*Item // the best last

	supplements map[string][]*System // by URL of the system that they add to
	whole       map[string]*System   // by URL of the value set of all codes of a stored system
	sets        *sync.Map            // *ValueSet -> *Set
	implied     *sync.Map            // url -> *ValueSet, see implicit
	impliedSize *atomic.Int32
}

// maxImplied bounds how many value sets that exist by their URL alone are remembered.
const maxImplied = 100

// New returns a Registry that knows the terminology of R4.
func New() *Registry {
	r := &Registry{}
	r.now.Store(newView(nil))
	return r
}

// View returns what r knows now. Questions that belong together are asked of one View.
func (r *Registry) View() *View { return r.now.Load() }

// Change takes in items, at the places that they are stored at, and forgets others.
// An item that replaces another takes its place in one step; nil forgets. The
// Registry keeps the items, which must not be given to another one.
func (r *Registry) Change(items map[fhir.Ref]*Item) {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.now.Load()
	stored := make(map[fhir.Ref]*Item, len(old.stored)+len(items))
	for ref, item := range old.stored {
		stored[ref] = item
	}
	touched := map[string]bool{}
	for ref, item := range items {
		if before := stored[ref]; before != nil {
			before.touch(touched)
		}
		if item == nil {
			delete(stored, ref)
			continue
		}
		item.touch(touched)
		item.Header.Ref = ref
		stored[ref] = item
	}
	v := newView(stored)
	v.keep(old, touched)
	r.now.Store(v)
}

// touch notes the URLs of which the meaning changes with the item.
func (i *Item) touch(urls map[string]bool) {
	urls[i.Header.URL] = true
	if i.System != nil {
		base, _ := SplitCanonical(i.System.Supplements)
		urls[base] = true
		urls[i.System.ValueSet] = true
	}
}

func newView(stored map[fhir.Ref]*Item) *View {
	v := &View{
		base: base(), stored: stored, supplements: map[string][]*System{}, whole: map[string]*System{},
		sets: new(sync.Map), implied: new(sync.Map), impliedSize: new(atomic.Int32),
	}
	for k := range kinds {
		v.byURL[k] = map[string][]*Item{}
	}
	for _, item := range stored {
		if s := item.System; s != nil && s.Content == "supplement" {
			url, _ := SplitCanonical(s.Supplements)
			v.supplements[url] = append(v.supplements[url], s)
		} else if s != nil && s.ValueSet != "" {
			v.whole[s.ValueSet] = s
		}
		of := v.byURL[item.Header.Kind]
		if url := item.Header.URL; url != "" {
			of[url] = append(of[url], item)
		}
	}
	for k := range v.byURL {
		for _, items := range v.byURL[k] {
			slices.SortFunc(items, func(a, b *Item) int {
				switch {
				case worse(a, b):
					return -1
				case worse(b, a):
					return 1
				}
				return strings.Compare(a.Header.ID, b.Header.ID)
			})
		}
	}
	for _, list := range v.supplements {
		slices.SortFunc(list, func(a, b *System) int { return strings.Compare(a.URL, b.URL) })
	}
	return v
}

// keep takes over the sets that old has worked out and that do not depend on what changed.
func (v *View) keep(old *View, touched map[string]bool) {
	old.sets.Range(func(key, value any) bool {
		set := value.(*Set)
		if touched[set.ValueSet.URL] {
			return true
		}
		for url := range set.depends {
			if touched[url] {
				return true
			}
		}
		v.sets.Store(key, value)
		return true
	})
}

// worse reports whether b is rather meant than a by a URL without a version: b has
// more content, or is a later version.
func worse(a, b *Item) bool {
	if x, y := weight(a.content()), weight(b.content()); x != y {
		return x < y
	}
	return older(a.Header.Version, b.Header.Version)
}

func (i *Item) content() string {
	if i.System == nil {
		return ""
	}
	return i.System.Content
}

// weight ranks CodeSystem.content by how much it can tell.
func weight(content string) int {
	switch content {
	case "not-present", "supplement":
		return 0
	case "example":
		return 1
	case "fragment":
		return 2
	}
	return 3
}

// find returns the item that url means, with a version or the latest.
func (v *View) find(k Kind, url, version string) *Item {
	stored := v.byURL[k][url]
	published := v.base.byURL[k][url]
	if version != "" {
		for i := len(stored) - 1; i >= 0; i-- {
			if stored[i].Header.Version == version {
				return stored[i]
			}
		}
		if published != nil && published.version == version {
			return v.base.load(published)
		}
		return nil
	}
	if len(stored) == 0 {
		if published == nil {
			return nil
		}
		return v.base.load(published)
	}
	best := stored[len(stored)-1]
	if published != nil {
		x, y := weight(best.content()), weight(published.content)
		if x < y || x == y && older(best.Header.Version, published.version) {
			return v.base.load(published)
		}
	}
	return best
}

// unknown says why a canonical means nothing here.
func (v *View) unknown(k Kind, url, version string) string {
	what := map[Kind]string{CodeSystemKind: "code system", ValueSetKind: "value set", ConceptMapKind: "concept map"}[k]
	if version == "" {
		return fmt.Sprintf("the %s %s is not known here", what, url)
	}
	var known []string
	for _, item := range v.byURL[k][url] {
		known = append(known, item.Header.Version)
	}
	if e := v.base.byURL[k][url]; e != nil {
		known = append(known, e.version)
	}
	if len(known) == 0 {
		return fmt.Sprintf("the %s %s is not known here", what, url)
	}
	return fmt.Sprintf("of the %s %s, version %s is not known here, only %s", what, url, version, strings.Join(known, ", "))
}

// system is System, with why there is none.
func (v *View) system(url, version string) (*System, string) {
	if url == "" {
		return nil, "no code system is named"
	}
	item := v.find(CodeSystemKind, url, version)
	if item == nil || weight(item.System.Content) == 0 {
		if make, ok := builtIn[url]; ok {
			return make(), ""
		}
	}
	if item == nil {
		return nil, v.unknown(CodeSystemKind, url, version)
	}
	if weight(item.System.Content) == 0 {
		return nil, fmt.Sprintf("the codes of the code system %s are not here (content: %s)", item.Header.Canonical(), item.System.Content)
	}
	return item.System, ""
}

// System returns the code system that url means; version "" asks for the latest.
// Errors: fhir.NotFound, with why.
func (v *View) System(url, version string) (*System, error) {
	s, why := v.system(url, version)
	if s == nil {
		return nil, fhir.Errorf(fhir.NotFound, "the code system is not known here").With("%s", why)
	}
	return s, nil
}

func (v *View) valueSet(url, version string) (*ValueSet, string) {
	if item := v.find(ValueSetKind, url, version); item != nil {
		return item.ValueSet, ""
	}
	if made, ok := v.implied.Load(url); ok {
		return made.(*ValueSet), ""
	}
	made := implicit(url)
	if s := v.whole[url]; s != nil {
		made = allOf(url, s.URL)
	}
	if made != nil && version == "" {
		if v.impliedSize.Add(1) <= maxImplied {
			v.implied.Store(url, made)
		}
		return made, ""
	}
	return nil, v.unknown(ValueSetKind, url, version)
}

// ValueSet returns the value set that url means. Errors: fhir.NotFound, with why.
func (v *View) ValueSet(url, version string) (*ValueSet, error) {
	found, why := v.valueSet(url, version)
	if found == nil {
		return nil, fhir.Errorf(fhir.NotFound, "the value set is not known here").With("%s", why)
	}
	return found, nil
}

// Map returns the concept map that url means. Errors: fhir.NotFound, with why.
func (v *View) Map(url, version string) (*Map, error) {
	if item := v.find(ConceptMapKind, url, version); item != nil {
		return item.Map, nil
	}
	return nil, fhir.Errorf(fhir.NotFound, "the concept map is not known here").With("%s", v.unknown(ConceptMapKind, url, version))
}

// Maps yields the concept maps that are known, the stored ones first.
func (v *View) Maps() iter.Seq[*Map] {
	return func(yield func(*Map) bool) {
		seen := map[string]bool{}
		for _, url := range slices.Sorted(keys(v.byURL[ConceptMapKind])) {
			seen[url] = true
			if !yield(v.find(ConceptMapKind, url, "").Map) {
				return
			}
		}
		for _, url := range slices.Sorted(keys(v.base.byURL[ConceptMapKind])) {
			if !seen[url] && !yield(v.base.load(v.base.byURL[ConceptMapKind][url]).Map) {
				return
			}
		}
	}
}

func keys[V any](m map[string]V) iter.Seq[string] {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// ByID returns what is stored at ref, or, where nothing is, the resource of the
// base content with that id. Errors: fhir.NotFound.
func (v *View) ByID(ref fhir.Ref) (*Item, error) {
	if item := v.stored[ref.Current()]; item != nil {
		return item, nil
	}
	if k, ok := KindOf(ref.Type); ok {
		if e := v.base.byID[k][ref.ID]; e != nil {
			return v.base.load(e), nil
		}
	}
	return nil, fhir.Errorf(fhir.NotFound, "there is no %s with this id", ref.Type)
}

// Base yields the canonical URLs of the base content of one kind, sorted.
func (v *View) Base(k Kind) iter.Seq[string] {
	return slices.Values(slices.Sorted(keys(v.base.byURL[k])))
}

// Supplements returns what supplements of a code system say of a code: further
// designations.
func (v *View) Supplements(c Concept) []Designation {
	var all []Designation
	for _, s := range v.supplements[c.System.URL] {
		if _, version := SplitCanonical(s.Supplements); version != "" && version != c.System.Version {
			continue
		}
		if more, ok := s.Find(c.Code()); ok {
			for d := range more.Designations() {
				all = append(all, d)
			}
		}
	}
	return all
}

// Systems yields the URLs of the code systems of which codes are known, sorted, each
// with its versions, the one that is meant by the URL alone first.
func (v *View) Systems() iter.Seq2[string, []string] {
	urls := map[string]bool{}
	for url := range v.byURL[CodeSystemKind] {
		urls[url] = true
	}
	for url := range v.base.byURL[CodeSystemKind] {
		urls[url] = true
	}
	for url := range builtIn {
		urls[url] = true
	}
	return func(yield func(string, []string) bool) {
		for _, url := range slices.Sorted(keys(urls)) {
			if versions := v.versions(url); versions != nil && !yield(url, versions) {
				return
			}
		}
	}
}

// versions lists those of a code system of which codes are known, without building it.
func (v *View) versions(url string) []string {
	var items []*Item
	for _, item := range v.byURL[CodeSystemKind][url] {
		if weight(item.content()) > 0 {
			items = append(items, item)
		}
	}
	var all []string
	e := v.base.byURL[CodeSystemKind][url]
	published := e != nil && weight(e.content) > 0
	for _, item := range slices.Backward(items) { // the best first
		if x, y := weight(item.content()), 0; published {
			if y = weight(e.content); y > x || y == x && older(item.Header.Version, e.version) {
				all, published = append(all, e.version), false
			}
		}
		if !slices.Contains(all, item.Header.Version) {
			all = append(all, item.Header.Version)
		}
	}
	if published && !slices.Contains(all, e.version) {
		all = append(all, e.version)
	}
	if _, ok := builtIn[url]; ok && all == nil {
		return []string{""}
	}
	return all
}
