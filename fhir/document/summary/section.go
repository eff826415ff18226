package summary

// room is a section of a summary.
type room int

// The sections, in the order of the document.
const (
	medications room = iota
	allergies
	problems
	immunizations
	results
	procedures
	devices
	vitals
	pastIllness
	pregnancy
	social
	functional
	plan
	directives
	rooms // how many there are
)

// section is what is fixed of a section.
type section struct {
	code    string // LOINC
	display string // of the code, in LOINC's English
	title   phrase
	what    phrase   // within a sentence: "sobre alergias"
	types   []string // of which its entries are
	most    int      // entries; the newest or gravest remain
	absent  string   // code of absent-unknown-uv-ips where nothing is known; "" where an observation says so
	always  bool     // required or recommended: it is there even when nothing is known
	heads   []phrase // of the columns of its narrative
}

// phrase is a text in the languages of a summary.
type phrase struct{ es, en string }

func (p phrase) in(l language) string {
	if l == english {
		return p.en
	}
	return p.es
}

var (
	date    = phrase{"Fecha", "Date"}
	since   = phrase{"Desde", "Since"}
	state   = phrase{"Estado", "Status"}
	result  = phrase{"Resultado", "Result"}
	remarks = phrase{"Observaciones", "Remarks"}
)

var sections = [rooms]section{
	medications: {
		code: "10160-0", display: "History of Medication use Narrative", title: phrase{"Medicamentos", "Medications"}, what: phrase{"medicamentos", "medications"},
		types: []string{"MedicationStatement", "MedicationRequest"}, most: 100, absent: "no-medication-info", always: true,
		heads: []phrase{{"Medicamento", "Medication"}, {"Indicación", "Dosage"}, state, since},
	},
	allergies: {
		code: "48765-2", display: "Allergies and adverse reactions Document", title: phrase{"Alergias e intolerancias", "Allergies and intolerances"}, what: phrase{"alergias", "allergies"},
		types: []string{"AllergyIntolerance"}, most: 100, absent: "no-allergy-info", always: true,
		heads: []phrase{{"Alergia o intolerancia", "Allergy or intolerance"}, {"Riesgo", "Criticality"}, {"Reacciones", "Reactions"}, since},
	},
	problems: {
		code: "11450-4", display: "Problem list - Reported", title: phrase{"Problemas de salud", "Problems"}, what: phrase{"problemas de salud", "health problems"},
		types: []string{"Condition"}, most: 100, absent: "no-problem-info", always: true,
		heads: []phrase{{"Problema", "Problem"}, state, remarks, since},
	},
	immunizations: {
		code: "11369-6", display: "History of Immunization Narrative", title: phrase{"Vacunas", "Immunizations"}, what: phrase{"vacunas", "immunizations"},
		types: []string{"Immunization"}, most: 200, absent: "no-immunization-info", always: true,
		heads: []phrase{{"Vacuna", "Vaccine"}, {"Dosis", "Dose"}, {"Lote", "Lot"}, date},
	},
	results: {
		code: "30954-2", display: "Relevant diagnostic tests/laboratory data Narrative", title: phrase{"Resultados de estudios", "Results"}, what: phrase{"resultados de estudios", "results"},
		types: []string{"Observation", "DiagnosticReport"}, most: 70, always: true,
		heads: []phrase{{"Estudio", "Test"}, result, remarks, date},
	},
	procedures: {
		code: "47519-4", display: "History of Procedures Document", title: phrase{"Procedimientos", "Procedures"}, what: phrase{"procedimientos", "procedures"},
		types: []string{"Procedure"}, most: 40, absent: "no-procedure-info", always: true,
		heads: []phrase{{"Procedimiento", "Procedure"}, state, remarks, date},
	},
	devices: {
		code: "46264-8", display: "History of medical device use", title: phrase{"Dispositivos médicos", "Medical devices"}, what: phrase{"dispositivos médicos", "medical devices"},
		types: []string{"DeviceUseStatement", "Device"}, most: 50, absent: "no-device-info", always: true,
		heads: []phrase{{"Dispositivo", "Device"}, state, remarks, since},
	},
	vitals: {
		code: "8716-3", display: "Vital signs", title: phrase{"Signos vitales", "Vital signs"}, what: phrase{"signos vitales", "vital signs"},
		types: []string{"Observation"}, most: 20, heads: []phrase{{"Medición", "Measurement"}, result, remarks, date},
	},
	pastIllness: {
		code: "11348-0", display: "History of Past illness Narrative", title: phrase{"Enfermedades pasadas", "Past illness"}, what: phrase{"enfermedades pasadas", "past illness"},
		types: []string{"Condition"}, most: 30, heads: []phrase{{"Enfermedad", "Illness"}, state, remarks, since},
	},
	pregnancy: {
		code: "10162-6", display: "History of pregnancies Narrative", title: phrase{"Embarazo", "Pregnancy"}, what: phrase{"embarazo", "pregnancy"},
		types: []string{"Observation"}, most: 20, heads: []phrase{{"Dato", "Item"}, result, remarks, date},
	},
	social: {
		code: "29762-2", display: "Social history Narrative", title: phrase{"Antecedentes sociales", "Social history"}, what: phrase{"antecedentes sociales", "social history"},
		types: []string{"Observation"}, most: 20, heads: []phrase{{"Dato", "Item"}, result, remarks, date},
	},
	functional: {
		code: "47420-5", display: "Functional status assessment note", title: phrase{"Estado funcional", "Functional status"}, what: phrase{"estado funcional", "functional status"},
		types: []string{"Condition", "ClinicalImpression"}, most: 20, heads: []phrase{{"Hallazgo", "Finding"}, state, remarks, date},
	},
	plan: {
		code: "18776-5", display: "Plan of care note", title: phrase{"Plan de atención", "Plan of care"}, what: phrase{"plan de atención", "plan of care"},
		types: []string{"CarePlan"}, most: 10, heads: []phrase{{"Plan", "Plan"}, state, {"Actividades", "Activities"}, since},
	},
	directives: {
		code: "42348-3", display: "Advance directives", title: phrase{"Voluntad anticipada", "Advance directives"}, what: phrase{"voluntad anticipada", "advance directives"},
		types: []string{"Consent"}, most: 10, heads: []phrase{{"Documento", "Directive"}, state, remarks, date},
	},
}

// kinds lists the types that sections have entries of, each once.
var kinds = func() []string {
	seen := map[string]bool{}
	all := []string{"Patient"}
	for i := range sections {
		for _, typ := range sections[i].types {
			if !seen[typ] {
				seen[typ] = true
				all = append(all, typ)
			}
		}
	}
	return all
}()
