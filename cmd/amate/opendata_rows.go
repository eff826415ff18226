package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/registry/analysis"
	"github.com/amate-health/amate/fhir/registry/birth"
	"github.com/amate-health/amate/fhir/registry/birth/sinac"
	"github.com/amate-health/amate/fhir/registry/opendata"
	"github.com/amate-health/amate/fhir/search"
	rows "github.com/amate-health/amate/fhir/table"
	"github.com/amate-health/amate/fhir/view"
)

// openSources are the rows that open data are counted from, by name.
func (o *opened) openSources() map[string]opendata.Source {
	return map[string]opendata.Source{
		"births":   {Columns: birthColumns, Rows: o.birthRows},
		"children": {Columns: append([]string{"cohorte", "municipio", "sexo"}, coverageAntigens...), Rows: o.childRows},
		"visits":   {Columns: []string{"mes", "estado", "edad", "minutos", "establecimiento", "persona"}, Rows: o.visitRows},
	}
}

var birthColumns = []string{"residencia", "fecha", "sexo", "edad_madre", "peso", "parto", "oportunidad"}

// mostOldBirths is how many births of earlier years are in memory at a time.
const mostOldBirths = 1000

// birthRows are the births of a period that are certified, of the ledger, and those of
// earlier years that were loaded as SINAC published them.
func (o *opened) birthRows(s opendata.Span) opendata.Rows {
	return func(ctx context.Context, each func([]rows.Cell) error) error {
		q := birth.Query{From: s.First.Format(time.DateOnly), Until: s.Next.Format(time.DateOnly)}
		row := make([]rows.Cell, len(birthColumns))
		one := func(r *sinac.Row) error {
			for i, text := range birthValues(r) {
				row[i] = rows.Cell{Kind: rows.String, Text: text}
			}
			return each(row)
		}
		err := birth.Book{Rows: o}.Each(ctx, q, func(c *birth.Certificate) error {
			if c.State == birth.Void || c.State == birth.Replaced {
				return nil
			}
			return one(&c.Row)
		})
		var after fhir.OldBirth
		for err == nil {
			var old []fhir.OldBirth
			if old, err = o.OldBirths(ctx, s.First.Year(), after, mostOldBirths); err != nil || len(old) == 0 {
				break
			}
			for i := range old {
				var r sinac.Row
				if copy(r[:], old[i].Row); err == nil {
					err = one(&r)
				}
			}
			after = old[len(old)-1]
		}
		return err
	}
}

// birthValues are the columns of a row of SINAC, as birthColumns has them.
func birthValues(r *sinac.Row) []string {
	known := func(c sinac.Column) string {
		if !r.Known(c) {
			return ""
		}
		return r[c]
	}
	born, certified := "", ""
	day, ok := r.Date(sinac.Born)
	if ok {
		born = day.Format(time.DateOnly)
	}
	if on, known := r.Date(sinac.Certified); ok && known {
		certified = openDelay(int(on.Sub(day).Hours() / 24))
	}
	return []string{known(sinac.HomeState) + known(sinac.HomeTown), born, known(sinac.Sex), known(sinac.MotherAge), known(sinac.Weight), openDelivery(r), certified}
}

// openDelivery is how a child was born, V or C, by the same columns that the projection of
// a certificate goes by: the catalogue of RESOLUCIONEMBARAZO is not public, so that of its
// values only 1 is taken to be known.
func openDelivery(r *sinac.Row) string {
	if kind, ok := r.Int(sinac.Cesarean); ok && kind > 0 && kind < 8 {
		return "C"
	}
	if r[sinac.Forceps] == sinac.Yes || r.Known(sinac.Delivery) && r[sinac.Delivery] == "1" {
		return "V"
	}
	return ""
}

// openDelay is the band of the days from a birth to its certificate.
func openDelay(days int) string {
	switch {
	case days <= 1:
		return "0-1"
	case days <= 7:
		return "2-7"
	case days <= 60:
		return "8-60"
	}
	return "61+"
}

var coverageAntigens = []string{"Tuberculosis", "HepB", "Pertussis", "Polio", "Rotavirus", "Pneumococcal", "Measles"}

// childRows are the children born in a period, and what they have doses against. It keeps
// the ids of these children, and seven bits for each: of a million children, some 100 MB.
// The doses of others are passed over.
func (o *opened) childRows(s opendata.Span) opendata.Rows {
	return func(ctx context.Context, each func([]rows.Cell) error) error {
		type child struct{ municipality, gender, id string }
		var children []child
		year := s.Name[:4]
		err := o.viewRows(ctx, "amate_patients", []string{"patient_id", "birth_year", "municipality", "gender"}, func(row []string) error {
			if row[1] == year {
				children = append(children, child{strings.Clone(row[2]), strings.Clone(row[3]), strings.Clone(row[0])})
			}
			return nil
		})
		if err != nil {
			return err
		}
		slices.SortFunc(children, func(x, y child) int { return strings.Compare(x.id, y.id) })
		doses := make([]uint8, len(children))
		err = o.viewRows(ctx, "amate_coverage", []string{"patient_id", "antigen"}, func(row []string) error {
			at := slices.Index(coverageAntigens, row[1])
			i, ours := slices.BinarySearchFunc(children, row[0], func(c child, id string) int { return strings.Compare(c.id, id) })
			if at >= 0 && ours {
				doses[i] |= 1 << at
			}
			return nil
		})
		if err != nil {
			return err
		}
		out := make([]rows.Cell, 3+len(coverageAntigens))
		for n, c := range children {
			out[0].Text, out[1].Text, out[2].Text = year+"-01", c.municipality, c.gender
			for i := range coverageAntigens {
				out[3+i].Text = strconv.FormatBool(doses[n]>>i&1 == 1)
			}
			if err := each(out); err != nil {
				return err
			}
		}
		return nil
	}
}

// visitRows are the visits at a distance of a period. It keeps the date of birth of those
// who had one alone, as scans are of one type of resources: of a million of them, some 60 MB.
func (o *opened) visitRows(s opendata.Span) opendata.Rows {
	return func(ctx context.Context, each func([]rows.Cell) error) error {
		born := map[string]string{}
		err := o.scanAll(ctx, "Encounter", func(_ *fhir.Resource, d *element.Doc) error {
			if subject, _ := analysis.Subject(d); visitOf(d, s) && subject.Type == "Patient" {
				born[strings.Clone(subject.ID)] = ""
			}
			return nil
		})
		if err != nil {
			return err
		}
		err = o.scanAll(ctx, "Patient", func(r *fhir.Resource, d *element.Doc) error {
			if _, asked := born[r.Ref.ID]; asked {
				born[r.Ref.ID] = strings.Clone(d.TextAt(0, "birthDate"))
			}
			return nil
		})
		if err != nil {
			return err
		}
		out := make([]rows.Cell, 6)
		return o.derivedRows(ctx, "amate_telehealth_visits", []string{"month", "status", "age_band", "minutes", "facility_id", "patient_id"}, func(d *element.Doc) string {
			subject, _ := analysis.Subject(d)
			return born[subject.ID]
		}, func(row []string) error {
			for i := range row {
				out[i].Text = row[i]
			}
			return each(out)
		})
	}
}

// visitOf reports whether an Encounter is a visit at a distance that began in a period, give
// or take a day for how its time is written.
func visitOf(d *element.Doc, s opendata.Span) bool {
	began := d.TextAt(0, "period", "start")
	return d.TextAt(0, "class", "code") == "VR" && len(began) >= 10 &&
		began[:10] >= s.First.AddDate(0, 0, -1).Format(time.DateOnly) && began[:10] <= s.Next.Format(time.DateOnly)
}

func (o *opened) viewRows(ctx context.Context, name string, columns []string, each func([]string) error) error {
	return o.derivedRows(ctx, name, columns, func(*element.Doc) string { return "" }, each)
}

// derivedRows calls each with some columns of the rows of a shipped view. born tells the
// date of birth of whom a resource is of, where a column depends on it. What comes of them
// is counted, and never shown by itself.
func (o *opened) derivedRows(ctx context.Context, name string, columns []string, born func(*element.Doc) string, each func([]string) error) error {
	shipped, ok := analysis.LookupView(name)
	if !ok {
		return fmt.Errorf("there is no view %s", name)
	}
	definition, err := element.Parse(shipped.Definition)
	if err != nil {
		return err
	}
	v, err := view.Compile(definition, 0)
	if err != nil {
		return err
	}
	places := make([]int, len(columns))
	for i, c := range columns {
		if places[i] = slices.IndexFunc(v.Columns, func(have rows.Column) bool { return have.Name == c }); places[i] < 0 {
			return fmt.Errorf("the view %s has no column %s", name, c)
		}
	}
	now := time.Now()
	row := make([]string, len(columns))
	return o.scanAll(ctx, v.Resource, func(r *fhir.Resource, d *element.Doc) error {
		more, err := analysis.Derive(d, born(d), now).Add(nil, r.JSON)
		if err != nil {
			return err
		}
		if d, err = element.Parse(more); err != nil {
			return err
		}
		return v.Each(ctx, d, 0, func(cells []rows.Cell) error {
			for i, at := range places {
				row[i] = cells[at].Text
			}
			return each(row)
		})
	})
}

// scanAll calls each with every resource of a type.
func (o *opened) scanAll(ctx context.Context, typ string, each func(*fhir.Resource, *element.Doc) error) error {
	scan := search.Scan{Query: search.Query{Type: typ, Restriction: search.Unrestricted}}
	return o.Scan(ctx, &scan, func(found []fhir.Resource, _ string) error {
		for i := range found {
			if found[i].Method == fhir.DELETE {
				continue
			}
			d, err := element.Parse(found[i].JSON)
			if err != nil {
				return err
			}
			if err := each(&found[i], d); err != nil {
				return err
			}
		}
		return nil
	})
}
