package recommend

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"slices"
	"sync"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/registry/immunization"
	"github.com/amate-health/amate/fhir/registry/immunization/history"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
	"github.com/amate-health/amate/fhir/search"
)

// draft is what is to be kept of one Patient.
type draft struct {
	patient string         // id
	row     *fhir.Vaccinee // nil where nothing is kept
	paper   *paper
	labels  []string
}

// forecastPrefix begins the ids of recommendations that are kept.
const forecastPrefix = "forecast-"

// ForecastID returns the id of the ImmunizationRecommendation that is kept of a Patient.
func ForecastID(patient string) string {
	sum := sha256.Sum256([]byte("ImmunizationRecommendation of Patient/" + patient))
	return forecastPrefix + hex.EncodeToString(sum[:16])
}

// draft works out what is to be kept of a record on a day. Of a Patient without a full
// date of birth, who died, was replaced by another or is blocked, nothing is.
func (k *Keeper) draft(ctx context.Context, r *search.PatientRecord, on schedule.Date) (*draft, error) {
	d := &draft{patient: r.Patient.Ref.ID}
	patient, err := element.Parse(r.Patient.JSON)
	if err != nil {
		return nil, err
	}
	who := personOf(patient, k.Blocked)
	if who.gone {
		return d, nil
	}
	docs := make([]*element.Doc, len(r.Resources))
	for i := range r.Resources {
		if docs[i], err = element.Parse(r.Resources[i].JSON); err != nil {
			return nil, err
		}
	}
	book, err := k.Library.Find(k.Schedule, on)
	if err != nil {
		return nil, err
	}
	kept, err := book.Reader.Read(patient, docs)
	if err != nil {
		return d, nil // there is no full date of birth
	}
	found, err := book.Assess(&kept.History, on)
	if err != nil {
		return nil, err
	}
	d.paper = &paper{book: book, patient: patientRef(d.patient), spanish: true, kept: kept, found: found}
	d.labels = binding(book.Reader, patient, docs, who.labels)
	d.row = k.row(ctx, d, who, r, docs)
	d.row.Print = d.print()
	return d, nil
}

// binding returns the labels of the Patient and of what the history was read from: what
// binds one of them binds what tells of it.
func binding(reader *history.Reader, patient *element.Doc, docs []*element.Doc, all []string) []string {
	all = slices.Clone(all)
	for _, doc := range docs {
		own := labels(doc)
		if len(own) == 0 {
			continue
		}
		alone, err := reader.Read(patient, []*element.Doc{doc})
		if err == nil && len(alone.Doses)+len(alone.Observations) > 0 {
			all = append(all, own...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// row makes the row of a Patient, without its print.
func (k *Keeper) row(ctx context.Context, d *draft, who *person, r *search.PatientRecord, docs []*element.Doc) *fhir.Vaccinee {
	kept, found, book := d.paper.kept, d.paper.found, d.paper.book
	shape := book.shape()
	v := &fhir.Vaccinee{
		Key: r.Key, Patient: d.patient, Schedule: shape.Number, Assessed: int32(found.On), Born: int32(kept.Born), Place: who.place, Sex: uint8(kept.Sex),
		Doubts: int16(min(len(kept.Doubts), math.MaxInt16)),
		Home:   k.facility(ctx, placeOf(who.doc, who.managing, k.CLUES)), Post: k.facility(ctx, last(kept, docs, k.CLUES)),
		Due:   packDue(nil, kept.Born, found.Forecasts),
		Given: packGiven(nil, &kept.History, found, shape.Antigens),
	}
	again := book.turning().again(&kept.History, found)
	if next := k.Library.Until(k.Schedule, found.On); !next.IsZero() {
		again = min(again, next)
	}
	v.Again = int32(again)
	for i := range found.Forecasts {
		f := &found.Forecasts[i]
		if f.Status == immunization.NotComplete {
			v.Soonest = earlier(v.Soonest, f.Recommended)
			if !f.PastDue.IsZero() {
				v.Overdue = earlier(v.Overdue, f.PastDue+1)
			}
		}
	}
	return v
}

// earlier returns the earlier of two days, of which either may be none.
func earlier(day int32, d schedule.Date) int32 {
	if d.IsZero() || day != 0 && day < int32(d) {
		return day
	}
	return int32(d)
}

// last returns where the latest dose was given of which that is known.
func last(kept *history.Kept, docs []*element.Doc, clues string) place {
	for i := len(kept.Refs) - 1; i >= 0; i-- {
		for _, doc := range docs {
			if str(doc, doc.Get(0, "id")) != kept.Refs[i].ID || str(doc, doc.Get(0, "resourceType")) != "Immunization" {
				continue
			}
			if p := given(doc, clues); p != (place{}) {
				return p
			}
		}
	}
	return place{}
}

// facility returns how a place is kept: by its CLUES, else as it is referred to.
func (k *Keeper) facility(ctx context.Context, p place) string {
	switch {
	case p.clues != "":
		return p.clues
	case p.ref == (fhir.Ref{}):
		return ""
	}
	if clues := k.Facility(ctx, p.ref); clues != "" {
		return clues
	}
	return p.ref.String()
}

// json returns the ImmunizationRecommendation of d, dated on a day.
func (d *draft) json(date schedule.Date) []byte { return d.appendJSON(nil, date) }

// appendJSON is json into a buffer.
func (d *draft) appendJSON(b []byte, date schedule.Date) []byte {
	w := writer{b}
	d.paper.recommendation(&w, date, func() {
		w.text("id", ForecastID(d.patient))
		if len(d.labels) > 0 {
			w.name("meta")
			w.open('{')
			w.name("security")
			w.open('[')
			for _, l := range d.labels {
				w.raw([]byte(l))
			}
			w.close(']')
			w.close('}')
		}
		w.name("identifier")
		w.open('[')
		w.open('{')
		w.text("system", SystemForecast)
		w.text("value", d.patient)
		w.close('}')
		w.close(']')
	})
	return w.b
}

// buffers are for texts of which nothing is kept.
var buffers sync.Pool

// print stands for what the ImmunizationRecommendation says, whatever its date; it is not 0.
func (d *draft) print() int64 {
	buffer, _ := buffers.Get().(*[]byte)
	if buffer == nil {
		buffer = new([]byte)
	}
	*buffer = d.appendJSON((*buffer)[:0], 1)
	sum := sha256.Sum256(*buffer)
	buffers.Put(buffer)
	return int64(binary.BigEndian.Uint64(sum[:8]) | 1)
}
