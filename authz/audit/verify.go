package audit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/amate-health/amate/fhir"
)

// Fault is something in the trail that should not be so.
type Fault struct {
	Month int    // chain, such as 202611; 0 for a fault of the checkpoints
	Seq   int64  // row of the chain, or number of the checkpoint
	ID    string // of the AuditEvent, where there is one
	What  string
}

// String says where and what.
func (f Fault) String() string {
	switch {
	case f.Month == 0:
		return fmt.Sprintf("checkpoint %d: %s", f.Seq, f.What)
	case f.ID != "":
		return fmt.Sprintf("%d row %d (AuditEvent/%s): %s", f.Month, f.Seq, f.ID, f.What)
	}
	return fmt.Sprintf("%d row %d: %s", f.Month, f.Seq, f.What)
}

// Report is what a verification came to.
type Report struct {
	Months      int
	Events      int64
	Checkpoints int64
	Unsigned    int64 // events after the newest checkpoint of their month
	Dropped     int   // months that were dropped after a final checkpoint
	Faults      []Fault
}

// maxFaults is how many faults are told; a chain that is broken everywhere is told
// in the first ones as well.
const maxFaults = 1000

// verifyPage is how many events are read at a time.
const verifyPage = 2000

// Verify reads the whole trail and holds it against itself, against its checkpoints,
// and against copies of checkpoints that were kept elsewhere (lines of the log, or
// of an export). Checkpoints count only if one of trusted signed them.
func Verify(ctx context.Context, chains Chains, trusted []PublicKey, copies [][]byte) (*Report, error) {
	v := &verification{chains: chains, trusted: trusted, report: new(Report), signed: map[int][]*statement{}}
	if err := v.checkpoints(ctx); err != nil {
		return nil, err
	}
	v.copies(copies)
	months, err := chains.EventMonths(ctx)
	if err != nil {
		return nil, err
	}
	for m := range v.signed {
		if !slices.Contains(months, m) {
			months = append(months, m)
		}
	}
	slices.Sort(months)
	for _, m := range months {
		if err := v.month(ctx, m); err != nil {
			return nil, err
		}
	}
	return v.report, nil
}

type verification struct {
	chains  Chains
	trusted []PublicKey
	report  *Report
	signed  map[int][]*statement // by month, in order of Seq
	all     map[int64]string     // checkpoints of the database, by number
}

func (v *verification) fault(f Fault) {
	if len(v.report.Faults) < maxFaults {
		v.report.Faults = append(v.report.Faults, f)
	}
}

// checkpoints verifies those of the database, which form a chain of their own.
func (v *verification) checkpoints(ctx context.Context) error {
	var last fhir.Checkpoint
	v.all = map[int64]string{}
	for {
		page, err := v.chains.Checkpoints(ctx, last.Number, verifyPage)
		if err != nil {
			return err
		}
		for _, c := range page {
			v.checkpoint(last, c)
			v.all[c.Number] = string(c.Content)
			last = c
		}
		if len(page) < verifyPage {
			return nil
		}
	}
}

func (v *verification) checkpoint(last, c fhir.Checkpoint) {
	v.report.Checkpoints++
	if c.Number != last.Number+1 {
		v.fault(Fault{Seq: last.Number + 1, What: fmt.Sprintf("it is missing, with all up to %d", c.Number-1)})
	}
	st, err := open(c.Content, v.trusted)
	if err != nil {
		v.fault(Fault{Seq: c.Number, What: err.Error()})
		return
	}
	if st.Number != c.Number || st.Month != c.Month || st.Seq != c.Seq || st.Final != c.Final {
		v.fault(Fault{Seq: c.Number, What: "its row says something else than its signature"})
	}
	sum := sha256.Sum256(last.Content)
	if c.Number == last.Number+1 && last.Number > 0 && !bytes.Equal(st.Before, sum[:]) {
		v.fault(Fault{Seq: c.Number, What: fmt.Sprintf("it was not made after checkpoint %d as that is now", last.Number)})
	}
	v.signed[st.Month] = append(v.signed[st.Month], st)
}

// copies holds checkpoints from elsewhere against those of the database.
func (v *verification) copies(copies [][]byte) {
	for _, c := range copies {
		st, err := open(bytes.TrimSpace(c), v.trusted)
		if err != nil {
			v.fault(Fault{What: "a copy of a checkpoint: " + err.Error()})
			continue
		}
		if v.all[st.Number] != string(bytes.TrimSpace(c)) {
			v.fault(Fault{Seq: st.Number, What: "there is a copy of it, and the database has none or another one"})
		}
		v.signed[st.Month] = append(v.signed[st.Month], st)
	}
	for m := range v.signed {
		slices.SortStableFunc(v.signed[m], func(a, b *statement) int { return int(a.Seq - b.Seq) })
	}
}

// month verifies one chain.
func (v *verification) month(ctx context.Context, m int) error {
	v.report.Months++
	c := &chainCheck{verification: v, month: m, signed: v.signed[m]}
	for {
		page, err := v.chains.Chain(ctx, m, c.last.Seq, verifyPage)
		if err != nil {
			return err
		}
		for i := range page {
			c.event(&page[i])
		}
		if len(page) < verifyPage {
			break
		}
	}
	c.end()
	return nil
}

// chainCheck walks along one chain.
type chainCheck struct {
	*verification
	month  int
	last   fhir.Event
	signed []*statement // those not met yet
	proven int64        // up to where a checkpoint vouches
}

func (c *chainCheck) event(e *fhir.Event) {
	id := uuid.UUID(e.ID).String()
	c.report.Events++
	missing := e.Seq != c.last.Seq+1
	if missing {
		c.fault(Fault{Month: c.month, Seq: c.last.Seq + 1, What: gone(c.last.Seq+1, e.Seq-1)})
	}
	switch {
	case missing: // what it follows on is not there to compare with
	case !bytes.Equal(hash(c.last.Hash, e), e.Hash):
		c.fault(Fault{Month: c.month, Seq: e.Seq, ID: id, What: "the row was changed, or does not belong here: its hash does not follow from it and from the row before"})
	}
	if month(e.ID) != c.month {
		c.fault(Fault{Month: c.month, Seq: e.Seq, ID: id, What: "the row belongs to another month"})
	}
	keys := slices.Clone(e.Keys)
	slices.Sort(keys)
	if !slices.Equal(keys, contentKeys(e.Content)) {
		c.fault(Fault{Month: c.month, Seq: e.Seq, ID: id, What: "the keys by which the row is found were changed"})
	}
	for len(c.signed) > 0 && c.signed[0].Seq <= e.Seq {
		st := c.signed[0]
		c.signed = c.signed[1:]
		if st.Seq == e.Seq && !bytes.Equal(st.Hash, e.Hash) {
			c.fault(Fault{Month: c.month, Seq: e.Seq, ID: id, What: fmt.Sprintf("the chain up to here is not the one that checkpoint %d of %s was made of", st.Number, st.At.Format("2006-01-02 15:04:05"))})
		}
		c.proven = st.Seq
	}
	c.last = *e
}

// gone says that rows are missing.
func gone(from, to int64) string {
	if from == to {
		return "the row is missing"
	}
	return fmt.Sprintf("the rows from here to %d are missing", to)
}

// end holds the end of the chain against the checkpoints.
func (c *chainCheck) end() {
	if len(c.signed) > 0 {
		st := c.signed[len(c.signed)-1]
		if c.last.Seq == 0 && slices.ContainsFunc(c.signed, func(s *statement) bool { return s.Final && s.Seq == st.Seq }) {
			c.report.Dropped++
			return
		}
		c.fault(Fault{Month: c.month, Seq: c.last.Seq + 1, What: fmt.Sprintf("the chain was cut off: %s, which checkpoint %d of %s vouches for",
			gone(c.last.Seq+1, st.Seq), st.Number, st.At.Format("2006-01-02 15:04:05"))})
		return
	}
	c.report.Unsigned += c.last.Seq - c.proven
}
