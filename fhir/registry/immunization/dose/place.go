package dose

import (
	"context"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/registry/identity"
	"github.com/amate-health/amate/fhir/search"
)

// place is an establishment.
type place struct{ clues, name string }

// cluesIn is the establishment of a dose by its CLUES, as the dose itself says; "" where it
// does not.
func cluesIn(d *element.Doc) string {
	id := at(d, 0, "location", "identifier")
	if id != element.None && text(d, id, "system") == identity.SystemCLUES {
		return text(d, id, "value")
	}
	return ""
}

// places finds the establishments of doses, each once.
type places struct {
	*Service
	found map[string]place // by the reference to a Location
}

func (s *Service) places() *places { return &places{s, map[string]place{}} }

// of returns the establishment of a dose: as it says, or as the Location says that it
// refers to. Locations are of no patient, and read without regard to who asks.
func (l *places) of(ctx context.Context, d *element.Doc, base string) (place, error) {
	said := place{cluesIn(d), text(d, d.Get(0, "location"), "display")}
	if d.Get(0, "location") == element.None {
		return place{}, nil
	}
	to := strings.TrimPrefix(text(d, d.Get(0, "location"), "reference"), base+"/")
	ref, ok := fhir.ParseRef(to)
	if said.clues != "" || !ok || ref.Type != "Location" {
		return said, nil
	}
	if known, ok := l.found[to]; ok {
		return known, nil
	}
	r, err := l.seen(ctx, search.Unrestricted, ref.Current())
	if err != nil {
		return said, err
	}
	if r != nil {
		where, err := element.Parse(r.JSON)
		if err != nil {
			return said, err
		}
		for id := range items(where, 0, "identifier") {
			if text(where, id, "system") == identity.SystemCLUES {
				said.clues = text(where, id, "value")
			}
		}
		said.name = text(where, 0, "name")
	}
	l.found[to] = said
	return said, nil
}
