package history

import (
	"fmt"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/registry/immunization"
	"github.com/amate-health/amate/fhir/registry/immunization/code"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
)

const (
	none    = "998" // CVX: no vaccine administered
	unknown = "999" // CVX: unknown
)

// immunization reads an Immunization.
//
// See https://hl7.org/fhir/R4/immunization.html.
func (g *gathered) immunization(d *element.Doc, place int) {
	ref := fhir.Ref{Type: "Immunization", ID: text(d, d.Get(0, "id"))}
	day, dated := g.day(text(d, d.Get(0, "occurrenceDateTime")))
	if born := g.kept.History.Born; dated && day < born {
		// At the place it was the day before, but the day of the birth may be in UTC as well.
		if written, err := schedule.ParseDate(text(d, d.Get(0, "occurrenceDateTime"))); err == nil && written >= born {
			day = written
		}
	}
	switch text(d, d.Get(0, "status")) {
	case "entered-in-error":
		return
	case "not-done":
		g.notDone(d, ref, day)
		return
	case "completed":
	default:
		g.doubt(ref, "Immunization.status", BadStatus, "the status is neither completed, not-done nor entered-in-error")
		return
	}
	dose := given{Dose: immunization.Dose{ID: ref.String(), Date: day}, ref: ref, place: place}
	if ref.ID == "" {
		dose.ID = fmt.Sprintf("Immunization[%d]", place)
	}
	g.vaccine(&dose, d)
	if dose.CVX == none {
		g.doubt(ref, "Immunization.vaccineCode", NoVaccine, "the code says that no vaccine was given")
		return
	}
	if !dated {
		g.doubt(ref, "Immunization.occurrence[x]", Undated, "the day on which it was given is not known, so it is not counted")
		return
	}
	if dose.antigens == nil && g.product(d, day) {
		return
	}
	dose.primary = d.Get(0, "primarySource") != element.None && d.Kind(d.Get(0, "primarySource")) == element.True
	dose.lot = text(d, d.Get(0, "lotNumber")) != ""
	dose.MVX = maker(d)
	dose.Volume = volume(d)
	dose.Condition = condition(d, &dose)
	g.given = append(g.given, dose)
}

// vaccine reads vaccineCode: the first coding in CVX, else the first that translates to
// CVX. Codings that say less, such as a SNOMED CT code for any hepatitis B vaccine
// beside the CVX code of one, agree with it.
func (g *gathered) vaccine(dose *given, d *element.Doc) {
	var known []string
	strange := "" // a CVX code that the table lacks
	for _, c := range codings(d, d.Get(0, "vaccineCode")) {
		cvx, ok := code.CVX(c.system, c.code)
		isCVX := code.System(c.system) == code.SystemCVX
		switch {
		case ok && isCVX:
			known = slices.Insert(known, 0, cvx)
		case ok:
			known = append(known, cvx)
		case isCVX && strange == "" && digits(strings.TrimSpace(c.code)):
			strange = strings.TrimSpace(c.code)
		}
	}
	dose.CVX = unknown
	if len(known) > 0 {
		dose.CVX = known[0]
	} else if strange != "" {
		dose.CVX = strange
	}
	dose.antigens = antigens(dose.CVX)
	if len(known) == 0 || dose.CVX == unknown {
		dose.doubt("Immunization.vaccineCode", Unspecific, "no code of the vaccine is known here; it takes a CVX code, or a SNOMED CT or ATC code that translates to one")
		return
	}
	for _, other := range known[1:] {
		if !within(antigens(other), dose.antigens) {
			dose.doubt("Immunization.vaccineCode", Disagree, "its codes are of vaccines against different diseases; the first CVX code was taken")
			return
		}
	}
}

// product notes what was given that is no vaccine, such as an immunoglobulin, and
// reports whether it was that.
func (g *gathered) product(d *element.Doc, day schedule.Date) bool {
	known := false
	g.meant(codings(d, d.Get(0, "vaccineCode")), func(f fact) {
		g.know(f.code, day, schedule.NoDate)
		known = true
	}, product)
	return known
}

func antigens(cvx string) []string {
	v, _ := code.Lookup(cvx)
	return v.Antigens
}

// within reports whether b holds all of a.
func within(a, b []string) bool {
	return !slices.ContainsFunc(a, func(s string) bool { return !slices.Contains(b, s) })
}

// digits reports whether s has the form of a CVX code.
func digits(s string) bool {
	return s != "" && len(s) <= 5 && strings.Trim(s, "0123456789") == ""
}

// condition says why the dose itself was no good; "" for a good one.
func condition(d *element.Doc, dose *given) immunization.Reason {
	if last, ok := lastDay(text(d, d.Get(0, "expirationDate"))); ok && last < dose.Date {
		return immunization.Expired
	}
	if n := d.Get(0, "isSubpotent"); n == element.None || d.Kind(n) != element.True {
		return ""
	}
	for _, reason := range list(d, d.Get(0, "subpotentReason")) {
		for _, c := range codings(d, reason) {
			switch strings.ToLower(c.code) {
			case "partial", "partialdose":
				return immunization.Partial
			case "coldchainbreak":
				return immunization.BadStorage
			case "recall":
				return immunization.Recalled
			}
		}
	}
	dose.doubt("Immunization.subpotentReason", SubpotentWhy, "the dose was subpotent for a reason that is not known here; it is taken as given in part")
	return immunization.Partial
}

// volume returns doseQuantity in mL, as it is written; "" for another unit or none.
func volume(d *element.Doc) string {
	q := d.Get(0, "doseQuantity")
	value := d.Get(q, "value")
	if value == element.None || d.Kind(value) != element.Number {
		return ""
	}
	unit := text(d, d.Get(q, "code"))
	if unit == "" {
		unit = text(d, d.Get(q, "unit"))
	}
	if !strings.EqualFold(unit, "ml") {
		return ""
	}
	return d.Text(value)
}

// maker returns the MVX code of the manufacturer; "" when it is not told.
func maker(d *element.Doc) string {
	id := d.Get(d.Get(0, "manufacturer"), "identifier")
	if code.System(text(d, d.Get(id, "system"))) != code.SystemMVX {
		return ""
	}
	return strings.ToUpper(text(d, d.Get(id, "value")))
}

// notDone reads a dose that was not given.
func (g *gathered) notDone(d *element.Doc, ref fhir.Ref, day schedule.Date) {
	dose := given{ref: ref}
	g.vaccine(&dose, d)
	n := NotDone{Ref: ref, Date: day}
	if len(dose.antigens) > 0 {
		n.CVX = dose.CVX
	}
	reason := d.Get(0, "statusReason")
	n.Text = text(d, d.Get(reason, "text"))
	for _, c := range codings(d, reason) {
		n.System, n.Code = c.system, c.code
		break
	}
	g.kept.NotDone = append(g.kept.NotDone, n)
}

// unspecific reports whether a CVX code leaves the product open.
func unspecific(cvx string) bool {
	v, _ := code.Lookup(cvx)
	return strings.Contains(strings.ToLower(v.Display), "unspecified")
}
