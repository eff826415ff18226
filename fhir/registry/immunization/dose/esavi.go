package dose

import (
	"bytes"
	"context"
	"encoding/csv"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
)

// An ESAVI is an "evento supuestamente atribuible a la vacunación o inmunización", as
// NOM-036-SSA2-2012 calls what may be an adverse event of a vaccine.
const (
	EventSystem     = base + "CodeSystem/vaccination-event" // AdverseEvent.category
	CausalitySystem = base + "CodeSystem/esavi-causality"   // of WHO's classification
	esavi           = "esavi"

	systemSerious  = "http://terminology.hl7.org/CodeSystem/adverse-event-seriousness"
	systemSeverity = "http://terminology.hl7.org/CodeSystem/adverse-event-severity"
	systemOutcome  = "http://terminology.hl7.org/CodeSystem/adverse-event-outcome"
)

var (
	seriousness = []string{
		"Non-serious", "Serious", "SeriousResultsInDeath", "SeriousIsLifeThreatening", "SeriousResultsInHospitalization", "SeriousResultsInDisability",
		"SeriousIsBirthDefect", "SeriousRequiresPreventImpairment",
	}
	severities = []string{"mild", "moderate", "severe"}
	outcomes   = []string{"resolved", "recovering", "ongoing", "resolvedWithSequelae", "fatal", "unknown"}
	causes     = []string{"A1", "A2", "A3", "A4", "B1", "B2", "C", "D"}
)

// event is what is said of an ESAVI.
type event struct {
	doses                                 []parsed
	what                                  object
	onset                                 string
	serious, severity, outcome, causality string
	conditions                            []fhir.Ref
}

// report answers AdverseEvent/$report-esavi.
func (s *Service) report(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := known(call, "immunization", "event", "onset", "seriousness", "severity", "outcome", "causality", "condition"); err != nil {
		return nil, err
	}
	r := reader{call: call}
	e := &event{onset: r.text("onset", 40), serious: r.text("seriousness", 40), severity: r.text("severity", 20), outcome: r.text("outcome", 30), causality: r.text("causality", 2)}
	if v, given := r.one("event"); given {
		e.what = reasonOf(v)
	}
	if r.err == nil && e.what == nil {
		r.fail("event", "is needed: what happened, in words, as a Coding or as a CodeableConcept")
	}
	for _, v := range call.In.All("condition") {
		e.conditions = append(e.conditions, r.referred(v, "condition", "Condition"))
	}
	given := call.In.All("immunization")
	if len(given) == 0 {
		r.fail("immunization", "is needed: a reference to the dose, Immunization/1")
	}
	if r.err != nil {
		return nil, r.err
	}
	for _, v := range given {
		ref := r.referred(v, "immunization", "Immunization")
		if r.err != nil {
			return nil, r.err
		}
		found, err := s.seen(ctx, call.Restriction, ref)
		if err != nil {
			return nil, err
		}
		if found == nil {
			return nil, fhir.Errorf(fhir.Unprocessable, "the dose is not known here, or not shown to you").At(of("immunization"))
		}
		d, err := parse(found)
		if err != nil {
			return nil, err
		}
		e.doses = append(e.doses, d)
	}
	return s.reported(ctx, call, e)
}

// check holds an event to its doses and codes.
func (e *event) check(s *Service) error {
	p := &posting{claim: &claim{}}
	for _, c := range []struct {
		name, value string
		of          []string
	}{{"seriousness", e.serious, seriousness}, {"severity", e.severity, severities}, {"outcome", e.outcome, outcomes}, {"causality", e.causality, causes}} {
		if c.value != "" && !slices.Contains(c.of, c.value) {
			p.wrong("esavi-"+c.name, "the "+c.name+" is one of "+strings.Join(c.of, ", "), c.name)
		}
	}
	if fatal, died := e.outcome == "fatal", e.serious == "SeriousResultsInDeath"; fatal && !died || died && !fatal && e.outcome != "" {
		p.wrong("esavi-death", "an event that was fatal has the seriousness SeriousResultsInDeath, and no other outcome goes with it", "outcome")
	}
	onset, ok := readSpan(e.onset, s.Zone)
	now := s.Now()
	switch {
	case e.onset != "" && !ok:
		p.wrong("esavi-onset", "the onset is a date of FHIR", "onset")
	case ok && onset.from.After(now.Add(early)):
		p.wrong("esavi-onset", "the onset is in the future", "onset")
	}
	subject := ""
	for i, d := range e.doses {
		who := text(d.Doc, d.Doc.Get(0, "patient"), "reference")
		if status := text(d.Doc, 0, "status"); status != "completed" {
			p.wrong("esavi-dose", "the dose was not given: its status is "+status, "immunization")
		}
		if i > 0 && who != subject {
			p.wrong("esavi-patient", "the doses are of one patient", "immunization")
		}
		subject = who
		if when, given := readSpan(text(d.Doc, 0, "occurrenceDateTime"), s.Zone); given && ok && onset.last(s.Zone) < when.first(s.Zone) {
			p.wrong("esavi-onset", "the event began before the dose was given", "onset")
		}
	}
	if p.broken() {
		return p.refusal()
	}
	return nil
}

// reported stores an event, once.
func (s *Service) reported(ctx context.Context, call *operation.Call, e *event) (*operation.Answer, error) {
	if err := e.check(s); err != nil {
		return nil, err
	}
	subject := rawJSON(e.doses[0].Doc.AppendCompact(nil, e.doses[0].Doc.Get(0, "patient")))
	defer s.lock(string(subject))()
	first, err := s.toldBefore(ctx, call, e)
	if err != nil {
		return nil, err
	}
	if first != nil {
		return answer([]object{part("outcome", "Code", "unchanged"), {"name": "event", "resource": rawJSON(first.JSON)}}), nil
	}
	p := &posting{claim: &claim{}, call: call, now: s.Now(), zone: s.Zone, ref: fhir.Ref{Type: "AdverseEvent", ID: s.NewID()}}
	change, err := created(s.Maker(call.Base), e.resource(s, call, subject), p.ref)
	if err != nil {
		return nil, err
	}
	stored, err := s.write(ctx, p, change, fhir.Entry{}, "CREATE", "ESAVI notificado")
	if err != nil {
		return nil, err
	}
	parts := []object{part("outcome", "Code", "created"), {"name": "event", "resource": rawJSON(stored.JSON)}}
	for _, d := range e.doses {
		if number := text(d.Doc, 0, "lotNumber"); number != "" {
			parts = append(parts, part("lot", "String", number))
		}
	}
	a := answer(parts)
	a.Status = 201
	return a, nil
}

// toldBefore returns the same event of the same doses, when somebody reported it.
func (s *Service) toldBefore(ctx context.Context, call *operation.Call, e *event) (first *fhir.Resource, err error) {
	where, err := byReference("AdverseEvent", "substance", e.doses[0].Ref)
	if err != nil {
		return nil, err
	}
	err = s.find(ctx, call.Restriction, "AdverseEvent", where, func(r *fhir.Resource) (bool, error) {
		d, err := element.Parse(r.JSON)
		if err != nil {
			return false, err
		}
		what := d.Get(0, "event")
		if what != element.None && same(rawJSON(d.AppendCompact(nil, what)), e.what) && text(d, 0, "date") == e.onset {
			first = r
			return false, nil
		}
		return true, nil
	})
	return first, err
}

// resource makes the AdverseEvent.
//
// See https://hl7.org/fhir/R4/adverseevent.html.
func (e *event) resource(s *Service, call *operation.Call, subject rawJSON) object {
	v := object{
		"resourceType": "AdverseEvent", "actuality": "actual", "category": []object{concept(EventSystem, esavi, "ESAVI")}, "event": e.what, "subject": subject,
		"recordedDate": s.Now().UTC().Format(time.RFC3339),
	}
	if call.Caller.User.ID != "" {
		v["recorder"] = refer(call.Caller.User)
	}
	if e.onset != "" {
		v["date"] = e.onset
	}
	for _, c := range []struct{ name, system, code string }{
		{"seriousness", systemSerious, e.serious}, {"severity", systemSeverity, e.severity}, {"outcome", systemOutcome, e.outcome},
	} {
		if c.code != "" {
			v[c.name] = concept(c.system, c.code, "")
		}
	}
	var suspects []object
	for _, d := range e.doses {
		one := object{"instance": refer(d.Ref)}
		if e.causality != "" {
			one["causality"] = []object{{"assessment": concept(CausalitySystem, e.causality, "")}}
		}
		suspects = append(suspects, one)
	}
	v["suspectEntity"] = suspects
	if place := e.doses[0].Doc.Get(0, "location"); place != element.None && text(e.doses[0].Doc, place, "reference") != "" {
		v["location"] = rawJSON(e.doses[0].Doc.AppendCompact(nil, place))
	}
	var conditions []object
	for _, ref := range e.conditions {
		conditions = append(conditions, refer(ref))
	}
	if conditions != nil {
		v["resultingCondition"] = conditions
	}
	return v
}

// figures are the events of a lot.
type figures struct {
	lot, maker, cvx        string
	events, serious, fatal int
	doses                  int
}

// signal answers AdverseEvent/$esavi-by-lot: how many events there are of each lot, of
// those that the caller may see. It tells of no patient.
func (s *Service) signal(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := known(call, "lot", "manufacturer", "vaccine", "facility", "from", "until"); err != nil {
		return nil, err
	}
	w, err := asked(call)
	if err != nil {
		return nil, err
	}
	all, err := s.count(ctx, call, w)
	if err != nil {
		return nil, err
	}
	if call.Media == mediaCSV {
		return &operation.Answer{Media: mediaCSV, Raw: table(all)}, nil
	}
	parts := []object{}
	for _, f := range all {
		one := []object{part("events", "UnsignedInt", f.events), part("serious", "UnsignedInt", f.serious), part("fatal", "UnsignedInt", f.fatal), part("doses", "UnsignedInt", f.doses)}
		for _, t := range []struct{ name, v string }{{"vaccine", f.cvx}, {"manufacturer", f.maker}, {"lot", f.lot}} {
			if t.v != "" {
				one = slices.Insert(one, 0, part(t.name, "String", t.v))
			}
		}
		parts = append(parts, object{"name": "lot", "part": one})
	}
	return answer(append(parts, part("count", "UnsignedInt", len(all)))), nil
}

func table(all []*figures) []byte {
	var out bytes.Buffer
	csv := csv.NewWriter(&out)
	_ = csv.Write([]string{"lot", "manufacturer", "vaccine", "events", "serious", "fatal", "doses"}) // a Buffer takes all
	for _, f := range all {
		_ = csv.Write([]string{plain(f.lot), plain(f.maker), f.cvx, strconv.Itoa(f.events), strconv.Itoa(f.serious), strconv.Itoa(f.fatal), strconv.Itoa(f.doses)})
	}
	csv.Flush()
	return out.Bytes()
}

// count counts events by lot, the lot with most first.
func (s *Service) count(ctx context.Context, call *operation.Call, w *wanted) ([]*figures, error) {
	q, err := search.Parse("AdverseEvent", []search.Param{{Name: "category", Value: escape.Replace(EventSystem) + "|" + esavi}}, search.Options{})
	if err != nil {
		return nil, err
	}
	of := map[string][]*element.Doc{} // events by the id of a dose
	var ids []string
	err = s.find(ctx, call.Restriction, "AdverseEvent", q.Where, func(r *fhir.Resource) (bool, error) {
		d, err := element.Parse(r.JSON)
		if err != nil {
			return false, err
		}
		for suspect := range items(d, 0, "suspectEntity") {
			ref, ok := fhir.ParseRef(text(d, d.Get(suspect, "instance"), "reference"))
			if !ok || ref.Type != "Immunization" {
				continue
			}
			if of[ref.ID] == nil {
				ids = append(ids, ref.ID)
			}
			of[ref.ID] = append(of[ref.ID], d)
		}
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	by := map[string]*figures{}
	places := s.places()
	for some := range slices.Chunk(ids, 400) {
		err := s.find(ctx, call.Restriction, "Immunization", []search.Expr{search.IDs{Any: some}}, func(r *fhir.Resource) (bool, error) {
			d, err := element.Parse(r.JSON)
			if err != nil {
				return false, err
			}
			where, err := places.of(ctx, d, call.Base)
			if err == nil && w.ofEvent(d, where, s) {
				add(by, d, of[r.Ref.ID])
			}
			return true, err
		})
		if err != nil {
			return nil, err
		}
	}
	return s.given(ctx, call, by)
}

// ofEvent reports whether a dose with an event is asked for.
func (w *wanted) ofEvent(d *element.Doc, where place, s *Service) bool {
	one := *w
	if one.number == "" {
		one.number = text(d, 0, "lotNumber")
	}
	return one.holds(d, where, s)
}

// add adds the events of a dose to those of its lot.
func add(by map[string]*figures, d *element.Doc, events []*element.Doc) {
	key, name := makerOf(d)
	if name != "" {
		key = name
	}
	number, cvx := Lot(text(d, 0, "lotNumber")), vaccineOf(d)
	f := by[number+"\x00"+key+"\x00"+cvx]
	if f == nil {
		f = &figures{lot: text(d, 0, "lotNumber"), maker: text(d, d.Get(0, "manufacturer"), "display"), cvx: cvx}
		by[number+"\x00"+key+"\x00"+cvx] = f
	}
	for _, e := range events {
		f.events++
		serious, outcome := codeIn(e, "seriousness"), codeIn(e, "outcome")
		if serious != "" && serious != seriousness[0] {
			f.serious++
		}
		if outcome == "fatal" || serious == "SeriousResultsInDeath" {
			f.fatal++
		}
	}
}

func codeIn(d *element.Doc, name string) string {
	for c := range items(d, d.Get(0, name), "coding") {
		return text(d, c, "code")
	}
	return ""
}

// given adds how many doses of each lot the caller sees.
func (s *Service) given(ctx context.Context, call *operation.Call, by map[string]*figures) ([]*figures, error) {
	var all []*figures
	for _, f := range by {
		all = append(all, f)
		if Lot(f.lot) == "" {
			continue
		}
		where := ofLot(f.lot)
		q, err := search.Parse("Immunization", []search.Param{{Name: "status", Value: "completed"}}, search.Options{})
		if err != nil {
			return nil, err
		}
		found, err := s.Store.Search(ctx, &search.Query{Type: "Immunization", Where: append(where, q.Where...), Total: search.TotalAccurate, Restriction: call.Restriction})
		if err != nil {
			return nil, err
		}
		f.doses = int(max(found.Total, 0))
	}
	slices.SortFunc(all, func(a, b *figures) int {
		if a.events != b.events {
			return b.events - a.events
		}
		return strings.Compare(a.lot+"\x00"+a.maker+a.cvx, b.lot+"\x00"+b.maker+b.cvx)
	})
	return all, nil
}
