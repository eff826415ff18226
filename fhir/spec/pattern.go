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

// patterns gives the rule of each primitive type.
var patterns = map[string]Pattern{
	"boolean":      PatternBoolean,
	"integer":      PatternInteger,
	"unsignedInt":  PatternUnsignedInt,
	"positiveInt":  PatternPositiveInt,
	"decimal":      PatternDecimal,
	"date":         PatternDate,
	"dateTime":     PatternDateTime,
	"instant":      PatternInstant,
	"time":         PatternTime,
	"string":       PatternString,
	"markdown":     PatternMarkdown,
	"code":         PatternCode,
	"id":           PatternID,
	"oid":          PatternOID,
	"uuid":         PatternUUID,
	"uri":          PatternURI,
	"url":          PatternURL,
	"canonical":    PatternCanonical,
	"base64Binary": PatternBase64,
	"xhtml":        PatternXHTML,
}
