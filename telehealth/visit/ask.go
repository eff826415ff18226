package visit

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/telehealth/room"
)

// understood refuses parameters that an operation does not have.
func understood(call *operation.Call, names ...string) error {
	for _, name := range call.In.Names() {
		if !slices.Contains(names, name) && !strings.HasPrefix(name, "_") {
			return fhir.Errorf(fhir.Invalid, "the operation has no such parameter").
				With("it has %s, not %.100q%s", strings.Join(names, ", "), name, search.Nearest(name, names))
		}
	}
	return nil
}

// referred returns a parameter that refers to a resource of one of these types; zero when
// it is left out.
func referred(call *operation.Call, name string, types ...string) (fhir.Ref, error) {
	v, ok, err := call.In.One(name)
	if err != nil || !ok {
		return fhir.Ref{}, err
	}
	text := v.Text
	if n, _ := v.Typed(); text == "" && n != element.None {
		text = v.Doc.TextAt(n, "reference")
	}
	ref, ok := fhir.ParseRef(strings.TrimPrefix(text, call.Base+"/"))
	if !ok || !slices.Contains(types, ref.Type) {
		return fhir.Ref{}, fhir.Errorf(fhir.Invalid, "the parameter %s refers to a %s", name, strings.Join(types, ", ")).With("%.100q", text)
	}
	return ref.Current(), nil
}

// language is what a tag of a language looks like.
//
// See https://www.rfc-editor.org/rfc/rfc5646#section-2.1.
var language = regexp.MustCompile(`^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,5}$`)

func isLanguage(text string) bool { return language.MatchString(text) }

// called returns the visit of the Encounter that a call is on. Who sees its Appointment may
// know of it: an app that books sees no Encounters.
func (s *Service) called(ctx context.Context, call *operation.Call) (*visit, error) {
	unknown := fhir.Errorf(fhir.NotFound, "no such visit is shown to you")
	name, err := s.roomOf(ctx, call.ID)
	if err == nil {
		var v *visit
		if v, err = s.load(ctx, name); err == nil {
			_, err = s.shown(ctx, call, fhir.Ref{Type: "Appointment", ID: v.Appointment})
			if err == nil {
				return s.claimed(ctx, v, call)
			}
		}
	}
	if fhir.CodeOf(err) == fhir.NotFound {
		err = unknown
	}
	return nil, err
}

// participant is somebody who has a place in a visit of their own.
type participant struct {
	ref    fhir.Ref
	role   room.Role
	theirs bool // of the patient's side
}

// caller returns as whom a caller takes part. An app that acts for people says for whom.
// Errors: fhir.Forbidden.
func (s *Service) caller(ctx context.Context, call *operation.Call, v *sheet) (*participant, error) {
	named, err := referred(call, "participant", "Patient", "Practitioner", "RelatedPerson")
	if err != nil {
		return nil, err
	}
	who := call.Caller.User.Current()
	switch {
	case who.ID != "" && named.ID != "" && named != who:
		return nil, fhir.Errorf(fhir.Forbidden, "you take part for yourself: leave the parameter participant out")
	case who.ID == "" && !s.isApp(call.Caller):
		return nil, fhir.Errorf(fhir.Forbidden, "the token does not say who you are")
	case who.ID == "" && named.ID == "":
		return nil, fhir.Errorf(fhir.Invalid, "the parameter participant is needed: for whom the app asks, a Patient, Practitioner or RelatedPerson of the visit")
	case who.ID == "":
		who = named
	}
	outsider := fhir.Errorf(fhir.Forbidden, "this visit is of others: who takes part in it can send an invitation")
	switch who.Type {
	case "Practitioner":
		if slices.Contains(v.Clinicians, who.String()) {
			return &participant{ref: who, role: room.Clinician}, nil
		}
	case "Patient":
		if who.ID == v.Patient {
			return &participant{ref: who, role: room.Patient, theirs: true}, nil
		}
	case "RelatedPerson":
		r, err := s.one(ctx, everything, who)
		if err != nil || r == nil {
			break
		}
		d, err := element.Parse(r.JSON)
		if err == nil && d.TextAt(0, "active") != "false" && d.TextAt(0, "patient", "reference") == "Patient/"+v.Patient {
			return &participant{ref: who, role: room.Family, theirs: true}, nil
		}
	}
	return nil, outsider
}
