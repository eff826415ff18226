package validate

import (
	"testing"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/profile"
)

func TestPolicy(t *testing.T) {
	const sound = `{"resourceType":"Patient"}`
	const broken = `{"resourceType":"Patient","contact":[{"gender":"male"}]}` // pat-1
	const unknown = `{"resourceType":"Patient","colour":"red"}`
	for _, c := range []struct {
		policy, text string
		refused      bool
	}{
		{"base", sound, false}, {"base", broken, false}, {"base", unknown, true},
		{"off", broken, false}, {"off", unknown, false},
		{"profiles", sound, false}, {"profiles", broken, true}, {"profiles", unknown, true},
		{"base,Patient=profiles", broken, true}, {"base,Observation=profiles", broken, false},
		{"profiles,Patient=off", unknown, false}, {"Patient=profiles", broken, true},
	} {
		p, err := ParsePolicy(c.policy)
		if err != nil {
			t.Fatalf("%s: %v", c.policy, err)
		}
		p.Validator = &Validator{Profiles: profile.NewRegistry()}
		d, err := element.Parse([]byte(c.text))
		if err != nil {
			t.Fatal(err)
		}
		if got := Fault(p.Check(d, 0, "Patient")) != nil; got != c.refused {
			t.Errorf("%s of %s: refused %v", c.policy, c.text, got)
		}
	}
	for _, bad := range []string{"", "strict", "base,strict", "Patient=strict", "Nothing=base", "Patient=off,base", "base,off"} {
		if _, err := ParsePolicy(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
