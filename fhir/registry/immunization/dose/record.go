package dose

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
)

// postKind is the kind of the entries by which posts that record doses of one patient at
// once take turns: each recording puts the patient's, at the version that it began with.
const postKind = "vaccine-post"

const (
	mostTries = 12               // recordings that find another one in their way
	keepPost  = 10 * time.Minute // longer than any recording takes
)

// record answers Immunization/$record-dose.
func (s *Service) record(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := known(call, append([]string{"patient", "curp", "origin", "source", "sourceText", "notDone"}, doseParameters...)...); err != nil {
		return nil, err
	}
	c, err := claimed(call)
	if err != nil {
		return nil, err
	}
	patient, err := s.patientOf(ctx, call)
	if err != nil {
		return nil, err
	}
	defer s.lock(patient.Ref.ID)()
	return s.inTurn(ctx, patient.Ref.ID, func(turn fhir.Entry) (*operation.Answer, error) {
		copied := *c
		p := &posting{claim: &copied, call: call, now: s.Now(), zone: s.Zone, patient: patient, ref: fhir.Ref{Type: "Immunization", ID: s.NewID()}}
		return s.try(ctx, p, turn)
	})
}

// inTurn performs f with the entry that it is to put in its batch, again when another post
// was faster: whatever f found out is old then.
func (s *Service) inTurn(ctx context.Context, patient string, f func(turn fhir.Entry) (*operation.Answer, error)) (*operation.Answer, error) {
	for try := 1; ; try++ {
		turn, err := s.turn(ctx, patient)
		if err != nil {
			return nil, err
		}
		a, err := f(turn)
		if code := fhir.CodeOf(err); err == nil || code != fhir.Conflict && code != fhir.Stale || try == mostTries {
			return a, err
		}
		now, again := s.turn(ctx, patient)
		if again != nil || now.Version == turn.Version {
			return nil, err // nobody else was there: that is what is wrong
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Duration(rand.IntN(20*try)) * time.Millisecond):
		}
	}
}

// turn returns the entry that a recording of a patient's doses puts.
func (s *Service) turn(ctx context.Context, patient string) (fhir.Entry, error) {
	e, err := s.Store.Entry(ctx, postKind, patient)
	switch {
	case fhir.CodeOf(err) == fhir.NotFound:
		e = fhir.Entry{Kind: postKind, Key: patient}
	case err != nil:
		return e, err
	}
	e.Value, e.Expires = []byte("{}"), s.Now().Add(keepPost)
	return e, nil
}

// try records a dose as things stand.
func (s *Service) try(ctx context.Context, p *posting, turn fhir.Entry) (*operation.Answer, error) {
	if err := s.check(ctx, p); err != nil {
		return nil, err
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
	if first, ok := p.twin(before); ok {
		return s.join(ctx, p, before, first, turn)
	}
	made := s.immunization(p)
	after, j, err := s.foresee(p, before, made, fhir.Ref{})
	if err != nil {
		return nil, err
	}
	if p.notDone == "" {
		p.warn(j)
		if err := p.contraindicated(s, before); err != nil {
			return nil, err
		}
	}
	if err := s.unseen(ctx, p, before, made, fhir.Ref{}, j, true); err != nil {
		return nil, err
	}
	said, err := p.settle()
	if err != nil {
		return nil, err
	}
	p.finish(made, j)
	if p.preview {
		return p.tell("preview", resource(made), j, said, s), nil
	}
	change, err := created(s.Maker(p.call.Base), made, p.ref)
	if err != nil {
		return nil, err
	}
	stored, err := s.write(ctx, p, change, turn, "CREATE", "Dosis registrada")
	if err != nil {
		return nil, err
	}
	_ = after
	a := p.tell("created", stored.JSON, j, said, s)
	a.Status = 201
	return a, nil
}

// foresee judges a history in which a dose is as it will be; was is the stored one that it
// replaces.
func (s *Service) foresee(p *posting, before []parsed, made object, was fhir.Ref) ([]parsed, *judgement, error) {
	made["id"] = p.ref.ID
	d, err := element.Parse(encode(made))
	if err != nil {
		return nil, nil, err
	}
	after := []parsed{{p.ref, d}}
	for _, one := range before {
		if was.ID == "" || one.Ref.Type != was.Type || one.Ref.ID != was.ID {
			after = append(after, one)
		}
	}
	j, err := s.judge(p.patient, after, p.ref)
	return after, j, err
}

// join answers a posting of a dose that is stored already: what is missing there is added.
func (s *Service) join(ctx context.Context, p *posting, before []parsed, first parsed, turn fhir.Entry) (*operation.Answer, error) {
	p.ref = first.Ref
	all, changed := together(first.Doc, s.immunization(p), p.reported)
	_, j, err := s.foresee(p, before, all, first.Ref)
	if err != nil {
		return nil, err
	}
	firstTime := !primary(first.Doc) && p.notDone == "" // that somebody answers for it
	if firstTime {
		p.warn(j)
		if err := p.contraindicated(s, before); err != nil {
			return nil, err
		}
	}
	if err := s.unseen(ctx, p, before, all, first.Ref, j, firstTime); err != nil {
		return nil, err
	}
	said, err := p.settle()
	if err != nil {
		return nil, err
	}
	said = append(said, fhir.Issue{Severity: "information", Type: "duplicate", Rule: "dose-known", Details: "this dose was recorded already: it was not recorded a second time"})
	if !changed || p.preview {
		return p.tell("unchanged", first.Source(), j, said, s), nil
	}
	change, err := updated(s.Maker(p.call.Base), resource(all), first.Ref)
	if err != nil {
		return nil, err
	}
	stored, err := s.write(ctx, p, change, turn, "UPDATE", "Dosis completada con otra fuente")
	if err != nil {
		return nil, err
	}
	return p.tell("merged", stored.JSON, j, said, s), nil
}

// write stores a dose with the Provenance of who did it.
func (s *Service) write(ctx context.Context, p *posting, change bundle.Change, turn fhir.Entry, did, words string) (*fhir.Resource, error) {
	why, err := created(s.Maker(p.call.Base), s.provenance(p, did, words), fhir.Ref{Type: "Provenance", ID: s.NewID()})
	if err != nil {
		return nil, err
	}
	b := &bundle.Batch{Changes: []bundle.Change{change, why}}
	if turn.Key != "" {
		b.Entries = func([]bundle.Result) []fhir.Entry { return []fhir.Entry{turn} }
	}
	results, err := s.apply(ctx, b)
	if err != nil {
		return nil, err
	}
	return &results[0].Resource, nil
}

// provenance says who recorded or changed a dose, from which source and why.
func (s *Service) provenance(p *posting, did, words string) object {
	activity := concept(systemDid, did, "")
	activity["text"] = words
	v := object{
		"resourceType": "Provenance", "target": []object{refer(p.ref)}, "recorded": p.now.UTC().Format(time.RFC3339), "activity": activity,
		"agent": []object{{"type": concept("http://terminology.hl7.org/CodeSystem/provenance-participant-type", "enterer", "Enterer"), "who": who(p.call)}},
	}
	if !p.time.from.IsZero() && p.time.day {
		v["occurredDateTime"] = p.when
	}
	if p.place != nil {
		v["location"] = refer(p.place.Ref)
	}
	var reasons []object
	if p.reason != "" {
		reasons = append(reasons, object{"text": p.reason})
	}
	for _, o := range p.used() {
		if !slices.ContainsFunc(reasons, func(r object) bool { return same(r, o.reason) }) {
			reasons = append(reasons, o.reason)
		}
	}
	if reasons != nil {
		v["reason"] = reasons
	}
	var entities []object
	for _, ref := range p.sources {
		entities = append(entities, object{"role": "source", "what": refer(ref)})
	}
	if entities != nil {
		v["entity"] = entities
	}
	return v
}

// who names the caller.
func who(call *operation.Call) object {
	switch {
	case call.Caller.User.ID != "":
		return refer(call.Caller.User)
	case call.Caller.Principal != "":
		return object{"display": call.Caller.Principal}
	}
	return object{"display": "amate"}
}

// passed is a warning that was passed over, and why.
type passed struct {
	rule   string
	reason object
}

// used are the warnings that were found and passed over.
func (p *posting) used() (all []passed) {
	for i := range p.issues {
		if one := &p.issues[i]; one.Severity == "warning" {
			if reason, ok := p.overridden(one.Rule); ok && !slices.ContainsFunc(all, func(x passed) bool { return x.rule == one.Rule }) {
				all = append(all, passed{one.Rule, reason})
			}
		}
	}
	return all
}

// tell answers with a dose, what it means and what comes next.
func (p *posting) tell(what string, immunization []byte, j *judgement, said []fhir.Issue, s *Service) *operation.Answer {
	parts := []object{part("outcome", "Code", what), {"name": "immunization", "resource": rawJSON(immunization)}}
	parts = append(parts, j.meaning(s.today())...)
	if len(said) > 0 {
		parts = append(parts, outcome("warnings", said))
	}
	return answer(parts)
}
