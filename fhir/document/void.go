package document

import (
	"context"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
)

// mostReason is how many bytes the reason of a void has at most.
const mostReason = 4000

// void answers $void: it marks a signed document as entered in error. The Composition with
// all its versions, the Bundle and its signatures stay, and a Provenance says who did it,
// when and why. An author may, or a system in whose charge the document is: see charged.
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
	if d.TextAt(0, "status") == "entered-in-error" {
		return nil, refused(fhir.Conflict, "the document is void already", "nothing is left to do")
	}
	who, err := s.voids(ctx, call, d)
	if err != nil {
		return nil, err
	}
	e := d.Edit(0)
	e.Set(0, "status", `"entered-in-error"`)
	after := fhir.Ref{Type: "Composition", ID: call.ID, Version: c.Ref.Version + 1}
	provenance := fhir.Ref{Type: "Provenance", ID: s.NewID()}
	why := compose.Object{
		"reason":   []compose.Object{{"text": reason}},
		"activity": coded("http://terminology.hl7.org/CodeSystem/v3-DataOperation", "NULLIFY", "nullify"),
	}
	about := []fhir.Ref{after, {Type: "Bundle", ID: id}}
	err = s.write(ctx, call, nil,
		change{bundle.Update, after.Current(), e.AppendTo(nil), c.Ref.Version},
		change{bundle.Create, provenance, s.provenance(call, id, about, who, nil, why), 0})
	if err != nil {
		return nil, err
	}
	return signedAnswer(&pending{Composition: call.ID, BundleID: id}, provenance), nil
}

// voids returns who voids a document, "" for a system. Errors: fhir.Forbidden for a person
// who is not among its authors, and for a system that has no charge of it.
func (s *service) voids(ctx context.Context, call *operation.Call, d *element.Doc) (string, error) {
	user := call.Caller.User.Current()
	if user.ID == "" {
		return "", s.charged(ctx, call, d)
	}
	writers := authors(d, call.Base)
	ref, err := s.same(ctx, call, writers, user)
	if err == nil && !slices.Contains(writers, ref) {
		err = fhir.Errorf(fhir.Forbidden, "only an author withdraws a document, and you are none of this one")
	}
	return user.String(), err
}

// charged refuses a system that a document is not in the charge of: that of an
// establishment has the documents of which that is the custodian, and only those whom
// the configuration names have all of them.
func (s *service) charged(ctx context.Context, call *operation.Call, d *element.Doc) error {
	org := call.Caller.Org
	if org == "" && slices.ContainsFunc(s.Registrars, func(role string) bool { return slices.Contains(call.Caller.Roles, role) }) {
		return nil
	}
	custodian, ok := fhir.ParseRef(strings.TrimPrefix(d.TextAt(d.Get(0, "custodian"), "reference"), call.Base+"/"))
	if ok && org != "" {
		found, err := s.find(ctx, call.Restriction, custodian.Current())
		if err != nil {
			return err
		}
		if r, ok := found[custodian.Current()]; ok {
			o, err := element.Parse(r.JSON)
			if err != nil {
				return err
			}
			for id := range o.Items(0, "identifier") {
				if o.TextAt(id, "system") == s.PlaceSystem && o.TextAt(id, "value") == org {
					return nil
				}
			}
		}
	}
	return fhir.Errorf(fhir.Forbidden, "an author withdraws a document, or a system of the establishment that is its custodian: say who does it, by a token of that person")
}
