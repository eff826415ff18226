package profile

// codeIn names a prescription by its paper.
var codeIn = parameter{name: "code", typ: "string", min: 1, text: "What the QR code of the prescription holds, or the address under it."}

// dispensing is what a pharmacy is told.
var dispensing = []parameter{
	{name: "folio", typ: "string", min: 1, text: "Of the prescription."}, {name: "state", typ: "code", min: 1, text: "open, partial, dispensed, cancelled or expired."},
	{name: "composition", typ: "Reference", min: 1, text: "Its document."}, {name: "signed", typ: "instant", min: 1, text: "When it was signed."}, {name: "expires", typ: "instant", min: 1, text: "Until when it is good."},
	{name: "prescriber", typ: "string", min: 1, text: "Name."}, {name: "cedula", typ: "string", min: 1, text: "Cédula profesional."},
	{name: "clues", typ: "string", min: 1, text: "CLUES of the establishment."}, {name: "establishment", typ: "string", min: 1, text: "Its name."},
	{name: "patient", typ: "string", min: 1, text: "Name."}, {name: "born", typ: "date", min: 1, text: "Date of birth."},
	{name: "item", max: "*", text: "A medicine.", parts: []parameter{
		{name: "number", typ: "positiveInt", min: 1, text: "Its place on the paper."}, {name: "request", typ: "Reference", min: 1, text: "Its MedicationRequest."},
		{name: "medicine", typ: "string", min: 1, text: "Generic name and strength."}, {name: "form", typ: "string", min: 1, text: "Pharmaceutical form."}, {name: "instruction", typ: "string", min: 1, text: "To the patient."},
		{name: "prescribed", typ: "decimal", min: 1, text: "How much in all."}, {name: "left", typ: "decimal", min: 1, text: "How much of it was not dispensed."}, {name: "unit", typ: "string", min: 1, text: "Of both."},
		{name: "antibiotic", typ: "boolean", min: 1, text: "The pharmacy keeps the prescription."}, {name: "group", typ: "code", text: "Fraction of LGS art. 226."},
	}},
}

// prescribing are the operations of prescriptions.
var prescribing = []definition{
	{name: "draft-prescription", title: "Draft a prescription", changes: true, scope: onInstance, types: []string{"Encounter", "Patient"},
		text: "Checks what is prescribed, and drafts the document with its requests, to be signed by $prepare-signature and $sign. Generic name, form, strength, dose, route, frequency, duration, quantity and instructions are asked for; allergies, duplicates and a missing weight of a child are refused until they are overridden with a reason; controlled medicines are refused.",
		in: []parameter{
			{name: "medication", typ: "MedicationRequest", min: 1, max: "*", text: "A medicine, with a contained Medication."},
			{name: "override", max: "*", text: "A warning that is known, and why it is prescribed all the same.", parts: []parameter{
				{name: "rule", typ: "code", min: 1, text: "receta-alergia, receta-duplicado or receta-peso."}, {name: "reason", typ: "string", min: 1, text: "Why."},
			}},
			{name: "days", typ: "positiveInt", text: "In which it is good; 30 when left out."}, {name: "establishment", typ: "Reference", text: "Organization, where visit and caller have none."},
			{name: "author", typ: "Reference", text: "Who prescribes, on a server without access control; the caller otherwise."},
		},
		out: []parameter{
			{name: "folio", typ: "string", min: 1, text: "Of the prescription."}, {name: "composition", typ: "Reference", min: 1, text: "To be signed."}, {name: "medication", typ: "Reference", min: 1, max: "*", text: "Requests, in the order in which they were given."},
		}},
	{name: "print-prescription", title: "Print a prescription", scope: onInstance, types: onComposition,
		text: "The paper of a signed prescription, as application/pdf or text/html, with a QR code that leads to a public page and can be verified without a connection.",
		out:  []parameter{{name: "return", typ: "Binary", min: 1, text: "The paper."}}},
	{name: "find-prescription", title: "What a pharmacy has to know", changes: true, scope: onType, types: onComposition, out: dispensing,
		text: "A signed prescription by its paper: what is prescribed, for whom, and how much of it is left. Who has the paper may see it.",
		in:   []parameter{codeIn}},
	{name: "dispense", title: "Dispense a prescription", changes: true, scope: onType, types: onComposition,
		text: "Hands out all that is left of a prescription, or some of it, as MedicationDispense. No more is handed out than is prescribed, however many pharmacies try at once.",
		in: []parameter{codeIn,
			{name: "item", max: "*", text: "What is handed out; all that is left when there is none.", parts: []parameter{
				{name: "number", typ: "positiveInt", min: 1, text: "Of the medicine on the paper."}, {name: "quantity", typ: "decimal", text: "How much; what is left when left out."},
				{name: "lot", typ: "string", text: "Lot."}, {name: "product", typ: "string", text: "Which product it is."},
			}},
			{name: "key", typ: "string", text: "The caller's own: the same call, sent again, is answered the same."}, {name: "pharmacy", typ: "Reference", text: "Organization, where the caller acts for none."},
		},
		out: append(dispensing[:len(dispensing):len(dispensing)], parameter{name: "dispense", typ: "Reference", min: 1, max: "*", text: "What was made."})},
	{name: "cancel-prescription", title: "Cancel a prescription", changes: true, scope: onInstance, types: onComposition,
		text: "Its author takes a prescription back, before anything of it is dispensed.",
		in:   []parameter{{name: "reason", typ: "string", min: 1, text: "Why."}},
		out:  []parameter{{name: "folio", typ: "string", min: 1, text: "Of the prescription."}, {name: "state", typ: "code", min: 1, text: "cancelled."}}},
}
