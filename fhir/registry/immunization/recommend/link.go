package recommend

import (
	"fmt"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/registry/immunization/history"
	"github.com/amate-health/amate/fhir/search"
)

// types are the resources that a history is read from, beside the Patient.
var types = []string{"Immunization", "Condition", "AllergyIntolerance", "Observation"}

// Types returns the types of resources that a forecast is made from.
func Types() []string { return append([]string{"Patient"}, types...) }

// PatientOf returns the id of the Patient whom one of those is about; "" for none.
func PatientOf(doc *element.Doc) string {
	for _, name := range [...]string{"patient", "subject"} {
		if to, ok := fhir.ParseRef(str(doc, doc.Get(doc.Get(0, name), "reference"))); ok && to.Type == "Patient" {
			return to.ID
		}
	}
	return ""
}

// linksOf returns what belongs to a history in the record of a Patient: of Observations
// only those that can say something.
func linksOf(r *history.Reader) ([]search.PatientLink, error) {
	var all []search.PatientLink
	for _, typ := range types {
		q, err := search.Parse(typ, []search.Param{{Name: "patient", Value: "Patient/x"}}, search.Options{})
		if err != nil {
			return nil, err
		}
		m, ok := q.Where[0].(search.Match)
		if !ok {
			return nil, fmt.Errorf("%s has no plain parameter patient", typ)
		}
		all = append(all, search.PatientLink{Type: typ, Param: m.Param})
	}
	tokens, err := observed(r)
	all[len(all)-1].Among = tokens
	return all, err
}

// observed returns the hashes of the codes by which an Observation can say something.
func observed(r *history.Reader) (tokens []int64, err error) {
	escape := strings.NewReplacer(`\`, `\\`, `,`, `\,`, `$`, `\$`)
	var values []string
	for _, c := range r.ObservationCodes() {
		values = append(values, escape.Replace(c))
	}
	for _, name := range []string{"code", "value-concept"} {
		q, err := search.Parse("Observation", []search.Param{{Name: name, Value: strings.Join(values, ",")}}, search.Options{})
		if err != nil {
			return nil, err
		}
		m, ok := q.Where[0].(search.Match)
		if !ok {
			return nil, fmt.Errorf("the parameter %s of Observation is not a plain one", name)
		}
		for i := range m.Values {
			tokens = append(tokens, m.Values[i].Tokens...)
		}
	}
	slices.Sort(tokens)
	return slices.Compact(tokens), nil
}
