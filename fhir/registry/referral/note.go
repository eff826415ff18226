package referral

import (
	"context"
	"encoding/json"
	"html"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/record"
)

// document is the kind of both notes: the norm has one, 6.4.
const document = "referencia"

// note is the draft of a note.
type note struct {
	all      object
	sections []section
}

type section struct {
	Title string            `json:"title"`
	Code  json.RawMessage   `json:"code"`
	Text  narrative         `json:"text"`
	Entry []json.RawMessage `json:"entry,omitempty"`

	code string
}

type narrative struct {
	Status string `json:"status"`
	Div    string `json:"div"`
}

const (
	divOpen  = `<div xmlns="http://www.w3.org/1999/xhtml" lang="es-MX" xml:lang="es-MX">`
	divClose = `</div>`
	toWrite  = divOpen + "<p>Por escribir.</p>" + divClose
)

// draftNote returns a draft with all that is known of the visit; an empty one where there
// is no visit.
func (s *service) draftNote(ctx context.Context, call *operation.Call, m *making, title string) (*note, error) {
	n := &note{all: object{}}
	if m.encounter.ID != "" && s.Draft != nil {
		text, err := s.Draft(ctx, call, m.encounter, m.author)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(text, &n.all); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(n.all["section"], &n.sections); err != nil {
			return nil, err
		}
	} else {
		n.blank(m)
	}
	n.all.set("title", title)
	n.all.set("date", s.Now().In(s.Zone).Format("2006-01-02T15:04:05-07:00"))
	n.all.set("custodian", m.from.reference())
	n.all.set("author", []compose.Object{compose.Reference(m.author)})
	for i := range n.sections {
		var c struct {
			Coding []struct{ System, Code string }
		}
		_ = json.Unmarshal(n.sections[i].Code, &c) // ours
		for _, k := range c.Coding {
			if k.System == record.SectionSystem {
				n.sections[i].code = k.Code
			}
		}
	}
	return n, nil
}

// blank is a note with nothing in it.
func (n *note) blank(m *making) {
	k := record.Find(document)
	for name, v := range map[string]any{
		"resourceType": "Composition", "meta": compose.Object{"profile": []string{k.Profile()}}, "language": "es-MX", "status": "preliminary",
		"type":    compose.Object{"text": k.Name, "coding": []compose.Object{compose.Coding(record.LOINC, k.LOINC, ""), compose.Coding(record.DocumentSystem, k.Code, k.Name)}},
		"subject": compose.Reference(m.patient),
	} {
		n.all.set(name, v)
	}
	if m.encounter.ID != "" {
		n.all.set("encounter", compose.Reference(m.encounter))
	}
	for i := range k.Sections {
		s := &k.Sections[i]
		n.add(s.Code, s.LOINC, s.Title)
	}
}

// add puts an empty section at the end.
func (n *note) add(code, loinc, title string) {
	codings := []compose.Object{compose.Coding(record.SectionSystem, code, "")}
	if loinc != "" {
		codings = append(codings, compose.Coding(record.LOINC, loinc, ""))
	}
	n.sections = append(n.sections, section{Title: title, Code: compose.JSON(compose.Object{"coding": codings}), Text: narrative{"empty", toWrite}, code: code})
}

// has reports whether a resource is among the entries of a section.
func (n *note) has(code string, ref fhir.Ref) bool {
	want := string(compose.JSON(compose.Reference(ref)))
	return slices.ContainsFunc(n.sections, func(s section) bool {
		return s.code == code && slices.ContainsFunc(s.Entry, func(e json.RawMessage) bool { return string(e) == want })
	})
}

// write puts a text behind what a section says, and resources among its entries.
func (n *note) write(code, text string, entries ...fhir.Ref) {
	i := slices.IndexFunc(n.sections, func(s section) bool { return s.code == code })
	if i < 0 {
		return
	}
	s := &n.sections[i]
	for _, ref := range entries {
		e := json.RawMessage(compose.JSON(compose.Reference(ref)))
		if !slices.ContainsFunc(s.Entry, func(have json.RawMessage) bool { return string(have) == string(e) }) {
			s.Entry = append(s.Entry, e)
		}
	}
	if strings.TrimSpace(text) == "" {
		return
	}
	was := ""
	if s.Text.Status != "empty" && code != "establecimiento-que-envia" {
		was = strings.TrimSuffix(s.Text.Div, divClose)
	}
	if was == "" {
		was = divOpen
	}
	var b strings.Builder
	b.WriteString(was)
	for p := range strings.SplitSeq(strings.ReplaceAll(strings.TrimSpace(text), "\r\n", "\n"), "\n") {
		if p = strings.TrimSpace(p); p != "" {
			b.WriteString("<p>" + html.EscapeString(p) + "</p>")
		}
	}
	b.WriteString(divClose)
	s.Text = narrative{"additional", b.String()}
}

// label adds a security label, once.
func (n *note) label(coding json.RawMessage) {
	meta := object{}
	var list []json.RawMessage
	_ = json.Unmarshal(n.all["meta"], &meta) // ours, or there is none yet
	_ = json.Unmarshal(meta["security"], &list)
	if !slices.ContainsFunc(list, func(have json.RawMessage) bool { return string(have) == string(coding) }) {
		meta.push("security", coding)
		n.all.set("meta", meta)
	}
}

// json is the Composition.
func (n *note) json() []byte {
	n.all.set("section", n.sections)
	return compose.JSON(n.all)
}

// diagnosisText says what a Condition is.
func diagnosisText(d *element.Doc) string {
	c := d.Get(0, "code")
	text, code := d.TextAt(c, "text"), ""
	for k := range d.Items(c, "coding") {
		if text == "" {
			text = d.TextAt(k, "display")
		}
		if d.TextAt(k, "system") == "http://hl7.org/fhir/sid/icd-10" {
			code = d.TextAt(k, "code")
		}
	}
	return strings.TrimSpace(text + " " + code)
}

// concept reads a parameter that is a CodeableConcept, a Coding or a text; nil for none.
func concept(call *operation.Call, name string) (compose.Object, error) {
	v, given, err := call.In.One(name)
	if err != nil || !given {
		return nil, err
	}
	return conceptOf(v, name)
}

func conceptOf(v operation.Value, name string) (compose.Object, error) {
	n, property := v.Typed()
	switch {
	case strings.TrimSpace(v.Text) != "":
		return compose.Object{"text": v.Text}, nil
	case property == "valueCoding":
		return compose.Object{"coding": []json.RawMessage{v.Doc.AppendCompact(nil, n)}}, nil
	case property == "valueCodeableConcept":
		var o compose.Object
		if err := json.Unmarshal(v.Doc.AppendCompact(nil, n), &o); err == nil && len(o) > 0 {
			return o, nil
		}
	}
	return nil, fhir.Errorf(fhir.Invalid, "the parameter %s is a CodeableConcept, a Coding or a text", name)
}

// said is what a CodeableConcept says in words.
func said(c compose.Object) string {
	var k struct {
		Text   string
		Coding []struct{ Display, Code string }
	}
	_ = json.Unmarshal(compose.JSON(c), &k) // what cannot be read says nothing
	for _, one := range k.Coding {
		if k.Text == "" {
			k.Text = one.Display
		}
		if k.Text == "" {
			k.Text = one.Code
		}
	}
	return k.Text
}
