package validate

import "github.com/amate-health/amate/fhir/xml"

// fromXML returns the JSON of a resource in XML.
func fromXML(src []byte) ([]byte, error) {
	json, _, err := xml.ToJSON(src, xml.Limits{})
	return json, err
}
