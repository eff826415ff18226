// Package birth takes a certificate of birth through its life: draft, certified (signed and
// from then on the same for ever), delivered, registered by the civil registry, and joined
// with the CURP; or void with a reason, or replaced by another folio.
//
// The certificate is a row of a ledger of its own. What others read of it in FHIR - the
// signed document, the newborn, the mother, who was there and what was measured - is
// projected from it in the same transaction of the database.
package birth
