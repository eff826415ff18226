package demo

import (
	"html"
	"strings"
)

// Code systems of the documents of NOM-004-SSA3-2012 and of their sections.
const (
	noteSystem    = "https://github.com/amate-health/amate/fhir/CodeSystem/nom-004-documento"
	sectionSystem = "https://github.com/amate-health/amate/fhir/CodeSystem/nom-004-seccion"
	noteProfile   = "https://github.com/amate-health/amate/fhir/StructureDefinition/mx-nota-evolucion"
)

// note adds the nota de evolución of a visit, NOM-004-SSA3-2012, 6.2. It is a draft: what
// is made up is never signed.
func (r *record) note(who *person, visit string, e encounter) {
	signs := []string{"hr", "rr", "temp", "spo2", "weight", "height"}
	if months(who.born, e.day) >= 36 {
		signs = append([]string{"bp"}, signs...)
	}
	var measured, found list
	var values []string
	for _, key := range signs {
		measured = append(measured, reference("Observation", visit+"-"+key))
		values = append(values, signNames[key]+" "+r.valueOf("Observation", visit+"-"+key))
	}
	for _, id := range e.conditions {
		found = append(found, reference("Condition", id))
	}
	treatment := "Medidas higiénico-dietéticas. Se explican datos de alarma. Cita abierta a urgencias."
	if len(e.conditions) == 0 {
		treatment = "Continuar con vida saludable. Cita en un año, o antes en caso necesario."
	}
	r.put("Composition", visit+"-n", member{"language", "es-MX"}, member{"status", "preliminary"},
		member{"type", object{{"coding", list{
			object{{"system", loinc}, {"code", "11506-3"}},
			coding(noteSystem, "evolucion", "Nota de evolución"),
		}}, {"text", "Nota de evolución"}}},
		member{"subject", reference("Patient", who.id)}, member{"encounter", reference("Encounter", visit)},
		member{"date", instant(e.day, e.end)}, member{"author", list{reference("Practitioner", e.at.staff(e.staff))}},
		member{"title", "Nota de evolución"}, member{"custodian", reference("Organization", e.at.id())},
		member{"section", list{
			section("evolucion", "Evolución y actualización del cuadro clínico", "Acude por "+e.why.name+". Consciente, orientado, hidratado, sin datos de dificultad respiratoria.", nil),
			section("signos-vitales", "Signos vitales", strings.Join(values, "; ")+".", measured),
			section("resultados", "Resultados relevantes de los servicios auxiliares de diagnóstico y tratamiento", "No se solicitaron estudios.", nil),
			section("diagnosticos", "Diagnósticos o problemas clínicos", e.why.name+" ("+e.why.code+").", found),
			section("pronostico", "Pronóstico", "Bueno para la vida y para la función.", nil),
			section("tratamiento", "Tratamiento e indicaciones médicas", treatment, nil),
		}})
	r.profiled(noteProfile)
}

// signNames are the ends of the ids of what is measured.
var signNames = map[string]string{
	"bp": "Tensión arterial", "hr": "Frecuencia cardiaca", "rr": "Frecuencia respiratoria", "temp": "Temperatura",
	"spo2": "Saturación de oxígeno", "weight": "Peso", "height": "Talla",
}

// valueOf writes what was measured in an Observation that was added: "72 /min", "120/80 mmHg".
func (r *record) valueOf(typ, id string) string {
	for i := len(r.entries) - 1; i >= 0; i-- {
		resource := r.entries[i].(object)[0].value.(object)
		if resource[0].value != typ || resource[1].value != id {
			continue
		}
		last := resource[len(resource)-1]
		if last.name == "valueQuantity" {
			return amount(last.value)
		}
		parts := last.value.(list)
		up, _, _ := strings.Cut(amount(parts[0].(object)[1].value), " ")
		return up + "/" + amount(parts[1].(object)[1].value)
	}
	return ""
}

func amount(quantity any) string {
	q := quantity.(object)
	return string(q[0].value.(decimal)) + " " + strings.ReplaceAll(q[1].value.(string), "Cel", "°C")
}

// section is a section of a document.
func section(code, title, text string, entries list) object {
	return object{
		{"title", title},
		{"code", object{{"coding", list{object{{"system", sectionSystem}, {"code", code}}}}}},
		{"text", object{{"status", "additional"}, {"div", `<div xmlns="http://www.w3.org/1999/xhtml"><p>` + html.EscapeString(text) + `</p></div>`}}},
		{"entry", entries},
	}
}

// profiled says of the resource that was added last which profile it is held to.
func (r *record) profiled(url string) {
	resource := r.entries[len(r.entries)-1].(object)[0].value.(object)
	meta := resource[2].value.(object)
	resource[2].value = append(object{{"profile", list{url}}}, meta...)
}
