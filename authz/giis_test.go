package authz_test

import (
	"encoding/json"
	"net/http/httptest"
	"slices"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/record/giis"
)

// giisWays are the ways to the file of a facility's visits: what it says of them.
var giisWays = []way{
	{route: "$giis-export", method: "GET", path: "/$giis-export?clues=" + clues(0) + "&month=2026-01", act: "either", tells: counted},
	{route: "$giis-export", method: "GET", path: "/$giis-export?clues=" + clues(1) + "&month=2026-01&faulty=keep", act: "either", tells: counted},
}

// giisOperations are the operations that giisWays call.
func (w *world) giisOperations() []operation.Operation {
	return (&giis.Offer{Store: w.store, Now: func() time.Time { return time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC) }, Limit: 1000}).Operations()
}

// counted returns the visits that a report of $giis-export is about. Visits of these
// worlds are never without a fault.
func counted(a *httptest.ResponseRecorder) (refs []string) {
	var report struct {
		Parameter []struct {
			Resource struct {
				Issue []struct{ Diagnostics string }
			}
		}
	}
	if a.Code != 200 || json.Unmarshal(a.Body.Bytes(), &report) != nil {
		return nil
	}
	for _, p := range report.Parameter {
		for _, i := range p.Resource.Issue {
			if ref, _, _ := strings.Cut(i.Diagnostics, " "); ref != "" && !slices.Contains(refs, ref) {
				refs = append(refs, ref)
			}
		}
	}
	return refs
}
