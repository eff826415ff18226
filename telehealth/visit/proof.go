package visit

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/identity"
	"github.com/amate-health/amate/telehealth/room"
)

// An app books for anybody, begins the visit and notes a consent: none of that shows that
// there is a patient. Before it sees a record, somebody has to show it whom the app cannot
// play: the patient, signed in as themselves; the patient, by a code that this server sends
// to them and not to the app; or a professional of the visit, signed in as themselves, who
// has checked who the patient is.
//
// A proof is for one patient in one visit, and a visit is of one app. An app that did not
// book the visit began to act in it unasked: people who take part in it by other means have
// shown that app nothing, so that it needs the code, or what they do signed in with it.
type proof struct {
	Patient string
	How     string
	By      string // "Patient/1"; "" for a code
	Client  string `json:",omitempty"` // the app that they were signed in with
	At      time.Time
}

// counts reports whether a proof, which may be nil, is one for the app of a visit.
func (v *sheet) counts(p *proof) bool {
	return p != nil && (p.How == byCode || v.Ours || p.Client != "" && p.Client == v.App)
}

// Ways of a proof.
const (
	byPatient      = "patient" // or who stands for them: with a token of their own they consented, or took their link
	byCode         = "code"
	byProfessional = "professional"
)

// Proved is of a [Moment] at which it was shown that the patient takes part.
const Proved room.Kind = "proved"

// proofKind is of entries with proofs from before the visit began, by the id of the
// Appointment.
const proofKind = "visit-proof"

// errProof is of an app that asks for a record without a proof.
var errProof = fhir.Errorf(fhir.Forbidden, "nothing shows yet that the patient takes part: the patient signs in and consents or joins, "+
	"or tells the code that $visit-code sends them, or a professional of the visit signs in and notes by $start-visit how the identity was checked")

// errElsewhere is of an app whose visit has a proof that is none for it.
var errElsewhere = fhir.Errorf(fhir.Forbidden, "the patient takes part, but not by this app, which did not book the visit: "+
	"it needs the code that $visit-code sends the patient, or that they or a professional act signed in with it")

// proved notes a proof in a visit; the first one that counts stays.
func (s *Service) proved(ctx context.Context, name string, p *proof) error {
	fresh := false
	v, err := s.change(ctx, name, func(v *visit) error {
		fresh = false
		if v.counts(v.Proof) || v.Proof != nil && !v.counts(p) || !v.Ended.IsZero() || v.Patient != p.Patient {
			return nil
		}
		v.Proof, fresh = p, true
		return nil
	})
	if err != nil || !fresh {
		return err
	}
	return s.witness(ctx, v)
}

// witness puts the proof of a visit into the audit trail.
func (s *Service) witness(ctx context.Context, v *visit) error {
	return s.Audit(ctx, Moment{Kind: Proved, Encounter: v.Encounter, Patient: v.Patient, Actor: v.Proof.By, Role: room.Role(v.Proof.How), At: v.Proof.At})
}

// provedBefore notes a proof for the visit of an Appointment, which may not have begun.
func (s *Service) provedBefore(ctx context.Context, a *appointment, p *proof) error {
	name, err := s.roomOf(ctx, encounterID(a.ref.ID))
	if err == nil {
		return s.proved(ctx, name, p)
	}
	if fhir.CodeOf(err) != fhir.NotFound {
		return err
	}
	e, err := s.Store.Entry(ctx, proofKind, a.ref.ID)
	if err != nil && fhir.CodeOf(err) != fhir.NotFound {
		return err
	}
	value, err := json.Marshal(p)
	if err != nil {
		return err
	}
	err = s.Store.Put(ctx, fhir.Entry{Kind: proofKind, Key: a.ref.ID, Version: e.Version, Value: value, Expires: a.end.Add(s.After + longestVisit)})
	if fhir.CodeOf(err) == fhir.Conflict {
		return nil // the same one twice at once
	}
	return err
}

// recall takes a proof of before into a visit. It is of the patient of that time: who is put
// into the Appointment later has shown nothing.
func (s *Service) recall(ctx context.Context, v *visit) error {
	if v.counts(v.Proof) {
		return nil
	}
	e, err := s.Store.Entry(ctx, proofKind, v.Appointment)
	if fhir.CodeOf(err) == fhir.NotFound {
		return nil
	}
	var p proof
	if err == nil {
		err = json.Unmarshal(e.Value, &p)
	}
	if err == nil && p.Patient == v.Patient {
		v.Proof = &p
	}
	return err
}

// vouched notes that a professional of a visit has checked who the patient is: somebody who
// signed in as themselves and has a licence (cédula) in the directory.
func (s *Service) vouched(ctx context.Context, call *operation.Call, encounter string) error {
	who := call.Caller.User.Current()
	if who.Type != "Practitioner" {
		return nil
	}
	name, err := s.roomOf(ctx, encounter)
	if err != nil {
		return err
	}
	v, err := s.load(ctx, name)
	if err != nil || !slices.Contains(v.Clinicians, who.String()) {
		return err
	}
	_, d, err := s.person(ctx, who)
	if err != nil || !licensed(d) {
		return err
	}
	return s.proved(ctx, name, &proof{Patient: v.Patient, How: byProfessional, By: who.String(), Client: call.Caller.Client, At: s.Now().UTC()})
}

func licensed(d *element.Doc) bool {
	for i := range d.Items(0, "identifier") {
		if d.TextAt(i, "system") == identity.SystemCedula && d.TextAt(i, "value") != "" {
			return true
		}
	}
	return false
}
