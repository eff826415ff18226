package record

import (
	"cmp"
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/identity"
	"github.com/amate-health/amate/fhir/search"
)

// draft answers $draft-note: a preliminary Composition of the visit that it is called on.
//
// Parameters: type names the document (required); author is who writes it, by default the
// caller, else who attended; persist=true stores it, as the caller.
func (s *service) draft(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	ask, err := readAsk(call)
	if err != nil {
		return nil, err
	}
	encounter, err := s.read(ctx, call, call.Ref())
	if err != nil {
		return nil, err
	}
	m := &making{service: s, call: call, ask: ask}
	if err := m.gather(ctx, encounter); err != nil {
		return nil, err
	}
	text, err := m.composition(ctx)
	if err != nil || !ask.persist {
		return &operation.Answer{JSON: text}, err
	}
	return s.persist(ctx, call, text)
}

// asked is what a call of $draft-note asks for.
type asked struct {
	kind    *Kind
	author  string
	persist bool
}

func readAsk(call *operation.Call) (a asked, err error) {
	for _, name := range call.In.Names() {
		if !slices.Contains([]string{"type", "author", "persist"}, name) {
			return a, fhir.Errorf(fhir.Invalid, "$draft-note takes type, author and persist").With("not %.100q", name)
		}
	}
	token, err := call.In.Text("type")
	if err != nil {
		return a, err
	}
	if a.kind = Find(token); a.kind == nil {
		return a, fhir.Errorf(fhir.Invalid, "the parameter type names a document of NOM-004: %s; its clause or its LOINC code will do too", names()).With("type is %.100q", token)
	}
	if a.author, err = call.In.Text("author"); err != nil {
		return a, err
	}
	persist, err := call.In.Text("persist")
	if err == nil && persist != "" && persist != "true" && persist != "false" {
		err = fhir.Errorf(fhir.Invalid, "the parameter persist is true or false").With("persist is %.100q", persist)
	}
	a.persist = persist == "true"
	return a, err
}

// making is a draft on its way.
type making struct {
	*service
	call *operation.Call
	ask  asked
	doc  *document // the visit first, then what was found of it
}

// visitSearches say how to find what belongs to a visit.
var visitSearches = []struct{ typ, param string }{
	{"Observation", "encounter"}, {"Condition", "encounter"}, {"MedicationRequest", "encounter"},
	{"MedicationAdministration", "context"}, {"DiagnosticReport", "encounter"}, {"Procedure", "encounter"},
	{"ServiceRequest", "encounter"},
}

// gather finds what belongs to the visit and who was there.
func (m *making) gather(ctx context.Context, encounter fhir.Resource) error {
	all := []fhir.Resource{encounter}
	have := map[fhir.Ref]bool{encounter.Ref.Current(): true}
	for _, v := range visitSearches {
		found, err := m.find(ctx, m.call, v.typ, search.Param{Name: v.param, Value: encounter.Ref.Current().String()})
		if err != nil {
			return err
		}
		for _, r := range found {
			have[r.Ref.Current()] = true
		}
		all = append(all, found...)
	}
	for range 2 {
		refs, err := wanted(m.call.Base, all, have)
		if err != nil {
			return err
		}
		found, err := m.resources(ctx, m.call, refs[:min(len(refs), most)])
		if err != nil {
			return err
		}
		all = append(all, found...)
	}
	doc, err := element.Parse(asDocument(m.call.Base, all))
	if err != nil {
		return err
	}
	m.doc, _ = read(doc) // its first entry is the visit, and no Composition
	m.doc.comp = m.doc.entries[0].node
	return nil
}

// The parts of a Composition, in their order.
type (
	reference struct {
		Reference string `json:"reference"`
		Display   string `json:"display,omitempty"`
	}
	meta struct {
		Profile []string `json:"profile"`
	}
	narrativeText struct {
		Status string `json:"status"`
		Div    string `json:"div"`
	}
	draftSection struct {
		Title string        `json:"title"`
		Code  concept       `json:"code"`
		Text  narrativeText `json:"text"`
		Entry []reference   `json:"entry,omitempty"`
	}
	composition struct {
		ResourceType string         `json:"resourceType"`
		Meta         meta           `json:"meta"`
		Language     string         `json:"language"`
		Status       string         `json:"status"`
		Type         concept        `json:"type"`
		Subject      reference      `json:"subject"`
		Encounter    reference      `json:"encounter"`
		Date         string         `json:"date"`
		Author       []reference    `json:"author"`
		Title        string         `json:"title"`
		Custodian    reference      `json:"custodian"`
		Section      []draftSection `json:"section"`
	}
)

// composition writes the draft.
func (m *making) composition(ctx context.Context) ([]byte, error) {
	k, visit := m.ask.kind, m.doc.comp
	subject := m.doc.text(visit, "subject", "reference")
	if subject == "" {
		return nil, fhir.Errorf(fhir.Unprocessable, "the encounter has no subject, and a note is about a patient").At("Encounter.subject")
	}
	c := composition{
		ResourceType: "Composition", Meta: meta{[]string{k.Profile()}}, Language: "es-MX", Status: "preliminary",
		Type: typeOf(k), Subject: reference{Reference: subject}, Encounter: reference{Reference: m.call.Ref().String()},
		Date: m.now(), Title: k.Name,
	}
	author, err := m.author(ctx)
	if err != nil {
		return nil, err
	}
	c.Author = []reference{author}
	if c.Custodian, err = m.custodian(ctx); err != nil {
		return nil, err
	}
	for i := range k.Sections {
		if s := &k.Sections[i]; !s.Optional {
			c.Section = append(c.Section, m.section(s, c.Custodian))
		}
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err = e.Encode(c)
	return []byte(strings.TrimSpace(b.String())), err
}

// typeOf is the type of a document, in LOINC where it has a code there, and in our own system.
func typeOf(k *Kind) concept {
	t := concept{Text: k.Name}
	if k.LOINC != "" {
		t.Coding = append(t.Coding, coding{System: LOINC, Code: k.LOINC})
	}
	t.Coding = append(t.Coding, coding{System: DocumentSystem, Code: k.Code, Display: k.Name})
	return t
}

// now is the present in the time of the place of the visit: that of its own beginning,
// else that of central Mexico.
func (m *making) now() string {
	zone := time.FixedZone("", -6*60*60)
	if start, ok := instant(m.doc.text(m.doc.comp, "period", "start")); ok {
		_, offset := start.Zone()
		zone = time.FixedZone("", offset)
	}
	return m.Now().In(zone).Format("2006-01-02T15:04:05-07:00")
}

// author is who writes the note. Errors: fhir.Invalid, fhir.Unprocessable.
func (m *making) author(ctx context.Context) (reference, error) {
	ref := fhir.Ref{}
	if m.ask.author != "" {
		var ok bool
		if ref, ok = fhir.ParseRef(strings.TrimPrefix(m.ask.author, m.call.Base+"/")); !ok || ref.Type != "Practitioner" && ref.Type != "PractitionerRole" {
			return reference{}, fhir.Errorf(fhir.Invalid, "the parameter author names a Practitioner or a PractitionerRole").With("author is %.200q", m.ask.author)
		}
	} else if m.call.Caller.User.Type == "Practitioner" {
		ref = m.call.Caller.User
	} else {
		ref = m.attending()
	}
	if ref.Type == "" {
		return reference{}, fhir.Errorf(fhir.Unprocessable, "nobody is known to have attended the encounter: say with author who writes the note")
	}
	r, err := m.read(ctx, m.call, ref.Current())
	if err != nil {
		return reference{}, err
	}
	doc, err := element.Parse(r.JSON)
	if err != nil {
		return reference{}, err
	}
	d := &document{Doc: doc}
	return reference{ref.Current().String(), d.name(d.get(0, "name"))}, nil
}

// attending is the Practitioner of the visit: the attender first, else whoever is named.
func (m *making) attending() (ref fhir.Ref) {
	for p := range m.doc.each(m.doc.comp, "participant") {
		to, ok := fhir.ParseRef(strings.TrimPrefix(m.doc.text(p, "individual", "reference"), m.call.Base+"/"))
		if !ok || to.Type != "Practitioner" && to.Type != "PractitionerRole" {
			continue
		}
		for t := range m.doc.each(p, "type") {
			if m.doc.coded(t, participation, "ATND", "PPRF") {
				return to
			}
		}
		if ref.Type == "" {
			ref = to
		}
	}
	return ref
}

// custodian is the establishment of the visit, else the caller's.
func (m *making) custodian(ctx context.Context) (reference, error) {
	if r := m.doc.text(m.doc.comp, "serviceProvider", "reference"); r != "" {
		at := reference{Reference: r}
		if org := m.doc.find(m.doc.get(m.doc.comp, "serviceProvider")); org != nil {
			at.Display = m.doc.text(org.node, "name")
		}
		return at, nil
	}
	if m.call.Caller.Org != "" {
		value := strings.NewReplacer(`\`, `\\`, ",", `\,`, "|", `\|`, "$", `\$`).Replace(m.call.Caller.Org)
		found, err := m.find(ctx, m.call, "Organization", search.Param{Name: "identifier", Value: identity.SystemCLUES + "|" + value})
		if err != nil {
			return reference{}, err
		}
		if len(found) > 0 {
			return reference{Reference: found[0].Ref.Current().String()}, nil
		}
	}
	return reference{}, fhir.Errorf(fhir.Unprocessable, "the encounter has no serviceProvider, and a note names its establishment").At("Encounter.serviceProvider")
}

// persist stores a draft as the caller, and returns it as it is stored.
func (s *service) persist(ctx context.Context, call *operation.Call, text []byte) (*operation.Answer, error) {
	out, err := call.Send(ctx, []byte(`{"resourceType":"Bundle","type":"transaction","entry":[{"resource":`+string(text)+`,"request":{"method":"POST","url":"Composition"}}]}`))
	if err != nil {
		return nil, err
	}
	doc, err := element.Parse(out)
	if err != nil {
		return nil, err
	}
	d := &document{Doc: doc}
	location := d.text(0, "entry", "response", "location")
	if u, err := url.Parse(location); err == nil && u.IsAbs() {
		location = strings.TrimPrefix(location, call.Base+"/")
	}
	ref, ok := fhir.ParseRef(cmp.Or(location, "?"))
	if !ok {
		return nil, fhir.Errorf(fhir.Conflict, "the draft was not stored")
	}
	r, err := s.read(ctx, call, ref.Current())
	return &operation.Answer{Status: 201, JSON: r.JSON}, err
}
