// Package ucum reads the codes of the Unified Code for Units of Measure and
// compares what they measure.
//
// [Parse] takes a case sensitive code ("mg/dL", "10*3/uL", "mm[Hg]") and reduces it
// to base units: a [Dimension] and an exact factor. Two units can be converted into
// one another when their dimensions are equal. Arbitrary units such as [iU] are
// dimensions of their own. Special units (Cel, [degF], [pH], dB) lie on scales with
// an offset or a logarithm; alone or with a factor they convert too.
//
// The table of units (ucum.txt) holds the definitions that the UCUM specification
// publishes; fhir/ucum/gen makes it.
//
// See https://ucum.org/ucum and https://hl7.org/fhir/R4/valueset-ucum-units.html.
package ucum

//go:generate go run ./gen -o ucum.txt ../../../shared/data/ucum/ucum-essence.xml
