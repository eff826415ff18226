package paper

import (
	"crypto/elliptic"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/registry/birth"
	"github.com/amate-health/amate/fhir/registry/key"
)

// TestTampered changes every character of a claim: none is believed any more.
func TestTampered(t *testing.T) {
	k := newKey(t)
	jws := claimOf(t, k, sample(t, birth.Certified))
	if _, _, err := Open(key.Keys{k}, jws); err != nil {
		t.Fatal(err)
	}
	for i := range jws {
		changed := []byte(jws)
		if changed[i] = 'A'; jws[i] == 'A' {
			changed[i] = 'B'
		}
		if c, _, err := Open(key.Keys{k}, string(changed)); err == nil || c != nil {
			t.Fatalf("character %d changed, and it is believed: %+v", i, c)
		}
	}
}

// forged returns a JWS of any header and payload, signed by k.
func forged(t *testing.T, k *key.Key, header, payload string) string {
	t.Helper()
	input := b64.EncodeToString([]byte(header)) + "." + b64.EncodeToString([]byte(payload))
	raw, err := k.Sign([]byte(input))
	if err != nil {
		t.Fatal(err)
	}
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
		keys key.Keys
		jws  string
		want error
	}{
		"good":                        {key.Keys{k}, good, nil},
		"another key":                 {key.Keys{other}, good, ErrKey},
		"no keys":                     {nil, good, ErrKey},
		"a key under another's id":    {key.Keys{{ID: k.ID, Public: other.Public, From: k.From, Until: k.Until}}, good, ErrSignature},
		"no algorithm":                {key.Keys{k}, forged(t, k, head("none", k.ID), string(payload)), ErrForm},
		"another algorithm":           {key.Keys{k}, forged(t, k, head("HS256", k.ID), string(payload)), ErrForm},
		"without a signature":         {key.Keys{k}, parts[0] + "." + parts[1] + ".", ErrSignature},
		"a signature of zeros":        {key.Keys{k}, parts[0] + "." + parts[1] + "." + b64.EncodeToString(make([]byte, 64)), ErrSignature},
		"two parts":                   {key.Keys{k}, parts[0] + "." + parts[1], ErrForm},
		"a line end":                  {key.Keys{k}, parts[0] + "\n." + parts[1] + "." + parts[2], ErrForm},
		"a document of another kind":  {key.Keys{k}, forged(t, k, head("ES256", k.ID), strings.Replace(string(payload), `"birth"`, `"prescription"`, 1)), ErrForm},
		"no JSON":                     {key.Keys{k}, forged(t, k, head("ES256", k.ID), "x"), ErrForm},
		"too long":                    {key.Keys{k}, good + strings.Repeat("A", longestCode), ErrForm},
		"empty":                       {key.Keys{k}, "", ErrForm},
		"after the key's time":        {key.Keys{&old}, good, ErrPeriod},
		"before the key's time":       {key.Keys{&later}, good, ErrPeriod},
		"a key taken back before":     {key.Keys{&back}, good, ErrRevoked},
		"a key taken back afterwards": {key.Keys{&after}, good, nil},
		"signature beyond the order":  {key.Keys{k}, parts[0] + "." + parts[1] + "." + b64.EncodeToString(append(order.FillBytes(make([]byte, 32)), new(big.Int).SetInt64(1).FillBytes(make([]byte, 32))...)), ErrSignature},
	}
	for name, c := range cases {
		claim, _, err := Open(c.keys, c.jws)
		if err != c.want {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if has := err == nil || err == ErrPeriod || err == ErrRevoked; has != (claim != nil) {
			t.Errorf("%s: %v comes with %+v", name, err, claim)
		}
	}
}

// TestRing: servers share their keys, follow one with the next in time, and go on
// believing what the old ones signed, unless one was taken back.
func TestRing(t *testing.T) {
	now := certified
	state := &memory{}
	clock := func() time.Time { return now }
	one, two := Ring(state), Ring(state)
	one.Now, two.Now = clock, clock
	signing := func(r *key.Ring) *key.Key {
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
	if _, _, err := Open(keys, jws); err != nil {
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
		claim, _, err := Open(key.Keys{k}, Claimed(code))
		if err == nil && Claimed(code) != good {
			t.Fatalf("%q is believed: %+v", code, claim)
		}
	})
}
