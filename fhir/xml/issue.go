package xml

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/amate-health/amate/fhir"
)

// rule is what an issue says when it is broken.
type rule struct {
	key  string // fhir.Issue.Rule
	code string // fhir.Issue.Type
	text string // fhir.Issue.Details
}

// The rules of the text.
//
// See https://www.w3.org/TR/xml/ and https://www.w3.org/TR/xml-names/.
var (
	notUTF8       = &rule{"xml-encoding", "invalid", "the XML text must be UTF-8"}
	badCharacter  = &rule{"xml-character", "invalid", "this character may not stand in XML"}
	badVersion    = &rule{"xml-declaration", "structure", `the XML declaration must say version="1.0" and, if it names an encoding, UTF-8`}
	hasDoctype    = &rule{"xml-doctype", "security", "a document type, with what it declares, is not taken"}
	hasPI         = &rule{"xml-instruction", "structure", "processing instructions are not taken"}
	endsEarly     = &rule{"xml-syntax", "structure", "the XML text ends too early"}
	noElement     = &rule{"xml-syntax", "structure", "the XML text must be one element"}
	moreAfter     = &rule{"xml-syntax", "structure", "there is more after the end of the root element"}
	badName       = &rule{"xml-syntax", "structure", "this is no name of an element or attribute of FHIR or XHTML"}
	badTag        = &rule{"xml-syntax", "structure", "the tag is malformed"}
	badComment    = &rule{"xml-syntax", "structure", "the comment is malformed"}
	badText       = &rule{"xml-syntax", "structure", "the text is malformed"}
	badAttribute  = &rule{"xml-syntax", "structure", "the attribute is malformed"}
	sameAttribute = &rule{"xml-syntax", "structure", "the attribute stands twice"}
	badEnd        = &rule{"xml-syntax", "structure", "the end tag does not fit the start tag"}
	badReference  = &rule{"xml-entity", "structure", "this is no character reference and none of the entities of XML, &lt; &gt; &amp; &quot; &apos;"}
	unboundPrefix = &rule{"xml-namespace", "structure", "the namespace prefix is not declared"}
	badBinding    = &rule{"xml-namespace", "structure", "the namespace declaration is not allowed"}
	tooDeep       = &rule{"xml-depth", "too-long", "elements are nested deeper than is allowed"}
	tooLong       = &rule{"xml-size", "too-long", "the XML text is longer than is allowed"}
	tooManyNames  = &rule{"xml-attributes", "too-long", "there are more attributes or namespace declarations than are allowed"}
)

// The rules of FHIR. Where base validation has the same rule, it has the same key.
//
// See https://hl7.org/fhir/R4/xml.html.
var (
	wrongSpace       = &rule{"xml-namespace", "structure", "the element is not in the namespace that it should be in, http://hl7.org/fhir, or for a narrative http://www.w3.org/1999/xhtml"}
	unknownType      = &rule{"resource-type-unknown", "not-supported", "the element names no R4 resource type"}
	unknownElement   = &rule{"unknown-element", "structure", "the element is not defined for this type"}
	unknownAttribute = &rule{"unknown-attribute", "structure", "the attribute is not defined here"}
	isAttribute      = &rule{"unknown-element", "structure", "this is an attribute, not an element"}
	hasText          = &rule{"xml-text", "structure", "text may stand only in a narrative: values are in the attribute value"}
	outOfOrder       = &rule{"element-order", "structure", "the element must stand before others that are before it here"}
	tooOften         = &rule{"cardinality-max", "structure", "the element stands more often than is allowed"}
	emptyElement     = &rule{"empty", "structure", "an element must have a value, an extension or other elements"}
	oneResource      = &rule{"resource-holder", "structure", "exactly one resource must stand here"}
	cutOff           = &rule{"more-issues", "too-costly", "there may be more issues; the reader ended here"}
	notWritable      = &rule{"not-xml", "structure", "this cannot be written as XML"}
)

// maxFaults is how many findings are reported before the reader gives up.
const maxFaults = 20

// fault is one finding.
type fault struct {
	rule *rule
	at   int    // offset in the text
	note string // for the caller; may quote input
	path string // FHIRPath; "" for the text as a whole
}

// Error returns the rule, and nothing of the input.
func (f *fault) Error() string { return f.rule.text }

// wrong returns a fault that ends the reading.
func wrong(r *rule, at int, note string) *fault { return &fault{rule: r, at: at, note: note} }

// report turns faults, the last of which may have ended the reading, into an error.
func report(src []byte, faults []fault) *fhir.Error {
	e := &fhir.Error{Code: fhir.Invalid}
	for i := range faults {
		f := &faults[i]
		issue := fhir.Issue{
			Severity: "error", Type: f.rule.code, Rule: f.rule.key, Details: f.rule.text,
			Diagnostics: f.note, Expression: f.path,
		}
		if strings.HasPrefix(f.rule.key, "xml-") {
			issue.Severity = "fatal"
		}
		issue.Line, issue.Col = position(src, f.at)
		if f.rule.code == "too-long" {
			e.Code = fhir.TooLarge
		}
		e.Issues = append(e.Issues, issue)
	}
	return e
}

// position returns the line and column of an offset, both from 1. The column
// counts characters.
func position(src []byte, offset int) (line, col int) {
	before := src[:min(offset, len(src))]
	start := bytes.LastIndexByte(before, '\n') + 1
	return 1 + bytes.Count(before, []byte{'\n'}), 1 + utf8.RuneCount(before[start:])
}

// quote returns a name of the input in quotes, cut where it is long.
func quote(name []byte) string {
	const most = 64
	if len(name) > most {
		return strconv.Quote(strings.ToValidUTF8(string(name[:most]), "")) + "..."
	}
	return strconv.Quote(string(name))
}

// step is one element on the way from the root.
type step struct {
	name  string // as FHIRPath says it
	index int    // of a repeating element; -1 otherwise
}

// expression returns the FHIRPath of the element that trail leads to.
func expression(trail []step) string {
	var b strings.Builder
	for i, s := range trail {
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(s.name)
		if s.index >= 0 {
			b.WriteString("[" + strconv.Itoa(s.index) + "]")
		}
	}
	return b.String()
}
