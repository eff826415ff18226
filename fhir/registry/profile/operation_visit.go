package profile

var (
	onVisit        = []string{"Encounter"}
	participantOf  = parameter{name: "participant", typ: "Reference", text: "For whom an app asks: the Patient, a Practitioner or a RelatedPerson. People ask for themselves."}
	visitLanguage  = parameter{name: "language", typ: "code", text: "Language of the pages that they see (BCP 47)."}
	visitLinkParts = []parameter{
		{name: "url", typ: "url", min: 1, text: "The link, which is good once. What is behind its # is a secret."},
		{name: "seat", typ: "string", min: 1, text: "The place in the visit, for $uninvite."},
		{name: "role", typ: "code", min: 1, text: "clinician, patient, family or interpreter."},
		{name: "opens", typ: "instant", min: 1, text: "From when they may enter."},
		{name: "closes", typ: "instant", min: 1, text: "When everybody has to be out."},
	}
)

// visitOperations are those of visits at a distance.
var visitOperations = []definition{
	{name: "start-visit", title: "Start a visit at a distance", changes: true, scope: onInstance, types: onAppointment,
		text: "Opens the visit of an Appointment, from a quarter of an hour before it begins: an Encounter of class VR with a room. Called again it notes what it is told, and answers the same Encounter.",
		in: []parameter{
			{name: "identity", typ: "code", text: "How the identity of the patient was checked: curp (it was shown), document, or known in person."},
			{name: "curp", typ: "string", text: "The CURP that was shown; refused unless it is that of the patient."},
			{name: "place", typ: "string", text: "Where the patient is during the call, for help to find them."},
			{name: "emergency-name", typ: "string", text: "Who is to be called in an emergency."},
			{name: "emergency-phone", typ: "string", text: "Their phone."},
			{name: "emergency-relationship", typ: "string", text: "What they are to the patient."},
			{name: "language", typ: "code", text: "Language that the patient speaks (BCP 47)."},
			{name: "interpreter", typ: "boolean", text: "They need an interpreter."},
		},
		out: []parameter{{name: "return", typ: "Encounter", min: 1, text: "The Encounter of the visit."}}},
	{name: "visit-consent", title: "Record the consent to a visit at a distance", changes: true, scope: onInstance, types: []string{"Appointment", "Encounter"},
		text: "Records that the patient, or who stands for them, consents to be attended at a distance: a Consent, and a DocumentReference of the text. Nobody enters a visit without. Sent again, it is answered the same.",
		in: []parameter{
			{name: "how", typ: "code", min: 1, text: "verbal, electronic or written."},
			{name: "by", typ: "Reference", text: "Who consents: the Patient, or a RelatedPerson of theirs; the caller or the Patient when left out."},
			{name: "version", typ: "string", text: "Which text was consented to, with text; this server's own when left out."},
			{name: "text", typ: "string", text: "What it says."},
		},
		out: []parameter{{name: "return", typ: "Consent", min: 1, text: "The Consent."}}},
	{name: "join", title: "Get a link into a visit", changes: true, scope: onInstance, types: onVisit, in: []parameter{participantOf, visitLanguage}, out: visitLinkParts,
		text: "A link for the caller into their visit, which is good once. Refused without the patient's consent, and outside the time of the visit."},
	{name: "invite", title: "Invite somebody into a visit", changes: true, scope: onInstance, types: onVisit, out: visitLinkParts,
		text: "A link for a member of the family or an interpreter, to be handed to them. A clinician lets them in.",
		in: []parameter{
			{name: "name", typ: "string", min: 1, text: "How they are shown to the others."}, {name: "role", typ: "code", min: 1, text: "family or interpreter."}, visitLanguage, participantOf,
		}},
	{name: "uninvite", title: "Take a link into a visit back", changes: true, scope: onInstance, types: onVisit,
		text: "A link is not to be used any more; whoever used it has to leave.",
		in:   []parameter{{name: "seat", typ: "string", min: 1, text: "As $join or $invite answered it."}},
		out:  []parameter{{name: "seat", typ: "string", min: 1, text: "The same."}}},
	{name: "visit-code", title: "Send the patient a code", changes: true, scope: onInstance, types: onVisit,
		text: "Sends the patient a code, by which they let the app see their record in this visit, to a telephone number or e-mail address that has been in their record for some days. The app is not told the code.",
		in:   []parameter{{name: "channel", typ: "code", text: "sms or email; what there is when left out."}},
		out: []parameter{
			{name: "channel", typ: "code", min: 1, text: "How it was sent."}, {name: "to", typ: "string", min: 1, text: "The end of the number, or of the address."},
			{name: "expires", typ: "instant", min: 1, text: "Until when the code is good."},
		}},
	{name: "visit-token", title: "See a record during a visit", changes: true, scope: onInstance, types: onVisit,
		text: "An access token by which an app sees the record of the patient, and of nobody else, until the visit ends or the consent is withdrawn. Refused until it is shown that the patient takes part: by the code that they were sent; or because they consented or joined, signed in as themselves; or because a professional of the visit with a licence, signed in as themselves, noted how the identity was checked.",
		in:   []parameter{{name: "code", typ: "string", text: "What $visit-code sent to the patient; once."}},
		out: []parameter{
			{name: "access_token", typ: "string", min: 1, text: "The token, with scopes patient/*.rs."}, {name: "patient", typ: "id", min: 1, text: "Whose record it is."},
			{name: "encounter", typ: "id", min: 1, text: "The Encounter of the visit."}, {name: "expires", typ: "instant", min: 1, text: "Until when it is good at most."},
			{name: "proof", typ: "code", min: 1, text: "What showed that the patient takes part: code, patient or professional."},
		}},
	{name: "end-visit", title: "End a visit at a distance", changes: true, scope: onInstance, types: onVisit, in: []parameter{participantOf},
		text: "Ends a visit for everybody, and writes who took part, for how long, and how well they heard each other into its Encounter. Sent again, it is answered the same.",
		out: []parameter{
			{name: "encounter", typ: "Reference", min: 1, text: "The Encounter."}, {name: "status", typ: "code", min: 1, text: "finished, or cancelled when the patient was never let in."},
			{name: "reason", typ: "string", text: "Why it is cancelled."}, {name: "draft", typ: "url", text: "Where the draft of its note is asked for."}, {name: "note", typ: "Composition", text: "That draft, for who may have it."},
		}},
}
