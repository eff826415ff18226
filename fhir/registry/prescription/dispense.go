package prescription

import (
	"context"
	"fmt"
	"math/big"
	"strconv"
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

// shown returns the prescription whose paper somebody has: that is the right to see it.
func (s *service) shown(ctx context.Context, call *operation.Call) (*progress, *Prescription, State, error) {
	code, err := call.In.Text("code")
	if err == nil && code == "" {
		err = fhir.Errorf(fhir.Invalid, "the parameter code is needed: what the QR code of the prescription holds, or the address under it")
	}
	if err != nil {
		return nil, nil, "", err
	}
	p, err := s.byToken(ctx, tokenIn(code))
	if err != nil {
		if fhir.CodeOf(err) == fhir.NotFound {
			err = fhir.Errorf(fhir.NotFound, "no prescription has this code")
		}
		return nil, nil, "", err
	}
	rx, state, err := s.signed(ctx, search.Unrestricted, p)
	return p, rx, state, err
}

// lookup answers $find-prescription: what a pharmacy has to know.
//
// Parameters: code, what the QR code holds, or the token in it.
func (s *service) lookup(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := known(call, "code"); err != nil {
		return nil, err
	}
	p, rx, state, err := s.shown(ctx, call)
	if err != nil {
		return nil, err
	}
	return &operation.Answer{JSON: compose.Parameters(s.told(p, rx, state)...)}, nil
}

// told is what a pharmacy is told.
func (s *service) told(p *progress, rx *Prescription, state State) []compose.Object {
	parts := []compose.Object{
		compose.Part("folio", "String", rx.Folio), compose.Part("state", "Code", string(state)), compose.Part("composition", "Reference", compose.Object{"reference": "Composition/" + p.Composition}),
		compose.Part("signed", "Instant", rx.Signed.UTC().Format(fhir.InstantLayout)), compose.Part("expires", "Instant", rx.Expires.UTC().Format(fhir.InstantLayout)),
		compose.Part("prescriber", "String", rx.Prescriber), compose.Part("cedula", "String", rx.Cedula), compose.Part("clues", "String", rx.CLUES), compose.Part("establishment", "String", rx.Place),
		compose.Part("patient", "String", rx.Patient), compose.Part("born", "Date", rx.Born.Format(time.DateOnly)),
	}
	for i, m := range rx.Items {
		if i >= len(p.Lines) {
			break
		}
		l := &p.Lines[i]
		g := s.Groups.Of(m.Ingredients)
		one := []compose.Object{
			compose.Part("number", "PositiveInt", i+1), compose.Part("request", "Reference", compose.Object{"reference": "MedicationRequest/" + l.Request}),
			compose.Part("medicine", "String", m.Generic()), compose.Part("form", "String", m.Form), compose.Part("instruction", "String", m.Instruction),
			compose.Part("prescribed", "Decimal", number(rat(l.Total))), compose.Part("left", "Decimal", number(l.left())), compose.Part("unit", "String", m.Unit),
			compose.Part("antibiotic", "Boolean", g.Antibiotic),
		}
		if g.Fraction != "" {
			one = append(one, compose.Part("group", "Code", g.Fraction))
		}
		parts = append(parts, compose.Object{"name": "item", "part": one})
	}
	return parts
}

// number is a decimal in JSON.
func number(v *big.Rat) rawNumber { return rawNumber(amountText(v)) }

type rawNumber string

// MarshalJSON writes the digits as they are.
func (n rawNumber) MarshalJSON() ([]byte, error) { return []byte(n), nil }

// handed is one item that is handed out.
type handed struct {
	at     int // index of the line
	amount *big.Rat
	lot    string
	brand  string // product, where it is another one than the generic name says
}

// dispense answers $dispense: it hands out all that is left, or the items that are given.
// What is handed out is never more than is prescribed, however many pharmacies do so at
// once: of two, one is told to look again.
//
// Parameters: code; item, with number, quantity, lot and product; key, of the caller's own
// choosing, by which the same call, sent again, is answered the same; pharmacy, the
// Organization where the caller acts for none.
func (s *service) dispense(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := known(call, "code", "item", "key", "pharmacy"); err != nil {
		return nil, err
	}
	p, rx, state, err := s.shown(ctx, call)
	if err != nil {
		return nil, err
	}
	key, err := call.In.Text("key")
	if err != nil {
		return nil, err
	}
	if len(key) > 64 {
		return nil, fhir.Errorf(fhir.Invalid, "the parameter key has 64 bytes at most")
	}
	if key != "" {
		key = hashOf(call.Caller.Principal + "\x00" + key)
		if made, ok := p.Given[key]; ok {
			return s.dispensed(p, rx, state, made, 200)
		}
	}
	if state != Open && state != Partial {
		return nil, fhir.Errorf(fhir.Conflict, "the prescription cannot be dispensed: it is %s", state)
	}
	pharmacy, err := s.pharmacy(ctx, call)
	if err != nil {
		return nil, err
	}
	all, err := items(call, p)
	if err != nil {
		return nil, err
	}
	made, changes, err := s.handOut(ctx, call, p, rx, all, pharmacy)
	if err != nil {
		return nil, err
	}
	if key != "" {
		if p.Given == nil {
			p.Given = map[string][]string{}
		}
		p.Given[key] = made
	}
	if err := s.write(ctx, call, []fhir.Entry{p.next()}, changes...); err != nil {
		return nil, err
	}
	return s.dispensed(p, rx, s.state(p, rx), made, 201)
}

func (s *service) dispensed(p *progress, rx *Prescription, state State, made []string, status int) (*operation.Answer, error) {
	parts := s.told(p, rx, state)
	for _, id := range made {
		parts = append(parts, compose.Part("dispense", "Reference", compose.Object{"reference": "MedicationDispense/" + id}))
	}
	return &operation.Answer{Status: status, JSON: compose.Parameters(parts...)}, nil
}

// pharmacy is the establishment that dispenses. Errors: fhir.Unprocessable.
func (s *service) pharmacy(ctx context.Context, call *operation.Call) (compose.Object, error) {
	said, err := reference(call, "pharmacy")
	if err != nil {
		return nil, err
	}
	if said != "" {
		ref, ok := local(call, said)
		if !ok || ref.Type != "Organization" {
			return nil, fhir.Errorf(fhir.Invalid, "the parameter pharmacy is a reference to an Organization").With("it is %.200q", said)
		}
		_, d, err := s.one(ctx, call.Restriction, ref)
		if err != nil {
			return nil, err
		}
		if clues := identifierOf(d, 0, identity.SystemCLUES); call.Caller.Org != "" && clues != call.Caller.Org {
			return nil, fhir.Errorf(fhir.Forbidden, "you act for another establishment than that pharmacy")
		}
		return compose.Object{"reference": ref.String(), "display": d.TextAt(0, "name")}, nil
	}
	if call.Caller.Org != "" {
		return compose.Object{"identifier": compose.Object{"system": identity.SystemCLUES, "value": call.Caller.Org}}, nil
	}
	return nil, fhir.Errorf(fhir.Unprocessable, "say which pharmacy dispenses, by the parameter pharmacy: you act for none")
}

// items reads what is handed out: all that is left, where nothing is given.
func items(call *operation.Call, p *progress) ([]handed, error) {
	var all []handed
	seen := map[int]bool{}
	for i, v := range call.In.All("item") {
		fault := func(text string) error {
			return fhir.Errorf(fhir.Invalid, "%s", text).At(fmt.Sprintf("Parameters.parameter.where(name='item')[%d]", i))
		}
		one, h := map[string]string{}, handed{}
		for _, name := range []string{"number", "quantity", "lot", "product"} {
			for _, part := range v.Parts(name) {
				one[name] = strings.TrimSpace(part.Text)
			}
		}
		n, err := strconv.Atoi(one["number"])
		if err != nil || n < 1 || n > len(p.Lines) || seen[n] {
			return nil, fault(fmt.Sprintf("an item has the number of a medicine of the prescription, 1 to %d, each once", len(p.Lines)))
		}
		seen[n] = true
		h.at, h.lot, h.brand = n-1, one["lot"], one["product"]
		if len(h.lot) > 50 || len(h.brand) > 200 {
			return nil, fault("a lot has 50 bytes at most, a product 200")
		}
		h.amount = p.Lines[h.at].left()
		if one["quantity"] != "" {
			if h.amount = rat(one["quantity"]); h.amount == nil || h.amount.Sign() <= 0 {
				return nil, fault("a quantity is a number above 0")
			}
		}
		if h.amount.Sign() <= 0 || h.amount.Cmp(p.Lines[h.at].left()) > 0 {
			return nil, fhir.Errorf(fhir.Conflict, "not so much is left of this medicine").With("of number %d, %s is left", n, amountText(p.Lines[h.at].left()))
		}
		all = append(all, h)
	}
	if len(all) == 0 {
		for i := range p.Lines {
			if left := p.Lines[i].left(); left.Sign() > 0 {
				all = append(all, handed{at: i, amount: left})
			}
		}
	}
	return all, nil
}

// handOut makes a MedicationDispense of each item, and completes the requests of which
// nothing is left.
//
// See https://hl7.org/fhir/R4/medicationdispense.html.
func (s *service) handOut(ctx context.Context, call *operation.Call, p *progress, rx *Prescription, all []handed, pharmacy compose.Object) (made []string, changes []change, err error) {
	now := s.Now().UTC().Format(time.RFC3339)
	for _, h := range all {
		l := &p.Lines[h.at]
		ref := fhir.Ref{Type: "MedicationRequest", ID: l.Request}
		r, d, err := s.one(ctx, search.Unrestricted, ref)
		if err != nil {
			return nil, nil, err
		}
		given := rat(l.Given)
		if given == nil {
			given = new(big.Rat)
		}
		l.Given = amountText(given.Add(given, h.amount))
		id := s.NewID()
		made = append(made, id)
		changes = append(changes, change{bundle.Create, fhir.Ref{Type: "MedicationDispense", ID: id}, s.handed(call, d, rx, &h, l, ref, pharmacy, now), 0})
		if l.left().Sign() == 0 {
			e := d.Edit(0)
			e.Set(0, "status", `"completed"`)
			changes = append(changes, change{bundle.Update, ref, e.AppendTo(nil), r.Ref.Version})
		}
	}
	return made, changes, nil
}

func (s *service) handed(call *operation.Call, d *element.Doc, rx *Prescription, h *handed, l *line, request fhir.Ref, pharmacy compose.Object, now string) []byte {
	m := rx.Items[h.at]
	kind, name := "FFP", "First Fill - Part Fill"
	switch {
	case l.left().Sign() == 0 && l.Given == amountText(h.amount):
		kind, name = "FFC", "First Fill - Complete"
	case l.left().Sign() == 0:
		kind, name = "RFC", "Refill - Complete"
	case l.Given != amountText(h.amount):
		kind, name = "RFP", "Refill - Part Fill"
	}
	medication := compose.Object{"text": m.Generic() + ", " + m.Form}
	if h.brand != "" {
		medication["text"] = m.Generic() + ", " + m.Form + " (" + h.brand + ")"
	}
	performer := []compose.Object{{"actor": pharmacy}}
	if call.Caller.User.ID != "" {
		performer = append([]compose.Object{{"actor": compose.Reference(call.Caller.User)}}, performer...)
	}
	v := compose.Object{
		"resourceType": "MedicationDispense", "identifier": []compose.Object{{"system": FolioSystem, "value": rx.Folio}}, "status": "completed",
		"medicationCodeableConcept": medication, "subject": compose.Reference(rx.patient), "authorizingPrescription": []compose.Object{compose.Reference(request)},
		"type": compose.Concept("http://terminology.hl7.org/CodeSystem/v3-ActCode", kind, name), "performer": performer, "whenHandedOver": now,
		"quantity": compose.Object{"value": number(h.amount), "unit": m.Unit},
	}
	if h.lot != "" { // R4 has it in the Medication alone
		v["contained"] = []compose.Object{{"resourceType": "Medication", "id": "entregado", "code": medication, "batch": compose.Object{"lotNumber": h.lot}}}
		v["medicationReference"] = compose.Object{"reference": "#entregado"}
		delete(v, "medicationCodeableConcept")
	}
	return compose.JSON(v)
}

// cancel answers $cancel-prescription: its author takes it back before anything of it is
// dispensed; a draft as well.
//
// Parameters: reason.
func (s *service) cancel(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := known(call, "reason"); err != nil {
		return nil, err
	}
	reason, err := call.In.Text("reason")
	if err == nil && (len(strings.TrimSpace(reason)) < 3 || len(reason) > 1000) {
		err = fhir.Errorf(fhir.Invalid, "the parameter reason is needed: why the prescription is cancelled, in 3 to 1000 bytes")
	}
	if err != nil {
		return nil, err
	}
	c, p, err := s.called(ctx, call)
	if err != nil {
		return nil, err
	}
	d, err := element.Parse(c.JSON)
	if err != nil {
		return nil, err
	}
	mine := call.Caller.Roles == nil
	for a := range d.Items(0, "author") {
		ref, ok := local(call, d.TextAt(a, "reference"))
		mine = mine || ok && ref == call.Caller.User.Current()
	}
	switch {
	case !mine:
		return nil, fhir.Errorf(fhir.Forbidden, "only its author cancels a prescription")
	case p.Cancelled:
		return nil, fhir.Errorf(fhir.Conflict, "the prescription is cancelled already")
	case p.begun():
		return nil, fhir.Errorf(fhir.Conflict, "the prescription has been dispensed, in part at least, and cannot be cancelled any more")
	}
	p.Cancelled = true
	changes, err := s.withdrawn(ctx, p, reason)
	if err != nil {
		return nil, err
	}
	changes = append(changes, s.nullified(call, p, d, reason))
	if d.TextAt(0, "status") == "preliminary" {
		e := d.Edit(0)
		e.Set(0, "status", `"entered-in-error"`)
		changes = append(changes, change{bundle.Update, call.Ref(), e.AppendTo(nil), c.Ref.Version})
	}
	if err := s.write(ctx, call, []fhir.Entry{p.next()}, changes...); err != nil {
		return nil, err
	}
	return &operation.Answer{JSON: compose.Parameters(compose.Part("folio", "String", p.Folio), compose.Part("state", "Code", string(Cancelled)))}, nil
}

// withdrawn cancels the requests.
func (s *service) withdrawn(ctx context.Context, p *progress, reason string) ([]change, error) {
	var changes []change
	for i := range p.Lines {
		ref := fhir.Ref{Type: "MedicationRequest", ID: p.Lines[i].Request}
		r, d, err := s.one(ctx, search.Unrestricted, ref)
		if err != nil {
			return nil, err
		}
		e := d.Edit(0)
		e.Set(0, "status", `"cancelled"`)
		e.Set(0, "statusReason", compose.Text(compose.Object{"text": reason}))
		changes = append(changes, change{bundle.Update, ref, e.AppendTo(nil), r.Ref.Version})
	}
	return changes, nil
}

// nullified is the record of who cancelled it, when and why.
func (s *service) nullified(call *operation.Call, p *progress, d *element.Doc, reason string) change {
	who := compose.Object{"display": "system"}
	for a := range d.Items(0, "author") {
		who = compose.Object{"reference": d.TextAt(a, "reference")}
	}
	targets := []compose.Object{{"reference": "Composition/" + p.Composition}}
	for i := range p.Lines {
		targets = append(targets, compose.Object{"reference": "MedicationRequest/" + p.Lines[i].Request})
	}
	return change{bundle.Create, fhir.Ref{Type: "Provenance", ID: s.NewID()}, compose.JSON(compose.Object{
		"resourceType": "Provenance", "target": targets, "recorded": s.Now().UTC().Format(fhir.InstantLayout), "agent": []compose.Object{{"who": who}},
		"reason": []compose.Object{{"text": reason}}, "activity": compose.Concept("http://terminology.hl7.org/CodeSystem/v3-DataOperation", "CANCEL", "cancel"),
	}), 0}
}
