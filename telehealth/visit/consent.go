package visit

import (
	"cmp"
	"context"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
)

// What says that a Consent is about consultations at a distance: a code of its category.
const (
	ConsentSystem = base + "CodeSystem/consent-category"
	ConsentCode   = "teleconsulta"
	ConsentURL    = base + "StructureDefinition/teleconsultation-consent"
)

const scopes = "http://terminology.hl7.org/CodeSystem/consentscope"

// consented reports an error unless a patient consents to consultations at a distance: a
// Consent permits it that is active and in force, and none denies it (Ley General de Salud,
// article 71 Septies).
func (s *Service) consented(ctx context.Context, patient string) error {
	found, err := s.all(ctx, "Consent", search.Param{Name: "patient", Value: "Patient/" + patient}, search.Param{Name: "status", Value: "active"},
		search.Param{Name: "category", Value: ConsentSystem + "|" + ConsentCode})
	if err != nil {
		return err
	}
	permitted := false
	for i := range found {
		d, err := element.Parse(found[i].JSON)
		if err != nil {
			return err
		}
		if !concerns(d) || !inForce(d, s.Now()) {
			continue
		}
		if d.TextAt(0, "provision", "type") == "deny" {
			return errConsent
		}
		permitted = true
	}
	if !permitted {
		return errConsent
	}
	return nil
}

// concerns reports whether a Consent is to treatment, or about privacy.
func concerns(d *element.Doc) bool {
	for c := range d.Items(d.Get(0, "scope"), "coding") {
		if code := d.TextAt(c, "code"); d.TextAt(c, "system") == scopes && (code == "treatment" || code == "patient-privacy") {
			return true
		}
	}
	return false
}

// inForce reports whether the period of a Consent holds a time. A day counts until it ends
// everywhere in Mexico.
func inForce(d *element.Doc, at time.Time) bool {
	start, end := d.TextAt(0, "provision", "period", "start"), d.TextAt(0, "provision", "period", "end")
	if from, ok := bound(start, false); start != "" && (!ok || at.Before(from)) {
		return false
	}
	if to, ok := bound(end, true); end != "" && (!ok || at.After(to)) {
		return false
	}
	return true
}

// bound reads a dateTime: where it begins, or ends, in the time of central Mexico when it
// has none.
func bound(text string, end bool) (time.Time, bool) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, true
	}
	zone := time.FixedZone("", -6*60*60)
	for _, f := range []struct {
		layout              string
		years, months, days int
	}{{time.DateOnly, 0, 0, 1}, {"2006-01", 0, 1, 0}, {"2006", 1, 0, 0}} {
		if t, err := time.ParseInLocation(f.layout, text, zone); err == nil {
			if end {
				t = t.AddDate(f.years, f.months, f.days)
			}
			return t, true
		}
	}
	return time.Time{}, false
}

// The text that patients consent to unless another one is given.
const (
	version = "teleconsulta-1"
	text    = "Acepto recibir atención médica a distancia por video, audio o mensajes. Se me explicó en qué consiste, " +
		"sus beneficios y sus límites: no sustituye la exploración física y puede interrumpirse por fallas técnicas. " +
		"Mis datos se tratan de forma confidencial, la consulta no se graba, y puedo terminarla o retirar este " +
		"consentimiento en cualquier momento sin que eso afecte mi atención presencial."
)

// how a consent can be given.
var given = []string{"verbal", "electronic", "written"}

// consent answers $visit-consent: records that the patient, or who stands for them,
// consents to the visit of an Appointment: by whom, when and how, and to which text. Sent
// again, it is answered the same.
func (s *Service) consent(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := understood(call, "how", "by", "version", "text"); err != nil {
		return nil, err
	}
	k := consenting{version: version, text: text}
	var err error
	if k.how, err = call.In.Text("how"); err == nil && !slices.Contains(given, k.how) {
		err = fhir.Errorf(fhir.Invalid, "the parameter how is verbal, electronic or written").With("%.50q", k.how)
	}
	if err != nil {
		return nil, err
	}
	if err := k.wording(call); err != nil {
		return nil, err
	}
	ref := call.Ref()
	if call.Type == "Encounter" {
		v, err := s.called(ctx, call)
		if err != nil {
			return nil, err
		}
		ref, k.encounter = fhir.Ref{Type: "Appointment", ID: v.Appointment}, v.Encounter
	}
	a, err := s.shown(ctx, call, ref)
	if err != nil {
		return nil, err
	}
	if err := s.giver(ctx, call, a, &k); err != nil {
		return nil, err
	}
	if k.encounter == "" {
		if _, err := s.roomOf(ctx, encounterID(a.ref.ID)); err == nil {
			k.encounter = encounterID(a.ref.ID)
		}
	}
	answer, err := s.agreed(ctx, call, a, &k)
	if who := call.Caller.User.Current(); err == nil && who == k.by && who.ID != "" {
		err = s.provedBefore(ctx, a, &proof{Patient: a.patient, How: byPatient, By: who.String(), Client: call.Caller.Client, At: s.Now().UTC()})
	}
	if err != nil {
		return nil, err
	}
	return answer, nil
}

// consenting is a consent that is given.
type consenting struct {
	how, version, text string
	by                 fhir.Ref
	encounter          string
}

func (k *consenting) wording(call *operation.Call) error {
	v, err := call.In.Text("version")
	if err != nil {
		return err
	}
	t, err := call.In.Text("text")
	switch {
	case err != nil:
		return err
	case (v == "") != (t == ""):
		return fhir.Errorf(fhir.Invalid, "the parameters version and text go together: which text was consented to, and what it says")
	case len(v) > 64 || len(t) > 20_000:
		return fhir.Errorf(fhir.Invalid, "version has 64 bytes at most, text 20,000")
	}
	k.version, k.text = cmp.Or(v, k.version), cmp.Or(t, k.text)
	return nil
}

// giver finds who consents: the caller if it is about them, or who is named.
func (s *Service) giver(ctx context.Context, call *operation.Call, a *appointment, k *consenting) error {
	named, err := referred(call, "by", "Patient", "RelatedPerson")
	if err != nil {
		return err
	}
	patient := fhir.Ref{Type: "Patient", ID: a.patient}
	k.by = named
	if me := call.Caller.User.Current(); me.Type == "Patient" || me.Type == "RelatedPerson" {
		if named.ID != "" && named != me {
			return fhir.Errorf(fhir.Forbidden, "you consent for yourself: leave the parameter by out")
		}
		k.by = me
	}
	if k.by.ID == "" {
		k.by = patient
	}
	if k.by.Type == "Patient" {
		if k.by != patient {
			return fhir.Errorf(fhir.Forbidden, "the visit is of another patient")
		}
		return nil
	}
	if _, err := s.caller(ctx, &operation.Call{In: operation.NewInputs(nil, nil), Caller: operation.Caller{User: k.by}}, &sheet{Patient: a.patient}); err != nil {
		return fhir.Errorf(fhir.Unprocessable, "who consents in the place of a patient is a RelatedPerson of theirs").At("by")
	}
	return nil
}

// agreed writes a consent, and the text that it is to; again when somebody else was faster,
// who may have recorded the same.
func (s *Service) agreed(ctx context.Context, call *operation.Call, a *appointment, k *consenting) (*operation.Answer, error) {
	for try := 1; ; try++ {
		answer, err := s.agreedOnce(ctx, call, a, k)
		if fhir.CodeOf(err) != fhir.Stale || try == mostTries {
			return answer, err
		}
		if err := pause(ctx, try); err != nil {
			return nil, err
		}
	}
}

// agreedOnce is agreed. Errors: fhir.Stale when somebody else was faster.
func (s *Service) agreedOnce(ctx context.Context, call *operation.Call, a *appointment, k *consenting) (*operation.Answer, error) {
	consent, had, err := s.ours(ctx, "Consent", "-tc", a, "patient")
	if err != nil {
		return nil, err
	}
	document, written, err := s.ours(ctx, "DocumentReference", "-td", a, "subject")
	if err != nil {
		return nil, err
	}
	if had != nil && s.consented(ctx, a.patient) == nil && strings.Contains(string(had.JSON), `"status":"active"`) {
		return &operation.Answer{JSON: had.JSON}, nil
	}
	v := &visit{sheet: sheet{Base: call.Base}}
	m, now := s.Maker(call.Base), stamp(s.Now())
	d, err := create(m, s.wordsOf(call, a, k, now), document.ID)
	if err != nil {
		return nil, err
	}
	details := []compose.Object{{"url": "how", "valueCode": k.how}, {"url": "version", "valueString": k.version}, {"url": "appointment", "valueReference": compose.Reference(a.ref)}}
	if call.Caller.User.ID != "" {
		details = append(details, compose.Object{"url": "recordedBy", "valueReference": compose.Reference(call.Caller.User)})
	}
	c, err := create(m, compose.Object{
		"resourceType": "Consent", "status": "active", "scope": compose.Concept(scopes, "treatment", "Treatment"),
		"category": []compose.Object{compose.Concept(ConsentSystem, ConsentCode, "Consentimiento para consulta a distancia"), compose.Concept("http://loinc.org", "59284-0", "Consent Document")},
		"patient":  compose.Reference(fhir.Ref{Type: "Patient", ID: a.patient}), "dateTime": now, "performer": []compose.Object{compose.Reference(k.by)},
		"sourceReference": compose.Reference(document), "policyRule": compose.Object{"text": "Ley General de Salud, artículo 71 Septies"},
		"verification": []compose.Object{{"verified": true, "verifiedWith": compose.Reference(k.by), "verificationDate": now}},
		"provision":    compose.Object{"type": "permit", "period": compose.Object{"start": now}},
		"extension":    []compose.Object{{"url": ConsentURL, "extension": details}},
	}, consent.ID)
	if err != nil {
		return nil, err
	}
	inPlaceOf(&d, written)
	inPlaceOf(&c, had)
	v.changes = append(v.changes, d, c)
	if err := s.apply(ctx, v.changes); err != nil {
		return nil, err
	}
	r, err := s.one(ctx, everything, consent)
	if err != nil || r == nil {
		return nil, cmp.Or(err, error(fhir.Errorf(fhir.Conflict, "the Consent was deleted meanwhile")))
	}
	if err := s.consented(ctx, a.patient); err != nil {
		return nil, fhir.Errorf(fhir.Conflict, "the consent is recorded, but another Consent of the patient denies consultations at a distance: it has to be made inactive first")
	}
	return &operation.Answer{JSON: r.JSON}, nil
}

// ours returns where a resource is, or is to be, that goes with an Appointment and its
// patient, and the resource as it is, nil for none. Whoever chooses the id of an
// Appointment would choose that of what goes with it too: what is of another patient, or of
// another Appointment, is left alone, and not shown. Errors: fhir.Conflict.
func (s *Service) ours(ctx context.Context, typ, as string, a *appointment, subject string) (fhir.Ref, *fhir.Resource, error) {
	const most = 64 // characters of an id
	ids := []string{a.ref.ID + as, digestOf(a.ref.ID + "/" + a.patient)[:most-len(as)] + as}
	if len(ids[0]) > most {
		ids = ids[1:]
	}
	for _, id := range ids {
		ref := fhir.Ref{Type: typ, ID: id}
		r, err := s.one(ctx, everything, ref)
		if err != nil || r == nil {
			return ref, nil, err
		}
		d, err := element.Parse(r.JSON)
		if err != nil {
			return ref, nil, err
		}
		if d.TextAt(0, subject, "reference") == "Patient/"+a.patient && refersTo(d, a.ref.Current()) {
			return ref, r, nil
		}
	}
	return fhir.Ref{}, nil, fhir.Errorf(fhir.Conflict, "a %s that is not of this Appointment has the id of the one that would be written", typ)
}

// refersTo reports whether a consent, or the text of it, is about an Appointment.
func refersTo(d *element.Doc, at fhir.Ref) bool {
	for e := range d.Items(0, "extension") {
		for p := range d.Items(e, "extension") {
			if d.TextAt(p, "url") == "appointment" && d.TextAt(p, "valueReference", "reference") == at.String() {
				return true
			}
		}
	}
	for r := range d.Items(d.Get(0, "context"), "related") {
		if d.TextAt(r, "reference") == at.String() {
			return true
		}
	}
	return false
}

// inPlaceOf has a change replace a version, or nothing: what came meanwhile stays.
func inPlaceOf(c *bundle.Change, was *fhir.Resource) {
	if c.IfNoneMatch = was == nil; was != nil {
		c.IfMatch = was.Ref.Version
	}
}

// wordsOf composes the DocumentReference of the text that was consented to.
func (s *Service) wordsOf(call *operation.Call, a *appointment, k *consenting, now string) compose.Object {
	around := compose.Object{"related": []compose.Object{compose.Reference(a.ref)}}
	if k.encounter != "" {
		around["encounter"] = []compose.Object{compose.Reference(fhir.Ref{Type: "Encounter", ID: k.encounter})}
	}
	o := compose.Object{
		"resourceType": "DocumentReference", "status": "current", "docStatus": "final", "type": compose.Concept("http://loinc.org", "59284-0", "Consent Document"),
		"subject": compose.Reference(fhir.Ref{Type: "Patient", ID: a.patient}), "date": now, "context": around,
		"content": []compose.Object{{"attachment": compose.Object{"contentType": "text/plain; charset=utf-8", "language": usual, "title": k.version,
			"data": base64.StdEncoding.EncodeToString([]byte(k.text)), "creation": now}}},
	}
	if call.Caller.User.ID != "" {
		o["author"] = []compose.Object{compose.Reference(call.Caller.User)}
	}
	return o
}

// ConsentsChanged ends the visits under way of patients who do not consent any more. It is
// told of patients whose Consents were written; with none it looks at all visits.
func (s *Service) ConsentsChanged(ctx context.Context, patients ...string) error {
	return s.eachOpen(ctx, func(v *visit) error {
		if len(patients) > 0 && !slices.Contains(patients, v.Patient) || !v.Ended.IsZero() {
			return nil
		}
		return s.withoutConsent(ctx, v)
	})
}
