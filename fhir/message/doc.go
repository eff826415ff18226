// Package message takes HL7 version 2 messages of clinic systems: it maps them to FHIR,
// writes them as the one who sent them, and acknowledges them.
//
// # The life of a message
//
//  1. It comes over MLLP or HTTP, and is taken apart by fhir/message/hl7.
//  2. A [Sender] is found for it: who sent it, with which rights, and what its codes mean.
//  3. A [Kind] maps it to drafts of resources. That needs nothing but the message.
//  4. Messages that wait are taken together. Those answered before get their answer
//     again. Patients and others that drafts name by an identifier are looked up.
//  5. The drafts become one transaction, which passes the guard as the sender. Where it
//     fails, it is divided until the message at fault stands alone.
//  6. That message is kept as a dead letter; of the others a receipt is kept. Only then
//     are they acknowledged.
//
// Observations, reports, orders and specimens are at ids that follow from the sender and
// its own numbers. A message that comes a second time after a crash writes the same
// resources with the same content, which changes nothing.
package message
