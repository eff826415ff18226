package main

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/amate-health/amate/authz"
	"github.com/amate-health/amate/authz/token"
	"github.com/amate-health/amate/fhir/subscription"
	"github.com/amate-health/amate/store/sqlite"
)

// What was subscribed to with a token is over when the consent or the visit is that the
// token came from.
func TestSubscriberOfGrant(t *testing.T) {
	t.Parallel()
	state, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "amate.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := state.Close(); err != nil {
			t.Error(err)
		}
	})
	revocations, err := token.OpenRevocations(t.Context(), state, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := subscriber{&opened{access: &access{revocations: revocations}}}
	text, err := json.Marshal(owner{Kind: ofToken, At: time.Now(), Principal: authz.Principal{ID: "app", Client: "app", Token: "t", Grant: "visit/r", Expires: time.Now().Add(time.Hour)}})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.As(t.Context(), text); err != nil {
		t.Fatal(err)
	}
	if err := revocations.Grant(t.Context(), "visit/r"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.As(t.Context(), text); !errors.Is(err, subscription.ErrRevoked) {
		t.Errorf("after it was revoked: %v", err)
	}
}
