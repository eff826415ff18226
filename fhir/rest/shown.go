package rest

import (
	"bytes"
	"context"
	"sync"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
)

// local reports whether conditions can be tried on a resource by itself.
func local(where []search.Expr) bool {
	for _, e := range where {
		switch e := e.(type) {
		case search.And:
			if !local(e) {
				return false
			}
		case search.Or:
			if !local(e) {
				return false
			}
		case search.Not:
			if !local([]search.Expr{e.X}) {
				return false
			}
		case search.Match, search.IDs, search.Types, search.Updated:
		default:
			return false
		}
	}
	return true
}

// shown reads the current version of a resource, and tries local conditions on it.
// A deletion is told to those whom nothing but a label could have kept from it.
func (a *API) shown(ctx context.Context, ref fhir.Ref, where []search.Expr) (fhir.Resource, error) {
	res, err := a.Store.Read(ctx, ref)
	switch fhir.CodeOf(err) {
	case fhir.NotFound:
		return fhir.Resource{}, notFound(ref) // in the same words as for what is hidden
	case fhir.Gone:
	default:
		if err != nil {
			return fhir.Resource{}, err
		}
	}
	ok := false
	if err != nil {
		ok, _ = search.Holds(search.And(where), &search.Subject{Ref: ref, Updated: res.Updated, Index: new(search.Index)})
	} else {
		ok = a.meets(&res, where)
	}
	if !ok {
		return fhir.Resource{}, notFound(ref)
	}
	return res, err
}

// meets reports whether nothing that can be told from res alone speaks against it:
// conditions that need other resources are passed over.
func (a *API) meets(res *fhir.Resource, where []search.Expr) bool {
	if unlabelled(where, res.JSON) {
		return true
	}
	doc, _ := docs.Get().(*element.Doc)
	defer docs.Put(doc)
	if err := doc.Parse(res.JSON, element.Limits{}); err != nil {
		return false
	}
	index, err := a.stored(res, doc)
	if err != nil {
		return false
	}
	s := &search.Subject{Ref: res.Ref.Current(), Updated: res.Updated, Index: &index}
	for _, e := range where {
		if ok, known := try(e, s); known && !ok {
			return false
		}
	}
	return true
}

var docs = sync.Pool{New: func() any { return new(element.Doc) }}

// unlabelled answers the commonest case without parsing: all that is asked is that
// a resource lacks certain labels, and their codes occur nowhere in it. A code that
// is written with escapes does not look like itself, so a backslash settles nothing.
func unlabelled(where []search.Expr, json []byte) bool {
	for _, e := range where {
		not, ok := e.(search.Not)
		if !ok {
			return false
		}
		m, ok := not.X.(search.Match)
		if !ok || m.Param.Type != spec.Token || m.Modifier != "" {
			return false
		}
		for i := range m.Values {
			_, code, bar := bytes.Cut([]byte(m.Values[i].Raw), []byte("|"))
			if !bar || len(code) == 0 || bytes.Contains(json, code) {
				return false
			}
		}
	}
	return bytes.IndexByte(json, '\\') < 0 || !bytes.Contains(json, []byte(`\u`))
}

// try tries a condition on a resource by itself. It reports whether it holds, and
// whether that is known.
func try(e search.Expr, s *search.Subject) (holds, known bool) {
	switch e := e.(type) {
	case search.And:
		known = true
		for _, part := range e {
			ok, sure := try(part, s)
			if sure && !ok {
				return false, true
			}
			known = known && sure
		}
		return true, known
	case search.Or:
		known = true
		for _, part := range e {
			ok, sure := try(part, s)
			if sure && ok {
				return true, true
			}
			known = known && sure
		}
		return false, known
	case search.Not:
		ok, sure := try(e.X, s)
		return !ok, sure
	}
	ok, err := search.Holds(e, s)
	return ok, err == nil
}
