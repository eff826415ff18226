package validate

import (
	"encoding/base64"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/amate-health/amate/fhir/spec"
)

// datatype checks what R4 says in words about some datatypes.
func (x *inspection) datatype(s *subject, p *place) {
	if p.item.Type == nil {
		return
	}
	switch p.item.Type.Name {
	case "Narrative":
		x.narrative(s, p)
	case "Extension":
		x.extensionDefined(s, p)
	case "Coding":
		x.coding(p)
	case "Quantity", "Age", "Count", "Distance", "Duration", "SimpleQuantity", "MoneyQuantity":
		x.quantity(p)
	case "Attachment":
		x.attachment(p)
	case "Identifier":
		x.identifier(p)
	case "canonical":
		x.canonical(p)
	case "string":
		x.plainText(p)
	case "base64Binary":
		x.base64(p)
	case "uri", "url":
		x.uri(p)
	case "code":
		x.mediaType(p)
	}
}

// coding checks the system of a Coding, its code in it, and its display.
//
// See https://hl7.org/fhir/R4/datatypes.html#Coding.
func (x *inspection) coding(p *place) {
	system, code := p.text("system"), p.text("code")
	at := p.get("system")
	if system != "" {
		switch {
		case !absolute(system):
			x.fail("coding-system", "the system of a Coding must be an absolute URI", quote([]byte(system)), at)
			return
		case strings.HasPrefix(system, "http://hl7.org/fhir/ValueSet/"):
			x.fail("coding-system", "the system of a Coding names a value set, not a code system", quote([]byte(system)), at)
			return
		}
	}
	if x.Codes == nil || code == "" || system == "" {
		return
	}
	member, shown := x.Codes.Member("", system, code, p.text("display"))
	if member == No {
		x.report("warning", "code-invalid", "coding-code", "the code system has no such code", quote([]byte(system+"|"+code)), p)
	}
	if shown == No {
		x.warn("coding-display", "the display is not one that the code system gives the code",
			quote([]byte(p.text("display")))+" for "+quote([]byte(system+"|"+code)), p)
	}
}

// absolute reports whether text is a URI with a scheme.
func absolute(text string) bool {
	i := strings.IndexByte(text, ':')
	return i > 1 && !strings.ContainsAny(text[:i], "/?# ")
}

// ucum is the system of units of measure.
const ucum = "http://unitsofmeasure.org"

// quantity checks that a unit of UCUM is one.
func (x *inspection) quantity(p *place) {
	code := p.text("code")
	if x.Units == nil || code == "" || p.text("system") != ucum {
		return
	}
	if !x.Units.Valid(code) {
		x.report("warning", "code-invalid", "ucum", "the code is no unit of UCUM", quote([]byte(code)), p)
	}
}

// attachment holds size to the data that is given.
//
// See https://hl7.org/fhir/R4/datatypes.html#Attachment.
func (x *inspection) attachment(p *place) {
	size, err := strconv.Atoi(p.text("size"))
	data := p.text("data")
	if err != nil || data == "" {
		return
	}
	raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(data), ""))
	if err == nil && len(raw) != size {
		x.report("error", "structure", "attachment-size", "size is not the size of data",
			strconv.Itoa(size)+" stated, "+strconv.Itoa(len(raw))+" found", p)
	}
}

// base64 checks that a value can be decoded.
//
// See https://hl7.org/fhir/R4/datatypes.html#base64Binary.
func (x *inspection) base64(p *place) {
	text := strings.Join(strings.Fields(p.value()), "")
	if text == "" {
		return
	}
	if _, err := base64.StdEncoding.DecodeString(text); err != nil {
		x.fail("base64", "the value is not base64", "", p)
	}
}

func (x *inspection) identifier(p *place) {
	if system := p.text("system"); system != "" && !absolute(system) {
		x.fail("identifier-system", "the system of an Identifier must be an absolute URI", quote([]byte(system)), p.get("system"))
	}
	if p.text("system") == "urn:ietf:rfc:3986" && p.text("value") != "" && !absolute(p.text("value")) {
		x.fail("identifier-value", "with the system urn:ietf:rfc:3986 the value must be a URI", quote([]byte(p.text("value"))), p.get("value"))
	}
}

// canonical checks the form of a canonical URL, and that one of HL7's own names a
// definition of a type that may stand here.
//
// See https://hl7.org/fhir/R4/references.html#canonical.
func (x *inspection) canonical(p *place) {
	text := p.value()
	if text == "" || text[0] == '#' || p.elem == nil {
		return
	}
	if !absolute(text) {
		x.fail("canonical", "a canonical URL must be absolute, or a fragment", quote([]byte(text)), p)
		return
	}
	rest, ok := strings.CutPrefix(text, "http://hl7.org/fhir/")
	if !ok || len(p.elem.Targets) == 0 {
		return
	}
	name, _, more := strings.Cut(rest, "/")
	typ := spec.TypeOf(name)
	if !more || typ == nil || typ.Kind != spec.ResourceKind {
		return
	}
	f := field{Element: p.elem}
	for _, t := range p.elem.Targets {
		if typ.Is(t) {
			return
		}
	}
	x.fail("canonical-target", "the canonical URL names a resource of a type that may not stand here", name+" is none of "+f.targets(), p)
}

// markup finds what looks like a tag of HTML.
var markup = regexp.MustCompile(`(?i)<\s*/?\s*(script|iframe|object|embed|style|img|svg|link|meta|html|body|form|input|a|div|span|b|i|br|p)\b[^<>]*>`)

// plainText refuses HTML in a string, which is where attacks on those who display
// it hide.
//
// See https://hl7.org/fhir/R4/security.html#narrative.
func (x *inspection) plainText(p *place) {
	text := p.value()
	if strings.IndexByte(text, '<') >= 0 && markup.MatchString(text) {
		x.fail("string-markup", "the text holds what looks like tags of HTML", "", p)
	}
}

// mediaType checks the form of codes that are media types, whose value set no table
// can list.
//
// See https://hl7.org/fhir/R4/valueset-mimetypes.html.
func (x *inspection) mediaType(p *place) {
	if p.elem == nil || p.elem.Name != "contentType" && p.elem.Name != "sigFormat" && p.elem.Name != "targetFormat" {
		return
	}
	if v := p.value(); v != "" && !media.MatchString(v) {
		x.report("error", "code-invalid", "media-type", "the code is no media type", quote([]byte(v)), p)
	}
}

// uri checks UUIDs and OIDs in URIs, and that a URL can be parsed.
//
// See https://hl7.org/fhir/R4/datatypes.html#uri.
func (x *inspection) uri(p *place) {
	text := p.value()
	switch {
	case strings.HasPrefix(text, "urn:uuid:"):
		if !uuid.MatchString(text[9:]) {
			x.fail("uuid", "after urn:uuid: comes a UUID in lower case", quote([]byte(text)), p)
		}
	case strings.HasPrefix(text, "urn:oid:"):
		if !oid.MatchString(text[8:]) {
			x.fail("oid", "after urn:oid: comes an OID", quote([]byte(text)), p)
		}
	case strings.HasPrefix(text, "http://") || strings.HasPrefix(text, "https://"):
		if u, err := url.Parse(text); err != nil || u.Host == "" {
			x.warn("url", "the URL cannot be understood", quote([]byte(text)), p)
		}
	}
}

var (
	uuid  = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	media = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*/[A-Za-z0-9*][A-Za-z0-9!#$&^_.+-]*(\s*;.*)?$`)
	oid   = regexp.MustCompile(`^[0-2](\.(0|[1-9][0-9]*))+$`)
)
