package demo

import "fmt"

// Extensions of agendas and of rules, as telehealth defines them.
const (
	agendaURL = "https://github.com/amate-health/amate/fhir/StructureDefinition/agenda"
	ruleURL   = "https://github.com/amate-health/amate/fhir/StructureDefinition/monitoring-rule"
)

// agenda is when somebody can be seen.
type agenda struct {
	at       facility
	staff    int
	zone     string
	minutes  int // of a visit
	title    string
	from, to []string // on working days
	always   bool     // round the clock, each day
}

// agendas are those of the demonstration. Somebody is there at every hour, so that a visit
// at a distance can be tried whenever the demonstration is.
var agendas = []agenda{
	{at: hospitalOf(0), zone: "America/Mexico_City", minutes: 10, title: "Consulta a distancia, las 24 horas", always: true},
	{at: hospitalOf(0), staff: 1, zone: "America/Mexico_City", minutes: 20, title: "Pediatría", from: []string{"08:00:00", "16:00:00"}, to: []string{"13:00:00", "19:00:00"}},
	{at: centreOf(1, 0), zone: "America/Tijuana", minutes: 15, title: "Medicina general", from: []string{"08:00:00"}, to: []string{"14:00:00"}},
	{at: centreOf(22, 0), zone: "America/Cancun", minutes: 15, title: "Medicina general", from: []string{"07:30:00"}, to: []string{"15:00:00"}},
	{at: centreOf(25, 0), zone: "America/Hermosillo", minutes: 30, title: "Medicina general", from: []string{"09:00:00", "15:00:00"}, to: []string{"13:00:00", "18:00:00"}},
}

// Agendas returns the Schedules of the demonstration, each with the id of the Practitioner
// whose it is; the first is always open.
func Agendas() (ids []string, transaction []byte) {
	r := &record{}
	for _, a := range agendas {
		id := a.at.staff(a.staff)
		rules := list{object{{"url", "zone"}, {"valueCode", a.zone}}, object{{"url", "length"}, {"valueUnsignedInt", a.minutes}},
			object{{"url", "public"}, {"valueBoolean", true}}, object{{"url", "phone"}, {"valueString", "+52 55 0000 0000"}}}
		if a.always {
			a.from, a.to = []string{"00:00:00"}, []string{"00:00:00"} // which closes a day at its end
		}
		for i := range a.from {
			var open list
			for _, d := range []string{"mon", "tue", "wed", "thu", "fri"} {
				if !a.always {
					open = append(open, object{{"url", "day"}, {"valueCode", d}})
				}
			}
			open = append(open, object{{"url", "from"}, {"valueTime", a.from[i]}}, object{{"url", "to"}, {"valueTime", a.to[i]}})
			rules = append(rules, object{{"url", "open"}, {"extension", open}})
		}
		r.put("Schedule", id, member{"active", true},
			member{"serviceType", list{object{{"text", a.title}}}},
			member{"actor", list{
				object{{"reference", "Practitioner/" + id}}, object{{"reference", "Location/" + a.at.id()}},
			}},
			member{"comment", a.title},
			member{"extension", list{object{{"url", agendaURL}, {"extension", rules}}}})
		ids = append(ids, id)
	}
	return ids, r.transaction().JSON
}

// Medicine returns the parameter of $draft-prescription for one of a few medicines that
// need no special prescription, by its number.
func Medicine(n int) []byte {
	m := medicines[n%len(medicines)]
	strength := object{
		{"numerator", object{{"value", decimal(m.mg)}, {"unit", "mg"}, {"system", "http://unitsofmeasure.org"}, {"code", "mg"}}},
		{"denominator", object{{"value", 1}}},
	}
	ingredient := object{{"itemCodeableConcept", object{{"text", m.name}, {"coding", list{object{{"system", "http://www.whocc.no/atc"}, {"code", m.atc}}}}}}, {"strength", strength}}
	days := object{{"value", m.days}, {"unit", "d"}, {"system", "http://unitsofmeasure.org"}, {"code", "d"}}
	dosage := object{
		{"patientInstruction", m.how}, {"timing", object{{"repeat", object{{"boundsDuration", days}, {"frequency", 1}, {"period", m.hours}, {"periodUnit", "h"}}}}},
		{"route", object{{"text", "Oral"}}},
		{"doseAndRate", list{object{{"doseQuantity", object{{"value", 1}, {"unit", m.form}, {"system", "http://unitsofmeasure.org"}, {"code", "{" + m.form + "}"}}}}}},
	}
	request := object{{"resourceType", "MedicationRequest"},
		{"contained", list{object{{"resourceType", "Medication"}, {"id", "m"}, {"code", object{{"text", m.name}}}, {"form", object{{"text", m.form}}}, {"ingredient", list{ingredient}}}}},
		{"status", "draft"}, {"intent", "order"}, {"medicationReference", object{{"reference", "#m"}}},
		{"dosageInstruction", list{dosage}},
		{"dispenseRequest", object{{"quantity", object{{"value", m.days * 24 / m.hours}, {"unit", m.form}}}}}}
	return appendJSON(nil, object{{"name", "medication"}, {"resource", request}})
}

var medicines = []struct {
	name, atc, mg, form string
	hours, days         int
	how                 string
}{
	{"Paracetamol", "N02BE01", "500", "tableta", 8, 3, "Tomar con agua, después de comer."},
	{"Losartán", "C09CA01", "50", "tableta", 24, 30, "Tomar a la misma hora cada día."},
	{"Loratadina", "R06AX13", "10", "tableta", 24, 7, "Tomar por la noche."},
	{"Metformina", "A10BA02", "850", "tableta", 12, 30, "Tomar con los alimentos."},
}

// Watch returns what has somebody watched at home: the plan, its goal with the rule, who is
// called, and the device; as a transaction. doctor is the id of a Practitioner.
func Watch(patient, doctor, today string) []byte {
	r := &record{}
	subject := reference("Patient", patient)
	limit := func(code, name string, high int) object {
		return object{
			{"extension", list{object{{"url", ruleURL}, {"extension", list{
				object{{"url", "priority"}, {"valueCode", "urgent"}}, object{{"url", "count"}, {"valuePositiveInt", 2}}, object{{"url", "of"}, {"valuePositiveInt", 3}},
			}}}}},
			{"measure", concept(loinc, code, name)},
			{"detailRange", object{{"high", quantity(decimal(fmt.Sprint(high)), "mmHg", "mm[Hg]")}}},
		}
	}
	r.put("CareTeam", patient+"-home", member{"status", "active"}, member{"name", "Vigilancia en casa"}, member{"subject", subject},
		member{"participant", list{object{{"member", reference("Practitioner", doctor)}}}})
	r.put("Device", patient+"-cuff", member{"status", "active"}, member{"deviceName", list{object{{"name", "Baumanómetro de demostración"}, {"type", "user-friendly-name"}}}},
		member{"patient", subject})
	r.put("Goal", patient+"-pressure", member{"lifecycleStatus", "active"}, member{"description", object{{"text", "Presión arterial en casa menor de 135/85 mmHg"}}},
		member{"subject", subject}, member{"startDate", today},
		member{"target", list{limit("8480-6", "Systolic blood pressure", 134), limit("8462-4", "Diastolic blood pressure", 84)}})
	r.put("CarePlan", patient+"-home", member{"status", "active"}, member{"intent", "plan"}, member{"title", "Vigilancia de la presión arterial en casa"},
		member{"subject", subject}, member{"period", object{{"start", today}}}, member{"author", reference("Practitioner", doctor)},
		member{"careTeam", list{reference("CareTeam", patient+"-home")}}, member{"addresses", list{reference("Condition", patient+"-I10")}},
		member{"goal", list{reference("Goal", patient+"-pressure")}},
		member{"activity", list{object{{"detail", object{{"status", "in-progress"}, {"description", "Medir la presión cada mañana y cada noche"}}}}}})
	return r.transaction().JSON
}

// CuffOf returns the id of the Device that Watch gives a patient.
func CuffOf(patient string) string { return patient + "-cuff" }
