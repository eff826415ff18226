package rights

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
)

// recordOf is the condition that a resource, of whatever type, is in a patient's
// compartment or about them.
func recordOf(patient string) search.Expr {
	any := search.Or{search.WholeCompartment([]fhir.Ref{{Type: "Patient", ID: patient}})}
	for _, typ := range spec.Resources() {
		if search.InCompartment("Patient", typ) {
			continue
		}
		if e := search.Patients([]string{patient}, typ); e != nil {
			any = append(any, e)
		}
	}
	return any
}

// Searcher finds resources.
type Searcher interface {
	Search(ctx context.Context, q *search.Query) (*search.Result, error)
}

// each calls f for every resource that where finds, page by page.
func each(ctx context.Context, s Searcher, q search.Query, f func(*fhir.Resource) error) error {
	q.Count, q.Bytes = 500, 32<<20
	for {
		page, err := s.Search(ctx, &q)
		if err != nil {
			return err
		}
		for i := range page.Matches {
			if err := f(&page.Matches[i]); err != nil {
				return err
			}
		}
		if q.After = page.Next; q.After == "" {
			return nil
		}
	}
}

// acts are the search parameters that say when a medical act took place, by type.
//
// NOM-004-SSA3-2012, 5.4: a record is kept for five years from the last medical act.
var acts = map[string]string{
	"AdverseEvent": "date", "AllergyIntolerance": "date", "Appointment": "date", "CarePlan": "date", "ClinicalImpression": "date",
	"Composition": "date", "Condition": "recorded-date", "DiagnosticReport": "date", "DocumentReference": "date", "Encounter": "date",
	"EpisodeOfCare": "date", "FamilyMemberHistory": "date", "Goal": "start-date", "ImagingStudy": "started", "Immunization": "date",
	"Media": "created", "MedicationAdministration": "effective-time", "MedicationDispense": "whenhandedover",
	"MedicationRequest": "authoredon", "MedicationStatement": "effective", "NutritionOrder": "datetime", "Observation": "date",
	"Procedure": "date", "QuestionnaireResponse": "authored", "RiskAssessment": "date", "ServiceRequest": "authored",
	"Specimen": "collected", "VisionPrescription": "datewritten",
}

// actOf returns when the act of which a resource tells took place, at its latest; zero
// for one that tells of none or does not say.
func actOf(typ string, doc *element.Doc) time.Time {
	p := spec.Param(typ, acts[typ])
	if p == nil {
		return time.Time{}
	}
	ix, err := search.Extract(doc, 0, "")
	if err != nil {
		return time.Time{}
	}
	last := int64(math.MinInt64)
	for _, r := range ix.Dates {
		if r.Param != p.ID {
			continue
		}
		end := r.Hi - 1
		if r.Hi > r.Lo+100*365*24*3600*1e6 { // it has not ended, as far as it says
			end = r.Lo
		}
		last = max(last, end)
	}
	if last == math.MinInt64 {
		return time.Time{}
	}
	return time.UnixMicro(last).UTC()
}

// subjects returns the ids of the patients whom a resource is about. What it refers to
// under base, the FHIR base of this server, is here. of says whom another resource is
// about that it belongs to, as a Binary belongs to a DocumentReference.
func subjects(r *fhir.Resource, doc *element.Doc, base string, of func(fhir.Ref) string) []string {
	if r.Ref.Type == "Patient" {
		return []string{r.Ref.ID}
	}
	params := search.SubjectParams(r.Ref.Type)
	ix, err := search.Extract(doc, 0, base)
	if err != nil {
		return nil
	}
	var ids []string
	for _, l := range ix.Links {
		if !slices.ContainsFunc(params, func(p *spec.SearchParam) bool { return p.ID == l.Param }) {
			continue
		}
		id := l.Target.ID
		if l.Target.Type != "Patient" {
			id = of(l.Target.Current())
		}
		if id != "" && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// Record is what is kept of a patient, as far as it is theirs alone.
type Record struct {
	Patient string
	Refs    []fhir.Ref // what a purge removes, with its current versions, the Patient last
	Shared  []fhir.Ref // what names them and is about others as well: this stays, without them
	LastAct time.Time  // of the newest medical act; zero when none says when it was
	Changed time.Time  // when the newest resource was written

	have map[fhir.Ref]bool // Refs, without versions
}

// add notes a resource that is theirs alone.
func (r *Record) add(res *fhir.Resource, doc *element.Doc) {
	if at := res.Ref.Current(); !r.have[at] {
		r.have[at] = true
		r.Refs = append(r.Refs, res.Ref)
		r.LastAct = latest(r.LastAct, actOf(res.Ref.Type, doc))
	}
}

// Collect reads the record of a patient. base is the FHIR base of this server.
func Collect(ctx context.Context, s Searcher, base, patient string) (*Record, error) {
	self := fhir.Ref{Type: "Patient", ID: patient}
	out := &Record{Patient: patient, have: map[fhir.Ref]bool{self: true}}
	of := func(at fhir.Ref) string { // a Binary is found by what it belongs to
		if slices.Contains(search.ContextTypes, at.Type) {
			return patient
		}
		return ""
	}
	each := func(where search.Expr, f func(*fhir.Resource, *element.Doc)) error {
		return each(ctx, s, search.Query{Where: []search.Expr{where}, Restriction: search.Unrestricted}, func(r *fhir.Resource) error {
			if r.Ref.Current() == self.Current() {
				self, out.Changed = r.Ref, latest(out.Changed, r.Updated)
				return nil
			}
			doc, err := element.Parse(r.JSON)
			if err == nil {
				f(r, doc)
			}
			return err
		})
	}
	err := each(recordOf(patient), func(r *fhir.Resource, doc *element.Doc) {
		out.Changed = latest(out.Changed, r.Updated)
		if about := subjects(r, doc, base, of); len(about) == 1 && about[0] == patient && r.Ref.Type != "Group" {
			out.add(r, doc)
		}
	})
	if err != nil {
		return nil, err
	}
	// What names nobody, and belongs to them through something else.
	err = each(search.OwnedBy([]string{patient}), func(r *fhir.Resource, doc *element.Doc) {
		out.Changed = latest(out.Changed, r.Updated)
		out.add(r, doc)
	})
	if err != nil {
		return nil, err
	}
	if err := out.dependants(ctx, s); err != nil {
		return nil, err
	}
	err = each(search.Mentioning([]string{patient}), func(r *fhir.Resource, _ *element.Doc) {
		if !out.have[r.Ref.Current()] {
			out.Shared = append(out.Shared, r.Ref.Current())
		}
	})
	out.Refs = append(out.Refs, self)
	return out, err
}

// dependants adds what only tells of what is in the record: who made or signed it, and
// what is shown to those who are shown that.
func (r *Record) dependants(ctx context.Context, s Searcher) error {
	for done := 0; done < len(r.Refs); {
		next := len(r.Refs)
		for part := range slices.Chunk(slices.Clone(r.Refs[done:next]), 100) {
			if err := r.telling(ctx, s, part); err != nil {
				return err
			}
			refs := make([]fhir.Ref, len(part))
			for i := range part {
				refs[i] = part[i].Current()
			}
			q := search.Query{Type: "Binary", Where: []search.Expr{search.ContextOf(refs)}, Restriction: search.Unrestricted}
			err := each(ctx, s, q, func(b *fhir.Resource) error {
				if at := b.Ref.Current(); !r.have[at] {
					r.have[at] = true
					r.Refs = append(r.Refs, b.Ref)
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		done = next
	}
	return nil
}

// telling adds the Provenances that tell of some of the record and of nothing else.
func (r *Record) telling(ctx context.Context, s Searcher, of []fhir.Ref) error {
	target := spec.Param("Provenance", "target")
	m := search.Match{Param: target, Compared: target.Type}
	for _, ref := range of {
		m.Values = append(m.Values, search.Value{Raw: ref.Current().String(), Refs: []fhir.Ref{ref.Current()}})
	}
	q := search.Query{Type: "Provenance", Where: []search.Expr{m}, Restriction: search.Unrestricted}
	return each(ctx, s, q, func(p *fhir.Resource) error {
		if r.have[p.Ref.Current()] {
			return nil
		}
		doc, err := element.Parse(p.JSON)
		if err != nil {
			return err
		}
		ix, err := search.Extract(doc, 0, "")
		if err != nil {
			return err
		}
		for _, l := range ix.Links {
			if l.Param == target.ID && !r.have[l.Target.Current()] {
				return nil // it tells of something else, too
			}
		}
		r.have[p.Ref.Current()] = true
		r.Refs = append(r.Refs, p.Ref)
		return nil
	})
}

// Belongs returns the patient to whom a resource that was deleted belonged alone; ""
// for none. base is the FHIR base of this server; of returns the patient of another
// resource, "" where it is not known.
func Belongs(r *fhir.Resource, base string, of func(fhir.Ref) string) string {
	doc, err := element.Parse(r.JSON)
	if err != nil || r.Ref.Type == "Group" {
		return ""
	}
	about := subjects(r, doc, base, of)
	if len(about) == 0 {
		about = tiedTo(doc, base, of)
	}
	if len(about) != 1 {
		return ""
	}
	return about[0]
}

// tiedTo returns the patients whose is what a resource refers to that names none; none
// where it is not known of all of it.
func tiedTo(doc *element.Doc, base string, of func(fhir.Ref) string) (ids []string) {
	ix, err := search.Extract(doc, 0, base)
	if err != nil {
		return nil
	}
	for _, l := range ix.Links {
		id := ""
		switch l.Param {
		case search.Named.ID:
			id = l.Target.ID
		case search.TiedTo.ID:
			if id = of(l.Target.Current()); id == "" {
				return nil
			}
		default:
			continue
		}
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// LeastYears is how long a record is kept at the least, from the last medical act on.
//
// NOM-004-SSA3-2012, 5.4.
const LeastYears = 5

// Over reports whether a record need not be kept any longer, years after its last act.
// Where nothing says when that was, it counts from when the record was last written.
func (r *Record) Over(years int, now time.Time) bool {
	last := r.LastAct
	if last.IsZero() {
		last = r.Changed
	}
	return !last.IsZero() && last.AddDate(max(years, LeastYears), 0, 0).Before(now)
}

// BlockedPatients calls f for every patient whose record is blocked.
func BlockedPatients(ctx context.Context, s Searcher, l Label, f func(id string) error) error {
	return patients(ctx, s, []search.Param{{Name: "_security", Value: l.System + "|" + l.Code}}, f)
}

// AllPatients calls f for every patient.
func AllPatients(ctx context.Context, s Searcher, f func(id string) error) error {
	return patients(ctx, s, nil, f)
}

func patients(ctx context.Context, s Searcher, params []search.Param, f func(id string) error) error {
	q, err := search.Parse("Patient", params, search.Options{})
	if err != nil {
		return err
	}
	q.Restriction = search.Unrestricted
	return each(ctx, s, *q, func(r *fhir.Resource) error { return f(r.Ref.ID) })
}
