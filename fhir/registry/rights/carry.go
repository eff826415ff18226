package rights

import (
	"context"
	"encoding/json"
	"time"

	"github.com/amate-health/amate/fhir"
)

// Carry returns the entries by which the legal holds that stand on the record of one
// patient stand on that of another, too, as those do who are found to be one person. Those
// that stand there already are left out, and those set before since.
func Carry(ctx context.Context, s Kept, from, to string, since time.Time) ([]fhir.Entry, error) {
	all, err := Holds(ctx, s, from)
	if err != nil {
		return nil, err
	}
	var entries []fhir.Entry
	for _, h := range all {
		if !h.Stands() || h.Set.Before(since) {
			continue
		}
		e, err := s.Entry(ctx, holdKind, holdKey(to, h.Authority, h.Number))
		switch {
		case fhir.CodeOf(err) == fhir.NotFound:
			e = fhir.Entry{Kind: holdKind, Key: holdKey(to, h.Authority, h.Number), Group: to}
		case err != nil:
			return nil, err
		default:
			var there LegalHold
			if err := json.Unmarshal(e.Value, &there); err != nil {
				return nil, err
			}
			if there.Stands() {
				continue
			}
		}
		h.Patient = to
		if e.Value, err = json.Marshal(h); err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return entries, nil
}
