package main

// referenceExamples are the examples on references, and on what leads along them.
var referenceExamples = []example{
	{"reference", []string{
		`{"resourceType":"Patient","id":"reference-23","name":[{"family":"Uno"}]}`,
		`{"resourceType":"Group","id":"reference-23","type":"person","actual":true}`,
		`{"resourceType":"Observation","id":"reference-a","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/reference-23"}}`,
		`{"resourceType":"Observation","id":"reference-b","status":"final","code":{"text":"x"},"subject":{"reference":"Group/reference-23"}}`,
		`{"resourceType":"Observation","id":"reference-c","status":"final","code":{"text":"x"},"subject":{"reference":"http://acme.org/fhir/Patient/123"}}`,
		`{"resourceType":"Observation","id":"reference-d","status":"final","code":{"text":"x"},"subject":{"identifier":{"system":"http://acme.org/fhir/identifier/mrn","value":"123456"}}}`,
		`{"resourceType":"Observation","id":"reference-e","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/reference-23/_history/1"}}`},
		[][2]string{
			{"Observation?subject=Patient/reference-23", "a e"}, {"Observation?subject:Patient=reference-23", "a e"},
			{"Observation?subject=reference-23", "a b e"}, {"Observation?patient=reference-23", "a e"},
			{"Observation?subject=http://acme.org/fhir/Patient/123", "c"}, {"Observation?subject=[base]/Patient/reference-23", "a e"},
			{"Observation?subject:identifier=http://acme.org/fhir/identifier/mrn|123456", "d"}, {"Observation?subject:Group=reference-23", "b"},
		}},
	{"chaining", []string{
		`{"resourceType":"Patient","id":"chaining-a","name":[{"given":["Peter"]}],"generalPractitioner":[{"reference":"Practitioner/chaining-joe"},{"reference":"Practitioner/chaining-ann"}]}`,
		`{"resourceType":"Patient","id":"chaining-b","name":[{"given":["Paula"]}],"generalPractitioner":[{"reference":"Practitioner/chaining-joe"}]}`,
		`{"resourceType":"Device","id":"chaining-c","deviceName":[{"name":"peter","type":"other"}]}`,
		`{"resourceType":"Practitioner","id":"chaining-joe","name":[{"text":"Joe"}],"address":[{"state":"CA"}]}`,
		`{"resourceType":"Practitioner","id":"chaining-ann","name":[{"text":"Ann"}],"address":[{"state":"MN"}]}`,
		`{"resourceType":"DiagnosticReport","id":"chaining-d","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/chaining-a"}}`,
		`{"resourceType":"DiagnosticReport","id":"chaining-e","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/chaining-b"}}`,
		`{"resourceType":"DiagnosticReport","id":"chaining-f","status":"final","code":{"text":"x"},"subject":{"reference":"Device/chaining-c"}}`},
		[][2]string{
			{"DiagnosticReport?subject:Patient.name=peter", "d"}, {"DiagnosticReport?subject.name=peter", "d"},
			{"DiagnosticReport?subject.device-name=peter", "f"},
			{"Patient?general-practitioner.name=Joe&general-practitioner.address-state=MN", "a"},
			{"Patient?general-practitioner:Practitioner.name=Joe", "a b"}, {"DiagnosticReport?patient.general-practitioner.name=ann", "d"},
			{"DiagnosticReport?subject:Patient.general-practitioner:Practitioner.address-state=CA,MN", "d e"},
		}},
	{"has", []string{
		`{"resourceType":"Patient","id":"has-a"}`, `{"resourceType":"Patient","id":"has-b"}`, `{"resourceType":"Patient","id":"has-c"}`,
		`{"resourceType":"Observation","id":"has-o1","status":"final","code":{"coding":[{"code":"1234-5"}]},"subject":{"reference":"Patient/has-a"}}`,
		`{"resourceType":"Observation","id":"has-o2","status":"final","code":{"coding":[{"code":"456"}]},"subject":{"reference":"Patient/has-b"}}`,
		`{"resourceType":"Observation","id":"has-o3","status":"final","code":{"coding":[{"code":"456"}]},"subject":{"reference":"Patient/has-a"}}`,
		`{"resourceType":"Provenance","id":"has-e1","recorded":"2020-01-01T00:00:00Z","agent":[{"who":{"reference":"Practitioner/has-p"}}],"target":[{"reference":"Observation/has-o1"}]}`,
		`{"resourceType":"Practitioner","id":"has-p"}`,
		`{"resourceType":"Group","id":"has-102","type":"person","actual":true,"member":[{"entity":{"reference":"Patient/has-b"}},{"entity":{"reference":"Patient/has-c"}}]}`,
		`{"resourceType":"Encounter","id":"has-n1","status":"finished","class":{"code":"AMB"},"subject":{"reference":"Patient/has-b"}}`,
		`{"resourceType":"Encounter","id":"has-n2","status":"finished","class":{"code":"AMB"},"subject":{"reference":"Patient/has-a"}}`},
		[][2]string{
			{"Patient?_has:Observation:patient:code=1234-5", "a"}, {"Patient?_has:Observation:patient:_has:Provenance:target:agent=has-p", "a"},
			{"Patient?_has:Group:member:_id=has-102", "b c"}, {"Encounter?patient._has:Group:member:_id=has-102", "n1"},
			{"Patient?_has:Observation:patient:code=1234-5,456", "a b"},
			{"Patient?_has:Observation:patient:code=1234-5&_has:Observation:patient:code=456", "a"},
			{"Patient?_has:Encounter:patient:_id=has-n1&_has:Observation:patient:code=1234-5", ""},
		}},
	{"canonical", []string{
		valueSetAt("canonical-a", "http://acme.org/vs", "1.0"), valueSetAt("canonical-b", "http://acme.org/vs", "2.0"),
		`{"resourceType":"Patient","id":"canonical-c","meta":{"profile":["http://acme.org/p|1.0"]}}`,
		`{"resourceType":"Patient","id":"canonical-d","meta":{"profile":["http://acme.org/p|2.0"]}}`,
		`{"resourceType":"Patient","id":"canonical-e","meta":{"profile":["http://acme.org/p"]}}`,
		`{"resourceType":"QuestionnaireResponse","id":"canonical-f","status":"completed","questionnaire":"http://acme.org/q|3"}`,
		`{"resourceType":"QuestionnaireResponse","id":"canonical-g","status":"completed","questionnaire":"http://acme.org/q|4"}`},
		[][2]string{
			{"Patient?_profile=http://acme.org/p", "c d e"}, {"Patient?_profile=http://acme.org/p|1.0", "c"},
			{"QuestionnaireResponse?questionnaire=http://acme.org/q", "f g"}, {"QuestionnaireResponse?questionnaire=http://acme.org/q|3", "f"},
			{"ValueSet?url=http://acme.org/vs&version=2.0", "b"},
		}},
}

func valueSetAt(id, url, version string) string {
	return `{"resourceType":"ValueSet","id":"` + id + `","status":"active","url":"` + url + `","version":"` + version + `"}`
}

// resultExamples are the examples on parameters of all types, and on the result.
var resultExamples = []example{
	{"all", []string{
		`{"resourceType":"Patient","id":"all-23","meta":{"source":"http://source.org/a"}}`,
		`{"resourceType":"Condition","id":"all-a","subject":{"reference":"Patient/all-23"},"meta":{"tag":[{"system":"http://acme.org/codes","code":"needs-review"}]}}`,
		`{"resourceType":"Condition","id":"all-b","subject":{"reference":"Patient/all-23"},"meta":{"tag":[{"system":"http://acme.org/codes","code":"other"}],"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"R"}]}}`,
		`{"resourceType":"DiagnosticReport","id":"all-c","status":"final","code":{"text":"x"},"meta":{"profile":["http://hl7.org/fhir/StructureDefinition/lipid"],"source":"http://source.org/b"}}`},
		[][2]string{
			{"Patient?_id=all-23", "23"}, {"Condition?_lastUpdated=gt2010-10-01", "a b"}, {"Condition?_lastUpdated=lt2010-10-01", ""},
			{"Condition?_tag=http://acme.org/codes|needs-review", "a"}, {"Condition?_tag:not=http://acme.org/codes|needs-review", "b"},
			{"Condition?_security=http://terminology.hl7.org/CodeSystem/v3-Confidentiality|R", "b"},
			{"DiagnosticReport?_profile=http://hl7.org/fhir/StructureDefinition/lipid", "c"}, {"?_type=Patient,DiagnosticReport&_source=http://source.org/b", "c"},
			{"?_type=Patient,Condition&_id=all-23,all-a,all-c", "23 a"}, {"Patient?_source:below=http://source.org", "23"},
		}},
	{"combining", []string{
		`{"resourceType":"Patient","id":"combining-a","communication":[{"language":{"coding":[{"system":"urn:ietf:bcp:47","code":"fr"}]}},{"language":{"coding":[{"system":"urn:ietf:bcp:47","code":"nl"}]}}]}`,
		`{"resourceType":"Patient","id":"combining-b","communication":[{"language":{"coding":[{"system":"urn:ietf:bcp:47","code":"fr"}]}}]}`,
		`{"resourceType":"Patient","id":"combining-c","communication":[{"language":{"coding":[{"system":"urn:ietf:bcp:47","code":"en"}]}}]}`},
		[][2]string{{"Patient?language=fr,nl", "a b"}, {"Patient?language=fr&language=nl", "a"}, {"Patient?language:not=fr", "c"}}},
	{"sort", []string{
		`{"resourceType":"Observation","id":"sort-a","status":"final","code":{"coding":[{"code":"sortme"}]},"effectiveDateTime":"2020-01-02","category":[{"coding":[{"code":"z"}]}]}`,
		`{"resourceType":"Observation","id":"sort-b","status":"amended","code":{"coding":[{"code":"sortme"}]},"effectiveDateTime":"2020-01-03","category":[{"coding":[{"code":"b"}]},{"coding":[{"code":"y"}]}]}`,
		`{"resourceType":"Observation","id":"sort-c","status":"final","code":{"coding":[{"code":"sortme"}]},"effectiveDateTime":"2020-01-03","category":[{"coding":[{"code":"a"}]}]}`,
		`{"resourceType":"Observation","id":"sort-d","status":"final","code":{"coding":[{"code":"sortme"}]},"category":[{"coding":[{"code":"a"}]}]}`,
		`{"resourceType":"Observation","id":"sort-e","status":"final","code":{"coding":[{"code":"sortme"}]},"effectiveDateTime":"2020-01-03","category":[{"coding":[{"code":"c"}]}]}`},
		[][2]string{
			{"Observation?code=sortme&_sort=status,-date,category", "b c e a d"}, {"Observation?code=sortme&_sort=-date,category", "c b e a d"},
			{"Observation?code=sortme&_sort=date,-category", "a b e c d"}, {"Observation?code=sortme&_sort=category,_id", "c d b e a"},
			{"Observation?code=sortme&_sort=-category,_id", "a b e c d"}, {"Observation?code=sortme&_sort=-_id", "e d c b a"},
		}},
	{"include", []string{
		`{"resourceType":"Patient","id":"include-p"}`, `{"resourceType":"Practitioner","id":"include-d"}`, `{"resourceType":"Organization","id":"include-o"}`,
		`{"resourceType":"MedicationRequest","id":"include-a","status":"active","intent":"order","medicationCodeableConcept":{"text":"x"},"subject":{"reference":"Patient/include-p"},"requester":{"reference":"Practitioner/include-d"},"performer":{"reference":"Organization/include-o"}}`,
		`{"resourceType":"MedicationRequest","id":"include-b","status":"active","intent":"order","medicationCodeableConcept":{"text":"x"},"subject":{"reference":"Patient/include-p"},"requester":{"reference":"Organization/include-o"}}`,
		`{"resourceType":"Provenance","id":"include-v","target":[{"reference":"MedicationRequest/include-a"}],"recorded":"2020-01-01T00:00:00Z","agent":[{"who":{"reference":"Practitioner/include-d"}}]}`,
		`{"resourceType":"MedicationDispense","id":"include-m","status":"completed","medicationCodeableConcept":{"text":"x"},"authorizingPrescription":[{"reference":"MedicationRequest/include-a"}]}`},
		[][2]string{
			{"MedicationRequest?_id=include-a,include-b&_include=MedicationRequest:patient", "+p a b"},
			{"MedicationRequest?_id=include-a,include-b&_include=MedicationRequest:requester:Practitioner", "+d a b"},
			{"MedicationRequest?_id=include-a&_revinclude=Provenance:target", "+v a"},
			{"MedicationDispense?_id=include-m&_include=MedicationDispense:prescription&_include:iterate=MedicationRequest:intended-performer", "+a +o m"},
			{"MedicationDispense?_id=include-m&_include=MedicationDispense:prescription", "+a m"},
			{"MedicationRequest?_id=include-a&_include=MedicationRequest:*", "+d +o +p a"},
		}},
	{"list", []string{
		`{"resourceType":"Patient","id":"list-a"}`, `{"resourceType":"Patient","id":"list-b"}`, `{"resourceType":"Condition","id":"list-c","subject":{"reference":"Patient/list-b"}}`,
		`{"resourceType":"List","id":"list-42","status":"current","mode":"working","entry":[{"item":{"reference":"Patient/list-a"}},{"item":{"reference":"Condition/list-c"}}]}`},
		[][2]string{{"Patient?_list=list-42", "a"}, {"Condition?_list=list-42", "c"}, {"Patient?_list=list-43", ""}, {"Patient?_list=list-42&_id=list-b", ""}}},
	{"compartments", []string{
		`{"resourceType":"Patient","id":"compartments-34"}`, `{"resourceType":"Patient","id":"compartments-35"}`,
		`{"resourceType":"Condition","id":"compartments-a","subject":{"reference":"Patient/compartments-34"}}`,
		`{"resourceType":"Condition","id":"compartments-b","subject":{"reference":"Patient/compartments-35"},"asserter":{"reference":"Patient/compartments-34"},"code":{"coding":[{"code":"x"}]}}`,
		`{"resourceType":"Condition","id":"compartments-c","subject":{"reference":"Patient/compartments-35"}}`,
		`{"resourceType":"Observation","id":"compartments-d","status":"final","code":{"text":"x"},"performer":[{"reference":"Patient/compartments-34"}]}`},
		[][2]string{
			{"Patient/compartments-34/Condition?_count=50", "a b"}, {"Patient/compartments-34/Condition?code=x", "b"},
			{"Patient/compartments-34/Observation?_count=50", "d"},
		}},
	{"near", []string{
		`{"resourceType":"Location","id":"near-a","position":{"longitude":-83.69471,"latitude":42.25650}}`,
		`{"resourceType":"Location","id":"near-b","position":{"longitude":-83.80,"latitude":42.30}}`,
		`{"resourceType":"Location","id":"near-c","position":{"longitude":-84.69471,"latitude":42.25650}}`,
		`{"resourceType":"Location","id":"near-d"}`},
		[][2]string{{"Location?near=42.256500|-83.694810|11.20|km", "a b"}, {"Location?near=42.256500|-83.694810|100|m", "a"}, {"Location?near=42.256500|-83.694810|200|km", "a b c"}}},
	{"filter", []string{
		`{"resourceType":"Patient","id":"filter-a","name":[{"given":["Peter"]}],"birthDate":"2014-10-12","gender":"male"}`,
		`{"resourceType":"Patient","id":"filter-b","name":[{"given":["Peter"]}],"birthDate":"2014-10-01","gender":"female"}`,
		`{"resourceType":"Patient","id":"filter-c","name":[{"given":["Perpetua"]}],"birthDate":"2015"}`,
		`{"resourceType":"Observation","id":"filter-d","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"1234-5"}]},"subject":{"reference":"Patient/filter-a"}}`,
		`{"resourceType":"Observation","id":"filter-e","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"9"}]},"subject":{"reference":"Patient/filter-c"}}`},
		[][2]string{
			{`Patient?_filter=given eq "peter" and birthdate ge 2014-10-10`, "a"}, {`Patient?_filter=name co "pet"`, "a b c"},
			{`Patient?_filter=given sw "pet" and not (gender eq male)`, "b"}, {`Patient?_filter=gender pr false`, "c"},
			{`Patient?_filter=gender eq male or birthdate ge 2015-01-01`, "a c"}, {`Observation?_filter=code eq http://loinc.org|1234-5`, "d"},
			{`Observation?_filter=subject.given co "pet"`, "d e"},
		}},
	{"text", []string{
		`{"resourceType":"Condition","id":"text-a","subject":{"display":"x"},"text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>Bone <b>metastases</b></p></div>"}}`,
		`{"resourceType":"Condition","id":"text-b","subject":{"display":"x"},"text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">metastases of the LIVER</div>"}}`,
		`{"resourceType":"Condition","id":"text-c","subject":{"display":"x"},"text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">metastases</div>"},"code":{"text":"bone"}}`,
		`{"resourceType":"Condition","id":"text-d","subject":{"display":"x"},"text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">bone</div>"},"note":[{"text":"Metástasis ósea"}]}`},
		[][2]string{
			{"Condition?_text=bone", "a d"}, {"Condition?_text=(bone OR liver) and metastases", "a b"}, {"Condition?_content=bone", "a c d"},
			{"Condition?_content=metastasis osea", "d"},
		}},
}
