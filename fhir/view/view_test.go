package view_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/table"
	"github.com/amate-health/amate/fhir/view"
)

const ana = `{"resourceType":"Patient","id":"a","active":true,"birthDate":"1990-05-01","multipleBirthInteger":2,
"name":[{"use":"official","family":"Ñúñez","given":["Ana","Luz"]},{"use":"usual","given":["Anita"]}],
"contact":[{"name":{"family":"Ek"},"telecom":[{"system":"phone","value":"1"},{"system":"email","value":"2"}]}],
"managingOrganization":{"reference":"http://h/fhir/Organization/o/_history/2"}}`

// rowsOf writes the rows of a view over Ana, one a line.
func rowsOf(t *testing.T, selects string) (string, error) {
	t.Helper()
	v, rows, err := run([]byte(`{"resource":"Patient",`+selects+`}`), [][]byte{[]byte(ana), []byte(`{"resourceType":"Group","id":"g"}`)})
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, row := range rows {
		for i, c := range v.Columns {
			if i > 0 {
				b.WriteByte('|')
			}
			if row[c.Name] != nil {
				b.WriteString(strings.Trim(fmt.Sprint(row[c.Name]), "[]"))
			}
		}
		b.WriteByte('\n')
	}
	return b.String(), nil
}

func TestRows(t *testing.T) {
	for name, c := range map[string]struct{ selects, want string }{
		"columns": {`"select":[{"column":[{"name":"id","path":"id"},{"name":"n","path":"multipleBirth"},{"name":"b","path":"birthDate"}]}]`, "a|2|1990-05-01\n"},
		"one within the other": {`"select":[{"forEach":"contact","column":[{"name":"family","path":"name.family"}],"select":[{"forEach":"telecom","column":[{"name":"v","path":"value"},{"name":"i","path":"%rowIndex"}]}]}]`,
			"Ek|1|0\nEk|2|1\n"},
		"side by side": {`"select":[{"forEach":"name","column":[{"name":"use","path":"use"}]},{"forEach":"contact.telecom","column":[{"name":"v","path":"value"}]}]`,
			"official|1\nofficial|2\nusual|1\nusual|2\n"},
		"nothing to go through":  {`"select":[{"column":[{"name":"id","path":"id"}]},{"forEach":"photo","column":[{"name":"t","path":"title"}]}]`, ""},
		"or null":                {`"select":[{"column":[{"name":"id","path":"id"}]},{"forEachOrNull":"photo","column":[{"name":"t","path":"title"}]}]`, "a|\n"},
		"or null, itself":        {`"select":[{"forEach":"name","column":[{"name":"use","path":"use"}],"select":[{"forEachOrNull":"prefix","column":[{"name":"p","path":"$this"},{"name":"e","path":"$this.exists()"}]}]}]`, "official||false\nusual||false\n"},
		"union":                  {`"select":[{"unionAll":[{"forEach":"name","column":[{"name":"v","path":"use"}]},{"column":[{"name":"v","path":"%c"}]}]}],"constant":[{"name":"c","valueString":"x"}]`, "official\nusual\nx\n"},
		"a list":                 {`"select":[{"column":[{"name":"g","path":"name.given","collection":true}]}]`, "Ana Luz Anita\n"},
		"where":                  {`"select":[{"column":[{"name":"id","path":"id"}]}],"where":[{"path":"birthDate > %d"},{"path":"active"}],"constant":[{"name":"d","valueDate":"1990-01-01"}]`, "a\n"},
		"where not":              {`"select":[{"column":[{"name":"id","path":"id"}]}],"where":[{"path":"name.exists(use = 'old')"}]`, ""},
		"where nothing":          {`"select":[{"column":[{"name":"id","path":"id"}]}],"where":[{"path":"deceased.ofType(boolean)"}]`, ""},
		"keys":                   {`"select":[{"column":[{"name":"k","path":"getResourceKey()"},{"name":"o","path":"managingOrganization.getReferenceKey(Organization)"},{"name":"p","path":"managingOrganization.getReferenceKey(Patient)"},{"name":"q","path":"managingOrganization.getReferenceKey('Organization')"}]}]`, "Patient/a|Organization/o||Organization/o\n"},
		"what repeats":           {`"select":[{"repeat":["contact","telecom"],"column":[{"name":"v","path":"value.first()"}]}]`, "\n1\n2\n"},
		"a type as a URL":        {`"select":[{"column":[{"name":"id","path":"id","type":"http://hl7.org/fhirpath/System.String"}]}]`, "a\n"},
		"expressions of nothing": {`"select":[{"column":[{"name":"one","path":"1"},{"name":"e","path":"{}"}]}]`, "1|\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := rowsOf(t, c.selects)
			if err != nil || got != c.want {
				t.Errorf("%v\n%swant\n%s", err, got, c.want)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	deep := strings.Repeat(`{"select":[`, 30) + `{"column":[{"name":"id","path":"id"}]}` + strings.Repeat(`]}`, 30)
	for name, c := range map[string]struct{ selects, at string }{
		"no select":             {`"status":"active"`, "ViewDefinition.select"},
		"no columns":            {`"select":[{}]`, "ViewDefinition.select[0]"},
		"an element of others":  {`"select":[{"column":[{"name":"id","path":"nmae.family"}]}]`, "ViewDefinition.select[0].column[0].path"},
		"no FHIRPath":           {`"select":[{"column":[{"name":"id","path":"name..family"}]}]`, "ViewDefinition.select[0].column[0].path"},
		"no path":               {`"select":[{"column":[{"name":"id"}]}]`, "ViewDefinition.select[0].column[0].path"},
		"SQL in a name":         {`"select":[{"column":[{"name":"id\"; drop table x; --","path":"id"}]}]`, "ViewDefinition.select[0].column[0].name"},
		"SQL in the view":       {`"name":"x; drop table y","select":[{"column":[{"name":"id","path":"id"}]}]`, "ViewDefinition.name"},
		"a name twice":          {`"select":[{"column":[{"name":"id","path":"id"}]},{"column":[{"name":"ID","path":"id"}]}]`, "ViewDefinition.select"},
		"two ways":              {`"select":[{"forEach":"name","forEachOrNull":"name","column":[{"name":"id","path":"use"}]}]`, "ViewDefinition.select[0]"},
		"a union that differs":  {`"select":[{"unionAll":[{"column":[{"name":"a","path":"id"}]},{"column":[{"name":"b","path":"id"}]}]}]`, "ViewDefinition.select[0].unionAll[1]"},
		"selects without end":   {`"select":[` + deep + `]`, ""},
		"repeat of nothing":     {`"select":[{"repeat":[],"column":[{"name":"id","path":"id"}]}]`, "ViewDefinition.select[0].repeat"},
		"repeat that turns":     {`"select":[{"repeat":["$this"],"column":[{"name":"id","path":"id"}]}]`, "ViewDefinition.select[0].repeat[0]"},
		"several values":        {`"select":[{"column":[{"name":"id","path":"name.given"}]}]`, "ViewDefinition.select.column.where(name='id').path"},
		"no primitive":          {`"select":[{"column":[{"name":"id","path":"name.first()"}]}]`, "ViewDefinition.select.column.where(name='id').path"},
		"where of a text":       {`"select":[{"column":[{"name":"id","path":"id"}]}],"where":[{"path":"name.family"}]`, "ViewDefinition.where[0].path"},
		"a constant twice":      {`"select":[{"column":[{"name":"id","path":"id"}]}],"constant":[{"name":"a","valueCode":"x"},{"name":"a","valueCode":"y"}]`, "ViewDefinition.constant[1].name"},
		"a constant of no date": {`"select":[{"column":[{"name":"id","path":"id"}]}],"constant":[{"name":"a","valueDate":"yesterday"}]`, "ViewDefinition.constant[0].valueDate"},
		"a constant of nothing": {`"select":[{"column":[{"name":"id","path":"id"}]}],"constant":[{"name":"a"}]`, "ViewDefinition.constant[0]"},
		"a constant unknown":    {`"select":[{"column":[{"name":"id","path":"%nobody"}]}]`, "ViewDefinition.select[0].column[0].path"},
		"a path within forEach": {`"select":[{"forEach":"contact","column":[{"name":"id","path":"nmae.family"}]}]`, "ViewDefinition.select[0].column[0].path"},
		"repeat of the whole":   {`"select":[{"repeat":["contact","%resource.contact"],"column":[{"name":"id","path":"id"}]}]`, "ViewDefinition.select[0].repeat[1]"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := rowsOf(t, c.selects)
			e, _ := err.(*fhir.Error)
			if e == nil || e.Code != fhir.Unprocessable || c.at != "" && e.Expression != c.at {
				t.Errorf("%+v %v\n%s", e, err, got)
			}
		})
	}
	for _, typ := range []string{"", "Patinet", "HumanName"} {
		if _, _, err := run([]byte(`{"resource":"`+typ+`","select":[{"column":[{"name":"id","path":"id"}]}]}`), nil); fhir.CodeOf(err) != fhir.Unprocessable {
			t.Errorf("of %q: %v", typ, err)
		}
	}
}

// A resource that a view does not fit is told by the column and the rule, never by what it has there.
func TestUnfitTellsNoValue(t *testing.T) {
	patient := []byte(`{"resourceType":"Patient","name":[{"family":"(Secreta","given":["Secreta","Oculta"]}],"birthDate":"1999-09-09"}`)
	for path, rule := range map[string]string{
		"name.given":                           "it leads to several values, and the column is no collection",
		"name":                                 "it leads to an element that is no primitive",
		"name.given.single()":                  "single() found 2 items",
		"'x'.matches(name.family)":             "this is no regular expression that is understood here",
		"'x'.matches('x', name.family)":        "the flags of a regular expression are i and m",
		"birthDate + name.family":              "only a duration can be added to a date",
		"name.given.first() * 2":               "an operator does not fit the types of its operands",
		"select(defineVariable('resource',1))": "a variable is defined by the environment",
	} {
		definition := `{"resource":"Patient","select":[{"column":[{"name":"id","path":"id"},{"name":"odd","path":"` + path + `"}]}]}`
		_, _, err := run([]byte(definition), [][]byte{patient})
		e, _ := err.(*fhir.Error)
		if e == nil || e.Code != fhir.Unprocessable || e.Expression != "ViewDefinition.select.column.where(name='odd').path" || e.Diagnostics != rule {
			t.Errorf("%s: %+v", path, err)
			continue
		}
		if said := fmt.Sprintf("%+v %v", *e, e); strings.Contains(said, "Secreta") || strings.Contains(said, "1999") {
			t.Errorf("%s: %s", path, said)
		}
	}
}

// A row must not grow without bound, whatever a view asks for.
func TestManyRows(t *testing.T) {
	var names []string
	for i := range 400 {
		names = append(names, fmt.Sprintf(`{"family":"f%d"}`, i))
	}
	patient := `{"resourceType":"Patient","name":[` + strings.Join(names, ",") + `]}`
	one := func(n int) string {
		return fmt.Sprintf(`{"forEach":"name","column":[{"name":"c%d","path":"family"}]}`, n)
	}
	_, _, err := run([]byte(`{"resource":"Patient","select":[`+one(1)+`,`+one(2)+`,`+one(3)+`]}`), [][]byte{[]byte(patient)})
	if fhir.CodeOf(err) != fhir.Unprocessable {
		t.Errorf("64 million rows: %v", err)
	}
}

// wide is a view of fifteen columns.
var wide = func() []byte {
	paths := []string{"id", "status", "code.coding.first().system", "code.coding.first().code", "code.coding.first().display", "code.text", "subject.getReferenceKey(Patient)",
		"encounter.getReferenceKey(Encounter)", "effective.ofType(dateTime)", "issued", "value.ofType(Quantity).value", "value.ofType(Quantity).unit", "value.ofType(Quantity).code",
		"category.coding.first().code", "meta.lastUpdated"}
	var columns []map[string]string
	for i, p := range paths {
		columns = append(columns, map[string]string{"name": fmt.Sprint("c", i), "path": p})
	}
	b, err := json.Marshal(map[string]any{"resource": "Observation", "select": []any{map[string]any{"column": columns}}})
	if err != nil {
		panic(err)
	}
	return b
}()

const observation = `{"resourceType":"Observation","id":"o1","meta":{"versionId":"1","lastUpdated":"2026-01-01T00:00:00.000Z"},"status":"final",
"category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs","display":"Vital Signs"}]}],
"code":{"coding":[{"system":"http://loinc.org","code":"8302-2","display":"Body Height"}],"text":"Body Height"},"subject":{"reference":"Patient/p1"},"encounter":{"reference":"Encounter/e1"},
"effectiveDateTime":"2025-03-01T10:00:00-06:00","issued":"2025-03-01T10:00:00.000-06:00","valueQuantity":{"value":171.50,"unit":"cm","system":"http://unitsofmeasure.org","code":"cm"}}`

// BenchmarkEach flattens Observations to 15 columns, from their JSON to NDJSON.
func BenchmarkEach(b *testing.B) {
	d, err := element.Parse(wide)
	if err != nil {
		b.Fatal(err)
	}
	v, err := view.Compile(d, 0)
	if err != nil {
		b.Fatal(err)
	}
	source := []byte(observation)
	doc := new(element.Doc)
	var out []byte
	b.ReportAllocs()
	b.SetBytes(int64(len(source)))
	for b.Loop() {
		if err := doc.Parse(source, element.Limits{}); err != nil {
			b.Fatal(err)
		}
		out = out[:0]
		if err := v.Each(context.Background(), doc, 0, func(row []table.Cell) error {
			out = table.AppendRow(out, v.Columns, row)
			return nil
		}); err != nil {
			b.Fatal(err)
		}
	}
	if !strings.Contains(string(out), `"c10":171.50,`) {
		b.Fatalf("%s", out)
	}
}
