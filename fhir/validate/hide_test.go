package validate

import (
	"context"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir/element"
)

// TestWarningsHideNoError puts an error behind thousands of warnings.
func TestWarningsHideNoError(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"resourceType":"Bundle","type":"batch","entry":[`)
	for range 3000 {
		b.WriteString(`{"request":{"method":"POST","url":"Basic"},"resource":{"resourceType":"Basic","code":{"text":"a"}}},`)
	}
	b.WriteString(`{"request":{"method":"POST","url":"Patient"},"resource":{"resourceType":"Patient","contact":[{"gender":"male"}]}}]}`)
	d, err := element.Parse([]byte(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	rules := map[string]int{}
	for _, i := range (&Validator{}).Validate(context.Background(), d, 0) {
		rules[i.Rule]++
	}
	if rules["pat-1"] != 1 || rules[cutOff.key] != 1 || rules["dom-6"] > maxIssues {
		t.Errorf("%v", rules)
	}
}
