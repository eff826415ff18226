package view_test

import (
	"context"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/table"
	"github.com/amate-health/amate/fhir/view"
)

// FuzzView: whatever a view and a resource are, there is a row of as many cells as the view
// has columns, under names that need no quotes, or a fault that says where it is.
func FuzzView(f *testing.F) {
	column := func(path string) string {
		return `{"resource":"Patient","select":[{"column":[{"name":"a","path":"` + path + `"}]}]}`
	}
	for _, definition := range []string{
		string(wide), column("id"), column("name.given"), column("%resource.descendants().descendants()"), column("name.repeat($this)"), column("'a'.replaceMatches('(a+)+$', 'b')"),
		column(strings.Repeat("(", 500) + "1" + strings.Repeat(")", 500)), column("extension('x').value"), column("iif(true, 1)"), column("defineVariable('a', 1).select(%a)"),
		`{"resource":"Patient","select":[{"column":[{"name":"a\"; drop table b; --","path":"id"}]}]}`,
		`{"resource":"Patient","select":[{"forEach":"name","select":[{"forEachOrNull":"given","column":[{"name":"a","path":"$this"},{"name":"b","path":"%rowIndex"}]}]}]}`,
		`{"resource":"Patient","select":[{"repeat":["contact","descendants()"],"column":[{"name":"a","path":"id"}]}]}`,
		`{"resource":"Patient","select":[{"unionAll":[{"column":[{"name":"a","path":"id"}]},{"forEach":"name","column":[{"name":"a","path":"family"}]}]}]}`,
		`{"resource":"Patient","select":[` + strings.Repeat(`{"select":[`, 40) + strings.Repeat(`]}`, 40) + `]}`,
		`{"resource":"Patient","constant":[{"name":"c","valueDate":"2020"}],"where":[{"path":"birthDate < %c"}],"select":[{"column":[{"name":"a","path":"%c","collection":true}]}]}`,
		`{"resource":"Patient","select":{}}`, `{"resource":"Patient","select":[null]}`, `[]`, `{"select":[{"column":[7]}]}`,
	} {
		f.Add([]byte(definition), []byte(ana))
		f.Add([]byte(definition), []byte(`{"resourceType":"Patient","name":"x","id":{"a":[]},"contact":[[[]]],"_id":7,"extension":null}`))
	}
	f.Fuzz(func(t *testing.T, definition, resource []byte) {
		d, err := element.Parse(definition)
		if err != nil {
			return
		}
		view.Check(d, 0, "ViewDefinition")
		v, err := view.Compile(d, 0)
		if err != nil {
			if e, ok := err.(*fhir.Error); !ok || e.Code != fhir.Unprocessable || !strings.HasPrefix(e.Expression, "ViewDefinition") {
				t.Fatalf("the fault is %#v", err)
			}
			return
		}
		for _, c := range v.Columns {
			if strings.Trim(strings.ToLower(c.Name), "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
				t.Fatalf("a column is called %q", c.Name)
			}
		}
		r, err := element.Parse(resource)
		if err != nil {
			return
		}
		rows := 0
		err = v.Each(context.Background(), r, 0, func(row []table.Cell) error {
			if rows++; len(row) != len(v.Columns) {
				t.Fatalf("a row has %d cells of %d columns", len(row), len(v.Columns))
			}
			if line := table.AppendRow(nil, v.Columns, row); rows < 10 {
				if _, err := element.Parse(line); err != nil {
					t.Fatalf("a row is no JSON: %v\n%s", err, line)
				}
			}
			return nil
		})
		if e, ok := err.(*fhir.Error); err != nil && (!ok || e.Code != fhir.Unprocessable) {
			t.Fatalf("the fault is %#v", err)
		}
	})
}
