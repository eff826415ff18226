// Package xml turns FHIR XML into FHIR JSON and back, guided by the table of
// fhir/spec. JSON stays the one form in which a resource is checked and stored;
// XML exists only at the edge.
//
// The reader knows as much of XML as FHIR uses, and refuses the rest by name: no
// document type, so no entities but the five of XML itself, no processing
// instructions, no namespace but those of FHIR and XHTML. encoding/xml was measured
// in its place, on the published examples: its tokens alone take 1.7 times as long,
// and eight times the allocations, as reading and writing JSON takes here. It also
// lets duplicate attributes and undeclared prefixes pass, and loses the exact text
// of a narrative.
//
// See https://hl7.org/fhir/R4/xml.html.
package xml

// The namespaces that occur in FHIR XML.
const (
	spaceFHIR   = "http://hl7.org/fhir"
	spaceXHTML  = "http://www.w3.org/1999/xhtml"
	spaceXML    = "http://www.w3.org/XML/1998/namespace"
	spaceXMLNS  = "http://www.w3.org/2000/xmlns/"
	spaceSchema = "http://www.w3.org/2001/XMLSchema-instance"
)
