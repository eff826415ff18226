package monitor

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/ucum"
)

// RuleURL is the extension of Goal.target that makes it a rule by which measurements are
// watched. Its extensions are:
//
//	priority  code       of the alert: routine, urgent, asap or stat; urgent when left out
//	count     positiveInt  how many of the last readings are beyond a limit; 1 when left out
//	of        positiveInt  how many are looked at; as many as count when left out
//	change    Quantity   by how much a value rises, or falls where it is negative, ...
//	window    Duration   ... within that time
//	silence   Duration   nothing was measured for that long
//	escalate  Duration   how long an alert waits for somebody
//	notify    Reference  who is called, in their order; the CareTeam of the patient when left out
//
// The limits are those of the target itself: detailRange, or detailQuantity with a
// comparator, which says where values are meant to be.
const RuleURL = canonical + "StructureDefinition/monitoring-rule"

// rule is a target of a Goal, understood.
type rule struct {
	Goal   string `json:"goal"` // id
	Target int    `json:"target"`
	Key    string `json:"key"` // of the measure

	Priority string   `json:"priority"`
	Low      *float64 `json:"low,omitempty"` // in the common unit of the key
	High     *float64 `json:"high,omitempty"`
	Count    int      `json:"count,omitempty"`
	Of       int      `json:"of,omitempty"`

	Change float64       `json:"change,omitempty"`
	Window time.Duration `json:"window,omitempty"`

	Silence  time.Duration `json:"silence,omitempty"`
	Escalate time.Duration `json:"escalate,omitempty"`
	Notify   []string      `json:"notify,omitempty"`
}

const (
	mostOf       = 50                   // readings that a rule looks back on
	longestTime  = 92 * 24 * time.Hour  // of a window or a silence
	shortestTime = time.Minute          //
	longestWait  = 7 * 24 * time.Hour   // of an alert for somebody
	mostNotify   = 20                   // who are called
	mostTargets  = 50                   // of a Goal
	ruleElement  = "Goal.target[%d]%s"  // where a fault is
	ruleAt       = ".extension('%s')%s" //
)

// priorities are those of a request, the most urgent last.
var priorities = []string{"routine", "urgent", "asap", "stat"}

// ruleReader reads the rules of a Goal, and notes what is wrong with them.
type ruleReader struct {
	d      *element.Doc
	root   element.Node
	issues []fhir.Issue
}

// Check holds a Goal with rules to what rules are: so none is stored that would watch for
// something else than was meant, or for nothing.
func Check(d *element.Doc, root element.Node, typ string) []fhir.Issue {
	if typ != "Goal" {
		return nil
	}
	r := &ruleReader{d: d, root: root}
	r.rules("")
	return r.issues
}

// readRules returns the rules of a stored Goal, none unless it is active.
func readRules(res *fhir.Resource) []rule {
	d, err := element.Parse(res.JSON)
	if err != nil || d.TextAt(0, "lifecycleStatus") != "active" {
		return nil
	}
	r := &ruleReader{d: d}
	all := r.rules(res.Ref.ID)
	if len(r.issues) > 0 { // it was stored before such were checked
		return nil
	}
	return all
}

func (r *ruleReader) rules(goal string) (all []rule) {
	i := -1
	for target := range r.d.Items(r.root, "target") {
		i++
		ext := element.None
		for e := range r.d.Items(target, "extension") {
			if r.d.TextAt(e, "url") == RuleURL {
				ext = e
			}
		}
		if ext == element.None {
			continue
		}
		if i >= mostTargets {
			r.fault(target, i, "", fmt.Sprintf("a Goal has %d rules at most", mostTargets))
			return all
		}
		before := len(r.issues)
		if k := r.rule(goal, i, target, ext); len(r.issues) == before {
			all = append(all, k)
		}
	}
	return all
}

// rule reads a target.
func (r *ruleReader) rule(goal string, i int, target, ext element.Node) rule {
	k := rule{Goal: goal, Target: i, Priority: "urgent", Count: 1}
	var m *Measure
	for c := range r.d.Items(r.d.Get(target, "measure"), "coding") {
		if known := known.single[r.d.TextAt(c, "code")]; known != nil && r.d.TextAt(c, "system") == loinc {
			m = known
		}
	}
	if m == nil {
		r.fault(target, i, ".measure", "a rule is about a measurement that is taken here; of a blood pressure, about 8480-6 or 8462-4")
		return k
	}
	k.Key = m.Key
	r.limits(&k, i, target, m)
	for e := range r.d.Items(ext, "extension") {
		r.setting(&k, i, e, m)
	}
	if k.Of == 0 {
		k.Of = k.Count
	}
	switch {
	case k.Low == nil && k.High == nil && k.Change == 0 && k.Silence == 0:
		r.fault(target, i, "", "a rule has a limit, a change or a silence")
	case k.Of < k.Count || k.Of > mostOf:
		r.fault(ext, i, fmt.Sprintf(ruleAt, RuleURL, ""), fmt.Sprintf("count is at most of, which is at most %d", mostOf))
	case (k.Change == 0) != (k.Window == 0):
		r.fault(ext, i, fmt.Sprintf(ruleAt, RuleURL, ""), "a change has a window, and a window a change")
	}
	return k
}

// limits reads where values are meant to be.
func (r *ruleReader) limits(k *rule, i int, target element.Node, m *Measure) {
	if n := r.d.Get(target, "detailRange"); n != element.None {
		if low := r.d.Get(n, "low"); low != element.None {
			k.Low = r.quantity(low, i, ".detail.low", m, false)
		}
		if high := r.d.Get(n, "high"); high != element.None {
			k.High = r.quantity(high, i, ".detail.high", m, false)
		}
		if k.Low != nil && k.High != nil && *k.Low >= *k.High {
			r.fault(n, i, ".detail", "the lower limit is below the upper one")
		}
	}
	if n := r.d.Get(target, "detailQuantity"); n != element.None {
		limit := r.quantity(n, i, ".detail", m, false)
		switch r.d.TextAt(n, "comparator") {
		case "<", "<=":
			k.High = limit
		case ">", ">=":
			k.Low = limit
		default:
			r.fault(n, i, ".detail.comparator", "a limit has the comparator <, <=, > or >=")
		}
	}
}

// setting reads an extension of a rule.
func (r *ruleReader) setting(k *rule, i int, e element.Node, m *Measure) {
	name := r.d.TextAt(e, "url")
	at := fmt.Sprintf(ruleAt, RuleURL, fmt.Sprintf(".extension('%.20s')", name))
	switch name {
	case "priority":
		if k.Priority = r.d.TextAt(e, "valueCode"); !slices.Contains(priorities, k.Priority) {
			r.fault(e, i, at, "the priority is routine, urgent, asap or stat")
		}
	case "count":
		k.Count = r.positive(e, i, at)
	case "of":
		k.Of = r.positive(e, i, at)
	case "change":
		if v := r.quantity(r.d.Get(e, "valueQuantity"), i, at, m, true); v != nil {
			if k.Change = *v; *v == 0 {
				r.fault(e, i, at, "a change is not 0")
			}
		}
	case "window":
		k.Window = r.duration(e, i, at, longestTime)
	case "silence":
		k.Silence = r.duration(e, i, at, longestTime)
	case "escalate":
		k.Escalate = r.duration(e, i, at, longestWait)
	case "notify":
		text := r.d.TextAt(r.d.Get(e, "valueReference"), "reference")
		ref, ok := fhir.ParseRef(text)
		if !ok || ref.Version != 0 || !slices.Contains(recipients, ref.Type) || len(k.Notify) == mostNotify {
			r.fault(e, i, at, fmt.Sprintf("up to %d are called, each a Practitioner, PractitionerRole, CareTeam or Organization of this server", mostNotify))
		}
		k.Notify = append(k.Notify, text)
	default:
		r.fault(e, i, at, "a rule has priority, count, of, change, window, silence, escalate and notify")
	}
}

// recipients are who an alert can be handed to.
var recipients = []string{"Practitioner", "PractitionerRole", "CareTeam", "Organization"}

func (r *ruleReader) positive(e element.Node, i int, at string) int {
	n, err := strconv.Atoi(r.d.TextAt(e, "valuePositiveInt"))
	if err != nil || n < 1 || n > mostOf {
		r.fault(e, i, at, fmt.Sprintf("this is a positiveInt from 1 to %d", mostOf))
		return 1
	}
	return n
}

// duration reads a Duration.
func (r *ruleReader) duration(e element.Node, i int, at string, longest time.Duration) time.Duration {
	n := r.d.Get(e, "valueDuration")
	v, unit, ok := r.amount(n)
	if ok {
		if v, ok = ucum.Convert(v, unit, seconds); ok {
			if f, _ := v.Float64(); f >= shortestTime.Seconds() && f <= longest.Seconds() {
				return time.Duration(f * float64(time.Second))
			}
		}
	}
	r.fault(e, i, at, fmt.Sprintf("this is a Duration from a minute to %d days, with a unit of UCUM such as h or d", longest/(24*time.Hour)))
	return 0
}

var (
	seconds = unitOf("s")
	kelvin  = unitOf("K")
)

// quantity reads a Quantity in the common unit of a measure. A difference of temperatures
// has no zero point.
func (r *ruleReader) quantity(n element.Node, i int, at string, m *Measure, difference bool) *float64 {
	v, unit, ok := r.amount(n)
	if ok {
		to := known.keys[m.Key]
		if difference && to.unit.Special() && unit.Comparable(to.unit) {
			v, ok = span(v, unit)
		} else {
			v, ok = to.convert(v, unit)
		}
		if ok {
			if f, _ := v.Float64(); f < 1e9 && f > -1e9 {
				return &f
			}
		}
	}
	r.fault(n, i, at, "this is a Quantity with a value, and a unit of UCUM that can be converted to "+m.Unit)
	return nil
}

// span returns a difference of temperatures in degrees Celsius.
func span(v *big.Rat, unit *ucum.Unit) (*big.Rat, bool) {
	zero, ok := ucum.Convert(new(big.Rat), unit, kelvin)
	to, good := ucum.Convert(v, unit, kelvin)
	if !ok || !good {
		return nil, false
	}
	return to.Sub(to, zero), true
}

// amount reads the value and unit of a Quantity.
func (r *ruleReader) amount(n element.Node) (*big.Rat, *ucum.Unit, bool) {
	if n == element.None {
		return nil, nil, false
	}
	text := r.d.TextAt(n, "value")
	if !number.MatchString(text) || r.d.TextAt(n, "system") != ucumURL {
		return nil, nil, false
	}
	v, ok := new(big.Rat).SetString(text)
	unit, err := ucum.Parse(r.d.TextAt(n, "code"))
	return v, unit, ok && err == nil
}

func (r *ruleReader) fault(n element.Node, i int, at, details string) {
	issue := fhir.Issue{Severity: "error", Type: "business-rule", Rule: "monitoring-rule", Details: details, Expression: fmt.Sprintf(ruleElement, i, at)}
	if n != element.None {
		start, _ := r.d.Span(n)
		issue.Line, issue.Col = r.d.Position(start)
	}
	r.issues = append(r.issues, issue)
}
