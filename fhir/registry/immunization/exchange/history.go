package exchange

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/message"
	"github.com/amate-health/amate/fhir/message/hl7"
	"github.com/amate-health/amate/fhir/registry/immunization/code"
)

type rawJSON = json.RawMessage

// What an OBX of an answer says, in LOINC.
const (
	obsDue         = "30980-7"
	obsEarliest    = "30981-5"
	obsOverdue     = "59778-1"
	obsLatest      = "59777-3"
	obsNext        = "30979-9"
	obsSchedule    = "59779-9"
	obsSeries      = "59780-7"
	obsValid       = "59781-5"
	obsOf          = "59782-3"
	obsStatus      = "59783-1"
	obsWhy         = "30982-3"
	systemForecast = "http://hl7.org/fhir/us/immds/CodeSystem/ForecastStatus"
)

// history answers with what was given to a patient, and where it is asked for with what it
// means and what is due.
func (q *query) history(ctx context.Context, p patient) (*message.Reply, error) {
	doses, err := look(ctx, q.api, "Immunization", "patient", "Patient/"+p.id, mostOfPatient)
	if err != nil {
		return nil, err
	}
	r := &message.Reply{Status: "OK", Profile: profileHistory, Hits: 1}
	a := &writing{query: q}
	if q.forecast {
		r.Profile = profileForecast
		d, n, err := call(ctx, q.api, "GET", "Patient/"+p.id+"/$immunization-status", nil)
		switch fhir.CodeOf(err) {
		case 0:
			if err != nil {
				return nil, err
			}
			a.status, a.root = d, n
		case fhir.Unprocessable: // such as a birth date that is not known to the day
			r.Notes = append(r.Notes, &hl7.Error{Code: hl7.Internal, Text: "nothing can be said of what is due: " + err.Error(), Severity: hl7.Warning})
		default:
			return nil, err
		}
	}
	q.pid(&a.Writer, 1, p)
	slices.SortStableFunc(doses, func(x, y fhir.Resource) int { return strings.Compare(dayOf(&x), dayOf(&y)) })
	for i := range doses {
		if err := a.dose(&doses[i]); err != nil {
			return nil, err
		}
	}
	if a.status != nil {
		a.forecasts()
		if a.partial() {
			r.Notes = append(r.Notes, &hl7.Error{Code: hl7.Internal, Severity: hl7.Information, Text: "there are records that the sender may not see: which vaccine is due, and when, cannot be said"})
		}
	}
	r.Body = a.Bytes()
	return r, nil
}

func dayOf(r *fhir.Resource) string {
	d, err := element.Parse(r.JSON)
	if err != nil {
		return ""
	}
	return d.TextAt(0, "occurrenceDateTime")
}

// writing is an answer on its way.
type writing struct {
	hl7.Writer
	*query
	status *element.Doc // answer of $immunization-status; nil where it is not asked for
	root   element.Node
	obx    int // of the order that is being written
}

// ce writes a code with its text and the name of its system.
func ce(code, text, system string) string {
	if code == "" && text == "" {
		return ""
	}
	e := &hl7.Usual
	return strings.TrimRight(e.Escaped(code)+"^"+e.Escaped(text)+"^"+system, "^")
}

// dose writes the ORC, RXA and RXR of an Immunization, and what it means.
func (a *writing) dose(r *fhir.Resource) error {
	d, err := element.Parse(r.JSON)
	if err != nil {
		return err
	}
	status := d.TextAt(0, "status")
	if status == "entered-in-error" {
		return nil
	}
	e := &hl7.Usual
	cvx, name := "", ""
	var others []string
	for c := range d.Items(d.Get(0, "vaccineCode"), "coding") {
		if v, ok := code.CVX(d.TextAt(c, "system"), d.TextAt(c, "code")); ok && (cvx == "" || code.System(d.TextAt(c, "system")) == code.SystemCVX) {
			cvx = v
		}
		if d.TextAt(c, "system") == "http://hl7.org/fhir/sid/ndc" {
			others = append(others, ce(d.TextAt(c, "code"), d.TextAt(c, "display"), "NDC"))
		}
	}
	if v, ok := code.Lookup(cvx); ok {
		name = v.Display
	} else {
		cvx, name = "999", d.TextAt(d.Get(0, "vaccineCode"), "text")
	}
	vaccine := ce(cvx, name, "CVX")
	if len(others) > 0 {
		vaccine += "^" + others[0]
	}
	when := stamp(d.TextAt(0, "occurrenceDateTime"))
	rxa := make([]string, 21)
	rxa[0], rxa[1], rxa[2], rxa[3], rxa[4], rxa[5] = "0", "1", when, when, vaccine, "999"
	rxa[19], rxa[20] = "CP", "A"
	if value := d.TextAt(d.Get(0, "doseQuantity"), "value"); value != "" {
		rxa[5], rxa[6] = e.Escaped(value), ce(d.TextAt(d.Get(0, "doseQuantity"), "code"), "", "UCUM")
	}
	rxa[8] = source(d)
	if place := d.Get(0, "location"); place != element.None {
		name := d.TextAt(place, "identifier", "value")
		if name == "" {
			name = d.TextAt(place, "display")
		}
		rxa[10] = "^^^" + e.Escaped(name)
	}
	rxa[14], rxa[15] = e.Escaped(d.TextAt(0, "lotNumber")), stamp(d.TextAt(0, "expirationDate"))
	rxa[16] = ce(d.TextAt(0, "manufacturer", "identifier", "value"), d.TextAt(0, "manufacturer", "display"), "MVX")
	if n := d.Get(0, "isSubpotent"); n != element.None && d.Kind(n) == element.True {
		rxa[19] = "PA"
	}
	if status == "not-done" {
		rxa[19], rxa[17] = "NA", refusalOf(d)
		if rxa[17] != "" {
			rxa[19] = "RE"
		}
	}
	a.Segment("ORC", "RE", "", e.Escaped(r.Ref.ID)+"^"+e.Escaped(a.Name))
	a.Segment("RXA", rxa...)
	if route, site := coded(d, "route", systemRoute, "HL70162"), coded(d, "site", systemSite, "HL70163"); route != "" {
		a.Segment("RXR", route, site)
	}
	if a.obx = 0; a.status != nil {
		a.evaluations(r.Ref.ID, vaccine)
	}
	return nil
}

// source is how it is known of a dose, as table NIP001 has it.
func source(d *element.Doc) string {
	if n := d.Get(0, "primarySource"); n == element.None || d.Kind(n) == element.True {
		return "00^New immunization record^NIP001"
	}
	for c := range d.Items(d.Get(0, "reportOrigin"), "coding") {
		switch d.TextAt(c, "code") {
		case "provider":
			return "02^Historical information - from other provider^NIP001"
		case "recall":
			return "04^Historical information - from parent's recall^NIP001"
		case "school":
			return "07^Historical information - from school record^NIP001"
		case "jurisdiction":
			return "05^Historical information - from other registry^NIP001"
		}
	}
	return "01^Historical information - source unspecified^NIP001"
}

// refusalOf is why people declined a dose, as table NIP002 has it; "" where they did not.
func refusalOf(d *element.Doc) string {
	for c := range d.Items(d.Get(0, "statusReason"), "coding") {
		switch d.TextAt(c, "code") {
		case "RELIG":
			return "01^Religious exemption^NIP002"
		case "PATOBJ", "PHILISOP":
			return "03^Patient decision^NIP002"
		}
	}
	return ""
}

// coded writes the code that an element has of a system.
func coded(d *element.Doc, name, system, table string) string {
	for c := range d.Items(d.Get(0, name), "coding") {
		if d.TextAt(c, "system") == system {
			v := d.TextAt(c, "code")
			if v == "SQ" {
				v = "SC"
			}
			return ce(v, d.TextAt(c, "display"), table)
		}
	}
	return ""
}

// observe writes an OBX, unless it has no value.
func (a *writing) observe(sub int, typ, loinc, text, value string) {
	if value == "" {
		return
	}
	a.obx++
	a.Segment("OBX", strconv.Itoa(a.obx), typ, ce(loinc, text, "LN"), strconv.Itoa(sub), value, "", "", "", "", "", "F", "", "", a.today())
}

func (a *writing) today() string { return a.Now().In(a.Zone).Format("20060102") }

// parts yields the resources of the answer of $immunization-status under a name.
func (a *writing) parts(name string) (all []element.Node) {
	for n := range a.status.Items(a.root, "parameter") {
		if r := a.status.Get(n, "resource"); r != element.None && a.status.TextAt(n, "name") == name {
			all = append(all, r)
		}
	}
	return all
}

// partial reports whether the sender sees only a part of what counts.
func (a *writing) partial() bool {
	for n := range a.status.Items(a.root, "parameter") {
		if v := a.status.Get(n, "valueBoolean"); v != element.None && a.status.TextAt(n, "name") == "partial" {
			return a.status.Kind(v) == element.True
		}
	}
	return false
}

// evaluations writes what a dose means, disease by disease.
func (a *writing) evaluations(id, vaccine string) {
	d, sub := a.status, 0
	for _, n := range a.parts("evaluation") {
		if !strings.HasSuffix(d.TextAt(n, "immunizationEvent", "reference"), "Immunization/"+id) {
			continue
		}
		sub++
		a.observe(sub, "CE", obsVaccine, "Vaccine type", a.disease(n, vaccine))
		a.common(sub, n, d.TextAt(n, "authority", "display"))
		valid := "N"
		for c := range d.Items(d.Get(n, "doseStatus"), "coding") {
			if d.TextAt(c, "code") == "valid" {
				valid = "Y"
			}
		}
		a.observe(sub, "ID", obsValid, "Dose validity", valid)
		var why []string
		for r := range d.Items(n, "doseStatusReason") {
			why = append(why, hl7.Usual.Escaped(d.TextAt(r, "text")))
		}
		a.observe(sub, "ST", obsWhy, "Reason applied by schedule", strings.Join(why, "; "))
	}
}

// common writes the schedule, the series and the number of a dose.
func (a *writing) common(sub int, n element.Node, authority string) {
	d := a.status
	name := ""
	for p := range d.Items(a.root, "parameter") {
		if d.TextAt(p, "name") == "schedule" {
			name = d.TextAt(p, "valueString")
		}
	}
	a.observe(sub, "CE", obsSchedule, "Immunization schedule used", ce(name, authority, "L"))
	a.observe(sub, "ST", obsSeries, "Immunization series name", hl7.Usual.Escaped(d.TextAt(n, "series")))
	a.observe(sub, "NM", obsNumber, "Dose number in series", d.TextAt(n, "doseNumberPositiveInt"))
	a.observe(sub, "NM", obsOf, "Number of doses in primary series", d.TextAt(n, "seriesDosesPositiveInt"))
}

// disease writes the disease of an evaluation or of a recommendation.
func (a *writing) disease(n element.Node, otherwise string) string {
	target := a.status.Get(n, "targetDisease")
	for c := range a.status.Items(target, "coding") {
		return ce(a.status.TextAt(c, "code"), a.status.TextAt(target, "text"), "SCT")
	}
	if text := a.status.TextAt(target, "text"); text != "" {
		return ce("", text, "")
	}
	return otherwise
}

// forecasts writes what is due: an order of no vaccine, and a group of OBX for each
// vaccine group.
func (a *writing) forecasts() {
	d := a.status
	for _, r := range a.parts("recommendation") {
		rxa := make([]string, 21)
		rxa[0], rxa[1], rxa[2], rxa[3], rxa[4], rxa[5] = "0", "1", a.today(), a.today(), "998^no vaccine administered^CVX", "999"
		rxa[19], rxa[20] = "NA", "A"
		a.Segment("ORC", "RE", "", noNumber+"^"+hl7.Usual.Escaped(a.Name))
		a.Segment("RXA", rxa...)
		a.obx = 0
		sub := 0
		for n := range d.Items(r, "recommendation") {
			sub++
			vaccine := ""
			for v := range d.Items(n, "vaccineCode") {
				for c := range d.Items(v, "coding") {
					vaccine = ce(d.TextAt(c, "code"), d.TextAt(c, "display"), "CVX")
					break
				}
				break
			}
			if vaccine == "" {
				vaccine = a.disease(n, "")
			}
			a.observe(sub, "CE", obsNext, "Vaccines due next", vaccine)
			a.dated(sub, n, d.TextAt(r, "authority", "display"))
		}
	}
}

// dated writes the rest of a group of a forecast.
func (a *writing) dated(sub int, n element.Node, authority string) {
	d := a.status
	a.common(sub, n, authority)
	for _, criterion := range []struct{ loinc, text string }{
		{obsEarliest, "Earliest date to give"}, {obsDue, "Date vaccine due"}, {obsOverdue, "Date dose is overdue"}, {obsLatest, "Latest date to give immunization"},
	} {
		for c := range d.Items(n, "dateCriterion") {
			for k := range d.Items(d.Get(c, "code"), "coding") {
				if d.TextAt(k, "code") == criterion.loinc {
					a.observe(sub, "TS", criterion.loinc, criterion.text, stamp(d.TextAt(c, "value")))
				}
			}
		}
	}
	for c := range d.Items(d.Get(n, "forecastStatus"), "coding") {
		if d.TextAt(c, "system") == systemForecast {
			a.observe(sub, "CE", obsStatus, "Status in immunization series", ce(d.TextAt(c, "code"), d.TextAt(d.Get(n, "forecastStatus"), "text"), "L"))
		}
	}
}
