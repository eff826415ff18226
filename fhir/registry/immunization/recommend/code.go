package recommend

import (
	"github.com/amate-health/amate/fhir/registry/immunization"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
)

// Code systems of ImmDS 2.0.0, and those of FHIR R4 beside them.
const (
	SystemForecastStatus = "http://hl7.org/fhir/us/immds/CodeSystem/ForecastStatus"
	SystemForecastReason = "http://hl7.org/fhir/us/immds/CodeSystem/ForecastReason"
	SystemDoseReason     = "http://hl7.org/fhir/us/immds/CodeSystem/StatusReason"

	systemStatus     = "http://terminology.hl7.org/CodeSystem/immunization-recommendation-status"
	systemDoseStatus = "http://terminology.hl7.org/CodeSystem/immunization-evaluation-dose-status"
	systemDoseReason = "http://terminology.hl7.org/CodeSystem/immunization-evaluation-dose-status-reason"
	systemLOINC      = "http://loinc.org"
)

// What the days of ImmunizationRecommendation.recommendation.dateCriterion are, in LOINC.
const (
	CodeEarliest = "30981-5"
	CodeDue      = "30980-7"
	CodeOverdue  = "59778-1"
	CodeLatest   = "59777-3"
)

// word is a code with what it means to people.
type word struct {
	code, display string // in English
	es            string
}

// in returns what it is called in a language.
func (w *word) in(spanish bool) string {
	if spanish {
		return w.es
	}
	return w.display
}

// forecastStatuses are the codes of SystemForecastStatus; conditional is for what cannot
// be said by what is seen.
var forecastStatuses = map[immunization.SeriesStatus]word{
	immunization.NotComplete:     {"notComplete", "Not Complete", "Esquema incompleto"},
	immunization.Complete:        {"complete", "Complete", "Esquema completo"},
	immunization.Immune:          {"immune", "Immune", "Inmune"},
	immunization.Contraindicated: {"contraindicated", "Contraindicated", "Contraindicada"},
	immunization.AgedOut:         {"agedOut", "Aged Out", "Edad rebasada"},
	immunization.NotRecommended:  {"notRecommended", "Not Recommended", "No recomendada"},
}

var conditional = word{"conditional", "Conditional", "Depende de lo que no se puede ver"}

// r4Statuses are those codes of R4 that say the same, whatever the day.
var r4Statuses = map[immunization.SeriesStatus]word{
	immunization.Complete:        {"complete", "Complete", ""},
	immunization.Immune:          {"immune", "Immune", ""},
	immunization.Contraindicated: {"contraindicated", "Contraindicated", ""},
}

// forecastReasons are the codes of SystemForecastReason that go with a status.
var forecastReasons = map[immunization.SeriesStatus]word{
	immunization.Complete:       {"complete", "Complete", "La serie está completa"},
	immunization.NotRecommended: {"notRecommended", "Not Recommended", "No se recomienda a esta persona"},
	immunization.AgedOut:        {"maximumAge", "Maximum Age", "Rebasó la edad máxima"},
}

var doseStatuses = map[bool]word{
	true:  {"valid", "Valid", "Válida"},
	false: {"notvalid", "Not Valid", "No válida"},
}

// doseReason says why a dose does not count: by ImmDS, and by R4 where that has a code.
type doseReason struct {
	word
	r4 word
}

var (
	outside  = word{"outsidesched", "Outside recommended dosing schedule.", ""}
	unjudged = doseReason{word{"notevaluated", "Not Evaluated", "No se evaluó"}, word{}}
)

var doseReasons = map[immunization.Reason]doseReason{
	immunization.TooYoung:    {word{"tooyoung", "Too Young", "Antes de la edad mínima"}, outside},
	immunization.TooOld:      {word{"tooold", "Too Old", "Después de la edad máxima"}, outside},
	immunization.TooSoon:     {word{"toosoon", "Too Soon", "Antes del intervalo mínimo"}, outside},
	immunization.Conflict:    {word{"productconflict", "Product Conflict", "Muy cerca de otra vacuna de virus vivos"}, outside},
	immunization.Inadvertent: {word{"inappropriate", "Inadvertent Vaccine", "Vacuna aplicada por error"}, outside},
	immunization.WrongType:   {word{"inappropriate", "Inappropriate Vaccine", "Vacuna que no corresponde a esta dosis"}, outside},
	immunization.WrongSex:    {word{"inappropriate", "Inappropriate for the sex", "Vacuna que no corresponde al sexo"}, outside},
	immunization.Expired:     {word{"expired", "Expired Product", "Producto caduco"}, word{"explot", "Expired lot", ""}},
	immunization.Recalled:    {word{"recall", "Manufacturer Recall", "Lote retirado"}, word{"prodrecall", "Manufacturer recall", ""}},
	immunization.BadStorage:  {word{"storage", "Adverse Storage", "Mala conservación"}, word{"advstorage", "Adverse storage condition", ""}},
	immunization.Partial:     {word{"quantity", "Partial Dose", "Dosis parcial"}, word{}},
	immunization.BeforeBirth: {word{"notevaluated", "Before the date of birth", "Anterior al nacimiento"}, word{}},
	immunization.Unknown:     {word{"notevaluated", "Vaccine unknown to the schedule", "Vacuna que el esquema no conoce"}, word{}},
	immunization.Unneeded:    {word{"notevaluated", "Not needed", "No era necesaria"}, word{}},
}

// reasonOf returns what is said of a reason that there may be no code for.
func reasonOf(r immunization.Reason) doseReason {
	if found, ok := doseReasons[r]; ok {
		return found
	}
	return unjudged
}

// criterion is a day of a forecast.
type criterion struct {
	word
	day func(*immunization.Forecast) schedule.Date
}

// criteria are all of them, in the order in which they are written.
var criteria = [...]criterion{
	{word{CodeEarliest, "Date vaccine can be given", "Desde"}, func(f *immunization.Forecast) schedule.Date { return f.Earliest }},
	{word{CodeDue, "Date vaccine due", "Recomendada"}, func(f *immunization.Forecast) schedule.Date { return f.Recommended }},
	{word{CodeOverdue, "Date when overdue for immunization", "Atrasada desde"}, func(f *immunization.Forecast) schedule.Date { return f.PastDue }},
	{word{CodeLatest, "Latest date to give immunization", "Hasta"}, func(f *immunization.Forecast) schedule.Date { return f.Latest }},
}
