package message

import (
	"slices"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir/message/hl7"
	"github.com/amate-health/amate/fhir/registry/identity"
)

// local returns a URI for something that only the sender of m knows.
func (m *Mapper) local(kind, name string) string {
	var b strings.Builder
	b.WriteString("urn:amate:sender:" + m.sender.Name + ":" + kind)
	if name == "" {
		return b.String()
	}
	b.WriteByte(':')
	for i := range len(name) { // a URI has no spaces
		c := name[i]
		if c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '.' || c == '-' || c == '_' {
			b.WriteByte(c)
		} else {
			b.WriteString("%" + strings.ToUpper(string("0123456789abcdef"[c>>4])+string("0123456789abcdef"[c&15])))
		}
	}
	return b.String()
}

// authority returns the system of identifiers that an assigning authority gives out, an
// HD: namespace, universal id and its type. kind is the type of the identifier.
func (m *Mapper) authority(namespace, universal, universalType, kind string) string {
	for _, key := range []string{universal, namespace, kind} {
		if s := m.tables.Assigners[key]; s != "" && key != "" {
			return s
		}
	}
	switch {
	case universal == "":
	case universalType == "ISO":
		return "urn:oid:" + universal
	case universalType == "UUID" || universalType == "GUID":
		return "urn:uuid:" + strings.ToLower(universal)
	case universalType == "URI" || strings.Contains(universal, ":"):
		if !strings.ContainsAny(universal, " \t\n") {
			return universal
		}
	default:
		return m.local("id", universal)
	}
	if namespace == "" {
		namespace = kind
	}
	return m.local("id", namespace)
}

// cx reads an identifier, a CX: zero where there is none.
func (m *Mapper) cx(f hl7.Field) Identifier {
	value := f.Text(1)
	if value == "" {
		return Identifier{}
	}
	a := f.Component(4)
	return Identifier{m.authority(text(a, 1), text(a, 2), text(a, 3), f.Text(5)), value}
}

// ei reads an entity identifier, an EI.
func (m *Mapper) ei(f hl7.Field, kind string) Identifier {
	value := f.Text(1)
	if value == "" {
		return Identifier{}
	}
	return Identifier{m.authority(f.Text(2), f.Text(3), f.Text(4), kind), value}
}

// text returns subcomponent n of a component.
func text(c hl7.Field, n int) string { return strings.TrimSpace(c.Sub(n).Whole()) }

func (id Identifier) json(use string) string {
	return inner().text("use", use).text("system", id.System).text("value", id.Value).end()
}

// identifiers writes identifiers, each once.
func identifiers(ids ...Identifier) []string {
	var out []string
	for i, id := range ids {
		if id.Value != "" && !slices.Contains(ids[:i], id) {
			out = append(out, id.json(""))
		}
	}
	return out
}

// curp holds a CURP against its form: results of one person must not reach another.
func (m *Mapper) curp(s *hl7.Segment, field int, id Identifier) (Identifier, bool) {
	id.Value = strings.ToUpper(id.Value)
	if id.Value == identity.GenericCURP {
		return id, false // stands for nobody
	}
	if faults := identity.CheckCURP(id.Value, m.now); len(faults) > 0 {
		m.fail(s.At(hl7.DataType, field, "the CURP is not a right one"))
		return id, false
	}
	return id, true
}

// name reads an XPN.
func (m *Mapper) name(f hl7.Field, mother string) string {
	family := text(f.Component(1), 1)
	if mother != "" && !strings.Contains(family, " ") {
		family = strings.TrimSpace(family + " " + mother)
	}
	var given []string
	for _, g := range []string{f.Text(2), f.Text(3)} {
		if g != "" {
			given = append(given, quoted(g))
		}
	}
	if family == "" && given == nil {
		return ""
	}
	n := inner().text("use", m.tables.NameUse[f.Text(7)]).text("family", family).list("given", given)
	for _, part := range []struct {
		name      string
		component int
	}{{"prefix", 5}, {"suffix", 4}} {
		if v := f.Text(part.component); v != "" {
			n.list(part.name, []string{quoted(v)})
		}
	}
	return n.end()
}

// address reads an XAD.
func (m *Mapper) address(f hl7.Field) string {
	var lines []string
	street := f.Component(1)
	for _, l := range []string{text(street, 1), f.Text(2)} {
		if l != "" {
			lines = append(lines, quoted(l))
		}
	}
	return inner().text("use", m.tables.AddressUse[f.Text(7)]).list("line", lines).text("city", f.Text(3)).text("district", f.Text(9)).
		text("state", f.Text(4)).text("postalCode", f.Text(5)).text("country", f.Text(6)).end()
}

// telecom reads an XTN.
func (m *Mapper) telecom(f hl7.Field) string {
	system, value := m.tables.TelecomSystem[strings.ToUpper(f.Text(3))], f.Text(1)
	if email := f.Text(4); email != "" && (system == "email" || value == "") {
		system, value = "email", email
	}
	if value == "" {
		for _, n := range []int{5, 6, 7} { // country, area, number
			value = strings.TrimSpace(value + " " + f.Text(n))
		}
	}
	if value == "" {
		return ""
	}
	if system == "" {
		system = "phone"
	}
	use := m.tables.TelecomUse[f.Text(2)]
	if f.Text(3) == "CP" {
		use = "mobile"
	}
	return inner().text("system", system).text("value", value).text("use", use).end()
}

// concept reads a CE or CWE: its codings, those that they map to first, and its text.
func (m *Mapper) concept(f hl7.Field) string {
	codings, display := m.codings(f)
	return inner().list("coding", codings).text("text", display).end()
}

// codings returns the codings of a CE or CWE. A code that nothing is known of is kept
// as one of the sender's own.
func (m *Mapper) codings(f hl7.Field) (codings []string, display string) {
	all, display := m.codingsOf(f)
	for _, c := range all {
		codings = append(codings, coding(c.System, c.Code, c.Display))
	}
	return codings, display
}

func (m *Mapper) codingsOf(f hl7.Field) (codings []Coding, display string) {
	var mapped []Coding
	for _, at := range []int{1, 4} {
		code, label, name := f.Text(at), f.Text(at+1), f.Text(at+2)
		if display == "" {
			display = label
		}
		if code == "" {
			continue
		}
		system := m.tables.Systems[strings.ToUpper(name)]
		if to, ok := m.mapped(code, name, system); ok {
			mapped = append(mapped, to)
		}
		if system == "" {
			system = m.local("code", name)
		}
		codings = append(codings, Coding{system, code, label})
	}
	if display == "" {
		display = f.Text(9)
	}
	return append(mapped, codings...), display
}

// mapped returns the coding that a code of the sender's stands for.
func (m *Mapper) mapped(code, name, system string) (Coding, bool) {
	for _, key := range []string{name + "|" + code, system + "|" + code, code} {
		if to, ok := m.tables.Codes[key]; ok && key[0] != '|' {
			return to, true
		}
	}
	return Coding{}, false
}

// Stamps of HL7: YYYY[MM[DD[HH[MM[SS[.S[S[S[S]]]]]]]]][+/-ZZZZ].
//
// See https://www.hl7.eu/HL7v2x/v251/std251/ch02A.html, DTM.
func (m *Mapper) moment(f hl7.Field) (string, bool) {
	stamp := f.Text(1)
	if stamp == "" {
		return "", true
	}
	if known, ok := m.moments[stamp]; ok {
		return known, true
	}
	text, ok := m.momentOf(stamp)
	if ok {
		if m.moments == nil {
			m.moments = map[string]string{}
		}
		m.moments[stamp] = text
	}
	return text, ok
}

func (m *Mapper) momentOf(stamp string) (string, bool) {
	digits, zone := stamp, ""
	if at := strings.IndexAny(stamp, "+-"); at > 0 {
		digits, zone = stamp[:at], stamp[at:]
	}
	digits, fraction, _ := strings.Cut(digits, ".")
	if strings.Trim(digits+fraction, "0123456789") != "" {
		return "", false
	}
	if n := len(digits); n < 4 || n > 14 || n%2 != 0 {
		return "", false
	}
	layout := "20060102150405"[:len(digits)]
	in := m.sender.location
	if zone != "" {
		t, err := time.Parse("-0700", zone)
		if err != nil {
			return "", false
		}
		in = t.Location()
	}
	t, err := time.ParseInLocation(layout, digits, in)
	if err != nil || t.Year() < 1 {
		return "", false
	}
	switch len(digits) {
	case 4:
		return t.Format("2006"), true
	case 6:
		return t.Format("2006-01"), true
	case 8:
		return t.Format("2006-01-02"), true
	}
	out := t.Format("2006-01-02T15:04:05")
	if fraction != "" {
		out += "." + fraction
	}
	return out + t.Format("-07:00"), true
}

// at reads field n of s as a time, and notes a fault where it is none.
func (m *Mapper) at(s *hl7.Segment, n int) string {
	f := s.Field(n)
	if f.Empty() {
		return ""
	}
	v, ok := m.moment(f)
	if !ok {
		m.fail(s.At(hl7.DataType, n, "this is no time: want YYYYMMDDHHMMSS and, if it has one, a zone such as -0600"))
	}
	return v
}

// day is at, without the time of day.
func (m *Mapper) day(s *hl7.Segment, n int) string {
	date, _, _ := strings.Cut(m.at(s, n), "T")
	return date
}

// instant is at, where FHIR asks for a time to the second: "" for a mere date.
func (m *Mapper) instant(s *hl7.Segment, n int) string {
	if v := m.at(s, n); strings.Contains(v, "T") {
		return v
	}
	return ""
}

// period returns a Period from two times, "" without any.
func period(start, end string) string { return inner().text("start", start).text("end", end).end() }
