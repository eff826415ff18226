package record

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
)

// most is how many resources of a kind, or of one document, are looked at.
const most = 500

// read returns a resource as far as the caller may see it. Errors: fhir.NotFound.
func (s *service) read(ctx context.Context, call *operation.Call, ref fhir.Ref) (fhir.Resource, error) {
	found, err := s.resources(ctx, call, []fhir.Ref{ref})
	if err == nil && len(found) == 0 {
		err = fhir.Errorf(fhir.NotFound, "no such resource").With("%s is not known", ref)
	}
	if err != nil {
		return fhir.Resource{}, err
	}
	return found[0], nil
}

// resources returns those of refs that the caller may see, in no order.
func (s *service) resources(ctx context.Context, call *operation.Call, refs []fhir.Ref) ([]fhir.Resource, error) {
	ids := map[string][]string{}
	for _, ref := range refs {
		ids[ref.Type] = append(ids[ref.Type], ref.ID)
	}
	var any search.Or
	for _, typ := range slices.Sorted(maps.Keys(ids)) {
		any = append(any, search.And{search.Types{Any: []string{typ}}, search.IDs{Any: ids[typ]}})
	}
	if len(any) == 0 {
		return nil, nil
	}
	found, err := s.Store.Search(ctx, &search.Query{Where: []search.Expr{any}, Count: len(refs), Restriction: call.Restriction})
	if err != nil {
		return nil, err
	}
	return found.Matches, nil
}

// find searches for what the caller may see.
func (s *service) find(ctx context.Context, call *operation.Call, typ string, params ...search.Param) ([]fhir.Resource, error) {
	q, err := search.Parse(typ, params, search.Options{Base: call.Base, Catalogue: call.Search.Catalogue, DefaultCount: most, MaxCount: most})
	if err != nil {
		return nil, err
	}
	q.Restriction = call.Restriction
	found, err := s.Store.Search(ctx, q)
	if err != nil {
		return nil, err
	}
	return found.Matches, nil
}

// gathered makes a document of a Composition that is not signed and what it refers to,
// as far as that is here and the caller may see it. It is for showing, not for signing:
// what is not there leaves a gap.
func (s *service) gathered(ctx context.Context, call *operation.Call, composition fhir.Resource) ([]byte, error) {
	all := []fhir.Resource{composition}
	have := map[fhir.Ref]bool{composition.Ref.Current(): true}
	for range 3 { // a section's entry, its Medication or role, the professional of that
		refs, err := wanted(call.Base, all, have)
		if err != nil {
			return nil, err
		}
		for len(refs) > 0 && len(all) < most {
			part := refs[:min(len(refs), 100)]
			refs = refs[len(part):]
			found, err := s.resources(ctx, call, part)
			if err != nil {
				return nil, err
			}
			all = append(all, found...)
		}
	}
	return asDocument(call.Base, all), nil
}

// wanted returns what resources refer to and is not there yet. What there is of a
// patient beside what the document names does not belong to it.
func wanted(base string, all []fhir.Resource, have map[fhir.Ref]bool) ([]fhir.Ref, error) {
	var refs []fhir.Ref
	for i := range all {
		doc, err := element.Parse(all[i].JSON)
		if err != nil {
			return nil, err
		}
		for n := element.Node(0); int(n) < doc.Len(); n++ {
			if doc.Kind(n) != element.String || string(doc.Name(n)) != "reference" {
				continue
			}
			ref, ok := fhir.ParseRef(strings.TrimPrefix(doc.Text(n), base+"/"))
			ref = ref.Current()
			if ok && !have[ref] && spec.IsResource(ref.Type) && (i == 0 || needed[ref.Type]) {
				have[ref] = true
				refs = append(refs, ref)
			}
		}
	}
	return refs, nil
}

// needed are the types without which what refers to them cannot be read.
var needed = map[string]bool{"Practitioner": true, "Organization": true, "Medication": true, "Observation": true, "Location": true}

// asDocument writes a document Bundle of resources, the Composition first.
func asDocument(base string, all []fhir.Resource) []byte {
	b := []byte(`{"resourceType":"Bundle","type":"document","entry":[`)
	for i := range all {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"fullUrl":`...)
		b = element.Quote(b, base+"/"+all[i].Ref.Current().String())
		b = append(b, `,"resource":`...)
		b = append(append(b, all[i].JSON...), '}')
	}
	return append(b, "]}"...)
}

// endsIn reports whether a reference, relative or absolute, of any version, leads to ref.
func endsIn(reference string, ref fhir.Ref) bool {
	reference, _, _ = strings.Cut(reference, "/_history/")
	name := ref.Current().String()
	return reference == name || strings.HasSuffix(reference, "/"+name)
}
