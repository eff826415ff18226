package authz_test

import (
	"bytes"

	"github.com/amate-health/amate/authz"
	"github.com/amate-health/amate/fhir/feed"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/store"
)

// changesOperations offers $changes.
func (w *world) changesOperations() []operation.Operation {
	s, ok := w.store.(interface {
		rest.Store
		authz.State
		Feed() *store.Feed
	})
	if !ok {
		w.t.Fatal("the store has no change feed")
	}
	return feed.New(feed.Config{Store: s, Inside: s, Changes: s.Feed(), Key: bytes.Repeat([]byte{3}, 32)}).Operations()
}
