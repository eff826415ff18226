// Package referral sends patients from one establishment to another and back:
// referencia y contrarreferencia, the procedure between levels of care whose note is that
// of NOM-004-SSA3-2012, 6.4.
//
// A referral is three resources that are made together:
//
//   - a ServiceRequest of category referral: what is asked for, of whom, and why,
//   - a Task: how far it has come, who has to act (owner), and until when
//     (restriction.period.end). Its versions are the history.
//   - a Composition, the nota de referencia o traslado (6.4), as a draft to be signed.
//
// The counter-referral (contrarreferencia) is a ServiceRequest of its own, based on the
// first, with its own note; when that note is signed, the Task is completed.
//
// The Task and both ServiceRequests are written by the operations alone (Hold), so that
// nobody jumps over a state or acts for another establishment. Who may see the record of
// the patient is no matter of this package: roles, compartments and consents decide, and a
// referral neither widens nor outlives what they allow.
//
// See https://hl7.org/fhir/R4/workflow-management.html and
// https://www.dof.gob.mx/nota_detalle.php?codigo=5272787&fecha=15/10/2012.
package referral
