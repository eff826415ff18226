package token

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/amate-health/amate/authz"
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

// heldUp is a state of which one reading of the keys comes late, when a test says so.
type heldUp struct {
	authz.State
	read, goOn chan struct{} // nil for no longer
}

func (h *heldUp) Entries(ctx context.Context, kind, group, after string, limit int) ([]fhir.Entry, error) {
	all, err := h.State.Entries(ctx, kind, group, after, limit)
	if read := h.read; read != nil {
		h.read = nil
		close(read)
		<-h.goOn
	}
	return all, err
}

// TestLoadedLate: what was read of the keys before one was retired, and came late, does not
// bring it back.
func TestLoadedLate(t *testing.T) {
	h := newHouse(t)
	if err := h.keys.Rotate(t.Context(), string(accessAlg)); err != nil {
		t.Fatal(err)
	}
	state := &heldUp{State: h.state, read: make(chan struct{}), goOn: make(chan struct{})}
	read := state.read
	h.keys.state = state
	late, retired := make(chan error, 1), make(chan error, 1)
	go func() { late <- h.keys.load(t.Context()) }()
	<-read
	go func() { retired <- h.keys.Retire(t.Context()) }()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if all, err := h.state.Entries(t.Context(), keyKind, "", "", 10); err != nil || len(all) == 2 {
			break // it is removed
		}
		if time.Now().After(deadline) {
			t.Fatal("the key is not retired")
		}
	}
	select { // it may be done with that, or waits for the other
	case err := <-retired:
		retired <- err
	case <-time.After(300 * time.Millisecond):
	}
	close(state.goOn)
	for _, done := range []chan error{late, retired} {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	if n := len(h.keys.Public().Keys); n != 2 {
		t.Errorf("%d keys are good, want 2", n)
	}
}
