package profile

// ingests are the operations that take files.
var ingests = []definition{
	{name: "import", id: "import", title: "Import files", changes: true, scope: onSystem,
		text: "Takes resources out of files of NDJSON, plain or packed by gzip or zstd, and puts each at its id, as the caller. It is ordered with the header Prefer: respond-async; what came of it, and what was refused of each file, is asked for at the Content-Location. The same order again changes nothing that is there already.",
		in: []parameter{
			{name: "inputFormat", typ: "code", text: "application/fhir+ndjson, which there is alone."}, {name: "inputSource", typ: "uri", text: "Whose files they are; nothing depends on it."},
			{name: "storageDetail", text: "As others have it; nothing depends on it.", parts: []parameter{{name: "type", typ: "code", text: "https or file."}}},
			{name: "input", max: "*", text: "A file.", parts: []parameter{{name: "type", typ: "code", min: 1, text: "The type of its resources."}, {name: "url", typ: "uri", min: 1, text: "Where it is: https://..., or file:NAME in the folder that the server has for that."}}},
			{name: "manifest", typ: "url", text: "In place of input: where the manifest of a finished bulk export is, whose output files are taken."},
			{name: "header", typ: "string", max: "*", text: "A header of the requests for files, as Authorization: Bearer ...; it is kept encrypted, and as long as the order."},
		}},
}
