package profile

import "github.com/amate-health/amate/fhir/operation"

// publishing are the operations of open data.
var publishing = []definition{
	{name: "publish-open-data", title: "Publish open data", changes: true, scope: operation.OnSystem,
		text: "Orders a release of a family of datasets for a period that is over, or tells of one that was ordered. What it makes is at /datos, for anybody: counts out of which nobody can be found.",
		in: []parameter{
			{name: "family", typ: "string", text: "The family of datasets, such as nacimientos."}, {name: "period", typ: "string", text: "YYYY or YYYY-MM; the last one that is settled when left out."},
			{name: "job", typ: "string", text: "Tells of an order that was given before, in place of the others."},
		},
		out: []parameter{
			{name: "job", typ: "string", min: 1, text: "Names the order."}, {name: "status", typ: "code", min: 1, text: "queued, running, done, failed or cancelled."},
			{name: "note", typ: "string", text: "What came of it."}, {name: "error", typ: "string", text: "Why it failed."},
		}},
}
