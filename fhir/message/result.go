package message

import (
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/amate-health/amate/fhir/message/hl7"
)

// joinTexts joins what systems send as one OBX for each line of a text: the same code
// and sub-id one after another, of a type of text.
func (g *group) joinTexts() {
	var joined []result
	for _, r := range g.results {
		if n := len(joined); n > 0 && isText(r.obx) && isText(joined[n-1].obx) &&
			joined[n-1].obx.Field(3).Raw == r.obx.Field(3).Raw && joined[n-1].obx.Field(4).Raw == r.obx.Field(4).Raw {
			last := &joined[n-1]
			last.more = append(last.more, textValue(r.obx.Field(5)))
			last.notes = append(last.notes, r.notes...)
			continue
		}
		joined = append(joined, r)
	}
	g.results = joined
}

func isText(obx *hl7.Segment) bool {
	switch obx.Field(2).Text(1) {
	case "TX", "FT":
		return true
	}
	return false
}

// textValue returns the text of a value, its repetitions as lines.
func textValue(f hl7.Field) string {
	var lines []string
	for _, r := range f.Repetitions() {
		lines = append(lines, r.Whole())
	}
	return strings.Join(lines, "\n")
}

// result makes the Observation of an OBX; of a document, what holds it.
func (m *Mapper) result(g *group, r *result) {
	obx := r.obx
	code, sub := obx.Field(3).Text(1)+" "+obx.Field(3).Text(3), obx.Field(4).Text(1)
	if obx.Field(3).Empty() {
		m.fail(obx.At(hl7.RequiredField, 3, "what was observed is missing"))
		return
	}
	key := strings.TrimSpace(code)
	if sub != "" {
		key += "|" + sub
	}
	if g.codes == nil {
		g.codes = map[string]int{}
	}
	if g.codes[key]++; g.codes[key] > 1 {
		key += "|" + strconv.Itoa(g.codes[key])
	}
	if obx.Field(2).Text(1) == "ED" {
		m.file(g, r, key)
		return
	}
	sent := obx.Field(11).Text(1)
	status := m.tables.ResultStatus[sent]
	if status == "" {
		status = "unknown"
		if sent == "" {
			status = "final"
		}
	}
	d := Draft{Way: Put, Type: "Observation", ID: idIn(g.digest, "Observation", key)}
	o := newObject("Observation").text("id", d.ID)
	o.list("identifier", identifiers(m.ei(obx.Field(21), "observation")))
	o.list("basedOn", []string{reference(g.order, "")}).text("status", status)
	o.list("category", []string{concept("http://terminology.hl7.org/CodeSystem/observation-category", g.category, "")})
	o.raw("code", m.concept(obx.Field(3))).reference("subject", m.patient, "").reference("encounter", m.encounter, "")
	effective := m.at(obx, 14)
	if effective == "" {
		effective = m.at(g.obr, 7)
	}
	o.text("effectiveDateTime", effective).text("issued", m.instant(g.obr, 22))
	performers := g.performers
	if lab := m.organization(obx.Field(23)); lab != "" {
		performers = []string{lab}
	}
	if who := m.practitioner(obx.Field(16)); who != "" {
		performers = append(performers[:len(performers):len(performers)], who)
	}
	o.list("performer", performers)
	name, value := m.value(r)
	o.raw(name, value)
	if value == "" && status != "registered" {
		reason := "unknown"
		if status == "cancelled" {
			reason = "not-performed"
		}
		o.raw("dataAbsentReason", concept("http://terminology.hl7.org/CodeSystem/data-absent-reason", reason, ""))
	}
	o.list("interpretation", m.flags(obx.Field(8))).list("note", annotations(r.notes))
	if g.sample != "" {
		o.reference("specimen", g.sample, "")
	}
	if ranged := m.reference(obx); ranged != "" && value != "" {
		o.list("referenceRange", []string{ranged})
	}
	d.JSON = o.bytes()
	g.seen = append(g.seen, m.draft(d))
}

// value returns value[x] of an Observation: its name, and its JSON or "".
func (m *Mapper) value(r *result) (name, json string) {
	obx, v := r.obx, r.obx.Field(5)
	if v.Empty() {
		return "valueString", ""
	}
	switch obx.Field(2).Text(1) {
	case "NM":
		if q := m.number(v.Text(1), obx); q != "" {
			return "valueQuantity", q
		}
	case "SN":
		return m.structured(v, obx)
	case "CE", "CWE", "CF", "CNE":
		if strings.IndexByte(v.Raw, m.msg.Encoding.Repetition) < 0 {
			return "valueCodeableConcept", m.concept(v)
		}
		return "valueCodeableConcept", m.several(v)
	case "DT", "TS", "DTM":
		t, ok := m.moment(v)
		if !ok {
			m.fail(obx.At(hl7.DataType, 5, "this is no time: want YYYYMMDDHHMMSS and, if it has one, a zone such as -0600"))
		}
		return "valueDateTime", quotedOr(t)
	case "TM":
		if t := clock(v.Text(1)); t != "" {
			return "valueTime", quoted(t)
		}
	}
	return "valueString", quotedOr(strings.TrimSpace(strings.Join(append([]string{textValue(v)}, r.more...), "\n")))
}

func quotedOr(s string) string {
	if s == "" {
		return ""
	}
	return quoted(s)
}

// several makes one concept of several values: their codings, and their texts together.
func (m *Mapper) several(v hl7.Field) string {
	var codings, texts []string
	for _, f := range v.Repetitions() {
		c, t := m.codings(f)
		codings = append(codings, c...)
		texts = append(texts, nonempty(t)...)
	}
	return inner().list("coding", codings).text("text", strings.Join(texts, "; ")).end()
}

// decimalOf returns a number as FHIR writes it, its digits kept; "" where it is none.
func decimalOf(s string) string {
	s = strings.TrimSpace(s)
	rest, negative := strings.CutPrefix(s, "-")
	whole, fraction, _ := strings.Cut(strings.TrimPrefix(rest, "+"), ".")
	if !only(whole, digits) || !only(fraction, digits) || whole+fraction == "" {
		return ""
	}
	if whole = strings.TrimLeft(whole, "0"); whole == "" {
		whole = "0"
	}
	if fraction != "" {
		whole += "." + fraction
	}
	if negative {
		return "-" + whole
	}
	return whole
}

const (
	digits = "0123456789"
	blanks = " \t\n\f\r"
)

// only reports whether s has no other characters than those of set.
func only(s, set string) bool { return strings.Trim(s, set) == "" }

// compared parts a number from the comparator before it, "" for none.
func compared(s string) (comparator, number string, ok bool) {
	number = strings.TrimSpace(s)
	for _, c := range []string{"<=", ">=", "<", ">"} {
		if rest, found := strings.CutPrefix(number, c); found {
			comparator, number = c, strings.TrimLeft(rest, blanks)
			break
		}
	}
	unsigned := number
	if number != "" && (number[0] == '-' || number[0] == '+') {
		unsigned = number[1:]
	}
	return comparator, number, unsigned != "" && only(unsigned, digits+".")
}

// rangeOf parts two numbers with a hyphen between them.
func rangeOf(s string) (low, high string, ok bool) {
	s = strings.TrimSpace(s)
	at := strings.IndexByte(s, '-')
	if at == 0 { // the first number is negative
		at = 1 + strings.IndexByte(s[1:], '-')
	}
	if at <= 0 {
		return "", "", false
	}
	low, high = strings.TrimRight(s[:at], blanks), strings.TrimLeft(s[at+1:], blanks)
	for _, n := range []string{low, high} {
		if n = strings.TrimPrefix(n, "-"); n == "" || !only(n, digits+".") {
			return "", "", false
		}
	}
	return low, high, true
}

// number returns a Quantity, "" where s is no number: the text is kept then.
func (m *Mapper) number(s string, obx *hl7.Segment) string {
	comparator, number, ok := compared(s)
	if !ok {
		return ""
	}
	n := decimalOf(number)
	if n == "" {
		return ""
	}
	return m.quantity(comparator, n, obx)
}

func (m *Mapper) quantity(comparator, n string, obx *hl7.Segment) string {
	o := inner().raw("value", n).text("comparator", comparator)
	m.unit(o, obx.Field(6))
	return o.end()
}

// unit writes the unit of OBX-6. One that is no UCUM and in no table is kept as text.
func (m *Mapper) unit(o *object, f hl7.Field) {
	sent, label := f.Text(1), f.Text(2)
	if label == "" {
		label = sent
	}
	o.text("unit", label)
	code := m.tables.Units[strings.ToLower(sent)]
	if code == "" && f.Text(3) == "UCUM" {
		code = sent
	}
	if code != "" {
		o.text("system", "http://unitsofmeasure.org").text("code", code)
	}
}

// structured reads an SN: comparator, number, separator, number.
func (m *Mapper) structured(v hl7.Field, obx *hl7.Segment) (name, json string) {
	comparator, first, separator, second := v.Text(1), decimalOf(v.Text(2)), v.Text(3), decimalOf(v.Text(4))
	switch {
	case first != "" && second != "" && separator == "-":
		return "valueRange", inner().raw("low", m.quantity("", first, obx)).raw("high", m.quantity("", second, obx)).end()
	case first != "" && second != "" && (separator == ":" || separator == "/"):
		return "valueRatio", inner().raw("numerator", inner().raw("value", first).end()).raw("denominator", inner().raw("value", second).end()).end()
	case first != "" && separator == "" && second == "":
		switch comparator {
		case "<", ">", "<=", ">=":
			return "valueQuantity", m.quantity(comparator, first, obx)
		case "", "=":
			return "valueQuantity", m.quantity("", first, obx)
		}
	}
	return "valueString", quotedOr(v.Text(1) + v.Text(2) + v.Text(3) + v.Text(4))
}

// clock reads a TM: HHMM[SS]. FHIR's times of day have no zone.
func clock(s string) string {
	s, _, _ = strings.Cut(s, ".")
	s, _, _ = strings.Cut(s, "-")
	s, _, _ = strings.Cut(s, "+")
	if len(s) != 4 && len(s) != 6 || strings.Trim(s, "0123456789") != "" {
		return ""
	}
	s += "00"
	if s[:2] > "23" || s[2:4] > "59" || s[4:6] > "59" {
		return ""
	}
	return s[:2] + ":" + s[2:4] + ":" + s[4:6]
}

// flags returns the interpretations of OBX-8.
func (m *Mapper) flags(f hl7.Field) []string {
	var out []string
	for _, r := range f.Repetitions() {
		sent := r.Text(1)
		if code := m.tables.Flags[strings.ToUpper(sent)]; code != "" {
			out = append(out, concept("http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation", code, ""))
		} else if sent != "" {
			out = append(out, concept(m.local("code", "flag"), sent, ""))
		}
	}
	return out
}

// reference reads the range of OBX-7: as text, and as numbers where it is two of them
// or one limit.
func (m *Mapper) reference(obx *hl7.Segment) string {
	sent := strings.TrimSpace(obx.Field(7).Whole())
	if sent == "" || obx.Field(7).Null() {
		return ""
	}
	o := inner()
	if first, second, ok := rangeOf(sent); ok {
		low, high := decimalOf(first), decimalOf(second)
		if low != "" && high != "" {
			o.raw("low", m.quantity("", low, obx)).raw("high", m.quantity("", high, obx))
		}
	} else if comparator, number, ok := compared(sent); ok && comparator != "" {
		if n := decimalOf(number); n != "" && comparator[0] == '<' {
			o.raw("high", m.quantity("", n, obx))
		} else if n != "" {
			o.raw("low", m.quantity("", n, obx))
		}
	}
	return o.text("text", sent).end()
}

// mediaOf returns the media type that content has, whatever it is said to be. What is
// none of these is kept as bytes, which no browser performs.
func mediaOf(content []byte) string {
	for _, of := range []struct{ magic, media string }{
		{"%PDF-", "application/pdf"}, {"\xff\xd8\xff", "image/jpeg"}, {"\x89PNG\r\n\x1a\n", "image/png"},
		{"II*\x00", "image/tiff"}, {"MM\x00*", "image/tiff"},
	} {
		if strings.HasPrefix(string(content[:min(len(content), 8)]), of.magic) {
			return of.media
		}
	}
	return "application/octet-stream"
}

// file makes a Binary and a DocumentReference of an encapsulated document, an ED.
func (m *Mapper) file(g *group, r *result, key string) {
	v := r.obx.Field(5)
	content, ok := contentOf(v)
	if !ok {
		m.fail(r.obx.At(hl7.DataType, 5, "the document is not in the encoding that it is said to be in"))
		return
	}
	media := mediaOf(content)
	binary := Draft{Way: Put, Type: "Binary", ID: idIn(g.digest, "Binary", key)}
	binary.JSON = newObject("Binary").text("id", binary.ID).text("contentType", media).reference("securityContext", m.patient, "").
		text("data", base64.StdEncoding.EncodeToString(content)).bytes()
	title := r.obx.Field(3).Text(2)
	attachment := inner().text("contentType", media).text("url", m.draft(binary)).text("title", title).text("creation", m.at(g.obr, 22)).end()
	status, doc := "current", ""
	switch m.tables.ResultStatus[r.obx.Field(11).Text(1)] {
	case "entered-in-error":
		status = "entered-in-error"
	case "preliminary", "registered":
		doc = "preliminary"
	case "corrected", "amended":
		doc = "amended"
	case "final":
		doc = "final"
	}
	d := Draft{Way: Put, Type: "DocumentReference", ID: idIn(g.digest, "DocumentReference", key)}
	o := newObject("DocumentReference").text("id", d.ID)
	o.list("identifier", orderIDs(g)).text("status", status).text("docStatus", doc).raw("type", m.concept(r.obx.Field(3))).reference("subject", m.patient, "")
	o.text("date", m.instant(g.obr, 22)).text("description", title).list("content", []string{inner().raw("attachment", attachment).end()})
	related := inner().list("related", []string{reference(g.order, "")})
	if m.encounter != "" {
		related.list("encounter", []string{reference(m.encounter, "")})
	}
	d.JSON = o.raw("context", related.end()).bytes()
	m.draft(d)
	g.forms = append(g.forms, attachment)
}

// contentOf decodes an ED: source, type, subtype, encoding, data.
func contentOf(v hl7.Field) (content []byte, ok bool) {
	data := v.Component(5)
	var err error
	switch strings.ToUpper(v.Text(4)) {
	case "BASE64":
		plain := strings.Map(func(c rune) rune {
			if c <= ' ' {
				return -1
			}
			return c
		}, data.Whole())
		content, err = base64.StdEncoding.DecodeString(plain)
	case "HEX":
		content, err = hex.DecodeString(strings.TrimSpace(data.Whole()))
	case "A", "":
		content = []byte(data.Whole())
	default:
		return nil, false
	}
	return content, err == nil && len(content) > 0
}
