package dose

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/identity"
	"github.com/amate-health/amate/fhir/registry/immunization/code"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
)

// posting is a dose on its way to being recorded.
type posting struct {
	*claim
	call *operation.Call
	now  time.Time
	zone *time.Location

	ref     fhir.Ref // of the Immunization
	patient parsed
	born    span   // zero when unknown
	cvx     string // of the product
	time    span
	doctor  *fhir.Resource // who gave it, where they are known
	place   *fhir.Resource // the Location, likewise

	issues []fhir.Issue // what speaks against it
}

// wrong notes what refuses a dose.
func (p *posting) wrong(rule, details, param string) {
	p.issues = append(p.issues, fhir.Issue{Severity: "error", Type: "business-rule", Rule: rule, Details: details, Expression: of(param)})
}

// odd notes what refuses a dose that is given here until the vaccinator says why it is
// given all the same. Of a dose that is history, it is only said.
func (p *posting) odd(rule, details, param string) {
	if slices.ContainsFunc(p.issues, func(i fhir.Issue) bool { return i.Rule == rule && i.Details == details }) {
		return
	}
	p.issues = append(p.issues, fhir.Issue{Severity: "warning", Type: "business-rule", Rule: rule, Details: details, Expression: of(param)})
}

// broken reports whether an error was found.
func (p *posting) broken() bool {
	return slices.ContainsFunc(p.issues, func(i fhir.Issue) bool { return i.Severity == "error" })
}

// refusal returns the findings as an error.
func (p *posting) refusal() error { return &fhir.Error{Code: fhir.Unprocessable, Issues: p.issues} }

// settle refuses errors, and warnings that nobody passed over. Else it returns what is
// left to say.
func (p *posting) settle() ([]fhir.Issue, error) {
	refuses := p.broken()
	for i := range p.issues {
		one := &p.issues[i]
		if one.Severity != "warning" {
			continue
		}
		if p.reported || p.notDone != "" {
			one.Severity = "information"
			continue
		}
		if _, ok := p.overridden(one.Rule); ok {
			continue
		}
		refuses = true
		one.Diagnostics = "to record it all the same, give the parameter override, with warning " + one.Rule + " and a reason"
	}
	if refuses {
		return nil, p.refusal()
	}
	return p.issues, nil
}

// patientOf finds the Patient that a call names: by a reference, an identifier or a CURP.
// It follows a merge to the Patient that stands.
func (s *Service) patientOf(ctx context.Context, call *operation.Call) (parsed, error) {
	r := reader{call: call}
	v, given := r.one("patient")
	curp := strings.ToUpper(r.text("curp", 18))
	if r.err != nil {
		return parsed{}, r.err
	}
	var found []fhir.Resource
	name := "patient"
	switch n, property := v.Typed(); {
	case given == (curp != ""):
		return parsed{}, fhir.Errorf(fhir.Invalid, "give either the parameter patient, a reference or an Identifier, or the parameter curp").At(of(name))
	case curp != "", property == "valueIdentifier":
		system, value := identity.SystemCURP, curp
		if curp == "" {
			system, value = text(v.Doc, n, "system"), text(v.Doc, n, "value")
		} else {
			name = "curp"
		}
		if value == "" {
			return parsed{}, fhir.Errorf(fhir.Invalid, "the Identifier of the patient has a value").At(of(name))
		}
		all, err := s.identified(ctx, call.Restriction, "Patient", "identifier", system, value)
		if err != nil {
			return parsed{}, err
		}
		found = all
	default:
		ref := r.referred(v, name, "Patient")
		if r.err != nil {
			return parsed{}, r.err
		}
		one, err := s.seen(ctx, call.Restriction, ref)
		if err != nil {
			return parsed{}, err
		}
		if one != nil {
			found = append(found, *one)
		}
	}
	if len(found) > 1 {
		return s.standing(ctx, call, found, name)
	}
	if len(found) == 0 {
		return parsed{}, &fhir.Error{Code: fhir.Unprocessable, Issues: []fhir.Issue{{
			Severity: "error", Type: "not-found", Rule: "dose-patient", Details: "the patient is not known here, or not shown to you", Expression: of(name)}}}
	}
	return s.merged(ctx, call, &found[0], name)
}

// standing returns the one Patient that several with an identifier were merged into.
func (s *Service) standing(ctx context.Context, call *operation.Call, found []fhir.Resource, name string) (parsed, error) {
	var one parsed
	for i := range found {
		p, err := s.merged(ctx, call, &found[i], name)
		if err != nil {
			return p, err
		}
		if one.Doc != nil && one.Ref.ID != p.Ref.ID {
			return p, fhir.Errorf(fhir.MultipleMatches, "several Patients have this identifier: give a reference to the one that is meant").At(of(name))
		}
		one = p
	}
	return one, nil
}

// mostLinks is how many merges are followed one after another.
const mostLinks = 16

func (s *Service) merged(ctx context.Context, call *operation.Call, r *fhir.Resource, name string) (parsed, error) {
	for range mostLinks {
		next, err := s.Merged(ctx, r.Ref.ID)
		if err != nil {
			return parsed{}, err
		}
		if next == "" {
			return parse(r)
		}
		if r, err = s.seen(ctx, call.Restriction, fhir.Ref{Type: "Patient", ID: next}); err != nil {
			return parsed{}, err
		}
		if r == nil {
			return parsed{}, fhir.Errorf(fhir.Unprocessable, "the patient was merged into one who is not shown to you").At(of(name))
		}
	}
	return parsed{}, fhir.Errorf(fhir.Conflict, "the patient is replaced by others in a circle").At(of(name))
}

// check holds a dose to what is possible.
func (s *Service) check(ctx context.Context, p *posting) error {
	if err := s.productOf(ctx, p); err != nil {
		return err
	}
	p.checkTime()
	if p.notDone == "" {
		p.checkLot()
	} else if !slices.Contains(notDoneReasons, p.notDone) && (p.notDone != unsaid || !p.told) {
		p.wrong("dose-not-done", "a dose is not given for one of the reasons "+strings.Join(notDoneReasons, ", ")+" (v3-ActReason)", "notDone")
	}
	if p.origin != "" && !slices.Contains(origins, p.origin) {
		p.wrong("dose-origin", "the origin is given, or a code of immunization-origin: "+strings.Join(origins, ", "), "origin")
	}
	if p.subpotent != "" && !slices.Contains(subpotentReasons, p.subpotent) {
		p.wrong("dose-subpotent", "a dose is subpotent for one of the reasons "+strings.Join(subpotentReasons, ", "), "subpotent")
	}
	if p.number != "" && strings.Trim(p.number, "0123456789") != "" {
		p.wrong("dose-number", "the number of the dose is a number", "number")
	}
	return s.people(ctx, p)
}

var (
	// notDoneReasons are those of http://hl7.org/fhir/ValueSet/immunization-status-reason
	// and those of its system by which people decline.
	notDoneReasons   = []string{"IMMUNE", "MEDPREC", "OSTOCK", "PATOBJ", "PHILISOP", "RELIG", "VACEFF", "VACSAF"}
	origins          = []string{"provider", "record", "recall", "school", "jurisdiction"}
	subpotentReasons = []string{"partial", "coldchainbreak", "recall"}
)

// productOf finds the CVX code of the product.
func (s *Service) productOf(ctx context.Context, p *posting) error {
	codes, param := p.coded, "vaccine"
	if p.product != "" {
		found, err := s.ownProduct(ctx, p.call, p.product)
		if err != nil {
			return err
		}
		if found == nil {
			p.wrong("dose-product", "no Medication has this product code, or the one that has it names no vaccine", "product")
			return nil
		}
		codes, param = append(codes, found...), "product"
	}
	if len(codes) == 0 {
		p.wrong("dose-vaccine", "the vaccine is needed: a code of CVX, SNOMED CT or ATC, or the parameter product", "vaccine")
		return nil
	}
	for _, c := range codes {
		cvx, ok := code.CVX(c.system, c.code)
		if !ok {
			continue
		}
		if p.cvx == "" || code.System(c.system) == systemCVX {
			p.cvx = cvx
		}
	}
	if p.cvx == "" {
		p.issues = append(p.issues, fhir.Issue{Severity: "error", Type: "code-invalid", Rule: "dose-vaccine", Details: "this code of a vaccine is not known", Expression: of(param)})
		return nil
	}
	if v, _ := code.Lookup(p.cvx); len(v.Antigens) == 0 && p.notDone == "" {
		p.odd("not-a-vaccine", "the product holds no antigen: it protects by what it brings along, and counts as no dose", param)
	}
	return nil
}

// ownProduct finds what a product code of an establishment's own stands for: a Medication
// with it as a code or identifier, such as a GTIN, that names a vaccine as well.
func (s *Service) ownProduct(ctx context.Context, call *operation.Call, product string) ([]coded, error) {
	system, value, cut := strings.Cut(product, "|")
	if !cut {
		system, value = "", product
	}
	for _, param := range []string{"code", "identifier"} {
		found, err := s.identified(ctx, call.Restriction, "Medication", param, system, value)
		if err != nil {
			return nil, err
		}
		for i := range found {
			d, err := parse(&found[i])
			if err != nil {
				return nil, err
			}
			var all []coded
			for c := range items(d.Doc, at(d.Doc, 0, "code"), "coding") {
				one := coded{text(d.Doc, c, "system"), text(d.Doc, c, "code"), text(d.Doc, c, "display")}
				if _, ok := code.CVX(one.system, one.code); ok {
					all = append(all, one)
				}
			}
			if all != nil {
				return all, nil
			}
		}
	}
	return nil, nil
}

// early is by how much the clock of a post may be ahead of the server's.
const early = 5 * time.Minute

// checkTime holds the time of a dose to the life of the patient.
func (p *posting) checkTime() {
	if p.when == "" {
		p.when = p.now.In(p.zone).Format(time.RFC3339)
	}
	var ok bool
	if p.time, ok = readSpan(p.when, p.zone); !ok {
		p.wrong("dose-date", "a dose has a date of FHIR that is in the calendar: 2026-03-14T09:30:00-06:00, 2026-03-14; of history 2026-03 or 2026 too", "when")
		return
	}
	today := schedule.DateOf(p.now.In(p.zone))
	switch {
	case p.time.from.After(p.now.Add(early)) && p.time.first(p.zone) >= today:
		p.wrong("dose-future", "a dose is recorded when it was given: this is in the future", "when")
		return
	case !p.time.day && !p.reported:
		p.wrong("dose-date", "a dose that is given here has a full date", "when")
	}
	if born, ok := readSpan(text(p.patient.Doc, 0, "birthDate"), p.zone); ok {
		p.born = born
		if p.time.last(p.zone) < born.first(p.zone) {
			p.wrong("dose-before-birth", "the dose would have been given before the patient was born", "when")
		}
	}
	p.checkAlive(today)
}

// checkAlive refuses what was done after death.
func (p *posting) checkAlive(today schedule.Date) {
	const rule, details = "dose-deceased", "the patient had died by then"
	d := p.patient.Doc
	if died, ok := readSpan(text(d, 0, "deceasedDateTime"), p.zone); ok {
		if p.time.first(p.zone) > died.last(p.zone) {
			p.wrong(rule, details, "when")
		}
		return
	}
	if n := d.Get(0, "deceasedBoolean"); n != element.None && d.Text(n) == "true" && p.time.first(p.zone) >= today {
		p.wrong(rule, details, "when")
	}
}

// checkLot holds the lot to its form, and to its expiry.
func (p *posting) checkLot() {
	switch {
	case p.lot == "" && !p.reported:
		p.odd("lot-missing", "the lot is not said: nobody could find this dose should the lot be recalled", "lot")
	case p.lot != "" && Lot(p.lot) == "":
		p.wrong("dose-lot", "a lot number has letters or digits", "lot")
	}
	if p.expiry == "" {
		return
	}
	expiry, ok := readSpan(p.expiry, p.zone)
	switch {
	case !ok || strings.Contains(p.expiry, "T"):
		p.wrong("dose-expiry", "the expiry is a date: 2027-06-30, or 2027-06 for the end of that month", "expiry")
	case p.time.until.IsZero():
	case p.time.first(p.zone) > expiry.last(p.zone) && !p.past():
		p.wrong("dose-expired", "the lot had expired on the day of the dose", "expiry")
	case p.time.first(p.zone) > expiry.last(p.zone):
		p.odd("lot-expired", "the lot had expired on the day of the dose", "expiry")
	}
}

// people finds who gave the dose, and where.
func (s *Service) people(ctx context.Context, p *posting) error {
	user := p.call.Caller.User.Current()
	if p.performer.ID == "" && p.cedula == "" && !p.reported && user.Type == "Practitioner" {
		p.performer = user
	}
	var err error
	switch {
	case p.performer.ID != "":
		if p.doctor, err = s.seen(ctx, p.call.Restriction, p.performer); err != nil {
			return err
		}
		if p.doctor == nil && p.performer != user {
			p.wrong("dose-performer", "who gave the dose is not known here", "performer")
		}
	case p.cedula != "":
		found, err := s.identified(ctx, p.call.Restriction, "Practitioner", "identifier", identity.SystemCedula, p.cedula)
		if err != nil {
			return err
		}
		if len(found) == 1 {
			p.doctor, p.performer = &found[0], found[0].Ref.Current()
		}
	}
	return s.placeOf(ctx, p)
}

// placeOf finds the establishment.
func (s *Service) placeOf(ctx context.Context, p *posting) error {
	if p.clues == "" {
		if !p.reported {
			p.clues = p.call.Caller.Org
		}
	} else {
		for _, problem := range identity.Check(identity.SystemCLUES, p.clues, p.now) {
			if !problem.Warning {
				p.wrong(problem.Rule, problem.Text, "clues")
				return nil
			}
		}
		if !p.reported && !own(p.call, p.clues) {
			return fhir.Errorf(fhir.Forbidden, "doses are recorded as given in the caller's own establishment").At(of("clues"))
		}
	}
	if p.clues == "" {
		return nil
	}
	found, err := s.identified(ctx, p.call.Restriction, "Location", "identifier", identity.SystemCLUES, p.clues)
	if len(found) > 0 {
		p.place = &found[0]
	}
	return err
}
