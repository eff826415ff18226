package paper

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/registry/birth"
)

// TestTampered changes every character of a claim: none is believed any more.
func TestTampered(t *testing.T) {
	k := newKey(t)
	jws := claimOf(t, k, sample(t, birth.Certified))
	if _, _, err := (Keys{k}).Open(jws); err != nil {
		t.Fatal(err)
	}
	for i := range jws {
		changed := []byte(jws)
		if changed[i] = 'A'; jws[i] == 'A' {
			changed[i] = 'B'
		}
		if c, _, err := (Keys{k}).Open(string(changed)); err == nil || c != nil {
			t.Fatalf("character %d changed, and it is believed: %+v", i, c)
		}
	}
}

// forged returns a JWS of any header and payload, signed by k.
func forged(t *testing.T, k *Key, header, payload string) string {
	t.Helper()
	input := b64.EncodeToString([]byte(header)) + "." + b64.EncodeToString([]byte(payload))
	digest := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, k.private, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	raw := make([]byte, 64)
	r.FillBytes(raw[:32])
	s.FillBytes(raw[32:])
	return input + "." + b64.EncodeToString(raw)
}

func TestNotBelieved(t *testing.T) {
	k, other := newKey(t), newKey(t)
	good := claimOf(t, k, sample(t, birth.Certified))
	parts := strings.Split(good, ".")
	payload, _ := b64.DecodeString(parts[1])
	head := func(alg, kid string) string { return `{"alg":"` + alg + `","kid":"` + kid + `"}` }
	order := elliptic.P256().Params().N
	old := *k
	old.Until = certified
	later := *k
	later.From = certified.Add(24 * time.Hour)
	back := *k
	back.Revoked = certified
	after := *k
	after.Revoked = certified.Add(2 * time.Hour)
	cases := map[string]struct {
		keys Keys
		jws  string
		want error
	}{
		"good":                        {Keys{k}, good, nil},
		"another key":                 {Keys{other}, good, ErrKey},
		"no keys":                     {nil, good, ErrKey},
		"a key under another's id":    {Keys{{ID: k.ID, Public: other.Public, From: k.From, Until: k.Until}}, good, ErrSignature},
		"no algorithm":                {Keys{k}, forged(t, k, head("none", k.ID), string(payload)), ErrForm},
		"another algorithm":           {Keys{k}, forged(t, k, head("HS256", k.ID), string(payload)), ErrForm},
		"without a signature":         {Keys{k}, parts[0] + "." + parts[1] + ".", ErrSignature},
		"a signature of zeros":        {Keys{k}, parts[0] + "." + parts[1] + "." + b64.EncodeToString(make([]byte, 64)), ErrSignature},
		"two parts":                   {Keys{k}, parts[0] + "." + parts[1], ErrForm},
		"a line end":                  {Keys{k}, parts[0] + "\n." + parts[1] + "." + parts[2], ErrForm},
		"a document of another kind":  {Keys{k}, forged(t, k, head("ES256", k.ID), strings.Replace(string(payload), `"birth"`, `"prescription"`, 1)), ErrForm},
		"no JSON":                     {Keys{k}, forged(t, k, head("ES256", k.ID), "x"), ErrForm},
		"too long":                    {Keys{k}, good + strings.Repeat("A", longestCode), ErrForm},
		"empty":                       {Keys{k}, "", ErrForm},
		"after the key's time":        {Keys{&old}, good, ErrPeriod},
		"before the key's time":       {Keys{&later}, good, ErrPeriod},
		"a key taken back before":     {Keys{&back}, good, ErrRevoked},
		"a key taken back afterwards": {Keys{&after}, good, nil},
		"signature beyond the order":  {Keys{k}, parts[0] + "." + parts[1] + "." + b64.EncodeToString(append(order.FillBytes(make([]byte, 32)), new(big.Int).SetInt64(1).FillBytes(make([]byte, 32))...)), ErrSignature},
	}
	for name, c := range cases {
		claim, _, err := c.keys.Open(c.jws)
		if err != c.want {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if has := err == nil || err == ErrPeriod || err == ErrRevoked; has != (claim != nil) {
			t.Errorf("%s: %v comes with %+v", name, err, claim)
		}
	}
}

func TestKeysArePublished(t *testing.T) {
	a, b := newKey(t), newKey(t)
	b.Revoked = certified.Truncate(time.Second)
	text, err := Keys{a, b}.JSON()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), `"d"`) {
		t.Fatal("a private key is published")
	}
	read, err := ParseKeys(text)
	if err != nil || len(read) != 2 {
		t.Fatal(read, err)
	}
	for i, k := range []*Key{a, b} {
		if r := read[i]; r.ID != k.ID || !r.Public.Equal(k.Public) || !r.From.Equal(k.From) || !r.Until.Equal(k.Until) || !r.Revoked.Equal(k.Revoked) {
			t.Errorf("%+v is read as %+v", k, r)
		}
	}
	if _, _, err := read.Open(claimOf(t, a, sample(t, birth.Certified))); err != nil {
		t.Error(err)
	}
	if _, err := read[0].Sign(&Claim{}); err == nil {
		t.Error("a published key signs")
	}
	var set map[string][]map[string]any
	if err := json.Unmarshal(text, &set); err != nil {
		t.Fatal(err)
	}
	for name, wrong := range map[string]any{"kid": "AAAAAAAAAAAAAAAA", "x": b64.EncodeToString(make([]byte, 32)), "y": "!"} {
		was := set["keys"][0][name]
		set["keys"][0][name] = wrong
		text, _ := json.Marshal(set)
		if _, err := ParseKeys(text); err == nil {
			t.Errorf("a key whose %s is %v is taken", name, wrong)
		}
		set["keys"][0][name] = was
	}
	for _, none := range []string{"", "{}", "[]", `{"keys":null}`} {
		if _, err := ParseKeys([]byte(none)); err == nil {
			t.Errorf("%q is taken for keys", none)
		}
	}
}

// TestRing: servers share their keys, follow one with the next in time, and go on
// believing what the old ones signed, unless one was taken back.
func TestRing(t *testing.T) {
	now := certified
	state := &memory{}
	clock := func() time.Time { return now }
	one, two := &Ring{State: state, Now: clock}, &Ring{State: state, Now: clock}
	signing := func(r *Ring) *Key {
		t.Helper()
		k, err := r.Signing(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	first := signing(one)
	if k := signing(two); k.ID != first.ID {
		t.Errorf("two servers sign by %s and %s", first.ID, k.ID)
	}
	jws := claimOf(t, first, sample(t, birth.Certified))
	now = now.Add(366 * 24 * time.Hour)
	next := signing(two)
	if next.ID == first.ID || signing(one).ID != next.ID {
		t.Error("no new key after a year, or each server has another")
	}
	if now.After(first.Until) {
		t.Error("the old key may not sign where the new one is not known yet")
	}
	keys, err := one.Keys(t.Context())
	if err != nil || len(keys) != 2 {
		t.Fatal(keys, err)
	}
	if _, _, err := keys.Open(jws); err != nil {
		t.Errorf("a paper of the year before: %v", err)
	}
	if err := one.Revoke(t.Context(), "nobody", now); fhir.CodeOf(err) != fhir.NotFound {
		t.Error(err)
	}
	if err := one.Revoke(t.Context(), next.ID, now); err != nil {
		t.Fatal(err)
	}
	now = now.Add(2 * time.Minute)
	if k := signing(two); k.ID == next.ID {
		t.Error("a key that was taken back signs")
	}
}

// FuzzOpen: whatever is scanned, nothing is believed that the key did not sign.
func FuzzOpen(f *testing.F) {
	k := newKey(f)
	good := claimOf(f, k, sample(f, birth.Certified))
	for _, seed := range []string{"", ".", "..", good, good + ".", "." + good, good[:len(good)-1], verifyURL + "#" + good, verifyURL + "#", "#", "e30.e30.", strings.ToUpper(good), good + "=", " " + good} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, code string) {
		claim, _, err := (Keys{k}).Open(Claimed(code))
		if err == nil && Claimed(code) != good {
			t.Fatalf("%q is believed: %+v", code, claim)
		}
	})
}
