package analysis

import (
	"context"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/table"
	"github.com/amate-health/amate/fhir/view"
)

// TestViewsCompile: each view is one that the server takes, with what people need of it.
func TestViewsCompile(t *testing.T) {
	if len(Views()) != 9 {
		t.Errorf("%d views", len(Views()))
	}
	for _, v := range Views() {
		d, err := element.Parse(v.Definition)
		if err != nil {
			t.Fatalf("%s: %v", v.Name, err)
		}
		c, err := view.Compile(d, 0)
		if err != nil {
			t.Fatalf("%s: %v", v.Name, err)
		}
		if c.Name != v.Name || d.TextAt(0, "id") != v.ID || d.TextAt(0, "url") != v.URL {
			t.Errorf("%s goes by %s, %s, %s", v.Name, c.Name, d.TextAt(0, "id"), d.TextAt(0, "url"))
		}
		for _, column := range c.Columns {
			if column.Description == "" || column.Type == "" {
				t.Errorf("%s.%s has no type or description", v.Name, column.Name)
			}
		}
		if len(v.Spanish) < 80 || len(v.English) < 80 || len(v.Queries) == 0 {
			t.Errorf("%s is without documentation or a query", v.Name)
		}
		for _, q := range v.Queries {
			if !strings.HasPrefix(q.Spanish, "¿") || !strings.HasSuffix(q.English, "?") || !strings.HasPrefix(q.SQL, "SELECT") || !strings.Contains(q.SQL, v.Name) {
				t.Errorf("%s, %s: %q %q", v.Name, q.Name, q.Spanish, q.English)
			}
		}
		if by, ok := LookupView(v.URL); !ok || by.ID != v.ID {
			t.Errorf("%s is not found by its URL", v.Name)
		}
	}
}

// rowsOf returns the rows that a shipped view makes of resources, by column.
func rowsOf(t testing.TB, name string, resources ...[]byte) (all []map[string]string) {
	t.Helper()
	v, ok := LookupView(name)
	if !ok {
		t.Fatal(name)
	}
	d, err := element.Parse(v.Definition)
	if err != nil {
		t.Fatal(err)
	}
	c, err := view.Compile(d, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range resources {
		d, err := element.Parse(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Each(context.Background(), d, 0, func(row []table.Cell) error {
			line := map[string]string{}
			for i := range row {
				if row[i].Kind != table.Null {
					line[c.Columns[i].Name] = row[i].Text
				}
			}
			all = append(all, line)
			return nil
		}); err != nil {
			t.Fatalf("%s of %s: %v", name, r, err)
		}
	}
	return all
}
