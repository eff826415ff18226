package profile

import "github.com/amate-health/amate/fhir/operation"

const (
	onSystem   = operation.OnSystem
	onType     = operation.OnType
	onInstance = operation.OnInstance
)

var (
	onComposition = []string{"Composition"}
	onPatient     = []string{"Patient"}
)

// definitions are the operations that have no table of their own next to their code.
var definitions = []definition{
	// Signed documents.
	{name: "prepare-signature", title: "Prepare the signature of a document", changes: true, scope: onInstance, types: onComposition,
		text: "Fixes a document as it is now, and returns what the private key is to sign. Nothing is signed yet: that is $sign, within 30 minutes.",
		in: []parameter{
			{name: "certificate", typ: "base64Binary", min: 1, max: "*", text: "X.509 certificate of the signer (.cer), then those of authorities above it."},
			{name: "who", typ: "string", text: "Reference to who signs, where it is not the one author."},
			{name: "type", typ: "code", text: "Capacity of the signature, of urn:iso-astm:E1762-95:2013; that of an author when left out."},
		},
		out: []parameter{
			{name: "pending", typ: "id", min: 1, text: "Name of what waits, for $sign."}, {name: "algorithm", typ: "code", min: 1, text: "RS256 or ES256."},
			{name: "header", typ: "string", min: 1, text: "Protected header of the JWS."}, {name: "digest", typ: "base64Binary", min: 1, text: "SHA-256 that the private key signs."},
			{name: "when", typ: "instant", min: 1, text: "Time that the signature states."}, {name: "who", typ: "Reference", min: 1, text: "Who signs."},
			{name: "expires", typ: "instant", min: 1, text: "Until when it can be signed."},
			{name: "absent", typ: "Reference", max: "*", text: "What the document refers to and does not hold."},
			{name: "document", typ: "Bundle", min: 1, text: "Document that is signed."},
		}},
	{name: "sign", title: "Sign a document", changes: true, scope: onInstance, types: onComposition, out: signedOut,
		text: "Takes the signature of what was prepared, and stores the signed document: Bundle, Composition and Provenance, or nothing. Sent again, it is answered the same.",
		in: []parameter{
			{name: "pending", typ: "id", min: 1, text: "From $prepare-signature."}, {name: "signature", typ: "base64Binary", min: 1, text: "What the private key made of the digest."},
		}},
	{name: "verify-signature", title: "Verify the signatures of a document", scope: onInstance | onType, types: []string{"Composition", "Bundle"},
		text: "Checks the signatures of a stored document; on the type Bundle, those of the document that is the body, wherever it comes from.",
		in:   []parameter{{name: "language", typ: "code", text: "Of the words, es or en; es when left out. Of a stored document."}},
		out: []parameter{
			{name: "result", typ: "boolean", min: 1, text: "Whether every check passed."}, {name: "status", typ: "code", min: 1, text: "passed, failed or unknown."},
			{name: "document", typ: "code", text: "What became of a stored document: unsigned, signed or voided."},
			{name: "later", typ: "Reference", max: "*", text: "Documents that add to it or replace it."},
			{name: "signature", max: "*", text: "What is found of a signature.", parts: signatureParts},
		}},
	{name: "void", title: "Withdraw a signed document", changes: true, scope: onInstance, types: onComposition, out: signedOut,
		text: "Marks a signed document as entered in error, and records who did so and why. Nothing is erased.",
		in:   []parameter{{name: "reason", typ: "string", min: 1, text: "Why; 4000 bytes at most."}}},
	{name: "draft-note", title: "Draft a document of a visit", changes: true, scope: onInstance, types: []string{"Encounter"},
		text: "Makes the draft of a document of NOM-004-SSA3-2012 with all that is known of the visit, so that only the texts are left to write.",
		in: []parameter{
			{name: "type", typ: "string", min: 1, text: "Which document: its name, its clause or its LOINC code."},
			{name: "author", typ: "string", text: "Reference to who writes it; the caller when left out, else who attended."},
			{name: "persist", typ: "boolean", text: "Store it, as the caller."},
		},
		out: []parameter{{name: "return", typ: "Composition", min: 1, text: "The draft."}}},
	{name: "render", title: "Show a document to people", scope: onInstance, types: []string{"Composition", "Bundle"},
		text: "A document as a page (text/html) or for paper (application/pdf), as Accept or _format says.",
		out:  []parameter{{name: "return", typ: "Binary", min: 1, text: "The page; outside of a batch, as it is."}}},
	{name: "import-summary", id: "Patient-import-summary", title: "Take in the summary of another provider", changes: true, scope: onInstance, types: onPatient,
		text: "Keeps the document of another provider, and proposes what of it is new, the same or different. Only what is accepted is written.",
		in: []parameter{
			{name: "summary", typ: "Bundle", min: 1, text: "The document; it can be the body itself."},
			{name: "accept", typ: "string", max: "*", text: "Id of a proposal to write, or new for all that are new."},
		},
		out: []parameter{
			{name: "document", typ: "Reference", min: 1, text: "Where the document is kept."},
			{name: "proposal", max: "*", text: "One resource of the document.", parts: []parameter{
				{name: "id", typ: "string", min: 1, text: "For accept; always the same for the same document."}, {name: "kind", typ: "code", min: 1, text: "new, same or conflict."},
				{name: "existing", typ: "Reference", max: "*", text: "What is there already."}, {name: "existingResource", typ: "Resource", max: "*", text: "That resource."},
				{name: "difference", typ: "string", max: "*", text: "Name of an element that differs."}, {name: "written", typ: "Reference", text: "What was written."},
				{name: "resource", typ: "Resource", min: 1, text: "The resource of the document."},
			}},
		}},

	// Rights of patients over their data.
	{name: "arco-request", title: "File a request about one's data", changes: true, scope: onInstance, types: onPatient,
		text: "Files a request of access, rectification, cancellation, opposition or portability, and sets its deadlines.",
		in: []parameter{
			{name: "right", typ: "code", min: 1, text: "acceso, rectificacion, cancelacion, oposicion or portabilidad."}, {name: "reason", typ: "string", text: "Why."},
			{name: "target", typ: "Reference", text: "Of a rectification: the resource that is wrong."}, {name: "correction", typ: "string", text: "Of a rectification: what is right, in words."},
			{name: "patch", typ: "Parameters", text: "Of a rectification: the same, as a FHIRPath Patch."}, {name: "evidence", typ: "Reference", max: "*", text: "Resource of the record that shows it."},
			{name: "purpose", typ: "code", text: "Of an opposition: the purpose of use (v3-PurposeOfUse) that is objected to."},
			{name: "requester", typ: "Reference", text: "RelatedPerson who asks for the patient; the caller or the patient when left out."},
		},
		out: []parameter{{name: "return", typ: "Task", min: 1, text: "The request."}}},
	{name: "arco-resolve", title: "Decide about a request", changes: true, scope: onInstance, types: []string{"Task"},
		text: "Extends, grants, denies, executes or withdraws a request, and does what follows from that.",
		in: []parameter{
			{name: "decision", typ: "code", min: 1, text: "extend, grant, deny, execute or withdraw."}, {name: "reason", typ: "string", text: "Why; needed to deny and to extend."},
			{name: "basis", typ: "string", text: "Article of the law; needed to deny."}, {name: "patch", typ: "Parameters", text: "Of a rectification: the correction, as a FHIRPath Patch."},
		},
		out: []parameter{{name: "return", typ: "Task", min: 1, text: "The request as it is now."}}},
	{name: "arco-due", title: "List requests that are due", scope: onType, types: []string{"Task"}, text: "What has to be answered or done, the most urgent first.",
		in:  []parameter{{name: "within", typ: "integer", text: "Only what is due within so many business days."}},
		out: []parameter{{name: "return", typ: "Bundle", min: 1, text: "The requests."}}},
	{name: "arco-package", title: "Everything that is kept of a patient", scope: onInstance, types: onPatient,
		text: "A ZIP file with the whole record, for people and for machines, and with who looked at it.",
		out:  []parameter{{name: "return", typ: "Binary", min: 1, text: "The file, application/zip."}}},
	{name: "arco-unblock", title: "Lift the block of a record", changes: true, scope: onInstance, types: onPatient,
		text: "Makes a record that was blocked visible again, when the patient comes back for care or takes the cancellation back.",
		in:   []parameter{{name: "reason", typ: "string", min: 1, text: "Why."}},
		out:  []parameter{{name: "return", typ: "Patient", min: 1, text: "The Patient as they are now."}}},
	{name: "legal-hold", title: "Set or release a legal hold", changes: true, scope: onInstance, types: onPatient, out: holdsOut,
		text: "A record under a legal hold is not removed, however old it is.",
		in: []parameter{
			{name: "action", typ: "code", min: 1, text: "set or release."}, {name: "authority", typ: "string", min: 1, text: "Who ordered it."},
			{name: "number", typ: "string", min: 1, text: "Number of the order."}, {name: "reason", typ: "string", min: 1, text: "Why."},
		}},
	{name: "legal-holds", title: "List the legal holds on a record", scope: onInstance, types: onPatient, out: holdsOut, text: "All of them, also those that were released."},

	// Immunization.
	{name: "immunization-status", title: "Which vaccines are due", scope: onInstance, types: onPatient,
		text: "What the immunization schedule says of a Patient by what is recorded: of each dose whether it counts, of each vaccine group which dose is next, and when. To who may not see all that it rests on it says that, and gives no day.",
		in: []parameter{
			{name: "date", typ: "date", text: "Day of the assessment; today when left out."},
			{name: "schedule", typ: "string", text: "Another schedule, or one version of it: name, or name|version."},
			{name: "explain", typ: "boolean", text: "Give the reasons in words."},
		},
		out: []parameter{
			{name: "evaluation", typ: "ImmunizationEvaluation", max: "*", text: "What a dose is worth against one disease."},
			{name: "recommendation", typ: "ImmunizationRecommendation", min: 1, text: "What is due."},
			{name: "schedule", typ: "string", min: 1, text: "Version that it was assessed by: name|version."},
			{name: "explanation", typ: "string", text: "The reasons, for people who maintain schedules."},
			{name: "doubts", typ: "OperationOutcome", text: "What of the record could not be counted, or was with a reserve."},
			{name: "partial", typ: "boolean", min: 1, text: "Whether there is something that the caller may not see."},
		}},

	// Reports and exchange.
	{name: "giis-export", title: "File of outpatient visits for the Ministry of Health", scope: onSystem,
		text: "The visits of a month as guide GIIS-B015 has them: as text/plain the file, as text/csv what was found wrong, as FHIR the counts and what was found.",
		in: []parameter{
			{name: "month", typ: "string", min: 1, text: "YYYY-MM."}, {name: "clues", typ: "string", max: "*", text: "CLUES of an establishment; all when left out."},
			{name: "guide", typ: "code", text: "B015."}, {name: "faulty", typ: "code", text: "What becomes of rows with errors: refuse (no file is made), omit or keep."},
		},
		out: []parameter{
			{name: "name", typ: "string", min: 1, text: "Name of the file."}, {name: "made", typ: "boolean", min: 1, text: "Whether there is a file."},
			{name: "rows", typ: "integer", min: 1, text: "How many it has."}, {name: "leftOut", typ: "integer", min: 1, text: "How many were left out."},
			{name: "errors", typ: "integer", min: 1, text: "How many were found."}, {name: "warnings", typ: "integer", min: 1, text: "How many were found."},
			{name: "findings", typ: "OperationOutcome", min: 1, text: "What was found."},
		}},
	{name: "birth-print", title: "Paper of a certificate of birth", scope: onSystem | onInstance, types: []string{"Bundle", "Composition"},
		text: "A certificate of birth as a page (text/html) or for paper (application/pdf). On the system it is named by its folio.",
		in:   []parameter{{name: "folio", typ: "string", text: "Number of the certificate; on the system alone."}},
		out:  []parameter{{name: "return", typ: "Binary", min: 1, text: "The page."}}},
	{name: "birth-report", title: "Figures of certificates of birth", scope: onSystem,
		text: "What was certified in a year, when and how completely, without identities. As text/csv or FHIR. Small figures are hidden from who does not see the births.",
		in: []parameter{
			{name: "year", typ: "integer", text: "Four digits; this year when left out."}, {name: "facility", typ: "string", text: "CLUES, or what it begins with."},
		},
		out: []parameter{
			{name: "year", typ: "integer", min: 1, text: "The year."}, {name: "hidden", typ: "integer", min: 1, text: "How many lines are hidden."},
			{name: "total", min: 1, text: "Figures of all.", parts: figures}, {name: "line", max: "*", text: "Figures of an establishment in a month.", parts: figures},
			{name: "column", max: "*", text: "How completely a column is filled in.", parts: []parameter{
				{name: "column", typ: "code", min: 1, text: "Column of SINAC."}, {name: "births", typ: "integer", min: 1, text: "How many it applies to."},
				{name: "missing", typ: "integer", text: "Of how many it is missing."}, {name: "rate", typ: "decimal", text: "The same as a share."},
			}},
		}},
	{name: "changes", title: "Follow what changes", scope: onSystem,
		text: "Keeps the copy of a clinic up to date: without since, all that the caller may see in the scope; with it, what changed, with removals and what is no longer seen.",
		in: []parameter{
			{name: "patient", typ: "string", text: "Scope: id of a Patient. One scope at most."}, {name: "group", typ: "string", text: "Scope: id of a Group of Patients."},
			{name: "organization", typ: "string", text: "Scope: id of an Organization."}, {name: "facility", typ: "string", text: "Scope: CLUES of an establishment."},
			{name: "since", typ: "string", text: "Cursor of the answer before."}, {name: "_type", typ: "string", text: "Resource types, with commas."},
			{name: "_count", typ: "positiveInt", text: "Entries of a page."}, {name: "wait", typ: "unsignedInt", text: "Seconds that the answer may wait for a change; 60 at most."},
		},
		out: []parameter{{name: "return", typ: "Bundle", min: 1, text: "A page, with links next or to the next cursor."}}},

	// Running a server.
	{name: "message-dead-letters", title: "List HL7 v2 messages that could not be written", scope: onSystem, text: "They are listed without their content, the oldest first.",
		in:  []parameter{{name: "sender", typ: "string", text: "Only those of a sender."}},
		out: []parameter{{name: "letter", max: "*", text: "One of them.", parts: letterParts}}},
	{name: "message-replay", title: "Try HL7 v2 messages again", changes: true, scope: onSystem, text: "Tries to write messages that could not be written, the oldest first.",
		in: []parameter{
			{name: "id", typ: "string", max: "*", text: "Id of a message; all when left out."}, {name: "sender", typ: "string", text: "All of a sender."},
		},
		out: []parameter{{name: "letter", max: "*", text: "What became of one of them.", parts: append(letterParts[:len(letterParts):len(letterParts)],
			parameter{name: "state", typ: "string", text: "What became of it."})}}},
	{name: "reindex", title: "Make the search index anew", changes: true, scope: onSystem, out: jobParts,
		text: "Begins to make what resources are found by anew, in the background; 202 with the job.",
		in:   []parameter{{name: "type", typ: "code", max: "*", text: "Resource type; all when left out."}}},
	{name: "reindex-status", title: "How far reindexing is", scope: onSystem,
		text: "Of the job that is named, also as $reindex-status/[job], its parts themselves; otherwise all jobs that are known.",
		in:   []parameter{{name: "job", typ: "string", text: "Id of a job."}},
		out: append([]parameter{
			{name: "job", max: "*", text: "A job, where none was named.", parts: jobParts},
			{name: "unsearched", max: "*", text: "A SearchParameter that is not searched by.", parts: []parameter{
				{name: "resource", typ: "Reference", min: 1, text: "The SearchParameter."}, {name: "reason", typ: "string", min: 1, text: "Why not."},
			}},
		}, optional(jobParts)...)},
}

var signedOut = []parameter{
	{name: "composition", typ: "Reference", min: 1, text: "The Composition."}, {name: "document", typ: "Reference", min: 1, text: "The signed document, a Bundle."},
	{name: "provenance", typ: "Reference", min: 1, text: "Who did it, when and why."},
}

var signatureParts = []parameter{
	{name: "status", typ: "code", min: 1, text: "passed, failed or unknown."}, {name: "text", typ: "string", min: 1, text: "The same in words."},
	{name: "name", typ: "string", text: "Name in the certificate."}, {name: "curp", typ: "string", text: "CURP in the certificate."}, {name: "rfc", typ: "string", text: "RFC in the certificate."},
	{name: "certificate", typ: "string", text: "Serial number of the certificate."}, {name: "issuer", typ: "string", text: "Who issued it."},
	{name: "who", typ: "Reference", text: "Who signs, as the document states it."}, {name: "type", typ: "Coding", text: "In which capacity."}, {name: "when", typ: "instant", text: "When."},
	{name: "check", max: "*", text: "One check.", parts: []parameter{
		{name: "name", typ: "code", min: 1, text: "What is checked."}, {name: "result", typ: "code", min: 1, text: "passed, failed or unknown."},
		{name: "reason", typ: "code", min: 1, text: "Why."}, {name: "text", typ: "string", min: 1, text: "The same in words."},
	}},
}

var holdsOut = []parameter{{name: "hold", max: "*", text: "A legal hold on the record.", parts: []parameter{
	{name: "stands", typ: "boolean", min: 1, text: "Whether it stands."}, {name: "authority", typ: "string", min: 1, text: "Who ordered it."},
	{name: "number", typ: "string", min: 1, text: "Number of the order."}, {name: "reason", typ: "string", min: 1, text: "Why."},
	{name: "set", typ: "instant", min: 1, text: "When it was set."}, {name: "by", typ: "string", min: 1, text: "Who set it."},
	{name: "released", typ: "instant", text: "When it was released."}, {name: "why", typ: "string", text: "Why it was released."},
}}}

var letterParts = []parameter{
	{name: "id", typ: "string", min: 1, text: "Its id here."}, {name: "sender", typ: "string", text: "Who sent it."}, {name: "control", typ: "string", text: "MSH-10."},
	{name: "kind", typ: "string", text: "Such as ORU^R01."}, {name: "received", typ: "instant", min: 1, text: "When it came."}, {name: "tried", typ: "integer", min: 1, text: "How often it was tried."},
	{name: "place", typ: "string", text: "Field that is at fault."}, {name: "why", typ: "string", text: "Why it could not be written."},
}

var jobParts = []parameter{
	{name: "id", typ: "string", min: 1, text: "Id of the job."}, {name: "status", typ: "code", min: 1, text: "How it stands."}, {name: "url", typ: "url", min: 1, text: "Where to ask again."},
	{name: "done", typ: "decimal", min: 1, text: "Resources done."}, {name: "total", typ: "decimal", min: 1, text: "Resources in all."}, {name: "type", typ: "code", max: "*", text: "Only these types."},
	{name: "created", typ: "instant", text: "When it was asked for."}, {name: "due", typ: "instant", text: "When it goes on."}, {name: "started", typ: "instant", text: "When it began."},
	{name: "ended", typ: "instant", text: "When it ended."}, {name: "expected", typ: "instant", text: "When it is expected to end."},
	{name: "why", typ: "string", text: "Why it is done."}, {name: "note", typ: "string", text: "What it does now."}, {name: "error", typ: "string", text: "Why it failed."},
}

// figures are those of births.
var figures = []parameter{
	{name: "facility", typ: "code", text: "CLUES."}, {name: "month", typ: "code", text: "YYYY-MM."}, {name: "births", typ: "decimal", text: "Births; a code where the figure is hidden, as with all below."},
	{name: "void", typ: "decimal", text: "Certificates withdrawn."}, {name: "replaced", typ: "decimal", text: "Certificates replaced."},
	{name: "certify_n", typ: "decimal", text: "Births whose hour is known."}, {name: "certify_median_hours", typ: "decimal", text: "From birth to certificate."},
	{name: "certify_p90_hours", typ: "decimal", text: "The same, of nine in ten."}, {name: "certify_share_24h", typ: "decimal", text: "Share within 24 hours."},
	{name: "register_n", typ: "decimal", text: "Births that were registered."}, {name: "register_median_days", typ: "decimal", text: "From birth to registration."},
	{name: "register_p90_days", typ: "decimal", text: "The same, of nine in ten."}, {name: "register_share_60d", typ: "decimal", text: "Share within 60 days."},
	{name: "unregistered_after_60d", typ: "decimal", text: "Births not registered within 60 days."},
}

// optional returns parameters as ones that need not be there.
func optional(all []parameter) []parameter {
	out := append([]parameter(nil), all...)
	for i := range out {
		out[i].min = 0
	}
	return out
}
