// Package merge makes two Patients that are one person into one, and two again when
// that was a mistake.
//
// The source is kept: inactive, with a link replaced-by to the target, which gets a
// link replaces and what the rules of survivorship say (see Rules). What refers to the
// source is written anew to refer to the target. What must stay as it is (a signed
// document, a Bundle, a Provenance) keeps its reference, and is indexed as if it
// referred to the target as well (see Links); so whoever looks for the record of the
// target finds it, and whatever binds there, such as a refusal or a block, binds here.
//
// Each thing that was moved is remembered with its version, so that the reverse gives
// back what was, and leaves with the target what came later.
package merge
