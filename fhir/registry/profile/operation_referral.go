package profile

var (
	onTask        = []string{"Task"}
	whyOf         = parameter{name: "reason", typ: "string", min: 1, text: "Why."}
	remark        = parameter{name: "note", typ: "string", text: "What there is to say to the other establishment."}
	referralTask  = []parameter{{name: "return", typ: "Task", min: 1, text: "The referral as it is now."}}
	referralNoted = []parameter{
		{name: "summary", typ: "string", text: "Resumen clínico: for the note."}, {name: "treatment", typ: "string", text: "Terapéutica empleada: for the note."},
		{name: "diagnosis", typ: "Reference", max: "*", text: "Condition of the patient."}, {name: "author", typ: "Reference", text: "Practitioner who signs the note, where a system calls."},
	}
)

// referring are the operations of referrals.
var referring = []definition{
	{name: "refer", title: "Refer a patient to another establishment", changes: true, scope: onInstance, types: []string{"Encounter", "Patient"},
		text: "Sends a patient to another establishment (referencia): a ServiceRequest, a Task that says who has to act until when, and the draft of the nota de referencia o traslado (NOM-004-SSA3-2012, 6.4), to be signed by $prepare-signature and $sign. All or nothing.",
		in: append([]parameter{
			{name: "to", typ: "Reference", text: "Organization or HealthcareService that receives; this or clues."}, {name: "clues", typ: "string", text: "CLUES of the establishment that receives."},
			{name: "from", typ: "Reference", text: "Organization that sends, on a server without access control where the visit names none."},
			{name: "reason", typ: "string", min: 1, text: "Motivo de envío."}, {name: "reason-code", typ: "CodeableConcept", max: "*", text: "The same in codes."},
			{name: "cause", typ: "code", text: "Variable 101 of GIIS-B015, 1 to 9."}, {name: "priority", typ: "code", text: "routine (when left out), urgent, asap or stat: it sets the deadlines."},
			{name: "specialty", typ: "CodeableConcept", text: "Which specialty is asked for."}, {name: "service", typ: "CodeableConcept", text: "Which service is asked for."},
			{name: "document", typ: "Reference", max: "*", text: "What of the record is sent along."}, {name: "ips", typ: "boolean", text: "Send the patient summary (IPS) of this moment along."},
		}, referralNoted...),
		out: []parameter{
			{name: "request", typ: "Reference", min: 1, text: "The ServiceRequest."}, {name: "task", typ: "Reference", min: 1, text: "The Task that the other operations are on."},
			{name: "note", typ: "Reference", min: 1, text: "The Composition to be signed."}, {name: "summary", typ: "Reference", text: "The Bundle of the summary."},
			{name: "due", typ: "instant", min: 1, text: "Until when the other establishment has to respond."},
		}},
	{name: "accept-referral", title: "Accept a referral", changes: true, scope: onInstance, types: onTask, in: []parameter{remark}, out: referralTask,
		text: "The establishment that receives takes the patient. 409 in any state but sent."},
	{name: "reject-referral", title: "Reject a referral", changes: true, scope: onInstance, types: onTask, out: referralTask,
		text: "The establishment that receives does not take the patient, and says why, and where else they may go.",
		in:   []parameter{whyOf, {name: "alternative", typ: "Reference", max: "*", text: "Organization or HealthcareService that may."}, remark}},
	{name: "schedule-referral", title: "Schedule a referral", changes: true, scope: onInstance, types: onTask, out: referralTask,
		text: "The patient has an Appointment, booked by $book or otherwise; it is based on the referral from then on. Called again, the appointment is another one.",
		in:   []parameter{{name: "appointment", typ: "Reference", min: 1, text: "The Appointment."}, remark}},
	{name: "answer-referral", title: "Answer a referral by a counter-referral", changes: true, scope: onInstance, types: onTask,
		text: "The patient goes back (contrarreferencia): drafts its note and a ServiceRequest based on the first. When the note is signed, the referral is closed, by itself a moment later or at once by a call with the parameter note alone.",
		in: append([]parameter{
			{name: "encounter", typ: "Reference", text: "The visit, from which the note is filled in."}, {name: "recommendations", typ: "string", text: "What the establishment that sent is to do; needed, as is summary, unless note is given."},
			{name: "follow-up", typ: "string", text: "When the patient comes back, and what for."}, {name: "note", typ: "Reference", text: "The signed note: closes the referral."},
		}, referralNoted...),
		out: []parameter{
			{name: "request", typ: "Reference", text: "The ServiceRequest of the counter-referral."}, {name: "note", typ: "Reference", text: "The Composition to be signed."},
			{name: "task", typ: "Reference", text: "The referral."}, {name: "return", typ: "Task", text: "The closed referral, where note was given."},
		}},
	{name: "cancel-referral", title: "Take a referral back", changes: true, scope: onInstance, types: onTask, in: []parameter{whyOf, remark}, out: referralTask,
		text: "The establishment that sent takes a referral back, before it is answered."},
	{name: "referrals", title: "Referrals of an establishment", scope: onType, types: onTask,
		text: "The referrals that the caller's establishment received or sent, those changed last first, in pages.",
		in: []parameter{
			{name: "direction", typ: "code", text: "received (when left out) or sent."}, {name: "state", typ: "code", text: "open (when left out), overdue, closed, all, or one state: sent, accepted, scheduled, answering, answered, rejected, cancelled."},
			{name: "patient", typ: "Reference", text: "Of one Patient."}, {name: "clues", typ: "string", text: "Of which establishment, on a server without access control."},
		},
		out: []parameter{{name: "return", typ: "Bundle", min: 1, text: "Tasks."}}},
}
