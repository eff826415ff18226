package store

import (
	"strings"

	"github.com/amate-health/amate/fhir"
)

// BirthColumns are the columns of a certificate of birth as both engines read them.
const BirthColumns = `b.folio, b.version, b.state, b.facility, b.born, b.namesake, coalesce(b.token, ''), coalesce(b.certified, 0), coalesce(b.registered, 0), b."row", b.content, ` +
	`coalesce((SELECT guard FROM birth_live l WHERE l.folio = b.folio), '')`

// BirthWhere returns the condition of a query for certificates, and its arguments; mark
// names the n-th of them.
func BirthWhere(q *fhir.BirthQuery, mark func(n int) string) (string, []any) {
	where, args := []string{"true"}, []any(nil)
	add := func(condition string, v any) {
		args = append(args, v)
		where = append(where, strings.ReplaceAll(condition, "?", mark(len(args))))
	}
	for _, c := range []struct{ condition, value string }{
		{"b.folio = ?", q.Folio}, {"b.token = ?", q.Token}, {"b.namesake = ?", q.Namesake},
		{"b.folio = (SELECT l.folio FROM birth_live l WHERE l.guard = ?)", q.Guard},
		{"b.born >= ?", q.From}, {"b.born < ?", q.Until}, {"b.folio > ?", q.After}, {"b.facility >= ?", q.Facility},
	} {
		if c.value != "" {
			add(c.condition, c.value)
		}
	}
	if q.Facility != "" { // capital letters and digits
		add("b.facility < ?", q.Facility+"~")
	}
	if len(q.States) > 0 {
		var any []string
		for _, s := range q.States {
			args = append(args, s)
			any = append(any, mark(len(args)))
		}
		where = append(where, "b.state IN ("+strings.Join(any, ", ")+")")
	}
	return strings.Join(where, " AND "), args
}

// FoliosTaken returns the error of a range of folios that meets another.
func FoliosTaken() error {
	return fhir.Errorf(fhir.Conflict, "some of these folios are in another range already")
}

// NoFolios returns the error of an establishment that has none left.
func NoFolios() error {
	return fhir.Errorf(fhir.NotFound, "there are no folios left for this establishment and year")
}
