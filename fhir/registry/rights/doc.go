// Package rights is what the data-protection laws of Mexico give a patient against those
// who keep a record: to see it, to have it corrected, to have it cancelled, and to object
// to a use of it (the rights called ARCO), to take it elsewhere; and what the norms on
// clinical records set against that: a record is kept for five years after the last
// medical act at least, so that one that was cancelled is blocked first, and removed when
// that time is over.
//
// Ley General de Protección de Datos Personales en Posesión de Sujetos Obligados and Ley
// Federal de Protección de Datos Personales en Posesión de los Particulares (DOF
// 20-03-2025); NOM-004-SSA3-2012, 5.4; NOM-024-SSA3-2012, 6.6.6.
package rights
