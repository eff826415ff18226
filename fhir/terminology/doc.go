// Package terminology holds code systems, value sets and concept maps in the memory
// of the process, as compact arrays, and answers what they say: what a code means,
// whether a value set has it, what subsumes it and what it maps to.
//
// Everything but the Registry is immutable once built, so that readers need no
// lock. fhir/terminology/service offers the answers as $operations.
//
// See https://hl7.org/fhir/R4/terminology-service.html.
package terminology
