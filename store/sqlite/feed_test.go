package sqlite

import (
	"testing"

	"github.com/amate-health/amate/store/storetest"
)

func TestFeed(t *testing.T) {
	storetest.Feed(t, func(t *testing.T) storetest.Feeder { return open(t) }, nil)
}

func TestTogether(t *testing.T) {
	storetest.Together(t, func(t *testing.T) storetest.Both { return open(t) })
}
