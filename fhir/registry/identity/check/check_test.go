package check

import (
	"testing"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/registry/identity"
)

func TestParse(t *testing.T) {
	p, err := Parse("warn,curp=refuse,rfc=off")
	if err != nil || p.mode(identity.SystemCURP) != Refuse || p.mode(identity.SystemRFC) != Off || p.mode(identity.SystemNSS) != Warn {
		t.Error(p, err)
	}
	for _, bad := range []string{"", "no", "curp=", "warn,x=off", "curp=off,warn", "warn,refuse"} {
		if _, err := Parse(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// FuzzClaims: whatever JSON says, a claim is found however it is written, and nothing breaks.
func FuzzClaims(f *testing.F) {
	f.Add([]byte(`{"identifier":[{"system":"s","value":"v","extension":[{"url":"` + identity.Verification + `","valueCode":"renapo-verified"}]}]}`))
	f.Add([]byte(`{"contained":[{"identifier":[{"value":"v","extension":[{"url":"` + identity.Verification + `","valueCode":"renapo\u002dverified"}]}]}]}`))
	f.Add([]byte(`{"identifier":{"extension":[1,[],{"url":1}]}}`))
	f.Fuzz(func(t *testing.T, json []byte) {
		if len(claims(json)) > 0 && !element.Mentions(json, identity.RenapoVerified) {
			t.Errorf("a claim goes unseen: %s", json)
		}
		if d, err := element.Parse(json); err == nil {
			new(Policy).Check(d, 0, "Patient")
		}
	})
}
