package summary

import (
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
)

// fill puts an entry into each required or recommended section without one: it says
// that nothing is known, or that the caller may not see what is. The profile does not
// let these sections be empty.
//
// See http://hl7.org/fhir/uv/ips/design.html, on absent data.
func (m *making) fill() {
	for at := range rooms {
		if s := &sections[at]; s.always && len(m.lists[at]) == 0 {
			m.lists[at] = []item{{record: m.placeholder(at), room: at}}
		}
	}
}

// placeholder makes the entry of a section that has none. Where a status must be given, it
// is one that readers of the code do not take for a fact: no vaccine was given, and as by
// the examples of the guide what is not known is active.
func (m *making) placeholder(at room) *record {
	s := &sections[at]
	why, concept := "unknown", ""
	switch {
	case m.masked(at):
		why = "masked"
		concept = `{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/data-absent-reason","code":"masked","display":"Masked"}],"text":` + string(element.Quote(nil, m.nothing(at).in(m.words.language))) + `}`
	case s.absent != "":
		concept = `{"coding":[{"system":"` + absentUnknown + `","code":"` + s.absent + `"}],"text":` + string(element.Quote(nil, m.nothing(at).in(m.words.language))) + `}`
	}
	absent := `{"extension":[{"url":"` + absentReason + `","valueCode":"` + why + `"}]}`
	patient := `{"reference":` + string(element.Quote(nil, m.call.Base+"/"+m.patient.Ref.Current().String())) + `}`
	typ := s.types[0]
	json := `{"resourceType":"` + typ + `",`
	switch at {
	case medications:
		json += `"status":"unknown","medicationCodeableConcept":` + concept + `,"subject":` + patient + `,"effectivePeriod":` + absent
	case allergies:
		json += `"clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical","code":"active"}]},"code":` + concept + `,"patient":` + patient
	case problems:
		json += `"clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"active"}]},"code":` + concept + `,"subject":` + patient
	case immunizations:
		json += `"status":"not-done","vaccineCode":` + concept + `,"patient":` + patient + `,"_occurrenceDateTime":` + absent
	case results:
		json += `"status":"unknown","code":{"coding":[{"system":"` + loinc + `","code":"` + s.code + `"}],"text":` + string(element.Quote(nil, s.title.in(m.words.language))) + `},"subject":` + patient +
			`,"dataAbsentReason":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/data-absent-reason","code":"` + why + `"}]}`
	case procedures:
		json += `"status":"unknown","code":` + concept + `,"subject":` + patient + `,"_performedDateTime":` + absent
	case devices:
		json += `"contained":[{"resourceType":"Device","id":"d","type":` + concept + `,"patient":` + patient + `}],"status":"active","subject":` + patient + `,"_timingDateTime":` + absent + `,"device":{"reference":"#d"}`
	}
	r := m.invented(typ, s.code, json+"}")
	r.blank = true
	return r
}

// invented returns a record that is made for this document.
func (m *making) invented(typ, about, json string) *record {
	r := &record{Resource: fhir.Resource{Ref: fhir.Ref{Type: typ}, JSON: []byte(json)}, id: uuid("made", m.call.Base, m.patient.Ref.ID, typ, about)}
	r.doc, _ = m.parse(r.JSON) // written just above
	return r
}

// worn makes the statement that a Device of the patient is in use.
func (m *making) worn(device *record) *record {
	ref := string(element.Quote(nil, m.call.Base+"/"+device.Ref.Current().String()))
	patient := string(element.Quote(nil, m.call.Base+"/"+m.patient.Ref.Current().String()))
	return m.invented("DeviceUseStatement", device.Ref.String(), `{"resourceType":"DeviceUseStatement","status":"active","subject":{"reference":`+patient+
		`},"_timingDateTime":{"extension":[{"url":"`+absentReason+`","valueCode":"unknown"}]},"device":{"reference":`+ref+`}}`)
}

// demanded are the elements that profiles of a summary demand, and R4 does not.
var demanded = map[string]struct{ stem, member string }{
	"MedicationStatement": {"effective", "_effectiveDateTime"},
	"Procedure":           {"performed", "_performedDateTime"},
	"DeviceUseStatement":  {"timing", "_timingDateTime"},
}

// completed returns a record as it is in the document: with a word about what it has to
// say by its profile, and does not.
func completed(r *record) []byte {
	d := r.doc
	if r.Ref.Type == "Condition" && d.Get(0, "clinicalStatus") == element.None {
		return with(d, `"clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"`+assumed(d)+`"}]}`)
	}
	want, ok := demanded[r.Ref.Type]
	if !ok || d.Get(0, want.member) != element.None {
		return r.JSON
	}
	if there, _ := typed(d, 0, want.stem); there != element.None {
		return r.JSON
	}
	return with(d, `"`+want.member+`":{"extension":[{"url":"`+absentReason+`","valueCode":"unknown"}]}`)
}

// assumed is the status of a Condition that says none, by the section that it is in.
func assumed(d *element.Doc) string {
	if abated, _ := typed(d, 0, "abatement"); abated != element.None {
		return "resolved"
	}
	return "active"
}

// person returns the patient, with a word about name and birth where they are not known.
func (m *making) person() []byte {
	d := m.patient.doc
	var more []string
	if called(d) == "" {
		more = append(more, `"name":[{"_family":{"extension":[{"url":"`+absentReason+`","valueCode":"unknown"}]}}]`)
	}
	if d.Get(0, "birthDate") == element.None && d.Get(0, "_birthDate") == element.None {
		more = append(more, `"_birthDate":{"extension":[{"url":"`+absentReason+`","valueCode":"unknown"}]}`)
	}
	if more == nil {
		return m.patient.JSON
	}
	if n := d.Get(0, "name"); n != element.None && called(d) == "" {
		e := d.Edit(0)
		e.Drop(n)
		e.Append(0, strings.Join(more, ","))
		return e.AppendTo(nil)
	}
	return with(d, strings.Join(more, ","))
}

// with returns a resource with a further member.
func with(d *element.Doc, member string) []byte {
	e := d.Edit(0)
	e.Append(0, member)
	return e.AppendTo(nil)
}
