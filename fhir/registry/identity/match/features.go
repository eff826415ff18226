package match

import (
	"strconv"
	"strings"
)

// A Person as bytes: texts in a fixed order, each ended by a sign that no text has, and
// lists as texts with their parts ended by another. It is as long as what it says, and
// is read without looking at the resource again.
const (
	featuresVersion = '1' // of this layout and of KeyVersion together
	textEnd         = '\x1f'
	partEnd         = '\x1e'
)

// Features returns p as bytes, which PersonOf reads.
func (p *Person) Features() []byte {
	b := make([]byte, 0, 192)
	b = append(b, featuresVersion, sexByte(p.Sex))
	for _, n := range []int{p.Birth.Year, p.Birth.Month, p.Birth.Day, p.Order} {
		b = appendText(b, number(n))
	}
	multiple := ""
	if p.Multiple {
		multiple = "1"
	}
	b = appendText(b, multiple)
	for _, list := range [][]string{p.Given, p.Family, p.Former, p.Phones, p.Mother} {
		b = appendList(b, list...)
	}
	b = appendText(b, p.Suffix)
	b = appendText(b, p.MotherID)
	for i := range p.IDs {
		b = appendList(b, p.IDs[i].System, p.IDs[i].Value, p.IDs[i].flags())
	}
	b = append(b, textEnd)
	for i := range p.Homes {
		h := &p.Homes[i]
		b = appendList(b, append([]string{h.Number, h.Locality, h.State, h.Postcode}, h.Street...)...)
	}
	return b
}

func sexByte(s byte) byte {
	if s == 0 {
		return '0'
	}
	return s
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func (id *ID) flags() string {
	flags := ""
	if id.Verified {
		flags = "v"
	}
	if id.Local {
		flags += "l"
	}
	return flags
}

// appendText appends a text. What ends texts is taken out of it.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if s[i] != textEnd && s[i] != partEnd {
			b = append(b, s[i])
		}
	}
	return append(b, textEnd)
}

func appendList(b []byte, parts ...string) []byte {
	for _, s := range parts {
		b = appendText(b, s)
		b[len(b)-1] = partEnd
	}
	return append(b, textEnd)
}

// PersonOf reads what Features wrote. false when it is of another version, or none.
func PersonOf(features []byte) (p Person, ok bool) {
	if len(features) < 2 || features[0] != featuresVersion {
		return Person{}, false
	}
	if features[1] != '0' {
		p.Sex = features[1]
	}
	r := reader{rest: string(features[2:])}
	p.Birth = Date{r.number(), r.number(), r.number()}
	p.Order = r.number()
	p.Multiple = r.text() != ""
	p.Given, p.Family, p.Former, p.Phones, p.Mother = r.list(), r.list(), r.list(), r.list(), r.list()
	p.Suffix, p.MotherID = r.text(), r.text()
	for !r.bad {
		id := r.list()
		if len(id) != 3 {
			r.bad = r.bad || len(id) != 0
			break
		}
		p.IDs = append(p.IDs, ID{System: id[0], Value: id[1], Verified: strings.Contains(id[2], "v"), Local: strings.Contains(id[2], "l")})
	}
	for !r.bad && r.rest != "" {
		home := r.list()
		if len(home) < 4 {
			return Person{}, false
		}
		h := Home{Number: home[0], Locality: home[1], State: home[2], Postcode: home[3]}
		if len(home) > 4 {
			h.Street = home[4:]
		}
		p.Homes = append(p.Homes, h)
	}
	return p, !r.bad
}

// reader reads texts one after another.
type reader struct {
	rest string
	bad  bool
}

func (r *reader) text() string {
	text, rest, found := strings.Cut(r.rest, string(textEnd))
	r.rest, r.bad = rest, r.bad || !found
	return text
}

func (r *reader) number() int {
	text := r.text()
	n := 0
	for i := range len(text) {
		n = 10*n + int(text[i]-'0')
	}
	return n
}

func (r *reader) list() []string {
	text := r.text()
	if text == "" {
		return nil
	}
	list := make([]string, 0, strings.Count(text, string(partEnd)))
	for text != "" {
		var part string
		part, text, _ = strings.Cut(text, string(partEnd))
		list = append(list, part)
	}
	return list
}
