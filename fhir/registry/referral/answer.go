package referral

import (
	"context"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
)

// noteKind is the kind of the entries that say of which Task a note of a counter-referral
// is, under the id of the Composition.
const noteKind = "referral-note"

// answer answers Task/[id]/$answer-referral, the counter-referral. The first call drafts
// its note; when that is signed, the referral is closed, by itself or by a call with the
// parameter note. Called again before that, it drafts another note.
func (s *service) answer(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := call.Only("summary", "diagnosis", "treatment", "recommendations", "follow-up", "encounter", "author", "note"); err != nil {
		return nil, err
	}
	signed, err := call.Reference("note", "Composition")
	if err != nil {
		return nil, err
	}
	if signed.ID != "" {
		return s.closed(ctx, call, signed)
	}
	t, err := s.on(ctx, call, &answering)
	if err != nil {
		return nil, err
	}
	m, err := s.counter(ctx, call, t)
	if err != nil {
		return nil, err
	}
	if err := s.counterNote(ctx, call, m); err != nil {
		return nil, err
	}
	w, now := &writing{maker: s.Maker(call.Base)}, s.Now()
	request, n := fhir.Ref{Type: "ServiceRequest", ID: s.NewID()}, fhir.Ref{Type: "Composition", ID: s.NewID()}
	v := s.request(m, codeCounter, now)
	v["basedOn"] = []compose.Object{compose.Reference(t.request)}
	v["supportingInfo"] = []compose.Object{compose.Reference(n)}
	if err := s.withdraw(ctx, w, t); err != nil {
		return nil, err
	}
	w.create(request, compose.JSON(v))
	w.create(n, m.note.json())
	t.move(w, Answering, now, s.Deadlines.of(m.priority).Report.after(now, s.Calendar, s.Zone))
	t.o.push("output", part("counter-request", "Contrarreferencia", "Reference", compose.Reference(request)))
	t.o.push("output", part("counter-note", "Nota de contrarreferencia", "Reference", compose.Reference(n)))
	w.entries = append(w.entries, fhir.Entry{Kind: noteKind, Key: n.ID, Value: compose.JSON(t.r.Ref.ID)})
	if err := s.finish(ctx, w, t, Answering); err != nil {
		return nil, err
	}
	if _, err := s.apply(ctx, w); err != nil {
		return nil, err
	}
	return &operation.Answer{Status: 201, JSON: compose.Parameters(
		compose.Part("request", "Reference", compose.Reference(request)), compose.Part("note", "Reference", compose.Reference(n)), compose.Part("task", "Reference", compose.Reference(t.r.Ref)),
	)}, nil
}

// counter gathers what the counter-referral is made of: it goes the other way.
func (s *service) counter(ctx context.Context, call *operation.Call, t *task) (*making, error) {
	m := &making{patient: t.patient, priority: t.d.TextAt(0, "priority"), reason: "Contrarreferencia"}
	if _, _, err := s.one(ctx, call.Restriction, m.patient); err != nil {
		return nil, err
	}
	for _, p := range []struct {
		at  **place
		ref fhir.Ref
	}{{&m.from, t.receiver}, {&m.to, t.sender}} {
		_, d, err := s.one(ctx, search.Unrestricted, p.ref) // an establishment that was shown before
		if err != nil {
			return nil, unknown(err, p.ref)
		}
		*p.at = placeOf(p.ref, d)
	}
	visit, err := s.ofPatient(ctx, call, m.patient, "encounter", "Encounter")
	if err != nil {
		return nil, err
	}
	if len(visit) > 1 {
		return nil, fhir.Errorf(fhir.Invalid, "the parameter encounter may be given once")
	}
	if len(visit) == 1 {
		m.encounter = visit[0]
		_, d, err := s.one(ctx, call.Restriction, m.encounter)
		if err != nil {
			return nil, err
		}
		if at, ok := local(call, d.TextAt(0, "serviceProvider", "reference")); ok && at != t.receiver {
			return nil, fhir.Errorf(fhir.Unprocessable, "the encounter took place in another establishment").At("Encounter.serviceProvider")
		}
	}
	if err := s.writer(ctx, call, m); err != nil {
		return nil, err
	}
	m.diagnoses, err = s.ofPatient(ctx, call, m.patient, "diagnosis", "Condition")
	return m, err
}

// counterNote drafts the note: that of 6.4, with what the sender has to do.
func (s *service) counterNote(ctx context.Context, call *operation.Call, m *making) error {
	if _, err := call.Needed("summary", "what was done (resumen clínico)"); err != nil {
		return err
	}
	advice, err := call.Needed("recommendations", "what the establishment that sent is to do")
	if err != nil {
		return err
	}
	later, err := call.In.Text("follow-up")
	if err != nil {
		return err
	}
	if m.note, err = s.draftNote(ctx, call, m, "Nota de contrarreferencia"); err != nil {
		return err
	}
	n := m.note
	n.add("vigilancia-ambulatoria", "8653-8", "Recomendaciones para vigilancia ambulatoria")
	n.write("establecimiento-que-envia", m.from.line())
	n.write("establecimiento-receptor", m.to.line(), m.to.ref)
	n.write("motivo-de-envio", "Contrarreferencia: el paciente regresa al establecimiento que lo envió.")
	n.write("vigilancia-ambulatoria", advice)
	if later != "" {
		n.write("vigilancia-ambulatoria", "Seguimiento: "+later)
	}
	return s.written(ctx, call, m)
}

// withdraw revokes the request of a counter-referral that was drafted before and marks its
// draft as entered in error, and takes both from the Task. Errors: fhir.Conflict when the
// note is signed.
func (s *service) withdraw(ctx context.Context, w *writing, t *task) error {
	var rest []compose.Object
	for n := range t.d.Items(0, "output") {
		ref, _ := fhir.ParseRef(t.d.TextAt(n, "valueReference", "reference"))
		switch codeIn(t.d, t.d.Get(n, "type"), PartSystem) {
		case "counter-note":
			if err := s.restate(ctx, w, ref, "entered-in-error"); err != nil {
				return err
			}
		case "counter-request":
			if err := s.restate(ctx, w, ref, "revoked"); err != nil {
				return err
			}
		default:
			rest = append(rest, part(codeIn(t.d, t.d.Get(n, "type"), PartSystem), t.d.TextAt(n, "type", "text"), "Reference", compose.Reference(ref)))
		}
	}
	if t.state == Answering {
		delete(t.o, "output")
		for _, v := range rest {
			t.o.push("output", v)
		}
	}
	return nil
}

// restate gives what an earlier draft was made of another status; what is gone is passed
// over.
func (s *service) restate(ctx context.Context, w *writing, ref fhir.Ref, status string) error {
	r, d, err := s.one(ctx, search.Unrestricted, ref)
	if code := fhir.CodeOf(err); code == fhir.NotFound || code == fhir.Gone {
		return nil
	}
	if err != nil {
		return err
	}
	if ref.Type == "Composition" && final(d) {
		return fhir.Errorf(fhir.Conflict, "the note of the counter-referral is signed: the referral closes by the parameter note, if it has not yet").With("note is %s", ref)
	}
	o, err := open(r)
	if err != nil {
		return err
	}
	o.set("status", status)
	w.update(r, compose.JSON(o))
	return nil
}

// closed closes a referral by its signed note.
func (s *service) closed(ctx context.Context, call *operation.Call, note fhir.Ref) (*operation.Answer, error) {
	t, err := s.on(ctx, call, &closing)
	if err != nil {
		return nil, err
	}
	if t.output("counter-note") != note {
		return nil, fhir.Errorf(fhir.Unprocessable, "the parameter note is not the note of this counter-referral").With("that is %s", t.output("counter-note"))
	}
	_, d, err := s.one(ctx, call.Restriction, note)
	if err != nil {
		return nil, unknown(err, note)
	}
	if !final(d) {
		return nil, fhir.Errorf(fhir.Conflict, "the note of the counter-referral is not signed: Composition/[id]/$prepare-signature and $sign do that").At("Composition.status")
	}
	w := &writing{maker: s.Maker(call.Base)}
	if err := s.close(ctx, w, t); err != nil {
		return nil, err
	}
	return s.answered(ctx, w, t)
}

// close completes a referral, and the request of its counter-referral.
func (s *service) close(ctx context.Context, w *writing, t *task) error {
	if err := s.restate(ctx, w, t.output("counter-request"), "completed"); err != nil {
		return err
	}
	t.move(w, Answered, s.Now(), noTime)
	return s.finish(ctx, w, t, Answered)
}

// output returns what the Task gave of a kind.
func (t *task) output(code string) (ref fhir.Ref) {
	for n := range t.d.Items(0, "output") {
		if codeIn(t.d, t.d.Get(n, "type"), PartSystem) == code {
			ref, _ = fhir.ParseRef(t.d.TextAt(n, "valueReference", "reference"))
		}
	}
	return ref.Current()
}

// final reports whether a note is signed: an unsigned one stays preliminary until then.
func final(d *element.Doc) bool {
	status := d.TextAt(0, "status")
	return status == "final" || status == "amended"
}
