package profile

import "github.com/amate-health/amate/fhir/operation"

// subscribing are the operations of subscriptions that the backport guide does not define.
var subscribing = []definition{
	{name: "subscription-topics", title: "List the topics that can be subscribed to", scope: operation.OnSystem,
		text: "What this server tells subscribers of: for each topic, which changes of which resources make an event, and by which search parameters it can be narrowed. R4 has no SubscriptionTopic, so each is a Basic with the elements of R5 as extensions.",
		out:  []parameter{{name: "return", typ: "Bundle", min: 1, text: "A collection of Basic, by the URL of the topic."}}},
}
