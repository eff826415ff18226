// Package hl7 reads and writes HL7 version 2 messages in their ER7 form, of versions
// 2.3 to 2.5.1. It takes text apart and knows nothing of what a message means.
//
// See https://www.hl7.eu/HL7v2x/v251/std251/ch02.html.
package hl7
