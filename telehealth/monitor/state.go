package monitor

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/search"
)

const (
	// stateKind is the kind of the entries that hold what is remembered of a patient who is
	// watched, under the id of the Patient. One process at a time writes them.
	stateKind = "monitor"
	// dueKind is the kind of the entries that say when to look at a patient again: the time
	// begins their key. One that is not needed any more is passed over.
	dueKind = "monitor-due"
)

// state is what is remembered of a patient who is watched.
type state struct {
	Rules  []rule               `json:"rules,omitempty"`
	Line   []string             `json:"line,omitempty"`   // who is called where a rule does not say
	Series map[string][]point   `json:"series,omitempty"` // by the key of the measure
	Alerts map[string]*alert    `json:"alerts,omitempty"` // by the key of the watch
	Since  map[string]time.Time `json:"since,omitempty"`  // from when silence counts, by the key of the watch
	Due    time.Time            `json:"due,omitzero"`     // the earliest that an entry says

	entry fhir.Entry
}

// alert is what there is of a watch.
type alert struct {
	Episode  int       `json:"episode"` // how many were closed before
	Status   string    `json:"status,omitempty"`
	Evidence []string  `json:"evidence,omitempty"` // ids of Observations
	Closed   time.Time `json:"closed,omitzero"`    // when the last one was; nothing of before calls anybody
	Line     []string  `json:"line,omitempty"`     // who is called
	Step     int       `json:"step,omitempty"`     // who of them was called last
	Sent     int       `json:"sent,omitempty"`     // how many Communications there are
	Next     time.Time `json:"next,omitzero"`      // when the next one is called; zero for nobody
}

// The statuses of an alert; "" is that there is none.
const (
	open      = "open"
	taken     = "taken"     // somebody has acknowledged it
	withdrawn = "withdrawn" // readings that came late, or a new rule, said otherwise before anybody took it
)

// load reads what is remembered of a patient; one of whom nothing is known is new.
func (s *Service) load(ctx context.Context, patient string) (*state, error) {
	st := &state{entry: fhir.Entry{Kind: stateKind, Key: patient}}
	e, err := s.Store.Entry(ctx, stateKind, patient)
	switch {
	case fhir.CodeOf(err) == fhir.NotFound:
	case err != nil:
		return nil, err
	default:
		st.entry = e
		if err := json.Unmarshal(e.Value, st); err != nil {
			return nil, err
		}
	}
	if st.Series == nil {
		st.Series = map[string][]point{}
	}
	if st.Alerts == nil {
		st.Alerts = map[string]*alert{}
	}
	if st.Since == nil {
		st.Since = map[string]time.Time{}
	}
	return st, nil
}

// entries returns what stores st, with the entry that says when to look again where no
// other one says so early enough.
func (st *state) entries() ([]fhir.Entry, error) {
	var all []fhir.Entry
	if due := st.due(); !due.IsZero() && (st.Due.IsZero() || due.Before(st.Due)) {
		st.Due = due
		key := due.UTC().Format(time.RFC3339) + "/" + st.entry.Key + "/" + strconv.FormatInt(st.entry.Version, 10)
		all = append(all, fhir.Entry{Kind: dueKind, Key: key, Value: []byte(`{}`)})
	}
	value, err := json.Marshal(st)
	if err != nil {
		return nil, err
	}
	e := st.entry
	e.Value = value
	return append(all, e), nil
}

// due returns when something becomes of st without anybody doing anything; zero for never.
// It is rounded up to a second.
func (st *state) due() (first time.Time) {
	sooner := func(t time.Time) {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	for i := range st.Rules {
		r := &st.Rules[i]
		for _, w := range r.watches() {
			a := st.Alerts[w.key()]
			if w.kind == silent && (a == nil || a.Status == "" || a.Status == withdrawn) {
				sooner(st.heard(w, a).Add(r.Silence))
			}
			if a != nil && a.Status == open {
				sooner(a.Next)
			}
		}
	}
	if first.IsZero() {
		return first
	}
	return first.Truncate(time.Second).Add(time.Second)
}

// heard returns from when a silence counts: the last reading, or when the rule was new or
// the last alert of it closed.
func (st *state) heard(w watch, a *alert) time.Time {
	last := st.Since[w.key()]
	if s := st.Series[w.rule.Key]; len(s) > 0 && s[len(s)-1].At.After(last) {
		last = s[len(s)-1].At
	}
	if a != nil && a.Closed.After(last) {
		last = a.Closed
	}
	return last
}

// take brings points of an Observation into the series that rules look at; one that says
// nothing any more takes them out.
func (st *state) take(id string, found []valued) {
	for key, series := range st.Series {
		st.Series[key] = without(series, id)
	}
	for _, v := range found {
		if _, ok := st.Series[v.key]; ok {
			st.Series[v.key] = merged(st.Series[v.key], v.point)
		}
	}
}

// valued is a value of an Observation.
type valued struct {
	key string
	point
}

// unsaid are statuses of an Observation that says nothing.
var unsaid = []string{"registered", "entered-in-error", "cancelled", "unknown"}

// valuesOf reads the values of an Observation, whoever wrote it.
func valuesOf(r *fhir.Resource, late time.Duration) (patient string, all []valued) {
	d, err := element.Parse(r.JSON)
	if err != nil {
		return "", nil
	}
	ref, ok := fhir.ParseRef(d.TextAt(d.Get(0, "subject"), "reference"))
	if !ok || ref.Type != "Patient" {
		return "", nil
	}
	if slices.Contains(unsaid, d.TextAt(0, "status")) {
		return ref.ID, nil
	}
	at, err := time.Parse(time.RFC3339, cmp.Or(d.TextAt(0, "effectiveDateTime"), d.TextAt(0, "effectiveInstant"), d.TextAt(d.Get(0, "effectivePeriod"), "end")))
	if err != nil {
		return ref.ID, nil
	}
	received := r.Updated
	if r.Ref.Version > 1 || strings.HasPrefix(r.Ref.ID, idPrefix) { // one that was corrected came when it was issued
		if issued, err := time.Parse(time.RFC3339, d.TextAt(0, "issued")); err == nil && issued.Before(received) {
			received = issued
		}
	}
	p := point{At: at.UTC(), ID: r.Ref.ID, Late: received.Sub(at) > late}
	add := func(n element.Node) {
		m := known.single[codeIn(d, n)]
		q := d.Get(n, "valueQuantity")
		if m == nil || q == element.None || d.TextAt(q, "comparator") != "" {
			return
		}
		if v, ok := m.common(d.TextAt(q, "value"), cmp.Or(d.TextAt(q, "code"), d.TextAt(q, "unit"))); ok {
			p.Value = v
			all = append(all, valued{m.Key, p})
		}
	}
	add(0)
	for c := range d.Items(0, "component") {
		add(c)
	}
	return ref.ID, all
}

// reread reads the rules of a patient, and who is called. The series of what is newly
// watched come from the record.
func (s *Service) reread(ctx context.Context, st *state) error {
	patient := st.entry.Key
	goals, err := s.find(ctx, search.Unrestricted, "Goal", "200", search.Param{Name: "patient", Value: patient}, search.Param{Name: "lifecycle-status", Value: "active"})
	if err != nil {
		return err
	}
	slices.SortFunc(goals, func(a, b fhir.Resource) int { return cmp.Compare(a.Ref.ID, b.Ref.ID) })
	st.Rules = nil
	wanted := map[string]bool{}
	for i := range goals {
		for _, r := range readRules(&goals[i]) {
			st.Rules = append(st.Rules, r)
			wanted[r.Key] = true
			for _, w := range r.watches() {
				if _, ok := st.Since[w.key()]; !ok && w.kind == silent {
					st.Since[w.key()] = s.Now()
				}
			}
		}
	}
	for key := range st.Series {
		if !wanted[key] {
			delete(st.Series, key)
		}
	}
	for key := range wanted {
		if _, ok := st.Series[key]; ok {
			continue
		}
		if err := s.recall(ctx, st, key); err != nil {
			return err
		}
	}
	return s.careTeam(ctx, st)
}

// recall reads the latest values of a measure out of the record.
func (s *Service) recall(ctx context.Context, st *state, key string) error {
	codes := ""
	for _, m := range known.list {
		if m.Key == key {
			for _, c := range m.Codes {
				codes += "," + loinc + "|" + c
			}
		}
	}
	found, err := s.find(ctx, search.Unrestricted, "Observation", strconv.Itoa(mostPoints),
		search.Param{Name: "patient", Value: st.entry.Key}, search.Param{Name: "combo-code", Value: codes[1:]}, search.Param{Name: "_sort", Value: "-date"})
	if err != nil {
		return err
	}
	st.Series[key] = nil
	for i := range found {
		_, values := valuesOf(&found[i], s.Late)
		for _, v := range values {
			if v.key == key {
				st.Series[key] = merged(st.Series[key], v.point)
			}
		}
	}
	return nil
}

// careTeam reads who cares for a patient: those of their active CareTeams, in their order,
// else their general practitioners.
func (s *Service) careTeam(ctx context.Context, st *state) error {
	st.Line = nil
	teams, err := s.find(ctx, search.Unrestricted, "CareTeam", "20", search.Param{Name: "patient", Value: st.entry.Key}, search.Param{Name: "status", Value: "active"})
	if err != nil {
		return err
	}
	slices.SortFunc(teams, func(a, b fhir.Resource) int { return cmp.Compare(a.Ref.ID, b.Ref.ID) })
	for i := range teams {
		st.calls(teams[i].JSON, "participant", "member")
	}
	if len(st.Line) > 0 {
		return nil
	}
	patient, err := s.one(ctx, search.Unrestricted, fhir.Ref{Type: "Patient", ID: st.entry.Key})
	if err == nil && patient != nil {
		st.calls(patient.JSON, "generalPractitioner")
	}
	return err
}

// calls adds to the line those whom the items of a list refer to.
func (st *state) calls(json []byte, list string, member ...string) {
	d, err := element.Parse(json)
	if err != nil {
		return
	}
	for n := range d.Items(0, list) {
		text := d.TextAt(n, append(slices.Clip(member), "reference")...)
		ref, ok := fhir.ParseRef(text)
		if ok && slices.Contains(recipients, ref.Type) && !slices.Contains(st.Line, text) && len(st.Line) < mostNotify {
			st.Line = append(st.Line, text)
		}
	}
}
