package recommend

import (
	"context"
	"fmt"
	"slices"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
)

// mostResources is how many resources one call of $immds-forecast may hold.
const mostResources = 2000

// forecast answers $immds-forecast: what is given in the call is all that is looked at,
// and nothing of it is kept.
//
// See http://hl7.org/fhir/us/immds/OperationDefinition/immds-forecast.
func (d *Desk) forecast(_ context.Context, call *operation.Call) (*operation.Answer, error) {
	a, err := d.ask(call, paramAssessment, paramPatient, paramImmunization, paramResource)
	if err != nil {
		return nil, err
	}
	v, given, err := call.In.One(paramPatient)
	if err != nil {
		return nil, err
	}
	if !given {
		return nil, fhir.Errorf(fhir.Invalid, "$immds-forecast needs the parameter patient, a Patient")
	}
	patient, err := resource(v, paramPatient, "Patient")
	if err != nil {
		return nil, err
	}
	id := str(patient, patient.Get(0, "id"))
	docs, err := resources(call, id)
	if err != nil {
		return nil, err
	}
	p := &paper{book: a.book, patient: patientRef(id), spanish: a.spanish}
	if p.kept, err = a.book.Reader.Read(patient, docs); err != nil {
		return nil, err
	}
	answer, err := a.answer(p, func(*writer) {})
	if err == nil {
		answer.Nothing = true
	}
	return answer, err
}

// resource returns the resource that a parameter carries, by itself.
func resource(v operation.Value, name string, types ...string) (*element.Doc, error) {
	n, ok := v.Resource()
	if !ok {
		return nil, fhir.Errorf(fhir.Invalid, "the parameter %s is a resource", name).At("Parameters.parameter.resource")
	}
	doc, err := element.Parse(v.Doc.Raw(n))
	if err != nil {
		return nil, err
	}
	if typ := str(doc, doc.Get(0, "resourceType")); !slices.Contains(types, typ) {
		return nil, fhir.Errorf(fhir.Invalid, "the parameter %s holds another type of resource", name).
			With("%s is one of %v, not %.50q", name, types, typ).At("Parameters.parameter.resource.resourceType")
	}
	return doc, nil
}

// resources returns the history that a call gives, all of it of one patient.
func resources(call *operation.Call, patient string) (docs []*element.Doc, err error) {
	for _, p := range []struct {
		name  string
		types []string
	}{{paramImmunization, types[:1]}, {paramResource, types}} {
		for i, v := range call.In.All(p.name) {
			doc, err := resource(v, p.name, p.types...)
			if err != nil {
				return nil, err
			}
			if other := ofAnother(doc, patient); other != "" {
				return nil, fhir.Errorf(fhir.Unprocessable, "a resource is of another patient than the parameter patient").
					With("%s[%d] refers to %.100s", p.name, i, other).At(fmt.Sprintf("Parameters.parameter.where(name='%s')[%d].resource", p.name, i))
			}
			if docs = append(docs, doc); len(docs) > mostResources {
				return nil, fhir.Errorf(fhir.TooCostly, "a call holds %d resources at most", mostResources)
			}
		}
	}
	return docs, nil
}

// ofAnother returns the reference of a resource to a Patient with another id; "" for none.
func ofAnother(doc *element.Doc, patient string) string {
	for _, name := range [...]string{"patient", "subject"} {
		text := str(doc, doc.Get(doc.Get(0, name), "reference"))
		if ref, ok := fhir.ParseRef(text); ok && ref.Type == "Patient" && patient != "" && ref.ID != patient {
			return text
		}
	}
	return ""
}
