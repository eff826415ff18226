package rights

import (
	"context"
	"encoding/json"
	"html"
	"slices"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
)

// block hides the record of r's patient from all but those whom the role policy names,
// by one label on the Patient.
func (d *desk) block(ctx context.Context, call *operation.Call, b *batch, r *Request, now time.Time) error {
	patient := fhir.Ref{Type: "Patient", ID: r.Patient()}
	if _, err := d.seen(ctx, call, patient); err != nil {
		return err
	}
	b.patch(edited(d.Label.put), patient)
	r.Output = append(r.Output, part{Type: partType(partResult), Refer: &r.For})
	return b.provenance(call, now, "Bloqueo del expediente (cancelación)", r.folio(), "Task/"+r.ID, patient)
}

// unblock lifts a block: Patient/[id]/$arco-unblock, when the patient comes back for care
// or takes the cancellation back.
func (d *desk) unblock(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := known(call, "reason"); err != nil {
		return nil, err
	}
	reason, err := required(call, "reason")
	if err != nil {
		return nil, err
	}
	patient, err := d.seen(ctx, call, call.Ref())
	if err != nil {
		return nil, err
	}
	if !d.Label.On(patient.JSON) {
		return nil, fhir.Errorf(fhir.Conflict, "the record is not blocked")
	}
	b := d.batch(call.Base)
	b.patch(edited(d.Label.drop), call.Ref())
	if err := b.provenance(call, d.now(), "Desbloqueo del expediente", reason, "", call.Ref()); err != nil {
		return nil, err
	}
	done, err := d.Store.Apply(ctx, &b.Batch)
	if err != nil {
		return nil, err
	}
	return &operation.Answer{JSON: done[0].Resource.JSON}, nil
}

// labels returns the security labels of a resource.
func labels(doc *element.Doc) (meta, security element.Node) {
	if meta = doc.Get(0, "meta"); meta == element.None {
		return meta, element.None
	}
	return meta, doc.Get(meta, "security")
}

// find returns the label in a list of them.
func (l Label) find(doc *element.Doc, security element.Node) element.Node {
	if security == element.None || doc.Kind(security) != element.Array {
		return element.None
	}
	for n := doc.First(security); n != element.None; n = doc.Next(security, n) {
		s, c := doc.Get(n, "system"), doc.Get(n, "code")
		if s != element.None && c != element.None && doc.Text(s) == l.System && doc.Text(c) == l.Code {
			return n
		}
	}
	return element.None
}

// On reports whether a resource, as JSON, has the label.
func (l Label) On(resource []byte) bool {
	doc, err := element.Parse(resource)
	if err != nil {
		return false
	}
	_, security := labels(doc)
	return l.find(doc, security) != element.None
}

// put adds the label, unless it is there.
func (l Label) put(resource []byte) ([]byte, error) {
	doc, err := element.Parse(resource)
	if err != nil {
		return nil, err
	}
	meta, security := labels(doc)
	if l.find(doc, security) != element.None {
		return resource, nil
	}
	one, err := json.Marshal(coding{System: l.System, Code: l.Code, Display: "Bloqueado"})
	if err != nil {
		return nil, err
	}
	e := doc.Edit(0)
	switch {
	case security != element.None && doc.Kind(security) == element.Array:
		e.Append(security, string(one))
	case meta != element.None:
		e.Append(meta, `"security":[`+string(one)+`]`)
	default:
		e.Append(0, `"meta":{"security":[`+string(one)+`]}`)
	}
	return e.AppendTo(nil), nil
}

// drop takes the label away.
func (l Label) drop(resource []byte) ([]byte, error) {
	doc, err := element.Parse(resource)
	if err != nil {
		return nil, err
	}
	_, security := labels(doc)
	at := l.find(doc, security)
	if at == element.None {
		return resource, nil
	}
	e := doc.Edit(0)
	if doc.Size(security) == 1 {
		at = security
	}
	e.Drop(at)
	return e.AppendTo(nil), nil
}

// rectify corrects what was granted to be wrong. A signed document stays as it is, and
// gets an addendum, as NOM-004-SSA3-2012, 5.11 has it.
func (d *desk) rectify(ctx context.Context, call *operation.Call, b *batch, r *Request, now time.Time) error {
	target, ok := fhir.ParseRef(r.input(partTarget).Refer.Reference)
	if !ok {
		return fhir.Errorf(fhir.Unprocessable, "the request names no target")
	}
	stored, err := d.seen(ctx, call, target)
	if err != nil {
		return err
	}
	if err := correctable(stored); err != nil {
		return err
	}
	if d.Signed(stored) {
		return d.addendum(call, b, r, target, now)
	}
	text := r.input(partPatch).Text
	v, given, err := call.In.One("patch")
	if err != nil {
		return err
	}
	if n, ok := v.Resource(); given && ok { // what the officer found right after all
		text = string(v.Doc.Raw(n))
	}
	if text == "" {
		return fhir.Errorf(fhir.Unprocessable, "the request says in words what is right: $arco-resolve is to be given the patch that makes it so")
	}
	p, err := patcher(text)
	if err != nil {
		return err
	}
	b.patch(p, target)
	r.Output = append(r.Output, part{Type: partType(partResult), Refer: &reference{Reference: target.String()}})
	return b.provenance(call, now, "Rectificación", r.folio(), "Task/"+r.ID, target)
}

// addendum writes a note that is appended to a signed document.
func (d *desk) addendum(call *operation.Call, b *batch, r *Request, target fhir.Ref, now time.Time) error {
	type narrative struct {
		Status string `json:"status"`
		Div    string `json:"div"`
	}
	type section struct {
		Title string    `json:"title"`
		Text  narrative `json:"text"`
	}
	type relation struct {
		Code   string    `json:"code"`
		Target reference `json:"targetReference"`
	}
	text := r.input(partCorrection).Text
	if text == "" {
		text = "El titular de los datos solicitó rectificar este documento."
	}
	if r.Description != "" {
		text += " Motivo: " + r.Description
	}
	note := struct {
		ResourceType string      `json:"resourceType"`
		Status       string      `json:"status"`
		Type         concept     `json:"type"`
		Subject      reference   `json:"subject"`
		Date         string      `json:"date"`
		Author       []reference `json:"author"`
		Title        string      `json:"title"`
		RelatesTo    []relation  `json:"relatesTo,omitempty"`
		Section      []section   `json:"section"`
	}{
		ResourceType: "Composition", Status: "final", Subject: r.For, Date: now.Format(time.RFC3339), Author: []reference{who(call)},
		Type:  concept{Coding: []coding{{System: "http://loinc.org", Code: "34109-9"}}, Text: "Nota de rectificación"},
		Title: "Nota de rectificación " + r.folio(),
		Section: []section{{"Rectificación", narrative{
			"generated", `<div xmlns="http://www.w3.org/1999/xhtml"><p>` + html.EscapeString(text) + `</p></div>`,
		}}},
	}
	if target.Type == "Composition" {
		note.RelatesTo = []relation{{"appends", reference{Reference: target.String()}}}
	}
	at, err := b.create(note, "Composition")
	if err != nil {
		return err
	}
	r.Output = append(r.Output, part{Type: partType(partResult), Refer: &reference{Reference: at.String()}})
	return b.provenance(call, now, "Rectificación por nota agregada", r.folio(), "Task/"+r.ID, at)
}

// object writes the refusal of a use, which leaves treatment as it is.
func (d *desk) object(call *operation.Call, b *batch, r *Request, now time.Time) error {
	type provision struct {
		Type    string   `json:"type"`
		Purpose []coding `json:"purpose"`
	}
	consent := struct {
		ResourceType string    `json:"resourceType"`
		Status       string    `json:"status"`
		Scope        concept   `json:"scope"`
		Category     []concept `json:"category"`
		Patient      reference `json:"patient"`
		DateTime     string    `json:"dateTime"`
		PolicyRule   concept   `json:"policyRule"`
		Provision    provision `json:"provision"`
	}{
		ResourceType: "Consent", Status: "active", Patient: r.For, DateTime: now.Format(time.RFC3339),
		Scope:      concept{Coding: []coding{{System: "http://terminology.hl7.org/CodeSystem/consentscope", Code: "patient-privacy"}}},
		Category:   []concept{{Coding: []coding{{System: "http://loinc.org", Code: "59284-0"}}, Text: "Oposición (ARCO)"}},
		PolicyRule: concept{Text: "Derecho de oposición, " + r.folio()},
		Provision:  provision{"deny", []coding{{System: "http://terminology.hl7.org/CodeSystem/v3-ActReason", Code: r.input(partPurpose).Code}}},
	}
	at, err := b.create(consent, "Consent")
	if err != nil {
		return err
	}
	r.Output = append(r.Output, part{Type: partType(partResult), Refer: &reference{Reference: at.String()}})
	return b.provenance(call, now, "Oposición", r.folio(), "Task/"+r.ID, at)
}

// folio is its number.
func (r *Request) folio() string {
	i := slices.IndexFunc(r.Identifier, func(id identifier) bool { return id.System == SystemFolio })
	if i < 0 {
		return ""
	}
	return r.Identifier[i].Value
}
