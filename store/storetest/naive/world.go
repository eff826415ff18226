package naive

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// World is all resources of a server, each in its current version.
type World struct {
	Base string // the server's base URL; references below it are local
	Now  int64  // microseconds since 1970 UTC, what ap is near to

	all    []*Resource
	byType map[string][]*Resource
	byRef  map[string]*Resource              // by Type/id
	back   map[*Param]map[string][]*Resource // who refers to a Type/id by a parameter
}

// Resource is one of them.
type Resource struct {
	Type, ID string
	JSON     map[string]any // numbers are json.Number
	Updated  int64          // microseconds since 1970 UTC
	Text     string         // the JSON as it came, without meta.lastUpdated

	values map[*Param][]value
}

// Ref returns Type/id.
func (r *Resource) Ref() string { return r.Type + "/" + r.ID }

// NewWorld returns a World without resources.
func NewWorld(base string, now int64) *World {
	return &World{Base: base, Now: now, byType: map[string][]*Resource{}, byRef: map[string]*Resource{}, back: map[*Param]map[string][]*Resource{}}
}

// Add adds a resource as a server returned it.
func (w *World) Add(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	r := &Resource{values: map[*Param][]value{}}
	if err := d.Decode(&r.JSON); err != nil {
		return err
	}
	r.Type, r.ID = text1(r.JSON["resourceType"]), text1(r.JSON["id"])
	meta, _ := r.JSON["meta"].(map[string]any)
	updated := text1(meta["lastUpdated"])
	at, ok := parseInterval(updated)
	if !ok || r.Type == "" || r.ID == "" {
		return fmt.Errorf("no type, id or meta.lastUpdated in %.200s", text)
	}
	r.Updated = at.lo
	r.Text = strings.Replace(string(text), updated, "", 1)
	if w.byRef[r.Ref()] != nil {
		return fmt.Errorf("%s comes twice", r.Ref())
	}
	w.all = append(w.all, r)
	w.byType[r.Type] = append(w.byType[r.Type], r)
	w.byRef[r.Ref()] = r
	return nil
}

// Len is the number of resources.
func (w *World) Len() int { return len(w.all) }

// Get returns the resource at Type/id; nil when there is none.
func (w *World) Get(ref string) *Resource { return w.byRef[ref] }

// Differences lists the resources that are not the same in v, but for their times.
func (w *World) Differences(v *World) []string {
	var all []string
	for _, r := range w.all {
		if s := v.byRef[r.Ref()]; s == nil || s.Text != r.Text {
			all = append(all, r.Ref())
		}
	}
	for _, s := range v.all {
		if w.byRef[s.Ref()] == nil {
			all = append(all, s.Ref())
		}
	}
	return all
}

// of returns the resources of a type; all when it is "".
func (w *World) of(typ string) []*Resource {
	if typ == "" {
		return w.all
	}
	return w.byType[typ]
}

func text1(v any) string {
	s, _ := v.(string)
	return s
}

func object(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

// items returns v as a list: of its items, of itself, or of nothing.
func items(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	}
	return []any{v}
}

// walk returns what stands at a path of member names. A name may end in [member=text],
// which keeps only the items that have it.
func walk(from []any, path string) []any {
	if path == "" {
		return from
	}
	step, rest, _ := strings.Cut(path, ".")
	name, filter, filtered := strings.Cut(strings.TrimSuffix(step, "]"), "[")
	member, want, _ := strings.Cut(filter, "=")
	var next []any
	for _, v := range from {
		for _, item := range items(object(v)[name]) {
			if item != nil && (!filtered || text1(object(item)[member]) == want) {
				next = append(next, item)
			}
		}
	}
	return walk(next, rest)
}

// texts returns the strings at a path.
func texts(v any, path string) []string {
	var all []string
	for _, s := range walk([]any{v}, path) {
		if s := text1(s); s != "" {
			all = append(all, s)
		}
	}
	return all
}

// local returns Type/id of a reference to a resource of this server, whatever its
// version; "" for any other.
func (w *World) local(reference string) string {
	reference = strings.TrimPrefix(reference, w.Base+"/")
	parts := strings.Split(reference, "/")
	if len(parts) == 4 && parts[2] == "_history" {
		parts = parts[:2]
	}
	if len(parts) != 2 || !slices.Contains(resourceTypes, parts[0]) {
		return ""
	}
	return parts[0] + "/" + parts[1]
}
