package key

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
)

var began = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func newKey(t *testing.T, length int) *Key {
	t.Helper()
	k, err := New(began, began.Add(signsFor), length)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestKeysArePublished: what is published is read as it was, without what signs; and no
// key is taken under an id that is not its own.
func TestKeysArePublished(t *testing.T) {
	a, b := newKey(t, 16), newKey(t, 0)
	b.Revoked = began.Add(time.Hour)
	text, err := Keys{a, b}.JSON()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), `"d"`) {
		t.Fatal("a private key is published")
	}
	read, err := Parse(text)
	if err != nil || len(read) != 2 || len(read[0].ID) != 16 || len(read[1].ID) != 43 {
		t.Fatal(read, err)
	}
	for i, k := range []*Key{a, b} {
		if r := read[i]; r.ID != k.ID || !r.Public.Equal(k.Public) || !r.From.Equal(k.From) || !r.Until.Equal(k.Until) || !r.Revoked.Equal(k.Revoked) {
			t.Errorf("%+v is read as %+v", k, r)
		}
	}
	if _, err := read[0].Sign([]byte("x")); err == nil {
		t.Error("a published key signs")
	}
	var set map[string][]map[string]any
	if err := json.Unmarshal(text, &set); err != nil {
		t.Fatal(err)
	}
	for name, wrong := range map[string]any{"kid": "AAAAAAAAAAAAAAAA", "x": base64.RawURLEncoding.EncodeToString(make([]byte, 32)), "y": "!"} {
		was := set["keys"][0][name]
		set["keys"][0][name] = wrong
		text, _ := json.Marshal(set)
		if _, err := Parse(text); err == nil {
			t.Errorf("a key whose %s is %v is taken", name, wrong)
		}
		set["keys"][0][name] = was
	}
	for _, none := range []string{"", "{}", "[]", `{"keys":null}`} {
		if _, err := Parse([]byte(none)); err == nil {
			t.Errorf("%q is taken for keys", none)
		}
	}
}

// shelf is a State of one kind, without versions.
type shelf map[string]fhir.Entry

func (s shelf) Entries(context.Context, string, string, string, int) (all []fhir.Entry, err error) {
	for _, e := range s {
		all = append(all, e)
	}
	return all, nil
}

func (s shelf) Put(_ context.Context, entries ...fhir.Entry) error {
	for _, e := range entries {
		s[e.Key] = e
	}
	return nil
}

// TestStoredLayout: keys that were stored before, with these names and no others, sign on.
func TestStoredLayout(t *testing.T) {
	k := newKey(t, 16)
	private, err := x509.MarshalPKCS8PrivateKey(k.private)
	if err != nil {
		t.Fatal(err)
	}
	value := fmt.Sprintf(`{"Number":1,"Private":%q,"From":"2026-05-01T12:00:00Z","Until":"2027-06-05T12:00:00Z"}`, base64.StdEncoding.EncodeToString(private))
	r := &Ring{State: shelf{"000001": {Kind: "k", Key: "000001", Value: []byte(value)}}, Kind: "k", Length: 16, Now: func() time.Time { return began.Add(time.Hour) }}
	signing, err := r.Signing(t.Context())
	if err != nil || signing.ID != k.ID || !signing.Until.Equal(k.Until) {
		t.Fatalf("%+v %v", signing, err)
	}
	signature, err := signing.Sign([]byte("x"))
	if err != nil || !k.Verify([]byte("x"), signature) || k.Verify([]byte("y"), signature) {
		t.Error(err)
	}
}

// TestPrivatePartGoes: a key whose time is over, or that was taken back, is kept without
// what signs.
func TestPrivatePartGoes(t *testing.T) {
	now := began
	state := shelf{}
	r := &Ring{State: state, Kind: "k", Now: func() time.Time { return now }}
	first, err := r.Signing(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(state["000001"].Value), "Private") {
		t.Fatal("the key that signs has nothing to sign with")
	}
	now = first.Until.Add(time.Hour)
	second, err := r.Signing(t.Context())
	if err != nil || second.ID == first.ID {
		t.Fatal(err)
	}
	if strings.Contains(string(state["000001"].Value), "Private") {
		t.Error("a key whose time is over can still be stolen")
	}
	if err := r.Revoke(t.Context(), second.ID, now); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(state["000002"].Value), "Private") {
		t.Error("a key that was taken back signs on for who has the database")
	}
	keys, err := r.Keys(t.Context())
	if err != nil || len(keys) != 2 || !keys[0].Public.Equal(first.Public) || keys[1].Signs() {
		t.Errorf("%+v %v", keys, err)
	}
}
