package storetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
)

// The oracle: what a condition means is defined in fhir/search without a database.
// Random resources, changed and deleted at random, must be found by just the
// conditions that hold for them.

var oracleTests = map[string]func(*fixture){
	"random conditions": func(f *fixture) {
		for seed := range uint64(3) {
			o := &oracle{fixture: f, rand: rand.New(rand.NewPCG(seed, 1)), subjects: map[fhir.Ref]*search.Subject{}}
			for range 4 {
				o.change()
				for range 60 {
					o.ask()
				}
			}
			for ref := range o.subjects {
				f.apply(remove(ref.String()))
			}
		}
	},
}

// oracle knows what the store should hold.
type oracle struct {
	*fixture
	rand     *rand.Rand
	subjects map[fhir.Ref]*search.Subject
}

func (o *oracle) pick(of ...string) string { return of[o.rand.IntN(len(of))] }

var (
	oracleFamilies = []string{"Pérez", "Perea", "Pe", "López Pérez", "Ñuñez", "de la O", "O'Neil", "%_\\", "X", "uno dos", "dos"}
	oracleDates    = []string{"2020", "2020-02", "2020-02-29", "2020-02-29T23:59:59Z", "2020-02-29T23:00:00-06:00", "2021-01-01", "1999-12-31T23:59:59.999Z", "2020-03"}
	oracleValues   = []string{"1", "1.0", "1.05", "0.95", "2", "10", "-3", "1e1", "100", "99.5"}
	oracleUnits    = []string{"kg", "g", "cm"}
)

// resourceJSON makes a random resource of type typ.
func (o *oracle) resourceJSON(typ, id string) string {
	parts := []string{fmt.Sprintf(`{"resourceType":%q,"id":%q`, typ, id)}
	add := func(format string, args ...any) {
		if o.rand.IntN(4) > 0 {
			parts = append(parts, fmt.Sprintf(format, args...))
		}
	}
	patient := fmt.Sprintf("Patient/p%d", o.rand.IntN(6))
	switch typ {
	case "Patient":
		add(`"name":[{"family":%q,"given":[%q,%q]},{"family":%q}]`, o.pick(oracleFamilies...), o.pick(oracleFamilies...), o.pick("A", "B"), o.pick(oracleFamilies...))
		add(`"identifier":[{"system":%q,"value":%q},{"value":%q}]`, o.pick("urn:a", "urn:b"), o.pick("1", "2"), o.pick("1", "3"))
		add(`"birthDate":%q`, o.pick("2020", "2020-02", "2020-02-29", "1999-12-31"))
		add(`"gender":%q`, o.pick("male", "female"))
		add(`"active":%s`, o.pick("true", "false"))
		add(`"link":[{"other":{"reference":%q},"type":"seealso"}]`, patient)
	case "Observation":
		add(`"status":%q`, o.pick("final", "amended"))
		add(`"code":{"coding":[{"system":"http://loinc.org","code":%q}]}`, o.pick("a", "b"))
		add(`"subject":{"reference":%q}`, o.pick(patient, "http://elsewhere/fhir/Patient/p1", base+"/"+patient))
		add(`"effectiveDateTime":%q`, o.pick(oracleDates...))
		o.value(add)
		add(`"component":[{"code":{"coding":[{"code":"a"}]},"valueQuantity":{"value":%s,"unit":%q}},{"code":{"coding":[{"code":"b"}]},"valueQuantity":{"value":%s}}]`,
			o.pick(oracleValues...), o.pick(oracleUnits...), o.pick(oracleValues...))
	case "Encounter":
		add(`"period":{"start":%q}`, o.pick(oracleDates...))
		add(`"period":{"start":"1999","end":%q}`, o.pick(oracleDates...))
		add(`"subject":{"reference":%q}`, patient)
		add(`"length":{"value":%s,"unit":%q}`, o.pick(oracleValues...), o.pick(oracleUnits...))
	}
	return dropRepeats(strings.Join(parts, ",") + "}")
}

func (o *oracle) value(add func(string, ...any)) {
	switch o.rand.IntN(3) {
	case 0:
		add(`"valueQuantity":{"value":%s,"unit":%q,"system":"http://unitsofmeasure.org","code":%q}`,
			o.pick(oracleValues...), o.pick(oracleUnits...), o.pick(oracleUnits...))
	case 1:
		add(`"valueQuantity":{"value":%s,"comparator":%q,"unit":"kg"}`, o.pick(oracleValues...), o.pick("<", ">", "<=", ">="))
	default:
		add(`"valueCodeableConcept":{"coding":[{"code":%q}],"text":"x"}`, o.pick("a", "b"))
	}
}

// dropRepeats leaves out the second period of an Encounter.
func dropRepeats(json string) string {
	const period = `,"period":`
	first := strings.Index(json, period)
	second := strings.LastIndex(json, period)
	if first < 0 || first == second {
		return json
	}
	return json[:first] + json[second:]
}

// change creates, updates and deletes resources at random.
func (o *oracle) change() {
	for range 25 {
		typ := o.pick("Patient", "Observation", "Observation", "Encounter")
		at := fhir.Ref{Type: typ, ID: fmt.Sprintf("%c%d", strings.ToLower(typ)[0], o.rand.IntN(10))}
		if o.rand.IntN(5) == 0 {
			o.apply(remove(at.String()))
			delete(o.subjects, at)
			continue
		}
		c := resource(o, o.resourceJSON(typ, at.ID))
		content, err := c.Build(nil, at, nil)
		if err != nil {
			o.Fatal(err)
		}
		stored := o.apply(c)[0].Resource
		o.subjects[at] = &search.Subject{Ref: at, Updated: stored.Updated, Index: &content.Index}
	}
}

// condition returns a random condition on resources of type typ.
func (o *oracle) condition(typ string) search.Expr {
	switch o.rand.IntN(12) {
	case 0:
		return search.Not{X: o.condition(typ)}
	case 1:
		return search.Or{o.condition(typ), o.condition(typ)}
	case 2:
		return search.And{o.condition(typ), o.condition(typ)}
	}
	return query(o, typ+"?"+o.parameter(typ)).Where[0]
}

// parameter returns a random name=value of a search.
func (o *oracle) parameter(typ string) string {
	prefix := o.pick("", "", "eq", "ne", "gt", "lt", "ge", "le", "sa", "eb")
	family := strings.NewReplacer(`\`, `\\`, "%", "%25", "'", "%27").Replace(o.pick(oracleFamilies...))
	date := prefix + o.pick(oracleDates...)
	value := prefix + o.pick(oracleValues...) + o.pick("", "||kg", "||g", "|http://unitsofmeasure.org|kg")
	missing := ":missing=" + o.pick("true", "false")
	patient := o.pick("p0", "p1", "p2", "Patient/p3", "p4,p5", "nobody")
	common := []string{
		"_id=" + o.pick("p1", "o1,o2,o3", "e1,x"), "_lastUpdated=" + prefix + o.pick("2000", "2100"),
	}
	byType := map[string][]string{
		"Patient": {
			"family=" + family, "family:exact=" + family, "family:contains=" + o.pick("e", "re", "z", "%25", "_"), "name=" + family + ",x",
			"given" + missing, "identifier=" + o.pick("1", "urn:a|1", "urn:b|", "|1", "|3", "urn:a|2"), "identifier" + missing,
			"birthdate=" + date, "birthdate" + missing, "gender=" + o.pick("male", "female"), "gender:not=male", "active=" + o.pick("true", "false"),
			"link=" + patient, "link" + missing,
		},
		"Observation": {
			"status=final", "code=" + o.pick("a", "b", "http://loinc.org|a", "a,b"), "combo-code=" + o.pick("a", "b"), "code:not=a",
			"patient=" + patient, "subject=" + patient, "subject" + missing, "subject=http://elsewhere/fhir/Patient/p1", "date=" + date,
			"date" + missing, "value-quantity=" + value, "combo-value-quantity=" + value, "value-quantity" + missing, "value-concept=" + o.pick("a", "b"),
		},
		"Encounter": {"date=" + date, "patient=" + patient, "length=" + value, "date" + missing, "length" + missing},
	}
	return o.pick(append(byType[typ], common...)...)
}

// ask compares what the store finds with what should be found.
func (o *oracle) ask() {
	typ := o.pick("Patient", "Observation", "Encounter")
	q := query(o, typ+"?_count=1000")
	if sort := o.pick("", "_id", "-_lastUpdated", "date", "-date", "value-quantity", "family", "-family", "birthdate"); sort != "" {
		if params := strings.TrimPrefix(sort, "-"); strings.HasPrefix(params, "_") || sortable[typ+" "+params] {
			q = query(o, typ+"?_count=1000&_sort="+sort)
		}
	}
	for range 1 + o.rand.IntN(3) {
		q.Where = append(q.Where, o.condition(typ))
	}
	var want []string
	for ref, s := range o.subjects {
		if ref.Type != typ {
			continue
		}
		ok, err := search.Holds(search.And(q.Where), s)
		if err != nil {
			o.Fatal(err)
		}
		if ok {
			want = append(want, ref.ID)
		}
	}
	slices.Sort(want)
	q.Total = search.TotalAccurate
	result := o.search(q)
	if got := sortedIDs(result.Matches); got != strings.Join(want, " ") {
		o.Errorf("%s %s sorted by %v finds %q, want %v", typ, search.And(q.Where), q.Sort, got, want)
	}
	if result.Total != int64(len(want)) {
		o.Errorf("%s %s has total %d, want %d", typ, search.And(q.Where), result.Total, len(want))
	}
}

var sortable = map[string]bool{
	"Patient family": true, "Patient birthdate": true, "Observation date": true, "Observation value-quantity": true, "Encounter date": true,
}
