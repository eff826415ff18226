package monitor

import (
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
)

// mostReadings is how many readings one call has at most.
const mostReadings = 1000

// delivery is what a device or an app sends at once.
type delivery struct {
	patient  fhir.Ref
	device   fhir.Ref // zero where somebody typed the readings in
	readings []reading
}

// reading is one of a delivery, as it was sent.
type reading struct {
	id         string // of the device or app: the same one whenever it is sent again
	code       string // of LOINC
	value      string
	unit       string
	at         string
	components []reading // of a blood pressure
}

// readDelivery reads a Parameters, or the compact form of the same:
//
//	{"patient": "Patient/p", "device": "Device/d", "readings": [
//	  {"id": "17", "code": "8867-4", "value": 71, "unit": "/min", "at": "2026-11-22T07:00:00-06:00"},
//	  {"id": "18", "code": "85354-9", "value": "128/81", "at": "2026-11-22T07:01:00-06:00"}]}
//
// What is wrong with one reading is left to its own answer.
func readDelivery(call *operation.Call) (*delivery, error) {
	d := call.In.Document()
	if d == nil {
		return nil, fhir.Errorf(fhir.Invalid, "the body is a Parameters, or an object with patient, device and readings")
	}
	k := &delivery{}
	var patient, device string
	if _, bare := call.In.Body(); bare {
		if d.Get(0, "resourceType") != element.None {
			return nil, fhir.Errorf(fhir.Invalid, "the body is a Parameters, or an object with patient, device and readings")
		}
		patient, device = d.TextAt(0, "patient"), d.TextAt(0, "device")
		for n := range d.Items(0, "readings") {
			k.readings = append(k.readings, compact(d, n))
		}
	} else {
		if err := call.Only("patient", "device", "reading"); err != nil {
			return nil, err
		}
		var err error
		if patient, err = referenced(call, "patient"); err == nil {
			device, err = referenced(call, "device")
		}
		if err != nil {
			return nil, err
		}
		for _, v := range call.In.All("reading") {
			k.readings = append(k.readings, partly(v))
		}
	}
	if len(k.readings) == 0 {
		return nil, fhir.Errorf(fhir.Invalid, "there is no reading").At("Parameters.parameter.where(name='reading')")
	}
	if len(k.readings) > mostReadings {
		return nil, fhir.Errorf(fhir.TooLarge, "a call has %d readings at most", mostReadings)
	}
	if patient == "" && call.Caller.User.Type == "Patient" {
		patient = call.Caller.User.Current().String()
	}
	var err error
	if k.patient, err = local(call, "patient", "Patient", patient); err == nil && device != "" {
		k.device, err = local(call, "device", "Device", device)
	}
	return k, err
}

// referenced returns a parameter that is a Reference, or text.
func referenced(call *operation.Call, name string) (string, error) {
	v, ok, err := call.In.One(name)
	if err != nil || !ok {
		return "", err
	}
	if v.Text == "" && v.Doc != nil {
		n, _ := v.Typed()
		return v.Doc.TextAt(n, "reference"), nil
	}
	return v.Text, nil
}

// local reads a reference to a resource of this server.
func local(call *operation.Call, name, typ, text string) (fhir.Ref, error) {
	id := strings.TrimPrefix(strings.TrimPrefix(text, call.Base+"/"), typ+"/")
	if !fhir.ValidID(id) {
		return fhir.Ref{}, fhir.Errorf(fhir.Invalid, "%s is needed: a reference to a %s of this server", name, typ).With("%.100q", text)
	}
	return fhir.Ref{Type: typ, ID: id}, nil
}

// compact reads a reading of the compact form.
func compact(d *element.Doc, n element.Node) reading {
	r := reading{id: d.TextAt(n, "id"), code: d.TextAt(n, "code"), value: d.TextAt(n, "value"), unit: d.TextAt(n, "unit"), at: d.TextAt(n, "at")}
	for c := range d.Items(n, "components") {
		r.components = append(r.components, reading{code: d.TextAt(c, "code"), value: d.TextAt(c, "value"), unit: d.TextAt(c, "unit")})
	}
	return r
}

// partly reads a reading of a Parameters.
func partly(v operation.Value) reading {
	r := reading{id: partText(v, "id"), at: partText(v, "at")}
	r.code, r.value, r.unit = coded(v)
	for _, c := range v.Parts("component") {
		k := reading{}
		k.code, k.value, k.unit = coded(c)
		r.components = append(r.components, k)
	}
	return r
}

func partText(v operation.Value, name string) string {
	if p := v.Parts(name); len(p) == 1 {
		return p[0].Text
	}
	return ""
}

// coded reads the parts code, value and unit. A code is a code, a Coding or a
// CodeableConcept; a value is a Quantity, or a number beside a unit.
func coded(v operation.Value) (code, value, unit string) {
	code, value, unit = partText(v, "code"), partText(v, "value"), partText(v, "unit")
	if p := v.Parts("code"); code == "" && len(p) == 1 {
		n, property := p[0].Typed()
		if property == "valueCodeableConcept" {
			for c := range p[0].Doc.Items(n, "coding") {
				if p[0].Doc.TextAt(c, "system") == loinc {
					n = c
					break
				}
			}
		}
		if p[0].Doc.TextAt(n, "system") == loinc {
			code = p[0].Doc.TextAt(n, "code")
		}
	}
	if p := v.Parts("value"); value == "" && len(p) == 1 {
		n, _ := p[0].Typed()
		value = p[0].Doc.TextAt(n, "value")
		if unit = p[0].Doc.TextAt(n, "code"); unit == "" {
			unit = p[0].Doc.TextAt(n, "unit")
		}
	}
	return code, value, unit
}

// measured is a reading that can be stored.
type measured struct {
	measure *Measure
	at      time.Time
	written string // when, as it was sent: with the offset of the place
	parts   []part // of a blood pressure; else one
	late    bool
}

// part is a value of a reading.
type part struct {
	measure *Measure
	value   string  // decimal, in the unit of measure
	sent    reading // as it was sent; zero unless it was converted
}

// limits are what times are held to.
type limits struct {
	now  time.Time
	skew time.Duration // how far the clock of a device may be ahead
	old  time.Duration // before which nothing is taken: a clock that was never set
	late time.Duration
}

// check refuses a reading that cannot be true, by an issue.
func (r *reading) check(l *limits) (*measured, *fhir.Issue) {
	if r.id == "" || len(r.id) > 200 {
		return nil, refusal("reading-id", "required", "a reading has an id, by which it is known when it is sent again: up to 200 bytes", r.id)
	}
	m := known.all[r.code]
	if m == nil {
		return nil, refusal("code-unknown", "code-invalid", "this is no measurement that is taken here", r.code)
	}
	k := &measured{measure: m, written: r.at}
	var issue *fhir.Issue
	if k.at, issue = r.when(l); issue != nil {
		return nil, issue
	}
	k.late = l.now.Sub(k.at) > l.late
	parts, issue := r.parts(m)
	if issue != nil {
		return nil, issue
	}
	for i := range parts {
		p, issue := parts[i].part(m)
		if issue != nil {
			return nil, issue
		}
		k.parts = append(k.parts, p)
	}
	if len(k.parts) == 2 && !greater(k.parts[0].value, k.parts[1].value) {
		return nil, refusal("value-impossible", "value", "the systolic pressure is above the diastolic one", r.value)
	}
	return k, nil
}

func (r *reading) when(l *limits) (time.Time, *fhir.Issue) {
	at, err := time.Parse(time.RFC3339, r.at)
	switch {
	case err != nil || len(r.at) > 40:
		return at, refusal("time", "value", "the time of a reading is an instant with its time zone, such as 2026-11-23T09:00:00-06:00", r.at)
	case at.After(l.now.Add(l.skew)):
		return at, refusal("time-future", "business-rule", "the reading is of the future: the clock of the device is wrong", r.at)
	case at.Before(l.now.Add(-l.old)):
		return at, refusal("time-old", "business-rule", "the reading is too old: the clock of the device is wrong", r.at)
	}
	return at, nil
}

// parts returns the values of a reading of m, each with its code; the systolic pressure
// comes first.
func (r *reading) parts(m *Measure) ([]reading, *fhir.Issue) {
	if len(m.Components) == 0 {
		if len(r.components) > 0 {
			return nil, refusal("components", "structure", "this measurement has one value", r.code)
		}
		return []reading{{code: r.code, value: r.value, unit: r.unit}}, nil
	}
	if high, low, ok := strings.Cut(r.value, "/"); ok && len(r.components) == 0 {
		unit := r.unit
		if unit == "" {
			unit = m.Components[0].Unit
		}
		return []reading{{code: m.Components[0].Codes[0], value: high, unit: unit}, {code: m.Components[1].Codes[0], value: low, unit: unit}}, nil
	}
	all := make([]reading, len(m.Components))
	for _, c := range r.components {
		for i := range m.Components {
			if c.code == m.Components[i].Codes[0] && all[i].code == "" {
				all[i] = c
			}
		}
	}
	for i := range all {
		if all[i].code == "" || len(r.components) != len(all) {
			return nil, refusal("components", "structure", `a blood pressure has the components 8480-6 and 8462-4, or a value such as "128/81"`, r.value)
		}
	}
	return all, nil
}

// part reads a value, of m or of one of its components.
func (r *reading) part(m *Measure) (part, *fhir.Issue) {
	if len(m.Components) > 0 {
		m = m.component(r.code)
	}
	value, converted, problem := m.read(r.value, r.unit)
	switch {
	case problem == "value":
		return part{}, refusal("value", "value", "a value is a decimal number of up to nine digits on either side of the point", r.value)
	case problem != "":
		return part{}, refusal("unit", "value", "a unit of UCUM is needed that can be converted to "+m.Unit, r.unit)
	case !m.possible(value):
		return part{}, refusal("value-impossible", "value", "no living body has this value", r.value+" "+r.unit)
	}
	p := part{measure: m, value: value}
	if converted {
		p.sent = *r
	}
	return p, nil
}

// refusal is the issue for which one reading is refused.
func refusal(rule, typ, details, input string) *fhir.Issue {
	i := &fhir.Issue{Severity: "error", Type: typ, Rule: rule, Details: details}
	if input != "" {
		if len(input) > 100 {
			input = input[:100]
		}
		i.Diagnostics = strings.ToValidUTF8(input, "")
	}
	return i
}
