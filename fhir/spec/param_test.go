package spec

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestParamIDs pins the ids: databases hold them. A change here needs a migration
// that rewrites every index, so new parameters get ids from 20000 instead.
func TestParamIDs(t *testing.T) {
	const pinned = "323733f995dac9eb8cbd3be795e1dfad493e32578ff56add623fed2c6bfe9e78"
	sum := sha256.New()
	last := &SearchParam{}
	for id := 1; id <= 1706; id++ {
		p := ParamByID(uint16(id))
		fmt.Fprintln(sum, id, p.Base, p.Code)
		if int(p.ID) != id {
			t.Errorf("id %d holds %d", id, p.ID)
		}
		if cmp.Or(strings.Compare(last.Base, p.Base), strings.Compare(last.Code, p.Code)) >= 0 {
			t.Errorf("%s.%s stands after %s.%s", p.Base, p.Code, last.Base, last.Code)
		}
		last = p
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != pinned {
		t.Errorf("the ids have changed: %s", got)
	}
	// What is added to R4 follows, and may grow, but keeps its numbers too.
	for id, code := range map[uint16]string{1707: "context", 1714: "name", 1717: "resource", 1720: "url", 1721: "version"} {
		if p := ParamByID(id); p == nil || p.Base != "ViewDefinition" || p.Code != code || p.ID != id {
			t.Errorf("id %d holds %+v, not %s", id, p, code)
		}
	}
	for _, id := range []uint16{0, 1722, 20000, 65535} {
		if ParamByID(id) != nil {
			t.Errorf("there is a parameter %d", id)
		}
	}
}

func TestParams(t *testing.T) {
	for _, c := range []struct {
		base, code string
		typ        SearchType
		expression string
		targets    string
	}{
		{"Patient", "birthdate", Date, "Patient.birthDate", ""},
		{"Person", "birthdate", Date, "Person.birthDate", ""},
		{"Patient", "_id", Token, "Resource.id", ""},
		{"", "_lastUpdated", Date, "Resource.meta.lastUpdated", ""},
		{"Patient", "_profile", URI, "Resource.meta.profile", ""},
		{"Patient", "_text", String, "", ""},
		{"Patient", "death-date", Date, "(Patient.deceased as dateTime)", ""},
		{"Patient", "deceased", Token, "Patient.deceased.exists() and Patient.deceased != false", ""},
		{"Patient", "email", Token, "Patient.telecom.where(system='email')", ""},
		{"Condition", "code", Token, "Condition.code", ""},
		{"AllergyIntolerance", "code", Token, "AllergyIntolerance.code | AllergyIntolerance.reaction.substance", ""},
		{"MedicationRequest", "code", Token, "(MedicationRequest.medication as CodeableConcept)", ""},
		{"RiskAssessment", "date", Date, "(RiskAssessment.occurrence as dateTime)", ""},
		{"Observation", "value-quantity", Quantity, "(Observation.value as Quantity) | (Observation.value as SampledData)", ""},
		{"Observation", "patient", Reference, "Observation.subject.where(resolve() is Patient)", "Patient"},
		{"Observation", "subject", Reference, "Observation.subject", "Device|Group|Location|Patient"},
		{"Observation", "encounter", Reference, "Observation.encounter", "Encounter"},
		{"Immunization", "patient", Reference, "Immunization.patient", "Patient"},
		{"DeviceUseStatement", "patient", Reference, "DeviceUseStatement.subject", "Group|Patient"},
		{"InsurancePlan", "name", String, "name | alias", ""},
		{"RiskAssessment", "probability", Number, "RiskAssessment.prediction.probability", ""},
		{"Location", "near", Special, "Location.position", ""},
	} {
		p := Param(c.base, c.code)
		if p == nil {
			t.Errorf("%s has no parameter %s", c.base, c.code)
			continue
		}
		if p.Type != c.typ || strings.ReplaceAll(p.Expression, " = ", "=") != c.expression || strings.Join(p.Targets, "|") != c.targets {
			t.Errorf("%s.%s is %v %q %v", c.base, c.code, p.Type, p.Expression, p.Targets)
		}
		if !strings.HasPrefix(p.URL, "http://hl7.org/fhir/SearchParameter/") {
			t.Errorf("%s.%s has URL %q", c.base, c.code, p.URL)
		}
	}
}

func TestParamsOfAType(t *testing.T) {
	for _, resource := range append(slices.Clone(Resources()), "") {
		list := Params(resource)
		if !slices.IsSortedFunc(list, func(a, b *SearchParam) int { return strings.Compare(a.Code, b.Code) }) {
			t.Errorf("%s: not in order", resource)
		}
		for _, p := range list {
			if Param(resource, p.Code) != p || ParamByID(p.ID) != p {
				t.Errorf("%s.%s is not found again", resource, p.Code)
			}
			own := p.Base == resource || p.Base == "Resource" || p.Base == "DomainResource" && TypeOf(resource).Is("DomainResource")
			if !own {
				t.Errorf("%s has %s of %s", resource, p.Code, p.Base)
			}
			for _, target := range p.Targets {
				if !IsResource(target) {
					t.Errorf("%s.%s points to %s", resource, p.Code, target)
				}
			}
			// 4.0.1 names no target for RequestGroup.instantiates-canonical.
			if p.Type == Reference && p.Targets == nil && p.Code != "instantiates-canonical" {
				t.Errorf("%s.%s points nowhere", resource, p.Code)
			}
			if (p.Type == Composite) != (len(p.Components) > 1) {
				t.Errorf("%s.%s has %d components", resource, p.Code, len(p.Components))
			}
		}
	}
	for _, c := range []struct{ resource, code string }{
		{"Bundle", "_text"}, {"", "_text"}, {"Patient", "code"}, {"Nobody", "_id"}, {"Patient", "_filter"}, {"Patient", "part-agree"},
	} {
		if Param(c.resource, c.code) != nil {
			t.Errorf("%s has a parameter %s", c.resource, c.code)
		}
	}
}

// TestNoForeignPaths holds that no expression mentions a type other than its base
// at the head of an alternative.
func TestNoForeignPaths(t *testing.T) {
	for _, p := range paramsByID[1:] {
		for _, part := range strings.Split(p.Expression, " | ") {
			head, _, _ := strings.Cut(strings.TrimLeft(part, "("), ".")
			if TypeOf(head) != nil && head != p.Base {
				t.Errorf("%s.%s looks into %s", p.Base, p.Code, head)
			}
		}
	}
}

func TestComponents(t *testing.T) {
	p := Param("Observation", "code-value-quantity")
	want := []Component{
		{"code", "http://hl7.org/fhir/SearchParameter/clinical-code", Token},
		{"value.as(Quantity)", "http://hl7.org/fhir/SearchParameter/Observation-value-quantity", Quantity},
	}
	if p.Expression != "Observation" || !slices.Equal(p.Components, want) {
		t.Errorf("%+v", p)
	}
}

func TestCompartment(t *testing.T) {
	for _, c := range []struct{ compartment, resource, want string }{
		{"Patient", "Observation", "subject performer"},
		{"Patient", "Patient", "link"},
		{"Patient", "Immunization", "patient"},
		{"Patient", "Organization", ""},
		{"Patient", "MolecularSequence", "patient"},
		{"Encounter", "Observation", "encounter"},
		{"Encounter", "Encounter", "{def}"},
		{"Practitioner", "Practitioner", "{def}"},
		{"RelatedPerson", "Patient", "link"},
		{"Device", "Observation", "subject device"},
		{"Location", "Observation", ""},
	} {
		if got := strings.Join(Compartment(c.compartment, c.resource), " "); got != c.want {
			t.Errorf("%s in %s: %q, want %q", c.resource, c.compartment, got, c.want)
		}
	}
	for compartment, members := range compartments {
		for resource, codes := range members {
			for _, code := range codes {
				if code != "{def}" && Param(resource, code) == nil {
					t.Errorf("%s in %s by %s, which it has not", resource, compartment, code)
				}
			}
		}
	}
}
