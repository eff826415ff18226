package document

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/spec"
)

// mostResources is how many resources a document has at most.
const mostResources = 2000

// link is a reference within the Composition.
type link struct{ path, reference string }

// links returns the references of a Composition whose resources must be in the document,
// in the order in which they stand.
//
// See https://hl7.org/fhir/R4/documents.html#content.
func links(d *element.Doc) []link {
	var all []link
	add := func(path string, n element.Node) {
		if reference := d.TextAt(n, "reference"); reference != "" && reference[0] != '#' {
			all = append(all, link{path, reference})
		}
	}
	each := func(path string, n element.Node, name string, f func(string, element.Node)) {
		i := 0
		for item := range d.Items(n, name) {
			f(path+"."+name+"["+strconv.Itoa(i)+"]", item)
			i++
		}
	}
	one := func(path string, n element.Node, name string) { add(path+"."+name, d.Get(n, name)) }
	const root = "Composition"
	one(root, 0, "subject")
	one(root, 0, "encounter")
	each(root, 0, "author", add)
	each(root, 0, "attester", func(path string, n element.Node) { one(path, n, "party") })
	one(root, 0, "custodian")
	each(root, 0, "event", func(path string, n element.Node) { each(path, n, "detail", add) })
	var section func(path string, n element.Node)
	section = func(path string, n element.Node) {
		each(path, n, "author", add)
		one(path, n, "focus")
		each(path, n, "entry", add)
		each(path, n, "section", section)
	}
	each(root, 0, "section", section)
	return all
}

// brought are the types that come along when what must be in a document refers to them:
// the people, places and things without which it cannot be read, and the results that a
// report is made of. R4 allows others, which could draw in a whole record.
var brought = []string{
	"Practitioner", "PractitionerRole", "Organization", "Location", "HealthcareService", "RelatedPerson",
	"Medication", "Substance", "Specimen", "Device", "Observation", "Encounter",
}

// assembly gathers the resources of one document.
type assembly struct {
	s    *service
	call *operation.Call
	have map[fhir.Ref]bool
	all  []fhir.Resource // behind the Composition, in order
	size int64

	// Absent are references of what is in the document to what is not, because it is not
	// there or not shown to the caller. That is allowed; the Composition itself has none.
	absent []string
}

// assemble returns the resources of the document of a Composition, which is at home at ref.
// Errors: fhir.Unprocessable when the Composition refers to what the document cannot have.
func (s *service) assemble(ctx context.Context, call *operation.Call, ref fhir.Ref, composition *element.Doc) (*assembly, error) {
	a := &assembly{s: s, call: call, have: map[fhir.Ref]bool{ref.Current(): true}}
	var refs []fhir.Ref
	paths := map[fhir.Ref]string{}
	for _, l := range links(composition) {
		at, ok := a.local(l.reference)
		if !ok {
			return nil, fhir.Errorf(fhir.Unprocessable, "a document holds all that its Composition refers to, and this is not on this server").
				With("it refers to %.200q", l.reference).At(l.path)
		}
		if paths[at] == "" {
			paths[at] = l.path
			refs = append(refs, at)
		}
	}
	missing, err := a.load(ctx, refs)
	if err != nil {
		return nil, err
	}
	if len(missing) > 0 {
		return nil, fhir.Errorf(fhir.Unprocessable, "a document holds all that its Composition refers to, and this is not there, or not shown to you, or not in that version").
			With("%s: there is no %s to put into the document", paths[missing[0]], missing[0]).At(paths[missing[0]])
	}
	for next := 0; next < len(a.all); {
		more := a.further(a.all[next:])
		next = len(a.all)
		missing, err := a.load(ctx, more)
		if err != nil {
			return nil, err
		}
		for _, ref := range missing {
			a.absent = append(a.absent, ref.String())
		}
	}
	return a, nil
}

// local reads a reference to a resource of this server.
func (a *assembly) local(reference string) (fhir.Ref, bool) {
	ref, ok := fhir.ParseRef(strings.TrimPrefix(reference, a.call.Base+"/"))
	return ref, ok && spec.IsResource(ref.Type)
}

// further returns what resources refer to and is to come along.
func (a *assembly) further(of []fhir.Resource) []fhir.Ref {
	var refs []fhir.Ref
	for i := range of {
		d, err := element.Parse(of[i].JSON)
		if err != nil {
			continue // it is stored, so it is JSON
		}
		for n := element.Node(0); int(n) < d.Len(); n++ {
			if d.Kind(n) != element.String || string(d.Name(n)) != "reference" {
				continue
			}
			ref, ok := a.local(d.Text(n))
			if ok && slices.Contains(brought, ref.Type) && !a.have[ref.Current()] && !slices.Contains(refs, ref) {
				refs = append(refs, ref)
			}
		}
	}
	return refs
}

// load adds refs, and returns those that it cannot add.
func (a *assembly) load(ctx context.Context, refs []fhir.Ref) (missing []fhir.Ref, err error) {
	for part := range slices.Chunk(refs, 200) {
		current := make([]fhir.Ref, len(part))
		for i, ref := range part {
			current[i] = ref.Current()
		}
		found, err := a.s.find(ctx, a.call.Restriction, current...)
		if err != nil {
			return nil, err
		}
		for _, ref := range part {
			r, ok := found[ref.Current()]
			switch {
			case !ok || ref.Version != 0 && ref.Version != r.Ref.Version:
				missing = append(missing, ref)
				continue
			case a.have[ref.Current()]:
				continue
			}
			a.have[ref.Current()] = true
			a.all = append(a.all, r)
			a.size += int64(len(r.JSON))
		}
		if len(a.all) > mostResources || a.call.MaxBytes > 0 && a.size > a.call.MaxBytes {
			return nil, fhir.Errorf(fhir.TooCostly, "the document would be too large: more than %d resources, or %d bytes", mostResources, a.call.MaxBytes)
		}
	}
	return missing, nil
}

// bundle writes the document, with the Composition in JSON first.
//
// See https://hl7.org/fhir/R4/documents.html#bundle.
func (a *assembly) bundle(identifier string, at time.Time, ref fhir.Ref, composition []byte) []byte {
	b := append([]byte(nil), `{"resourceType":"Bundle","identifier":{"system":"urn:ietf:rfc:3986","value":"urn:uuid:`...)
	b = append(append(b, identifier...), `"},"type":"document","timestamp":"`...)
	b = append(at.UTC().AppendFormat(b, fhir.InstantLayout), `","entry":[`...)
	b = a.entry(b, ref, composition)
	for i := range a.all {
		b = append(b, ',')
		b = a.entry(b, a.all[i].Ref, a.all[i].JSON)
	}
	return append(b, "]}"...)
}

func (a *assembly) entry(b []byte, ref fhir.Ref, json []byte) []byte {
	b = append(b, `{"fullUrl":`...)
	b = element.Quote(b, a.call.Base+"/"+ref.Current().String())
	b = append(b, `,"resource":`...)
	return append(append(b, json...), '}')
}

// document answers $document: the signed document where there is one, else what it would
// be now. persist=true stores it as the caller, as a Bundle like any other.
//
// See https://hl7.org/fhir/R4/composition-operation-document.html.
func (s *service) document(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	persist, err := understood(call, "persist", "id")
	if err != nil {
		return nil, err
	}
	c, err := s.composition(ctx, call)
	if err != nil {
		return nil, err
	}
	if id, signed := Signed(c.JSON); signed {
		b, err := s.signedBundle(ctx, call, id)
		return &operation.Answer{JSON: b.JSON}, err
	}
	d, err := element.Parse(c.JSON)
	if err != nil {
		return nil, err
	}
	a, err := s.assemble(ctx, call, c.Ref, d)
	if err != nil {
		return nil, err
	}
	b := a.bundle(uuidOf(s.NewID()), s.Now(), c.Ref, c.JSON)
	if !persist {
		return &operation.Answer{JSON: b}, nil
	}
	return s.persist(ctx, call, b)
}

// signedBundle returns the signed document itself.
func (s *service) signedBundle(ctx context.Context, call *operation.Call, id string) (fhir.Resource, error) {
	ref := fhir.Ref{Type: "Bundle", ID: id}
	found, err := s.find(ctx, call.Restriction, ref)
	if err == nil && len(found) == 0 {
		err = fhir.Errorf(fhir.NotFound, "the signed document is not there, or not shown to you")
	}
	return found[ref], err
}

// persist stores a document as the caller, and returns it as it is stored.
func (s *service) persist(ctx context.Context, call *operation.Call, document []byte) (*operation.Answer, error) {
	out, err := call.Send(ctx, []byte(`{"resourceType":"Bundle","type":"transaction","entry":[{"resource":`+string(document)+`,"request":{"method":"POST","url":"Bundle"}}]}`))
	if err != nil {
		return nil, err
	}
	d, err := element.Parse(out)
	if err != nil {
		return nil, err
	}
	for e := range d.Items(0, "entry") {
		location := d.TextAt(d.Get(e, "response"), "location")
		ref, ok := fhir.ParseRef(strings.TrimPrefix(location, call.Base+"/"))
		if !ok {
			break
		}
		r, err := s.signedBundle(ctx, call, ref.ID)
		return &operation.Answer{JSON: r.JSON, Status: 201}, err
	}
	return nil, fhir.Errorf(fhir.Conflict, "the document was not stored")
}
