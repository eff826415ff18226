package analytics_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
)

// TestWideRow: many long values beside each other are refused before they take much memory
// here, and rows of many columns are not.
func TestWideRow(t *testing.T) {
	const long = `WITH RECURSIVE r AS (SELECT 1 AS n, CAST('xxxxxxxx' AS text) AS x UNION ALL SELECT n + 1, x || x FROM r WHERE n < 15) SELECT x FROM r WHERE n = 15`
	wide := func(columns int, from string) string {
		var all []string
		for i := range columns {
			all = append(all, fmt.Sprintf("x AS x%d", i))
		}
		return `SELECT ` + strings.Join(all, ", ") + ` FROM (` + from + `) AS q`
	}
	each(t, time.Minute, func(t *testing.T, e *engine) {
		for name, tt := range map[string]struct {
			sql string
			ok  bool
		}{
			"one long value":             {wide(1, long), true},
			"many columns of long value": {wide(200, long), false},
			"too many columns":           {wide(1500, `SELECT 1 AS x`), false},
			"many short columns":         {wide(200, `SELECT 'x' AS x`), true},
		} {
			got, _, err := ask(t.Context(), e.runner, tt.sql, 10, nil)
			if code := fhir.CodeOf(err); tt.ok != (err == nil) || !tt.ok && code != fhir.TooCostly && code != fhir.Unprocessable {
				t.Errorf("%s: %d bytes, %v", name, len(got), err)
			}
		}
	})
}
