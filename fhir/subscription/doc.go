// Package subscription tells subscribers of what has changed: topic-based subscriptions as
// the Subscriptions R5 Backport IG has them for R4.
//
// A Subscription names a topic, a filter, and where to send what happens: to an endpoint
// (rest-hook), or over a socket that its owner opens (websocket). What happens is told in
// events that are numbered from 1; whoever has missed some asks for them with $events.
//
// What is promised: an event comes at least once, those of one resource in their order, and
// none is lost while its subscriber, this server or the way between them is down. An event
// is shown only to who may see its resource at the moment in which it is sent: every
// delivery passes the guard as the account or app that the Subscription is of, as that
// account is then. Of what the subscriber may not see, or no longer may, no event tells
// anything, but for one: of a resource that an event has told of, the next event tells that
// it is not there any more, be it deleted or hidden, which is not told apart.
//
// How: one reader for each process follows the change feed, and finds for each change the
// topics that it fits. For each Subscription there is a mark in the feed up to which it has
// been looked at, and a log of the events that came of it; both are written together. What
// the subscriber has confirmed is noted after it did. So a slow subscriber is a mark that
// lags behind, and costs the others nothing. Servers of one database share the
// Subscriptions out among themselves by leases.
//
// See https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/.
package subscription
