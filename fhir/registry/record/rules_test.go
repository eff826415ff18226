package record

import (
	"slices"
	"testing"
)

// faults are what Check finds and profiles cannot say, by kind of document. An issue
// "-" is none; "~rule" is a warning.
var faults = []struct {
	kind, name string
	spoil      func(s *sample)
	want       string
}{
	// Vital signs, with the ranges of GIIS-B015.
	{"evolucion", "no unit of UCUM", set("Observation/8867-4", quantityOf(72, "latidos")), "nom-004-6.2.2"},
	{"evolucion", "Fahrenheit", set("Observation/8310-5", quantityOf(98.6, "[degF]")), "nom-004-6.2.2"},
	{"evolucion", "no value", set("Observation/8867-4", object{"unit": "/min"}), "nom-004-6.2.2"},
	{"evolucion", "a value of nothing", set("Observation/8867-4", quantityOf(0, "/min")), "nom-004-6.2.2"},
	{"evolucion", "a negative value", set("Observation/8310-5", quantityOf(-36, "Cel")), "nom-004-6.2.2"},
	{"evolucion", "a slow heart", set("Observation/8867-4", quantityOf(39, "/min")), "~giis-b015"},
	{"evolucion", "the slowest usual heart", set("Observation/8867-4", quantityOf(40, "/min")), "-"},
	{"evolucion", "the fastest usual heart", set("Observation/8867-4", quantityOf(220, "/min")), "-"},
	{"evolucion", "a fast heart", set("Observation/8867-4", quantityOf(221, "/min")), "~giis-b015"},
	{"evolucion", "breathing of 9", set("Observation/9279-1", quantityOf(9, "/min")), "~giis-b015"},
	{"evolucion", "breathing of 99", set("Observation/9279-1", quantityOf(99, "/min")), "-"},
	{"evolucion", "cold", set("Observation/8310-5", quantityOf(29.9, "Cel")), "~giis-b015"},
	{"evolucion", "hot", set("Observation/8310-5", quantityOf(44.1, "Cel")), "~giis-b015"},
	{"evolucion", "boiling", set("Observation/8310-5", quantityOf(365, "Cel")), "nom-004-6.2.2"},
	{"evolucion", "pressures the wrong way round", pressure(80, 120), "nom-004-6.2.2"},
	{"evolucion", "both pressures the same", pressure(90, 90), "-"},
	{"evolucion", "a systolic pressure of 301", pressure(301, 120), "~giis-b015"},
	{"evolucion", "a diastolic pressure of 19", pressure(60, 19), "~giis-b015"},
	{"evolucion", "one pressure only", func(s *sample) {
		bp := s.all["Observation/85354-9"]
		bp["component"] = bp["component"].(list)[:1]
	}, "nom-004-6.2.2"},
	{"historia-clinica", "no weight", func(s *sample) { leave(s, "signos-vitales", "Observation/29463-7") }, "nom-004-6.1.2"},
	{"historia-clinica", "no blood pressure", func(s *sample) { leave(s, "signos-vitales", "Observation/85354-9") }, "nom-004-6.1.2"},
	{"historia-clinica", "a blood pressure that could not be taken", func(s *sample) {
		delete(s.all["Observation/85354-9"], "component")
		s.all["Observation/85354-9"]["dataAbsentReason"] = object{"text": "no coopera"}
	}, "-"},
	{"historia-clinica", "the length of an infant", func(s *sample) { s.all["Observation/8302-2"]["code"] = code(LOINC, length, "") }, "-"},
	{"historia-clinica", "the weight of a newborn in grams", set("Observation/29463-7", quantityOf(3200, "g")), "-"},
	{"historia-clinica", "a preterm newborn", set("Observation/29463-7", quantityOf(900, "g")), "~giis-b015"},
	{"historia-clinica", "a height in metres", set("Observation/8302-2", quantityOf(1.65, "m")), "-"},
	{"historia-clinica", "metres as centimetres", set("Observation/8302-2", quantityOf(1.65, "cm")), "~giis-b015"},
	{"urgencias", "no temperature", func(s *sample) { leave(s, "signos-vitales", "Observation/8310-5") }, "nom-004-7.1.2"},
	{"enfermeria", "pressures the wrong way round", pressure(80, 120), "nom-004-9.1.2"},

	// What is prescribed: clause 6.2.6.
	{"evolucion", "no dosage", func(s *sample) { delete(s.all["MedicationRequest/m"], "dosageInstruction") }, "nom-004-6.2.6"},
	{"evolucion", "no dose", dosage("doseAndRate", nil), "nom-004-6.2.6"},
	{"evolucion", "no route", dosage("route", nil), "nom-004-6.2.6"},
	{"evolucion", "no frequency", dosage("timing", nil), "nom-004-6.2.6"},
	{"evolucion", "an empty timing", dosage("timing", object{"repeat": object{"boundsDuration": quantityOf(7, "d")}}), "nom-004-6.2.6"},
	{"evolucion", "twice a day by a code", dosage("timing", object{"code": object{"text": "BID"}}), "-"},
	{"evolucion", "at bedtime", dosage("timing", object{"repeat": object{"when": list{"HS"}}}), "-"},
	{"evolucion", "text only", func(s *sample) {
		s.all["MedicationRequest/m"]["dosageInstruction"] = list{object{"text": "500 mg cada 8 horas"}}
	}, "nom-004-6.2.6"},
	{"evolucion", "an order not to give it", func(s *sample) {
		s.all["MedicationRequest/m"]["doNotPerform"] = true
		delete(s.all["MedicationRequest/m"], "dosageInstruction")
	}, "-"},
	{"evolucion", "a diagnosis without CIE-10", func(s *sample) { s.all["Condition/d"]["code"] = object{"text": "Neumonía"} }, "~nom-024-6.4.2"},
	{"egreso", "no route", dosage("route", nil), "nom-004-8.9.7"},
	{"urgencias", "no dose", dosage("doseAndRate", nil), "nom-004-7.1.7"},
	{"postoperatoria", "no frequency", dosage("timing", nil), "nom-004-8.8.13"},
	{"interconsulta", "no dose", dosage("doseAndRate", nil), "nom-004-6.3.3"},
	{"historia-clinica", "no dose", dosage("doseAndRate", nil), "nom-004-6.1.6"},
	{"referencia", "no dose", dosage("doseAndRate", nil), "nom-004-6.4.3.3"},

	// What was given: clause 9.1.3.
	{"enfermeria", "a date without a time", func(s *sample) { s.all["MedicationAdministration/a"]["effectiveDateTime"] = "2026-11-20" }, "nom-004-9.1.3"},
	{"enfermeria", "no amount", func(s *sample) { delete(s.all["MedicationAdministration/a"]["dosage"].(object), "dose") }, "nom-004-9.1.3"},
	{"enfermeria", "no route", func(s *sample) { delete(s.all["MedicationAdministration/a"]["dosage"].(object), "route") }, "nom-004-9.1.3"},
	{"enfermeria", "not given", func(s *sample) {
		s.all["MedicationAdministration/a"]["status"] = "not-done"
		delete(s.all["MedicationAdministration/a"], "dosage")
	}, "~"},

	// Referral: clause 6.4.2.
	{"referencia", "a receiver without a name", func(s *sample) { s.all["Organization/o2"] = object{"resourceType": "Organization", "id": "o2"} }, "nom-004-6.4.2"},
	{"referencia", "to oneself", func(s *sample) {
		s.sectionOf("establecimiento-receptor")["entry"] = list{ref("Organization", "o")}
	}, "nom-004-6.4.2"},

	// Discharge: clauses 8.9.1 and 8.9.11.
	{"egreso", "no stay", func(s *sample) { delete(s.composition(), "encounter") }, "nom-004-8.9.1"},
	{"egreso", "no admission", func(s *sample) { delete(s.all["Encounter/e"]["period"].(object), "start") }, "nom-004-8.9.1"},
	{"egreso", "no discharge", func(s *sample) { delete(s.all["Encounter/e"]["period"].(object), "end") }, "nom-004-8.9.1"},
	{"egreso", "out before in", period("2026-11-20T10:00:00-06:00", "2026-11-20T09:00:00-06:00"), "nom-004-8.9.1"},
	{"egreso", "out before in, by the hour of another place", period("2026-11-20T10:00:00-06:00", "2026-11-20T15:59:00Z"), "nom-004-8.9.1"},
	{"egreso", "in and out on one day", period("2026-11-20", "2026-11-20"), "-"},
	{"egreso", "in by the day, out by the minute", period("2026-11-20", "2026-11-20T09:00:00-06:00"), "-"},
	{"egreso", "dead, and no causes", func(s *sample) { dead(s); s.drop(deathCauses) }, "nom-004-8.9.11"},
	{"egreso", "dead, and the causes are said", dead, "-"},
	{"egreso", "died years later, and no causes", func(s *sample) {
		s.all["Patient/p"]["deceasedDateTime"] = "2029-01-01"
		s.drop(deathCauses)
	}, "-"},
	{"egreso", "died during the stay, and no causes", func(s *sample) {
		s.all["Patient/p"]["deceasedDateTime"] = "2026-11-19T23:00:00-06:00"
		s.drop(deathCauses)
	}, "nom-004-8.9.11"},

	// Who signs a consent, and a voluntary discharge.
	{"consentimiento", "one witness", func(s *sample) { attest(s, 0, 1) }, "nom-004-10.1.1.10"},
	{"consentimiento", "the same witness twice", func(s *sample) { attest(s, 0, 1, 1) }, "nom-004-10.1.1.10"},
	{"consentimiento", "nobody consents", func(s *sample) { attest(s, 1, 2) }, "nom-004-10.1.1.8"},
	{"consentimiento", "a relative consents", func(s *sample) {
		s.put("RelatedPerson", "mother", object{"patient": ref("Patient", "p"), "name": list{object{"text": "Juana López"}}})
		s.attester(0)["party"] = ref("RelatedPerson", "mother")
	}, "-"},
	{"consentimiento", "the author is a witness", func(s *sample) { s.attester(2)["party"] = ref("Practitioner", "dr") }, "nom-004-10.1.1.10"},
	{"consentimiento", "a nurse is a witness", func(s *sample) {
		s.put("Practitioner", "nurse", object{"name": list{object{"text": "Enf. Ríos"}}})
		s.attester(2)["party"] = ref("Practitioner", "nurse")
	}, "-"},
	{"consentimiento", "a witness without a name", func(s *sample) { delete(s.all["RelatedPerson/w1"], "name") }, "nom-004-10.1.1.10"},
	{"consentimiento", "it is not said when", func(s *sample) { delete(s.attester(1), "time") }, "nom-004-10.1.1.10"},
	{"consentimiento", "a witness who is nowhere", func(s *sample) { s.attester(1)["party"] = ref("RelatedPerson", "nobody") }, "nom-004-10.1.1.10"},
	{"egreso-voluntario", "one witness", func(s *sample) { attest(s, 0, 1) }, "nom-004-10.2.2"},
	{"egreso-voluntario", "nobody asks", func(s *sample) { attest(s, 1, 2) }, "nom-004-10.2.2"},
}

func set(obs string, quantity object) func(*sample) {
	return func(s *sample) { s.all[obs]["valueQuantity"] = quantity }
}

func pressure(up, down int) func(*sample) {
	return func(s *sample) {
		parts := s.all["Observation/85354-9"]["component"].(list)
		parts[0].(object)["valueQuantity"], parts[1].(object)["valueQuantity"] = quantityOf(up, "mm[Hg]"), quantityOf(down, "mm[Hg]")
	}
}

// dosage replaces a member of the dosage of the prescription; nil leaves it out.
func dosage(name string, v any) func(*sample) {
	return func(s *sample) {
		if s.all["MedicationRequest/m"] == nil { // sections that may have none
			s.put("MedicationRequest", "m", object{"subject": ref("Patient", "p"), "dosageInstruction": list{object{}}})
			s.sectionOf("sugerencias")["entry"] = list{ref("MedicationRequest", "m")}
		}
		dose := s.all["MedicationRequest/m"]["dosageInstruction"].(list)[0].(object)
		if dose[name] = v; v == nil {
			delete(dose, name)
		}
	}
}

// leave takes an entry out of a section.
func leave(s *sample, section, name string) {
	o := s.sectionOf(section)
	o["entry"] = slices.DeleteFunc(o["entry"].(list), func(e any) bool { return e.(object)["reference"] == name })
}

func period(from, to string) func(*sample) {
	return func(s *sample) { s.all["Encounter/e"]["period"] = object{"start": from, "end": to} }
}

func dead(s *sample) {
	s.all["Encounter/e"]["hospitalization"] = object{"dischargeDisposition": code("http://terminology.hl7.org/CodeSystem/discharge-disposition", "exp", "")}
}

func (s *sample) attester(i int) object { return s.composition()["attester"].(list)[i].(object) }

// attest keeps these attesters.
func attest(s *sample, which ...int) {
	var kept list
	for _, i := range which {
		kept = append(kept, s.attester(i))
	}
	s.composition()["attester"] = kept
}

func TestFaults(t *testing.T) {
	for _, f := range faults {
		s := newSample(Find(f.kind))
		f.spoil(s)
		issues := Check(s.doc(t))
		rules := errorsOf(issues)
		var warnings []string
		for _, i := range issues {
			if i.Severity == "warning" {
				warnings = append(warnings, "~"+i.Rule)
			}
		}
		ok := false
		switch {
		case f.want == "-":
			ok = len(issues) == 0
		case f.want == "~":
			ok = len(rules) == 0
		case f.want[0] == '~':
			ok = len(rules) == 0 && slices.Contains(warnings, f.want)
		default:
			ok = slices.Contains(rules, f.want) && !slices.ContainsFunc(rules, func(r string) bool { return r != f.want })
		}
		if !ok {
			t.Errorf("%s, %s: errors %v, warnings %v, want %s", f.kind, f.name, rules, warnings, f.want)
		}
	}
}
