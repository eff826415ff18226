package document

import (
	"context"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/document/sign"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
)

// authors returns the authors of a Composition.
func authors(d *element.Doc, base string) []fhir.Ref {
	var all []fhir.Ref
	for a := range d.Items(0, "author") {
		if ref, ok := fhir.ParseRef(strings.TrimPrefix(d.TextAt(a, "reference"), base+"/")); ok {
			all = append(all, ref.Current())
		}
	}
	return all
}

// signatory returns who signs a Composition in a capacity: who the caller says, else the
// caller, else the one author. An author's signature is by an author; and a caller who is
// a person signs as themselves. A system that calls for somebody names nobody else than
// the certificate proves.
func (s *service) signatory(ctx context.Context, call *operation.Call, composition *element.Doc, purpose string) (fhir.Ref, error) {
	writers := authors(composition, call.Base)
	said, err := call.In.Text("who")
	if err != nil {
		return fhir.Ref{}, err
	}
	user := call.Caller.User.Current()
	var who fhir.Ref
	switch {
	case said != "":
		var ok bool
		if who, ok = fhir.ParseRef(strings.TrimPrefix(said, call.Base+"/")); !ok || !slices.Contains([]string{"Practitioner", "PractitionerRole", "Organization", "RelatedPerson", "Patient"}, who.Type) {
			return who, fhir.Errorf(fhir.Invalid, "the parameter who is a reference to who signs, such as Practitioner/1").With("it is %.200q", said)
		}
		who = who.Current()
	case purpose == sign.Author && len(writers) == 1:
		who = writers[0]
	case user.ID != "":
		if who, err = s.same(ctx, call, writers, user); err != nil {
			return who, err
		}
	default:
		return who, fhir.Errorf(fhir.Invalid, "the parameter who must say who signs")
	}
	if (purpose == sign.Author || purpose == sign.CoAuthor) && !slices.Contains(writers, who) {
		return who, fhir.Errorf(fhir.Unprocessable, "an author's signature is that of an author of the document").
			With("%s is not among its authors", who).At("Composition.author")
	}
	return who, s.allowed(ctx, call, who)
}

// same returns that of refs which is user, as a person or in a role; user when none is.
func (s *service) same(ctx context.Context, call *operation.Call, refs []fhir.Ref, user fhir.Ref) (fhir.Ref, error) {
	for _, ref := range refs {
		person, err := s.person(ctx, call, ref)
		if err != nil {
			return ref, err
		}
		if person == user {
			return ref, nil
		}
	}
	return user, nil
}

// allowed refuses that a person signs as somebody else.
func (s *service) allowed(ctx context.Context, call *operation.Call, who fhir.Ref) error {
	user := call.Caller.User.Current()
	if user.ID == "" || who.Type == "Organization" { // a system; the seal of an establishment
		return nil
	}
	person, err := s.person(ctx, call, who)
	if err == nil && person != user {
		err = fhir.Errorf(fhir.Forbidden, "you sign as yourself, and who signs here is somebody else").With("who signs is %s, and you are %s", who, user)
	}
	return err
}

// person returns the person whom ref is: that of a PractitionerRole, else ref.
func (s *service) person(ctx context.Context, call *operation.Call, ref fhir.Ref) (fhir.Ref, error) {
	if ref.Type != "PractitionerRole" {
		return ref, nil
	}
	found, err := s.find(ctx, call.Restriction, ref)
	if err != nil {
		return ref, err
	}
	d, err := element.Parse(found[ref].JSON)
	if err != nil {
		return ref, nil // it is not there
	}
	if person, ok := fhir.ParseRef(strings.TrimPrefix(d.TextAt(d.Get(0, "practitioner"), "reference"), call.Base+"/")); ok {
		return person.Current(), nil
	}
	return ref, nil
}

// codes returns the CURPs and RFCs of who signs.
func (s *service) codes(ctx context.Context, call *operation.Call, who fhir.Ref) ([]string, error) {
	person, err := s.person(ctx, call, who)
	if err != nil {
		return nil, err
	}
	found, err := s.find(ctx, call.Restriction, person)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	d, err := element.Parse(found[person].JSON)
	if err != nil {
		return nil, err
	}
	return s.codesIn(d, 0), nil
}

// codesIn returns the identifiers of the resource at n by which a certificate names it.
func (s *service) codesIn(d *element.Doc, n element.Node) []string {
	var all []string
	for id := range d.Items(n, "identifier") {
		if value := d.TextAt(id, "value"); value != "" && slices.Contains(s.PersonSystems, d.TextAt(id, "system")) {
			all = append(all, value)
		}
	}
	return all
}
