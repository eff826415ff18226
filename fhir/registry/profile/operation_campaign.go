package profile

// whereIn says whom an operation is about.
var whereIn = []parameter{
	{name: "facility", typ: "string", text: "CLUES of an establishment, or a reference to an Organization or Location."}, {name: "municipality", typ: "code", text: "Of residence: key of INEGI, five digits."},
	{name: "state", typ: "code", text: "Of residence: key of INEGI, two digits."}, {name: "vaccine", typ: "string", max: "*", text: "Vaccine groups of the schedule, by name or alias: MMR, SRP, hexavalente."},
}

// campaigns are the operations of vaccination campaigns.
var campaigns = []definition{
	{name: "immunization-due", title: "Who is due for a vaccine", scope: onType, types: []string{"Patient"},
		text: "Patients for whom a vaccine is due, the most urgent first: who is overdue, the longest first, then who is due. With each the ImmunizationRecommendation that is kept of them. Only those whose record and recommendation the caller may see; a role of one establishment sees those who belong to it. As text/csv or application/x-ndjson a line for each dose, with how the person is found.",
		in: append([]parameter{
			{name: "date", typ: "date", text: "Day; today when left out. A later day asks who will be due on it as things are now."},
			{name: "status", typ: "code", text: "due (overdue or not; as when left out), overdue, or due-by."}, {name: "by", typ: "date", text: "With due-by: the last day."},
			{name: "min-age", typ: "unsignedInt", text: "Least age in months."}, {name: "max-age", typ: "unsignedInt", text: "Greatest age in months; 119 when neither is given."},
			{name: "_count", typ: "positiveInt", text: "Patients of a page."},
		}, whereIn...),
		out: []parameter{{name: "return", typ: "Bundle", min: 1, text: "Patients; included, what is recommended to each."}}},
	{name: "immunization-coverage", title: "Vaccination coverage", scope: onSystem,
		text: "Coverage, timeliness, drop-out and zero-dose children of a cohort on a day, by parts of the population. Doses are the valid ones of the routine schedule; vaccines of each season are not counted by number. Who should have had a dose are those so old that it is overdue. Whoever sees statistics alone gets whole years of birth at the end of a month, rounded, without figures of fewer than 11 people or what would give these away. As text/csv or FHIR.",
		in: append([]parameter{
			{name: "date", typ: "date", text: "What was given until then; today when left out."}, {name: "born-from", typ: "date", text: "Year, month or day of birth; five years before when left out."}, {name: "born-until", typ: "date", text: "Year, month or day of birth."},
			{name: "by", typ: "code", max: "*", text: "Parts: year, month (of birth), state, municipality, facility, sex."}, {name: "sex", typ: "code", text: "female or male."},
			{name: "denominator", typ: "code", text: "registered (who is registered here; as when left out), or population (what was loaded)."},
		}, whereIn...),
		out: []parameter{{name: "return", typ: "MeasureReport", min: 1, text: "A group for each dose and measure, with a stratum for each part."}}},
	{name: "immunization-plan", title: "Catch-up plan", scope: onInstance, types: []string{"Patient"},
		text: "The visits by which a Patient is up to date with the schedule, the vaccines and doses of each; nothing is stored. Refused to those who may not see all that it rests on. As a PDF or page for the family, or FHIR.",
		in: []parameter{
			{name: "date", typ: "date", text: "First day; today when left out."}, {name: "until", typ: "date", text: "Last day; two years later when left out."}, {name: "vaccine", typ: "string", max: "*", text: "Only these vaccine groups."},
			{name: "unavailable", typ: "code", max: "*", text: "Vaccines that are not to be used, by CVX."}, {name: "max-per-visit", typ: "positiveInt", text: "Vaccines at one visit at most; any number when left out."},
			{name: "gather", typ: "unsignedInt", text: "Days by which a visit may be put off so that more is given at it; 14 when left out."},
		},
		out: []parameter{{name: "return", typ: "CarePlan", min: 1, text: "A proposal, with an activity for each vaccine."}}},
}
