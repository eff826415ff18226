package code

import (
	"slices"
	"strings"
)

// URIs of the code systems.
const (
	SystemCVX    = "http://hl7.org/fhir/sid/cvx"
	SystemMVX    = "http://hl7.org/fhir/sid/mvx"
	SystemSNOMED = "http://snomed.info/sct"
	SystemATC    = "http://www.whocc.no/atc"
)

const (
	cvxOID     = "urn:oid:2.16.840.1.113883.12.292"
	mvxOID     = "urn:oid:2.16.840.1.113883.12.227"
	snomedOID  = "urn:oid:2.16.840.1.113883.6.96"
	atcOID     = "urn:oid:2.16.840.1.113883.6.73"
	v2Tables   = "http://terminology.hl7.org/CodeSystem/v2-"
	oldV2Table = "http://hl7.org/fhir/v2/"
)

// systems gives the URI of a code system by the other names that it goes by: OIDs, and
// names of HL7 v2 (table 0396).
var systems = map[string]string{
	cvxOID: SystemCVX, "CVX": SystemCVX, "HL70292": SystemCVX, "0292": SystemCVX, v2Tables + "0292": SystemCVX, oldV2Table + "0292": SystemCVX,
	mvxOID: SystemMVX, "MVX": SystemMVX, "HL70227": SystemMVX, "0227": SystemMVX, v2Tables + "0227": SystemMVX, oldV2Table + "0227": SystemMVX,
	snomedOID: SystemSNOMED, "SCT": SystemSNOMED, "SNM3": SystemSNOMED, "SNOMED": SystemSNOMED, "SNOMED-CT": SystemSNOMED, "SNOMEDCT": SystemSNOMED,
	atcOID: SystemATC, "ATC": SystemATC, "WHOATC": SystemATC, "WC": SystemATC, "http://fhir.de/CodeSystem/bfarm/atc": SystemATC,
}

// System returns the URI of a code system that is named by a URI, an OID, or as HL7 v2
// names it ("CVX", "HL70292"). What it does not know comes back as it is.
func System(name string) string {
	name = strings.TrimSpace(name)
	if uri, ok := systems[strings.ToUpper(name)]; ok {
		return uri
	}
	if uri, ok := systems[name]; ok {
		return uri
	}
	return name
}

// Status is what CDC says of a CVX code.
type Status string

// Statuses. Codes of all but Never are met in histories.
const (
	Active   Status = "active"
	Inactive Status = "inactive" // no longer given in the United States, or unspecific
	NonUS    Status = "non-us"   // given in other countries
	Never    Status = "never"    // never licensed
)

// Vaccine is a vaccine product type.
type Vaccine struct {
	CVX      string // two digits or more
	Status   Status
	Name     string   // in Spanish
	Display  string   // CDC's short description, in English
	SNOMED   string   // code that fits best; "" where the free terminology has none
	ATC      string   // "" for none
	Antigens []string // by Antigen.Name; nil for what is not a vaccine, such as immunoglobulins
}

// Antigen is what a vaccine is against, by the name that schedules use.
type Antigen struct {
	Name    string // key, as CDC's schedule data writes it: "Measles", "HepB", "Yellow Fever"
	Title   string // disease in Spanish
	Display string // disease in English
	SNOMED  string // code of the disease
}

// Maker is a manufacturer.
type Maker struct {
	MVX  string
	Name string
}

// Coding is a code with its system.
type Coding struct {
	System  string // URI
	Code    string
	Display string // "" where the list's owner does not give it away
}

// Lookup returns the vaccine with a CVX code; leading zeros do not matter.
func Lookup(cvx string) (Vaccine, bool) {
	i, ok := all().byCVX[normal(cvx)]
	if !ok {
		return Vaccine{}, false
	}
	v := all().vaccines[i]
	v.Antigens = slices.Clone(v.Antigens)
	return v, true
}

// normal writes a CVX code as the list does: at least two digits, no other leading zero.
func normal(cvx string) string {
	cvx = strings.TrimLeft(strings.TrimSpace(cvx), "0")
	for len(cvx) < 2 {
		cvx = "0" + cvx
	}
	return cvx
}

// CVX returns the CVX code that says as much as a code of a system: CVX itself,
// SNOMED CT or ATC, by any name that [System] knows. A code of those lists that is less
// specific than CVX gives the code for the unspecified product.
func CVX(system, code string) (cvx string, ok bool) {
	code = strings.TrimSpace(code)
	switch System(system) {
	case SystemCVX:
		cvx = normal(code)
		_, ok = all().byCVX[cvx]
	case SystemSNOMED:
		cvx = all().snomed[code].cvx
		ok = cvx != ""
	case SystemATC:
		cvx = all().atc[strings.ToUpper(code)].cvx
		ok = cvx != ""
	}
	if !ok {
		cvx = ""
	}
	return cvx, ok
}

// Codings returns what to write for a CVX code: CVX first, named in Spanish, then
// SNOMED CT and ATC where there are codes. Nil for an unknown code.
func Codings(cvx string) []Coding {
	v, ok := Lookup(cvx)
	if !ok {
		return nil
	}
	codings := []Coding{{SystemCVX, v.CVX, v.Name}}
	if v.SNOMED != "" {
		codings = append(codings, Coding{SystemSNOMED, v.SNOMED, all().snomed[v.SNOMED].display})
	}
	if v.ATC != "" {
		codings = append(codings, Coding{System: SystemATC, Code: v.ATC})
	}
	return codings
}

// Vaccines returns all vaccines, ordered by CVX code as numbers.
func Vaccines() []Vaccine {
	list := slices.Clone(all().vaccines)
	for i := range list {
		list[i].Antigens = slices.Clone(list[i].Antigens)
	}
	return list
}

// Antigens returns all antigens, ordered by name.
func Antigens() []Antigen { return slices.Clone(all().antigens) }

// LookupAntigen returns the antigen of a name.
func LookupAntigen(name string) (Antigen, bool) {
	i, ok := all().antigen[name]
	if !ok {
		return Antigen{}, false
	}
	return all().antigens[i], true
}

// Diseases returns what a vaccine is against, each SNOMED CT code once, to be written
// as protocolApplied.targetDisease.
func Diseases(cvx string) []Coding {
	v, _ := Lookup(cvx)
	var list []Coding
	for _, name := range v.Antigens {
		a, ok := LookupAntigen(name)
		if c := (Coding{SystemSNOMED, a.SNOMED, a.Title}); ok && !slices.Contains(list, c) {
			list = append(list, c)
		}
	}
	return list
}

// Makers returns the manufacturers, ordered by MVX code.
func Makers() []Maker { return slices.Clone(all().makers) }

// LookupMaker returns the manufacturer with an MVX code.
func LookupMaker(mvx string) (Maker, bool) {
	i, ok := all().maker[strings.ToUpper(strings.TrimSpace(mvx))]
	if !ok {
		return Maker{}, false
	}
	return all().makers[i], true
}
