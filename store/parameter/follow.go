package parameter

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
)

// stored is a SearchParameter resource as it is stored.
type stored struct {
	id      string
	version int64
	doc     *element.Doc // nil when it was deleted, or never was
}

// read returns those resources with ids of which d does not know the current
// version, and those that had a problem: what was in their way may be gone.
func (r *Registry) read(ctx context.Context, d *document, ids []string) ([]stored, error) {
	again := map[string]bool{}
	for id, s := range d.Sources {
		if s.Problem != "" {
			again[id] = true
			ids = append(ids[:len(ids):len(ids)], id)
		}
	}
	var all []stored
	fresh := false
	seen := map[string]bool{}
	for _, id := range ids {
		if seen[id] {
			continue
		}
		seen[id] = true
		resource, err := r.store.Read(ctx, fhir.Ref{Type: resourceType, ID: id})
		s := stored{id: id, version: resource.Ref.Version}
		switch code := fhir.CodeOf(err); {
		case code == fhir.NotFound || code == fhir.Gone:
		case err != nil:
			return nil, err
		default:
			if s.doc, err = element.Parse(resource.JSON); err != nil {
				return nil, fmt.Errorf("the stored SearchParameter %s: %w", id, err)
			}
		}
		old, known := d.Sources[id]
		moved := !known && s.doc != nil || known && old.Version != s.version
		if moved || again[id] {
			all = append(all, s)
		}
		fresh = fresh || moved
	}
	if !fresh {
		return nil, nil
	}
	slices.SortStableFunc(all, func(a, b stored) int { return components(a.doc) - components(b.doc) })
	return all, nil
}

// components counts the parts of a composite parameter, so that it comes after those
// that it is made of.
func components(d *element.Doc) (n int) {
	if d == nil {
		return 0
	}
	list := d.Get(0, "component")
	if list == element.None || d.Kind(list) != element.Array {
		return 0
	}
	for c := d.First(list); c != element.None; c = d.Next(list, c) {
		n++
	}
	return n
}

// follow makes d what resources say. What goes is taken out before anything comes,
// since a new one may have the code of an old one.
func (d *document) follow(resources []stored, stamp int64) error {
	for i := range resources {
		s := &resources[i]
		if !active(s.doc) {
			d.drop(s.id, nil, stamp)
		}
	}
	for i := range resources {
		s := &resources[i]
		now := source{Version: s.version}
		params, err := d.defined(s.doc, s.id)
		var fault *fhir.Error
		if errors.As(err, &fault) {
			now.Problem = fault.Error()
			if fault.Diagnostics != "" {
				now.Problem += ": " + fault.Diagnostics
			}
		} else if err != nil {
			return err
		}
		var bases []string
		for j := range params {
			bases = append(bases, params[j].Base)
			d.put(recordOf(&params[j], s.id), stamp)
		}
		d.drop(s.id, bases, stamp)
		d.Sources[s.id] = now
	}
	return nil
}

// active reports whether a SearchParameter is to be searched by.
func active(d *element.Doc) bool { return d != nil && text(d, "status") == "active" }

func text(d *element.Doc, name string) string {
	n := d.Get(0, name)
	if n == element.None || d.Kind(n) != element.String {
		return ""
	}
	return d.Text(n)
}

// defined returns the parameters that a resource adds, with their numbers: none when
// it is not active, or defines what R4 has already. Errors are *fhir.Error, and name
// the element at fault.
func (d *document) defined(resource *element.Doc, id string) ([]spec.SearchParam, error) {
	if !active(resource) || standard(resource) {
		return nil, nil
	}
	others := d.live(id)
	inOrder(others)
	c, err := search.Standard.With(others...)
	if err != nil {
		return nil, err
	}
	params, err := c.Define(resource, 0)
	if err != nil {
		return nil, err
	}
	added := make([]search.Added, len(params))
	next := d.Next
	for i := range params {
		if params[i].ID = d.id(id, params[i].Base); params[i].ID == d.Next {
			params[i].ID = next
			next++
		}
		if params[i].ID >= idsEnd {
			return nil, fhir.Errorf(fhir.Unprocessable, "this server has no number left for a search parameter").At(resourceType)
		}
		added[i].SearchParam = params[i]
	}
	if _, err := c.With(added...); err != nil {
		return nil, err
	}
	return params, nil
}

// standard reports whether a resource is the definition of a parameter of R4, or one
// that says of itself that it only narrows such a one, under the same code.
func standard(d *element.Doc) bool {
	if len(search.Standard.ByURL(text(d, "url"))) > 0 {
		return true
	}
	for _, p := range search.Standard.ByURL(text(d, "derivedFrom")) {
		if p.Code == text(d, "code") {
			return true
		}
	}
	return false
}

// Check returns what keeps a SearchParameter from being searched by, nothing for one
// that is not active.
func (r *Registry) Check(resource *element.Doc, root element.Node) []fhir.Issue {
	d, err := alone(resource, root)
	if err != nil {
		return nil // what cannot be read is refused by others
	}
	r.mu.Lock()
	now := *r.doc
	r.mu.Unlock()
	if now.Next == 0 {
		now.Next = search.FirstAdded
	}
	_, err = now.defined(d, text(d, "id"))
	var fault *fhir.Error
	if !errors.As(err, &fault) {
		return nil
	}
	return []fhir.Issue{{
		Severity: "error", Type: "business-rule", Rule: "search-parameter", Details: fault.Error(),
		Diagnostics: fault.Diagnostics, Expression: fault.Expression,
	}}
}

// alone returns a resource within a document as a document of its own.
func alone(d *element.Doc, root element.Node) (*element.Doc, error) {
	if root == 0 {
		return d, nil
	}
	return element.Parse(d.Raw(root))
}
