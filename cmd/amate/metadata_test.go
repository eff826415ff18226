package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestMetadataSaysWhatElse: who reads /metadata learns what the server does that no element
// of a CapabilityStatement shows, and nothing that it does not do.
func TestMetadataSaysWhatElse(t *testing.T) {
	t.Parallel()
	for _, mllp := range []bool{false, true} {
		args := []string{"--data", t.TempDir()}
		if mllp {
			args = append(args, "--mllp-listen", "127.0.0.1:0")
		}
		var c struct {
			Rest []struct{ Documentation string }
		}
		if err := json.Unmarshal([]byte(fetched(t, startServe(t, args...).base+"/metadata")), &c); err != nil {
			t.Fatal(err)
		}
		text := c.Rest[0].Documentation
		for _, one := range []string{"Idempotency-Key", "$changes", "/hl7v2", "ITI-65", "ITI-66", "ITI-67"} {
			if !strings.Contains(text, one) {
				t.Errorf("it does not tell of %s: %s", one, text)
			}
		}
		if strings.Contains(text, "MLLP") != mllp {
			t.Errorf("listening %t: %s", mllp, text)
		}
	}
}
