package summary

import (
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
)

const absentReason = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"

// uuid makes a UUID of the kind that is derived from a name, the same for the same parts.
//
// See https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-8.
func uuid(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d %s", len(p), p)
	}
	u := h.Sum(nil)[:16]
	u[6], u[8] = u[6]&0x0F|0x80, u[8]&0x3F|0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}

// document writes the Bundle.
type document struct {
	*making
	b       []byte
	scratch []byte // of narratives
	stamp   string
	author  string // urn:uuid of the server as a Device
}

// bundle returns the document. tag names what it says.
func (m *making) bundle(tag string) []byte {
	m.fill()
	w := &document{making: m, b: make([]byte, 0, m.size()), stamp: m.now.Truncate(time.Millisecond).Format(fhir.InstantLayout)}
	w.author = uuid("author", m.Software, m.call.Base)
	w.add(`{"resourceType":"Bundle","meta":{"profile":["`, bundleProfile, `"]`)
	w.labels()
	w.add(`},"language":"`, m.words.tag(), `","identifier":{"system":"urn:ietf:rfc:3986","value":"`, uuid("document", tag, w.stamp), `"},"type":"document","timestamp":"`, w.stamp, `","entry":[`)
	w.add(`{"fullUrl":"`, uuid("composition", tag, w.stamp), `","resource":`)
	w.composition()
	w.add(`}`)
	w.entry(m.patient, m.person())
	w.add(`,{"fullUrl":"`, w.author, `","resource":{"resourceType":"Device","status":"active","deviceName":[{"name":`)
	w.quote(m.Software)
	w.add(`,"type":"manufacturer-name"}],"owner":{"display":`)
	w.quote(m.call.Base)
	w.add(`}}}`)
	for i := range m.lists {
		for k := range m.lists[i] {
			r := m.lists[i][k].record
			w.entry(r, completed(r))
		}
	}
	for _, r := range m.others {
		if !r.entry {
			w.entry(r, r.JSON)
		}
	}
	w.add(`]}`)
	return w.b
}

// size is about how long the document is.
func (m *making) size() int {
	n := 16<<10 + len(m.patient.JSON)
	for i := range m.lists {
		for k := range m.lists[i] {
			n += len(m.lists[i][k].JSON) + 512
		}
	}
	for _, r := range m.others {
		n += len(r.JSON) + 128
	}
	return n
}

func (w *document) add(parts ...string) {
	for _, p := range parts {
		w.b = append(w.b, p...)
	}
}

func (w *document) quote(s string) { w.b = element.Quote(w.b, s) }

// url returns where a record stands in the document.
func (w *document) url(r *record) string {
	if r.id != "" {
		return r.id
	}
	return w.call.Base + "/" + r.Ref.Current().String()
}

func (w *document) entry(r *record, json []byte) {
	w.add(`,{"fullUrl":`)
	w.quote(w.url(r))
	w.add(`,"resource":`)
	w.b = append(w.b, json...)
	w.add(`}`)
}

// labels says how confidential the whole is: as what is the most confidential in it.
func (w *document) labels() {
	if w.secrecy > 0 {
		w.add(`,"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"`, confidentiality[w.secrecy], `"}]`)
	}
}

func (w *document) composition() {
	l := w.words.language
	w.add(`{"resourceType":"Composition","meta":{"profile":["`, compositionProfile, `"]},"language":"`, w.words.tag(), `","text":{"status":"generated","div":`)
	w.scratch = w.overview(w.scratch[:0])
	w.b = element.Quote(w.b, w.scratch)
	w.add(`},"status":"final","type":{"coding":[{"system":"http://loinc.org","code":"60591-5","display":"Patient summary Document"}]},"subject":{"reference":`)
	w.quote(w.url(w.patient))
	w.add(`},"date":"`, w.stamp, `","author":[{"reference":"`, w.author, `"}],"title":`)
	w.quote(title.in(l))
	w.add(`,"confidentiality":"`, confidentiality[w.secrecy], `","section":[`)
	first := true
	for at := range rooms {
		if len(w.lists[at]) == 0 && !w.tells(at) {
			continue
		}
		if !first {
			w.add(`,`)
		}
		first = false
		w.section(at)
	}
	w.add(`]}`)
}

// tells reports whether an empty section is there to say that something is withheld: of
// those whose profile lets them be empty.
func (m *making) tells(at room) bool {
	switch at {
	case vitals, social, plan, directives:
		return m.masked(at)
	}
	return false
}

func (w *document) section(at room) {
	s := &sections[at]
	w.add(`{"title":`)
	w.quote(s.title.in(w.words.language))
	w.add(`,"code":{"coding":[{"system":"http://loinc.org","code":"`, s.code, `","display":"`, s.display, `"}]},"text":{"status":"generated","div":`)
	w.scratch = w.narrative(w.scratch[:0], at)
	w.b = element.Quote(w.b, w.scratch)
	w.add(`}`)
	if len(w.lists[at]) == 0 {
		w.add(`}`) // the profile takes no emptyReason: the words say it
		return
	}
	w.add(`,"entry":[`)
	for i := range w.lists[at] {
		if i > 0 {
			w.add(`,`)
		}
		w.add(`{"reference":`)
		w.quote(w.url(w.lists[at][i].record))
		w.add(`}`)
	}
	w.add(`]}`)
}
