package sqlite

import (
	"testing"

	"github.com/amate-health/amate/store/storetest"
)

func TestFeed(t *testing.T) {
	storetest.Feed(t, func(t *testing.T) storetest.Feeder { return open(t) }, nil)
}
