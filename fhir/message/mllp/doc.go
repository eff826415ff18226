// Package mllp carries HL7 messages over TCP: each between the bytes VT, and FS and CR.
//
// See https://www.hl7.org/documentcenter/public/wg/inm/mllp_transport_specification.PDF.
package mllp
