package summary

import (
	"fmt"
	"testing"
)

// TestHarmless: narratives with anything active in them are not kept.
func TestHarmless(t *testing.T) {
	const open = `<div xmlns=\"http://www.w3.org/1999/xhtml\"`
	for div, want := range map[string]bool{
		open + `><p>Alergia</p></div>`:                                   true,
		open + ` onclick=\"alert(1)\">x</div>`:                           false,
		open + `><script>alert(1)</script>x</div>`:                       false,
		open + `><a href=\"javascript:alert(1)\">x</a></div>`:            false,
		open + `><img src=\"https://elsewhere/x.png\" alt=\"\"/>x</div>`: false,
		open + `><iframe src=\"x\"></iframe>x</div>`:                     false,
		open + `><p>x</div>`:                                             false,
		`<p>x</p>`:                                                       false,
	} {
		if got := harmless([]byte(fmt.Sprintf(`{"status":"generated","div":"%s"}`, div))); got != want {
			t.Errorf("%s: %v", div, got)
		}
	}
}
