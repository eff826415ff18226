// Package scope knows the scopes of SMART App Launch: what a token lets an app do,
// and with which resources. It reads them, narrows what is asked for to what is
// allowed, and says what a set of them lets through.
//
// See https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html.
package scope
