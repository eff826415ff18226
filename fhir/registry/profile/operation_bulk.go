package profile

import "github.com/amate-health/amate/fhir/operation"

// fetching are the operations by which work that was ordered is asked for, and fetched.
var fetching = []definition{
	{
		name: "bulk-status", title: "Ask how far an export is", scope: operation.OnSystem,
		text: "How far work is that was ordered with Prefer: respond-async, such as an export: 202 with X-Progress and Retry-After while it goes on, then the manifest of its files. DELETE gives it up, and removes what came of it. Only who ordered it is answered.",
		in:   []parameter{{name: "order", typ: "string", min: 1, text: "The order: the segment after the name."}},
		out:  []parameter{{name: "return", typ: "Binary", min: 1, text: "The manifest, as application/json."}},
	},
	{
		name: "bulk-file", title: "Fetch a file of an export", scope: operation.OnSystem,
		text: "A file that a manifest lists, coded as gzip or zstd where Accept-Encoding takes that. Only who ordered it gets it, as long as they may still order such a thing.",
		in:   []parameter{{name: "file", typ: "string", min: 1, text: "The order and the name of the file: the segment after the name."}},
		out:  []parameter{{name: "return", typ: "Binary", min: 1, text: "The file, as its own media type."}},
	},
}
