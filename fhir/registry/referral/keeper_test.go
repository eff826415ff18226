package referral

import (
	"testing"

	"github.com/amate-health/amate/fhir"
)

// TestAgain: a signed note whose referral somebody else writes at that moment closes it all the
// same; what is refused for good is not tried for ever.
func TestAgain(t *testing.T) {
	conflict := fhir.Errorf(fhir.Conflict, "the referral has just been changed by somebody else")
	for name, c := range map[string]struct {
		outcomes []error
		calls    int
		code     fhir.Code
	}{
		"at once":         {[]error{nil}, 1, 0},
		"after another":   {[]error{conflict, conflict, nil}, 3, 0},
		"wrong":           {[]error{fhir.Errorf(fhir.Invalid, "it is wrong"), nil}, 1, fhir.Invalid},
		"again and again": {nil, overtaken, fhir.Conflict},
	} {
		calls := 0
		done, err := again(func() (bool, error) {
			calls++
			if c.outcomes == nil {
				return false, conflict
			}
			err := c.outcomes[calls-1]
			return err == nil, err
		})
		if calls != c.calls || fhir.CodeOf(err) != c.code || done != (err == nil) {
			t.Errorf("%s: %d calls, %v, %v", name, calls, done, err)
		}
	}
}
