package analytics

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/amate-health/amate/fhir"
)

// Statement is the SQL of one query, which was found to be a query and nothing else. This
// is the first of several walls, and the same for every database; behind it stands the
// connection, which reads only and reaches the tables of analysts alone.
type Statement struct {
	Names []string // of its parameters, each once

	tokens []token
}

// token is a piece of SQL.
type token struct {
	kind tokenKind
	text string // as it is sent; the name of a parameter
	low  string // of a name, in small letters, without quotes
}

type tokenKind uint8

const (
	symbol    tokenKind = iota
	word                // a name or key word
	quoted              // a name within double quotes
	literal             // a text within single quotes
	number              //
	parameter           // :name
)

// Bounds of the SQL of a query.
const (
	maxSQL    = 64 << 10
	maxParens = 100
)

// refuse says why SQL is not run.
func refuse(format string, args ...any) *fhir.Error {
	return fhir.Errorf(fhir.Unprocessable, format, args...)
}

// Parse reads the SQL of a query: one SELECT, which may begin with WITH, calls functions
// that compute and nothing else, and names its parameters as :name.
// Errors: fhir.Unprocessable, which says what is not run.
func Parse(sql string) (*Statement, error) {
	if len(sql) > maxSQL {
		return nil, refuse("the SQL of a query has at most %d bytes", maxSQL)
	}
	if !utf8.ValidString(sql) || strings.ContainsRune(sql, 0) {
		return nil, refuse("the SQL of a query is text in UTF-8")
	}
	l := lexer{text: sql}
	if err := l.all(); err != nil {
		return nil, err
	}
	s := &Statement{tokens: l.tokens}
	if len(s.tokens) == 0 {
		return nil, refuse("the query has no SQL")
	}
	if first := s.tokens[0]; first.kind != word || first.low != "select" && first.low != "with" {
		return nil, refuse("a query begins with SELECT or WITH: nothing else is run here")
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	for _, t := range s.tokens {
		if t.kind == parameter && !slices.Contains(s.Names, t.text) {
			s.Names = append(s.Names, t.text)
		}
	}
	return s, nil
}

// check looks at what a query names and calls.
func (s *Statement) check() error {
	depth, parts := 0, s.parts()
	for i, t := range s.tokens {
		switch {
		case t.kind == symbol && t.text == "(":
			if depth++; depth > maxParens {
				return refuse("parentheses within parentheses go to a depth of %d", maxParens)
			}
		case t.kind == symbol && t.text == ")":
			if depth--; depth < 0 {
				return refuse("a parenthesis is closed that was not opened")
			}
		case t.kind == word && writing[t.low]:
			return refuse("a query reads, and %s is for something else", strings.ToUpper(t.low)).With("a column of that name is written within double quotes")
		case t.kind == word || t.kind == quoted:
			if foreign(t.low) {
				return refuse("names of the database's own tables, types and functions are not for queries").With("%.100q", t.low)
			}
			if s.calls(i) && !functions[t.low] && !parts[i] {
				return refuse("this function is not for queries").With("%.100q is not one of: %s", t.low, strings.Join(functionNames, ", "))
			}
		}
	}
	if depth != 0 {
		return refuse("a parenthesis is not closed")
	}
	return nil
}

// calls reports whether the name at i is that of a function which is called.
func (s *Statement) calls(i int) bool {
	if i+1 >= len(s.tokens) || s.tokens[i+1].kind != symbol || s.tokens[i+1].text != "(" {
		return false
	}
	t := s.tokens[i]
	if t.kind == word && before[t.low] {
		return false
	}
	// WITH name (columns), and AS name (columns). Further parts of a WITH are known by parts.
	return i == 0 || s.tokens[i-1].kind != word || !naming[s.tokens[i-1].low]
}

// foreign reports whether a name belongs to a database and not to its tables of analysts.
func foreign(name string) bool {
	return strings.HasPrefix(name, "pg_") || strings.HasPrefix(name, "sqlite_") || strings.HasPrefix(name, "pragma_") || strings.HasPrefix(name, rowsPrefix) ||
		name == "information_schema" || name == "analytics_rows" || name == keyColumn || registers[name]
}

// lexer takes SQL apart. What the databases read in different ways is refused.
type lexer struct {
	text   string
	at     int
	tokens []token
}

func (l *lexer) rest() string { return l.text[l.at:] }

func (l *lexer) all() error {
	ended := false
	for l.at < len(l.text) {
		before := len(l.tokens)
		if err := l.next(); err != nil {
			return err
		}
		if len(l.tokens) == before {
			continue
		}
		if ended {
			return refuse("one statement is run, and nothing after it")
		}
		if last := l.tokens[len(l.tokens)-1]; last.kind == symbol && last.text == ";" {
			ended = true
			l.tokens = l.tokens[:len(l.tokens)-1]
		}
	}
	return nil
}

func (l *lexer) next() error {
	rest := l.rest()
	c := rest[0]
	switch {
	case strings.IndexByte(" \t\r\n", c) >= 0:
		l.at++
	case strings.HasPrefix(rest, "--"):
		if end := strings.IndexByte(rest, '\n'); end >= 0 {
			l.at += end
		} else {
			l.at = len(l.text)
		}
	case strings.HasPrefix(rest, "/*"):
		end := strings.Index(rest[2:], "*/")
		if end < 0 || strings.Contains(rest[2:2+end], "/*") {
			return refuse("a comment ends, and has none within it")
		}
		l.at += end + 4
	case c == '\'':
		return l.enclosed('\'', literal)
	case c == '"':
		return l.enclosed('"', quoted)
	case letter(c):
		n := 1
		for n < len(rest) && (letter(rest[n]) || digit(rest[n])) {
			n++
		}
		if n < len(rest) && (rest[n] == '\'' || rest[n] == '"' || rest[n] == '&' && n+1 < len(rest) && strings.IndexByte(`'"`, rest[n+1]) >= 0) {
			return refuse("a text or name in quotes stands by itself, without letters before it").With("at %.20q", rest)
		}
		l.take(token{kind: word, text: rest[:n], low: strings.ToLower(rest[:n])}, n)
	case digit(c) || c == '.' && len(rest) > 1 && digit(rest[1]):
		n := 1
		for n < len(rest) && (letter(rest[n]) || digit(rest[n]) || rest[n] == '.') {
			n++
		}
		l.take(token{kind: number, text: rest[:n]}, n)
	case strings.HasPrefix(rest, "::"):
		l.take(token{text: "::"}, 2)
	case c == ':' && len(rest) > 1 && letter(rest[1]):
		n := 2
		for n < len(rest) && (letter(rest[n]) || digit(rest[n])) {
			n++
		}
		l.take(token{kind: parameter, text: rest[1:n]}, n)
	default:
		return l.symbol()
	}
	return nil
}

// symbols are the characters of operators, and what stands between things. Others are read
// in different ways: as quotes, as parameters, as arrays.
const symbols = "()+-*/%<>=!|,.;~^&"

func (l *lexer) symbol() error {
	c := l.rest()[0]
	if strings.IndexByte(symbols, c) < 0 {
		return refuse("this character is not for queries outside of quotes").With("at %.20q", l.rest())
	}
	l.take(token{text: string(c)}, 1)
	return nil
}

func (l *lexer) take(t token, n int) {
	l.tokens = append(l.tokens, t)
	l.at += n
}

// enclosed reads what is in quotes. They are doubled within it.
func (l *lexer) enclosed(quote byte, kind tokenKind) error {
	rest := l.rest()
	for i := 1; i < len(rest); i++ {
		if rest[i] != quote {
			continue
		}
		if i+1 < len(rest) && rest[i+1] == quote {
			i++
			continue
		}
		text := rest[:i+1]
		inner := strings.ReplaceAll(text[1:len(text)-1], string([]byte{quote, quote}), string(quote))
		l.take(token{kind: kind, text: text, low: strings.ToLower(inner)}, i+1)
		return nil
	}
	return refuse("a quote is not closed")
}

func letter(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= utf8.RuneSelf
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// print returns the SQL again, without comments, with what hold returns for a parameter.
func (s *Statement) print(hold func(name string) string) string {
	var b strings.Builder
	for i, t := range s.tokens {
		// Characters of operators stay together, and all else is apart.
		if i > 0 && !(t.kind == symbol && s.tokens[i-1].kind == symbol && operator(t.text) && operator(s.tokens[i-1].text)) {
			b.WriteByte(' ')
		}
		if t.kind == parameter {
			b.WriteString(hold(t.text))
			continue
		}
		b.WriteString(t.text)
	}
	return b.String()
}

func operator(text string) bool { return len(text) == 1 && strings.Contains("<>=!|~*", text) }

// Over returns s with tables under further names: those that a query gives to what it
// depends on. Errors: fhir.Unprocessable for names that SQL does not take.
func (s *Statement) Over(names map[string]string) (*Statement, error) {
	var parts []string
	for alias, name := range names {
		low, err := NameOf(alias)
		if err != nil {
			return nil, err
		}
		if low == name {
			continue
		}
		if writing[low] || foreign(low) || before[low] || naming[low] {
			return nil, refuse("this cannot be the name of a table in SQL").With("%.100q", alias)
		}
		parts = append(parts, fmt.Sprintf("%s AS NOT MATERIALIZED (SELECT * FROM %s)", low, name))
	}
	if len(parts) == 0 {
		return s, nil
	}
	slices.Sort(parts)
	l := lexer{text: "WITH " + strings.Join(parts, ", ")}
	if err := l.all(); err != nil {
		return nil, err
	}
	own := s.tokens
	if own[0].low == "with" {
		own = own[1:]
		if len(own) > 0 && own[0].kind == word && own[0].low == "recursive" {
			own = own[1:]
			l.tokens = slices.Insert(l.tokens, 1, token{kind: word, text: "RECURSIVE", low: "recursive"})
		}
		l.tokens = append(l.tokens, token{text: ","})
	}
	return &Statement{Names: s.Names, tokens: append(l.tokens, own...)}, nil
}
