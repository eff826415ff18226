package history

import (
	"cmp"
	"slices"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/registry/immunization"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
)

// Kept is what was read of one person.
type Kept struct {
	// History has its doses ordered by day, CVX code and reference, each dose once.
	immunization.History
	// Refs names the Immunization of each dose, parallel to Doses. The id is "" for a
	// resource without one. Dose.ID is the reference as text, or "Immunization[n]", its
	// place among the resources counted from 0.
	Refs    []fhir.Ref
	NotDone []NotDone // ordered by day and reference
	Doubts  []Doubt   // in the order of the resources
}

// NotDone is a dose that was not given (Immunization.status not-done).
type NotDone struct {
	Ref    fhir.Ref
	Date   schedule.Date // NoDate when unknown
	CVX    string        // "" when unknown
	System string        // of Code
	Code   string        // of statusReason: IMMUNE, MEDPREC, OSTOCK, PATOBJ, ...; "" for none
	Text   string        // of statusReason
}

// Doubt is something that was not counted, or counted with a reserve.
type Doubt struct {
	Ref        fhir.Ref
	Expression string // FHIRPath of the element: "Immunization.occurrence[x]"
	Rule       Rule
	Text       string // in English; quotes no text of the resource
	Dose       int    // index into Doses of the dose in doubt, or of the dose that stands for it; -1 for none
}

// Rule is the kind of a doubt.
type Rule string

// Rules. A dose with one of the first three is counted.
const (
	Disagree     Rule = "codes-disagree"  // its codings are of vaccines with different antigens; the first was taken
	Unspecific   Rule = "unknown-vaccine" // none of its codes is known; it is kept as CVX 999 or under the CVX code given
	Overlap      Rule = "same-day"        // another dose of the day holds some of the same antigens
	Undated      Rule = "no-day"          // the day is not known, so it cannot be evaluated
	Duplicate    Rule = "duplicate"       // another dose of the same day and antigens stands for it
	BadStatus    Rule = "status"          // neither completed, not-done nor entered-in-error
	NoVaccine    Rule = "no-vaccine"      // a code that says that none was given
	SubpotentWhy Rule = "subpotent"       // it counts as given in part: the reason is not known
	Severity     Rule = "severity"        // an allergy that would be a contraindication if it were severe
)

// Reader reads histories. The zero value is ready; a Reader may be used by many
// goroutines.
type Reader struct {
	// Zone gives the day of times that are in UTC: systems write those of any place so.
	// Times with another offset, and all when Zone is nil, are of the day as written.
	Zone *time.Location
	own  map[coding][]fact // besides the shared table; nil for none
}

// For returns a Reader that knows the observations of a schedule besides those of the
// shared table.
func For(s *schedule.Schedule) *Reader { return &Reader{own: factsOf(s)} }

// Read reads a Patient and other resources with a [Reader] of the zero value.
func Read(patient *element.Doc, resources []*element.Doc) (*Kept, error) {
	return (&Reader{}).Read(patient, resources)
}

// Read reads a Patient, and of the resources each Immunization, Condition, Observation
// and AllergyIntolerance; others are passed over. All must be of this patient, and none
// is kept or changed.
// Errors: fhir.Unprocessable when the Patient has no full date of birth.
func (r *Reader) Read(patient *element.Doc, resources []*element.Doc) (*Kept, error) {
	born, ok := r.day(text(patient, patient.Get(0, "birthDate")))
	if !ok {
		return nil, fhir.Errorf(fhir.Unprocessable, "vaccines can only be assessed for a Patient with a full date of birth (YYYY-MM-DD)").At("Patient.birthDate")
	}
	g := gathered{Reader: r, kept: &Kept{}}
	g.kept.Born = born
	switch text(patient, patient.Get(0, "gender")) {
	case "female":
		g.kept.Sex = immunization.Female
	case "male":
		g.kept.Sex = immunization.Male
	}
	for i, doc := range resources {
		switch text(doc, doc.Get(0, "resourceType")) {
		case "Immunization":
			g.immunization(doc, i)
		case "Condition":
			g.condition(doc)
		case "Observation":
			g.observation(doc)
		case "AllergyIntolerance":
			g.allergy(doc)
		}
	}
	g.settle()
	return g.kept, nil
}

// gathered is what was read so far.
type gathered struct {
	*Reader
	kept            *Kept
	given           []given
	periods, onsets []schedule.Date // of last periods, and of pregnancies as problems
}

// given is an administered dose, before duplicates are dropped.
type given struct {
	immunization.Dose
	ref      fhir.Ref
	place    int      // among the resources
	antigens []string // nil for an unknown vaccine
	primary  bool     // primarySource: the source gave it itself
	lot      bool     // it tells a lot
	doubts   []Doubt  // of it, without Dose
}

func (d *given) doubt(expression string, rule Rule, text string) {
	d.doubts = append(d.doubts, Doubt{Ref: d.ref, Expression: expression, Rule: rule, Text: text})
}

func (g *gathered) doubt(ref fhir.Ref, expression string, rule Rule, text string) {
	g.kept.Doubts = append(g.kept.Doubts, Doubt{Ref: ref, Expression: expression, Rule: rule, Text: text, Dose: -1})
}

// settle puts all in order, and drops duplicates.
func (g *gathered) settle() {
	g.unite()
	slices.SortStableFunc(g.kept.NotDone, func(a, b NotDone) int {
		return cmp.Or(cmp.Compare(a.Date, b.Date), cmp.Compare(a.Ref.ID, b.Ref.ID), cmp.Compare(a.CVX, b.CVX))
	})
	g.observations()
}
