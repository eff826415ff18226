package summary

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
)

// item is a record that may be an entry of a section.
type item struct {
	*record
	room  room
	rank  int      // the greater comes first
	when  string   // the date that tells how old it is; "" for none
	names []string // of what it is about; two that share one are about the same
}

// record is a stored resource, parsed.
type record struct {
	fhir.Resource
	doc   *element.Doc
	id    string // for a record that is made up for this document: its urn:uuid
	entry bool   // a section lists it
	blank bool   // it only says that nothing is known, or shown
}

// The ranks below that of ordinary records.
const (
	denial  = -1 // there is none: "no known allergies"
	silence = -2 // nothing is known of it
)

// chooser finds the section of each record.
type chooser struct {
	patient fhir.Ref
	base    string // of the server, with a slash at the end
	now     time.Time
	found   [rooms][]item
	bearers []*record       // Devices of the patient
	told    map[string]bool // Devices that a statement tells of
}

// take adds a record to the section that it belongs to, if any.
func (c *chooser) take(r *record) {
	d := r.doc
	switch r.Ref.Type {
	case "MedicationStatement":
		c.statement(r)
	case "MedicationRequest":
		c.prescription(r)
	case "AllergyIntolerance":
		c.allergy(r)
	case "Condition":
		c.condition(r)
	case "Immunization":
		if c.own(d, "patient") && d.TextAt(0, "status") == "completed" {
			when := moment(d, 0, "occurrence")
			names := names(d, d.Get(0, "vaccineCode"))
			for i := range names {
				names[i] += " " + when[:min(len(when), 10)]
			}
			c.add(immunizations, r, negated(d, d.Get(0, "vaccineCode")), when, names)
		}
	case "Procedure":
		if status := d.TextAt(0, "status"); c.own(d, "subject") && (status == "completed" || status == "in-progress") {
			c.add(procedures, r, negated(d, d.Get(0, "code")), moment(d, 0, "performed"), names(d, d.Get(0, "code")))
		}
	case "Observation":
		c.observation(r)
	case "DiagnosticReport":
		c.report(r)
	case "DeviceUseStatement":
		if status := d.TextAt(0, "status"); c.own(d, "subject") && (status == "active" || status == "on-hold") {
			device := strings.TrimPrefix(reference(d, 0, "device"), c.base)
			c.told[device] = true
			c.add(devices, r, 0, cmp.Or(moment(d, 0, "timing"), d.TextAt(0, "recordedOn")), []string{"=" + device})
		}
	case "Device":
		if status := d.TextAt(0, "status"); c.own(d, "patient") && status == "active" {
			c.bearers = append(c.bearers, r)
		}
	case "CarePlan":
		intent := d.TextAt(0, "intent")
		if c.own(d, "subject") && d.TextAt(0, "status") == "active" && intent != "proposal" && !ended(d.TextAt(d.Get(0, "period"), "end"), c.now) {
			c.add(plan, r, 0, cmp.Or(d.TextAt(d.Get(0, "period"), "start"), d.TextAt(0, "created")), nil)
		}
	case "ClinicalImpression":
		if c.own(d, "subject") && d.TextAt(0, "status") == "completed" && has(d, d.Get(0, "code"), loinc, sections[functional].code) {
			c.add(functional, r, 0, cmp.Or(moment(d, 0, "effective"), d.TextAt(0, "date")), nil)
		}
	case "Consent":
		if c.own(d, "patient") && d.TextAt(0, "status") == "active" && directive(d) {
			c.add(directives, r, 0, d.TextAt(0, "dateTime"), nil)
		}
	}
}

func (c *chooser) add(to room, r *record, rank int, when string, names []string) {
	c.found[to] = append(c.found[to], item{record: r, room: to, rank: rank, when: when, names: names})
}

// own reports whether a record is about the patient: one that they only wrote is not.
func (c *chooser) own(d *element.Doc, member string) bool {
	ref, ok := fhir.ParseRef(strings.TrimPrefix(reference(d, 0, member), c.base))
	return ok && ref.Current() == c.patient
}

// negated returns the rank of a concept that says that there is nothing, or that nothing is known.
func negated(d *element.Doc, concept element.Node) int {
	switch is := code(d, concept); {
	case strings.HasPrefix(is, "no-") && has(d, concept, absentUnknown, is):
		if strings.HasSuffix(is, "-info") {
			return silence
		}
		return denial
	case has(d, concept, snomed, "716186003", "160244002", "160245001", "787481004"):
		return denial
	}
	return 0
}

func (c *chooser) statement(r *record) {
	d := r.doc
	switch d.TextAt(0, "status") {
	case "active", "intended", "on-hold", "unknown":
	default:
		return
	}
	if !c.own(d, "subject") || ended(d.TextAt(d.Get(0, "effectivePeriod"), "end"), c.now) {
		return
	}
	concept := d.Get(0, "medicationCodeableConcept")
	c.add(medications, r, negated(d, concept), cmp.Or(moment(d, 0, "effective"), d.TextAt(0, "dateAsserted")), c.medication(d, concept))
}

func (c *chooser) prescription(r *record) {
	d := r.doc
	if status := d.TextAt(0, "status"); !c.own(d, "subject") || status != "active" && status != "on-hold" || d.TextAt(0, "doNotPerform") == "true" {
		return
	}
	switch d.TextAt(0, "intent") {
	case "proposal", "plan", "option":
		return
	}
	over, lines := true, false
	each(d, 0, "dosageInstruction", func(dose element.Node) {
		lines = true
		bounds := d.Get(d.Get(d.Get(dose, "timing"), "repeat"), "boundsPeriod")
		over = over && ended(d.TextAt(bounds, "end"), c.now)
	})
	if lines && over {
		return
	}
	c.add(medications, r, 0, d.TextAt(0, "authoredOn"), c.medication(d, d.Get(0, "medicationCodeableConcept")))
}

// medication returns what a medication is known as.
func (c *chooser) medication(d *element.Doc, concept element.Node) []string {
	if concept != element.None {
		return names(d, concept)
	}
	if ref := reference(d, 0, "medicationReference"); ref != "" && ref[0] != '#' {
		return []string{"=" + strings.TrimPrefix(ref, c.base)}
	}
	return nil
}

func (c *chooser) allergy(r *record) {
	d := r.doc
	if !c.own(d, "patient") || has(d, d.Get(0, "verificationStatus"), "", "refuted", "entered-in-error") || has(d, d.Get(0, "clinicalStatus"), "", "inactive", "resolved") {
		return
	}
	concept := d.Get(0, "code")
	rank := negated(d, concept)
	if rank == 0 {
		rank = map[string]int{"high": 3, "unable-to-assess": 2, "": 1}[d.TextAt(0, "criticality")]
	}
	c.add(allergies, r, rank, cmp.Or(moment(d, 0, "onset"), d.TextAt(0, "recordedDate")), names(d, concept))
}

func (c *chooser) condition(r *record) {
	d := r.doc
	if !c.own(d, "subject") || has(d, d.Get(0, "verificationStatus"), "", "refuted", "entered-in-error") {
		return
	}
	concept, status := d.Get(0, "code"), d.Get(0, "clinicalStatus")
	when := cmp.Or(moment(d, 0, "onset"), d.TextAt(0, "recordedDate"))
	abated, _ := typed(d, 0, "abatement")
	switch {
	case has(d, status, "", "inactive", "remission", "resolved") || status == element.None && abated != element.None:
		c.add(pastIllness, r, 0, cmp.Or(moment(d, 0, "abatement"), when), names(d, concept))
	case has(d, d.Get(0, "category"), loinc, sections[functional].code):
		c.add(functional, r, 0, when, names(d, concept))
	default:
		rank := negated(d, concept)
		if rank == 0 && has(d, d.Get(0, "category"), "", "problem-list-item") {
			rank = 1
		}
		c.add(problems, r, rank, when, names(d, concept))
	}
}

// The observations of pregnancy: what is so now, and counts of what was.
//
// See http://hl7.org/fhir/uv/ips/ValueSet/edd-method-uv-ips and
// http://hl7.org/fhir/uv/ips/ValueSet/pregnancies-summary-uv-ips.
var (
	expecting = []string{"82810-3", "11778-8", "11779-6", "11780-2"}
	outcomes  = []string{"11636-8", "11637-6", "11638-4", "11639-2", "11640-0", "11612-9", "11613-7", "11614-5", "33065-4"}
	habits    = []string{"72166-2", "74013-4", "11331-6", "11367-0"}
)

// gestation is for how many days what is said of a pregnancy is believed.
const gestation = 300

func (c *chooser) observation(r *record) {
	d := r.doc
	switch d.TextAt(0, "status") {
	case "final", "amended", "corrected", "preliminary":
	default:
		return
	}
	if !c.own(d, "subject") || !valued(d) {
		return
	}
	what, category := d.Get(0, "code"), d.Get(0, "category")
	when := cmp.Or(moment(d, 0, "effective"), d.TextAt(0, "issued"))
	to := results
	switch {
	case has(d, what, loinc, expecting...):
		if at, ok := instant(when); !ok || c.now.Sub(at) > gestation*24*time.Hour {
			return
		}
		to = pregnancy
	case has(d, what, loinc, outcomes...):
		to = pregnancy
	case has(d, category, "", "social-history"), has(d, what, loinc, habits...):
		to = social
	case has(d, category, "", "vital-signs"):
		to = vitals
	case has(d, category, "", "laboratory", "imaging", "procedure"):
	default:
		return
	}
	c.add(to, r, 0, when, names(d, what))
}

// valued reports whether an observation says something.
func valued(d *element.Doc) bool {
	v, _ := typed(d, 0, "value")
	return v != element.None || d.Get(0, "component") != element.None
}

// report takes a report that concludes something. A note that travels as a report is none.
func (c *chooser) report(r *record) {
	d := r.doc
	switch d.TextAt(0, "status") {
	case "final", "amended", "corrected", "appended":
	default:
		return
	}
	if !c.own(d, "subject") || d.TextAt(0, "conclusion") == "" && d.Get(0, "conclusionCode") == element.None ||
		has(d, d.Get(0, "category"), loinc, "34117-2", "51847-2", "11488-4", "11506-3", "18842-5") {
		return
	}
	keys := names(d, d.Get(0, "code"))
	for i := range keys {
		keys[i] = "report " + keys[i]
	}
	c.add(results, r, 0, cmp.Or(moment(d, 0, "effective"), d.TextAt(0, "issued")), keys)
}

// directive reports whether a Consent is an advance directive.
//
// See https://hl7.org/fhir/R4/valueset-consent-category.html.
func directive(d *element.Doc) bool {
	return has(d, d.Get(0, "scope"), "", "adr") || has(d, d.Get(0, "category"), "", "acd", "dnr", "emrgonly", "hcd", "npp", "polst", sections[directives].code)
}

// chosen returns what sections list: the best of each, each thing once.
func (c *chooser) chosen() (all [rooms][]item) {
	var current map[string]bool // what is a problem now
	for i := range c.found {
		list := c.found[i]
		slices.SortStableFunc(list, func(a, b item) int {
			return cmp.Or(cmp.Compare(b.rank, a.rank), newer(a.when, b.when), cmp.Compare(a.Ref.String(), b.Ref.String()))
		})
		seen := map[string]bool{}
		if room(i) == pastIllness {
			seen = current
		}
		all[i] = distinct(list, seen, sections[i].most)
		if room(i) == problems {
			current = seen
		}
		for k := range all[i] {
			all[i][k].entry = true
		}
	}
	return all
}

// distinct returns the first of each that are about the same, at most most. What denies
// stands only where nothing else does.
func distinct(list []item, seen map[string]bool, most int) []item {
	kept := list[:0:0]
	for _, it := range list {
		if it.rank < 0 && len(kept) > 0 {
			break
		}
		double := slices.ContainsFunc(it.names, func(name string) bool { return seen[name] })
		for _, name := range it.names {
			seen[name] = true
		}
		if !double && len(kept) < most {
			kept = append(kept, it)
		}
	}
	return kept
}

// confidentiality are the labels of how secret something is that make a document as secret.
var confidentiality = []string{"N", "R", "V"}

var labelSystem = []byte("v3-Confidentiality")

// secrecy returns how confidential a record is: an index of confidentiality.
func secrecy(r *record) int {
	at := 0
	if !bytes.Contains(r.JSON, labelSystem) {
		return at
	}
	each(r.doc, r.doc.Get(0, "meta"), "security", func(l element.Node) {
		if strings.HasSuffix(r.doc.TextAt(l, "system"), string(labelSystem)) {
			at = max(at, slices.Index(confidentiality, r.doc.TextAt(l, "code")))
		}
	})
	return at
}
