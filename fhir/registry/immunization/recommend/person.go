package recommend

import (
	"slices"
	"strconv"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
)

// systemINEGI is the system of the keys of municipalities: entity and municipality, five
// digits (https://www.inegi.org.mx/app/ageeml/).
const systemINEGI = "https://www.inegi.org.mx/app/ageeml/"

// person is what a Patient says of who they are and of where they belong.
type person struct {
	doc      *element.Doc
	gone     bool // dead, replaced by another Patient, or not to be seen: nothing is derived
	place    int32
	managing element.Node // managingOrganization
	labels   []string     // meta.security: each a Coding in JSON
}

func str(d *element.Doc, n element.Node) string {
	if n == element.None || d.Kind(n) != element.String {
		return ""
	}
	return d.Text(n)
}

// items returns the items of an array; none for anything else.
func items(d *element.Doc, n element.Node) []element.Node {
	if n == element.None || d.Kind(n) != element.Array {
		return nil
	}
	var all []element.Node
	for c := d.First(n); c != element.None; c = d.Next(n, c) {
		all = append(all, c)
	}
	return all
}

// personOf reads a Patient. blocked is the security label of a record that is blocked,
// "system|code".
func personOf(d *element.Doc, blocked string) *person {
	p := &person{doc: d, managing: d.Get(0, "managingOrganization")}
	p.labels = labels(d)
	dead := d.Get(0, "deceasedDateTime") != element.None
	if n := d.Get(0, "deceasedBoolean"); n != element.None {
		dead = d.Kind(n) == element.True
	}
	p.gone = dead || replaced(d) || labelled(d, blocked)
	for _, a := range items(d, d.Get(0, "address")) {
		if use := str(d, d.Get(a, "use")); use == "old" {
			continue
		}
		if p.place = municipality(d, a); p.place != 0 {
			break
		}
	}
	return p
}

// replaced reports whether another Patient stands for this one.
func replaced(d *element.Doc) bool {
	return slices.ContainsFunc(items(d, d.Get(0, "link")), func(n element.Node) bool { return str(d, d.Get(n, "type")) == "replaced-by" })
}

// labels returns the security labels of a resource.
func labels(d *element.Doc) (all []string) {
	for _, n := range items(d, d.Get(d.Get(0, "meta"), "security")) {
		all = append(all, string(d.Raw(n)))
	}
	return all
}

func labelled(d *element.Doc, label string) bool {
	system, code, _ := strings.Cut(label, "|")
	return slices.ContainsFunc(items(d, d.Get(d.Get(0, "meta"), "security")), func(n element.Node) bool {
		return str(d, d.Get(n, "code")) == code && str(d, d.Get(n, "system")) == system
	})
}

// municipality returns the key of the municipality of an address: INEGI's, which stands
// beside the name of district, city or state as a coding.
//
// See https://hl7.org/fhir/R4/extension-iso21090-sc-coding.html.
func municipality(d *element.Doc, address element.Node) int32 {
	for _, name := range [...]string{"_district", "_city", "_state"} {
		for _, x := range items(d, d.Get(d.Get(address, name), "extension")) {
			c := d.Get(x, "valueCoding")
			key := str(d, d.Get(c, "code"))
			if str(d, d.Get(c, "system")) != systemINEGI || len(key) != 5 {
				continue
			}
			if n, err := strconv.ParseUint(key, 10, 31); err == nil {
				return int32(n)
			}
		}
	}
	return 0
}

// place is where something belongs: a CLUES that a Reference gives by itself, or what it
// refers to.
type place struct {
	clues string
	ref   fhir.Ref
}

// placeOf reads a Reference to an Organization or Location; clues is the system of CLUES.
func placeOf(d *element.Doc, reference element.Node, clues string) place {
	if reference == element.None {
		return place{}
	}
	id := d.Get(reference, "identifier")
	if value := str(d, d.Get(id, "value")); value != "" && str(d, d.Get(id, "system")) == clues {
		return place{clues: value}
	}
	ref, ok := fhir.ParseRef(str(d, d.Get(reference, "reference")))
	if !ok || ref.Type != "Organization" && ref.Type != "Location" {
		return place{}
	}
	return place{ref: ref.Current()}
}

// given returns where the dose of an Immunization was given: its location, else the
// organization that performed it.
func given(d *element.Doc, clues string) place {
	if p := placeOf(d, d.Get(0, "location"), clues); p != (place{}) {
		return p
	}
	for _, n := range items(d, d.Get(0, "performer")) {
		if p := placeOf(d, d.Get(n, "actor"), clues); p != (place{}) {
			return p
		}
	}
	return place{}
}
