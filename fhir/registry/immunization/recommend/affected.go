package recommend

import (
	"context"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/search"
)

// Affected returns the Patients of whom something else may have to be kept after changes:
// look are those of whom what is read has changed, verify those whose recommendation
// somebody else has written. Both are sorted.
func (k *Keeper) Affected(ctx context.Context, changes []fhir.Change) (look, verify []string, err error) {
	if err := k.prepare(); err != nil {
		return nil, nil, err
	}
	saying, err := k.saying(ctx, changes)
	if err != nil {
		return nil, nil, err
	}
	var many []fhir.Ref
	for i := range changes {
		c := &changes[i]
		switch c.Ref.Type {
		case "Patient":
			look = append(append(look, c.Ref.ID), patients(c)...)
			continue
		case "Observation":
			if !saying[c.At.Key] {
				continue
			}
		case "Immunization", "Condition", "AllergyIntolerance":
		case "ImmunizationRecommendation":
			if strings.HasPrefix(c.Ref.ID, forecastPrefix) && !k.Own(c.Ref) {
				verify = append(verify, patients(c)...)
			}
			continue
		default:
			continue
		}
		if c.Many {
			many = append(many, c.Ref.Current())
		}
		look = append(look, patients(c)...)
	}
	more, err := k.subjects(ctx, many)
	return sorted(append(look, more...)), sorted(verify), err
}

func sorted(ids []string) []string {
	slices.Sort(ids)
	return slices.Compact(ids)
}

// patients returns the Patients whom a change concerns.
func patients(c *fhir.Change) (ids []string) {
	for _, ref := range c.Targets {
		if ref.Type == "Patient" {
			ids = append(ids, ref.ID)
		}
	}
	return ids
}

// saying returns which of the Observations among changes can say something, by row key:
// new ones that have one of its codes, and all that were changed, since what they said
// before is not known.
func (k *Keeper) saying(ctx context.Context, changes []fhir.Change) (map[int64]bool, error) {
	says := map[int64]bool{}
	var keys []int64
	for i := range changes {
		switch c := &changes[i]; {
		case c.Ref.Type != "Observation":
		case c.Ref.Version > 1:
			says[c.At.Key] = true
		default:
			keys = append(keys, c.At.Key)
		}
	}
	if len(keys) == 0 {
		return says, nil
	}
	linked, err := k.Store.Linked(ctx, keys)
	if err != nil {
		return nil, err
	}
	for key, postings := range linked {
		if !says[key] {
			says[key] = slices.ContainsFunc(postings, func(p int64) bool { return k.tokens[p] })
		}
	}
	return says, nil
}

// subjects returns the Patients of resources that refer to so many others that a change of
// them does not list these.
func (k *Keeper) subjects(ctx context.Context, refs []fhir.Ref) (ids []string, err error) {
	for _, ref := range refs {
		found, err := k.Store.Search(ctx, &search.Query{
			Type: ref.Type, Where: []search.Expr{search.IDs{Any: []string{ref.ID}}}, Count: 1, Restriction: search.Unrestricted,
		})
		if err != nil {
			return nil, err
		}
		for i := range found.Matches {
			doc, err := element.Parse(found.Matches[i].JSON)
			if err != nil {
				return nil, err
			}
			if id := PatientOf(doc); id != "" {
				ids = append(ids, id)
			}
		}
	}
	return ids, nil
}
