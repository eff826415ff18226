package store

import (
	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
)

// tied reports whether something is to be written that is tied to what is not in the
// batch, which has to be locked for it.
func (a *application) tied() bool {
	here := map[fhir.Ref]bool{}
	for _, content := range a.built {
		if content == nil || !content.Index.IsTied() {
			continue
		}
		if len(here) == 0 {
			for i := range a.batch.Changes {
				here[a.batch.Changes[i].Ref.Current()] = true
			}
		}
		for _, l := range content.Index.Links {
			if l.Param == search.TiedTo.ID && !here[l.Target] {
				return true
			}
		}
	}
	return false
}
