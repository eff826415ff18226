package record

// The vital signs, as LOINC names them.
// See https://hl7.org/fhir/R4/observation-vitalsigns.html.
const (
	bloodPressure = "85354-9"
	systolic      = "8480-6"
	diastolic     = "8462-4"
	heartRate     = "8867-4"
	breathing     = "9279-1"
	temperature   = "8310-5"
	saturation    = "59408-5"
	saturationAny = "2708-6"
	weight        = "29463-7"
	height        = "8302-2"
	length        = "8306-3"
	waist         = "8280-0"
	glucose       = "2339-0"
	glucoseStrip  = "41653-7"
	glucosePOC    = "15074-8"
)

// basicSigns are the four of clause 6.1.2: temperature, blood pressure, heart and
// breathing rate.
var basicSigns = []string{temperature, bloodPressure, heartRate, breathing}

// Sections that several documents have. Their clause is that of the document.
func diagnoses(clause string) Section {
	return Section{Code: "diagnosticos", LOINC: "29548-5", Title: "Diagnósticos o problemas clínicos", Clause: clause, Content: Diagnoses}
}

func prognosis(clause string) Section {
	return Section{Code: "pronostico", Title: "Pronóstico", Clause: clause}
}

func results(clause string, title string) Section {
	return Section{Code: "resultados", LOINC: "30954-2", Title: title, Clause: clause, Content: Results}
}

func vitalSigns(clause string, asked []string) Section {
	return Section{Code: "signos-vitales", LOINC: "8716-3", Title: "Signos vitales", Clause: clause, Content: Vitals, Vitals: asked}
}

func treatment(clause, title string) Section {
	return Section{Code: "tratamiento", LOINC: "18776-5", Title: title, Clause: clause, Content: Treatment}
}

func summary(clause string) Section {
	return Section{Code: "resumen-clinico", Title: "Resumen clínico", Clause: clause}
}

const auxiliaryStudies = "Resultados relevantes de los servicios auxiliares de diagnóstico y tratamiento"

// kinds are the documents of NOM-004-SSA3-2012, chapters 6 to 10.
var kinds = []Kind{
	{Code: "historia-clinica", LOINC: "34117-2", Name: "Historia clínica", Clause: "6.1", Sections: []Section{
		{Code: "grupo-etnico", Title: "Grupo étnico", Clause: "6.1.1", Optional: true},
		{Code: "antecedentes-heredofamiliares", LOINC: "10157-6", Title: "Antecedentes heredo-familiares", Clause: "6.1.1"},
		{Code: "antecedentes-personales-patologicos", LOINC: "11348-0", Title: "Antecedentes personales patológicos", Clause: "6.1.1"},
		{Code: "antecedentes-personales-no-patologicos", LOINC: "29762-2", Title: "Antecedentes personales no patológicos", Clause: "6.1.1"},
		{Code: "padecimiento-actual", LOINC: "10164-2", Title: "Padecimiento actual", Clause: "6.1.1"},
		{Code: "aparatos-y-sistemas", LOINC: "10187-3", Title: "Interrogatorio por aparatos y sistemas", Clause: "6.1.1"},
		{Code: "exploracion-fisica", LOINC: "29545-1", Title: "Exploración física y habitus exterior", Clause: "6.1.2"},
		vitalSigns("6.1.2", append(basicSigns[:4:4], weight, height)),
		results("6.1.3", "Resultados previos y actuales de estudios de laboratorio, gabinete y otros"),
		diagnoses("6.1.4"), prognosis("6.1.5"), treatment("6.1.6", "Indicación terapéutica"),
	}},
	{Code: "evolucion", LOINC: "11506-3", Name: "Nota de evolución", Clause: "6.2", Sections: []Section{
		{Code: "evolucion", LOINC: "10164-2", Title: "Evolución y actualización del cuadro clínico", Clause: "6.2.1"},
		vitalSigns("6.2.2", nil), results("6.2.3", auxiliaryStudies),
		diagnoses("6.2.4"), prognosis("6.2.5"), treatment("6.2.6", "Tratamiento e indicaciones médicas"),
	}},
	{Code: "interconsulta", LOINC: "11488-4", Name: "Nota de interconsulta", Clause: "6.3", Sections: []Section{
		{Code: "criterios-diagnosticos", Title: "Criterios diagnósticos", Clause: "6.3.1"},
		{Code: "plan-de-estudios", Title: "Plan de estudios", Clause: "6.3.2"},
		{Code: "sugerencias", Title: "Sugerencias diagnósticas y tratamiento", Clause: "6.3.3", Content: Treatment},
	}},
	{Code: "referencia", LOINC: "57133-1", Name: "Nota de referencia o traslado", Clause: "6.4", Sections: []Section{
		{Code: "establecimiento-que-envia", Title: "Establecimiento que envía", Clause: "6.4.1"},
		{Code: "establecimiento-receptor", Title: "Establecimiento receptor", Clause: "6.4.2", Content: Receiver},
		{Code: "motivo-de-envio", LOINC: "42349-1", Title: "Motivo de envío", Clause: "6.4.3.1"},
		summary("6.4.3"),
		{Code: "diagnosticos", LOINC: "29548-5", Title: "Impresión diagnóstica", Clause: "6.4.3.2", Content: Diagnoses},
		treatment("6.4.3.3", "Terapéutica empleada"),
	}},
	{Code: "urgencias", LOINC: "34111-5", Name: "Nota inicial de urgencias", Clause: "7.1", Sections: []Section{
		vitalSigns("7.1.2", basicSigns),
		{Code: "motivo-de-atencion", LOINC: "10154-3", Title: "Motivo de la atención", Clause: "7.1.3"},
		{Code: "exploracion-fisica", LOINC: "29545-1", Title: "Resumen del interrogatorio, exploración física y estado mental", Clause: "7.1.4"},
		results("7.1.5", auxiliaryStudies),
		diagnoses("7.1.6"), treatment("7.1.7", "Tratamiento"), prognosis("7.1.7"),
	}},
	postoperative, discharge,
	{Code: "enfermeria", LOINC: "34746-8", Name: "Hoja de enfermería", Clause: "9.1", Nurse: true, Sections: []Section{
		{Code: "habitus-exterior", Title: "Habitus exterior", Clause: "9.1.1"},
		vitalSigns("9.1.2", nil),
		{Code: "ministracion-de-medicamentos", Title: "Ministración de medicamentos", Clause: "9.1.3", Content: Administrations},
		{Code: "procedimientos", Title: "Procedimientos realizados", Clause: "9.1.4"},
		{Code: "observaciones", Title: "Observaciones", Clause: "9.1.5"},
	}},
	{Code: "auxiliares", LOINC: "11502-2", Name: "Informe de servicios auxiliares de diagnóstico y tratamiento", Clause: "9.2", Sections: []Section{
		{Code: "fecha-del-estudio", Title: "Fecha y hora del estudio", Clause: "9.2.1"},
		{Code: "solicitante", Title: "Identificación del solicitante", Clause: "9.2.2"},
		{Code: "estudio-solicitado", Title: "Estudio solicitado", Clause: "9.2.3"},
		{Code: "problema-clinico", Title: "Problema clínico en estudio", Clause: "9.2.4"},
		results("9.2.5", "Resultados del estudio"),
		{Code: "incidentes", Title: "Incidentes y accidentes", Clause: "9.2.6", Optional: true},
		{Code: "personal", Title: "Identificación del personal que realizó el estudio", Clause: "9.2.7", Content: Team},
	}},
	{Code: "consentimiento", LOINC: "59284-0", Name: "Carta de consentimiento informado", Clause: "10.1", Witnessed: true, Sections: []Section{
		{Code: "acto-autorizado", Title: "Acto autorizado", Clause: "10.1.1.5"},
		{Code: "riesgos-y-beneficios", Title: "Riesgos y beneficios esperados del acto médico autorizado", Clause: "10.1.1.6"},
		{Code: "contingencias", Title: "Autorización para la atención de contingencias y urgencias", Clause: "10.1.1.7"},
	}},
	{Code: "egreso-voluntario", Name: "Hoja de egreso voluntario", Clause: "10.2", Witnessed: true, Sections: []Section{
		{Code: "solicitud", Title: "Solicitud de egreso y conocimiento de sus consecuencias", Clause: "10.2.1"},
		summary("10.2.2"),
		{Code: "medidas-recomendadas", Title: "Medidas recomendadas para la protección de la salud y la atención de factores de riesgo", Clause: "10.2.2"},
		{Code: "responsiva", Title: "Responsiva médica", Clause: "10.2.2", Optional: true},
	}},
	{Code: "ministerio-publico", Name: "Notificación al Ministerio Público", Clause: "10.3", Sections: []Section{
		{Code: "acto-notificado", Title: "Acto notificado", Clause: "10.3.4"},
		{Code: "lesiones", Title: "Reporte de lesiones del paciente", Clause: "10.3.5", Optional: true},
		{Code: "agencia", Title: "Agencia del Ministerio Público a la que se notifica", Clause: "10.3.6"},
	}},
}

// postoperative is the note of 8.8, which the surgeon writes.
var postoperative = Kind{Code: "postoperatoria", LOINC: "11504-8", Name: "Nota postoperatoria", Clause: "8.8", Sections: []Section{
	{Code: "diagnostico-preoperatorio", LOINC: "10219-4", Title: "Diagnóstico preoperatorio", Clause: "8.8.1"},
	{Code: "operacion-planeada", Title: "Operación planeada", Clause: "8.8.2"},
	{Code: "operacion-realizada", Title: "Operación realizada", Clause: "8.8.3"},
	{Code: "diagnostico-postoperatorio", LOINC: "10218-6", Title: "Diagnóstico postoperatorio", Clause: "8.8.4", Content: Diagnoses},
	{Code: "tecnica-quirurgica", Title: "Descripción de la técnica quirúrgica", Clause: "8.8.5"},
	{Code: "hallazgos", LOINC: "59776-5", Title: "Hallazgos transoperatorios", Clause: "8.8.6"},
	{Code: "conteo", Title: "Reporte del conteo de gasas, compresas y de instrumental quirúrgico", Clause: "8.8.7"},
	{Code: "incidentes", Title: "Incidentes y accidentes", Clause: "8.8.8"},
	{Code: "sangrado", Title: "Cuantificación de sangrado y, en su caso, transfusiones", Clause: "8.8.9"},
	{Code: "resultados", LOINC: "30954-2", Title: "Estudios de servicios auxiliares transoperatorios", Clause: "8.8.10", Optional: true, Content: Results},
	{Code: "personal", Title: "Ayudantes, instrumentistas, anestesiólogo y circulante", Clause: "8.8.11", Content: Team},
	{Code: "estado-postquirurgico", Title: "Estado post-quirúrgico inmediato", Clause: "8.8.12"},
	treatment("8.8.13", "Plan de manejo y tratamiento postoperatorio inmediato"),
	prognosis("8.8.14"),
	{Code: "piezas-quirurgicas", Title: "Envío de piezas o biopsias quirúrgicas", Clause: "8.8.15", Optional: true},
	{Code: "otros-hallazgos", Title: "Otros hallazgos de importancia para el paciente", Clause: "8.8.16", Optional: true},
}}

// deathCauses is the section of a discharge that only those who died have.
const deathCauses = "causas-de-la-muerte"

// discharge is the note of 8.9.
var discharge = Kind{Code: "egreso", LOINC: "18842-5", Name: "Nota de egreso", Clause: "8.9", Stay: true, Sections: []Section{
	{Code: "motivo-de-egreso", Title: "Motivo del egreso", Clause: "8.9.2"},
	{Code: "diagnosticos", LOINC: "11535-2", Title: "Diagnósticos finales", Clause: "8.9.3", Content: Diagnoses},
	{Code: "resumen-de-la-evolucion", LOINC: "8648-8", Title: "Resumen de la evolución y el estado actual", Clause: "8.9.4"},
	{Code: "manejo", Title: "Manejo durante la estancia hospitalaria", Clause: "8.9.5"},
	{Code: "problemas-pendientes", Title: "Problemas clínicos pendientes", Clause: "8.9.6"},
	treatment("8.9.7", "Plan de manejo y tratamiento"),
	{Code: "vigilancia-ambulatoria", LOINC: "8653-8", Title: "Recomendaciones para vigilancia ambulatoria", Clause: "8.9.8"},
	{Code: "factores-de-riesgo", Title: "Atención de factores de riesgo", Clause: "8.9.9"},
	prognosis("8.9.10"),
	{Code: deathCauses, LOINC: "69453-9", Title: "Causas de la muerte", Clause: "8.9.11", Optional: true},
}}
