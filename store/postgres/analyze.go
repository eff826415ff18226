package postgres

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// PostgreSQL renews the statistics it plans by once a minute at most. A database
// that was just filled has none at all, and until then a search may take a
// thousand times as long as it should. So the store asks for them itself, when
// much is new and the writing pauses, or when it goes on and on.

const (
	// manyNew is how many new versions are worth new statistics, at least.
	manyNew = 5_000
	// tenth is the part of all versions that must be new, as for autovacuum.
	tenth = 10
	// manyTimes is how many times what was there must be new before they are renewed
	// in the midst of writing.
	manyTimes = 4
	// analyzeEvery is how often it looks.
	analyzeEvery = time.Second
	// analyzeLock keeps servers from doing the same at once.
	analyzeLock = 0x616d6173746174
)

// analyst has statistics renewed.
type analyst struct {
	known   int64        // versions that the statistics knew of at the start
	written atomic.Int64 // versions since
	stop    chan struct{}
	ended   sync.WaitGroup
}

// start looks at what was written from time to time and calls renew when it is
// time to. What renew could not do, autovacuum will.
func (a *analyst) start(renew func(context.Context)) {
	a.stop = make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	a.ended.Go(func() {
		defer cancel()
		ticker := time.NewTicker(analyzeEvery)
		defer ticker.Stop()
		known := a.known
		var last, seen int64 // what was written when statistics were renewed, and when it last looked
		for {
			select {
			case <-a.stop:
				return
			case <-ticker.C:
			}
			written := a.written.Load()
			if worthwhile(known, written-last, written == seen) {
				renew(ctx)
				known, last = known+written-last, written
			}
			seen = written
		}
	})
	go func() {
		<-a.stop
		cancel()
	}()
}

// worthwhile reports whether statistics of known versions are to be renewed now
// that fresh ones have come; paused says that no more are coming for the moment.
func worthwhile(known, fresh int64, paused bool) bool {
	if fresh < manyNew {
		return false
	}
	return paused && fresh >= known/tenth || fresh >= manyTimes*known
}

func (a *analyst) close() {
	close(a.stop)
	a.ended.Wait()
}

// analyze renews the statistics of the tables that searches look at, unless
// another server is at it.
func (s *Store) analyze(ctx context.Context) {
	start := time.Now()
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return
	}
	defer conn.Release()
	var alone bool
	if err := conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1)`, int64(analyzeLock)).Scan(&alone); err != nil || !alone {
		return
	}
	_, err = conn.Exec(ctx, `VACUUM (ANALYZE, SKIP_LOCKED, INDEX_CLEANUP OFF, TRUNCATE OFF) posting, resource, version, date_value, number_value, string_value, word, place_value, text_value, person, person_key`)
	if _, unlockErr := conn.Exec(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock($1)`, int64(analyzeLock)); unlockErr != nil {
		conn.Conn().PgConn().Close(context.WithoutCancel(ctx)) // which lets go of the lock, too
	}
	if err == nil {
		s.observe("analyze", start)
	}
}
