package dose

import (
	"context"
	"fmt"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
)

// amend answers Immunization/[id]/$amend-dose: what is given takes the place of what is
// stored, as a new version, with who changed it and why.
func (s *Service) amend(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := known(call, append([]string{"reason"}, doseParameters...)...); err != nil {
		return nil, err
	}
	return s.revise(ctx, call, func(p *posting, stored parsed, turn fhir.Entry) (*operation.Answer, error) {
		return s.corrected(ctx, p, stored, turn)
	})
}

// refute answers Immunization/[id]/$refute-dose: the dose was recorded by mistake. It
// stays, marked as such.
func (s *Service) refute(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := known(call, "reason"); err != nil {
		return nil, err
	}
	return s.revise(ctx, call, func(p *posting, stored parsed, turn fhir.Entry) (*operation.Answer, error) {
		return s.refuted(ctx, p, stored, turn)
	})
}

// revise performs f on the dose that a call is on, in the turn of its patient.
func (s *Service) revise(ctx context.Context, call *operation.Call, f func(p *posting, stored parsed, turn fhir.Entry) (*operation.Answer, error)) (*operation.Answer, error) {
	c, err := claimed(call)
	if err == nil && c.reason == "" {
		err = fhir.Errorf(fhir.Invalid, "the parameter reason is needed: why the dose is changed").At(of("reason"))
	}
	if err != nil {
		return nil, err
	}
	stored, patient, err := s.mine(ctx, call)
	if err != nil {
		return nil, err
	}
	defer s.lock(patient.Ref.ID)()
	return s.inTurn(ctx, patient.Ref.ID, func(turn fhir.Entry) (*operation.Answer, error) {
		if stored, patient, err = s.mine(ctx, call); err != nil {
			return nil, err
		}
		copied := *c
		p := &posting{claim: &copied, call: call, now: s.Now(), zone: s.Zone, patient: patient, ref: stored.Ref}
		p.reported = !primary(stored.Doc)
		return f(p, stored, turn)
	})
}

// mine returns the dose that a call is on, and its patient. The dose is one that was
// recorded by the caller's own establishment, unless they run the programme.
func (s *Service) mine(ctx context.Context, call *operation.Call) (stored, patient parsed, err error) {
	r, err := s.seen(ctx, call.Restriction, call.Ref())
	if err != nil {
		return stored, patient, err
	}
	if r == nil {
		return stored, patient, fhir.Errorf(fhir.NotFound, "there is no such resource").With("%s is not known", call.Ref())
	}
	if stored, err = parse(r); err != nil {
		return stored, patient, err
	}
	if text(stored.Doc, 0, "status") == "entered-in-error" {
		return stored, patient, fhir.Errorf(fhir.Conflict, "the dose is marked as recorded by mistake already")
	}
	where, err := s.places().of(ctx, stored.Doc, call.Base)
	if err != nil {
		return stored, patient, err
	}
	if !own(call, where.clues) {
		return stored, patient, fhir.Errorf(fhir.Forbidden, "a dose is corrected by the establishment that gave it, or by who runs the programme")
	}
	ref, ok := fhir.ParseRef(strings.TrimPrefix(text(stored.Doc, at(stored.Doc, 0, "patient"), "reference"), call.Base+"/"))
	if ok {
		if r, err = s.seen(ctx, call.Restriction, ref.Current()); err != nil {
			return stored, patient, err
		}
	}
	if !ok || r == nil {
		return stored, patient, fhir.Errorf(fhir.Unprocessable, "the patient of the dose is not known here, or not shown to you")
	}
	patient, err = s.merged(ctx, call, r, "patient")
	return stored, patient, err
}

// fill takes from the stored dose what the call does not say, so that the whole is
// checked. It returns the names of the elements that the call says.
func (p *posting) fill(d *element.Doc) (said map[string]bool) {
	said = map[string]bool{
		"vaccineCode": p.coded != nil || p.product != "", "occurrenceDateTime": p.when != "", "lotNumber": p.lot != "", "expirationDate": p.expiry != "",
		"manufacturer": p.maker != nil, "site": p.site != nil, "route": p.route != nil, "doseQuantity": p.quantity != nil,
		"performer": p.performer.ID != "" || p.cedula != "", "location": p.clues != "", "encounter": p.encounter.ID != "",
		"programEligibility": p.program != nil, "isSubpotent": p.subpotent != "", "subpotentReason": p.subpotent != "",
	}
	if !said["vaccineCode"] {
		for c := range items(d, at(d, 0, "vaccineCode"), "coding") {
			p.coded = append(p.coded, coded{text(d, c, "system"), text(d, c, "code"), text(d, c, "display")})
		}
	}
	keep := func(into *string, name string) {
		if *into == "" {
			*into = text(d, 0, name)
		}
	}
	keep(&p.when, "occurrenceDateTime")
	keep(&p.lot, "lotNumber")
	keep(&p.expiry, "expirationDate")
	if m := d.Get(0, "manufacturer"); p.maker == nil && m != element.None {
		p.maker = members(d, m)
	}
	if p.clues == "" {
		p.clues = cluesIn(d)
	}
	for x := range items(d, 0, "extension") {
		if text(d, x, "url") == OverrideURL {
			p.passed = append(p.passed, passedIn(d, x))
		}
	}
	if text(d, 0, "status") == "not-done" {
		p.notDone = reasonCode(d)
	}
	return said
}

// passedIn reads the extension of a warning that was passed over.
func passedIn(d *element.Doc, x element.Node) (o override) {
	for y := range items(d, x, "extension") {
		switch text(d, y, "url") {
		case "warning":
			o.codes = append(o.codes, text(d, y, "valueCode"))
		case "reason":
			if reason := d.Get(y, "valueCodeableConcept"); reason != element.None {
				o.reason = members(d, reason)
			}
		}
	}
	return o
}

func (s *Service) corrected(ctx context.Context, p *posting, stored parsed, turn fhir.Entry) (*operation.Answer, error) {
	said := p.fill(stored.Doc)
	notDone := text(stored.Doc, 0, "status") == "not-done"
	if notDone && p.notDone == "" {
		p.notDone = notDoneReasons[0] // it was stored with a reason of another system
	}
	performer, cedula := p.performer, p.cedula
	if err := s.check(ctx, p); err != nil {
		return nil, err
	}
	if performer.ID == "" && cedula == "" {
		p.performer = fhir.Ref{} // the one who corrects is not the one who gave it
	}
	if err := s.registered(ctx, p); err != nil {
		return nil, err
	}
	if p.broken() {
		return nil, p.refusal()
	}
	before, err := s.recorded(ctx, p.call.Restriction, p.patient.Ref)
	if err != nil {
		return nil, err
	}
	fresh, all := s.immunization(p), members(stored.Doc, 0)
	for name, given := range said {
		if v, ok := fresh[name]; ok && given {
			all[name] = v
		}
	}
	if p.note != "" {
		all["note"] = append(listOf(stored.Doc, "note"), encode(fresh["note"].([]object)[0]))
	}
	p.extend(all, stored.Doc)
	_, j, err := s.foresee(p, before, all, stored.Ref)
	if err != nil {
		return nil, err
	}
	if !notDone {
		p.warn(j)
	}
	if err := s.unseen(ctx, p, before, all, stored.Ref, j, false); err != nil {
		return nil, err
	}
	found, err := p.settle()
	if err != nil {
		return nil, err
	}
	if applied := protocol(j); p.number == "" && !notDone {
		delete(all, "protocolApplied")
		if applied != nil {
			all["protocolApplied"] = applied
		}
	} else if v, ok := fresh["protocolApplied"]; ok {
		all["protocolApplied"] = v
	}
	if p.preview {
		return p.tell("preview", resource(all), j, found, s), nil
	}
	change, err := updated(s.Maker(p.call.Base), resource(all), stored.Ref)
	if err != nil {
		return nil, err
	}
	result, err := s.write(ctx, p, change, turn, "UPDATE", "Dosis corregida")
	if err != nil {
		return nil, err
	}
	return p.tell("amended", result.JSON, j, found, s), nil
}

// listOf returns the items of an array of a stored resource as they are.
func listOf(d *element.Doc, name string) (all []rawJSON) {
	for n := range items(d, 0, name) {
		all = append(all, d.AppendCompact(nil, n))
	}
	return all
}

// extend writes the extensions of a corrected dose: those of others stay, and so do
// warnings that were passed over before, unless they were again.
func (p *posting) extend(all object, stored *element.Doc) {
	var kept []any
	for x := range items(stored, 0, "extension") {
		url := text(stored, x, "url")
		if url == CampaignURL && p.campaign != nil {
			continue
		}
		kept = append(kept, rawJSON(stored.AppendCompact(nil, x)))
	}
	if p.campaign != nil {
		kept = append(kept, object{"url": CampaignURL, "valueCodeableConcept": p.campaign})
	}
	for _, o := range p.overrides {
		for _, warning := range o.codes {
			kept = append(kept, object{"url": OverrideURL, "extension": []object{
				{"url": "warning", "valueCode": warning}, {"url": "reason", "valueCodeableConcept": o.reason},
			}})
		}
	}
	delete(all, "extension")
	if kept != nil {
		all["extension"] = kept
	}
}

func (s *Service) refuted(ctx context.Context, p *posting, stored parsed, turn fhir.Entry) (*operation.Answer, error) {
	p.time, _ = readSpan(text(stored.Doc, 0, "occurrenceDateTime"), p.zone)
	p.when = text(stored.Doc, 0, "occurrenceDateTime")
	all := members(stored.Doc, 0)
	all["status"], all["statusReason"] = "entered-in-error", object{"text": p.reason}
	before, err := s.recorded(ctx, p.call.Restriction, p.patient.Ref)
	if err != nil {
		return nil, err
	}
	_, j, err := s.foresee(p, before, all, stored.Ref)
	if err != nil {
		return nil, fmt.Errorf("forecast without the dose: %w", err)
	}
	if err := s.unseen(ctx, p, before, all, stored.Ref, j, false); err != nil {
		return nil, err
	}
	change, err := updated(s.Maker(p.call.Base), resource(all), stored.Ref)
	if err != nil {
		return nil, err
	}
	result, err := s.write(ctx, p, change, turn, "NULLIFY", "Dosis registrada por error")
	if err != nil {
		return nil, err
	}
	return p.tell("refuted", result.JSON, j, nil, s), nil
}
