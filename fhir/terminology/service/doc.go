// Package service offers the terminology that a Registry knows as $operations:
// $lookup, $validate-code, $subsumes, $expand and $translate.
//
// See https://hl7.org/fhir/R4/terminology-service.html.
package service
