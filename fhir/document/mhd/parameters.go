package mhd

// Parameters are the search parameters of MHD beyond those of R4, as SearchParameter
// resources, each with the id that it is stored under.
//
// See https://profiles.ihe.net/ITI/MHD/artifacts.html#behavior-search-parameters.
var Parameters = []string{
	parameter("mhd-creation", "DocumentReference-Creation", "creation", "DocumentReference", "date", "DocumentReference.content.attachment.creation",
		"When the document was made"),
	parameter("mhd-source-id", "List-SourceId", "sourceId", "List", "token", "List.extension.where(url = '"+sourceID+"').value.ofType(Identifier)",
		"Who sent the submission"),
	parameter("mhd-designation-type", "List-DesignationType", "designationType", "List", "token", "List.extension.where(url = '"+purpose+"').value.ofType(CodeableConcept)",
		"What kind of clinical activity the submission is of"),
}

func parameter(id, name, code, base, typ, expression, what string) string {
	return `{"resourceType":"SearchParameter","id":"` + id + `","url":"` + guide + "SearchParameter/" + name + `","name":"` + code + `","status":"active","description":"` + what +
		`","code":"` + code + `","base":["` + base + `"],"type":"` + typ + `","expression":"` + expression + `"}`
}
