package document

import (
	"encoding/json"
	"time"

	"github.com/amate-health/amate/fhir/element"
)

// completed is a resource as the signature of a document makes it.
type completed struct {
	Type, ID string
	Version  int64 // that was current when the document was prepared
	JSON     json.RawMessage
}

// complement puts into a document what its signature makes of the resources in it, and
// returns those that change by it.
func (s *service) complement(a *assembly, at time.Time) ([]completed, error) {
	if s.Completed == nil {
		return nil, nil
	}
	var all []completed
	for i := range a.all {
		r := &a.all[i]
		d, err := element.Parse(r.JSON)
		if err != nil {
			return nil, err
		}
		after := s.Completed(d, at)
		if after == nil {
			continue
		}
		if d, err = element.Parse(after); err != nil {
			return nil, err
		}
		e := d.Edit(0)
		unmark(e, d)
		r.JSON = e.AppendTo(nil)
		all = append(all, completed{r.Ref.Type, r.Ref.ID, r.Ref.Version, r.JSON})
	}
	return all, nil
}
