package profile

var onAppointment = []string{"Appointment"}

// slotIn names a slot of an agenda.
var slotIn = []parameter{
	{name: "schedule", typ: "Reference", text: "The agenda: a Schedule with the extension agenda."}, {name: "start", typ: "dateTime", text: "When the slot begins, with its time zone."},
}

// booked is what operations that write an Appointment answer.
var booked = []parameter{{name: "return", typ: "Appointment", min: 1, text: "The Appointment as it is now."}}

// agendas are the operations of agendas.
var agendas = []definition{
	{name: "find", id: "appointment-find", title: "Find free slots", scope: onType, types: onAppointment,
		text: "What is free in one agenda, or in all those of somebody or for a kind of service, as Appointments that are proposed. Nothing is stored.",
		in: []parameter{
			{name: "schedule", typ: "Reference", text: "The agenda."}, {name: "actor", typ: "Reference", text: "In its place: whose agendas."}, {name: "service-type", typ: "Coding", text: "In its place: for what."},
			{name: "start", typ: "dateTime", text: "From when; now when left out."}, {name: "end", typ: "dateTime", text: "Until when, 92 days later at most; a week later when left out."}, {name: "_count", typ: "positiveInt", text: "How many, up to 200; 20 when left out."},
		},
		out: []parameter{{name: "return", typ: "Bundle", min: 1, text: "Appointments, by their start."}}},
	{name: "hold", id: "appointment-hold", title: "Hold a slot", changes: true, scope: onType, types: onAppointment,
		text: "Keeps a slot for the caller for five minutes, while a form is filled in. No resource is written. A slot that is not free is refused with 409, and those that are free near it are named.",
		in:   slotIn,
		out: []parameter{
			{name: "hold", typ: "string", min: 1, text: "For $book or $reschedule; good once."}, {name: "start", typ: "instant", min: 1, text: "Start of the slot."},
			{name: "end", typ: "instant", min: 1, text: "Its end."}, {name: "expires", typ: "instant", min: 1, text: "Until when it is held."},
		}},
	{name: "book", id: "appointment-book", title: "Book a slot", changes: true, scope: onType, types: onAppointment,
		text: "Books what was held, what was offered to somebody on the waiting list, or a slot that is free. With the Appointment a busy Slot is written, and a CommunicationRequest for when its patient is to be reminded. " +
			"With repeat a series is booked, at the same time on the clock of the agenda each week, or nothing of it; its Appointments have an identifier in common, and each is moved and cancelled by itself.",
		out: []parameter{{name: "return", typ: "Resource", min: 1, text: "The Appointment; with repeat a Bundle of all of them."}},
		in: append(slotIn[:2:2], []parameter{
			{name: "hold", typ: "string", text: "In place of schedule and start: what $hold answered with."}, {name: "waiting", typ: "Reference", text: "In place of them: the Appointment that was proposed from the waiting list."},
			{name: "patient", typ: "Reference", text: "Whom it is for; the caller when left out."}, {name: "reason", typ: "string", text: "Why they come."}, {name: "comment", typ: "string", text: "Instructions for the patient."},
			{name: "virtual", typ: "boolean", text: "It is a visit at a distance."}, {name: "participant", typ: "Reference", max: "*", text: "Who else takes part."},
			{name: "repeat", typ: "positiveInt", text: "How many visits there are, the first among them: 2 to 20; one when left out."}, {name: "every", typ: "positiveInt", text: "With repeat: weeks from one visit to the next, up to 8; 1 when left out."},
		}...)},
	{name: "wait", id: "appointment-wait", title: "Wait for a slot", changes: true, scope: onType, types: onAppointment, out: booked,
		text: "Puts a patient on the waiting list of an agenda. When a slot becomes free within the time that they have, their Appointment is proposed for it, and they have two hours to book it.",
		in: []parameter{
			{name: "schedule", typ: "Reference", min: 1, text: "The agenda."}, {name: "patient", typ: "Reference", text: "Who waits; the caller when left out."},
			{name: "start", typ: "dateTime", text: "From when they have time; now when left out."}, {name: "end", typ: "dateTime", text: "Until when; a week later when left out."}, {name: "reason", typ: "string", text: "Why they come."},
		}},
	{name: "reschedule", id: "appointment-reschedule", title: "Move an appointment", changes: true, scope: onInstance, types: onAppointment, out: booked,
		text: "Moves an Appointment to another slot, of the same agenda or another one. It has the old slot until it has the new one.",
		in:   append(slotIn[:2:2], parameter{name: "hold", typ: "string", text: "In place of them: what $hold answered with."})},
	{name: "cancel", id: "appointment-cancel", title: "Cancel an appointment", changes: true, scope: onInstance, types: onAppointment, out: booked,
		text: "Gives the slot of an Appointment back; it is offered to who waits for it. Sent again, it is answered the same. A visit that the patient is in is ended by $end-visit instead (409).",
		in:   []parameter{{name: "reason", typ: "string", min: 1, text: "A code of appointment-cancellation-reason, or words."}}},
	{name: "calendar", id: "appointment-calendar", title: "An appointment for a calendar", scope: onInstance, types: onAppointment,
		text: "One Appointment as iCalendar (RFC 5545). It tells when it is, and not what for.",
		out:  []parameter{{name: "return", typ: "Binary", min: 1, text: "The calendar, as text/calendar."}}},
	{name: "calendar-link", title: "An address for calendar programs", changes: true, scope: onInstance, types: []string{"Schedule"},
		text: "A secret address at which a calendar program reads when an agenda is taken, and not by whom. It is good for a year.",
		in:   []parameter{{name: "revoke", typ: "boolean", text: "End all such addresses of the agenda instead."}},
		out: []parameter{
			{name: "link", typ: "url", text: "The address: whoever has it may read."}, {name: "expires", typ: "instant", text: "Until when it is good."}, {name: "revoked", typ: "unsignedInt", text: "How many ended."},
		}},
}
