package profile

import "testing"

// TestPublished compiles every extension and profile of R4.
func TestPublished(t *testing.T) {
	r := NewRegistry()
	extensions, bad := 0, 0
	for url := range lines() {
		p, err := r.Profile(url)
		if err != nil {
			bad++
			t.Logf("%v", err)
			continue
		}
		if p.Extension() {
			extensions++
			if len(p.Contexts) == 0 {
				t.Errorf("%s has no context", url)
			}
		}
	}
	t.Logf("%d definitions, %d extensions, %d bad", len(lines()), extensions, bad)
}
