// Package identity holds the identifiers of people and places in Mexico: their
// form, their check digits, and whether they agree with what is known of the bearer.
//
// Nothing here issues an identifier. NOM-024-SSA3-2012, 6.5.1, forbids a health
// system to generate a CURP: only RENAPO does. What this package works out from a
// name and a birth is for comparing with a CURP that somebody presented.
package identity
