package visit

import (
	"context"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/telehealth/room"
)

// mostSeats is how many people there are in a visit at most, those who were invited and
// turned away among them.
const (
	mostSeats = 8
	longest   = 100 // characters of a name
)

// join answers Encounter/[id]/$join: a link for the caller, which is good once. A link that
// they had and did not use is good no more.
func (s *Service) join(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := understood(call, "participant", "language"); err != nil {
		return nil, err
	}
	speaks, err := spoken(call)
	if err != nil {
		return nil, err
	}
	v, err := s.called(ctx, call)
	if err != nil {
		return nil, err
	}
	who, err := s.caller(ctx, call, &v.sheet)
	if err != nil {
		return nil, err
	}
	p, _, err := s.person(ctx, who.ref)
	if err != nil {
		return nil, err
	}
	if speaks != "" {
		p.language = speaks
	}
	if who.theirs && call.Caller.User.ID != "" {
		if err := s.proved(ctx, v.Room, &proof{Patient: v.Patient, How: byPatient, By: who.ref.String(), Client: call.Caller.Client, At: s.Now().UTC()}); err != nil {
			return nil, err
		}
	}
	return s.seated(ctx, call, v.Room, &seat{
		Role: who.role, Name: p.name, Language: p.language, Actor: who.ref.String(), Theirs: who.theirs, Admitted: who.role == room.Clinician,
	})
}

// spoken returns the parameter language.
func spoken(call *operation.Call) (string, error) {
	text, err := call.In.Text("language")
	if err == nil && text != "" && !isLanguage(text) {
		err = fhir.Errorf(fhir.Invalid, "the parameter language is a code of BCP 47, such as es-MX or nah").With("%.50q", text)
	}
	return text, err
}

// seated gives somebody a link to their seat, a new one unless they have one.
func (s *Service) seated(ctx context.Context, call *operation.Call, name string, want *seat) (*operation.Answer, error) {
	token, digest := secret(name)
	var got *seat
	v, err := s.change(ctx, name, func(v *visit) error {
		if err := s.open(&v.sheet); err != nil {
			return err
		}
		if err := s.consented(ctx, v.Patient); err != nil {
			return err
		}
		got = nil
		if want.Actor != "" {
			got = v.find(func(t *seat) bool { return t.Actor == want.Actor })
		}
		switch {
		case got != nil && got.Refused:
			return fhir.Errorf(fhir.Forbidden, "the visit goes on without you: a clinician turned you away")
		case got != nil:
			got.Language = want.Language
		case len(v.Seats) >= mostSeats:
			return fhir.Errorf(fhir.Conflict, "the visit is full: %d people are in it, or were invited", mostSeats)
		default:
			t := *want
			t.ID, got = random(16), &t
			v.Seats = append(v.Seats, got)
		}
		got.Token = digest
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &operation.Answer{JSON: compose.Parameters(
		compose.Part("url", "Url", s.Page(call.Base, v.Room, token)), compose.Part("seat", "String", got.ID), compose.Part("role", "Code", string(got.Role)),
		compose.Part("opens", "Instant", stamp(s.opens(&v.sheet))), compose.Part("closes", "Instant", stamp(s.closes(&v.sheet))),
	)}, nil
}

// invite answers Encounter/[id]/$invite: a link for somebody who is no part of the record,
// to be handed to them.
func (s *Service) invite(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := understood(call, "name", "role", "language", "participant"); err != nil {
		return nil, err
	}
	name, err := call.In.Text("name")
	if err != nil {
		return nil, err
	}
	if name = strings.TrimSpace(name); name == "" || len([]rune(name)) > longest {
		return nil, fhir.Errorf(fhir.Invalid, "the parameter name is needed: how they are shown to the others, up to %d characters", longest)
	}
	role, err := call.In.Text("role")
	if err != nil {
		return nil, err
	}
	if as := room.Role(role); as != room.Family && as != room.Interpreter {
		return nil, fhir.Errorf(fhir.Invalid, "the parameter role is family or interpreter").With("%.50q", role)
	}
	speaks, err := spoken(call)
	if err != nil {
		return nil, err
	}
	if speaks == "" {
		speaks = usual
	}
	v, err := s.called(ctx, call)
	if err != nil {
		return nil, err
	}
	if err := s.partOf(ctx, call, &v.sheet); err != nil {
		return nil, err
	}
	return s.seated(ctx, call, v.Room, &seat{Role: room.Role(role), Name: name, Language: speaks})
}

// partOf reports an error unless a caller takes part in a visit, or is an app.
func (s *Service) partOf(ctx context.Context, call *operation.Call, v *sheet) error {
	if s.isApp(call.Caller) {
		return nil
	}
	_, err := s.caller(ctx, call, v)
	return err
}

// uninvite answers Encounter/[id]/$uninvite: a link that is not to be used any more, and
// whoever used it has to leave.
func (s *Service) uninvite(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := understood(call, "seat"); err != nil {
		return nil, err
	}
	id, err := call.In.Text("seat")
	if err != nil {
		return nil, err
	}
	v, err := s.called(ctx, call)
	if err != nil {
		return nil, err
	}
	if !s.isApp(call.Caller) {
		who, err := s.caller(ctx, call, &v.sheet)
		if err != nil {
			return nil, err
		}
		if t := v.seat(id); who.role != room.Clinician && t != nil && t.Actor != "" {
			return nil, fhir.Errorf(fhir.Forbidden, "you can only take back an invitation")
		}
	}
	v, err = s.change(ctx, v.Room, func(v *visit) error {
		t := v.seat(id)
		if t == nil {
			return fhir.Errorf(fhir.Unprocessable, "the parameter seat is that of somebody in the visit, as $join and $invite answer it")
		}
		t.turnAway()
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.Remove(v.Room, id)
	return &operation.Answer{JSON: compose.Parameters(compose.Part("seat", "String", id))}, nil
}
