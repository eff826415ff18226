package sqlite

import "testing"

func TestWithLimits(t *testing.T) {
	args := []any{int64(7), "x", int64(20)}
	for sql, want := range map[string]string{
		"SELECT 1 WHERE a = ?1":                           "SELECT 1 WHERE a = ?1",
		"SELECT 1 WHERE a = ?1 LIMIT ?3":                  "SELECT 1 WHERE a = ?1 LIMIT 20",
		"SELECT (SELECT 2 LIMIT ?1) WHERE b = ?2 LIMIT 5": "SELECT (SELECT 2 LIMIT 7) WHERE b = ?2 LIMIT 5",
		"SELECT 1 LIMIT ?2":                               "SELECT 1 LIMIT ?2", // no number
		"SELECT 1 LIMIT ?":                                "SELECT 1 LIMIT ?",
		"SELECT 1 LIMIT ?12)":                             "SELECT 1 LIMIT ?12)",
	} {
		if got := withLimits(sql, args); got != want {
			t.Errorf("%q becomes %q, want %q", sql, got, want)
		}
	}
}
