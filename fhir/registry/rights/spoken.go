package rights

import (
	"encoding/json"
	"time"

	"github.com/amate-health/amate/fhir/document/summary"
)

// What is a code in the data is a word on paper: the copy of a record is for the person
// whose record it is.

// statuses are the states of resources, of any type.
var statuses = map[string]string{
	"active": "vigente", "current": "vigente", "available": "disponible", "inactive": "inactivo", "retired": "retirado", "superseded": "sustituido", "on-hold": "suspendido",
	"draft": "borrador", "preliminary": "preliminar", "registered": "registrado", "partial": "parcial", "final": "definitivo", "amended": "modificado", "corrected": "corregido",
	"appended": "ampliado", "entered-in-error": "registrado por error", "unknown": "se desconoce", "completed": "realizado", "finished": "terminado", "ended": "terminado",
	"cancelled": "cancelado", "stopped": "interrumpido", "not-done": "no realizado", "not-taken": "no tomado", "aborted": "interrumpido", "suspended": "suspendido",
	"planned": "previsto", "proposed": "propuesto", "pending": "pendiente", "intended": "indicado", "booked": "reservado", "arrived": "llegó", "checked-in": "llegó",
	"triaged": "en valoración", "in-progress": "en curso", "preparation": "en preparación", "onleave": "con permiso de salida", "fulfilled": "cumplido", "noshow": "no acudió",
	"waitlist": "en lista de espera", "requested": "solicitado", "received": "recibido", "accepted": "aceptado", "rejected": "rechazado", "declined": "rechazado", "ready": "listo",
	"failed": "no se logró", "revoked": "revocado", "busy": "ocupado", "free": "libre", "busy-unavailable": "no disponible", "waiting": "en espera", "withdrawn": "retirado",
}

// classes are those of encounters.
//
// See http://terminology.hl7.org/ValueSet/v3-ActEncounterCode.
var classes = map[string]string{
	"AMB": "Consulta externa", "IMP": "Hospitalización", "ACUTE": "Hospitalización", "NONAC": "Hospitalización", "EMER": "Urgencias", "VR": "Consulta a distancia",
	"HH": "Visita domiciliaria", "FLD": "Atención fuera del establecimiento", "OBSENC": "Observación", "PRENC": "Antes del ingreso", "SS": "Estancia corta",
}

// units are those that people write in another way than UCUM.
var units = map[string]string{"Cel": "°C", "mm[Hg]": "mmHg", "/min": "por minuto", "{beats}/min": "por minuto", "{breaths}/min": "por minuto", "1": ""}

// said returns the word for a code, and a code that has none as it is.
func said(words map[string]string, code string) string {
	if word, ok := words[code]; ok {
		return word
	}
	return code
}

// class says what kind of encounter it was.
func class(raw json.RawMessage) string {
	var c coding
	if json.Unmarshal(raw, &c) == nil {
		if word := classes[c.Code]; word != "" {
			return word
		}
	}
	return say(raw)
}

// called returns what a coding is called in Spanish, if that is known.
func called(all []coding) string {
	for _, c := range all {
		if name := summary.Spanish(c.System, c.Code); name != "" {
			return name
		}
	}
	return ""
}

// written writes a FHIR date or time as people here do, 05/11/2026 10:00; what a server has
// noted in UTC, in a zone. A partial date stays as exact as it is.
func written(s string, zone *time.Location) string {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		if _, offset := t.Zone(); offset == 0 {
			t = t.In(zone)
		}
		return t.Format("02/01/2006 15:04")
	}
	for from, to := range map[string]string{time.DateOnly: "02/01/2006", "2006-01": "01/2006"} {
		if t, err := time.Parse(from, s); err == nil {
			return t.Format(to)
		}
	}
	return s
}
