package referral

import (
	"context"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/identity"
	"github.com/amate-health/amate/fhir/search"
)

// place is an establishment.
type place struct {
	ref     fhir.Ref
	clues   string
	name    string
	address string
}

// line is p in a note.
func (p *place) line() string {
	said := []string{p.name}
	if p.clues != "" {
		said = append(said, "CLUES "+p.clues)
	}
	if p.address != "" {
		said = append(said, p.address)
	}
	return strings.Join(said, ", ")
}

func (p *place) reference() compose.Object {
	r := compose.Reference(p.ref)
	if p.name != "" {
		r["display"] = p.name
	}
	return r
}

func placeOf(ref fhir.Ref, d *element.Doc) *place {
	p := &place{ref: ref.Current(), name: d.TextAt(0, "name")}
	for id := range d.Items(0, "identifier") {
		if d.TextAt(id, "system") == identity.SystemCLUES {
			p.clues = strings.ToUpper(strings.TrimSpace(d.TextAt(id, "value")))
		}
	}
	for a := range d.Items(0, "address") {
		if p.address = d.TextAt(a, "text"); p.address != "" {
			break
		}
		var said []string
		if lines := d.Get(a, "line"); lines != element.None {
			for n := range d.Items(a, "line") {
				said = append(said, d.Text(n))
			}
		}
		for _, name := range []string{"city", "state", "postalCode"} {
			if v := d.TextAt(a, name); v != "" {
				said = append(said, v)
			}
		}
		p.address = strings.Join(said, ", ")
		break
	}
	return p
}

// place reads an Organization. Errors: fhir.NotFound.
func (s *service) place(ctx context.Context, only *search.Restriction, ref fhir.Ref) (*place, error) {
	_, d, err := s.one(ctx, only, ref)
	if err != nil {
		return nil, err
	}
	if d.TextAt(0, "active") == "false" {
		return nil, fhir.Errorf(fhir.Unprocessable, "the establishment is not active").With("%s", ref)
	}
	return placeOf(ref, d), nil
}

// placeBy finds an establishment by its CLUES; nil when there is none.
func (s *service) placeBy(ctx context.Context, only *search.Restriction, clues string) (*place, error) {
	value := strings.NewReplacer(`\`, `\\`, ",", `\,`, "|", `\|`, "$", `\$`).Replace(strings.ToUpper(strings.TrimSpace(clues)))
	found, err := s.find(ctx, only, "Organization", 10, search.Param{Name: "identifier", Value: identity.SystemCLUES + "|" + value})
	if err != nil {
		return nil, err
	}
	for i := range found {
		d, err := element.Parse(found[i].JSON)
		if err != nil {
			return nil, err
		}
		if d.TextAt(0, "active") != "false" {
			return placeOf(found[i].Ref, d), nil
		}
	}
	return nil, nil
}

// mine refuses a caller who does not act for an establishment. Without access control
// nobody is known, and everybody may.
func mine(call *operation.Call, p *place, what string) error {
	switch {
	case call.Caller.Roles == nil:
		return nil
	case call.Caller.Org == "":
		return fhir.Errorf(fhir.Forbidden, "you act for no establishment: a token that says for which is needed")
	case p.clues == "" || !strings.EqualFold(p.clues, call.Caller.Org):
		return fhir.Errorf(fhir.Forbidden, "this is for the establishment that %s the patient, and you act for another one", what)
	}
	return nil
}

// sending returns the establishment that the caller acts for: that of the visit, when
// there is one. Errors: fhir.Forbidden, fhir.Unprocessable.
func (s *service) sending(ctx context.Context, call *operation.Call, visit *element.Doc) (*place, error) {
	var p *place
	var err error
	if visit != nil {
		if ref, ok := local(call, visit.TextAt(0, "serviceProvider", "reference")); ok && ref.Type == "Organization" {
			p, err = s.place(ctx, call.Restriction, ref)
		}
	}
	if p == nil && err == nil && call.Caller.Org != "" {
		p, err = s.placeBy(ctx, call.Restriction, call.Caller.Org)
	}
	if p == nil && err == nil {
		var ref fhir.Ref
		if ref, err = call.Reference("from", "Organization"); err == nil && ref.ID != "" {
			p, err = s.place(ctx, call.Restriction, ref)
		}
	}
	if err != nil {
		return nil, err
	}
	if p == nil {
		if call.Caller.Roles != nil && call.Caller.Org == "" {
			return nil, mine(call, &place{}, "sends")
		}
		return nil, fhir.Errorf(fhir.Unprocessable, "a referral names the establishment that sends: the encounter has no serviceProvider, and no Organization has the CLUES that you act for")
	}
	return p, mine(call, p, "sends")
}

// receiving returns the establishment that a referral goes to, by the parameters to and
// clues, and the service of it when that is named.
func (s *service) receiving(ctx context.Context, call *operation.Call) (p *place, service fhir.Ref, err error) {
	ref, err := call.Reference("to", "Organization", "HealthcareService")
	if err != nil {
		return nil, service, err
	}
	clues, err := call.In.Text("clues")
	if err != nil {
		return nil, service, err
	}
	switch {
	case (ref.ID == "") == (clues == ""):
		return nil, service, fhir.Errorf(fhir.Invalid, "one of the parameters to (an Organization or a HealthcareService) and clues says where the patient is sent")
	case clues != "":
		if p, err = s.placeBy(ctx, call.Restriction, clues); err == nil && p == nil {
			err = fhir.Errorf(fhir.Unprocessable, "no active Organization has this CLUES").With("%.40q", clues)
		}
		return p, service, err
	case ref.Type == "HealthcareService":
		_, d, err := s.one(ctx, call.Restriction, ref)
		if err != nil {
			return nil, service, unknown(err, ref)
		}
		service = ref
		by, ok := local(call, d.TextAt(0, "providedBy", "reference"))
		if !ok || by.Type != "Organization" || d.TextAt(0, "active") == "false" {
			return nil, service, fhir.Errorf(fhir.Unprocessable, "the service is not active, or does not say which Organization provides it").At("HealthcareService.providedBy")
		}
		ref = by
	}
	if p, err = s.place(ctx, call.Restriction, ref); err != nil {
		return nil, service, unknown(err, ref)
	}
	if p.clues == "" {
		return nil, service, fhir.Errorf(fhir.Unprocessable, "the establishment that receives has no CLUES, so nobody can act for it").At("Organization.identifier")
	}
	return p, service, nil
}

// unknown says of something that a call names, rather than of what it is on, that it is
// not there.
func unknown(err error, ref fhir.Ref) error {
	if code := fhir.CodeOf(err); code == fhir.NotFound || code == fhir.Gone {
		return fhir.Errorf(fhir.Unprocessable, "what is named is not here, or not shown to you").With("%s", ref)
	}
	return err
}

// local is the resource of this server that a reference names.
func local(call *operation.Call, reference string) (fhir.Ref, bool) {
	ref, ok := fhir.ParseRef(strings.TrimPrefix(reference, call.Base+"/"))
	return ref.Current(), ok
}
