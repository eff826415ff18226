package profile

// linkOut is what is told of a link that shares something.
var linkOut = []parameter{
	{name: "id", typ: "string", min: 1, text: "Its name here, from which nobody can make the link."}, {name: "created", typ: "instant", min: 1, text: "When it was made."},
	{name: "label", typ: "string", text: "What it is called."}, {name: "expires", typ: "instant", text: "When it ends."}, {name: "flag", typ: "string", text: "L, P and U as the link has them."},
	{name: "attempts", typ: "integer", text: "Wrong passcodes that may still be given."}, {name: "files", typ: "integer", min: 1, text: "How many files it leads to."},
}

// vaccinationCards are the operations of vaccination cards.
var vaccinationCards = []definition{
	{name: "cartilla", title: "Vaccination record on paper", scope: onInstance, types: onPatient,
		text: "The vaccinations of a person and what is due next, for paper (application/pdf) or as a page (text/html), with a QR code that leads to the page that says whether the paper counts.",
		in: []parameter{
			{name: "bilingual", typ: "boolean", text: "Headings in English too."}, {name: "smart", typ: "boolean", text: "QR codes that hold the vaccinations as SMART Health Cards, which show name and date of birth to whoever scans them."},
		},
		out: []parameter{{name: "return", typ: "Binary", min: 1, text: "The paper."}}},
	{name: "ddcc", title: "Certificate of a vaccination of WHO", scope: onInstance, types: onPatient,
		text: "The core data set of DDCC:VS of one vaccination as a document, whose signature holds the document as a SMART Health Card.",
		in:   []parameter{{name: "immunization", typ: "string", text: "Id of the Immunization; the last one when left out."}},
		out:  []parameter{{name: "return", typ: "Bundle", min: 1, text: "The certificate."}}},
	{name: "health-cards-revoke", title: "Take back the cards of a person", changes: true, scope: onInstance, types: onPatient,
		text: "Puts all SMART Health Cards that were issued of a Patient until now on the lists of revoked cards.",
		out:  []parameter{{name: "revoked", typ: "integer", min: 1, text: "How many there were."}}},
	{name: "health-link", title: "Share by a SMART Health Link", changes: true, scope: onInstance, types: onPatient,
		text: "Makes a link to a card of the vaccinations, the patient summary, or both, as the caller sees them now. The key is in the link alone: it cannot be told again. With link, the files of one that is for long are replaced.",
		in: []parameter{
			{name: "content", typ: "code", max: "*", text: "card or summary; card when left out."}, {name: "label", typ: "string", text: "What it is called, for who opens it; 80 characters at most."},
			{name: "expires", typ: "dateTime", text: "When it ends: an instant, or the last day."}, {name: "passcode", typ: "string", text: "What who opens it has to know; ten wrong ones end the link."},
			{name: "long", typ: "boolean", text: "It is for long, and its files may be replaced."}, {name: "direct", typ: "boolean", text: "It leads to its one file without a manifest."},
			{name: "link", typ: "uri", text: "A link that is for long, to replace its files."},
		},
		out: append([]parameter{{name: "link", typ: "uri", text: "The link, shlink:/..."}, {name: "qr", typ: "Attachment", text: "The same as a QR code, image/svg+xml."}}, linkOut...)},
	{name: "health-links", title: "List what is shared by links", scope: onInstance, types: onPatient,
		text: "The links of a Patient that are not over. None can be opened from what is told.",
		out:  []parameter{{name: "link", max: "*", text: "A link.", parts: linkOut}}},
	{name: "health-link-revoke", title: "End a link", changes: true, scope: onInstance, types: onPatient,
		text: "Ends a link, and removes what it led to.",
		in:   []parameter{{name: "id", typ: "string", text: "Its name, as $health-links tells it."}, {name: "link", typ: "uri", text: "In place of id: the link itself."}},
		out:  []parameter{{name: "revoked", typ: "boolean", min: 1, text: "true."}}},
}
