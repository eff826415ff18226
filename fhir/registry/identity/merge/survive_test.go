package merge

import (
	"strings"
	"testing"
	"time"
)

// TestSurvive holds the rules to examples.
func TestSurvive(t *testing.T) {
	const curp = `"system":"urn:oid:2.16.840.1.113883.4.629","value":`
	const verified = `"extension":[{"url":"https://github.com/amate-health/amate/fhir/StructureDefinition/identifier-verification","valueCode":"renapo-verified"}],`
	today := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		source, target string
		newer          bool
		want           string
	}{
		"one CURP in use":     {`"identifier":[{` + curp + `"A"}]`, `"identifier":[{` + curp + `"B"}]`, false, `"identifier":[{` + curp + `"B"},{` + curp + `"A","use":"old","period":{"end":"2026-11-22"}}]`},
		"the verified CURP":   {`"identifier":[{` + verified + curp + `"A"}]`, `"identifier":[{` + curp + `"B"}]`, false, `"identifier":[{` + curp + `"B","use":"old","period":{"end":"2026-11-22"}},{` + verified + curp + `"A"}]`},
		"the generic CURP":    {`"identifier":[{` + curp + `"XXXX999999XXXXXX99"}]`, `"gender":"male"`, false, `"gender":"male"`},
		"the same twice":      {`"identifier":[{"system":"u","value":"1"}]`, `"identifier":[{"system":"u","value":"1","use":"usual"}]`, false, `"identifier":[{"system":"u","value":"1","use":"usual"}]`},
		"names of the other":  {`"name":[{"family":"A"},{"use":"nickname","text":"n"}]`, `"name":[{"family":"B"}]`, false, `"name":[{"family":"B"},{"family":"A","use":"old"},{"use":"nickname","text":"n"}]`},
		"newest contact":      {`"telecom":[{"value":"1"}]`, `"telecom":[{"value":"2"}]`, true, `"telecom":[{"value":"1"},{"value":"2"}]`},
		"birth is filled":     {`"birthDate":"1990","_birthDate":{"id":"x"}`, `"gender":"male"`, false, `"gender":"male","birthDate":"1990","_birthDate":{"id":"x"}`},
		"birth of the target": {`"birthDate":"1990"`, `"birthDate":"1991"`, true, `"birthDate":"1991"`},
		"who is dead":         {`"deceasedDateTime":"2020"`, `"deceasedBoolean":true`, false, `"deceasedBoolean":true`},
		"what is contained":   {`"generalPractitioner":[{"reference":"#d"}],"contained":[{"resourceType":"Practitioner","id":"d"}]`, `"gender":"male"`, false, `"gender":"male"`},
		"extensions":          {`"extension":[{"url":"a","valueCode":"1"},{"url":"b","valueCode":"1"}]`, `"extension":[{"url":"a","valueCode":"2"}]`, false, `"extension":[{"url":"a","valueCode":"2"},{"url":"b","valueCode":"1"}]`},
	} {
		if got := survive(Default, mustObject("{"+c.source+"}"), mustObject("{"+c.target+"}"), c.newer, today).String(); got != "{"+c.want+"}" {
			t.Errorf("%s: got %s, want {%s}", name, got, c.want)
		}
	}
}

func TestReadRules(t *testing.T) {
	if rules, err := ReadRules(strings.NewReader(`[{"element":"address","keep":"fill"}]`)); err != nil || len(rules) != 1 {
		t.Error(rules, err)
	}
	for _, bad := range []string{`[{"element":"link","keep":"unite"}]`, `[{"element":"name","keep":"mine"}]`, `{}`, `[{"x":1}]`} {
		if _, err := ReadRules(strings.NewReader(bad)); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}
