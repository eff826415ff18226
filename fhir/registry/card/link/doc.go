// Package link shares files by SMART Health Links: whoever has the link, which holds the
// key, can fetch and read them, until its owner ends that. What is kept here is encrypted
// by that key, and the key is not kept: neither the database nor who reads it can tell
// what was shared, nor make the link again.
//
// See https://hl7.org/fhir/uv/smart-health-cards-and-links/links-specification.html.
package link
