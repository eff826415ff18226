package visit_test

import (
	"sync"
	"testing"
)

// TestConsentAtOnce: a consent that is sent several times at once is recorded once, and
// answered the same each time.
func TestConsentAtOnce(t *testing.T) {
	onEngines(t, func(p *practice) {
		var all sync.WaitGroup
		for range 6 {
			all.Go(func() {
				d, err := p.call(p.one, ana, "visit-consent", "a", "how=electronic")
				if err != nil || d.TextAt(0, "meta", "versionId") != "1" {
					p.Errorf("%v", err)
				}
			})
		}
		all.Wait()
	})
}
