package birth

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/document/sign"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/birth/sinac"
	"github.com/amate-health/amate/fhir/registry/identity"
	"github.com/amate-health/amate/fhir/search"
)

// pendingFor is how long what was prepared waits for its signature.
const pendingFor = time.Hour

// certify answers $birth-certify. Without a signature it checks all that is said of a
// birth, reserves a folio and answers with the document that is to be signed; with one,
// it stores the certificate and all that is made from it, or nothing.
func (s *service) certify(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if len(call.In.All("signature")) > 0 {
		return s.finish(ctx, call)
	}
	if len(call.In.All("replaces"))+len(call.In.All("reason")) > 0 {
		return nil, fhir.Errorf(fhir.Invalid, "a certificate is replaced by $birth-replace")
	}
	return s.prepare(ctx, call, nil, "")
}

// preparation is a draft on its way.
type preparation struct {
	*claim
	call      *operation.Call
	cert      *Certificate
	facility  string
	chain     []*x509.Certificate
	codes     []string
	at        time.Time
	replaced  *Certificate
	org       *fhir.Resource // the establishment; nil where the directory has none
	official  *fhir.Resource // the certifier
	woman     *fhir.Resource // the mother, where she is known
	warnings  []fhir.Issue
	custodian compose.Object
}

// prepare makes a draft; of one that stands for another certificate when replaced is given.
func (s *service) prepare(ctx context.Context, call *operation.Call, replaced *Certificate, reason string) (*operation.Answer, error) {
	c, err := claimed(call)
	if err != nil {
		return nil, err
	}
	p := &preparation{claim: c, call: call, replaced: replaced, at: s.Now().UTC().Truncate(time.Second)}
	if p.facility, err = acting(call); err != nil {
		return nil, err
	}
	if stated := c.row[sinac.CertifyingFacility]; p.facility == "" {
		p.facility = stated
	} else if stated != "" && stated != p.facility {
		return nil, fhir.Errorf(fhir.Forbidden, "births are certified in the caller's own establishment").At(column(sinac.CertifyingFacility))
	}
	for _, step := range []func(context.Context, *preparation) error{s.official, s.mother, s.rules, s.believed, s.single, s.place} {
		if err := step(ctx, p); err != nil {
			return nil, err
		}
	}
	if err := s.draft(ctx, p, reason); err != nil {
		return nil, err
	}
	return s.await(ctx, p)
}

// official finds who certifies, and reads their certificates.
func (s *service) official(ctx context.Context, p *preparation) error {
	who, user := p.certifier, p.call.Caller.User.Current()
	switch {
	case user.ID != "" && user.Type != "Practitioner":
		return fhir.Errorf(fhir.Forbidden, "a health professional certifies births")
	case user.ID != "" && who.ID != "" && who != user:
		return fhir.Errorf(fhir.Forbidden, "you certify as yourself")
	case who.ID == "":
		who = user
	}
	if who.ID == "" {
		return fhir.Errorf(fhir.Invalid, "the parameter certifier is needed: a reference to the Practitioner who certifies")
	}
	const at = "Parameters.parameter.where(name='certifier')"
	found, err := s.shown(ctx, p.call.Restriction, who)
	if err != nil {
		return err
	}
	if found == nil {
		return fhir.Errorf(fhir.Unprocessable, "the certifier is not known here").At(at)
	}
	d, err := element.Parse(found.JSON)
	if err != nil {
		return err
	}
	p.official = found
	o := Official{Person: personIn(d, 0), Facility: p.facility}
	o.Ref = who
	for id := range d.Items(0, "identifier") {
		switch d.TextAt(id, "system") {
		case identity.SystemCedula:
			o.Cedula = d.TextAt(id, "value")
		case identity.SystemRFC:
			p.codes = append(p.codes, d.TextAt(id, "value"))
		}
	}
	if o.CURP == "" {
		return &fhir.Error{Code: fhir.Unprocessable, Issues: []fhir.Issue{{
			Severity: "error", Type: "business-rule", Rule: "birth-certifier-curp", Details: "the certifier has a CURP, with which the certificate of the signature is compared", Expression: at,
		}}}
	}
	p.codes = []string{o.CURP} // an RFC would do for other signatures, but not for this one
	p.cert = &Certificate{Certifier: o}
	return s.chain(p)
}

// chain reads the certificates of the call.
func (s *service) chain(p *preparation) error {
	for _, v := range p.call.In.All("certificate") {
		der, err := binary("certificate", v.Text)
		if err != nil {
			return err
		}
		all, err := sign.ReadCertificates(der)
		if err != nil {
			return fhir.Errorf(fhir.Invalid, "the parameter certificate is no X.509 certificate")
		}
		p.chain = append(p.chain, all...)
	}
	if len(p.chain) == 0 {
		return fhir.Errorf(fhir.Invalid, "the parameter certificate is needed: the certifier's certificate (.cer) in base64")
	}
	return nil
}

// mother finds her where she is known: by the reference, or by her CURP.
func (s *service) mother(ctx context.Context, p *preparation) error {
	m := &p.claim.mother
	if m.json == nil && m.Ref.ID == "" {
		return fhir.Errorf(fhir.Invalid, "the parameter mother is needed: a Patient, or a reference to one").At("Parameters.parameter.where(name='mother')")
	}
	if p.claim.newborn.json == nil && p.claim.newborn.Ref.ID != "" {
		return fhir.Errorf(fhir.Invalid, "the parameter newborn is a Patient, not a reference: the newborn is made by the certificate").At(p.claim.newborn.at)
	}
	said := m.Person
	switch {
	case m.Ref.ID != "":
		found, err := s.shown(ctx, p.call.Restriction, m.Ref)
		if err != nil {
			return err
		}
		if found == nil {
			return fhir.Errorf(fhir.Unprocessable, "the mother is not known here, or not shown to you").With("%s", m.Ref).At(m.at)
		}
		p.woman = found
	case m.CURP != "":
		found, err := s.identified(ctx, p.call.Restriction, "Patient", identity.SystemCURP, m.CURP)
		if err != nil {
			return err
		}
		if len(found) > 1 {
			return fhir.Errorf(fhir.Unprocessable, "several Patients have the CURP of the mother: give a reference to the one that she is").At(m.at)
		}
		if len(found) == 1 {
			p.woman = &found[0]
		}
	}
	if p.woman == nil {
		return nil
	}
	d, err := element.Parse(p.woman.JSON)
	if err != nil {
		return err
	}
	m.Person = personIn(d, 0)
	m.Ref = p.woman.Ref.Current()
	if m.json != nil && (fold(said.Name.String()) != fold(m.Name.String()) || said.Born != "" && said.Born != m.Born) {
		return &fhir.Error{Code: fhir.Unprocessable, Issues: []fhir.Issue{{
			Severity: "error", Type: "business-rule", Rule: "birth-mother-known", Expression: m.at,
			Details: "the Patient with the CURP of the mother has another name or birth date: correct that one first, or give a reference to it as it is",
		}}}
	}
	return nil
}

// rules holds what is said to the rules of SINAC and of the certificate.
func (s *service) rules(_ context.Context, p *preparation) error {
	day := p.at.In(s.Zone)
	k := &checker{claim: p.claim, today: s.today()}
	k.complete(time.Date(day.Year(), day.Month(), day.Day(), 0, 0, 0, 0, time.UTC), p.facility)
	k.check()
	var err error
	p.warnings, err = k.result()
	return err
}

// believed refuses a certificate by which nobody could sign as the certifier.
func (s *service) believed(ctx context.Context, p *preparation) error {
	if s.Trust().Empty() {
		return fhir.Errorf(fhir.Unprocessable, "nobody can certify here: this server trusts no certificate authority yet (amate serve --signature-trust)")
	}
	return s.judged(s.Trust().Accept(ctx, p.chain, p.at, sign.Want{Person: p.codes, Now: s.Now()}))
}

// judged returns what speaks against a verdict as an error.
func (s *service) judged(v *sign.Verdict) error {
	var issues []fhir.Issue
	for _, c := range v.Checks {
		if c.Result == sign.Passed || c.Result == sign.Unknown && c.Name == sign.Revocation && s.AnyRevocation {
			continue
		}
		issues = append(issues, fhir.Issue{Severity: "error", Type: "security", Rule: "signature-" + c.Name, Details: c.Text("en")})
	}
	if issues == nil {
		return nil
	}
	return &fhir.Error{Code: fhir.Unprocessable, Issues: issues}
}

// single refuses a second certificate for one newborn.
func (s *service) single(ctx context.Context, p *preparation) error {
	c := p.cert
	c.Mother = p.claim.mother.Person
	c.Mother.Ref = p.claim.mother.Ref
	c.guard, c.namesake = marks(&c.Mother, &p.row)
	return s.alone(ctx, c, p.replaced)
}

// alone refuses c where another live certificate than replaced is of its newborn.
func (s *service) alone(ctx context.Context, c, replaced *Certificate) error {
	for _, q := range []fhir.BirthQuery{{Guard: c.guard}, {Namesake: c.namesake}} {
		found, err := s.Store.Births(ctx, &q)
		if err != nil {
			return err
		}
		for i := range found {
			first, err := read(&found[i])
			if err != nil {
				return err
			}
			if !first.State.Live() || replaced != nil && first.Folio == replaced.Folio || first.Folio == c.Folio {
				continue
			}
			if first.Mother.CURP != "" && c.Mother.CURP != "" && first.Mother.CURP != c.Mother.CURP {
				continue // two women of one name and birth date
			}
			return &fhir.Error{Code: fhir.Conflict, Issues: []fhir.Issue{{
				Severity: "error", Type: "duplicate", Rule: "birth-double",
				Details:     "this birth is certified already: the same mother, day and order",
				Diagnostics: fmt.Sprintf("see folio %s of %s", first.Folio, first.Certifier.Facility),
			}}}
		}
	}
	return nil
}

// place finds the establishment in the directory.
func (s *service) place(ctx context.Context, p *preparation) error {
	found, err := s.identified(ctx, p.call.Restriction, "Organization", identity.SystemCLUES, p.facility)
	if err != nil {
		return err
	}
	p.custodian = compose.Object{"identifier": compose.Object{"system": identity.SystemCLUES, "value": p.facility}}
	if len(found) > 0 {
		p.org = &found[0]
		p.custodian["reference"] = p.org.Ref.Current().String()
		if d, err := element.Parse(p.org.JSON); err == nil {
			p.cert.Certifier.Place = d.TextAt(0, "name")
			for a := range d.Items(0, "address") {
				p.cert.Certifier.Locality = strings.Trim(d.TextAt(a, "district")+", "+d.TextAt(a, "state"), ", ")
				break
			}
		}
		if name := p.cert.Certifier.Place; name != "" {
			p.custodian["display"] = name
		}
	}
	return nil
}

// draft reserves a folio, and makes the mother's Patient where there is none.
func (s *service) draft(ctx context.Context, p *preparation, reason string) error {
	c := p.cert
	c.State, c.Drafted, c.Row = Draft, p.at, p.row
	c.Newborn = p.claim.newborn.Person
	born, _ := p.row.Date(sinac.Born)
	c.Newborn.Born, c.Newborn.Sex = born.Format(time.DateOnly), sexOf(p.row[sinac.Sex])
	if p.father != nil {
		c.Father = &p.father.Person
	}
	if p.replaced != nil {
		c.Replaces, c.Reason = p.replaced.Folio, reason
		c.Newborn.Ref = p.replaced.Newborn.Ref
	} else {
		c.Newborn.Ref = fhir.Ref{Type: "Patient", ID: s.NewID()}
	}
	c.Year = p.at.In(s.Zone).Year()
	if err := s.folio(ctx, p); err != nil {
		return err
	}
	return s.admit(ctx, p)
}

// admit makes the Patient of a mother who has none that the caller may see. Where two do so
// at once, who has a CURP becomes one Patient all the same.
func (s *service) admit(ctx context.Context, p *preparation) error {
	m := &p.claim.mother
	if p.woman != nil {
		return nil
	}
	ref := fhir.Ref{Type: "Patient", ID: s.NewID()}
	source, err := bundle.Parse(m.json)
	if err != nil {
		return err
	}
	change, err := s.Maker(p.call.Base).Create(source, ref)
	if err != nil {
		return err
	}
	if m.CURP != "" {
		params := []search.Param{{Name: "identifier", Value: escape(identity.SystemCURP) + "|" + escape(m.CURP)}}
		if change.Where, err = search.Parse("Patient", params, search.Options{}); err != nil {
			return err
		}
		change.Where.Restriction = p.call.Restriction // a record that the caller may not see stays unseen, and unnamed
	}
	results, err := s.apply(ctx, &bundle.Batch{Changes: []bundle.Change{change}})
	if err != nil {
		return err
	}
	p.woman = &results[0].Resource
	p.cert.Mother.Ref = p.woman.Ref.Current()
	return nil
}

// apply writes, and unwraps the error of a change.
func (s *service) apply(ctx context.Context, b *bundle.Batch) ([]bundle.Result, error) {
	results, err := s.Store.Apply(ctx, b)
	if at, ok := err.(*bundle.ChangeError); ok {
		err = at.Err
	}
	return results, err
}

// await makes the document, and keeps it until it is signed.
func (s *service) await(ctx context.Context, p *preparation) (*operation.Answer, error) {
	c := p.cert
	if p.woman.Ref.Type == "Patient" {
		c.Mother.Ref = p.woman.Ref.Current()
	}
	w, err := s.assemble(ctx, p)
	if err != nil {
		return nil, err
	}
	payload, err := sign.Document(w.Bundle)
	if err != nil {
		return nil, err
	}
	prepared, err := sign.Prepare(payload, p.chain, p.at, sign.Author)
	if err != nil {
		return nil, err
	}
	w.Header, w.Codes, w.Guard, w.Caller, w.Expires = prepared.Header, p.codes, c.guard, callerOf(p.call), s.Now().Add(pendingFor).UTC().Truncate(time.Second)
	c.Waiting = w
	row, err := c.write(fhir.BirthEvent{Kind: string(Draft), At: p.at, Who: p.call.Caller.Principal})
	if err != nil {
		return nil, err
	}
	if _, err := s.apply(ctx, &bundle.Batch{Births: []fhir.Birth{row}}); err != nil {
		if fhir.CodeOf(err) == fhir.Conflict {
			err = fhir.Errorf(fhir.Conflict, "this folio is used already").With("%s", c.Folio)
		}
		return nil, err
	}
	parts := []compose.Object{
		compose.Part("folio", "String", c.Folio), compose.Part("pending", "Id", c.Folio),
		compose.Part("algorithm", "Code", prepared.Algorithm()), compose.Part("header", "String", prepared.Header),
		compose.Part("digest", "Base64Binary", base64.StdEncoding.EncodeToString(prepared.Digest())),
		compose.Part("when", "Instant", p.at.Format(fhir.InstantLayout)),
		compose.Part("who", "Reference", compose.Reference(c.Certifier.Ref)), compose.Part("mother", "Reference", compose.Reference(c.Mother.Ref)),
		compose.Part("expires", "Instant", w.Expires.Format(fhir.InstantLayout)),
	}
	parts = append(parts, compose.Object{"name": "document", "resource": w.Bundle})
	if len(p.warnings) > 0 {
		parts = append(parts, compose.Object{"name": "warnings", "resource": rawJSON(operation.AppendOutcome(nil, p.warnings))})
	}
	for _, flag := range slices.Clone(c.Row.Flags()) {
		parts = append(parts, compose.Part("flag", "Code", flag))
	}
	return answer(parts), nil
}
