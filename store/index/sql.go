package index

import (
	"strconv"
	"strings"
)

// Dialect is an engine's SQL.
type Dialect uint8

// The dialects.
const (
	Postgres Dialect = 1 + iota
	SQLite
)

// SQL is a statement in the making: its text, and its arguments in the order of
// their placeholders. Arguments are int64, float64, string, []int64 or []string.
type SQL struct {
	Dialect Dialect
	Plain   bool // without fences: for a planner to guess at, not to be run
	Args    []any
	text    strings.Builder
}

// String returns the text so far.
func (s *SQL) String() string { return s.text.String() }

// Add appends text as it is. Nothing from a request may be in it.
func (s *SQL) Add(parts ...string) *SQL {
	for _, p := range parts {
		s.text.WriteString(p)
	}
	return s
}

// Arg binds a value and appends its placeholder.
func (s *SQL) Arg(v any) *SQL {
	s.Args = append(s.Args, v)
	n := strconv.Itoa(len(s.Args))
	if s.Dialect == SQLite {
		return s.Add("?", n)
	}
	return s.Add("$", n, "::", postgresType(v))
}

// Fence keeps PostgreSQL from joining the subquery, that ends here, in an order of
// its own: it is then carried out as written, once for each row outside of it that it
// depends on. SQLite does so anyway where it is told by CROSS JOIN.
func (s *SQL) Fence() *SQL {
	if s.Dialect == Postgres && !s.Plain {
		return s.Add(" OFFSET 0")
	}
	return s
}

// Join appends a join with those rows of a table that on names, looked up for each row
// that stands before. columns are those of alias that are needed.
func (s *SQL) Join(columns, table, alias string, on func()) {
	if s.Dialect == Postgres {
		s.Add(" CROSS JOIN LATERAL (SELECT ", columns, " FROM ", table, " ", alias, " WHERE ")
		on()
		s.Fence().Add(") ", alias)
		return
	}
	s.Add(" CROSS JOIN ", table, " ", alias, " ON ")
	on()
}

// Resource appends a join with the resource that has the row key in the column key.
func (s *SQL) Resource(alias, key string) {
	if s.Dialect == SQLite {
		s.Add(" CROSS JOIN resource ", alias, " ON ", alias, ".rkey = ", key)
		return
	}
	s.Add(" CROSS JOIN LATERAL (SELECT ", ResourceColumns("i"), " FROM resource i WHERE i.rkey = ", key)
	if !s.Plain {
		s.Add(" LIMIT 1")
	}
	s.Add(") ", alias)
}

// ResourceColumns are the columns of resource, under an alias.
func ResourceColumns(alias string) string {
	var b strings.Builder
	for i, column := range [...]string{"rkey", "type", "id", "version", "updated", "live", "postings"} {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(alias + "." + column)
	}
	return b.String()
}

// Int binds a number.
func (s *SQL) Int(v int64) *SQL { return s.Arg(v) }

// Param binds the number of a search parameter, as it is stored.
func (s *SQL) Param(id uint16) *SQL { return s.Arg(int64(int16(id))) }

func postgresType(v any) string {
	switch v.(type) {
	case int64:
		return "bigint"
	case float64:
		return "double precision"
	case string:
		return "text"
	case []int64:
		return "bigint[]"
	case []string:
		return "text[]"
	}
	panic("index: argument of a type that SQL does not take") // a fault of the caller's code, never of input
}

// fewValues is up to how many values of a list SQLite gets one by one. More go
// through JSON, since the number of placeholders is limited.
const fewValues = 16

// AnyInt appends: column is one of values.
func (s *SQL) AnyInt(column string, values []int64) *SQL {
	switch {
	case len(values) == 0:
		return s.Add("FALSE")
	case len(values) == 1:
		return s.Add(column, " = ").Arg(values[0])
	case s.Dialect == Postgres:
		return s.Add(column, " = ANY(").Arg(values).Add(")")
	case len(values) > fewValues:
		return s.Add(column, " IN (SELECT value FROM json_each(").Arg(jsonInts(values)).Add("))")
	}
	s.Add(column, " IN (")
	for i, v := range values {
		if i > 0 {
			s.Add(", ")
		}
		s.Arg(v)
	}
	return s.Add(")")
}

// List appends a SELECT of values, as rkey.
func (s *SQL) List(values []int64) *SQL {
	if s.Dialect == Postgres {
		return s.Add("SELECT u.rkey FROM unnest(").Arg(values).Add(") u (rkey)")
	}
	return s.Add("SELECT u.value AS rkey FROM json_each(").Arg(jsonInts(values)).Add(") u")
}

// AnyString appends: column is one of values.
func (s *SQL) AnyString(column string, values []string) *SQL {
	switch {
	case len(values) == 0:
		return s.Add("FALSE")
	case len(values) == 1:
		return s.Add(column, " = ").Arg(values[0])
	case s.Dialect == Postgres:
		return s.Add(column, " = ANY(").Arg(values).Add(")")
	}
	s.Add(column, " IN (")
	for i, v := range values {
		if i > 0 {
			s.Add(", ")
		}
		s.Arg(v)
	}
	return s.Add(")")
}

func jsonInts(values []int64) string {
	b := make([]byte, 0, 2+20*len(values))
	b = append(b, '[')
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, v, 10)
	}
	return string(append(b, ']'))
}

// manyParts is how many conditions stand side by side. SQLite limits the depth of
// an expression, and to it a OR b OR c is as deep as it is long.
const manyParts = 64

// anyOf appends that any of n conditions holds; write appends one.
func (s *SQL) anyOf(n int, write func(i int) error) error {
	if n == 0 {
		s.Add("FALSE")
	}
	return s.anyFrom(0, n, write)
}

func (s *SQL) anyFrom(from, to int, write func(i int) error) error {
	if to-from > manyParts {
		middle := (from + to) / 2
		s.Add("(")
		if err := s.anyFrom(from, middle, write); err != nil {
			return err
		}
		s.Add(") OR (")
		if err := s.anyFrom(middle, to, write); err != nil {
			return err
		}
		s.Add(")")
		return nil
	}
	for i := from; i < to; i++ {
		if i > from {
			s.Add(" OR ")
		}
		if to-from > 1 {
			s.Add("(")
		}
		if err := write(i); err != nil {
			return err
		}
		if to-from > 1 {
			s.Add(")")
		}
	}
	return nil
}
