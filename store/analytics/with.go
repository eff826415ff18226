package analytics

// parts returns which tokens are names of parts of a WITH that have a list of columns:
//
//	WITH a (x) AS (SELECT 1), b (y, z) AS NOT MATERIALIZED (SELECT x, x FROM a) SELECT ...
//
// Whatever looks another way is none, and a name before a parenthesis is then a function:
// there is no other way to tell "b (y)" behind a comma from a call.
func (s *Statement) parts() map[int]bool {
	closed := s.closed()
	named := map[int]bool{}
	for i := range s.tokens {
		if !s.is(i, word, "with") {
			continue
		}
		at := i + 1
		if s.is(at, word, "recursive") {
			at++
		}
		for {
			end, listed := s.part(at, closed)
			if end == 0 {
				break
			}
			named[at] = named[at] || listed
			if !s.is(end, symbol, ",") {
				break
			}
			at = end + 1
		}
	}
	return named
}

// part returns where the part of a WITH ends whose name is at i, and whether it has a list of
// columns; 0 when there is none. What is in its parentheses is a query: columns with types,
// as PostgreSQL takes them behind a function, do not begin like one.
func (s *Statement) part(i int, closed map[int]int) (end int, listed bool) {
	if i >= len(s.tokens) || s.tokens[i].kind != word && s.tokens[i].kind != quoted {
		return 0, false
	}
	at := i + 1
	if s.is(at, symbol, "(") {
		if !s.names(at+1, closed[at]) {
			return 0, false
		}
		at, listed = closed[at]+1, true
	}
	if !s.is(at, word, "as") {
		return 0, false
	}
	at++
	if s.is(at, word, "not") {
		at++
	}
	if s.is(at, word, "materialized") {
		at++
	}
	if !s.is(at, symbol, "(") || closed[at] == 0 || !s.begins(at+1) {
		return 0, false
	}
	return closed[at] + 1, listed
}

// names reports whether the tokens from one up to another are names between commas.
func (s *Statement) names(from, to int) bool {
	if (to-from)%2 == 0 {
		return false // also where the parenthesis is not closed
	}
	for i := from; i < to; i++ {
		if t := s.tokens[i]; (i-from)%2 == 0 && t.kind != word && t.kind != quoted || (i-from)%2 == 1 && !s.is(i, symbol, ",") {
			return false
		}
	}
	return to > from
}

// begins reports whether a query begins at i, within parentheses or not.
func (s *Statement) begins(i int) bool {
	for s.is(i, symbol, "(") {
		i++
	}
	return s.is(i, word, "select") || s.is(i, word, "with") || s.is(i, word, "values")
}

// is reports whether the token at i is of a kind and reads so, in small letters.
func (s *Statement) is(i int, k tokenKind, text string) bool {
	if i >= len(s.tokens) || s.tokens[i].kind != k {
		return false
	}
	return k == symbol && s.tokens[i].text == text || k == word && s.tokens[i].low == text
}

// closed returns where the parentheses are closed that open at the keys.
func (s *Statement) closed() map[int]int {
	at := map[int]int{}
	var open []int
	for i := range s.tokens {
		switch {
		case s.is(i, symbol, "("):
			open = append(open, i)
		case s.is(i, symbol, ")") && len(open) > 0:
			at[open[len(open)-1]] = i
			open = open[:len(open)-1]
		}
	}
	return at
}

// Mentions reports whether the query names something so, whatever that is there: a table, a
// column. name is in small letters.
func (s *Statement) Mentions(name string) bool {
	for _, t := range s.tokens {
		if (t.kind == word || t.kind == quoted) && t.low == name {
			return true
		}
	}
	return false
}
