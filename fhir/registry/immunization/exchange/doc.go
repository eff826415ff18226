// Package exchange speaks HL7 v2 with other immunization systems, by the rules of CDC's
// implementation guide for immunization messaging, version 2.5.1 release 1.5
// (https://repository.immregistries.org/resource/hl7-version-2-5-1-implementation-guide-for-immunization-messaging-release-1-5-1/):
// doses that were given come as VXU^V04, and QBP^Q11 asks for a history (Z34) or for what
// it means and what is due (Z44). The kinds of message are handed to fhir/message, which
// takes them in. Whatever is read or written passes the guard as the sender.
package exchange
