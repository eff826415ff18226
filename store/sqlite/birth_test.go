package sqlite

import (
	"testing"
	"time"

	"github.com/amate-health/amate/store/storetest"
)

func TestBirths(t *testing.T) { storetest.Births(t, openAt(t, time.Now).(*Store)) }
