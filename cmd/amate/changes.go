package main

import (
	"github.com/amate-health/amate/fhir/feed"
	"github.com/amate-health/amate/fhir/operation"
)

// changesOperations offers $changes, by which clinics keep a copy of what they may see.
func (o *opened) changesOperations() []operation.Operation {
	return feed.New(feed.Config{Store: o, Inside: o.engine, Changes: o.engine.Feed(), Key: o.key("changes")}).Operations()
}
