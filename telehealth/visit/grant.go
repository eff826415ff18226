package visit

import (
	"context"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/operation"
)

// grantID names the access tokens of a visit.
func grantID(name string) string { return "visit/" + name }

// token answers Encounter/[id]/$visit-token: an access token by which an app sees the
// record of the patient until the visit ends. It needs a proof that the patient takes part:
// the code that they tell, or what they or a professional did by themselves.
func (s *Service) token(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := understood(call, "code"); err != nil {
		return nil, err
	}
	if s.Issue == nil {
		return nil, fhir.Errorf(fhir.NotSupported, "the server runs without access control: there are no tokens")
	}
	told, err := call.In.Text("code")
	if err != nil {
		return nil, err
	}
	v, err := s.called(ctx, call)
	if err != nil {
		return nil, err
	}
	if !s.isApp(call.Caller) {
		return nil, fhir.Errorf(fhir.Forbidden, "this is for apps: who signs in has rights of their own")
	}
	if told != "" {
		if err := s.redeem(ctx, call, v, told); err != nil {
			return nil, ended(err)
		}
	}
	// It is noted before it is given out, so that whatever ends the visit takes it back.
	v, err = s.change(ctx, v.Room, func(v *visit) error { return s.grantable(ctx, v, call) })
	if err != nil {
		return nil, ended(err)
	}
	expires := s.closes(&v.sheet)
	if most := v.FirstGrant.Add(longestVisit + s.After); expires.After(most) {
		expires = most
	}
	raw, err := s.Issue(ctx, Grant{ID: grantID(v.Room), Patient: v.Patient, Encounter: v.Encounter, Expires: expires, Caller: call.Caller})
	if err != nil {
		return nil, err
	}
	// Who ended it meanwhile took back what there was.
	if now, err := s.load(ctx, v.Room); err != nil || !now.Ended.IsZero() {
		if lost := s.Revoke(ctx, grantID(v.Room)); lost != nil {
			return nil, lost
		}
		return nil, ended(errOver)
	}
	return &operation.Answer{JSON: compose.Parameters(compose.Part("access_token", "String", raw), compose.Part("patient", "Id", v.Patient), compose.Part("encounter", "Id", v.Encounter),
		compose.Part("expires", "Instant", stamp(expires)), compose.Part("proof", "Code", v.Proof.How))}, nil
}

// grantable notes that tokens are given out in a visit, or reports why none are.
func (s *Service) grantable(ctx context.Context, v *visit, call *operation.Call) error {
	if err := s.admissible(ctx, &v.sheet, &seat{}); err != nil {
		return err
	}
	if err := s.recall(ctx, v); err != nil {
		return err
	}
	switch now := s.Now().UTC(); {
	case !now.Before(s.closes(&v.sheet)): // people may still come in, whose clock is slow
		return fhir.Errorf(fhir.Forbidden, "the time of the visit is over")
	case v.Proof == nil:
		return errProof
	case s.binds(call.Caller) && !v.counts(v.Proof):
		return errElsewhere
	case v.FirstGrant.IsZero():
		v.Granted, v.FirstGrant = true, now
	case !now.Before(v.FirstGrant.Add(longestVisit + s.After)):
		// Who moves the Appointment on and on does not keep the record open by it.
		return fhir.Errorf(fhir.Forbidden, "the record was open for as long as a visit lasts: it needs another visit")
	}
	return nil
}

// ended makes of the end of a visit a refusal.
func ended(err error) error {
	if fhir.CodeOf(err) == fhir.Gone {
		return fhir.Errorf(fhir.Forbidden, "the visit has ended")
	}
	return err
}
