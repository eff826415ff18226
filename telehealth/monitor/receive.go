package monitor

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
)

// Role is that of a device, or of the gateway of some, that is nobody's app: it sends what
// the devices measure that name it, and reads nothing.
const Role = "device"

// ClientSystem is the system of the identifier by which a Device names the client that
// sends for it.
const ClientSystem = canonical + "NamingSystem/client"

// answer is what became of a reading.
type answer struct {
	outcome string // stored, known or refused
	id      string // of the Observation
	issue   *fhir.Issue
	sent    *measured
}

// receive answers Observation/$measurements: stores readings, each of them once.
func (s *Service) receive(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	k, err := readDelivery(call)
	if err != nil {
		return nil, err
	}
	foreign, err := s.sender(ctx, call, k)
	if err != nil {
		return nil, err
	}
	now := s.Now()
	l := &limits{now: now, skew: s.Skew, old: s.Oldest, late: s.Late}
	answers := make([]answer, len(k.readings))
	first := map[string]int{} // by the id of the Observation
	var fresh []int
	for i := range k.readings {
		r, a := &k.readings[i], &answers[i]
		if foreign != nil {
			a.outcome, a.issue = "refused", foreign
			continue
		}
		if a.sent, a.issue = r.check(l); a.issue != nil {
			a.outcome = "refused"
			continue
		}
		a.id = observationID(k, r.id)
		if at, again := first[a.id]; again {
			a.repeats(&answers[at])
			continue
		}
		first[a.id] = i
		fresh = append(fresh, i)
	}
	if err := s.store(ctx, call, k, answers, fresh); err != nil {
		return nil, err
	}
	for i := range answers { // what repeats a reading of the same call shares its fate
		if a := &answers[i]; a.outcome == "" {
			a.outcome, a.issue = "known", answers[first[a.id]].issue
			if a.issue != nil {
				a.outcome = "refused"
			}
		}
	}
	return &operation.Answer{JSON: answered(k, answers)}, nil
}

// repeats marks a reading that another one of the same call has the id of.
func (a *answer) repeats(first *answer) {
	if a.sent.measure != first.sent.measure || a.sent.written != first.sent.written || !slices.EqualFunc(a.sent.parts, first.sent.parts, func(x, y part) bool { return x.value == y.value }) {
		a.outcome, a.issue = "refused", other()
	}
}

func other() *fhir.Issue {
	return refusal("reading-other", "conflict", "another reading was sent under this id", "")
}

// sender checks who sends: the caller must see the Patient, or be the client that the
// Device names. The issue is that for which every reading of a foreign device is refused.
func (s *Service) sender(ctx context.Context, call *operation.Call, k *delivery) (*fhir.Issue, error) {
	hidden := fhir.Errorf(fhir.Unprocessable, "there is no such Patient, or they are not shown to you").With("%s", k.patient)
	patient, err := s.one(ctx, call.Restriction, k.patient)
	if err != nil {
		return nil, err
	}
	if k.device.ID == "" {
		if patient == nil || slices.Contains(call.Caller.Roles, Role) {
			return nil, hidden
		}
		return nil, nil
	}
	// What a Device says is not shown: it only tells whose it is.
	device, err := s.one(ctx, search.Unrestricted, k.device)
	if err != nil {
		return nil, err
	}
	var owner string
	named := false
	if device != nil {
		d, err := element.Parse(device.JSON)
		if err != nil {
			return nil, err
		}
		owner = d.TextAt(d.Get(0, "patient"), "reference")
		for n := range d.Items(0, "identifier") {
			named = named || d.TextAt(n, "system") == ClientSystem && d.TextAt(n, "value") == call.Caller.Principal && call.Caller.Principal != ""
		}
		if status := d.TextAt(0, "status"); status == "inactive" || status == "entered-in-error" {
			owner = ""
		}
	}
	mine := owner == k.patient.String()
	switch {
	case patient == nil && !(mine && named):
		return nil, hidden
	case slices.Contains(call.Caller.Roles, Role) && !named:
		return nil, hidden
	case !mine:
		return refusal("device-foreign", "forbidden", "the Device is not in use by this patient: Device.patient says whose it is", k.device.String()), nil
	}
	return nil, nil
}

// store writes readings that are new, and notes what became of each.
func (s *Service) store(ctx context.Context, call *operation.Call, k *delivery, answers []answer, fresh []int) error {
	if err := s.recognise(ctx, answers, fresh); err != nil {
		return err
	}
	maker := s.Maker(call.Base)
	performer := k.patient
	if u := call.Caller.User; slices.Contains([]string{"Practitioner", "PractitionerRole", "RelatedPerson"}, u.Type) {
		performer = u.Current()
	}
	issued := s.Now().UTC().Format(fhir.InstantLayout)
	var changes []bundle.Change
	var of []int
	for _, i := range fresh {
		a := &answers[i]
		if a.outcome != "" {
			continue
		}
		source, err := bundle.Parse(a.sent.observation(a.id, k, k.readings[i].id, performer, issued))
		if err != nil {
			return err
		}
		c, err := maker.Create(source, fhir.Ref{Type: "Observation", ID: a.id})
		if err != nil {
			if a.issue = issueOf(err); a.issue == nil {
				return err
			}
			a.outcome = "refused"
			continue
		}
		changes, of = append(changes, c), append(of, i)
	}
	return s.write(ctx, answers, changes, of)
}

// write applies changes. One that cannot be made does not keep the others from it.
func (s *Service) write(ctx context.Context, answers []answer, changes []bundle.Change, of []int) error {
	for len(changes) > 0 {
		_, err := s.Store.Apply(ctx, &bundle.Batch{Changes: changes})
		if err == nil {
			for _, i := range of {
				answers[i].outcome = "stored"
			}
			return nil
		}
		var at *bundle.ChangeError
		if !errors.As(err, &at) || at.Index < 0 || at.Index >= len(changes) {
			return err
		}
		a := &answers[of[at.Index]]
		switch fhir.CodeOf(at.Err) {
		case 0:
			return err
		case fhir.Gone:
			a.outcome = "known"
		case fhir.Conflict: // it was stored meanwhile
			if err := s.recognise(ctx, answers, of); err != nil {
				return err
			}
			if a.outcome == "" {
				a.outcome, a.issue = "refused", issueOf(at.Err)
			}
		default:
			a.outcome, a.issue = "refused", issueOf(at.Err)
		}
		var left []bundle.Change
		var whose []int
		for n, i := range of {
			if answers[i].outcome == "" {
				left, whose = append(left, changes[n]), append(whose, i)
			}
		}
		changes, of = left, whose
	}
	return nil
}

// recognise finds those readings that are stored already.
func (s *Service) recognise(ctx context.Context, answers []answer, which []int) error {
	of := map[string]int{}
	var ids []string
	for _, i := range which {
		if answers[i].outcome == "" {
			ids, of[answers[i].id] = append(ids, answers[i].id), i
		}
	}
	if len(ids) == 0 {
		return nil
	}
	found, err := s.Store.Search(ctx, &search.Query{
		Type: "Observation", Where: []search.Expr{search.IDs{Any: ids}}, Count: len(ids), Restriction: search.Unrestricted,
	})
	if err != nil {
		return err
	}
	for i := range found.Matches {
		r := &found.Matches[i]
		a := &answers[of[r.Ref.ID]]
		a.outcome = "known"
		if r.Ref.Version == 1 && !same(r.JSON, a.sent) { // a later version is what somebody corrected
			a.outcome, a.issue = "refused", other()
		}
	}
	return nil
}

// issueOf returns the first issue of an error that a caller can be told of, nil for others.
func issueOf(err error) *fhir.Issue {
	var e *fhir.Error
	if !errors.As(err, &e) {
		return nil
	}
	if e.Details == "" && len(e.Issues) > 0 {
		return &e.Issues[0]
	}
	return &fhir.Issue{Severity: "error", Type: "business-rule", Details: e.Details, Diagnostics: e.Diagnostics}
}

// answered writes what became of each reading, in their order.
func answered(k *delivery, answers []answer) []byte {
	count := map[string]int{}
	for i := range answers {
		count[answers[i].outcome]++
	}
	b := append(make([]byte, 0, 100+200*len(answers)), `{"resourceType":"Parameters","parameter":[`...)
	for i, name := range []string{"stored", "known", "refused"} {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, `{"name":"`...), name...), `","valueUnsignedInt":`...)
		b = append(strconv.AppendInt(b, int64(count[name]), 10), '}')
	}
	for i := range answers {
		a := &answers[i]
		b = append(b, `,{"name":"reading","part":[`...)
		if id := k.readings[i].id; id != "" {
			b = element.Quote(append(b, `{"name":"id","valueString":`...), id)
			b = append(b, `},`...)
		}
		b = append(append(append(b, `{"name":"outcome","valueCode":"`...), a.outcome...), `"}`...)
		if a.issue != nil {
			b = append(b, `,{"name":"issue","resource":`...)
			b = append(operation.AppendOutcome(b, []fhir.Issue{*a.issue}), '}')
		} else {
			b = append(append(append(b, `,{"name":"observation","valueReference":{"reference":"Observation/`...), a.id...), `"}}`...)
		}
		b = append(b, `]}`...)
	}
	return append(b, `]}`...)
}
