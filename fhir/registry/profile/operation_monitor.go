package profile

// closing are the parameters of operations on an alert.
func closing(note int, text string) []parameter {
	return []parameter{
		{name: "note", typ: "string", min: note, text: text},
		{name: "by", typ: "Reference", text: "For systems: the Practitioner or PractitionerRole for whom they act."},
	}
}

var alerted = []parameter{{name: "return", typ: "Task", min: 1, text: "The Task of the alert as it is now."}}

// measuring are the operations of measurements from home.
var measuring = []definition{
	{name: "measurements", id: "observation-measurements", title: "Take measurements in", changes: true, scope: onType, types: []string{"Observation"},
		text: "Stores what devices and apps measured: up to 1,000 readings of one patient, in any order, also days late. Each reading is stored once, by the patient, the device and its id, however often it is sent, and each has an answer of its own. The same may be sent in a compact form: an object with patient, device and readings.",
		in: []parameter{
			{name: "patient", typ: "Reference", text: "Who was measured; the caller when left out."}, {name: "device", typ: "Reference", text: "The Device, which is in use by the patient; left out for what somebody types in."},
			{name: "reading", typ: "", min: 1, max: "1000", text: "What was measured.", parts: []parameter{
				{name: "id", typ: "string", min: 1, text: "Names the reading for its device or app."}, {name: "code", typ: "code", min: 1, text: "Code of LOINC, also as a Coding or CodeableConcept."},
				{name: "value", typ: "Quantity", text: "The value, in a unit that can be converted."}, {name: "at", typ: "instant", min: 1, text: "When it was measured, with its time zone."},
				{name: "component", typ: "", max: "2", text: "Of a blood pressure.", parts: []parameter{
					{name: "code", typ: "code", min: 1, text: "8480-6 or 8462-4."}, {name: "value", typ: "Quantity", min: 1, text: "The value."},
				}},
			}},
		},
		out: []parameter{
			{name: "stored", typ: "unsignedInt", min: 1, text: "How many are new."}, {name: "known", typ: "unsignedInt", min: 1, text: "How many were stored before."},
			{name: "refused", typ: "unsignedInt", min: 1, text: "How many were not stored."},
			{name: "reading", typ: "", min: 1, max: "1000", text: "What became of each, in their order.", parts: []parameter{
				{name: "id", typ: "string", text: "As it was sent."}, {name: "outcome", typ: "code", min: 1, text: "stored, known or refused."},
				{name: "observation", typ: "Reference", text: "The Observation."}, {name: "issue", typ: "OperationOutcome", text: "Why it was refused."},
			}},
		}},
	{name: "measurements", id: "patient-measurements", title: "What was measured, by days", scope: onInstance, types: []string{"Patient"},
		text: "A series for each thing that was measured, with the least, the greatest, the mean and the last value of each day: of the Observations that the caller may see.",
		in: []parameter{
			{name: "code", typ: "code", max: "*", text: "Codes of LOINC; all when left out."}, {name: "start", typ: "date", text: "The first day; 30 days before the end when left out."},
			{name: "end", typ: "date", text: "The last day; today when left out."},
		},
		out: []parameter{
			{name: "start", typ: "date", min: 1, text: "The first day."}, {name: "end", typ: "date", min: 1, text: "The last day."},
			{name: "series", typ: "", max: "*", text: "Of one thing that was measured.", parts: []parameter{
				{name: "code", typ: "Coding", min: 1, text: "What it is."}, {name: "unit", typ: "code", min: 1, text: "Of UCUM."},
				{name: "day", typ: "", max: "*", text: "A day on which there is something, by their order.", parts: []parameter{
					{name: "date", typ: "date", min: 1, text: "The day."}, {name: "count", typ: "unsignedInt", min: 1, text: "How many values."}, {name: "min", typ: "decimal", min: 1, text: "The least."},
					{name: "max", typ: "decimal", min: 1, text: "The greatest."}, {name: "mean", typ: "decimal", min: 1, text: "Their mean."}, {name: "last", typ: "decimal", min: 1, text: "The last one."},
				}},
			}},
		}},
	{name: "monitoring-templates", title: "Rules to begin with", scope: onType, types: []string{"Goal"},
		text: "Goals with rules that published guidelines give for a condition, each with its source. They are proposed and watch for nothing: a clinician makes one their own for a patient, or does not.",
		in:   []parameter{{name: "condition", typ: "code", text: "Code of ICD-10; all when left out."}},
		out:  []parameter{{name: "return", typ: "Bundle", min: 1, text: "The Goals."}}},
	{name: "acknowledge", title: "Acknowledge an alert", changes: true, scope: onInstance, types: []string{"Task"}, out: alerted,
		text: "Says that the caller takes care of an alert of measurements, so that the next in line is not called.",
		in:   closing(0, "What is to be done.")},
	{name: "close-alert", title: "Close an alert", changes: true, scope: onInstance, types: []string{"Task"}, out: alerted,
		text: "Says that what called for an alert is dealt with. Readings of before open no other one.",
		in:   closing(1, "What was done.")},
}
