package store

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store/index"
	"github.com/amate-health/amate/store/query"
)

// ScanEngine is what an engine scans by.
type ScanEngine interface {
	// Snapshot runs f over one state of the database, whatever is written meanwhile.
	Snapshot(ctx context.Context, f func(ScanTx) error) error
}

// ScanTx is one state of the database.
type ScanTx interface {
	Reader

	// ChangedSince returns the row keys, above a key, of resources of a type that have a version
	// later than a moment, each once or more, with the times of these versions.
	ChangedSince(ctx context.Context, typ string, since time.Time, above int64) ([]Changed, error)

	// AsOf returns those versions of rows that were current at a moment, deletions included.
	AsOf(ctx context.Context, keys []int64, at time.Time) ([]WasFound, error)
}

// Changed is a version that a scan has to look behind.
type Changed struct {
	Key     int64
	Updated int64 // microseconds since 1970 UTC
}

// WasFound is a version that was current once.
type WasFound struct {
	Found
	Live bool // the resource exists now
}

const (
	// scanRows and scanBytes are how much is read at a time.
	scanRows  = 2000
	scanBytes = 4 << 20
	// scanLate is how much later than others with the same time a version can become
	// visible, at most: a write ends by then or comes to nothing.
	scanLate = 10 * 60 * 1e6 // microseconds
)

// Scan implements search.Scanner for an engine. x says by what a resource is found.
//
// A piece of the scan is a range of row keys, read from one state of the database: what is
// current there and not later than the moment is shown as it is, and for what has changed
// since then, or was deleted, the version that was current is looked up. So each resource
// is met in one piece, once, as it was; and a scan can go on behind any piece.
func Scan(ctx context.Context, e ScanEngine, s *search.Scan, x Indexer, page func([]fhir.Resource, string) error) error {
	sc, err := newScanning(e, s, x)
	if err != nil || sc == nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	pieces := make(chan piece, 1) // beside those that are read and shown at the moment
	go func() {
		defer close(pieces)
		for {
			p := sc.next(ctx)
			select {
			case pieces <- p:
			case <-ctx.Done():
				return
			}
			if p.err != nil || p.last {
				return
			}
		}
	}()
	for p := range pieces {
		if p.err != nil {
			return p.err
		}
		found, err := p.expand()
		if err == nil && len(found) > 0 {
			err = page(found, strconv.FormatInt(p.after, 10))
		}
		if err != nil {
			return err
		}
		if p.last {
			return nil
		}
	}
	return ctx.Err()
}

// piece is what was read at a time.
type piece struct {
	rows  []Found
	was   []fhir.Resource // as of the moment
	after int64           // row key where it ends
	last  bool
	err   error
}

// expand returns the resources of p.
func (p *piece) expand() ([]fhir.Resource, error) {
	out := make([]fhir.Resource, len(p.rows), len(p.rows)+len(p.was))
	err := inParallel(len(p.rows), func(i int) (err error) {
		out[i], err = p.rows[i].Expand()
		return err
	})
	return append(out, p.was...), err
}

// scanning is a scan under way.
type scanning struct {
	engine ScanEngine
	q      *search.Query
	x      Indexer
	at     time.Time // zero for none
	after  int64
	rows   int // read at a time

	changed map[int64]bool // row keys of what changed after at, above after
	seen    int64          // the latest time of those
}

// newScanning returns nil when there is nothing to be seen.
func newScanning(e ScanEngine, s *search.Scan, x Indexer) (*scanning, error) {
	if s.Query.Restriction == nil {
		return nil, query.ErrUnrestricted
	}
	if index.TypeNumber(s.Query.Type) == 0 {
		return nil, fhir.Errorf(fhir.UnknownType, "a scan is of one resource type")
	}
	if s.At.After(time.Now()) {
		return nil, fhir.Errorf(fhir.Invalid, "a scan is not as of the future")
	}
	if r := s.Query.Restriction; !r.Open() {
		if _, listed := r.Of(s.Query.Type); !listed {
			return nil, nil
		}
	}
	sc := &scanning{engine: e, x: x, at: s.At, rows: cmp.Or(s.Query.Count, scanRows), changed: map[int64]bool{}}
	sc.q = &search.Query{Type: s.Query.Type, Where: s.Query.Where, Restriction: s.Query.Restriction, Bytes: scanBytes}
	sc.seen = s.At.UnixMicro()
	if s.After != "" {
		var err error
		if sc.after, err = strconv.ParseInt(s.After, 10, 64); err != nil || sc.after < 0 {
			return nil, fhir.Errorf(fhir.Invalid, "this is no place in a scan")
		}
	}
	return sc, nil
}

// next reads the next piece, and moves the scan behind it.
func (sc *scanning) next(ctx context.Context) (p piece) {
	p.err = sc.engine.Snapshot(ctx, func(tx ScanTx) error {
		p = piece{}
		return sc.read(ctx, tx, &p)
	})
	if p.err == nil {
		sc.after = p.after
	}
	return p
}

func (sc *scanning) read(ctx context.Context, tx ScanTx, p *piece) error {
	known, err := tx.Known(ctx, query.References(sc.q))
	if err != nil {
		return err
	}
	x := &searching{Reader: tx, q: sc.q, compiler: newCompiler(tx, known)}
	var from *query.Position
	if sc.after > 0 {
		from = &query.Position{Rkey: sc.after}
	}
	rows, _, err := x.part(ctx, from, sc.rows)
	if err != nil {
		return err
	}
	p.after, p.last = math.MaxInt64, true
	if len(rows.Found) == sc.rows || rows.Cut {
		p.after, p.last = rows.Found[len(rows.Found)-1].Key, false
	}
	p.rows = rows.Found
	if sc.at.IsZero() {
		return nil
	}
	p.rows = slices.DeleteFunc(p.rows, func(f Found) bool { return f.Resource.Updated.After(sc.at) })
	return sc.behind(ctx, tx, p)
}

// behind adds to a piece what has changed since the moment, as it was.
func (sc *scanning) behind(ctx context.Context, tx ScanTx, p *piece) error {
	since := max(sc.at.UnixMicro(), sc.seen-scanLate)
	changed, err := tx.ChangedSince(ctx, sc.q.Type, time.UnixMicro(since), sc.after)
	if err != nil {
		return err
	}
	for _, c := range changed {
		sc.changed[c.Key] = true
		sc.seen = max(sc.seen, c.Updated)
	}
	var keys []int64
	for key := range sc.changed {
		if key <= p.after {
			delete(sc.changed, key)
			if key > sc.after {
				keys = append(keys, key)
			}
		}
	}
	slices.Sort(keys)
	for some := range slices.Chunk(keys, scanRows) {
		was, err := tx.AsOf(ctx, some, sc.at)
		if err != nil {
			return err
		}
		meant, err := sc.meant(ctx, tx, was)
		if err != nil {
			return err
		}
		p.was = append(p.was, meant...)
	}
	return nil
}

// candidate is a version as of the moment that may be meant.
type candidate struct {
	resource fhir.Resource
	live     bool
	shown    bool // by all that the restriction asks, as far as that can be told from it alone
}

// meant returns those versions of a moment that the scan asks for. What the caller may see
// is decided by the resources as they are now, but for those that are no more.
func (sc *scanning) meant(ctx context.Context, tx ScanTx, was []WasFound) ([]fhir.Resource, error) {
	var all []candidate
	var rest []search.Expr // conditions that other resources decide
	for i := range was {
		w := &was[i]
		if w.Resource.Deleted() {
			continue
		}
		r, err := w.Expand()
		if err != nil {
			return nil, err
		}
		ix, err := sc.x(&r)
		if err != nil {
			return nil, err
		}
		s := &search.Subject{Ref: r.Ref.Current(), Updated: r.Updated, Index: &ix}
		ok, unknown := hold(sc.q.Where, s)
		if !ok {
			continue
		}
		rest = unknown
		c := candidate{resource: r, live: w.Live}
		if !sc.q.Restriction.Open() {
			where, _ := sc.q.Restriction.Of(sc.q.Type)
			ok, unknown := hold(where, s)
			c.shown = ok && len(unknown) == 0
		}
		all = append(all, c)
	}
	if len(all) == 0 || sc.q.Restriction.Open() && len(rest) == 0 {
		return resourcesOf(all), nil
	}
	found, err := sc.now(ctx, tx, all, rest)
	if err != nil {
		return nil, err
	}
	return resourcesOf(slices.DeleteFunc(all, func(c candidate) bool {
		return !found[c.resource.Ref.ID] && (c.live || !c.shown || len(rest) > 0)
	})), nil
}

func resourcesOf(all []candidate) []fhir.Resource {
	out := make([]fhir.Resource, len(all))
	for i := range all {
		out[i] = all[i].resource
	}
	return out
}

// hold tries conditions on a resource by itself. ok says that none of them speaks against
// it; unknown are those that could not be tried.
func hold(where []search.Expr, s *search.Subject) (ok bool, unknown []search.Expr) {
	for _, e := range where {
		holds, err := search.Holds(e, s)
		if err != nil {
			unknown = append(unknown, e)
		} else if !holds {
			return false, nil
		}
	}
	return true, unknown
}

// now returns the ids of those that are shown, and meet conditions, as they are now.
func (sc *scanning) now(ctx context.Context, tx ScanTx, all []candidate, where []search.Expr) (map[string]bool, error) {
	ids := make([]string, len(all))
	for i := range all {
		ids[i] = all[i].resource.Ref.ID
	}
	found := map[string]bool{}
	for some := range slices.Chunk(ids, 500) {
		q := &search.Query{Type: sc.q.Type, Where: append([]search.Expr{search.IDs{Any: some}}, where...), Restriction: sc.q.Restriction}
		known, err := tx.Known(ctx, query.References(q))
		if err != nil {
			return nil, err
		}
		x := &searching{Reader: tx, q: q, compiler: newCompiler(tx, known)}
		rows, _, err := x.part(ctx, nil, len(some)+1)
		if err != nil {
			return nil, err
		}
		for i := range rows.Found {
			found[rows.Found[i].Resource.Ref.ID] = true
		}
	}
	return found, nil
}
