package source

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/text/encoding/charmap"

	"github.com/amate-health/amate/fhir/terminology"
)

// readCDC reads the XML of CDC's code sets: CVXCodes, or MVXCodes.
func readCDC(text []byte) (*System, error) {
	var all struct {
		XMLName xml.Name
		CVX     []struct {
			Short  string `xml:"ShortDescription"`
			Full   string `xml:"FullVaccinename"`
			Code   string `xml:"CVXCode"`
			Notes  string `xml:"Notes"`
			Status string `xml:"Status"`
		} `xml:"CVXInfo"`
		MVX []struct {
			Names  []string `xml:"Name"`
			Values []string `xml:"Value"`
		} `xml:"MVXInfo"`
	}
	d := xml.NewDecoder(bytes.NewReader(text))
	d.CharsetReader = func(name string, r io.Reader) (io.Reader, error) {
		switch strings.ToLower(name) {
		case "iso-8859-1":
			return charmap.ISO8859_1.NewDecoder().Reader(r), nil
		case "windows-1252":
			return charmap.Windows1252.NewDecoder().Reader(r), nil
		}
		return nil, fmt.Errorf("encoding %q", name)
	}
	if err := d.Decode(&all); err != nil {
		return nil, err
	}
	s := &System{
		URL: "http://hl7.org/fhir/sid/cvx", Name: "CVX", Title: "Vaccine Administered Code Set (CVX)", Language: "en",
		Properties: []terminology.PropertyDef{{Code: "cdc-status", Description: "Status as CDC gives it", Type: "string"}},
	}
	for _, v := range all.CVX {
		c := Concept{Code: strings.TrimSpace(v.Code), Display: strings.TrimSpace(v.Short), Definition: strings.TrimSpace(v.Notes)}
		if full := strings.TrimSpace(v.Full); full != "" && full != c.Display {
			c.Designations = append(c.Designations, terminology.Designation{Language: "en", Value: full})
		}
		c.status(strings.TrimSpace(v.Status))
		s.Concepts = append(s.Concepts, c)
	}
	if all.XMLName.Local == "MVXCodes" {
		s.URL, s.Name, s.Title = "http://hl7.org/fhir/sid/mvx", "MVX", "Manufacturers of Vaccines (MVX)"
		for _, v := range all.MVX {
			fields := map[string]string{}
			for i, name := range v.Names {
				if i < len(v.Values) {
					fields[name] = strings.TrimSpace(v.Values[i])
				}
			}
			c := Concept{Code: fields["MVX_CODE"], Display: fields["Manufacturer Name"], Definition: fields["Notes"]}
			c.status(fields["Status"])
			s.Concepts = append(s.Concepts, c)
		}
	}
	if len(s.Concepts) == 0 {
		return nil, errors.New("neither CVXCodes nor MVXCodes")
	}
	for i := range s.Concepts {
		if s.Concepts[i].Code == "" {
			return nil, fmt.Errorf("entry %d has no code", i+1)
		}
	}
	return s, nil
}

// status notes what CDC says of a code. A code for vaccines that are not sold in the
// United States ("Non-US") is active.
func (c *Concept) status(status string) {
	c.Inactive = status == "Inactive" || status == "Never Active"
	if status != "" {
		c.Properties = append(c.Properties, terminology.Property{Code: "cdc-status", Type: "valueString", Value: status})
	}
}
