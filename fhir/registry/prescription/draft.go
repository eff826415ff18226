package prescription

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"slices"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/identity"
	"github.com/amate-health/amate/fhir/search"
)

// mostItems is how many medicines a prescription has at most.
const mostItems = 20

// making is a prescription being drafted.
type making struct {
	patient, encounter, author, place fhir.Ref
	person                            *element.Doc // the Patient
	clues                             string
	source                            *element.Doc // of the requests
	nodes                             []element.Node
	items                             []*Item
	warnings                          []warning
	overrides                         []override
	days                              int
}

// draft answers $draft-prescription: it checks what is prescribed, and stores the document
// and its requests, as drafts.
//
// Parameters: medication, a MedicationRequest with a contained Medication, once for each
// medicine; override, with rule and reason, for warnings; days, in which it is good;
// establishment, where the visit and the caller have none; author, where there is no
// access control.
func (s *service) draft(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := known(call, "medication", "override", "days", "establishment", "author"); err != nil {
		return nil, err
	}
	m := &making{days: s.Days}
	for _, f := range []func(context.Context, *operation.Call, *making) error{s.subject, s.prescriber, s.establishment, s.medicines, s.judge} {
		if err := f(ctx, call, m); err != nil {
			return nil, err
		}
	}
	return s.store(ctx, call, m)
}

// subject is whom it is for, as the caller may see them.
func (s *service) subject(ctx context.Context, call *operation.Call, m *making) error {
	_, d, err := s.one(ctx, call.Restriction, call.Ref())
	if err != nil {
		return err
	}
	m.patient, m.person = call.Ref(), d
	if call.Type == "Encounter" {
		m.encounter = call.Ref()
		if status := d.TextAt(0, "status"); status == "cancelled" || status == "entered-in-error" {
			return fhir.Errorf(fhir.Unprocessable, "nothing is prescribed in an encounter that did not take place").At("Encounter.status")
		}
		var ok bool
		if m.patient, ok = local(call, d.TextAt(0, "subject", "reference")); !ok || m.patient.Type != "Patient" {
			return fhir.Errorf(fhir.Unprocessable, "the encounter has no patient").At("Encounter.subject")
		}
		if m.place, ok = local(call, d.TextAt(0, "serviceProvider", "reference")); !ok {
			m.place = fhir.Ref{}
		}
		if _, m.person, err = s.one(ctx, call.Restriction, m.patient); err != nil {
			return err
		}
	}
	if issues := identified(m.person, s.Now().In(s.Zone)); issues != nil {
		return &fhir.Error{Code: fhir.Unprocessable, Issues: issues}
	}
	return nil
}

// prescriber is the caller themselves, with their cédula.
func (s *service) prescriber(ctx context.Context, call *operation.Call, m *making) error {
	said, err := reference(call, "author")
	if err != nil {
		return err
	}
	m.author = call.Caller.User.Current()
	if call.Caller.Roles == nil && m.author.ID == "" { // no access control: nobody is known
		m.author, _ = local(call, said)
	} else if ref, _ := local(call, said); said != "" && ref != m.author {
		return fhir.Errorf(fhir.Forbidden, "a prescription is by who drafts it: leave out the parameter author")
	}
	if m.author.Type != "Practitioner" {
		return fhir.Errorf(fhir.Forbidden, "only a professional prescribes, with an account of their own that names their Practitioner")
	}
	_, d, err := s.one(ctx, call.Restriction, m.author)
	if err != nil {
		return err
	}
	switch {
	case identifierOf(d, 0, identity.SystemCedula) == "":
		return fhir.Errorf(fhir.Unprocessable, "who prescribes has a cédula profesional, and none is on record of yours (identifier of %s)", identity.SystemCedula).At("Practitioner.identifier")
	case d.TextAt(0, "active") == "false":
		return fhir.Errorf(fhir.Unprocessable, "you are on record as not active").At("Practitioner.active")
	case nameText(d, 0) == "":
		return fhir.Errorf(fhir.Unprocessable, "who prescribes has a name").At("Practitioner.name")
	}
	return nil
}

// establishment is where it is prescribed: that of the visit, of the caller, or a given one.
func (s *service) establishment(ctx context.Context, call *operation.Call, m *making) error {
	said, err := reference(call, "establishment")
	if err != nil {
		return err
	}
	if said != "" {
		var ok bool
		if m.place, ok = local(call, said); !ok || m.place.Type != "Organization" {
			return fhir.Errorf(fhir.Invalid, "the parameter establishment is a reference to an Organization").With("it is %.200q", said)
		}
	}
	if m.place.ID == "" && call.Caller.Org != "" {
		found, err := s.find(ctx, call, "Organization", search.Param{Name: "identifier", Value: identity.SystemCLUES + "|" + call.Caller.Org})
		if err != nil {
			return err
		}
		if len(found) > 0 {
			m.place = fhir.Ref{Type: "Organization", ID: found[0].TextAt(0, "id")}
		}
	}
	if m.place.ID == "" {
		return fhir.Errorf(fhir.Unprocessable, "a prescription names its establishment: the encounter has no serviceProvider, and you act for none; give it by the parameter establishment")
	}
	_, d, err := s.one(ctx, call.Restriction, m.place)
	if err != nil {
		return err
	}
	if m.clues = identifierOf(d, 0, identity.SystemCLUES); m.clues == "" || addressText(d, 0) == "" || d.TextAt(0, "name") == "" {
		return fhir.Errorf(fhir.Unprocessable, "the establishment of a prescription has a name, a CLUES and an address (Reglamento de Insumos, art. 29)").At("Organization")
	}
	if call.Caller.Org != "" && call.Caller.Org != m.clues {
		return fhir.Errorf(fhir.Forbidden, "you act for another establishment than that of the prescription")
	}
	return nil
}

// medicines reads what is prescribed, and finds all that it lacks at once.
func (s *service) medicines(_ context.Context, call *operation.Call, m *making) error {
	var issues []fhir.Issue
	for i, v := range call.In.All("medication") {
		n, ok := v.Resource()
		if !ok || v.Doc.TextAt(n, "resourceType") != "MedicationRequest" {
			return fhir.Errorf(fhir.Invalid, "the parameter medication is a MedicationRequest, as a resource").At(fmt.Sprintf("Parameters.parameter[%d].resource", i))
		}
		at := fmt.Sprintf("Parameters.parameter[%d].resource", i)
		item, faults := readItem(v.Doc, n, at)
		faults = append(faults, unwanted(v.Doc, n, at, m.patient, call)...)
		m.source, m.nodes, m.items = v.Doc, append(m.nodes, n), append(m.items, item)
		issues = append(issues, faults...)
	}
	if len(m.nodes) == 0 || len(m.nodes) > mostItems {
		return fhir.Errorf(fhir.Invalid, "a prescription has 1 to %d medicines, each by a parameter medication", mostItems)
	}
	if issues != nil {
		return &fhir.Error{Code: fhir.Unprocessable, Issues: issues}
	}
	said, err := call.In.Text("days")
	if err == nil && said != "" {
		if _, e := fmt.Sscanf(said, "%d", &m.days); e != nil || m.days < 1 || m.days > s.Days {
			err = fhir.Errorf(fhir.Invalid, "the parameter days is 1 to %d", s.Days).With("it is %.20q", said)
		}
	}
	return err
}

// taken are the elements of a request that are taken over; those of ours are written by
// the server, whatever is sent.
var (
	taken = []string{"dosageInstruction", "reasonCode", "note", "courseOfTherapyType", "substitution", "medicationReference"}
	ours  = []string{"resourceType", "id", "meta", "language", "text", "status", "intent", "encounter", "requester", "authoredOn", "contained", "dispenseRequest", "subject"}
)

// unwanted finds what a prescription does not take.
func unwanted(d *element.Doc, n element.Node, at string, patient fhir.Ref, call *operation.Call) []fhir.Issue {
	var all []fhir.Issue
	for c := d.First(n); c != element.None; c = d.Next(n, c) {
		name := string(d.Name(c))
		if !slices.Contains(taken, name) && !slices.Contains(ours, name) {
			all = append(all, fhir.Issue{Severity: "error", Type: "not-supported", Rule: "receta-elemento", Details: "a prescription does not take this element", Expression: at + "." + name})
		}
	}
	if said := d.TextAt(n, "subject", "reference"); said != "" {
		if ref, ok := local(call, said); !ok || ref != patient {
			all = append(all, fhir.Issue{Severity: "error", Type: "value", Rule: "receta-paciente", Details: "it is for another patient", Expression: at + ".subject"})
		}
	}
	return all
}

// judge holds it to the rules, and to the record of the patient.
func (s *service) judge(ctx context.Context, call *operation.Call, m *making) (err error) {
	if issues := s.controlled(m.items); issues != nil {
		return &fhir.Error{Code: fhir.Unprocessable, Issues: issues}
	}
	if m.overrides, err = overrides(call); err != nil {
		return err
	}
	if m.warnings, err = s.warnings(ctx, call, m.patient, m.person, m.items); err != nil {
		return err
	}
	if issues := unanswered(m.warnings, m.overrides); issues != nil {
		return &fhir.Error{Code: fhir.Unprocessable, Issues: issues}
	}
	return nil
}

// store writes the drafts, with how far they have come.
func (s *service) store(ctx context.Context, call *operation.Call, m *making) (*operation.Answer, error) {
	folio, token, now := s.newFolio(m.clues), newToken(), s.Now()
	composition := fhir.Ref{Type: "Composition", ID: s.NewID()}
	p := &progress{Folio: folio, Token: token, Composition: composition.ID, entry: fhir.Entry{Kind: kind, Key: folio, Group: m.patient.ID}}
	var changes []change
	var refs []fhir.Ref
	parts := []compose.Object{compose.Part("folio", "String", folio), compose.Part("composition", "Reference", compose.Reference(composition))}
	for i := range m.items {
		ref := fhir.Ref{Type: "MedicationRequest", ID: s.NewID()}
		refs = append(refs, ref)
		p.Lines = append(p.Lines, line{Request: ref.ID, Total: amountText(m.items[i].Total())})
		changes = append(changes, change{bundle.Create, ref, s.request(m, i, folio, now), 0})
		parts = append(parts, compose.Part("medication", "Reference", compose.Reference(ref)))
	}
	changes = append(changes, change{bundle.Create, composition, s.composition(m, folio, refs, now), 0})
	if err := s.write(ctx, call, []fhir.Entry{p.next(), tokenEntry(token, folio)}, changes...); err != nil {
		return nil, err
	}
	return &operation.Answer{Status: 201, JSON: compose.Parameters(parts...)}, nil
}

// request is one medicine as it is stored.
//
// See https://hl7.org/fhir/R4/medicationrequest.html.
func (s *service) request(m *making, i int, folio string, now time.Time) []byte {
	d, n := m.source, m.nodes[i]
	v := compose.Object{
		"resourceType": "MedicationRequest", "meta": compose.Object{"profile": []string{Profile}}, "language": "es-MX", "status": "draft", "intent": "order",
		"subject": compose.Reference(m.patient), "requester": compose.Reference(m.author), "authoredOn": now.UTC().Format(time.RFC3339),
		"groupIdentifier": compose.Object{"system": FolioSystem, "value": folio},
	}
	if m.encounter.ID != "" {
		v["encounter"] = compose.Reference(m.encounter)
	}
	for _, name := range taken {
		if c := d.Get(n, name); c != element.None {
			v[name] = json.RawMessage(d.AppendCompact(nil, c))
		}
	}
	var contained []json.RawMessage
	for c := range d.Items(n, "contained") {
		if d.TextAt(c, "resourceType") == "Medication" && "#"+d.TextAt(c, "id") == d.TextAt(n, "medicationReference", "reference") {
			contained = append(contained, d.AppendCompact(nil, c))
		}
	}
	var issues []compose.Object
	for k, w := range m.warnings {
		if w.item != i {
			continue
		}
		id := fmt.Sprintf("aviso-%d", k+1)
		contained = append(contained, compose.JSON(s.detected(m, &w, id, now)))
		issues = append(issues, compose.Object{"reference": "#" + id})
	}
	v["contained"] = contained
	if issues != nil {
		v["detectedIssue"] = issues
	}
	e := d.Edit(d.Get(n, "dispenseRequest"))
	e.Set(d.Get(n, "dispenseRequest"), "validityPeriod", compose.Text(period(now, now.AddDate(0, 0, m.days))))
	v["dispenseRequest"] = json.RawMessage(e.AppendTo(nil))
	return compose.JSON(v)
}

// detected is a warning, and why it was passed over.
//
// See https://hl7.org/fhir/R4/detectedissue.html.
func (s *service) detected(m *making, w *warning, id string, now time.Time) compose.Object {
	v := compose.Object{
		"resourceType": "DetectedIssue", "id": id, "status": "final", "code": compose.Concept(RuleSystem, w.rule, ""), "patient": compose.Reference(m.patient),
		"identifiedDateTime": now.UTC().Format(time.RFC3339), "detail": w.text,
	}
	if w.because.ID != "" {
		v["implicated"] = []compose.Object{compose.Reference(w.because)}
	}
	for _, o := range m.overrides {
		if o.rule == w.rule {
			v["mitigation"] = []compose.Object{{"action": compose.Object{"text": o.reason}, "date": now.UTC().Format(time.RFC3339), "author": compose.Reference(m.author)}}
		}
	}
	return v
}

// composition is the document.
//
// See https://hl7.org/fhir/R4/composition.html.
func (s *service) composition(m *making, folio string, refs []fhir.Ref, now time.Time) []byte {
	var entries []compose.Object
	var text strings.Builder
	text.WriteString(`<div xmlns="http://www.w3.org/1999/xhtml"><ol>`)
	for i := range m.items {
		entries = append(entries, compose.Reference(refs[i]))
		item := m.items[i]
		said := []string{item.Generic(), item.Form, item.Dose, item.Route, item.Frequency, item.Duration, amountText(item.Quantity) + " " + item.Unit, item.Instruction}
		text.WriteString("<li>" + html.EscapeString(strings.Join(said, ", ")) + "</li>")
	}
	text.WriteString("</ol></div>")
	v := compose.Object{
		"resourceType": "Composition", "language": "es-MX", "status": "preliminary", "type": compose.Concept(loinc, documentCode, "Prescription for medication"),
		"identifier": compose.Object{"system": FolioSystem, "value": folio}, "subject": compose.Reference(m.patient), "date": now.In(s.Zone).Format(time.RFC3339),
		"author": []compose.Object{compose.Reference(m.author)}, "title": "Receta médica", "custodian": compose.Reference(m.place),
		"section": []compose.Object{{
			"title": "Medicamentos", "code": compose.Concept(loinc, sectionCode, "Prescription list"), "entry": entries,
			"text": compose.Object{"status": "generated", "div": text.String()},
		}},
	}
	if m.encounter.ID != "" {
		v["encounter"] = compose.Reference(m.encounter)
	}
	return compose.JSON(v)
}
