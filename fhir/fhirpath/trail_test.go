package fhirpath_test

import (
	"slices"
	"testing"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/fhirpath"
	"github.com/amate-health/amate/fhir/spec"
)

// followed are expressions that are to be followed, and evaluated ones that must not be.
var followed = map[string]bool{
	"id": true, "Patient.id": true, "name.family": true, "name.given": true, "name.first().given.first()": true, "name[1].given": true, "name.given[2]": true,
	"name.where(use = 'official').family": true, "name.where(use = 'official').given.first()": true, "contact.telecom.where(system = 'phone').value": true,
	"birthDate": true, "active": true, "multipleBirth.ofType(integer)": true, "deceased.ofType(dateTime)": true, "extension('urn:x').value.ofType(string)": true,
	"extension.where(url = 'urn:x').url": true, "meta.tag.code": true, "contact[0].name.family": true, "name.first()[1].family": false, "getResourceKey()": true,
	"managingOrganization.getReferenceKey()": true, "managingOrganization.getReferenceKey(Patient)": true, "generalPractitioner.getReferenceKey(Practitioner)": true,
	"$this.gender": true, "name.period.start": true, "name.given.where($this = 'Ana')": false, "name.count()": false, "value": false, "multipleBirth": true,
	"gender = 'male'": false, "name.exists()": false, "contained.id": false, "name.last().family": false, "Observation.id": false, "birthDate.extension('x')": false,
	"name.where(use != 'usual').family": false, "name | contact": false, "managingOrganization.resolve().id": false, "%resource.id": false, "name.family.getReferenceKey()": false,
}

var followedIn = []string{
	`{"resourceType":"Patient","id":"p1","active":true,"birthDate":"1990-01","multipleBirthInteger":2,"deceasedDateTime":"2020-01-01","gender":"male",
"extension":[{"url":"urn:y","valueCode":"c"},{"url":"urn:x","valueString":"a\u00f1o\n"},{"url":"urn:x","valueString":"2"}],
"meta":{"tag":[{"code":"t"},{"system":"s"}]},"name":[{"use":"official","family":"Ek","given":["Ana",null,"Luz"],"period":{"start":"2020"}},{"use":"usual","given":["Anita"]},{"use":"official","family":"Uc"}],
"contact":[{"name":{"family":"Pech"},"telecom":[{"system":"phone","value":"1"},{"system":"email","value":"2"}]},{}],
"managingOrganization":{"reference":"http://h/fhir/Organization/o/_history/2"},"generalPractitioner":[{"reference":"Practitioner/d"},{"reference":"Organization/o"},{"display":"x"},{"reference":"#c"}]}`,
	`{"resourceType":"Patient","id":"p2","_active":{"extension":[{"url":"urn:a","valueCode":"x"}]},"birthDate":"1990-01-02","_birthDate":{"extension":[{"url":"x","valueCode":"x"}]},"multipleBirthBoolean":true,
"name":[{"use":"official","_family":{"extension":[{"url":"urn:a"}]},"given":["A","B","C"],"_given":[null,{"id":"2"},null]}],"contact":[null,{"telecom":{"system":"phone","value":"3"}}]}`,
	`{"resourceType":"Patient","name":"no object","contact":[[{"name":{"family":"deep"}}],7],"meta":{"tag":[]},"managingOrganization":{"reference":["a"]},"active":"yes","gender":{"a":1}}`,
	`{"resourceType":"Patient"}`,
}

// A Trail leads to what evaluating leads to, in the same order, whatever the resource is like.
func TestTrails(t *testing.T) {
	compared := 0
	var w fhirpath.Walker
	for text, want := range followed {
		e, err := fhirpath.Compile(text, fhirpath.Tabular)
		if err != nil {
			t.Fatal(err)
		}
		trail := e.Trail(spec.TypeOf("Patient"))
		if (trail != nil) != want {
			t.Errorf("%s is followed: %v", text, trail != nil)
		}
		for _, json := range followedIn {
			d, err := element.Parse([]byte(json))
			if err != nil {
				t.Fatal(err)
			}
			if trail == nil || !trail.Follow(&w, d, 0) {
				continue
			}
			found, err := e.Eval(d, 0, nil)
			if err != nil {
				t.Fatal(err)
			}
			var have, should []string
			for _, n := range w.Found {
				if key, made := trail.Key(d, n); !made {
					have = append(have, string(d.Raw(n)))
				} else if key != "" {
					have = append(have, key)
				}
			}
			for _, i := range found {
				if i.IsElement() {
					should = append(should, string(i.Doc.Raw(i.Node)))
				} else {
					should = append(should, i.System().String())
				}
			}
			if !slices.Equal(have, should) {
				t.Errorf("%s of %.60s leads to %q, evaluated to %q", text, json, have, should)
			}
			compared++
		}
	}
	if compared < 80 {
		t.Errorf("only %d were compared", compared)
	}
}

// Where an element may have extensions in place of a value, only evaluating counts them.
func TestTrailsStray(t *testing.T) {
	var w fhirpath.Walker
	d, err := element.Parse([]byte(followedIn[1]))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"active", "name.family", "name.given", "birthDate"} {
		e, err := fhirpath.Compile(text)
		if err != nil {
			t.Fatal(err)
		}
		if e.Trail(spec.TypeOf("Patient")).Follow(&w, d, 0) {
			t.Errorf("%s was followed past an extension", text)
		}
	}
}

func TestDescends(t *testing.T) {
	for text, want := range map[string]bool{
		"item": true, "item.answer": true, "contact.where(name.exists())": true, "item | answer.item": true, "children()": true, "extension('a').extension('b')": true,
		"$this.item": true, "Patient.contact": true, "contact[0]": true, "$this": false, "where(true)": false, "%resource.item": false, "item | $this": false,
		"resolve()": false, "item.resolve()": false, "iif(true, $this)": false, "Patient": false, "1": false, "repeat($this)": false, "first()": false,
	} {
		e, err := fhirpath.Compile(text)
		if err != nil {
			t.Fatal(err)
		}
		if e.Descends() != want {
			t.Errorf("%s descends: %v", text, !want)
		}
	}
}
