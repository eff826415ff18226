package spec

import (
	"slices"
	"strings"
	"testing"
)

func TestCounts(t *testing.T) {
	byKind := map[Kind]int{}
	elements := 0
	for name, typ := range types {
		if base, _, _ := strings.Cut(name, "."); Added(base) {
			continue
		}
		byKind[typ.Kind]++
		elements += len(typ.Elements)
	}
	for kind, want := range map[Kind]int{
		Primitive:    20,
		Complex:      41,  // with Element and BackboneElement
		ResourceKind: 148, // with Resource and DomainResource
		Backbone:     473,
	} {
		if byKind[kind] != want {
			t.Errorf("kind %d: %d types, want %d", kind, byKind[kind], want)
		}
	}
	if n := len(Resources()) - len(added); n != 146 || !slices.IsSorted(Resources()) || len(added) != 1 {
		t.Errorf("%d resource types, want 146 in order, and ViewDefinition", n)
	}
	if elements != 8246 {
		t.Errorf("%d elements, want 8246", elements)
	}
}

func TestIsResource(t *testing.T) {
	for name, want := range map[string]bool{
		"Patient": true, "Binary": true, "Resource": false, "DomainResource": false, "HumanName": false,
		"Patient.contact": false, "string": false, "patient": false, "": false, "SubscriptionStatus": false, "ViewDefinition": true, "ViewDefinition.select": false,
	} {
		if IsResource(name) != want {
			t.Errorf("IsResource(%q) is %v", name, !want)
		}
	}
}

func TestIs(t *testing.T) {
	for _, c := range []struct {
		name, of string
		want     bool
	}{
		{"Patient", "Patient", true}, {"Patient", "DomainResource", true}, {"Patient", "Resource", true},
		{"Bundle", "DomainResource", false}, {"Bundle", "Resource", true}, {"Patient", "Element", false},
		{"Age", "Quantity", true}, {"Quantity", "Age", false}, {"code", "string", true}, {"url", "uri", true},
		{"positiveInt", "integer", true}, {"Patient.contact", "BackboneElement", true}, {"Timing.repeat", "Element", true},
		{"Timing.repeat", "BackboneElement", false}, {"Dosage", "BackboneElement", true}, {"Patient", "", false},
	} {
		if got := TypeOf(c.name).Is(c.of); got != c.want {
			t.Errorf("%s is %s: %v", c.name, c.of, got)
		}
	}
	if TypeOf("Nobody").Is("Resource") {
		t.Error("no type is a Resource")
	}
}

// TestElements holds elements as one reads them on the pages of R4.
func TestElements(t *testing.T) {
	for _, c := range []struct {
		typ     string
		want    Element
		typeOf  string
		binding string
	}{
		{"Patient", Element{Name: "id", Max: 1, Summary: true}, "id", ""},
		{"Patient.contact", Element{Name: "id", Max: 1}, "string", ""},
		{"boolean", Element{Name: "id", Max: 1}, "string", ""},
		{"boolean", Element{Name: "extension", Many: true}, "Extension", ""},
		{"Extension", Element{Name: "url", Min: 1, Max: 1}, "uri", ""},
		{"Extension", Element{Name: "valueReference", Choice: "value", Max: 1}, "Reference", ""},
		{"Extension", Element{Name: "valueBase64Binary", Choice: "value", Max: 1}, "base64Binary", ""},
		{"Narrative", Element{Name: "div", Min: 1, Max: 1}, "xhtml", ""},
		{"Narrative", Element{Name: "status", Min: 1, Max: 1}, "code", "narrative-status"},
		{"Meta", Element{Name: "profile", Many: true, Summary: true, Targets: []string{"StructureDefinition"}}, "canonical", ""},
		{"Identifier", Element{Name: "use", Max: 1, Summary: true, Modifier: true}, "code", "identifier-use"},
		{"Patient", Element{Name: "active", Max: 1, Summary: true, Modifier: true}, "boolean", ""},
		{"Patient", Element{Name: "name", Many: true, Summary: true}, "HumanName", ""},
		{"Patient", Element{Name: "gender", Max: 1, Summary: true}, "code", "administrative-gender"},
		{"Patient", Element{Name: "birthDate", Max: 1, Summary: true}, "date", ""},
		{"Patient", Element{Name: "deceasedBoolean", Choice: "deceased", Max: 1, Summary: true, Modifier: true}, "boolean", ""},
		{"Patient", Element{Name: "multipleBirthInteger", Choice: "multipleBirth", Max: 1}, "integer", ""},
		{"Patient", Element{Name: "managingOrganization", Max: 1, Summary: true, Targets: []string{"Organization"}}, "Reference", ""},
		{"Patient.link", Element{Name: "other", Min: 1, Max: 1, Summary: true, Targets: []string{"Patient", "RelatedPerson"}}, "Reference", ""},
		{"Patient.communication", Element{Name: "language", Min: 1, Max: 1}, "CodeableConcept", ""},
		{"Observation", Element{Name: "status", Min: 1, Max: 1, Summary: true, Modifier: true}, "code", "observation-status"},
		{"Observation", Element{Name: "focus", Many: true, Summary: true}, "Reference", ""},
		{"Observation", Element{Name: "valueQuantity", Choice: "value", Max: 1, Summary: true}, "Quantity", ""},
		{"Observation", Element{Name: "effectiveDateTime", Choice: "effective", Max: 1, Summary: true}, "dateTime", ""},
		{"Observation.referenceRange", Element{Name: "low", Max: 1, Simple: true}, "Quantity", ""},
		{"Condition", Element{Name: "clinicalStatus", Max: 1, Summary: true, Modifier: true}, "CodeableConcept", "condition-clinical"},
		{"Condition", Element{Name: "subject", Min: 1, Max: 1, Summary: true, Targets: []string{"Group", "Patient"}}, "Reference", ""},
		{"MedicationRequest", Element{Name: "medicationReference", Choice: "medication", Min: 1, Max: 1, Summary: true, Targets: []string{"Medication"}}, "Reference", ""},
		{"Immunization", Element{Name: "doseQuantity", Max: 1, Simple: true}, "Quantity", ""},
		{"Immunization", Element{Name: "occurrenceString", Choice: "occurrence", Min: 1, Max: 1, Summary: true}, "string", ""},
		{"DetectedIssue", Element{Name: "status", Min: 1, Max: 1, Summary: true, Modifier: true}, "code", "observation-status"},
		{"Money", Element{Name: "currency", Max: 1, Summary: true}, "code", ""},
		{"Dosage.doseAndRate", Element{Name: "doseQuantity", Choice: "dose", Max: 1, Summary: true, Simple: true}, "Quantity", ""},
		{"Patient", Element{Name: "contained", Many: true, Resource: true}, "", ""},
		{"Bundle.entry", Element{Name: "resource", Max: 1, Resource: true, Summary: true}, "", ""},
		{"Bundle.entry.response", Element{Name: "outcome", Max: 1, Resource: true, Summary: true}, "", ""},
		{"Parameters.parameter", Element{Name: "resource", Max: 1, Resource: true, Summary: true}, "", ""},
		{"Parameters.parameter", Element{Name: "part", Many: true, Summary: true}, "Parameters.parameter", ""},
		{"Questionnaire.item", Element{Name: "item", Many: true}, "Questionnaire.item", ""},
		{"QuestionnaireResponse.item.answer", Element{Name: "item", Many: true}, "QuestionnaireResponse.item", ""},
		{"Observation.component", Element{Name: "referenceRange", Many: true}, "Observation.referenceRange", ""},
		{"ElementDefinition.type", Element{Name: "code", Min: 1, Max: 1, Summary: true}, "uri", ""},
	} {
		got := TypeOf(c.typ).Element([]byte(c.want.Name))
		if got == nil {
			t.Errorf("%s has no %s", c.typ, c.want.Name)
			continue
		}
		if got.Type != TypeOf(c.typeOf) {
			t.Errorf("%s.%s has type %v, want %s", c.typ, got.Name, got.Type, c.typeOf)
		}
		binding := ""
		if got.Binding != nil {
			binding = strings.TrimPrefix(got.Binding.URL, "http://hl7.org/fhir/ValueSet/")
		}
		if binding != c.binding {
			t.Errorf("%s.%s is bound to %q, want %q", c.typ, got.Name, binding, c.binding)
		}
		if !sameElement(*got, c.want) {
			t.Errorf("%s.%s is %+v, want %+v", c.typ, got.Name, *got, c.want)
		}
	}
}

// sameElement compares all but Type, Binding and Index.
func sameElement(a, b Element) bool {
	return a.Name == b.Name && a.Choice == b.Choice && a.Resource == b.Resource && a.Min == b.Min && a.Many == b.Many &&
		a.Max == b.Max && slices.Equal(a.Targets, b.Targets) && a.Summary == b.Summary && a.Modifier == b.Modifier && a.Simple == b.Simple
}

func TestNoSuchElement(t *testing.T) {
	for typ, names := range map[string][]string{
		"Patient":     {"value", "deceased", "deceased[x]", "deceasedInteger", "nonsense", "", "Name", "resourceType"},
		"xhtml":       {"extension", "value"},
		"boolean":     {"value"},
		"Bundle":      {"text", "contained", "extension"},
		"Binary":      {"url", "text"},
		"Meta":        {"project", "account"},
		"Observation": {"valueAge", "valueReference"},
	} {
		for _, name := range names {
			if TypeOf(typ).Element([]byte(name)) != nil {
				t.Errorf("%s has an element %q", typ, name)
			}
		}
	}
}

// TestOrder holds that inherited elements come first, that the types of a choice
// stand together, and that Index says where an element is.
func TestOrder(t *testing.T) {
	for name, typ := range types {
		if typ.Base != nil && len(typ.Base.Elements) <= len(typ.Elements) {
			for i, e := range typ.Base.Elements {
				if typ.Elements[i].Name != e.Name {
					t.Errorf("%s: element %d is %s, but %s of %s", name, i, typ.Elements[i].Name, e.Name, typ.Base.Name)
				}
			}
		}
		seen := map[string]bool{}
		for i, e := range typ.Elements {
			if e.Index != i || typ.Element([]byte(e.Name)) != &typ.Elements[i] {
				t.Errorf("%s.%s is not where it says", name, e.Name)
			}
			if (e.Type == nil) != e.Resource {
				t.Errorf("%s.%s: a type or a resource, one of them", name, e.Name)
			}
			if e.Choice != "" && (i == 0 || typ.Elements[i-1].Choice != e.Choice) {
				if seen[e.Choice] {
					t.Errorf("%s: the types of %s[x] are apart", name, e.Choice)
				}
				seen[e.Choice] = true
			}
		}
	}
}

func TestExtensionTakesEveryDatatype(t *testing.T) {
	n := 0
	for _, e := range TypeOf("Extension").Elements {
		if e.Choice == "value" {
			n++
		}
	}
	if n != 50 {
		t.Errorf("Extension.value has %d types, want 50", n)
	}
}

func TestEveryPrimitiveHasItsPattern(t *testing.T) {
	seen := map[Pattern]string{}
	for name, typ := range types {
		if (typ.Kind == Primitive) != (typ.Pattern != NoPattern) {
			t.Errorf("%s has pattern %d", name, typ.Pattern)
		}
		if other := seen[typ.Pattern]; typ.Pattern != NoPattern && other != "" {
			t.Errorf("%s and %s share a pattern", name, other)
		}
		seen[typ.Pattern] = name
	}
}

func TestValueSets(t *testing.T) {
	gender := TypeOf("Patient").Element([]byte("gender")).Binding
	if _, ok := gender.Systems["http://hl7.org/fhir/administrative-gender"]["male"]; !ok || len(gender.Codes) != 4 {
		t.Errorf("gender is %v", gender)
	}
	item := TypeOf("Questionnaire.item").Element([]byte("type")).Binding
	if _, ok := item.Codes["question"]; ok {
		t.Error("a code that only groups others may be chosen")
	}
	if _, ok := item.Codes["open-choice"]; !ok {
		t.Error("a code under another is missing")
	}
	when := TypeOf("Timing.repeat").Element([]byte("when")).Binding
	for system, code := range map[string]string{
		"http://hl7.org/fhir/event-timing":                     "MORN.early",
		"http://terminology.hl7.org/CodeSystem/v3-TimingEvent": "ACM",
	} {
		if _, ok := when.Systems[system][code]; !ok {
			t.Errorf("%s of %s is missing", code, system)
		}
		if _, ok := when.Codes[code]; !ok {
			t.Errorf("%s is missing", code)
		}
	}
}

func TestLookupsDoNotAllocate(t *testing.T) {
	name := []byte("birthDate")
	if n := testing.AllocsPerRun(100, func() {
		if TypeOf("Patient").Element(name) == nil || Param("Patient", "birthdate") == nil || !IsResource("Patient") {
			t.Fail()
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
