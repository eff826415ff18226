package paper

import (
	"strings"
	"time"

	"github.com/amate-health/amate/fhir/registry/birth/sinac"
)

// said is what a coded value means; "" where nothing is known.
func said(r *sinac.Row, c sinac.Column) string {
	if !r.Known(c) {
		return ""
	}
	if meaning, ok := c.Meaning(r[c]); ok {
		return meaning
	}
	return r[c]
}

// number is a value with its unit; "" where none is known.
func number(r *sinac.Row, c sinac.Column, unit string) string {
	if !r.Known(c) {
		return ""
	}
	return strings.TrimSpace(r[c] + " " + unit)
}

func day(r *sinac.Row, c sinac.Column) string {
	if !r.Known(c) {
		return ""
	}
	return r[c]
}

func hour(r *sinac.Row) string {
	if !r.Known(sinac.BornAt) {
		return "No se conoce"
	}
	return r[sinac.BornAt] + " h"
}

// dayOf writes a day, which is in the form yyyy-mm-dd, as Mexico writes it.
func dayOf(date string) string {
	t, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return date
	}
	return t.Format("02/01/2006")
}

// plurality says how many children the birth was of, and which of them this one is.
func plurality(r *sinac.Row) string {
	text := said(r, sinac.Plurality)
	if of := order(r); of != "" {
		n, total, _ := strings.Cut(of, "/")
		text += ", " + n + ".º de " + total
	}
	return text
}

// given lists what the newborn was given.
func given(r *sinac.Row) string {
	var all []string
	for _, c := range []struct {
		column sinac.Column
		name   string
	}{{sinac.BCG, "vacuna BCG"}, {sinac.HepatitisB, "vacuna contra hepatitis B"}, {sinac.VitaminK, "vitamina K"}, {sinac.VitaminA, "vitamina A"}} {
		if r[c.column] == sinac.Yes {
			all = append(all, c.name)
		}
	}
	return strings.Join(all, ", ")
}

func anomalies(r *sinac.Row) string {
	var all []string
	for _, c := range []sinac.Column{sinac.Anomaly1, sinac.Anomaly2} {
		if r.Known(c) {
			all = append(all, r[c])
		}
	}
	return strings.Join(all, ", ")
}

// where is a place by its keys of INEGI, with the name of the entity, which all know.
func where(r *sinac.Row, state, town, locality sinac.Column) string {
	if !r.Known(state) {
		return ""
	}
	text := entity(r[state])
	if r.Known(town) {
		text += ", municipio " + r[town]
		if r.Known(locality) {
			text += ", localidad " + r[locality]
		}
	}
	return text
}

// groups parts a hash into groups that can be read out.
func groups(hash string) string {
	var b strings.Builder
	for i, c := range hash {
		if i > 0 && i%8 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(c)
	}
	return b.String()
}
