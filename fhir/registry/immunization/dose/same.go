package dose

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/registry/immunization/code"
)

// vaccineOf returns the CVX code of a stored dose, "" when its codes are not known.
func vaccineOf(d *element.Doc) (cvx string) {
	for c := range items(d, at(d, 0, "vaccineCode"), "coding") {
		one, ok := code.CVX(text(d, c, "system"), text(d, c, "code"))
		if ok && (cvx == "" || code.System(text(d, c, "system")) == systemCVX) {
			cvx = one
		}
	}
	return cvx
}

// primary reports whether a stored dose was recorded by who gave it.
func primary(d *element.Doc) bool {
	n := d.Get(0, "primarySource")
	return n != element.None && d.Text(n) == "true"
}

// twin finds the stored dose that a posting tells of again: one of the same day that
// protects against the same, when it has the same lot, or one of the two is reported from
// elsewhere, or does not name its lot. A reported dose may also hold less than the one that
// was recorded by who gave it, since papers tend to name one component of a combination.
func (p *posting) twin(all []parsed) (parsed, bool) {
	mine, _ := code.Lookup(p.cvx)
	for _, one := range all {
		d := one.Doc
		if text(d, 0, "resourceType") != "Immunization" {
			continue
		}
		status := text(d, 0, "status")
		if status == "entered-in-error" || (status == "not-done") != (p.notDone != "") {
			continue
		}
		when, ok := readSpan(text(d, 0, "occurrenceDateTime"), p.zone)
		if !ok || !when.day || !p.time.day || when.first(p.zone) != p.time.first(p.zone) {
			continue
		}
		cvx := vaccineOf(d)
		theirs, _ := code.Lookup(cvx)
		if p.notDone != "" {
			if cvx == p.cvx && reasonCode(d) == p.notDone {
				return one, true
			}
			continue
		}
		equal := cvx == p.cvx || len(mine.Antigens) > 0 && within(mine.Antigens, theirs.Antigens) && within(theirs.Antigens, mine.Antigens)
		lot, known := Lot(text(d, 0, "lotNumber")), primary(d)
		switch {
		case equal && (lot == Lot(p.lot) || lot == "" || p.lot == "" || p.reported || !known):
		case p.reported && known && len(mine.Antigens) > 0 && within(mine.Antigens, theirs.Antigens):
		case !p.reported && !known && len(theirs.Antigens) > 0 && within(theirs.Antigens, mine.Antigens):
		default:
			continue
		}
		return one, true
	}
	return parsed{}, false
}

// within reports whether all of a are in b.
func within(a, b []string) bool {
	return !slices.ContainsFunc(a, func(x string) bool { return !slices.Contains(b, x) })
}

// reasonCode is the code of v3-ActReason for which a stored dose was not given.
func reasonCode(d *element.Doc) string {
	for c := range items(d, at(d, 0, "statusReason"), "coding") {
		if system := text(d, c, "system"); system == systemReason || system == systemNull {
			return text(d, c, "code")
		}
	}
	return ""
}

// details are the elements that one source can know and the other not.
var details = []string{
	"manufacturer", "lotNumber", "expirationDate", "site", "route", "doseQuantity", "performer", "location", "encounter", "programEligibility",
	"isSubpotent", "subpotentReason", "note", "extension",
}

// together merges what is said of a dose into the stored one: what is missing there is
// added, and of what both say, that of who gave the dose stands. It reports whether
// anything is new.
func together(stored *element.Doc, said object, reported bool) (object, bool) {
	all := members(stored, 0)
	better := !reported && !primary(stored)
	changed := false
	take := func(name string) {
		v, ok := said[name]
		if !ok {
			return
		}
		if was, have := all[name]; have && (!better || same(was, v)) {
			return
		}
		all[name], changed = v, true
	}
	for _, name := range details {
		take(name)
	}
	if better {
		for _, name := range []string{"vaccineCode", "occurrenceDateTime", "primarySource", "protocolApplied"} {
			take(name)
		}
		delete(all, "reportOrigin")
		changed = true
	}
	return all, changed
}

// same reports whether two values are the same JSON.
func same(a, b any) bool {
	var x, y bytes.Buffer
	if json.Compact(&x, encode(a)) != nil || json.Compact(&y, encode(b)) != nil {
		return false
	}
	return bytes.Equal(x.Bytes(), y.Bytes())
}
