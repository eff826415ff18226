// Package dose records vaccine doses at a post, and what becomes of them: it checks a dose
// against the person, the product and the schedule before it is stored, keeps one resource
// for a dose that two sources tell of, amends and refutes, and follows what happens after
// it: adverse events (ESAVI, NOM-036-SSA2-2012) and recalls of lots.
//
// A dose is an Immunization (https://hl7.org/fhir/R4/immunization.html). What is impossible
// is refused; what is only against the schedule is refused until the vaccinator repeats its
// code with a reason, which stays with the dose.
package dose
