package search_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/amate-health/amate/fhir/search"
)

// TestComposites is R4 search.html#combining: both parts must hold for one component.
func TestComposites(t *testing.T) {
	const pressure = `{"resourceType":"Observation","code":{"coding":[{"system":"http://loinc.org","code":"85354-9"}]},"component":[
	  {"code":{"coding":[{"system":"http://loinc.org","code":"8480-6"}]},"valueQuantity":{"value":150,"system":"http://unitsofmeasure.org","code":"mm[Hg]"}},
	  {"code":{"coding":[{"code":"8462-4"}]},"valueQuantity":{"value":60,"unit":"mmHg"}},
	  {"code":{"coding":[{"system":"urn:a","code":"x"}]},"valueCodeableConcept":{"coding":[{"system":"urn:b","code":"y"}]}}]}`
	const q = "Observation?component-code-value-quantity="
	for _, c := range []cases{
		{pressure,
			[]string{q + "8480-6$150", q + "http://loinc.org|8480-6$gt140", q + "8480-6$150|http://unitsofmeasure.org|mm[Hg]", q + "8462-4$lt90", q + "|8462-4$60||mmHg",
				q + "x$1,8480-6$gt140", "Observation?component-code-value-quantity:missing=false", "Observation?combo-code-value-quantity=8480-6$gt140", "Observation?combo-code-value-quantity:missing=false",
				"Observation?component-code-value-concept=x$y", "Observation?component-code-value-concept=urn:a|x$urn:b|y", "Observation?component-code-value-concept=x$urn:b|", "Observation?component-code-value-concept:missing=false",
				"Observation?combo-code-value-concept=urn:a|x$y", "Observation?code-value-quantity:missing=true"},
			[]string{q + "8480-6$60", q + "8480-6$lt90", q + "8462-4$gt140", q + "|8480-6$150", q + "http://loinc.org|8462-4$60", q + "urn:x|8480-6$150", q + "85354-9$150", q + "8480-6$150||mmHg",
				"Observation?component-code-value-quantity:missing=true", "Observation?code-value-quantity=8480-6$150", "Observation?component-value-quantity=100",
				"Observation?component-code-value-concept=y$x", "Observation?component-code-value-concept=urn:b|x$y", "Observation?component-code-value-concept=x$urn:a|y", "Observation?component-code-value-concept=8480-6$y",
				"Observation?component-code-value-concept=|x$y", "Observation?code-value-concept=x$y"}},
		{`{"resourceType":"Observation","code":{"coding":[{"code":"c"}]},"valueDateTime":"2020-05-06T10:00:00Z"}`,
			[]string{"Observation?code-value-date=c$2020-05-06", "Observation?code-value-date=c$ge2020"}, []string{"Observation?code-value-date=d$2020-05-06", "Observation?code-value-date=c$2021"}},
		{`{"resourceType":"Observation","code":{"coding":[{"code":"c"}]},"valuePeriod":{"start":"2020","end":"2021"}}`, []string{"Observation?code-value-date=c$gt2020"}, []string{"Observation?code-value-date=c$2020"}},
		{`{"resourceType":"Observation","code":{"coding":[{"code":"c"}]},"valueString":"Tos Seca, $5"}`,
			[]string{"Observation?code-value-string=c$tos", `Observation?code-value-string=c$tos seca\, \$5`}, []string{"Observation?code-value-string=c$seca", "Observation?code-value-string=d$tos"}},
		{`{"resourceType":"Group","characteristic":[{"code":{"coding":[{"code":"gender"}]},"valueCodeableConcept":{"coding":[{"code":"mixed"}]}},{"code":{"coding":[{"code":"owner"}]},"valueBoolean":true}]}`,
			[]string{"Group?characteristic-value=gender$mixed", "Group?characteristic-value=owner$true"}, []string{"Group?characteristic-value=owner$mixed", "Group?characteristic-value=gender$true"}},
		{`{"resourceType":"DocumentReference","relatesTo":[{"code":"replaces","target":{"reference":"DocumentReference/1"}},{"code":"appends","target":{"reference":"DocumentReference/2"}}]}`,
			[]string{"DocumentReference?relationship=replaces$DocumentReference/1", "DocumentReference?relationship=replaces$1", "DocumentReference?relationship=replaces$" + base + "/DocumentReference/1", "DocumentReference?relationship=http://hl7.org/fhir/document-relationship-type|appends$2"},
			[]string{"DocumentReference?relationship=replaces$2", "DocumentReference?relationship=appends$DocumentReference/1"}},
		{`{"resourceType":"ValueSet","useContext":[{"code":{"system":"urn:u","code":"age"},"valueQuantity":{"value":5,"unit":"a"}},{"code":{"code":"focus"},"valueCodeableConcept":{"coding":[{"code":"z"}]}},{"code":{"code":"age"},"valueRange":{"low":{"value":10},"high":{"value":20}}}]}`,
			[]string{"ValueSet?context-type-quantity=age$5", "ValueSet?context-type-quantity=urn:u|age$lt6", "ValueSet?context-type-value=focus$z", "ValueSet?context-type-quantity=|age$gt19"},
			[]string{"ValueSet?context-type-quantity=focus$5", "ValueSet?context-type-value=age$z", "ValueSet?context-type-quantity=urn:u|age$gt19"}},
		{`{"resourceType":"Observation","code":{"coding":[{"code":"c"},{"system":"s","code":"d"}]},"valueCodeableConcept":{"coding":[{"code":"v"},{"system":"t","code":"w"}]}}`,
			[]string{"Observation?code-value-concept=c$v", "Observation?code-value-concept=c$w", "Observation?code-value-concept=s|d$t|w", "Observation?combo-code-value-concept=d$v"}, []string{"Observation?code-value-concept=v$c"}},
	} {
		c.run(t)
	}
}

// TestCompositesAgree compares random observations and questions with what they mean.
func TestCompositesAgree(t *testing.T) {
	codes, systems := []string{"a", "b", "c"}, []string{"", "urn:1", "urn:2"}
	prefixes := []string{"", "gt", "lt", "ge", "le", "ne"}
	rapid.Check(t, func(t *rapid.T) {
		type component struct {
			system, code string
			value        int
		}
		var all []component
		var parts []string
		for range rapid.IntRange(0, 4).Draw(t, "components") {
			c := component{rapid.SampledFrom(systems).Draw(t, "system"), rapid.SampledFrom(codes).Draw(t, "code"), rapid.IntRange(0, 5).Draw(t, "value")}
			all = append(all, c)
			system := ""
			if c.system != "" {
				system = `"system":"` + c.system + `",`
			}
			parts = append(parts, fmt.Sprintf(`{"code":{"coding":[{%s"code":%q}]},"valueQuantity":{"value":%d}}`, system, c.code, c.value))
		}
		resource := `{"resourceType":"Observation","component":[` + strings.Join(parts, ",") + `]}`
		if len(parts) == 0 {
			resource = `{"resourceType":"Observation"}`
		}
		code, system, withSystem := rapid.SampledFrom(codes).Draw(t, "asked code"), rapid.SampledFrom(systems).Draw(t, "asked system"), rapid.Bool().Draw(t, "with system")
		prefix, value := rapid.SampledFrom(prefixes).Draw(t, "prefix"), rapid.IntRange(0, 5).Draw(t, "asked value")
		want := slices.ContainsFunc(all, func(c component) bool {
			if c.code != code || withSystem && c.system != system {
				return false
			}
			switch prefix {
			case "gt":
				return c.value > value
			case "lt":
				return c.value < value
			case "ge":
				return c.value >= value
			case "le":
				return c.value <= value
			case "ne":
				return c.value != value
			}
			return c.value == value
		})
		first := code
		if withSystem {
			first = system + "|" + code
		}
		query := fmt.Sprintf("Observation?component-code-value-quantity=%s$%s%d", first, prefix, value)
		if got := heldBy(t, resource, query); got != want {
			t.Fatalf("%s finds %s: %t", query, resource, got)
		}
	})
}

// heldBy is found for a property test.
func heldBy(t *rapid.T, resource, text string) bool {
	d, err := parseDoc(resource)
	if err != nil {
		t.Fatal(err)
	}
	ix, err := search.Indexing{Base: base, FullText: true}.Extract(d, 0)
	if err != nil {
		t.Fatal(err)
	}
	typ, params := splitQuery(text)
	q, err := search.Parse(typ, params, search.Options{Base: base, Now: now})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	ok, err := search.Holds(search.And(q.Where), &search.Subject{Index: &ix, Updated: now})
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

// TestNear is location.html#positional: great-circle distances from Mexico City.
func TestNear(t *testing.T) {
	const zocalo = `{"resourceType":"Location","position":{"longitude":-99.1332,"latitude":19.4326}}`
	for _, c := range []cases{
		{zocalo, []string{"Location?near=19.4326|-99.1332", "Location?near=19.4326|-99.1332|0", "Location?near=19.4326|-99.1332|1|m", "Location?near=19.5|-99.13",
			"Location?near=19.4326|-99.0|14.1|km", "Location?near=19.4326|-99.0|14100|m", "Location?near=19.4326|-99.0|8.8|mi", "Location?near=19.4326|-99.0|8.8|[mi_i]", "Location?near=19.4326|-99.0|14.1",
			"Location?near=20.6597|-103.3496|470|km", "Location?near=0|0|1,19.4|-99.1|10", "Location?near:missing=false", "Location?near=19.4326|-99.1332||m"},
			[]string{"Location?near=19.4326|-99.0|13.8|km", "Location?near=19.4326|-99.0|8.5|mi", "Location?near=20.6597|-103.3496|455|km", "Location?near=-19.4326|99.1332|100|km", "Location?near=19.6|-99.13", "Location?near:missing=true"}},
		{`{"resourceType":"Location","position":{"longitude":179.9,"latitude":0}}`, []string{"Location?near=0|-179.9|23|km"}, []string{"Location?near=0|-179.9|22|km"}},
		{`{"resourceType":"Location","position":{"longitude":0,"latitude":90}}`, []string{"Location?near=90|120|1|m"}, nil},
		{`{"resourceType":"Location","position":{"longitude":0}}`, []string{"Location?near:missing=true"}, []string{"Location?near=0|0|40000|km"}},
		{`{"resourceType":"Location","name":"x"}`, []string{"Location?near:missing=true"}, []string{"Location?near=0|0|40000|km"}},
	} {
		c.run(t)
	}
}

// TestDistance: distances are symmetric, at most half way round, and agree with the
// spherical law of cosines where that is exact enough.
func TestDistance(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lat, lon := rapid.Float64Range(-90, 90), rapid.Float64Range(-180, 180)
		a, b, c, d := lat.Draw(t, "lat"), lon.Draw(t, "lon"), lat.Draw(t, "lat"), lon.Draw(t, "lon")
		got := search.Distance(a, b, c, d)
		if back := search.Distance(c, d, a, b); math.Abs(got-back) > 1e-6 {
			t.Fatalf("%g there, %g back", got, back)
		}
		const r = math.Pi / 180
		cosine := math.Sin(a*r)*math.Sin(c*r) + math.Cos(a*r)*math.Cos(c*r)*math.Cos((d-b)*r)
		want := search.EarthRadius * math.Acos(max(-1, min(1, cosine)))
		if got > math.Pi*search.EarthRadius+1 || got > 10_000 && math.Abs(got-want) > 1 {
			t.Fatalf("%g, want %g", got, want)
		}
	})
}
