package sqlite

import (
	"testing"
	"time"

	"github.com/amate-health/amate/store/storetest"
)

func TestVaccinees(t *testing.T) { storetest.Vaccinees(t, openAt(t, time.Now).(*Store)) }
