package validate

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
)

// MaxIssues is how many issues Check reports before it gives up; one more then says so.
const MaxIssues = 100

// rule is what an issue says when it is broken.
type rule struct {
	key  string // fhir.Issue.Rule
	code string // fhir.Issue.Type
	text string // fhir.Issue.Details
}

// The rules of base validation. See https://hl7.org/fhir/R4/json.html unless another page is named.
var (
	resourceTypeMissing = &rule{"resource-type", "required", "resourceType is missing or no string"}
	resourceTypeUnknown = &rule{"resource-type-unknown", "not-supported", "resourceType names no R4 resource type"}
	resourceTypeOther   = &rule{"resource-type-mismatch", "invalid", "resourceType is not the type expected here"}
	unknownElement      = &rule{"unknown-element", "structure", "the element is not defined for this type"}
	choiceType          = &rule{"choice-type", "structure", "the choice does not allow this type"}
	choiceTwice         = &rule{"choice-single", "structure", "a choice may have only one value"}
	arrayExpected       = &rule{"array-expected", "structure", "the element repeats, so it must be a JSON array"}
	arrayUnexpected     = &rule{"array-unexpected", "structure", "the element does not repeat, so it must be no JSON array"}
	tooMany             = &rule{"cardinality-max", "structure", "the element stands more often than is allowed"}
	missing             = &rule{"cardinality-min", "required", "the element is required"}
	jsonType            = &rule{"json-type", "structure", "the value has the wrong JSON type"}
	empty               = &rule{"empty", "structure", "strings, objects and arrays must not be empty"}
	null                = &rule{"null", "structure", "null may stand only in an array of primitives, where the _name array has an object"}
	siblingKind         = &rule{"primitive-sibling", "structure", "a _name must be an object, or an array exactly when its element repeats"}
	siblingLength       = &rule{"primitive-sibling-length", "structure", "an array and its _name array must be of one length"}
	format              = &rule{"primitive-format", "value", "the text does not have the form of its type"}
	control             = &rule{"string-control", "value", "control characters other than tab, carriage return and line feed are not allowed"}
	binding             = &rule{"binding-required", "code-invalid", "the code is not in the required value set"}
	extensionValue      = &rule{"extension-value", "structure", "an extension must have either a value or extensions of its own"}
	referenceTarget     = &rule{"reference-target", "value", "the reference may not point to this type"}
	referenceUnknown    = &rule{"reference-type-unknown", "value", "the reference names no R4 resource type"}
	referenceOther      = &rule{"reference-type-mismatch", "value", "Reference.type is not the type that the reference points to"}
	referenceForm       = &rule{"reference-format", "value", "a relative reference must be Type/id"}
	referenceContained  = &rule{"reference-contained", "not-found", "no contained resource has this id"}
	containedID         = &rule{"contained-id", "required", "a contained resource must have an id"}
	containedNested     = &rule{"contained-nested", "structure", "a contained resource must not contain another"}
	cutOff              = &rule{"more-issues", "too-costly", "there may be more issues; the check ended here"}
)

// step is one element on the way from the root to where the check stands.
type step struct {
	field *field
	index int // in the array; -1 where the element is none
}

// report adds an issue about the element that the trail leads to. at is the node
// that the position is of; suffix, such as ".status", leads on from the trail.
func (c *checker) report(r *rule, at element.Node, suffix, diagnostics string) {
	if c.full() {
		return
	}
	start, _ := c.doc.Span(at)
	c.offsets = append(c.offsets, start)
	c.issues = append(c.issues, fhir.Issue{
		Severity: "error", Type: r.code, Rule: r.key, Details: r.text,
		Diagnostics: diagnostics, Expression: c.path() + suffix,
	})
}

func (c *checker) full() bool { return len(c.issues) >= MaxIssues }

// path returns the FHIRPath of the element that the trail leads to.
func (c *checker) path() string {
	var b strings.Builder
	b.WriteString(c.name)
	for _, s := range c.trail {
		b.WriteByte('.')
		if s.field.Choice != "" {
			b.WriteString(s.field.Choice + ".ofType(" + s.field.Type.Name + ")")
		} else {
			b.WriteString(s.field.Name)
		}
		if s.index >= 0 {
			b.WriteString("[" + strconv.Itoa(s.index) + "]")
		}
	}
	return b.String()
}

// finish gives the issues their lines and columns.
func (c *checker) finish() []fhir.Issue {
	if len(c.issues) == 0 {
		return nil
	}
	locate(c.doc, c.issues, c.offsets)
	if c.full() {
		return append(c.issues, fhir.Issue{
			Severity: "information", Type: cutOff.code, Rule: cutOff.key, Details: cutOff.text, Expression: c.name,
		})
	}
	return c.issues
}

// locate gives issues their lines and columns.
func locate(d *element.Doc, issues []fhir.Issue, offsets []int) {
	for i := range issues {
		issues[i].Line, issues[i].Col = d.Position(offsets[i])
	}
}

// maxQuote is how many bytes of input a diagnostic quotes.
const maxQuote = 80

// quote returns input in double quotes, cut where it is long.
func quote(input []byte) string {
	if len(input) <= maxQuote {
		return strconv.Quote(string(input))
	}
	end := maxQuote
	for end > 0 && !utf8.RuneStart(input[end]) {
		end--
	}
	return strconv.Quote(string(input[:end])) + "..."
}

// Fault returns the error that tells a caller about issues, or nil when none of
// them is an error.
func Fault(issues []fhir.Issue) *fhir.Error {
	for i := range issues {
		if issues[i].Severity == "error" || issues[i].Severity == "fatal" {
			return &fhir.Error{Code: fhir.Unprocessable, Expression: issues[i].Expression, Issues: issues}
		}
	}
	return nil
}

// Within rewrites the expressions of issues about a resource of type typ that
// stands at expression, say "Bundle.entry[3].resource", of another.
func Within(issues []fhir.Issue, typ, expression string) {
	for i := range issues {
		if rest, ok := strings.CutPrefix(issues[i].Expression, typ); ok {
			issues[i].Expression = expression + rest
		}
	}
}
