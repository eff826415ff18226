package card

import (
	"context"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/registry/card/health"
)

// meanwhile is a state that is written when something else has just been done.
type meanwhile struct {
	State
	kind string
	do   func()
}

func (m *meanwhile) Put(ctx context.Context, entries ...fhir.Entry) error {
	if do := m.do; do != nil && entries[0].Kind == m.kind {
		m.do = nil
		do()
	}
	return m.State.Put(ctx, entries...)
}

// TestChangedMeanwhile: no card is handed out of a dose that was changed, or of a record that
// was hidden, between being read and the card being known.
func TestChangedMeanwhile(t *testing.T) {
	p := newPost(t)
	m := &meanwhile{State: p.store, kind: issuedKind}
	p.ledger.State = m
	stands := true
	p.ledger.Standing = func(context.Context, string) (bool, error) { return stands, nil }
	for name, change := range map[string]func(){
		"amended": func() {
			p.dose("d2", "completed", "212", "2026-01-09", ``)
			if err := p.ledger.Changed(p.Context(), fhir.Ref{Type: "Immunization", ID: "d2", Version: 2}); err != nil {
				t.Error(err)
			}
		},
		"hidden": func() {
			stands = false
			if err := p.ledger.Changed(p.Context(), fhir.Ref{Type: "Patient", ID: "p1", Version: 2}); err != nil {
				t.Error(err)
			}
		},
	} {
		m.do = change
		p.dose("d2", "completed", "212", "2026-01-02", `,"lotNumber":"`+name+`"`)
		if a, err := p.call("health-cards-issue", "", "credentialType=Immunization"); fhir.CodeOf(err) != fhir.Conflict {
			t.Errorf("%s: %v, %v", name, a, err)
		}
		stands = true
		if got := p.verdict(p.issue()); got != health.Valid {
			t.Errorf("%s, and asked for again: %v", name, got)
		}
	}
}
