package document

import (
	"context"
	"slices"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
)

// mostReason is how many bytes the reason of a void has at most.
const mostReason = 4000

// void answers $void: it marks a signed document as entered in error. The Composition with
// all its versions, the Bundle and its signatures stay, and a Provenance says who did it,
// when and why. An author may, or a system in whose charge the document is.
//
// Parameters: reason, text.
func (s *service) void(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if _, err := understood(call, "reason"); err != nil {
		return nil, err
	}
	reason, err := needed(call, "reason", "why the document is withdrawn")
	if err != nil {
		return nil, err
	}
	if len(reason) > mostReason {
		return nil, fhir.Errorf(fhir.Invalid, "the reason has %d bytes at most", mostReason)
	}
	c, err := s.composition(ctx, call)
	if err != nil {
		return nil, err
	}
	d, err := element.Parse(c.JSON)
	if err != nil {
		return nil, err
	}
	id, signed := signedIn(d)
	if !signed {
		return nil, refused(fhir.Conflict, "the document is not signed", "update it with the status entered-in-error")
	}
	if text(d, 0, "status") == "entered-in-error" {
		return nil, refused(fhir.Conflict, "the document is void already", "nothing is left to do")
	}
	who, err := s.voids(ctx, call, d)
	if err != nil {
		return nil, err
	}
	e := d.Edit(0)
	set(e, d, 0, "status", `"entered-in-error"`)
	after := fhir.Ref{Type: "Composition", ID: call.ID, Version: c.Ref.Version + 1}
	provenance := fhir.Ref{Type: "Provenance", ID: s.NewID()}
	why := object{
		"reason":   []object{{"text": reason}},
		"activity": coded("http://terminology.hl7.org/CodeSystem/v3-DataOperation", "NULLIFY", "nullify"),
	}
	about := []fhir.Ref{after, {Type: "Bundle", ID: id}}
	err = s.write(ctx, call,
		change{bundle.Update, after.Current(), e.AppendTo(nil), c.Ref.Version},
		change{bundle.Create, provenance, s.provenance(call, id, about, who, nil, why), 0})
	if err != nil {
		return nil, err
	}
	return signedAnswer(&pending{Composition: call.ID, BundleID: id}, provenance), nil
}

// voids returns who voids a document, "" for a system. Errors: fhir.Forbidden for a person
// who is not among its authors.
func (s *service) voids(ctx context.Context, call *operation.Call, d *element.Doc) (string, error) {
	user := call.Caller.User.Current()
	if user.ID == "" {
		return "", nil
	}
	writers := authors(d, call.Base)
	ref, err := s.same(ctx, call, writers, user)
	if err == nil && !slices.Contains(writers, ref) {
		err = fhir.Errorf(fhir.Forbidden, "only an author withdraws a document, and you are none of this one")
	}
	return user.String(), err
}
