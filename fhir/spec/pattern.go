package spec

// Pattern names the lexical rule that the text of a primitive must follow.
//
// See https://hl7.org/fhir/R4/datatypes.html#primitive.
type Pattern uint8

// The lexical rules of the R4 primitive types.
const (
	NoPattern Pattern = iota
	PatternBoolean
	PatternInteger
	PatternUnsignedInt
	PatternPositiveInt
	PatternDecimal
	PatternDate
	PatternDateTime
	PatternInstant
	PatternTime
	PatternString
	PatternMarkdown
	PatternCode
	PatternID
	PatternOID
	PatternUUID
	PatternURI
	PatternURL
	PatternCanonical
	PatternBase64
	PatternXHTML
)
