package dose

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/immunization/code"
	"github.com/amate-health/amate/fhir/search"
)

// Told is a dose as a message of another system tells of it. It was given, or not,
// before anybody here could be asked: what is impossible is refused, and what speaks
// against it is recorded with it. JSON is of the FHIR type that is named; nil for none.
type Told struct {
	ID     string            // of the Immunization: it follows from the system and its own number for the dose
	Number json.RawMessage   // Identifier: that number
	Remove bool              // the system takes back what it told under the number
	Codes  []code.Coding     // of the product
	When   string            // date or dateTime
	Origin string            // of immunization-origin; "" for a dose that who tells of it gave
	Why    string            // it was not given: a code of v3-ActReason, [Unsaid]; "" for one that was
	Partly bool              // it was given in part
	Lot    string            //
	Expiry string            // date
	Maker  code.Maker        // MVX code, name or both
	Site   json.RawMessage   // CodeableConcept
	Route  json.RawMessage   // CodeableConcept
	Amount json.RawMessage   // Quantity
	Who    json.RawMessage   // Reference to who gave it
	CLUES  string            // establishment; "" where it is told otherwise
	Place  string            // name of the establishment
	Funds  json.RawMessage   // CodeableConcept: eligibility for a programme
	Leaves []json.RawMessage // Immunization.education: what was handed out
	Count  string            // number of the dose in its series, as the system counts
	Note   string
}

// Unsaid is the reason of a dose that was not given where nobody says why.
const Unsaid = unsaid

const (
	unsaid     = "UNK"
	systemNull = "http://terminology.hl7.org/CodeSystem/v3-NullFlavor"
	toldReason = "Ya se había aplicado cuando se avisó de ella"
)

// Names of what becomes of a dose that a message tells of.
const (
	Created   = "created"
	Revised   = "amended"
	Joined    = "merged" // into the dose as another source has it
	Refuted   = "refuted"
	Unchanged = "unchanged"
)

// Taken is what becomes of a Told.
type Taken struct {
	What   string       // "" when it is refused
	Ref    fhir.Ref     // what JSON takes the place of; Version is 0 for what is new
	JSON   []byte       // Immunization to be written; nil for nothing
	Issues []fhir.Issue // what is to say of it; one that is an error refuses it
}

// past reports whether the dose is a fact that nobody can be asked about any more.
func (c *claim) past() bool { return c.reported || c.told }

// Hold keeps other posts of this server from recording doses of a Patient until it is
// released.
func (s *Service) Hold(patient string) (release func()) { return s.lock(patient) }

// Take says what is to be written of doses that a message tells of, one after another:
// each is held to what $record-dose holds a dose to. patient is the Patient as it will
// be, link how an Immunization refers to it, and before what is known of them, as who
// tells may see it: Immunizations and what else a schedule asks for.
// Errors: those of the store, and JSON that is none.
func (s *Service) Take(ctx context.Context, base string, patient []byte, link string, before []fhir.Resource, all []Told) ([]Taken, error) {
	d, err := element.Parse(patient)
	if err != nil {
		return nil, err
	}
	h := hearing{Service: s, base: base, link: link, patient: parsed{fhir.Ref{Type: "Patient", ID: cmp.Or(text(d, 0, "id"), "new")}, d}}
	for i := range before {
		one, err := parse(&before[i])
		if err != nil {
			return nil, err
		}
		h.known = append(h.known, one)
	}
	for i := range all {
		taken, err := h.take(ctx, &all[i])
		if err != nil {
			return nil, err
		}
		if err := h.add(taken); err != nil {
			return nil, err
		}
	}
	return h.taken, nil
}

// hearing is a message that is being taken.
type hearing struct {
	*Service
	base, link string
	patient    parsed
	known      []parsed
	taken      []Taken
}

// add notes what becomes of a dose. What a message writes twice is written once, as it is
// in the end.
func (h *hearing) add(t Taken) error {
	if t.JSON == nil {
		h.taken = append(h.taken, t)
		return nil
	}
	d, err := element.Parse(t.JSON)
	if err != nil {
		return err
	}
	for i := range h.taken {
		if one := &h.taken[i]; one.JSON != nil && one.Ref.ID == t.Ref.ID {
			one.JSON, t.JSON = t.JSON, nil
		}
	}
	h.taken = append(h.taken, t)
	for i := range h.known {
		if h.known[i].Ref.Type == "Immunization" && h.known[i].Ref.ID == t.Ref.ID {
			h.known[i].Doc = d
			return nil
		}
	}
	h.known = append(h.known, parsed{t.Ref, d})
	return nil
}

// mine finds the dose of the system's own number: at its id, or that of another source
// that the number was added to.
func (h *hearing) mine(t *Told) (stored parsed, own bool) {
	for _, one := range h.known {
		if one.Ref.Type == "Immunization" && one.Ref.ID == t.ID {
			return one, true
		}
	}
	number, err := element.Parse(t.Number)
	if err != nil {
		return parsed{}, false
	}
	for _, one := range h.known {
		if one.Ref.Type != "Immunization" {
			continue
		}
		for id := range items(one.Doc, 0, "identifier") {
			if text(one.Doc, id, "system") == text(number, 0, "system") && text(one.Doc, id, "value") == text(number, 0, "value") {
				return one, false
			}
		}
	}
	return parsed{}, false
}

// take decides on one dose.
func (h *hearing) take(ctx context.Context, t *Told) (Taken, error) {
	stored, own := h.mine(t)
	if t.Remove {
		return h.remove(t, stored, own), nil
	}
	p := h.posting(t)
	if err := h.check(ctx, p); err != nil {
		return Taken{}, err
	}
	if err := h.registered(ctx, p); err != nil {
		return Taken{}, err
	}
	if p.broken() {
		return Taken{Issues: p.issues}, nil
	}
	made := h.made(p, t)
	if stored.Doc == nil {
		stored, _ = p.twin(h.known)
	}
	all, what := made, Created
	switch {
	case own:
		all, what = revised(stored.Doc, made), Revised
	case stored.Doc != nil:
		p.ref, what = stored.Ref, Joined
		var changed, numbered bool
		all, changed = together(stored.Doc, made, p.reported)
		if numbered = numberedBy(all, stored.Doc, t.Number); !changed && !numbered {
			what = Unchanged
		}
	}
	p.ref.Version = stored.Ref.Version
	_, j, err := h.foresee(p, h.known, all, stored.Ref)
	if err != nil {
		return Taken{}, err
	}
	if p.notDone == "" && (own || stored.Doc == nil || !primary(stored.Doc)) {
		p.warn(j)
		if err := p.contraindicated(h.Service, without(h.known, p.ref)); err != nil {
			return Taken{}, err
		}
	}
	said, err := p.settle()
	if err != nil {
		return Taken{Issues: p.issues}, nil // refused; the findings say why
	}
	if what == Joined || what == Unchanged {
		said = append(said, fhir.Issue{Severity: "information", Type: "duplicate", Rule: "dose-known", Details: "this dose was recorded already: it was not recorded a second time"})
	}
	if own || what == Created {
		p.finish(all, j)
	}
	all["id"] = p.ref.ID
	if own && same(all, members(stored.Doc, 0)) {
		what = Unchanged
	}
	if what == Unchanged {
		return Taken{What: what, Ref: p.ref, Issues: said}, nil
	}
	return Taken{What: what, Ref: p.ref, JSON: resource(all), Issues: said}, nil
}

func without(all []parsed, ref fhir.Ref) []parsed {
	return slices.DeleteFunc(slices.Clone(all), func(p parsed) bool { return p.Ref.Type == ref.Type && p.Ref.ID == ref.ID })
}

// posting reads a Told as a claim.
func (h *hearing) posting(t *Told) *posting {
	c := &claim{
		lot: t.Lot, expiry: t.Expiry, when: t.When, clues: t.CLUES, origin: t.Origin, reported: t.Origin != "", notDone: t.Why,
		note: t.Note, number: t.Count, told: true,
		site: objectOf(t.Site), route: objectOf(t.Route), quantity: objectOf(t.Amount), program: objectOf(t.Funds),
	}
	for _, one := range t.Codes {
		c.coded = append(c.coded, coded{one.System, one.Code, one.Display})
	}
	if t.Partly {
		c.subpotent = "partial"
	}
	if c.mvx = t.Maker.MVX; c.mvx != "" {
		c.maker = object{"identifier": object{"system": systemMVX, "value": c.mvx}}
	}
	if name := t.Maker.Name; name != "" {
		if c.maker == nil {
			c.maker = object{}
		}
		c.maker["display"] = name
	}
	return &posting{
		claim: c, call: &operation.Call{Base: h.base, Restriction: search.Unrestricted}, now: h.Now(), zone: h.Zone, // what it looks up is of no patient
		patient: h.patient, ref: fhir.Ref{Type: "Immunization", ID: t.ID},
	}
}

// objectOf reads JSON as members; nil for none.
func objectOf(raw json.RawMessage) object {
	if len(raw) == 0 {
		return nil
	}
	d, err := element.Parse(raw)
	if err != nil {
		return nil
	}
	return members(d, 0)
}

// made makes the resource.
func (h *hearing) made(p *posting, t *Told) object {
	made := h.immunization(p)
	made["patient"] = object{"reference": h.link}
	if t.Number != nil {
		made["identifier"] = []json.RawMessage{t.Number}
	}
	if t.Who != nil && t.Why == "" {
		made["performer"] = []object{{"actor": t.Who}}
	}
	if t.CLUES == "" && t.Place != "" {
		made["location"] = object{"display": t.Place}
	}
	if t.Leaves != nil {
		made["education"] = t.Leaves
	}
	return made
}

// revised puts what is told in the place of what was told before. What is not told stays.
func revised(stored *element.Doc, made object) object {
	all := members(stored, 0)
	delete(all, "protocolApplied")
	var kept []any
	for x := range items(stored, 0, "extension") {
		if url := text(stored, x, "url"); url != OverrideURL && (url != CampaignURL || made["extension"] == nil) {
			kept = append(kept, rawJSON(stored.AppendCompact(nil, x)))
		}
	}
	if delete(all, "extension"); kept != nil {
		all["extension"] = kept
	}
	for _, name := range []string{"statusReason", "isSubpotent", "subpotentReason", "reportOrigin"} {
		delete(all, name)
	}
	for name, value := range made {
		switch {
		case name == "recorded", name == "note" && sameNote(stored, value), name == "identifier":
		default:
			all[name] = value
		}
	}
	return all
}

// sameNote reports whether a stored dose has the note already.
func sameNote(stored *element.Doc, value any) bool {
	notes, ok := value.([]object)
	for n := range items(stored, 0, "note") {
		if ok && len(notes) == 1 && text(stored, n, "text") == notes[0]["text"] {
			return true
		}
	}
	return false
}

// numberedBy adds a system's number to the dose of another source, and reports whether it
// was not there.
func numberedBy(all object, stored *element.Doc, number json.RawMessage) bool {
	if number == nil {
		return false
	}
	numbers := listOf(stored, "identifier")
	if slices.ContainsFunc(numbers, func(have rawJSON) bool { return same(have, number) }) {
		return false
	}
	all["identifier"] = append(numbers, rawJSON(number))
	return true
}

// remove takes back what a system told: its own dose is marked as an error; from one that
// another source told of as well, only its number goes.
func (h *hearing) remove(t *Told, stored parsed, own bool) Taken {
	said := func(severity, rule, details string) []fhir.Issue {
		return []fhir.Issue{{Severity: severity, Type: "business-rule", Rule: rule, Details: details, Expression: of("number")}}
	}
	switch {
	case stored.Doc == nil:
		return Taken{Issues: said("error", "dose-unknown", "no dose of this patient was told under this number")}
	case !own:
		all := members(stored.Doc, 0)
		rest := slices.DeleteFunc(listOf(stored.Doc, "identifier"), func(have rawJSON) bool { return same(have, t.Number) })
		if delete(all, "identifier"); len(rest) > 0 {
			all["identifier"] = rest
		}
		return Taken{What: Revised, Ref: stored.Ref, JSON: resource(all), Issues: said("information", "dose-of-others", "another source tells of this dose as well: it stays")}
	case text(stored.Doc, 0, "status") == "entered-in-error":
		return Taken{What: Unchanged, Ref: stored.Ref, Issues: said("information", "dose-refuted", "the dose was taken back already")}
	}
	all := members(stored.Doc, 0)
	all["status"], all["statusReason"] = "entered-in-error", object{"text": "Retirada por el sistema que avisó de ella"}
	return Taken{What: Refuted, Ref: stored.Ref, JSON: resource(all)}
}
