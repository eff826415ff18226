package birth

import (
	"context"
	"regexp"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/birth/sinac"
	"github.com/amate-health/amate/fhir/registry/identity"
	"github.com/amate-health/amate/fhir/search"
)

// mostText is how many bytes a reason or a name has at most.
const mostText = 2000

// limited is needed, of a text that is not too long.
func limited(call *operation.Call, name, what string) (string, error) {
	v, err := call.Needed(name, what)
	if err == nil && len(v) > mostText {
		err = fhir.Errorf(fhir.Invalid, "the parameter %s has %d bytes at most", name, mostText)
	}
	return v, err
}

// wrongState says that a certificate is not where a step begins.
func wrongState(c *Certificate, instead string) error {
	return &fhir.Error{Code: fhir.Conflict, Issues: []fhir.Issue{{
		Severity: "error", Type: "conflict", Rule: "birth-state", Details: "the certificate is " + string(c.State) + ": " + instead,
	}}}
}

// own returns the certificate that a caller works on for the establishment that made it.
func (s *service) own(ctx context.Context, call *operation.Call) (*Certificate, error) {
	org, err := acting(call)
	if err != nil {
		return nil, err
	}
	folio, err := call.Needed("folio", "the number of the certificate")
	if err != nil {
		return nil, err
	}
	c, err := s.book.Certificate(ctx, folio)
	if err == nil && org != "" && org != c.Certifier.Facility {
		return nil, unknown() // as if it were not there
	}
	return c, err
}

// step writes the next state of a certificate, with changes of resources.
func (s *service) step(ctx context.Context, call *operation.Call, c *Certificate, note string, changes ...bundle.Change) (*operation.Answer, error) {
	row, err := c.write(fhir.BirthEvent{Kind: string(c.State), At: s.Now().UTC().Truncate(time.Microsecond), Who: call.Caller.Principal, Note: note})
	if err != nil {
		return nil, err
	}
	b := &bundle.Batch{Changes: changes, Births: []fhir.Birth{row}, Rights: rightsOf}
	if len(c.carried) > 0 {
		b.Entries = func([]bundle.Result) []fhir.Entry { return c.carried }
	}
	if _, err := s.apply(ctx, b); err != nil {
		if code := fhir.CodeOf(err); code == fhir.Conflict || code == fhir.Stale {
			err = fhir.Errorf(fhir.Conflict, "something else has changed the certificate or what was made from it meanwhile: look again")
		}
		return nil, err
	}
	return s.status(ctx, c)
}

// deliver answers $birth-deliver: the certificate was handed over.
func (s *service) deliver(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := call.Only("folio", "to"); err != nil {
		return nil, err
	}
	to, err := limited(call, "to", "the name of whom it was handed over to")
	if err != nil {
		return nil, err
	}
	c, err := s.own(ctx, call)
	if err != nil {
		return nil, err
	}
	if c.State != Certified {
		return nil, wrongState(c, "what is certified is delivered")
	}
	c.State, c.Delivered, c.DeliveredTo = Delivered, s.Now().UTC().Truncate(time.Microsecond), to
	return s.step(ctx, call, c, "")
}

// actaForm is what numbers of actas look like. Each state has its own.
var actaForm = regexp.MustCompile(`^[A-Z0-9][A-Z0-9 /-]{0,29}$`)

// register answers $birth-register: the civil registry made the acta.
func (s *service) register(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := call.Only("folio", "acta", "oficialia", "date", "state", "name"); err != nil {
		return nil, err
	}
	r := &Registration{Recorded: s.Now().UTC().Truncate(time.Microsecond)}
	for _, p := range []struct {
		into       *string
		name, what string
	}{{&r.Acta, "acta", "the number of the acta de nacimiento"}, {&r.Office, "oficialia", "the office of the civil registry"}, {&r.Date, "date", "the day of the acta"}} {
		var err error
		if *p.into, err = limited(call, p.name, p.what); err != nil {
			return nil, err
		}
	}
	var err error
	if r.State, err = call.In.Text("state"); err != nil {
		return nil, err
	}
	c, err := s.certificate(ctx, call)
	if err != nil {
		return nil, err
	}
	if c.State != Delivered {
		return nil, wrongState(c, "the civil registry registers what was delivered, once")
	}
	if err := s.registration(r, c); err != nil {
		return nil, err
	}
	c.State, c.Registration = Registered, r
	change, err := s.patient(ctx, call, c, func(e *element.Edit, d *element.Doc) {
		e.Push(0, "identifier", compose.Text(compose.Object{
			"use": "official", "system": ActaSystem, "value": r.Acta, "assigner": compose.Object{"display": r.Office}, "period": compose.Object{"start": r.Date},
		}))
		if v, ok, _ := call.In.One("name"); ok {
			if n, property := v.Typed(); property == "valueHumanName" {
				e.Set(0, "name", "["+string(v.Doc.Raw(n))+"]")
			}
		}
	})
	if err != nil {
		return nil, err
	}
	return s.step(ctx, call, c, "acta "+r.Acta, change)
}

// registration checks what the civil registry says.
func (s *service) registration(r *Registration, c *Certificate) error {
	var issues []fhir.Issue
	wrong := func(name, rule, text string) {
		issues = append(issues, fhir.Issue{Severity: "error", Type: "value", Rule: rule, Details: text, Expression: "Parameters.parameter.where(name='" + name + "')"})
	}
	if !actaForm.MatchString(r.Acta) {
		wrong("acta", "birth-acta", "the number of an acta has 1 to 30 capital letters, digits, blanks, hyphens and slashes")
	}
	if day, err := time.Parse(time.DateOnly, r.Date); err != nil {
		wrong("date", "birth-acta-date", "it is a day, as yyyy-mm-dd")
	} else if r.Date < c.Newborn.Born || day.After(s.today()) {
		wrong("date", "birth-acta-date", "a birth is registered after it happened, and not in the future")
	}
	if r.State != "" && (len(r.State) != 2 || r.State < "01" || r.State > "32") {
		wrong("state", "birth-acta-state", "it is an entity of INEGI, from 01 to 32")
	}
	if issues == nil {
		return nil
	}
	return &fhir.Error{Code: fhir.Unprocessable, Issues: issues}
}

// current reads a resource as it is stored now, whoever may see it.
func (s *service) current(ctx context.Context, ref fhir.Ref) (*element.Doc, fhir.Ref, error) {
	r, err := s.shown(ctx, search.Unrestricted, ref.Current())
	if err != nil {
		return nil, ref, err
	}
	if r == nil {
		return nil, ref, fhir.Errorf(fhir.Conflict, "what was made from the certificate is gone").With("%s", ref)
	}
	d, err := element.Parse(r.JSON)
	return d, r.Ref, err
}

// mostLinks is how often a Patient may have been merged into another one.
const mostLinks = 8

// survivor reads the newborn's Patient, or the one that it was merged into meanwhile, and
// has c name that one.
func (s *service) survivor(ctx context.Context, c *Certificate) (*element.Doc, fhir.Ref, error) {
	for range mostLinks {
		d, was, err := s.current(ctx, c.Newborn.Ref)
		if err != nil {
			return nil, was, err
		}
		next, err := s.Merged(ctx, c.Newborn.Ref.ID)
		if err != nil || next == "" {
			return d, was, err
		}
		c.Newborn.Ref = fhir.Ref{Type: "Patient", ID: next}
	}
	return nil, fhir.Ref{}, fhir.Errorf(fhir.Conflict, "the Patient of the newborn is replaced by others in a circle")
}

// patient returns the change of the newborn's Patient that edit makes.
func (s *service) patient(ctx context.Context, call *operation.Call, c *Certificate, edit func(*element.Edit, *element.Doc)) (bundle.Change, error) {
	d, was, err := s.survivor(ctx, c)
	if err != nil {
		return bundle.Change{}, err
	}
	e := d.Edit(0)
	edit(e, d)
	return updated(s.Maker(call.Base), e.AppendTo(nil), was)
}

// assign answers $birth-assign-curp: RENAPO has given the CURP.
func (s *service) assign(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := call.Only("folio", "curp"); err != nil {
		return nil, err
	}
	curp, err := call.Needed("curp", "the CURP that RENAPO gave the newborn")
	if err != nil {
		return nil, err
	}
	curp = strings.ToUpper(curp)
	c, err := s.certificate(ctx, call)
	if err != nil {
		return nil, err
	}
	if c.State != Registered {
		return nil, wrongState(c, "the CURP follows the registration by the civil registry")
	}
	if err := s.curpOf(curp, c); err != nil {
		return nil, err
	}
	c.State, c.CURP, c.Assigned = Assigned, curp, s.Now().UTC().Truncate(time.Microsecond)
	change, err := s.join(ctx, call, c)
	if err != nil {
		return nil, err
	}
	return s.step(ctx, call, c, "", change...)
}

// curpOf refuses a CURP that is none, or cannot be the newborn's.
func (s *service) curpOf(curp string, c *Certificate) error {
	var issues []fhir.Issue
	born, _ := c.Row.Date(sinac.Born)
	bearer := identity.Person{Born: born}
	switch c.Newborn.Sex {
	case "male":
		bearer.Sex = 'H'
	case "female":
		bearer.Sex = 'M'
	}
	problems := identity.Check(identity.SystemCURP, curp, s.today())
	for _, p := range append(problems, identity.CURPProblems(curp, bearer)...) {
		if !p.Warning || p.Rule == "curp-name-birthdate" || p.Rule == "curp-sex" {
			issues = append(issues, fhir.Issue{
				Severity: "error", Type: "business-rule", Rule: p.Rule, Details: p.Text, Expression: "Parameters.parameter.where(name='curp')",
			})
		}
	}
	if c.Mother.CURP == curp {
		issues = append(issues, fhir.Issue{Severity: "error", Type: "business-rule", Rule: "birth-curp-mother", Details: "this is the CURP of the mother"})
	}
	if issues == nil {
		return nil
	}
	return &fhir.Error{Code: fhir.Unprocessable, Issues: issues}
}

// replaceable refuses what can be withdrawn no longer.
func replaceable(c *Certificate) error {
	switch c.State {
	case Certified, Delivered:
		return nil
	case Void, Replaced:
		return wrongState(c, "it is withdrawn already")
	case Draft:
		return wrongState(c, "a draft that nobody signs certifies nothing")
	}
	return wrongState(c, "an acta was made from it, which the civil registry corrects")
}

// void answers $birth-void: the certificate is withdrawn, with a reason.
func (s *service) void(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := call.Only("folio", "reason"); err != nil {
		return nil, err
	}
	reason, err := limited(call, "reason", "why the certificate is withdrawn")
	if err != nil {
		return nil, err
	}
	c, err := s.own(ctx, call)
	if err != nil {
		return nil, err
	}
	if err := replaceable(c); err != nil {
		return nil, err
	}
	c.State, c.Voided, c.Reason = Void, s.Now().UTC().Truncate(time.Microsecond), reason
	maker := s.Maker(call.Base)
	changes, err := s.withdrawn(ctx, maker, c)
	if err != nil {
		return nil, err
	}
	newborn, err := s.patient(ctx, call, c, func(e *element.Edit, d *element.Doc) {
		for id := range d.Items(0, "identifier") {
			if d.TextAt(id, "system") == FolioSystem {
				e.Set(id, "use", `"old"`)
			}
		}
	})
	if err != nil {
		return nil, err
	}
	return s.step(ctx, call, c, reason, append(changes, newborn)...)
}

// withdrawn returns the changes that mark what was made from a certificate as an error.
func (s *service) withdrawn(ctx context.Context, maker bundle.Maker, c *Certificate) ([]bundle.Change, error) {
	var changes []bundle.Change
	for _, ref := range c.Held {
		d, was, err := s.current(ctx, ref)
		if err != nil {
			return nil, err
		}
		e := d.Edit(0)
		switch ref.Type {
		case "RelatedPerson":
			e.Set(0, "active", "false")
		case "Condition":
			if n := d.Get(0, "clinicalStatus"); n != element.None {
				e.Drop(n) // con-5
			}
			e.Set(0, "verificationStatus", compose.Text(compose.Concept("http://terminology.hl7.org/CodeSystem/condition-ver-status", "entered-in-error", "Entered in Error")))
		default:
			e.Set(0, "status", `"entered-in-error"`)
		}
		change, err := updated(maker, e.AppendTo(nil), was)
		if err != nil {
			return nil, err
		}
		changes = append(changes, change)
	}
	return changes, nil
}

// replace answers $birth-replace: a draft of a certificate that will stand for another one.
// It is signed by $birth-certify like any other, which withdraws the other.
func (s *service) replace(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	reason, err := limited(call, "reason", "why the certificate is replaced")
	if err != nil {
		return nil, err
	}
	folio, err := call.Needed("replaces", "the folio of the certificate that is replaced")
	if err != nil {
		return nil, err
	}
	org, err := acting(call)
	if err != nil {
		return nil, err
	}
	c, err := s.book.Certificate(ctx, folio)
	if err == nil && org != "" && org != c.Certifier.Facility {
		err = unknown()
	}
	if err == nil {
		err = replaceable(c)
	}
	if err != nil {
		return nil, err
	}
	return s.prepare(ctx, call, c, reason)
}
