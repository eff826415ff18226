package feed

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/search"
)

// turn is a moment from which a Consent of a patient says something else, although
// nothing is written: one of its rules begins or ends.
type turn struct {
	at      int64 // microseconds since 1970 UTC
	patient fhir.Ref
}

// turns are those of the days around now. Consents are read once a day for all copies,
// and beside that those which have changed.
type turns struct {
	mu          sync.Mutex
	mark        fhir.Mark // changes up to it have been looked at
	looked      time.Time // when they were
	from, until int64     // turns between these are known
	all         []turn    // ascending
}

const (
	turnsBehind = 48 * time.Hour // copies that were looked at before that read the Consents themselves
	turnsAhead  = 24 * time.Hour
	turnsLate   = time.Minute // how far the clocks of servers may be apart
	turnsPause  = time.Second // for how long it is not looked whether a Consent has changed
)

// turned returns the patients of whom a Consent began or ended to say something between
// the time at which a copy was looked at, in microseconds since 1970 UTC, and now.
func (f *Feed) turned(ctx context.Context, since int64) ([]fhir.Ref, error) {
	t, now := &f.turns, f.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := f.readTurns(ctx, now); err != nil {
		return nil, err
	}
	since -= turnsLate.Microseconds()
	all := t.all
	if since < t.from {
		var err error
		if all, err = f.consentTurns(ctx, nil, since, now.UnixMicro()); err != nil {
			return nil, err
		}
	}
	i, _ := slices.BinarySearchFunc(all, since, func(t turn, at int64) int { return cmp.Compare(t.at, at) })
	var patients []fhir.Ref
	for ; i < len(all) && all[i].at <= now.UnixMicro(); i++ {
		patients = append(patients, all[i].patient)
	}
	return patients, nil
}

// readTurns brings the turns up to date.
func (f *Feed) readTurns(ctx context.Context, now time.Time) error {
	t := &f.turns
	if at := now.UnixMicro(); t.looked.IsZero() || at > t.until || at < t.from {
		end, err := f.Changes.End(ctx) // what is written while they are read is looked at again
		if err != nil {
			return err
		}
		from, until := now.Add(-turnsBehind).UnixMicro(), now.Add(turnsAhead).UnixMicro()
		all, err := f.consentTurns(ctx, nil, from, until)
		if err != nil {
			return err
		}
		t.mark, t.looked, t.from, t.until, t.all = end, now, from, until, all
		return nil
	}
	if age := now.Sub(t.looked); age >= 0 && age < turnsPause {
		return nil
	}
	for {
		changes, err := f.Changes.Changes(ctx, t.mark, batch)
		if fhir.CodeOf(err) == fhir.Gone { // the database was restored to an earlier state
			t.looked = time.Time{}
			return f.readTurns(ctx, now)
		}
		if err != nil {
			return err
		}
		var ids []string
		for i := range changes {
			if changes[i].Ref.Type == "Consent" && changes[i].Method != fhir.DELETE {
				ids = append(ids, changes[i].Ref.ID)
			}
		}
		if len(ids) > 0 {
			more, err := f.consentTurns(ctx, ids, t.from, t.until)
			if err != nil {
				return err
			}
			t.all = append(t.all, more...) // what is not so any more does no harm
			slices.SortFunc(t.all, func(a, b turn) int { return cmp.Compare(a.at, b.at) })
		}
		if len(changes) > 0 {
			t.mark = changes[len(changes)-1].At
		}
		if len(changes) < batch {
			t.looked = now
			return nil
		}
	}
}

// consentTurns reads the turns between two times of Consents: of those with ids, or of
// all when there are none.
func (f *Feed) consentTurns(ctx context.Context, ids []string, from, until int64) (all []turn, err error) {
	note := func(json []byte) error {
		doc, err := element.Parse(json)
		if err != nil {
			return err
		}
		patient, ok := fhir.ParseRef(text(doc, doc.Get(0, "patient"), "reference"))
		if !ok || patient.Type != "Patient" {
			return nil
		}
		ix, err := search.Extract(doc, 0, "")
		if err != nil {
			return err
		}
		for _, d := range ix.Dates {
			if (d.Param == search.ConsentFrom || d.Param == search.ConsentUntil) && d.Hi > from && d.Hi <= until {
				all = append(all, turn{d.Hi, patient.Current()})
			}
		}
		return nil
	}
	for parts := slices.Collect(slices.Chunk(ids, lookups)); ; parts = parts[1:] {
		q := search.Query{Type: "Consent", Count: lookups, Restriction: search.Unrestricted}
		if len(parts) > 0 {
			q.Where = []search.Expr{search.IDs{Any: parts[0]}}
		}
		for {
			page, err := f.Inside.Search(ctx, &q)
			if err != nil {
				return nil, err
			}
			for i := range page.Matches {
				if err := note(page.Matches[i].JSON); err != nil {
					return nil, err
				}
			}
			if q.After = page.Next; q.After == "" {
				break
			}
		}
		if len(parts) < 2 {
			break
		}
	}
	slices.SortFunc(all, func(a, b turn) int { return cmp.Compare(a.at, b.at) })
	return all, nil
}
