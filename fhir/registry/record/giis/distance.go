package giis

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// What a ServiceRequest of a visit is for, where it goes to somebody at a distance: a
// category with the name of a variable (SystemVariable) says it. "telemedicina" asks a unit
// of a higher level for its opinion; "estudiosTeleconsulta" sends a study to be read there.
const (
	categoryOpinion = "telemedicina"
	categoryStudy   = "estudiosTeleconsulta"
)

// Systems of codes that say which study is sent.
const (
	SystemStudy = "https://github.com/amate-health/amate/fhir/CodeSystem/giis-estudio-teleconsulta" // those of the guide, 1 to 7
	systemDICOM = "http://dicom.nema.org/resources/ontology/DCM"                                    // modalities
)

// otherStudy is the code of the guide for studies that it does not name.
const otherStudy = 7

// modalities are the studies of the guide (variable 105) by their modality.
var modalities = map[string]int{"US": 1, "ECG": 2, "DX": 3, "CR": 3, "RF": 3, "CT": 4, "MR": 5, "MG": 6}

// request is a ServiceRequest.
type request struct {
	Status     string
	Category   []concept
	Code       concept
	OrderCode  []concept `json:"orderDetail"`
	ReasonCode []concept
	Encounter  reference
}

// counts reports whether a request was really made.
func (r *request) counts() bool { return r.Status == "active" || r.Status == "completed" }

// is reports whether a request is of a category.
func (r *request) is(category string) bool {
	return slices.ContainsFunc(r.Category, func(c concept) bool { return strings.EqualFold(c.code(SystemVariable), category) })
}

// study returns which study a request sends.
func (r *request) study() int {
	for _, c := range append([]concept{r.Code}, r.OrderCode...) {
		if n, err := strconv.Atoi(c.code(SystemStudy)); err == nil && n >= 1 && n <= otherStudy {
			return n
		}
		if n := modalities[c.code(systemDICOM)]; n > 0 {
			return n
		}
	}
	return otherStudy
}

// distant reports whether the visit itself took place at a distance.
func (v *visit) distant() bool { return v.encounter.Class.Code == "VR" }

// telemedicine returns variable 103: a unit of a higher level was asked. A visit at a
// distance is none (the guide allows one of the two).
func (v *visit) telemedicine() string {
	asked := slices.ContainsFunc(v.requests, func(r *request) bool { return r.is(categoryOpinion) })
	return wrong(asked && !v.distant() && v.row.at(vTeleconsulta) != "1", "1")
}

// teleconsulta returns variable 104: the visit took place at a distance.
func (v *visit) teleconsulta() string {
	return wrong(v.distant() && v.row.at(vTelemedicine) != "1", "1")
}

// studies returns variable 105: what was sent to be read at a distance, each kind once.
func (v *visit) studies() string {
	if v.row.at(vTelemedicine) == "1" {
		return ""
	}
	var all []int
	for _, r := range v.requests {
		if r.is(categoryStudy) {
			all = append(all, r.study())
		}
	}
	slices.SortFunc(all, cmp.Compare)
	var text []string
	for _, n := range slices.Compact(all) {
		text = append(text, strconv.Itoa(n))
	}
	return strings.Join(text, "&")
}
