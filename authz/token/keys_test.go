package token

import (
	"errors"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
)

func TestRotation(t *testing.T) {
	h := newHouse(t)
	before := h.mint(t)
	first, _ := h.keys.signing(accessAlg)
	if err := h.keys.Rotate(t.Context(), string(accessAlg)); err != nil {
		t.Fatal(err)
	}
	if now, _ := h.keys.signing(accessAlg); now.ID != first.ID {
		t.Error("a key signs before others had time to fetch it")
	}
	elsewhere, err := OpenKeys(t.Context(), h.state, h.now)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := len(h.keys.Public().Keys), len(elsewhere.Public().Keys); a != 3 || b != 3 {
		t.Errorf("%d and %d keys are published, want 3: two for access, one for ID tokens", a, b)
	}
	h.pass(announced)
	second, _ := h.keys.signing(accessAlg)
	if second.ID == first.ID {
		t.Error("the new key does not sign")
	}
	after := h.mint(t)
	for _, raw := range []string{after} {
		if _, err := h.verifier.Verify(t.Context(), raw, nil); err != nil {
			t.Errorf("after a rotation: %v", err)
		}
	}
	h.at = h.at.Add(-5 * time.Minute) // within the life of the first token
	if _, err := h.verifier.Verify(t.Context(), before, nil); err != nil {
		t.Errorf("a token of the former key: %v", err)
	}
	h.pass(keptFor + announced)
	if err := h.keys.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, ok := h.keys.verifying(t.Context(), first.ID, accessAlg); ok {
		t.Error("the former key is kept for good")
	}
	h.pass(rotateAfter)
	if err := h.keys.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if third := h.keys.newest(accessAlg); third.ID == second.ID {
		t.Error("no key follows one that has grown old")
	}
	for _, k := range h.keys.Public().Keys {
		if !k.IsPublic() {
			t.Error("a private key is published")
		}
	}
}

// TestKeyOfAnotherServer holds that a token signed with a key that another server has
// just made is accepted.
func TestKeyOfAnotherServer(t *testing.T) {
	h := newHouse(t)
	elsewhere := newHouse(t)
	elsewhere.clock, elsewhere.state = h.clock, h.state
	var err error
	if elsewhere.keys, err = OpenKeys(t.Context(), h.state, h.now); err != nil {
		t.Fatal(err)
	}
	if err := elsewhere.keys.Rotate(t.Context(), string(accessAlg)); err != nil {
		t.Fatal(err)
	}
	h.pass(announced)
	elsewhere.minter.Keys = elsewhere.keys
	elsewhere.minter.Keys.now = h.now
	if _, err := h.verifier.Verify(t.Context(), elsewhere.mint(t), nil); err != nil {
		t.Error(err)
	}
}

func TestRetire(t *testing.T) {
	h := newHouse(t)
	raw := h.mint(t)
	if err := errors.Join(h.keys.Rotate(t.Context(), string(accessAlg)), h.keys.Retire(t.Context())); err != nil {
		t.Fatal(err)
	}
	if _, err := h.verifier.Verify(t.Context(), raw, nil); fhir.CodeOf(err) != fhir.LoginRequired {
		t.Errorf("a token of a key that has leaked: %v", err)
	}
	if _, err := h.verifier.Verify(t.Context(), h.mint(t), nil); err != nil {
		t.Errorf("a token of the key that follows: %v", err)
	}
}
