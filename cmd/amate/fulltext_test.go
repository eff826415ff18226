package main

import "testing"

func TestTextTypes(t *testing.T) {
	for text, want := range map[string]string{
		"all": "Patient Observation", "none": "", "Patient": "Patient", "Observation,Patient": "Patient Observation", "all,-Observation": "Patient",
		"": "?", "Patiend": "?", "all,Patient": "?", "-Patient": "?", "Patient,all": "?", "none,Patient": "?", "all,none": "?", "Patient,": "?",
	} {
		var types textTypes
		got := "?"
		if types.UnmarshalText([]byte(text)) == nil {
			got = ""
			for _, typ := range []string{"Patient", "Observation"} {
				if types.has(typ) {
					if got != "" {
						got += " "
					}
					got += typ
				}
			}
		}
		if got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}
