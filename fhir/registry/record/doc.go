// Package record knows the documents of the expediente clínico, the clinical record of
// a patient in Mexico, as NOM-004-SSA3-2012 (DOF 15-10-2012) lists them: which there
// are, which sections and data each must hold, how one is drafted from an encounter,
// what keeps it from being signed, and how it reads on paper.
//
// The words of the norm stay in Spanish:
//
//   - nota de evolución: the progress note of a visit
//   - interconsulta: the note of a colleague who was consulted
//   - referencia/traslado: the note that goes with a patient to another establishment
//   - egreso: discharge; egreso voluntario: against the advice of the physician
//   - hoja de enfermería: the nursing sheet
//   - carta de consentimiento informado: informed consent, signed before two witnesses
//   - Ministerio Público: the public prosecutor, who is told of injuries
//   - cédula: the number of the licence of a health professional, which article 83 of the
//     Ley General de Salud wants on every document
//   - CLUES: the key of an establishment
//
// See https://www.dof.gob.mx/nota_detalle.php?codigo=5272787&fecha=15/10/2012.
package record
