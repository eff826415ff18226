package search

import "strings"

// The nodes print themselves in the words of a query, joined by &, with what a
// query string cannot say in parentheses. The text holds values of the query, so it
// is for tests and explanations, not for logs.

// String returns the parts joined by &.
func (a And) String() string { return join(a, "&") }

// String returns the parts in parentheses, joined by "or".
func (o Or) String() string { return "(" + join(o, " or ") + ")" }

// String returns "not " and the operand in parentheses.
func (n Not) String() string { return "not(" + n.X.String() + ")" }

func join(list []Expr, separator string) string {
	parts := make([]string, len(list))
	for i, e := range list {
		parts[i] = e.String()
	}
	return strings.Join(parts, separator)
}

// String returns _text or _content with the words that are looked for.
func (w Words) String() string {
	if w.Narrative {
		return "_text=" + strings.Join(w.All, " ")
	}
	return "_content=" + strings.Join(w.All, " ")
}

// String returns the parameter as it stands in a query.
func (m Match) String() string {
	var b strings.Builder
	b.WriteString(m.Param.Code)
	if modifier := m.Modifier + m.Asked; modifier != "" {
		b.WriteString(":" + modifier)
	}
	for i, v := range m.Values {
		if i == 0 {
			b.WriteByte('=')
		} else {
			b.WriteByte(',')
		}
		b.WriteString(v.Raw)
	}
	return b.String()
}

// String returns "_id=" and the ids.
func (i IDs) String() string { return "_id=" + strings.Join(i.Any, ",") }

// String returns "_type=" and the types.
func (t Types) String() string { return "_type=" + strings.Join(t.Any, ",") }

// String returns "_lastUpdated=" and the value.
func (u Updated) String() string { return "_lastUpdated=" + u.Value.Raw }

// String returns the chain with the types it leads to.
func (c Chain) String() string {
	return c.Param.Code + ":" + strings.Join(c.Types, "|") + ".(" + c.Next.String() + ")"
}

// String returns the parameter as it stands in a query.
func (h Has) String() string {
	return "_has:" + h.Source + ":" + h.Param.Code + ":(" + h.Next.String() + ")"
}
