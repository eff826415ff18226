package postgres

import (
	"testing"

	"github.com/amate-health/amate/store/storetest"
)

func TestReindexing(t *testing.T) {
	storetest.Reindexing(t, func(t *testing.T) storetest.Reindexer { return open(t) })
}
