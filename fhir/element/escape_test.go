package element

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestMentions: whichever way a text is written in JSON, it is not overlooked.
func TestMentions(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.StringMatching(`[a-zñé:/.|#0-9]{1,12}`).Draw(rt, "text")
		var b strings.Builder
		for _, c := range text {
			switch how := rapid.IntRange(0, 5).Draw(rt, "how"); {
			case how == 0:
				fmt.Fprintf(&b, `\u%04x`, c)
			case how == 1 && c == '/':
				b.WriteString(`\/`)
			default:
				b.WriteRune(c)
			}
		}
		json := []byte(`{"system":"x` + b.String() + `"}`)
		d, err := Parse(json)
		if err != nil || d.TextAt(0, "system") != "x"+text {
			rt.Fatalf("%s: %v", json, err)
		}
		if !Mentions(json, text) {
			rt.Errorf("%s is not found in %s", text, json)
		}
	})
	if Mentions([]byte(`{"system":"urn:other\n"}`), "urn:x") {
		t.Error("what is not there is found")
	}
}
