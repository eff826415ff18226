package postgres

import (
	"testing"
	"time"

	"github.com/amate-health/amate/store/storetest"
)

func TestReceipts(t *testing.T) { storetest.Receipts(t, openAt(t, time.Now).(*Store)) }
