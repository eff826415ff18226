package analysis

import (
	"slices"
	"strconv"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/registry/identity"
	"github.com/amate-health/amate/fhir/registry/immunization/code"
)

// Extension begins the URLs of what Derive puts in.
const Extension = "https://github.com/amate-health/amate/fhir/StructureDefinition/analysis-"

// The values that are derived, by the end of the URL.
const (
	Municipality      = "municipality"          // valueCode: INEGI's key of where a Patient lives, or a place is; five digits
	BirthMunicipality = "birth-municipality"    // valueCode, of a Patient
	AgeBand           = "age-band"              // valueCode: "<1", "1-4", "5-9", ... "85-89", "90+", at the event; of a Patient on the day of the release
	AgeMonths         = "age-months"            // valueInteger: completed months at a dose; from five years on the months of the completed year
	Antigen           = "antigen"               // valueCode, each: what a dose is against, as fhir/registry/immunization/code names it
	StayDays          = "stay-days"             // valueInteger: nights of an Encounter, 365 at most
	Minutes           = "minutes"               // valueInteger: how long an Encounter of a day lasted, in fives
	CertifiedWithin   = "days-to-certification" // valueCode: "0-1", "2-7", "8-30", "31-60", "61-365", "366+" after the birth
	Aged              = "birth-year-or-earlier" // valueBoolean: the year of birth stands for all before it
)

// Derived is what counting needs of a resource and what its generalised dates do not tell.
type Derived []derived

type derived struct{ name, kind, value string } // value is JSON

// append writes the extensions of a resource.
func (x Derived) append(dst []byte) []byte {
	dst = append(dst, '[')
	for i, e := range x {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = e.append(dst)
	}
	return append(dst, ']')
}

// append writes one extension.
func (e derived) append(dst []byte) []byte {
	dst = append(element.Quote(append(dst, `{"url":`...), Extension+e.name), `,"value`...)
	return append(append(append(append(dst, e.kind...), `":`...), e.value...), '}')
}

// Add appends src, a resource that keeps its extensions, with what was derived: the rows of
// a view have the same columns whoever may see the resource.
// Errors: those of element.Parse.
func (x Derived) Add(dst, src []byte) ([]byte, error) {
	d, err := element.Parse(src)
	if err != nil {
		return dst, err
	}
	edit := d.Edit(0)
	if at := d.Get(0, "extension"); at == element.None && len(x) > 0 {
		edit.Append(0, `"extension":`+string(x.append(nil)))
	} else {
		for _, e := range x {
			edit.Append(at, string(e.append(nil)))
		}
	}
	return edit.AppendTo(dst), nil
}

func (x *Derived) code(name, value string) {
	if value != "" {
		*x = append(*x, derived{name, "Code", string(element.Quote(nil, value))})
	}
}

func (x *Derived) number(name string, n int) {
	*x = append(*x, derived{name, "Integer", strconv.Itoa(n)})
}

// event says where a type tells whose it is and when it happened: the first that is there.
type event struct {
	of   string // property that refers to the Patient
	when [][]string
}

var events = map[string]event{
	"Immunization":             {"patient", [][]string{{"occurrenceDateTime"}}},
	"Encounter":                {"subject", [][]string{{"period", "start"}}},
	"Condition":                {"subject", [][]string{{"onsetDateTime"}, {"onsetPeriod", "start"}, {"recordedDate"}}},
	"Observation":              {"subject", [][]string{{"effectiveDateTime"}, {"effectivePeriod", "start"}, {"effectiveInstant"}}},
	"Procedure":                {"subject", [][]string{{"performedDateTime"}, {"performedPeriod", "start"}}},
	"MedicationRequest":        {"subject", [][]string{{"authoredOn"}}},
	"MedicationAdministration": {"subject", [][]string{{"effectiveDateTime"}, {"effectivePeriod", "start"}}},
	"DiagnosticReport":         {"subject", [][]string{{"effectiveDateTime"}, {"effectivePeriod", "start"}}},
	"AllergyIntolerance":       {"patient", [][]string{{"onsetDateTime"}, {"recordedDate"}}},
	"AdverseEvent":             {"subject", [][]string{{"date"}}},
	"ServiceRequest":           {"subject", [][]string{{"authoredOn"}}},
}

// Subject returns the Patient whose date of birth Derive should be told for a resource;
// false where none is needed or it is not said.
func Subject(d *element.Doc) (fhir.Ref, bool) {
	e, ok := events[d.TextAt(0, "resourceType")]
	if !ok {
		return fhir.Ref{}, false
	}
	ref, ok := fhir.ParseRef(d.TextAt(0, e.of, "reference"))
	return ref.Current(), ok && ref.Type == "Patient"
}

// Derive reads a resource as it is stored. born is Patient.birthDate of its Subject, ""
// where that is not known; at is the day of the release, on which a Patient's age counts.
func Derive(d *element.Doc, born string, at time.Time) Derived {
	var x Derived
	typ := d.TextAt(0, "resourceType")
	if e, ok := events[typ]; ok {
		x.ages(typ, born, first(d, e.when))
	}
	switch typ {
	case "Patient":
		x.patient(d, at)
	case "Immunization":
		for _, a := range antigens(d) {
			x.code(Antigen, a)
		}
	case "Encounter":
		x.stay(d)
	case "Location", "Organization":
		x.code(Municipality, municipality(d, 0, "address"))
	case "Composition":
		x.certified(d)
	}
	return x
}

func first(d *element.Doc, paths [][]string) string {
	for _, p := range paths {
		if s := d.TextAt(0, p...); s != "" {
			return s
		}
	}
	return ""
}

// ages adds how old somebody was.
func (x *Derived) ages(typ, born, when string) {
	b, known := day(born)
	w, dated := day(when)
	if !known || !dated || w.Before(b) {
		return
	}
	months := monthsBetween(b, w)
	x.code(AgeBand, band(months/12))
	if typ != "Immunization" {
		return
	}
	if months >= 60 {
		months = min(months/12, mostYears) * 12
	}
	x.number(AgeMonths, months)
}

// day reads a date that is exact to the day.
func day(text string) (time.Time, bool) {
	if len(text) < len(time.DateOnly) {
		return time.Time{}, false
	}
	at, err := time.Parse(time.DateOnly, text[:len(time.DateOnly)])
	return at, err == nil
}

// monthsBetween counts completed months. Who was born on a day that a month does not have
// completes it on the first of the next.
func monthsBetween(from, to time.Time) int {
	n := (to.Year()-from.Year())*12 + int(to.Month()) - int(from.Month())
	if to.Day() < from.Day() {
		n--
	}
	return n
}

// band names the five years of life that an age falls into.
func band(years int) string {
	switch {
	case years < 1:
		return "<1"
	case years < 5:
		return "1-4"
	case years >= mostYears:
		return "90+"
	}
	from := years / 5 * 5
	return strconv.Itoa(from) + "-" + strconv.Itoa(from+4)
}

// patient adds where somebody lives and was born, and how old they are.
func (x *Derived) patient(d *element.Doc, at time.Time) {
	x.code(Municipality, municipality(d, 0, "address"))
	for e := range d.Items(0, "extension") {
		if d.TextAt(e, "url") == "http://hl7.org/fhir/StructureDefinition/patient-birthPlace" {
			x.code(BirthMunicipality, key(d, d.Get(e, "valueAddress")))
		}
	}
	born := d.TextAt(0, "birthDate")
	if len(born) < 4 {
		return
	}
	if year, err := strconv.Atoi(born[:4]); err == nil && year <= at.Year()-mostYears {
		*x = append(*x, derived{Aged, "Boolean", "true"})
	}
	_, dead := day(d.TextAt(0, "deceasedDateTime"))
	if b, ok := day(born); ok && !dead && d.TextAt(0, "deceasedBoolean") != "true" && !at.Before(b) {
		x.code(AgeBand, band(monthsBetween(b, at)/12))
	}
}

// municipality returns INEGI's key of the address that is in use.
func municipality(d *element.Doc, n element.Node, name string) string {
	at := d.Get(n, name)
	if at != element.None && d.Kind(at) == element.Object {
		return key(d, at)
	}
	for a := range d.Items(n, name) {
		if k := key(d, a); k != "" && d.TextAt(a, "use") != "old" {
			return k
		}
	}
	return ""
}

// key returns INEGI's key of the municipality of an address: a coding beside the name of
// district, city or state, or what stands for the name.
//
// See https://hl7.org/fhir/R4/extension-iso21090-sc-coding.html.
func key(d *element.Doc, address element.Node) string {
	for _, name := range []string{"_district", "_city", "_state"} {
		for x := range d.Items(d.Get(address, name), "extension") {
			if k := d.TextAt(x, "valueCoding", "code"); d.TextAt(x, "valueCoding", "system") == identity.SystemINEGI && len(k) == 5 && digits([]byte(k)) {
				return k
			}
		}
	}
	if k := d.TextAt(address, "district"); len(k) == 5 && digits([]byte(k)) {
		return k
	}
	return ""
}

// antigens returns what the vaccine of an Immunization is against, each once.
func antigens(d *element.Doc) (all []string) {
	for c := range d.Items(d.Get(0, "vaccineCode"), "coding") {
		cvx, ok := code.CVX(d.TextAt(c, "system"), d.TextAt(c, "code"))
		if v, known := code.Lookup(cvx); ok && known {
			for _, a := range v.Antigens {
				if !slices.Contains(all, a) {
					all = append(all, a)
				}
			}
			return all
		}
	}
	return nil
}

// stay adds how long an Encounter lasted.
func (x *Derived) stay(d *element.Doc) {
	from, to := d.TextAt(0, "period", "start"), d.TextAt(0, "period", "end")
	a, known := day(from)
	b, ended := day(to)
	if !known || !ended || b.Before(a) {
		return
	}
	nights := int(b.Sub(a).Hours() / 24)
	x.number(StayDays, min(nights, 365))
	minutes, told := lasted(d)
	if !told {
		start, bad := time.Parse(time.RFC3339, from)
		end, worse := time.Parse(time.RFC3339, to)
		minutes, told = int(end.Sub(start).Minutes()), bad == nil && worse == nil
	}
	if told && minutes >= 0 && minutes < 24*60 {
		x.number(Minutes, (minutes+4)/5*5)
	}
}

// lasted returns how many minutes an Encounter says that it lasted: that of a visit has a time
// of waiting before it.
func lasted(d *element.Doc) (minutes int, ok bool) {
	if d.TextAt(0, "length", "code") != "min" {
		return 0, false
	}
	n, err := strconv.ParseFloat(d.TextAt(0, "length", "value"), 64)
	return int(min(n, 24*60)), err == nil && n >= 0
}

// certificateOfBirth is the LOINC code of a Composition that certifies a birth.
const certificateOfBirth = "68998-4"

// certified adds how many days after a birth it was certified.
func (x *Derived) certified(d *element.Doc) {
	is := false
	for c := range d.Items(d.Get(0, "type"), "coding") {
		is = is || d.TextAt(c, "code") == certificateOfBirth
	}
	if !is {
		return
	}
	for e := range d.Items(0, "event") {
		born, known := day(d.TextAt(e, "period", "start"))
		signed, dated := day(d.TextAt(0, "date"))
		if known && dated && !signed.Before(born) {
			x.code(CertifiedWithin, within(int(signed.Sub(born).Hours()/24)))
			return
		}
	}
}

// within names the days that a certificate took.
func within(days int) string {
	for _, b := range []struct {
		upTo int
		name string
	}{{1, "0-1"}, {7, "2-7"}, {30, "8-30"}, {60, "31-60"}, {365, "61-365"}} {
		if days <= b.upTo {
			return b.name
		}
	}
	return "366+"
}
