package record

import (
	"encoding/json"
	"testing"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/registry/identity"
)

type (
	object = map[string]any
	list   = []any
)

func ref(typ, id string) object { return object{"reference": typ + "/" + id} }

func code(system, code, text string) object {
	return object{"coding": list{object{"system": system, "code": code}}, "text": text}
}

func quantityOf(v any, unit string) object {
	return object{"value": v, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit}
}

const base = "http://amate.test/fhir/"

// sample is a document of kind k to which nothing is to be objected.
type sample struct {
	kind   *Kind
	all    map[string]object // by Type/id
	order  []string
	bundle object
}

func newSample(k *Kind) *sample {
	s := &sample{kind: k, all: map[string]object{}}
	comp := s.put("Composition", "c", object{
		"meta":   object{"profile": list{k.Profile()}},
		"status": "final", "type": code(DocumentSystem, k.Code, k.Name), "subject": ref("Patient", "p"), "encounter": ref("Encounter", "e"),
		"date": "2026-11-20T10:30:00-06:00", "author": list{ref("Practitioner", "dr")}, "title": k.Name, "custodian": ref("Organization", "o"),
	})
	if k.LOINC != "" {
		comp["type"].(object)["coding"] = list{object{"system": LOINC, "code": k.LOINC}, object{"system": DocumentSystem, "code": k.Code}}
	}
	s.people()
	s.put("Encounter", "e", object{
		"status": "finished", "class": object{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"}, "subject": ref("Patient", "p"),
		"period": object{"start": "2026-11-15T08:00:00-06:00", "end": "2026-11-20T10:00:00-06:00"},
	})
	var sections list
	for i := range k.Sections {
		sections = append(sections, s.section(&k.Sections[i]))
	}
	comp["section"] = sections
	if k.Witnessed {
		s.witnesses(comp)
	}
	return s
}

func (s *sample) put(typ, id string, o object) object {
	o["resourceType"], o["id"] = typ, id
	s.all[typ+"/"+id] = o
	s.order = append(s.order, typ+"/"+id)
	return o
}

func (s *sample) people() {
	s.put("Patient", "p", object{
		"identifier": list{object{"system": identity.SystemCURP, "value": "HEGG560427MVZRRL04"}, object{"system": "urn:x:expediente", "value": "2026-0017"}},
		"name":       list{object{"family": "Hernández García", "given": list{"Gloria"}}}, "gender": "female", "birthDate": "1956-04-27",
		"address": list{object{"line": list{"Calle Hidalgo 5"}, "city": "Xalapa", "state": "Veracruz"}},
	})
	s.put("Practitioner", "dr", object{
		"identifier": list{object{"system": identity.SystemCedula, "value": "12345678"}},
		"name":       list{object{"prefix": list{"Dra."}, "family": "Muñoz", "given": list{"Ana"}}},
	})
	s.put("Organization", "o", object{
		"identifier": list{object{"system": identity.SystemCLUES, "value": "VZSSA003966"}}, "name": "Hospital General de Xalapa",
		"address": list{object{"line": list{"Av. Ruiz Cortines 1"}, "city": "Xalapa"}},
	})
}

func (s *sample) section(sec *Section) object {
	o := object{
		"code": code(SectionSystem, sec.Code, sec.Title), "title": sec.Title,
		"text": object{"status": "generated", "div": `<div xmlns="http://www.w3.org/1999/xhtml"><p>Sin datos de alarma.</p></div>`},
	}
	entry := list{}
	add := func(typ, id string, r object) {
		subject := "subject"
		r[subject] = ref("Patient", "p")
		s.put(typ, id, r)
		entry = append(entry, ref(typ, id))
	}
	switch sec.Content {
	case Vitals:
		codes := sec.Vitals
		if codes == nil {
			codes = basicSigns
		}
		for _, c := range codes {
			add("Observation", c, vital(c))
		}
	case Diagnoses:
		if s.all["Condition/d"] == nil {
			add("Condition", "d", object{"code": code(icd10, "J18.9", "Neumonía")})
		}
	case Treatment:
		if s.all["MedicationRequest/m"] == nil {
			add("MedicationRequest", "m", object{
				"status": "active", "intent": "order", "medicationCodeableConcept": object{"text": "Amoxicilina 500 mg"},
				"dosageInstruction": list{object{
					"timing": object{"repeat": object{"frequency": 1, "period": 8, "periodUnit": "h"}}, "route": object{"text": "oral"},
					"doseAndRate": list{object{"doseQuantity": quantityOf(500, "mg")}},
				}},
			})
		}
	case Administrations:
		add("MedicationAdministration", "a", object{
			"status": "completed", "medicationCodeableConcept": object{"text": "Paracetamol"}, "effectiveDateTime": "2026-11-20T09:00:00-06:00",
			"dosage": object{"route": object{"text": "oral"}, "dose": quantityOf(1, "g")},
		})
	case Receiver:
		s.put("Organization", "o2", object{"name": "Centro Médico Nacional"})
		entry = append(entry, ref("Organization", "o2"))
	}
	if len(entry) > 0 {
		o["entry"] = entry
	}
	return o
}

// vital is an Observation that is as usual.
func vital(c string) object {
	o := object{
		"status": "final", "code": object{"coding": list{object{"system": LOINC, "code": c}}}, "effectiveDateTime": "2026-11-20T10:00:00-06:00",
		"category": list{code("http://terminology.hl7.org/CodeSystem/observation-category", "vital-signs", "")},
	}
	delete(o["category"].(list)[0].(object), "text")
	if c == bloodPressure {
		part := func(c string, v int) object {
			return object{"code": object{"coding": list{object{"system": LOINC, "code": c}}}, "valueQuantity": quantityOf(v, "mm[Hg]")}
		}
		o["component"] = list{part(systolic, 120), part(diastolic, 80)}
		return o
	}
	v := map[string]any{heartRate: 72, breathing: 16, temperature: 36.5, weight: 70.5, height: 165}[c]
	o["valueQuantity"] = quantityOf(v, measures[c].unit)
	return o
}

func (s *sample) witnesses(comp object) {
	person := func(id, given, relation string) {
		s.put("RelatedPerson", id, object{
			"patient": ref("Patient", "p"), "name": list{object{"family": "López", "given": list{given}}},
			"relationship": list{object{"coding": list{object{"system": participation, "code": relation}}}},
		})
	}
	person("w1", "Luis", witness)
	person("w2", "Rosa", witness)
	sign := func(to object) object {
		return object{"mode": "personal", "time": "2026-11-20T10:20:00-06:00", "party": to}
	}
	comp["attester"] = list{sign(ref("Patient", "p")), sign(ref("RelatedPerson", "w1")), sign(ref("RelatedPerson", "w2"))}
}

func (s *sample) composition() object { return s.all["Composition/c"] }

// sectionOf returns the section with a code.
func (s *sample) sectionOf(code string) object {
	for _, sec := range s.composition()["section"].(list) {
		o := sec.(object)
		for _, c := range o["code"].(object)["coding"].(list) {
			if c.(object)["code"] == code {
				return o
			}
		}
	}
	return nil
}

// drop leaves out the section with a code.
func (s *sample) drop(code string) {
	var kept list
	for _, sec := range s.composition()["section"].(list) {
		if sec.(object)["code"].(object)["coding"].(list)[0].(object)["code"] != code {
			kept = append(kept, sec)
		}
	}
	s.composition()["section"] = kept
}

// doc is the document Bundle.
func (s *sample) doc(t testing.TB) *element.Doc {
	t.Helper()
	var entries list
	for _, name := range s.order {
		if o := s.all[name]; o != nil {
			entries = append(entries, object{"fullUrl": base + name, "resource": o})
		}
	}
	b := object{
		"resourceType": "Bundle", "type": "document", "timestamp": "2026-11-20T10:31:00-06:00",
		"identifier": object{"system": "urn:ietf:rfc:3986", "value": "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"}, "entry": entries,
	}
	for k, v := range s.bundle {
		b[k] = v
	}
	return parsed(t, b)
}

func parsed(t testing.TB, v any) *element.Doc {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := element.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}
