package profile

// doseIn are the parameters by which a dose is recorded and corrected.
var doseIn = []parameter{
	{name: "vaccine", typ: "Coding", max: "*", text: "The vaccine: a code of CVX alone, system|code, a Coding or a CodeableConcept of CVX, SNOMED CT or ATC."},
	{name: "product", typ: "string", text: "In place of vaccine: a code or identifier of a Medication that names the vaccine, such as its GTIN."},
	{name: "lot", typ: "string", text: "Number of the lot, as it is printed."}, {name: "expiry", typ: "date", text: "Expiry of the lot; a month means its last day."},
	{name: "manufacturer", typ: "string", text: "A name, a Coding of MVX, or a reference to an Organization."},
	{name: "when", typ: "dateTime", text: "When it was given; now when left out. Of history a month or a year do too."},
	{name: "site", typ: "CodeableConcept", text: "Where on the body; a code alone is of v3-ActSite."}, {name: "route", typ: "CodeableConcept", text: "A code alone is of v3-RouteOfAdministration."},
	{name: "quantity", typ: "Quantity", text: "How much; a number alone is of millilitres."},
	{name: "performer", typ: "Reference", text: "Who gave it: a reference to a Practitioner, or their cédula; the caller when left out."},
	{name: "clues", typ: "code", text: "CLUES of the establishment; the caller's own when left out."}, {name: "campaign", typ: "CodeableConcept", text: "Campaign that it was given in."},
	{name: "program", typ: "CodeableConcept", text: "Programme that the patient is entitled by."}, {name: "encounter", typ: "Reference", text: "Encounter that it was given in."},
	{name: "number", typ: "positiveInt", text: "Which dose it is, as the source counts; by the schedule when left out."}, {name: "series", typ: "string", text: "Of which series, with number."},
	{name: "note", typ: "string", text: "Whatever else is to be known."}, {name: "subpotent", typ: "code", text: "partial, coldchainbreak or recall: the dose itself was no good."},
	{name: "override", max: "*", text: "Warnings that are known, and why the dose is given all the same.", parts: []parameter{
		{name: "warning", typ: "code", min: 1, max: "*", text: "Rule of a warning that was answered."}, {name: "reason", typ: "string", min: 1, text: "Why: words, a Coding or a CodeableConcept."},
	}},
	{name: "preview", typ: "boolean", text: "Check and answer, and store nothing."},
}

// doseOut is what a dose means, and what comes next.
var doseOut = []parameter{
	{name: "outcome", typ: "code", min: 1, text: "created, merged, unchanged, amended, refuted or preview."}, {name: "immunization", typ: "Immunization", min: 1, text: "The dose as it is now."},
	{name: "evaluation", max: "*", text: "What the dose means for one antigen.", parts: []parameter{
		{name: "antigen", typ: "string", text: "As the schedule names it."}, {name: "group", typ: "string", text: "Vaccine group."}, {name: "number", typ: "positiveInt", text: "Which dose it is."},
		{name: "of", typ: "positiveInt", text: "Of how many."}, {name: "status", typ: "string", min: 1, text: "Valid, Not Valid, Extraneous or Sub-standard."}, {name: "reason", typ: "string", max: "*", text: "Why it does not count."},
	}},
	{name: "forecast", max: "*", text: "What is due in one vaccine group.", parts: []parameter{
		{name: "group", typ: "string", min: 1, text: "Vaccine group."}, {name: "title", typ: "string", text: "The same, for people."}, {name: "status", typ: "string", min: 1, text: "Complete, Not Complete, ..."},
		{name: "due", typ: "boolean", text: "It is due today."}, {name: "overdue", typ: "boolean", text: "It should have been given."}, {name: "number", typ: "positiveInt", text: "Which dose is next."},
		{name: "earliest", typ: "date", text: "First day on which it counts."}, {name: "recommended", typ: "date", text: "Day on which it should be given."}, {name: "pastDue", typ: "date", text: "Day from which it is overdue."},
		{name: "latest", typ: "date", text: "Last day."}, {name: "vaccine", typ: "Coding", max: "*", text: "What to give, the preferred one first."},
	}},
	{name: "nextVisit", typ: "date", text: "First day on which something is due."}, {name: "schedule", typ: "string", text: "Schedule and version that this is by."},
	{name: "warnings", typ: "OperationOutcome", text: "What was found and passed over."},
}

// lotIn says which doses of a lot are meant.
var lotIn = []parameter{
	{name: "manufacturer", typ: "string", text: "A name, or what it begins with; a Coding of MVX; a reference to an Organization. Whoever says none can be any."},
	{name: "vaccine", typ: "Coding", text: "Only of this vaccine."}, {name: "facility", typ: "code", text: "CLUES of the establishment that gave it, or what it begins with."},
	{name: "from", typ: "date", text: "Given on this day or later."}, {name: "until", typ: "date", text: "Given on this day or earlier."},
}

var reasonIn = parameter{name: "reason", typ: "string", min: 1, text: "Why; 1000 bytes at most."}

// vaccination are the operations of recording doses.
var vaccination = []definition{
	{name: "record-dose", title: "Record a dose", changes: true, scope: onType, types: []string{"Immunization"}, out: doseOut,
		text: "Records a vaccine that was given, that somebody else gave, or that was not given. What is impossible is refused; what is against the schedule is refused until its warning is repeated with a reason. A dose that is known already is not recorded twice. Answers with what it means and what is due next.",
		in: append([]parameter{
			{name: "patient", typ: "Reference", text: "Who: a reference, or an Identifier."}, {name: "curp", typ: "string", text: "In place of patient: the CURP."},
			{name: "origin", typ: "code", text: "given (here, as when left out), or where the report comes from: provider, record, recall, school or jurisdiction."},
			{name: "source", typ: "Reference", max: "*", text: "Of a report: the DocumentReference that it was read from."}, {name: "sourceText", typ: "string", text: "Of a report: the source in words."},
			{name: "notDone", typ: "code", text: "It was not given: IMMUNE, MEDPREC, OSTOCK, PATOBJ, PHILISOP, RELIG, VACEFF or VACSAF."},
		}, doseIn...)},
	{name: "amend-dose", title: "Correct a dose", changes: true, scope: onInstance, types: []string{"Immunization"}, out: doseOut,
		text: "What is given takes the place of what is stored, as a new version, with a Provenance. Checked as when it was recorded. For the establishment that gave it, and those who run the programme.",
		in:   append([]parameter{reasonIn}, doseIn...)},
	{name: "refute-dose", title: "Withdraw a dose", changes: true, scope: onInstance, types: []string{"Immunization"}, out: doseOut,
		text: "Marks a dose as recorded by mistake, with a Provenance. It stays to be read, and counts no more.",
		in:   []parameter{reasonIn}},
	{name: "report-esavi", title: "Report an ESAVI", changes: true, scope: onType, types: []string{"AdverseEvent"},
		text: "Reports an event that may be attributable to a vaccine, with the doses that are suspected, and so their lots. The same event is kept once.",
		in: []parameter{
			{name: "immunization", typ: "Reference", min: 1, max: "*", text: "Dose that is suspected."}, {name: "event", typ: "CodeableConcept", min: 1, text: "What happened; words do."},
			{name: "onset", typ: "dateTime", text: "When it began."}, {name: "seriousness", typ: "code", text: "Of adverse-event-seriousness."}, {name: "severity", typ: "code", text: "mild, moderate or severe."},
			{name: "outcome", typ: "code", text: "Of adverse-event-outcome."}, {name: "causality", typ: "code", text: "Of esavi-causality."}, {name: "condition", typ: "Reference", max: "*", text: "Condition that came of it."},
		},
		out: []parameter{
			{name: "outcome", typ: "code", min: 1, text: "created or unchanged."}, {name: "event", typ: "AdverseEvent", min: 1, text: "The event."}, {name: "lot", typ: "string", max: "*", text: "Lot of a suspected dose."},
		}},
	{name: "esavi-by-lot", title: "ESAVI by lot", scope: onType, types: []string{"AdverseEvent"},
		text: "How many events there are of each lot, of those that the caller may see, beside how many doses. No patient is told of. As text/csv or FHIR.",
		in:   append([]parameter{{name: "lot", typ: "string", text: "Only this lot."}}, lotIn...),
		out: []parameter{
			{name: "lot", max: "*", text: "A lot, that with most events first.", parts: []parameter{
				{name: "lot", typ: "string", text: "Its number."}, {name: "manufacturer", typ: "string", text: "Who made it."}, {name: "vaccine", typ: "string", text: "Code of CVX."},
				{name: "events", typ: "unsignedInt", min: 1, text: "Events."}, {name: "serious", typ: "unsignedInt", min: 1, text: "Of them serious."},
				{name: "fatal", typ: "unsignedInt", min: 1, text: "Of them fatal."}, {name: "doses", typ: "unsignedInt", min: 1, text: "Doses of the lot that the caller may see."},
			}},
			{name: "count", typ: "unsignedInt", min: 1, text: "How many lots."},
		}},
	{name: "recall-lot", title: "Recall a lot of a vaccine", changes: true, scope: onType, types: []string{"Medication"},
		text: "Marks the lot in the registry of lots, and all doses of it; those to come are warned of. Makes a Task or a CommunicationRequest for each recipient when that is asked for. 202 while the last are marked in the background.",
		in: []parameter{
			{name: "lot", typ: "string", min: 1, text: "Number of the lot; capitals, spaces and dashes do not matter."}, {name: "manufacturer", typ: "string", text: "A name, a Coding of MVX, or a reference to an Organization; any when left out."},
			{name: "vaccine", typ: "Coding", text: "Only doses of this vaccine."}, {name: "expiry", typ: "date", text: "Expiry of the lot."}, reasonIn,
			{name: "invalid", typ: "boolean", text: "Doses of the lot count no more; true when left out."}, {name: "followUp", typ: "code", text: "task, communication or none; none when left out."},
		},
		out: []parameter{
			{name: "lot", typ: "Medication", min: 1, text: "The lot."}, {name: "marked", typ: "unsignedInt", min: 1, text: "Doses that were marked now."}, {name: "finished", typ: "boolean", min: 1, text: "Whether that were all."},
		}},
	{name: "lot-recipients", title: "Who was given a lot", scope: onType, types: []string{"Medication"},
		text: "Doses of a lot that the caller may see, page by page; as text/csv or application/x-ndjson a line for each, by establishment, with how the patient is found.",
		in:   append([]parameter{{name: "lot", typ: "string", min: 1, text: "Number of the lot; capitals, spaces and dashes do not matter."}, {name: "_count", typ: "positiveInt", text: "Doses of a page."}}, lotIn...),
		out:  []parameter{{name: "return", typ: "Bundle", min: 1, text: "The Immunizations."}}},
}
