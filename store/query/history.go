package query

import (
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store/index"
)

// History compiles a page of h: up to limit versions, newest first, that follow
// from, which is nil for the first page. Its one key column is updated.
//
// The restriction looks at the resource as it is now. What was deleted has no
// values left to look at, so a caller whose restriction asks for some does not
// see it.
func (c *Compiler) History(h *search.History, from *Position, limit int) (*Statement, error) {
	w := c.where("r", h.Restriction)
	w.Add("SELECT r.rkey, v.type, r.id, v.version, v.updated, v.method, v.content, v.updated FROM version v JOIN resource r ON r.rkey = v.rkey WHERE ")
	if err := w.history(h); err != nil {
		return nil, err
	}
	if !h.Since.IsZero() {
		w.Add(" AND v.updated >= ").Int(h.Since.UnixMicro())
	}
	if !h.At.IsZero() {
		w.Add(" AND NOT EXISTS (SELECT 1 FROM version n WHERE n.rkey = v.rkey AND n.version = v.version + 1 AND n.updated <= ")
		w.Int(h.At.UnixMicro()).Add(")")
	}
	if from != nil {
		updated, ok := historyKey(from)
		if !ok {
			return nil, errBadPosition
		}
		w.Add(" AND (v.updated, v.rkey) < (").Int(updated).Add(", ").Int(from.Rkey).Add(")")
	}
	if h.ID != "" {
		w.Add(" ORDER BY v.version DESC LIMIT ").Int(int64(limit)) // the same order, and that of the key
	} else {
		w.Add(" ORDER BY v.updated DESC, v.rkey DESC LIMIT ").Int(int64(limit))
	}
	return &Statement{SQL: w.String(), Args: w.Args, Keys: 1}, nil
}

// HistoryCount compiles the number of versions of one resource. The one column is an integer.
func (c *Compiler) HistoryCount(h *search.History) (*Statement, error) {
	w := c.where("r", h.Restriction)
	w.Add("SELECT count(*) FROM version v JOIN resource r ON r.rkey = v.rkey WHERE ")
	if err := w.history(h); err != nil {
		return nil, err
	}
	return &Statement{SQL: w.String(), Args: w.Args, Number: true}, nil
}

// history appends which resources h is about.
func (w *where) history(h *search.History) error {
	if h.Type != "" && h.ID == "" && h.Restriction.Open() {
		// The column of version, whose index is in the order of the history.
		w.Add("v.type = ").Int(int64(index.TypeNumber(h.Type))).Add(" AND ")
	}
	if err := w.permitted(h.Type, false); err != nil {
		return err
	}
	if h.ID != "" {
		w.Add(" AND r.id = ").Arg(h.ID)
	}
	return nil
}

func historyKey(p *Position) (int64, bool) {
	if p.Missing || p.Start || len(p.Keys) != 1 {
		return 0, false
	}
	updated, ok := p.Keys[0].(int64)
	return updated, ok
}
