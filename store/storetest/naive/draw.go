package naive

import (
	"math"
	"math/big"
	"slices"
	"strings"
	"time"
)

// test makes up a condition on p that probably holds for anchor; nil when no
// resource has a value for p.
func (g *Generator) test(p *Param, anchor *Resource) Cond {
	v := g.value(p, anchor)
	if v == nil {
		return nil
	}
	c := &Test{Param: p, Modifier: g.modifier(p)}
	for {
		if x := g.want(p, c.Modifier, v); x != nil {
			c.Wants = append(c.Wants, x)
		}
		if len(c.Wants) == 4 || !g.oneIn(4) {
			break
		}
		if v = g.value(p, pick(g, g.World.of(anchor.Type))); v == nil {
			break
		}
	}
	if len(c.Wants) == 0 {
		return nil
	}
	return c
}

// value draws a value of p from anchor, or from any other resource of its type.
func (g *Generator) value(p *Param, anchor *Resource) value {
	if g.oneIn(8) {
		anchor = pick(g, g.World.of(anchor.Type))
	}
	for range 30 {
		if all := g.World.values(anchor, p); len(all) > 0 {
			return pick(g, all)
		}
		anchor = pick(g, g.World.of(anchor.Type))
	}
	return nil
}

func (g *Generator) modifier(p *Param) string {
	all := map[string][]string{
		"string":    {"", "", "exact", "contains"},
		"token":     {"", "", "", "not", "text"},
		"reference": {"", "", "identifier"},
		"uri":       {"", "below", "above"},
	}[p.Kind]
	if len(all) == 0 {
		return ""
	}
	m := pick(g, all)
	if p.Kind == "reference" && m == "" && g.oneIn(4) && len(p.Targets) > 0 {
		return pick(g, p.Targets)
	}
	if p.Code == "identifier" && g.oneIn(4) {
		return "of-type"
	}
	return m
}

// want makes up what v, or something like it, is asked for by.
func (g *Generator) want(p *Param, modifier string, v value) want {
	switch v := v.(type) {
	case tokenValue:
		return g.token(modifier, v)
	case stringValue:
		return g.text(modifier, v.text)
	case dateValue:
		return g.date(v)
	case numberValue:
		return g.number(p.Kind, v)
	case referenceValue:
		return g.reference(modifier, v)
	case uriValue:
		return g.uri(modifier, v)
	case pairValue:
		first := g.want(p.parts[0], "", v.first)
		second := g.want(p.parts[1], "", v.second)
		if first == nil || second == nil {
			return nil
		}
		if t := first.(wantToken); t.code == "" {
			return nil
		}
		if t, ok := second.(wantToken); ok && t.code == "" {
			return nil
		}
		return wantPair{first, second}
	}
	return nil
}

func (g *Generator) token(modifier string, v tokenValue) want {
	switch modifier {
	case "text":
		if len(v.says) == 0 {
			return nil
		}
		return g.text("", pick(g, v.says))
	case "of-type":
		if len(v.types) == 0 || v.code == "" {
			return nil
		}
		t := pick(g, v.types)
		if t.system == "" || t.code == "" {
			return nil
		}
		return wantOfType{t.system, t.code, v.code}
	}
	if !v.present() {
		return nil
	}
	switch n := g.Rand.IntN(10); {
	case v.code == "" || n == 0 && v.system != "":
		return wantToken{token{v.system, "", true}}
	case v.plain || n < 5:
		return wantToken{token{code: g.code(v.code)}}
	case n == 5:
		return wantToken{token{"", v.code, true}}
	default:
		return wantToken{token{v.system, g.code(v.code), true}}
	}
}

// code returns a code, or at times one like it.
func (g *Generator) code(code string) string {
	if g.oneIn(12) && len(code) > 1 {
		return code[:len(code)-1]
	}
	return code
}

// text makes up something that a text may begin with or hold.
func (g *Generator) text(modifier, s string) want {
	runes := []rune(s)
	switch g.Rand.IntN(4) {
	case 0: // its beginning
		runes = runes[:1+g.Rand.IntN(len(runes))]
	case 1: // something in it
		from := g.Rand.IntN(len(runes))
		runes = runes[from : from+1+g.Rand.IntN(len(runes)-from)]
	case 2: // a word of it
		runes = []rune(pick(g, append(strings.Fields(s), s)))
	}
	s = string(runes)
	if modifier == "exact" && !g.oneIn(4) {
		return wantText(s)
	}
	switch g.Rand.IntN(3) {
	case 0:
		s = strings.ToUpper(s)
	case 1:
		s = strings.NewReplacer("á", "a", "é", "e", "í", "i", "ó", "o", "ú", "u", "ñ", "n", "ü", "u").Replace(s)
	}
	if strings.TrimSpace(s) == "" || fold(s) == "" || strings.IndexFunc(fold(s), letter) < 0 {
		return nil
	}
	return wantText(s)
}

// letter reports whether r is more than punctuation.
func letter(r rune) bool { return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r > 0xBF }

var prefixes = []string{"", "", "", "eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"}

// zones that a date is asked for in.
var zones = []*time.Location{time.UTC, time.FixedZone("", -6*3600), time.FixedZone("", 5*3600+1800)}

func (g *Generator) date(v dateValue) wantDate {
	at := pick(g, []int64{v.lo, v.hi - 1, v.hi})
	if at < math.MinInt64+2 || at > math.MaxInt64-2 {
		at = max(min(v.hi-1, 4e15), min(v.lo, 4e15)) // the end that is not open
	}
	t := time.UnixMicro(at).UTC()
	if g.oneIn(6) {
		t = t.AddDate(0, 0, g.Rand.IntN(9)-4)
	}
	layout := pick(g, []string{"2006", "2006-01", "2006-01-02", "2006-01-02", "2006-01-02T15:04:05Z07:00", "2006-01-02T15:04Z07:00",
		"2006-01-02T15:04:05.000Z07:00"})
	if len(layout) > len("2006-01-02") {
		t = t.In(pick(g, zones))
	}
	return wantDate{pick(g, prefixes), t.Format(layout)}
}

func (g *Generator) number(kind string, v numberValue) want {
	n := v.lo
	if n == nil || v.hi != nil && g.oneIn(3) {
		n = v.hi
	}
	if g.oneIn(6) {
		n = new(big.Rat).Add(n, big.NewRat(int64(g.Rand.IntN(21)-10), 10))
	}
	q := asked{prefix: pick(g, prefixes), number: n.FloatString(g.Rand.IntN(4))}
	if g.oneIn(8) {
		q.number += "e0"
	}
	if kind == "number" {
		return wantNumber{q}
	}
	switch g.Rand.IntN(4) {
	case 0:
		if q.code = or(v.unit, v.code); g.oneIn(2) {
			q.code = or(v.code, v.unit)
		}
	case 1:
		if v.system != "" {
			q.system, q.code = v.system, v.code
		}
	case 2:
		if unit, ok := ucum[v.code]; ok && v.system == unitsOfMeasure {
			return g.converted(q, n, unit.kind, unit.factor)
		}
	}
	return wantQuantity{q, true}
}

// converted asks for the same amount in another unit.
func (g *Generator) converted(q asked, n *big.Rat, kind string, factor *big.Rat) want {
	var codes []string
	for code, u := range ucum {
		if u.kind == kind {
			codes = append(codes, code)
		}
	}
	slices.Sort(codes)
	q.system, q.code = unitsOfMeasure, pick(g, codes)
	m := new(big.Rat).Quo(new(big.Rat).Mul(n, factor), ucum[q.code].factor)
	if size, _ := m.Float64(); math.Abs(size) > 1e8 {
		return nil // more digits than a server compares
	}
	q.number = m.FloatString(2 + g.Rand.IntN(5))
	return wantQuantity{q, true}
}

func (g *Generator) reference(modifier string, v referenceValue) want {
	if modifier == "identifier" {
		if v.identifier == nil || !v.identifier.present() {
			return nil
		}
		return wantIdentifier{g.token("", *v.identifier).(wantToken).token}
	}
	if v.local == "" {
		if v.url == "" || modifier != "" || !strings.Contains(v.url, ":") {
			return nil
		}
		return wantReference{v.url}
	}
	typ, id, _ := strings.Cut(v.local, "/")
	if modifier != "" && modifier != typ {
		return wantReference{id} // there may be one of the other type
	}
	switch g.Rand.IntN(5) {
	case 0:
		return wantReference{g.World.Base + "/" + v.local}
	case 1, 2:
		return wantReference{id}
	}
	return wantReference{v.local}
}

func (g *Generator) uri(modifier string, v uriValue) want {
	s := v.text
	if modifier != "" && strings.HasPrefix(s, "urn:") {
		return nil // which have no hierarchy
	}
	switch modifier {
	case "below":
		if at := strings.LastIndexAny(s, "/:"); at > 8 && g.oneIn(2) {
			s = s[:at]
		}
	case "above":
		s += pick(g, []string{"", "/more", "more"})
	default:
		if bare, _, versioned := strings.Cut(s, "|"); versioned && g.oneIn(2) {
			s = bare
		}
	}
	return wantURI(s)
}
