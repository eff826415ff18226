package dose

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/immunization/code"
	"github.com/amate-health/amate/fhir/search"
)

const (
	// RecallURL is the extension by which a Medication says that its lot was recalled.
	RecallURL = base + "StructureDefinition/vaccine-lot-recall"
	// TaskSystem is of the codes of Tasks that vaccination makes.
	TaskSystem = base + "CodeSystem/vaccination-task"
)

const (
	within1 = 500 // doses that a recall marks within the call; the rest a job does
	perPage = 100 // doses that are marked in one transaction
)

// recall answers Medication/$recall-lot: the lot is recalled, and what was given of it is
// marked and followed up.
func (s *Service) recall(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := known(call, "lot", "manufacturer", "vaccine", "reason", "followUp", "invalid", "expiry"); err != nil {
		return nil, err
	}
	c, err := claimed(call)
	if err != nil {
		return nil, err
	}
	r := reader{call: call}
	invalid, follow := r.text("invalid", 5), r.text("followUp", 20)
	switch {
	case r.err != nil:
		return nil, r.err
	case Lot(c.lot) == "":
		return nil, fhir.Errorf(fhir.Invalid, "the parameter lot is needed: the number of the lot").At(of("lot"))
	case c.reason == "":
		return nil, fhir.Errorf(fhir.Invalid, "the parameter reason is needed: why the lot is recalled").At(of("reason"))
	case invalid != "" && invalid != "true" && invalid != "false":
		return nil, fhir.Errorf(fhir.Invalid, "the parameter invalid is true or false").At(of("invalid"))
	case follow != "" && follow != "task" && follow != "communication" && follow != "none":
		return nil, fhir.Errorf(fhir.Invalid, "the parameter followUp is task, communication or none").At(of("followUp"))
	}
	known, err := s.recalled(ctx, call, c, invalid != "false", follow)
	if err != nil {
		return nil, err
	}
	done, left, err := s.mark(ctx, call.Base, known, within1)
	if err != nil {
		return nil, err
	}
	if left {
		s.Wake()
	}
	stored, err := s.seen(ctx, search.Unrestricted, known.Ref)
	if err != nil {
		return nil, err
	}
	parts := []object{{"name": "lot", "resource": rawJSON(stored.JSON)}, part("marked", "UnsignedInt", done), part("finished", "Boolean", !left)}
	a := answer(parts)
	if left {
		a.Status = 202
	}
	return a, nil
}

// recalled puts the recall into the registry of lots, with the job that goes on with it.
func (s *Service) recalled(ctx context.Context, call *operation.Call, c *claim, invalid bool, follow string) (lot, error) {
	key, name := search.Fold(c.mvx), ""
	if c.maker != nil {
		display, _ := c.maker["display"].(string)
		name = search.Fold(display)
		if r, ok := c.maker["reference"].(string); ok {
			key = r
		}
	}
	found, err := s.lots(ctx, c.lot, key, name)
	if err != nil {
		return lot{}, err
	}
	if len(found) > 1 {
		return lot{}, fhir.Errorf(fhir.MultipleMatches, "the registry has this lot of several manufacturers: say of which").At(of("manufacturer"))
	}
	known, change, err := s.medication(call, c, found, recallOf(call, c, s.Now(), invalid, follow), key, name)
	if err != nil {
		return lot{}, err
	}
	p := &posting{claim: c, call: call, now: s.Now(), zone: s.Zone, ref: known.Ref}
	why, err := created(s.Maker(call.Base), s.provenance(p, "UPDATE", "Lote retirado"), fhir.Ref{Type: "Provenance", ID: s.NewID()})
	if err != nil {
		return lot{}, err
	}
	b := &bundle.Batch{Changes: []bundle.Change{change, why}}
	if s.Job != nil {
		job, err := s.Job(known.Ref.ID, s.Now().Add(time.Second))
		if err != nil {
			return lot{}, err
		}
		b.Entries = func([]bundle.Result) []fhir.Entry { return []fhir.Entry{job} }
	}
	results, err := s.apply(ctx, b)
	if err != nil {
		return lot{}, err
	}
	known.parsed, err = parse(&results[0].Resource)
	return known, err
}

// recallOf is the extension that says that a lot was recalled.
func recallOf(call *operation.Call, c *claim, now time.Time, invalid bool, follow string) object {
	parts := []object{
		{"url": "reason", "valueString": c.reason}, {"url": "date", "valueDateTime": now.UTC().Format(time.RFC3339)},
		{"url": "invalid", "valueBoolean": invalid}, {"url": "by", "valueReference": who(call)},
	}
	if follow != "" {
		parts = append(parts, object{"url": "followUp", "valueCode": follow})
	}
	return object{"url": RecallURL, "extension": parts}
}

// medication is the change that marks a lot of the registry, or puts it there.
func (s *Service) medication(call *operation.Call, c *claim, found []lot, recall object, key, name string) (lot, bundle.Change, error) {
	if len(found) == 1 {
		known := found[0]
		all := members(known.Doc, 0)
		extensions := []any{recall}
		for x := range items(known.Doc, 0, "extension") {
			if text(known.Doc, x, "url") != RecallURL {
				extensions = append(extensions, rawJSON(known.Doc.AppendCompact(nil, x)))
			}
		}
		all["extension"], all["status"] = extensions, "inactive"
		change, err := updated(s.Maker(call.Base), resource(all), known.Ref)
		return known, change, err
	}
	known := lot{parsed: parsed{Ref: fhir.Ref{Type: "Medication", ID: lotID(c.lot, key, name)}}}
	batch := object{"lotNumber": c.lot}
	if c.expiry != "" {
		batch["expirationDate"] = c.expiry
	}
	v := object{
		"resourceType": "Medication", "id": known.Ref.ID, "status": "inactive", "batch": batch, "extension": []object{recall},
		"identifier": []object{{"system": LotSystem, "value": Lot(c.lot)}},
	}
	if c.maker != nil {
		v["manufacturer"] = c.maker
	}
	if len(c.coded) > 0 {
		cvx, ok := code.CVX(c.coded[0].system, c.coded[0].code)
		if !ok {
			return known, bundle.Change{}, fhir.Errorf(fhir.Unprocessable, "this code of a vaccine is not known").At(of("vaccine"))
		}
		vaccine, _ := code.Lookup(cvx)
		v["code"] = object{"coding": []object{coding(systemCVX, cvx, vaccine.Name)}, "text": vaccine.Name}
	}
	change, err := updated(s.Maker(call.Base), resource(v), known.Ref)
	return known, change, err
}

// order is what a recall asks for, as its lot says.
type order struct {
	number, reason, follow string
	key, name              string // of the manufacturer
	cvx                    string // of the vaccine; "" for any
	invalid                bool
	day                    time.Time
}

func orderOf(l lot) (o order, ok bool) {
	d := l.Doc
	o.number = text(d, at(d, 0, "batch"), "lotNumber")
	if o.number == "" {
		for id := range items(d, 0, "identifier") {
			if text(d, id, "system") == LotSystem {
				o.number = text(d, id, "value")
			}
		}
	}
	o.key, o.name = makerOf(d)
	o.cvx = productIn(d)
	for x := range items(d, 0, "extension") {
		if text(d, x, "url") != RecallURL {
			continue
		}
		ok = true
		for y := range items(d, x, "extension") {
			switch text(d, y, "url") {
			case "reason":
				o.reason = text(d, y, "valueString")
			case "followUp":
				o.follow = text(d, y, "valueCode")
			case "invalid":
				o.invalid = d.Kind(d.Get(y, "valueBoolean")) == element.True
			case "date":
				o.day, _ = time.Parse(time.RFC3339, text(d, y, "valueDateTime"))
			}
		}
	}
	return o, ok && Lot(o.number) != ""
}

// Resume goes on with the recall of a lot, by the id of its Medication: what was given of
// it and is not marked yet is marked. It may be called any number of times.
func (s *Service) Resume(ctx context.Context, fhirBase, id string) error {
	found, err := s.seen(ctx, search.Unrestricted, fhir.Ref{Type: "Medication", ID: id})
	if err != nil || found == nil {
		return err
	}
	d, err := parse(found)
	if err != nil {
		return err
	}
	_, _, err = s.mark(ctx, fhirBase, lot{parsed: d}, -1)
	return err
}

// mark marks doses of a recalled lot, most at most (all below 0), and makes what follows
// them up. It reports how many it marked, and whether some are left.
//
// The lot is what allows it, not the caller: a recall reaches whoever was given the lot.
func (s *Service) mark(ctx context.Context, fhirBase string, l lot, most int) (done int, left bool, err error) {
	o, ok := orderOf(l)
	if !ok {
		return 0, false, nil
	}
	var page []parsed
	flush := func() error {
		n, err := s.markPage(ctx, fhirBase, l, &o, page)
		done, page = done+n, page[:0]
		return err
	}
	err = s.find(ctx, search.Unrestricted, "Immunization", ofLot(o.number), func(r *fhir.Resource) (bool, error) {
		d, err := parse(r)
		if err != nil || !o.holds(d.Doc) || s.marked(d.Doc, l, &o) {
			return true, err
		}
		if most >= 0 && done+len(page) >= most {
			left = true
			return false, nil
		}
		if page = append(page, d); len(page) == perPage {
			return true, flush()
		}
		return true, nil
	})
	if err == nil && len(page) > 0 {
		err = flush()
	}
	return done, left, err
}

// holds reports whether a dose is of the lot.
func (o *order) holds(d *element.Doc) bool {
	key, name := makerOf(d)
	return text(d, 0, "status") == "completed" && Lot(text(d, 0, "lotNumber")) == Lot(o.number) && sameMaker(o.key, o.name, key, name) &&
		(o.cvx == "" || vaccineOf(d) == "" || vaccineOf(d) == o.cvx)
}

// FollowURL is the extension by which a dose refers to the Medication of its recalled lot.
const FollowURL = base + "StructureDefinition/recalled-lot"

// marked reports whether a dose bears the mark of the recall already.
func (s *Service) marked(d *element.Doc, l lot, o *order) bool {
	for x := range items(d, 0, "extension") {
		if text(d, x, "url") == FollowURL && text(d, d.Get(x, "valueReference"), "reference") == l.Ref.Current().String() {
			return !o.invalid || recalledIn(d)
		}
	}
	return false
}

func recalledIn(d *element.Doc) bool {
	for reason := range items(d, 0, "subpotentReason") {
		for c := range items(d, reason, "coding") {
			if text(d, c, "code") == "recall" {
				return true
			}
		}
	}
	return false
}

// markPage marks some doses in one transaction, with what follows them up. Doses that
// somebody changed meanwhile are marked one by one.
func (s *Service) markPage(ctx context.Context, fhirBase string, l lot, o *order, page []parsed) (int, error) {
	batch, err := s.marking(fhirBase, l, o, page)
	if err != nil {
		return 0, err
	}
	_, err = s.apply(ctx, batch)
	if err == nil {
		return len(page), nil
	}
	if len(page) == 1 {
		if c := fhir.CodeOf(err); c == fhir.Stale || c == fhir.Conflict || c == fhir.Gone {
			return s.remark(ctx, fhirBase, l, o, page[0])
		}
		return 0, err
	}
	done := 0
	for i := range page {
		n, err := s.markPage(ctx, fhirBase, l, o, page[i:i+1])
		if done += n; err != nil {
			return done, err
		}
	}
	return done, nil
}

// remark tries a dose that was changed meanwhile once more. One that must stay as it is, such
// as a part of a signed document, is followed up without a mark.
func (s *Service) remark(ctx context.Context, fhirBase string, l lot, o *order, was parsed) (int, error) {
	r, err := s.seen(ctx, search.Unrestricted, was.Ref.Current())
	if err != nil || r == nil {
		return 0, err
	}
	d, err := parse(r)
	if err != nil || !o.holds(d.Doc) || s.marked(d.Doc, l, o) {
		return 0, err
	}
	batch, err := s.marking(fhirBase, l, o, []parsed{d})
	if err != nil {
		return 0, err
	}
	if _, err = s.apply(ctx, batch); fhir.CodeOf(err) != fhir.Conflict {
		return 1, err
	}
	batch.Changes = batch.Changes[1:]
	if len(batch.Changes) == 0 {
		return 0, nil
	}
	_, err = s.apply(ctx, batch)
	return 0, err
}

// marking are the changes that mark doses.
func (s *Service) marking(fhirBase string, l lot, o *order, page []parsed) (*bundle.Batch, error) {
	b := &bundle.Batch{}
	m := s.Maker(fhirBase)
	for _, d := range page {
		all := members(d.Doc, 0)
		all["extension"] = append(listOf(d.Doc, "extension"), encode(object{"url": FollowURL, "valueReference": refer(l.Ref)}))
		if o.invalid && !recalledIn(d.Doc) {
			all["isSubpotent"] = true
			all["subpotentReason"] = append(listOf(d.Doc, "subpotentReason"), encode(concept(systemSub, "recall", "")))
		}
		change, err := updated(m, resource(all), d.Ref)
		if err != nil {
			return nil, err
		}
		b.Changes = append(b.Changes, change)
		follow := s.follow(l, o, d)
		if follow == nil {
			continue
		}
		ref := fhir.Ref{Type: follow["resourceType"].(string), ID: followID(l.Ref, d.Ref)}
		if change, err = created(m, follow, ref); err != nil {
			return nil, err
		}
		change.Where = &search.Query{Type: ref.Type, Where: []search.Expr{search.IDs{Any: []string{ref.ID}}}, Count: 2, Restriction: search.Unrestricted}
		b.Changes = append(b.Changes, change)
	}
	return b, nil
}

// follow is what follows a recipient up: a Task of the establishment that gave the dose, or
// a CommunicationRequest to the patient. nil for nothing.
func (s *Service) follow(l lot, o *order, d parsed) object {
	patient := object{"reference": text(d.Doc, d.Doc.Get(0, "patient"), "reference")}
	reason := object{"text": "Lote " + o.number + " retirado: " + o.reason}
	switch o.follow {
	case "task":
		v := object{
			"resourceType": "Task", "status": "requested", "intent": "order", "priority": "urgent", "code": concept(TaskSystem, "recalled-lot", "Seguimiento de un lote retirado"),
			"description": "Localizar a la persona, explicarle el retiro del lote y revisar si necesita otra dosis.", "focus": refer(d.Ref), "for": patient,
			"reasonCode": reason, "reasonReference": refer(l.Ref), "authoredOn": s.Now().UTC().Format(time.RFC3339),
		}
		if place := d.Doc.Get(0, "location"); place != element.None {
			v["location"] = rawJSON(d.Doc.AppendCompact(nil, place))
		}
		return v
	case "communication":
		return object{
			"resourceType": "CommunicationRequest", "status": "active", "priority": "urgent", "subject": patient, "about": []object{refer(d.Ref)}, "reasonCode": []object{reason},
			"category":   []object{concept(TaskSystem, "recalled-lot", "Seguimiento de un lote retirado")},
			"payload":    []object{{"contentString": "Una vacuna que recibió es de un lote que fue retirado. Acuda a su unidad de salud con su cartilla."}},
			"authoredOn": s.Now().UTC().Format(time.RFC3339),
		}
	}
	return nil
}

// followID is the id of what follows a dose of a lot up, of which there is one.
func followID(lot, dose fhir.Ref) string {
	sum := sha256.Sum256([]byte(lot.ID + "\x00" + dose.ID))
	return "recall-" + hex.EncodeToString(sum[:16])
}
