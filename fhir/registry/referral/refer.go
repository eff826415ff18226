package referral

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
)

// SystemCause holds the codes of why somebody is referred, 1 to 9, of variable 101
// (referidoPor) of the guide GIIS-B015.
const SystemCause = "https://github.com/amate-health/amate/fhir/CodeSystem/giis-referido-por"

// mostParts is how many diagnoses or documents are sent along.
const mostParts = 50

// making is a referral, or a counter-referral, on its way.
type making struct {
	patient, encounter, author fhir.Ref
	from, to                   *place
	service                    fhir.Ref // HealthcareService; zero for none
	priority, reason           string
	specialty, kind            compose.Object // what is asked for; nil for none
	causes                     []compose.Object
	diagnoses, documents       []fhir.Ref
	note                       *note
}

// refer answers Encounter/[id]/$refer and Patient/[id]/$refer: it makes the request, its
// Task, and the draft of the note, all or nothing.
func (s *service) refer(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := call.Only("to", "clues", "from", "reason", "reason-code", "cause", "priority", "specialty", "service", "diagnosis", "summary", "treatment", "document", "ips", "author"); err != nil {
		return nil, err
	}
	m := &making{}
	for _, f := range []func(context.Context, *operation.Call, *making) error{s.subject, s.between, s.writer, s.asked, s.attached, s.drafted} {
		if err := f(ctx, call, m); err != nil {
			return nil, err
		}
	}
	return s.send(ctx, call, m)
}

// subject is whom it is about, as the caller sees them.
func (s *service) subject(ctx context.Context, call *operation.Call, m *making) error {
	_, d, err := s.one(ctx, call.Restriction, call.Ref())
	if err != nil {
		return err
	}
	m.patient = call.Ref()
	var visit *element.Doc
	if call.Type == "Encounter" {
		m.encounter, visit = call.Ref(), d
		if status := d.TextAt(0, "status"); status == "cancelled" || status == "entered-in-error" {
			return fhir.Errorf(fhir.Unprocessable, "nobody is referred from an encounter that did not take place").At("Encounter.status")
		}
		var ok bool
		if m.patient, ok = local(call, d.TextAt(0, "subject", "reference")); !ok || m.patient.Type != "Patient" {
			return fhir.Errorf(fhir.Unprocessable, "the encounter has no patient").At("Encounter.subject")
		}
		if _, _, err := s.one(ctx, call.Restriction, m.patient); err != nil {
			return err
		}
	}
	m.from, err = s.sending(ctx, call, visit)
	return err
}

// between is where the patient is sent.
func (s *service) between(ctx context.Context, call *operation.Call, m *making) (err error) {
	if m.to, m.service, err = s.receiving(ctx, call); err != nil {
		return err
	}
	if m.to.ref == m.from.ref {
		return fhir.Errorf(fhir.Unprocessable, "the patient is sent to the establishment that sends: within one, a colleague is consulted (interconsulta)")
	}
	return nil
}

// writer is who signs the note: the caller, or whom a system names.
func (s *service) writer(ctx context.Context, call *operation.Call, m *making) error {
	said, err := call.Reference("author", "Practitioner")
	if err != nil {
		return err
	}
	switch user := call.Caller.User.Current(); {
	case user.Type == "Practitioner" && said.ID != "" && said != user:
		return fhir.Errorf(fhir.Forbidden, "the note is by who sends it: leave out the parameter author")
	case user.Type == "Practitioner":
		said = user
	case said.ID == "":
		return fhir.Errorf(fhir.Invalid, "the parameter author is needed: the Practitioner who signs the note")
	}
	m.author = said
	if _, _, err := s.one(ctx, call.Restriction, said); err != nil {
		return unknown(err, said)
	}
	return nil
}

// asked reads what is asked for, and why.
func (s *service) asked(_ context.Context, call *operation.Call, m *making) (err error) {
	if m.reason, err = call.Needed("reason", "why the patient is sent (motivo de envío)"); err != nil {
		return err
	}
	if m.priority, err = call.In.Text("priority"); err != nil {
		return err
	}
	if m.priority == "" {
		m.priority = "routine"
	}
	if !slices.Contains(priorities, m.priority) {
		return fhir.Errorf(fhir.Invalid, "the parameter priority is %s", strings.Join(priorities, ", ")).With("it is %.40q", m.priority)
	}
	if m.specialty, err = concept(call, "specialty"); err != nil {
		return err
	}
	if m.kind, err = concept(call, "service"); err != nil {
		return err
	}
	cause, err := call.In.Text("cause")
	if err != nil {
		return err
	}
	if cause != "" {
		if len(cause) != 1 || cause < "1" || cause > "9" {
			return fhir.Errorf(fhir.Invalid, "the parameter cause is a code of variable 101 of GIIS-B015, 1 to 9").With("it is %.40q", cause)
		}
		m.causes = append(m.causes, compose.Concept(SystemCause, cause, ""))
	}
	for _, v := range call.In.All("reason-code") {
		c, err := conceptOf(v, "reason-code")
		if err != nil {
			return err
		}
		m.causes = append(m.causes, c)
	}
	return nil
}

// attached reads the diagnoses and documents that are sent along, which are of the same
// patient and shown to the caller.
func (s *service) attached(ctx context.Context, call *operation.Call, m *making) (err error) {
	if m.diagnoses, err = s.ofPatient(ctx, call, m.patient, "diagnosis", "Condition"); err != nil {
		return err
	}
	m.documents, err = s.ofPatient(ctx, call, m.patient, "document",
		"Composition", "DocumentReference", "DiagnosticReport", "Observation", "ImagingStudy", "Condition", "Procedure", "MedicationRequest", "MedicationStatement", "AllergyIntolerance", "QuestionnaireResponse", "CarePlan", "Immunization")
	return err
}

func (s *service) ofPatient(ctx context.Context, call *operation.Call, patient fhir.Ref, name string, types ...string) (all []fhir.Ref, err error) {
	values := call.In.All(name)
	if len(values) > mostParts {
		return nil, fhir.Errorf(fhir.Invalid, "the parameter %s may be given %d times", name, mostParts)
	}
	for _, v := range values {
		ref, err := named(call, v, name, types...)
		if err != nil {
			return nil, err
		}
		_, d, err := s.one(ctx, call.Restriction, ref)
		if err != nil {
			return nil, unknown(err, ref)
		}
		about := d.TextAt(0, "subject", "reference")
		if about == "" {
			about = d.TextAt(0, "patient", "reference")
		}
		if of, ok := local(call, about); !ok || of != patient {
			return nil, fhir.Errorf(fhir.Unprocessable, "what is sent along is of another patient").With("%s", ref).At("Parameters.parameter.where(name='" + name + "')")
		}
		if !slices.Contains(all, ref) {
			all = append(all, ref)
		}
	}
	return all, nil
}

// drafted makes the note.
func (s *service) drafted(ctx context.Context, call *operation.Call, m *making) error {
	n, err := s.draftNote(ctx, call, m, "Nota de referencia o traslado")
	if err != nil {
		return err
	}
	to := m.to.line()
	for _, c := range []compose.Object{m.specialty, m.kind} {
		if c != nil {
			to += ", " + said(c)
		}
	}
	n.write("establecimiento-que-envia", m.from.line())
	n.write("establecimiento-receptor", to, m.to.ref)
	n.write("motivo-de-envio", m.reason)
	m.note = n
	return s.written(ctx, call, m)
}

// written puts what the caller says into the note.
func (s *service) written(ctx context.Context, call *operation.Call, m *making) error {
	for name, section := range map[string]string{"summary": "resumen-clinico", "treatment": "tratamiento"} {
		text, err := call.In.Text(name)
		if err != nil {
			return err
		}
		m.note.write(section, text)
	}
	var names []string
	for _, ref := range m.diagnoses {
		if m.note.has("diagnosticos", ref) { // the visit named it, in words too
			continue
		}
		_, d, err := s.one(ctx, call.Restriction, ref)
		if err != nil {
			return unknown(err, ref)
		}
		names = append(names, diagnosisText(d))
	}
	m.note.write("diagnosticos", strings.Join(names, "; "), m.diagnoses...)
	return s.labelled(ctx, call, m.note)
}

// labelled gives a note the security labels of what it tells of: who is not shown that is
// not to read it here either.
func (s *service) labelled(ctx context.Context, call *operation.Call, n *note) error {
	for _, part := range n.sections {
		for _, e := range part.Entry {
			var named struct{ Reference string }
			if err := json.Unmarshal(e, &named); err != nil {
				return err
			}
			ref, ok := local(call, named.Reference)
			if !ok {
				continue
			}
			_, d, err := s.one(ctx, call.Restriction, ref)
			if code := fhir.CodeOf(err); code == fhir.NotFound || code == fhir.Gone {
				continue
			}
			if err != nil {
				return err
			}
			for label := range d.Items(d.Get(0, "meta"), "security") {
				n.label(d.AppendCompact(nil, label))
			}
		}
	}
	return nil
}

// send writes it all.
func (s *service) send(ctx context.Context, call *operation.Call, m *making) (*operation.Answer, error) {
	now := s.Now()
	request, t, n := fhir.Ref{Type: "ServiceRequest", ID: s.NewID()}, fhir.Ref{Type: "Task", ID: s.NewID()}, fhir.Ref{Type: "Composition", ID: s.NewID()}
	w := &writing{maker: s.Maker(call.Base)}
	inputs := []compose.Object{part("note", "Nota de referencia o traslado", "Reference", compose.Reference(n))}
	parts := []compose.Object{compose.Part("request", "Reference", compose.Reference(request)), compose.Part("task", "Reference", compose.Reference(t)), compose.Part("note", "Reference", compose.Reference(n))}
	support := []compose.Object{compose.Reference(n)}
	for _, ref := range m.documents {
		inputs = append(inputs, part("document", "Documento", "Reference", compose.Reference(ref)))
		support = append(support, compose.Reference(ref))
	}
	ips, err := call.In.Text("ips")
	if err == nil && ips != "" && ips != "true" && ips != "false" {
		err = fhir.Errorf(fhir.Invalid, "the parameter ips is true or false").With("it is %.40q", ips)
	}
	if err != nil {
		return nil, err
	}
	if ips == "true" {
		if s.Summary == nil {
			return nil, fhir.Errorf(fhir.NotSupported, "this server makes no summaries")
		}
		text, err := s.Summary(ctx, call, m.patient)
		if err != nil {
			return nil, err
		}
		ref := fhir.Ref{Type: "Bundle", ID: s.NewID()}
		w.create(ref, text)
		inputs = append(inputs, part("summary", "Resumen del paciente", "Reference", compose.Reference(ref)))
		support = append(support, compose.Reference(ref))
		parts = append(parts, compose.Part("summary", "Reference", compose.Reference(ref)))
	}
	d := s.Deadlines.of(m.priority)
	due := d.Respond.after(now, s.Calendar, s.Zone)
	v := s.request(m, codeReferral, now)
	v["supportingInfo"] = support
	v["occurrencePeriod"] = compose.Object{"start": stamp(now), "end": stamp(d.Attend.after(due, s.Calendar, s.Zone))}
	w.create(request, compose.JSON(v))
	w.create(n, m.note.json())
	w.create(t, compose.JSON(s.task(m, request, inputs, now, due)))
	w.entries = append(w.entries, dueEntry(t.ID, 0, due))
	if _, err := s.apply(ctx, w); err != nil {
		return nil, err
	}
	parts = append(parts, compose.Part("due", "Instant", stamp(due)))
	return &operation.Answer{Status: 201, JSON: compose.Parameters(parts...)}, nil
}

// request is what is asked for.
//
// See https://hl7.org/fhir/R4/servicerequest.html.
func (s *service) request(m *making, code string, now time.Time) compose.Object {
	performers := []compose.Object{m.to.reference()}
	if m.service.ID != "" {
		performers = append(performers, compose.Reference(m.service))
	}
	v := compose.Object{
		"resourceType": "ServiceRequest", "language": "es-MX", "status": "active", "intent": "order", "priority": m.priority,
		"category": []compose.Object{compose.Concept(System, code, displays[code])}, "subject": compose.Reference(m.patient),
		"requester": compose.Reference(m.author), "authoredOn": stamp(now), "performer": performers,
	}
	reasons := append([]compose.Object{{"text": m.reason}}, m.causes...)
	v["reasonCode"] = reasons
	if m.encounter.ID != "" {
		v["encounter"] = compose.Reference(m.encounter)
	}
	if m.kind != nil {
		v["code"] = m.kind
	}
	if m.specialty != nil {
		v["performerType"] = m.specialty
	}
	if len(m.diagnoses) > 0 {
		v["reasonReference"] = references(m.diagnoses)
	}
	return v
}

var displays = map[string]string{codeReferral: "Referencia", codeCounter: "Contrarreferencia"}

// task is how far it has come.
//
// See https://hl7.org/fhir/R4/task.html.
func (s *service) task(m *making, request fhir.Ref, inputs []compose.Object, now, due time.Time) compose.Object {
	v := compose.Object{
		"resourceType": "Task", "language": "es-MX", "status": kept[Sent].task, "businessStatus": status(Sent, false), "intent": "order", "priority": m.priority,
		"code": compose.Concept(System, codeReferral, displays[codeReferral]), "basedOn": []compose.Object{compose.Reference(request)}, "focus": compose.Reference(request),
		"for": compose.Reference(m.patient), "authoredOn": stamp(now), "lastModified": stamp(now),
		"requester": m.from.reference(), "owner": m.to.reference(), "reasonCode": compose.Object{"text": m.reason},
		"restriction": compose.Object{"period": compose.Object{"start": stamp(now), "end": stamp(due)}}, "input": inputs,
	}
	if m.encounter.ID != "" {
		v["encounter"] = compose.Reference(m.encounter)
	}
	if m.specialty != nil {
		v["performerType"] = []compose.Object{m.specialty}
	}
	return v
}

func references(refs []fhir.Ref) (all []compose.Object) {
	for _, ref := range refs {
		all = append(all, compose.Reference(ref))
	}
	return all
}
