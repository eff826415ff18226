package card

import (
	"context"

	"github.com/amate-health/amate/fhir"
)

// Forget removes what cards and papers left behind of Patients and Immunizations that were
// removed for good. Cards of them are revoked before: nobody answers for them any more. Of
// those their revocation identifiers stay, which lead to nobody.
func (l *Ledger) Forget(ctx context.Context, refs ...fhir.Ref) error {
	for _, ref := range refs {
		kinds := []string{doseKind}
		switch ref.Type {
		case "Patient":
			if _, err := l.RevokeAll(ctx, ref.ID); err != nil {
				return err
			}
			kinds = []string{issuedKind, paperKind}
		case "Immunization":
		default:
			continue
		}
		for _, kind := range kinds {
			if err := l.drop(ctx, kind, ref.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// drop removes the entries of a kind in a group.
func (l *Ledger) drop(ctx context.Context, kind, group string) error {
	for {
		entries, err := l.State.Entries(ctx, kind, group, "", pageOfEntries)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := l.State.Remove(ctx, kind, e.Key, 0); err != nil && fhir.CodeOf(err) != fhir.NotFound {
				return err
			}
		}
		if len(entries) < pageOfEntries {
			return nil
		}
	}
}
