package main

func risk(id, value string) string {
	return `{"resourceType":"RiskAssessment","id":"` + id + `","status":"final","subject":{"reference":"Patient/23"},"prediction":[{"probabilityDecimal":` + value + `}]}`
}

func eventAt(id, element string) string {
	return `{"resourceType":"Procedure","id":"` + id + `","status":"completed","subject":{"reference":"Patient/23"},` + element + `}`
}

func given(id, names string) string {
	return `{"resourceType":"Patient","id":"` + id + `","name":[{"given":[` + names + `]}]}`
}

func valueSet(id, url string) string {
	return `{"resourceType":"ValueSet","id":"` + id + `","status":"active","url":"` + url + `"}`
}

func measured(id, quantity string) string {
	return `{"resourceType":"Observation","id":"` + id + `","status":"final","code":{"text":"x"},"valueQuantity":` + quantity + `}`
}

// valueExamples are the examples on the types of parameters.
var valueExamples = []example{
	{"number", []string{risk("number-a", "100"), risk("number-b", "99.5"), risk("number-c", "100.5"), risk("number-d", "100.004"),
		risk("number-e", "95"), risk("number-f", "105"), risk("number-g", "94.9"), risk("number-h", "0.9")},
		[][2]string{
			{"RiskAssessment?probability=100", "a b d"}, {"RiskAssessment?probability=100.00", "a d"}, {"RiskAssessment?probability=1e2", "a b c d e"},
			{"RiskAssessment?probability=lt100", "b e g h"}, {"RiskAssessment?probability=le100", "a b e g h"},
			{"RiskAssessment?probability=gt100", "c d f"}, {"RiskAssessment?probability=ge100", "a c d f"},
			{"RiskAssessment?probability=ne100", "c e f g h"}, {"RiskAssessment?probability=gt0.8", "a b c d e f g h"},
			{"RiskAssessment?probability=sa100", "c d f"}, {"RiskAssessment?probability=eb100", "b e g h"},
			{"RiskAssessment?probability=ap100", "a b c d e f g"},
		}},
	{"date", []string{
		eventAt("date-a", `"performedDateTime":"2013-01-14T00:00:00Z"`), eventAt("date-b", `"performedDateTime":"2013-01-14T10:00:00Z"`),
		eventAt("date-c", `"performedDateTime":"2013-01-15T00:00:00Z"`), eventAt("date-d", `"performedDateTime":"2013-01-14"`),
		eventAt("date-e", `"performedPeriod":{"start":"2013-01-21"}`), eventAt("date-f", `"performedPeriod":{"start":"2013-03-15"}`),
		eventAt("date-g", `"performedPeriod":{"end":"2013-01-21"}`), eventAt("date-h", `"performedDateTime":"2013-03-14"`),
		eventAt("date-i", `"performedDateTime":"2015-06-15"`), eventAt("date-j", `"performedDateTime":"2013"`)},
		[][2]string{
			{"Procedure?date=eq2013-01-14", "a b d"}, {"Procedure?date=2013-01-14", "a b d"},
			{"Procedure?date=ne2013-01-14", "c e f g h i j"},
			{"Procedure?date=lt2013-01-14T10:00", "a d g j"},
			{"Procedure?date=gt2013-01-14T10:00", "c d e f g h i j"},
			{"Procedure?date=ge2013-03-14", "e f h i j"},
			{"Procedure?date=le2013-03-14", "a b c d e g h j"},
			{"Procedure?date=sa2013-03-14", "f i"}, {"Procedure?date=eb2013-03-14", "a b c d g"},
			{"Procedure?date=ap2013-03-14", "a b c d e f g h j"},
			{"Procedure?date=ge2013-01-01&date=lt2014-01-01", "a b c d e f g h j"},
			{"Procedure?date=2013", "a b c d h j"}, {"Procedure?date=2013-01", "a b c d"},
			{"Procedure?date=2013-01-14T10:00:00Z", "b"}, {"Procedure?date=2013-01-14T04:00:00-06:00", "b"},
			{"Procedure?date=2013-01-14,2015", "a b d i"},
		}},
	{"string", []string{given("string-a", `"Eve"`), given("string-b", `"Evelyn"`), given("string-c", `"Severine"`), given("string-d", `"eve"`),
		given("string-e", `"EVE"`), given("string-f", `"Ana","Eve"`),
		`{"resourceType":"Patient","id":"string-g","name":[{"family":"Carreño Quiñones","text":"Peter van de Heuvel"}]}`,
		`{"resourceType":"Patient","id":"string-h","name":[{"family":"Carren\u0303o"}]}`,
		`{"resourceType":"Patient","id":"string-i","name":[{"family":"CARRENO"}],"address":[{"line":["Eve street"]}]}`},
		[][2]string{
			{"Patient?given=eve", "a b d e f"}, {"Patient?given:contains=eve", "a b c d e f"}, {"Patient?given:exact=Eve", "a f"},
			{"Patient?family=carreno", "g h i"}, {"Patient?family=Carreño", "g h i"}, {"Patient?family=quinones", "g"},
			{"Patient?family:exact=Carreño", ""}, {"Patient?family:exact=CARRENO", "i"}, {"Patient?name=peter", "g"}, {"Patient?name=heuvel", "g"},
			{"Patient?address=eve", "i"}, {"Patient?given=severine,evelyn", "b c"}, {"Patient?given=ana&given=eve", "f"},
		}},
	{"uri", []string{valueSet("uri-a", "http://acme.org/fhir/ValueSet/123"), valueSet("uri-b", "http://acme.org/fhir/ValueSet/124"),
		valueSet("uri-c", "urn:oid:1.2.3.4.5"), valueSet("uri-d", "http://ACME.org/fhir/ValueSet/123"), valueSet("uri-e", "http://acme.org/fhir")},
		[][2]string{
			{"ValueSet?url=http://acme.org/fhir/ValueSet/123", "a"}, {"ValueSet?url:below=http://acme.org/fhir/", "a b"},
			{"ValueSet?url:above=http://acme.org/fhir/ValueSet/123/_history/5", "a e"}, {"ValueSet?url=urn:oid:1.2.3.4.5", "c"},
			{"ValueSet?url=http://acme.org/fhir/ValueSet", ""},
		}},
	{"token", []string{
		`{"resourceType":"Patient","id":"token-a","identifier":[{"system":"http://acme.org/patient","value":"2345"}],"gender":"male","active":true}`,
		`{"resourceType":"Patient","id":"token-b","identifier":[{"system":"http://other.org/patient","value":"2345"}],"gender":"female"}`,
		`{"resourceType":"Patient","id":"token-c","identifier":[{"value":"2345"},{"type":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v2-0203","code":"MR"}]},"system":"http://h.org","value":"446053"}],"active":false}`,
		`{"resourceType":"Patient","id":"token-d","identifier":[{"type":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v2-0203","code":"PI"}]},"value":"446053"},{"type":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v2-0203","code":"MR"}]},"value":"1"}]}`,
		`{"resourceType":"Composition","id":"token-e","status":"final","type":{"text":"x"},"date":"2020","author":[{"display":"x"}],"title":"x","section":[{"title":"a","code":{"coding":[{"system":"http://loinc.org","code":"48765-2"}]}},{"title":"b","code":{"coding":[{"system":"http://loinc.org","code":"1-1"}]}}]}`,
		`{"resourceType":"Composition","id":"token-f","status":"final","type":{"text":"x"},"date":"2020","author":[{"display":"x"}],"title":"x","section":[{"title":"b","code":{"coding":[{"system":"http://loinc.org","code":"1-1"}]}}]}`,
		`{"resourceType":"Composition","id":"token-g","status":"final","type":{"text":"x"},"date":"2020","author":[{"display":"x"}],"title":"x"}`,
		`{"resourceType":"Condition","id":"token-h","subject":{"display":"x"},"code":{"coding":[{"system":"http://acme.org/conditions/codes","code":"ha125","display":"Headache"}]}}`,
		`{"resourceType":"Condition","id":"token-i","subject":{"display":"x"},"code":{"coding":[{"system":"http://other.org/codes","code":"ha125"}],"text":"headaches, many"}}`,
		`{"resourceType":"Condition","id":"token-j","subject":{"display":"x"},"code":{"coding":[{"code":"ha125"}],"text":"ha125"}}`,
		`{"resourceType":"Condition","id":"token-k","subject":{"display":"x"},"code":{"text":"Cephalea"}}`},
		[][2]string{
			{"Patient?identifier=http://acme.org/patient|2345", "a"}, {"Patient?identifier=2345", "a b c"}, {"Patient?identifier=|2345", "c"},
			{"Patient?identifier=http://acme.org/patient|", "a"},
			{"Patient?gender=male", "a"}, {"Patient?gender:not=male", "b c d"}, {"Patient?gender:missing=true", "c d"}, {"Patient?gender:missing=false", "a b"},
			{"Patient?gender=http://hl7.org/fhir/administrative-gender|male", "a"}, {"Patient?gender:not=male,female", "c d"},
			{"Composition?section=48765-2", "e"}, {"Composition?section:not=48765-2", "f g"}, {"Patient?active=true", "a"},
			{"Condition?code=http://acme.org/conditions/codes|ha125", "h"}, {"Condition?code=ha125", "h i j"}, {"Condition?code=|ha125", "j"},
			{"Condition?code:text=headache", "h i"}, {"Condition?code:text=CEPHAL", "k"},
			{"Patient?identifier:of-type=http://terminology.hl7.org/CodeSystem/v2-0203|MR|446053", "c"},
		}},
	{"quantity", []string{
		measured("quantity-a", `{"value":5.4,"unit":"mg","system":"http://unitsofmeasure.org","code":"mg"}`),
		measured("quantity-b", `{"value":5.40e-3,"unit":"g","system":"http://unitsofmeasure.org","code":"g"}`),
		measured("quantity-c", `{"value":5.44,"unit":"mg"}`), measured("quantity-d", `{"value":5.4}`),
		measured("quantity-e", `{"value":5.46,"unit":"mg","system":"http://unitsofmeasure.org","code":"mg"}`),
		measured("quantity-f", `{"value":5.4,"unit":"mg","system":"http://other.org","code":"mg"}`),
		measured("quantity-g", `{"value":1,"comparator":"<","unit":"mg","system":"http://unitsofmeasure.org","code":"mg"}`),
		measured("quantity-h", `{"value":5,"unit":"milligram","system":"http://unitsofmeasure.org","code":"mg"}`)},
		[][2]string{
			{"Observation?value-quantity=5.4|http://unitsofmeasure.org|mg", "a b"},
			{"Observation?value-quantity=5.40e-3|http://unitsofmeasure.org|g", "a b"},
			{"Observation?value-quantity=5.4||mg", "a c f"}, {"Observation?value-quantity=5.4", "a c d f"},
			{"Observation?value-quantity=le5.4|http://unitsofmeasure.org|mg", "a b g h"},
			{"Observation?value-quantity=ap5.4|http://unitsofmeasure.org|mg", "a b e h"},
			{"Observation?value-quantity=5||milligram", "h"}, {"Observation?value-quantity=lt1|http://unitsofmeasure.org|mg", "g"},
		}},
	{"composite", []string{
		`{"resourceType":"Observation","id":"composite-a","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"2823-3"}]},"valueQuantity":{"value":5.5,"unit":"mmol/L","system":"http://unitsofmeasure.org","code":"mmol/L"}}`,
		`{"resourceType":"Observation","id":"composite-b","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"2823-3"}]},"valueQuantity":{"value":5.3,"unit":"mmol/L","system":"http://unitsofmeasure.org","code":"mmol/L"}}`,
		`{"resourceType":"Observation","id":"composite-c","status":"final","code":{"coding":[{"system":"http://other.org","code":"2823-3"}]},"valueQuantity":{"value":5.5,"unit":"mmol/L","system":"http://unitsofmeasure.org","code":"mmol/L"}}`,
		`{"resourceType":"Observation","id":"composite-d","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"85354-9"}]},"component":[{"code":{"coding":[{"system":"http://loinc.org","code":"8480-6"}]},"valueQuantity":{"value":107}},{"code":{"coding":[{"system":"http://loinc.org","code":"8462-4"}]},"valueQuantity":{"value":50}}]}`,
		`{"resourceType":"Observation","id":"composite-e","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"85354-9"}]},"component":[{"code":{"coding":[{"system":"http://loinc.org","code":"8480-6"}]},"valueQuantity":{"value":55}},{"code":{"coding":[{"system":"http://loinc.org","code":"8462-4"}]},"valueQuantity":{"value":100}}]}`,
		`{"resourceType":"Group","id":"composite-f","type":"person","actual":true,"characteristic":[{"code":{"coding":[{"code":"gender"}]},"valueCodeableConcept":{"coding":[{"code":"mixed"}]},"exclude":false},{"code":{"coding":[{"code":"owner"}]},"valueCodeableConcept":{"coding":[{"code":"owner-1"}]},"exclude":false}]}`,
		`{"resourceType":"Group","id":"composite-g","type":"person","actual":true,"characteristic":[{"code":{"coding":[{"code":"gender"}]},"valueCodeableConcept":{"coding":[{"code":"male"}]},"exclude":false},{"code":{"coding":[{"code":"owner"}]},"valueCodeableConcept":{"coding":[{"code":"mixed"}]},"exclude":false}]}`},
		[][2]string{
			{"Observation?code-value-quantity=http://loinc.org|2823-3$gt5.4|http://unitsofmeasure.org|mmol/L", "a"},
			{"Observation?code-value-quantity=2823-3$gt5.4|http://unitsofmeasure.org|mmol/L", "a c"},
			{"Observation?component-code-value-quantity=http://loinc.org|8480-6$lt60", "e"},
			{"Observation?component-code-value-quantity=http://loinc.org|8480-6$lt60,http://loinc.org|8462-4$lt60", "d e"},
			{"Group?characteristic-value=gender$mixed", "f"}, {"Group?characteristic-value=owner$mixed", "g"},
		}},
	{"escaping", []string{
		`{"resourceType":"Patient","id":"escaping-a","identifier":[{"system":"http://acme.org/a|b","value":"1$2"}],"name":[{"family":"uno, dos"}]}`,
		`{"resourceType":"Patient","id":"escaping-b","identifier":[{"system":"http://acme.org/a","value":"c,d"}],"name":[{"family":"uno"}]}`,
		`{"resourceType":"Patient","id":"escaping-c","identifier":[{"value":"d"},{"value":"e\\f"}],"name":[{"family":"dos"}]}`},
		[][2]string{
			{`Patient?identifier=http://acme.org/a\|b|1\$2`, "a"}, {`Patient?identifier=c\,d`, "b"}, {`Patient?identifier=c,d`, "c"},
			{`Patient?family:exact=uno\, dos`, "a"}, {`Patient?family=uno,dos`, "a b c"}, {`Patient?identifier=e\\f`, "c"},
		}},
}
