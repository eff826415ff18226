package postgres

import (
	"testing"
	"time"

	"github.com/amate-health/amate/store"
	"github.com/amate-health/amate/store/storetest"
)

func TestLateWrite(t *testing.T) {
	storetest.LateWrite(t, open(t), momentSlack, func(tx store.Tx, at time.Time) { tx.(*racingTx).began = at })
}
