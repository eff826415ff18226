package naive

import "strings"

type (
	wantToken    struct{ token }
	wantText     string // of a string, or :text of a token
	wantDate     struct{ prefix, date string }
	wantNumber   struct{ asked }
	wantQuantity struct {
		asked
		normalise bool
	}
	wantReference  struct{ to string } // id, Type/id or URL
	wantIdentifier struct{ token }
	wantOfType     struct{ system, code, number string }
	wantURI        string
	wantPair       struct{ first, second want }
)

func (x wantToken) text() string {
	if x.hasSystem {
		return escape(x.system) + "|" + escape(x.code)
	}
	return escape(x.code)
}

func (x wantToken) matches(_ *World, _ *Test, v value) bool { return v.(tokenValue).matches(x.token) }

func (x wantText) text() string { return escape(string(x)) }

func (x wantText) matches(_ *World, c *Test, v value) bool {
	if t, ok := v.(tokenValue); ok {
		return t.saying(string(x))
	}
	return v.(stringValue).matches(c.Modifier, string(x))
}

func (x wantDate) text() string { return x.prefix + escape(x.date) }

func (x wantDate) matches(w *World, _ *Test, v value) bool {
	return v.(dateValue).matches(x.prefix, x.date, w.Now)
}

func (x wantNumber) text() string { return x.prefix + x.number }

func (x wantNumber) matches(_ *World, _ *Test, v value) bool {
	return v.(numberValue).matches(x.asked, false)
}

func (x wantQuantity) text() string {
	if x.code == "" {
		return x.prefix + x.number
	}
	return x.prefix + x.number + "|" + escape(x.system) + "|" + escape(x.code)
}

func (x wantQuantity) matches(_ *World, _ *Test, v value) bool {
	return v.(numberValue).matches(x.asked, x.normalise)
}

func (x wantReference) text() string { return escape(x.to) }

func (x wantReference) matches(w *World, c *Test, v value) bool {
	return w.refersTo(c.Param, v.(referenceValue), c.Modifier, x.to)
}

func (x wantIdentifier) text() string { return wantToken(x).text() }

func (x wantIdentifier) matches(_ *World, _ *Test, v value) bool {
	id := v.(referenceValue).identifier
	return id != nil && id.matches(x.token)
}

func (x wantOfType) text() string {
	return strings.Join([]string{escape(x.system), escape(x.code), escape(x.number)}, "|")
}

func (x wantOfType) matches(_ *World, _ *Test, v value) bool {
	return v.(tokenValue).ofType(x.system, x.code, x.number)
}

func (x wantURI) text() string { return escape(string(x)) }

func (x wantURI) matches(_ *World, c *Test, v value) bool {
	return v.(uriValue).matches(c.Modifier, string(x))
}

func (x wantPair) text() string { return x.first.text() + "$" + x.second.text() }

func (x wantPair) matches(w *World, c *Test, v value) bool {
	pair := v.(pairValue)
	return x.first.matches(w, c, pair.first) && x.second.matches(w, c, pair.second)
}
