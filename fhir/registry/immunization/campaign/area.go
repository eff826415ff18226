package campaign

import (
	"context"
	"regexp"
	"slices"
	"strconv"

	"github.com/amate-health/amate/fhir"
)

// area is where people are looked for: all conditions hold.
type area struct {
	facilities []string // that people belong to, as rows name them; nil for any
	place, end int32    // municipalities, as VaccineeQuery has them; 0 for any
}

var (
	clues        = regexp.MustCompile(`^[A-Z]{5}[0-9]{6}$`)
	municipality = regexp.MustCompile(`^(0[1-9]|[12][0-9]|3[0-2])[0-9]{3}$`)
	entity       = regexp.MustCompile(`^(0[1-9]|[12][0-9]|3[0-2])$`)
)

// areaOf reads where somebody asks for, and holds them to where they may. With own, they
// are held to what is below the establishment that they act for.
func (d *Desk) areaOf(ctx context.Context, f *form, own bool) (a area, err error) {
	facility, town, state := f.text("facility"), f.text("municipality"), f.text("state")
	switch {
	case f.err != nil:
		return a, f.err
	case town != "" && !municipality.MatchString(town):
		f.fail("municipality", town, "is the key of a municipality as INEGI has it: two digits of the state and three of its own")
	case state != "" && !entity.MatchString(state):
		f.fail("state", state, "is the key of a state as INEGI has it: 01 to 32")
	case town != "" && state != "" && town[:2] != state:
		f.fail("municipality", town, "is not of that state")
	case town != "":
		a.place, a.end = place(town), place(town)+1
	case state != "":
		a.place, a.end = 1000*place(state), 1000*place(state)+1000
	}
	var mine []string
	if org := f.call.Caller.Org; own && org != "" {
		mine = []string{org}
		if d.Below != nil {
			if mine, err = d.Below(ctx, org); err != nil {
				return a, err
			}
		}
		a.facilities = mine
	}
	if facility == "" || f.err != nil {
		return a, f.err
	}
	name := facility
	if !clues.MatchString(facility) {
		ref, ok := fhir.ParseRef(facility)
		if !ok || ref.Type != "Organization" && ref.Type != "Location" {
			f.fail("facility", facility, "is a CLUES, or a reference to an Organization or Location")
			return a, f.err
		}
		if name = d.Facility(ctx, ref.Current()); name == "" {
			name = ref.Current().String()
		}
	}
	if mine != nil && !slices.Contains(mine, name) {
		return a, fhir.Errorf(fhir.Forbidden, "you act for another establishment").At("facility")
	}
	a.facilities = []string{name}
	return a, nil
}

func place(digits string) int32 {
	n, _ := strconv.Atoi(digits) // two or five digits
	return int32(n)
}

// each calls each with the rows of people in a for whom q holds too, each once.
func (a *area) each(ctx context.Context, rows Rows, q fhir.VaccineeQuery, each func(*fhir.Vaccinee) error) error {
	for part := range a.parts() {
		if err := a.part(ctx, rows, q, part, each); err != nil {
			return err
		}
	}
	return nil
}

// parts is of how many queries a is made up.
func (a *area) parts() int { return max(1, len(a.facilities)) }

// part is each for one of them.
func (a *area) part(ctx context.Context, rows Rows, q fhir.VaccineeQuery, part int, each func(*fhir.Vaccinee) error) error {
	q.Place, q.PlaceEnd = a.place, a.end
	if a.facilities == nil {
		return rows.Vaccinees(ctx, &q, each)
	}
	q.Facility = a.facilities[part]
	return rows.Vaccinees(ctx, &q, func(v *fhir.Vaccinee) error {
		// Who belongs to two of them was met at the first.
		if first := slices.IndexFunc(a.facilities, func(f string) bool { return f == v.Home || f == v.Post }); first != part {
			return nil
		}
		return each(v)
	})
}
