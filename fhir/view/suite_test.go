package view_test

import (
	"context"
	"encoding/json"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/samples"
	"github.com/amate-health/amate/fhir/table"
	"github.com/amate-health/amate/fhir/view"
)

// suite is a file of the official test cases.
type suite struct {
	Title     string
	Resources []json.RawMessage
	Tests     []struct {
		Title         string
		Tags          []string
		View          json.RawMessage
		Expect        []map[string]any
		ExpectCount   *int
		ExpectError   bool
		ExpectColumns []string
	}
}

// run returns the rows of a view over resources.
func run(definition []byte, resources [][]byte) (*view.View, []map[string]any, error) {
	d, err := element.Parse(definition)
	if err != nil {
		return nil, nil, err
	}
	v, err := view.Compile(d, 0)
	if err != nil {
		return nil, nil, err
	}
	rows := []map[string]any{}
	for _, r := range resources {
		d, err := element.Parse(r)
		if err != nil {
			return nil, nil, err
		}
		err = v.Each(context.Background(), d, 0, func(row []table.Cell) error {
			var one map[string]any
			if err := json.Unmarshal(table.AppendRow(nil, v.Columns, row), &one); err != nil {
				return err
			}
			rows = append(rows, one)
			return nil
		})
		if err != nil {
			return v, nil, err
		}
	}
	return v, rows, nil
}

// TestSuite runs the official test cases of SQL on FHIR.
func TestSuite(t *testing.T) {
	files := samples.Files(t, "sql-on-fhir", "tests", "*.json")
	passed, all := 0, 0
	for _, file := range files {
		var s suite
		if err := json.Unmarshal(samples.Read(t, file), &s); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		var resources [][]byte
		for _, r := range s.Resources {
			resources = append(resources, r)
		}
		for _, c := range s.Tests {
			all++
			t.Run(filepath.Base(file)+"/"+c.Title, func(t *testing.T) {
				v, rows, err := run(c.View, resources)
				switch {
				case c.ExpectError:
					if err == nil {
						t.Fatalf("there is no error, but %v", rows)
					}
				case err != nil:
					t.Fatal(err)
				case c.ExpectCount != nil:
					if len(rows) != *c.ExpectCount {
						t.Fatalf("%d rows, want %d", len(rows), *c.ExpectCount)
					}
				case !sameRows(rows, c.Expect):
					t.Fatalf("the rows are\n%v\nwant\n%v", rows, c.Expect)
				}
				for i, name := range c.ExpectColumns {
					if len(v.Columns) != len(c.ExpectColumns) || v.Columns[i].Name != name {
						t.Fatalf("the columns are %v, want %v", v.Columns, c.ExpectColumns)
					}
				}
				passed++
			})
		}
	}
	t.Logf("%d of %d cases passed", passed, all)
}

// sameRows compares rows, in any order.
func sameRows(got, want []map[string]any) bool {
	if len(got) != len(want) {
		return false
	}
	used := make([]bool, len(got))
	for _, w := range want {
		found := false
		for i, g := range got {
			if !used[i] && reflect.DeepEqual(g, w) {
				used[i], found = true, true
				break
			}
		}
		if !found {
			return false
		}
	}
	return true
}
