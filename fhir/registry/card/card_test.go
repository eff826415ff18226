package card

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/card/health"
	"github.com/amate-health/amate/fhir/registry/card/link"
	"github.com/amate-health/amate/fhir/registry/key"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store/sqlite"
)

// post is a vaccination post over a real store, with a clock that the test sets.
type post struct {
	*testing.T
	store  *sqlite.Store
	ledger *Ledger
	links  *link.Service
	ops    map[string]operation.Operation
	now    time.Time
	sees   *search.Restriction
}

const issuerURL = "https://salud.example.gob.mx/cards"

func newPost(t *testing.T) *post {
	t.Helper()
	p := &post{T: t, ops: map[string]operation.Operation{}, now: time.Date(2026, 11, 22, 4, 0, 0, 0, time.UTC), sees: search.Unrestricted}
	clock := func() time.Time { return p.now }
	var err error
	if p.store, err = sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "amate.db"), sqlite.Options{Now: clock}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.store.Close() })
	secret := []byte("a secret of this database")
	p.ledger = &Ledger{State: p.store, Store: p.store, Ring: &key.Ring{State: p.store, Kind: KeyKind, Now: clock}, Secret: secret, URL: issuerURL, Now: clock}
	p.links = &link.Service{State: p.store, Secret: secret, URL: issuerURL + "/links", Now: clock}
	for _, op := range Operations(Config{
		Store: p.store, Ledger: p.ledger, Links: p.links, Now: clock, Authority: "Secretaría de Salud",
		Page: func(token string) string { return "https://salud.example.gob.mx/verify/" + token },
		Summary: func(context.Context, *operation.Call) (*operation.Answer, error) {
			return &operation.Answer{JSON: []byte(`{"resourceType":"Bundle","type":"document"}`)}, nil
		},
	}) {
		p.ops[op.Name] = op
	}
	p.put(`{"resourceType":"Patient","id":"p1","name":[{"use":"usual","text":"Xochi"},{"use":"official","family":"Ñáñez Peña","given":["Xóchitl"]}],"birthDate":"2025-03-15","gender":"female","identifier":[{"system":"urn:oid:2.16.840.1.113883.4.629","value":"NAPX250315MMCXXC03"}]}`)
	p.put(`{"resourceType":"Location","id":"l1","name":"Centro de Salud Toluca","identifier":[{"system":"urn:oid:2.16.840.1.113883.4.631","value":"MCSSA005225"}]}`)
	p.dose("d1", "completed", "146", "2025-05-15", `,"lotNumber":"A1","location":{"reference":"Location/l1"},"manufacturer":{"identifier":{"system":"http://hl7.org/fhir/sid/mvx","value":"PMC"}},"protocolApplied":[{"doseNumberPositiveInt":1}],"note":[{"text":"SECRETO"}]`)
	p.dose("d2", "completed", "212", "2026-01-02", `,"lotNumber":"B2","primarySource":false`)
	p.dose("d3", "not-done", "133", "2026-01-03", ``)
	p.dose("d4", "entered-in-error", "119", "2026-01-04", ``)
	return p
}

func (p *post) dose(id, status, cvx, day, more string) {
	p.Helper()
	p.put(fmt.Sprintf(`{"resourceType":"Immunization","id":%q,"status":%q,"vaccineCode":{"text":"x","coding":[{"system":"http://hl7.org/fhir/sid/cvx","code":%q,"display":"y"}]},"patient":{"reference":"Patient/p1"},"occurrenceDateTime":"%sT10:00:00-06:00"%s}`, id, status, cvx, day, more))
}

func (p *post) put(resource string) fhir.Ref {
	p.Helper()
	src, err := bundle.Parse([]byte(resource))
	if err != nil {
		p.Fatal(err)
	}
	change, err := bundle.Maker{Base: "http://h/fhir"}.Update(src, fhir.Ref{Type: src.Type(), ID: src.ID()}, false)
	if err != nil {
		p.Fatal(err)
	}
	done, err := p.store.Apply(p.Context(), &bundle.Batch{Changes: []bundle.Change{change}})
	if err != nil {
		p.Fatal(err)
	}
	return done[0].Resource.Ref
}

// call calls an operation with name=value parameters.
func (p *post) call(name, media string, params ...string) (*operation.Answer, error) {
	p.Helper()
	var query []search.Param
	for _, one := range params {
		n, v, _ := strings.Cut(one, "=")
		query = append(query, search.Param{Name: n, Value: v})
	}
	op := p.ops[name]
	return op.Run(p.Context(), &operation.Call{
		Type: "Patient", ID: "p1", Base: "https://salud.example.gob.mx/fhir", In: operation.NewInputs(query, nil), Restriction: p.sees, Media: media, MaxBytes: 1 << 20,
	})
}

// parameter returns the text of the first parameter with a name.
func (p *post) parameter(a *operation.Answer, name string) string {
	p.Helper()
	d, err := element.Parse(a.JSON)
	if err != nil {
		p.Fatal(err)
	}
	v, _, _ := operation.NewInputs(nil, d).One(name)
	return v.Text
}

func (p *post) issue(params ...string) string {
	p.Helper()
	a, err := p.call("health-cards-issue", "", append([]string{"credentialType=Immunization"}, params...)...)
	if err != nil {
		p.Fatal(err)
	}
	return p.parameter(a, "verifiableCredential")
}

func (p *post) verdict(jws string) health.Verdict {
	p.Helper()
	r, err := p.ledger.Check(p.Context(), jws, nil)
	if err != nil {
		p.Fatal(err)
	}
	return r.Verdict
}

// TestIssue: a card holds what was given, and nothing more than it needs.
func TestIssue(t *testing.T) {
	p := newPost(t)
	jws := p.issue()
	s, err := health.Parse(jws)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"resourceType":"Bundle","type":"collection","entry":[{"fullUrl":"resource:0","resource":{"resourceType":"Patient","name":[{"family":"Ñáñez Peña","given":["Xóchitl"]}],"birthDate":"2025-03-15"}},` +
		`{"fullUrl":"resource:1","resource":{"resourceType":"Immunization","status":"completed","vaccineCode":{"coding":[{"system":"http://hl7.org/fhir/sid/cvx","code":"146"}]},"patient":{"reference":"resource:0"},"occurrenceDateTime":"2025-05-15","manufacturer":{"identifier":{"system":"http://hl7.org/fhir/sid/mvx","value":"PMC"}},"lotNumber":"A1","performer":[{"actor":{"display":"Centro de Salud Toluca"}}]}},` +
		`{"fullUrl":"resource:2","resource":{"resourceType":"Immunization","status":"completed","vaccineCode":{"coding":[{"system":"http://hl7.org/fhir/sid/cvx","code":"212"}]},"patient":{"reference":"resource:0"},"occurrenceDateTime":"2026-01-02","lotNumber":"B2"}}]}`
	if string(s.Bundle) != want {
		t.Errorf("the card has\n%s\nwant\n%s", s.Bundle, want)
	}
	if p.verdict(jws) != health.Valid || s.Issuer != issuerURL || len(s.Key) != 43 || len(s.RID) != 16 {
		t.Errorf("%s %+v", p.verdict(jws), s)
	}
	for params, entries := range map[string]int{
		"credentialValueSet=https://terminology.smarthealth.cards/ValueSet/immunization-covid-all": 2, "includeIdentityClaim=Patient.birthDate": 3, "_since=2027": 0,
		"credentialType=https://smarthealth.cards#health-card": 3, "credentialType=https://smarthealth.cards#laboratory": 0,
	} {
		jws := p.issue(params)
		if (jws == "") != (entries == 0) {
			t.Errorf("%s: %q", params, jws)
			continue
		}
		if jws != "" {
			s, _ := health.Parse(jws)
			if n := strings.Count(string(s.Bundle), `"fullUrl"`); n != entries || strings.Contains(params, "birthDate") && strings.Contains(string(s.Bundle), "Peña") {
				t.Errorf("%s: %d entries: %s", params, n, s.Bundle)
			}
		}
	}
	for params, code := range map[string]fhir.Code{
		"credentialValueSet=https://x": fhir.Unprocessable, "includeIdentityClaim=Patient.address": fhir.Invalid, "_since=yesterday": fhir.Invalid, "credentialtype=x": fhir.Invalid,
	} {
		if _, err := p.call("health-cards-issue", "", "credentialType=Immunization", params); fhir.CodeOf(err) != code {
			t.Errorf("%s: %v", params, err)
		}
	}
	if _, err := p.call("health-cards-issue", ""); fhir.CodeOf(err) != fhir.Invalid {
		t.Errorf("without a type: %v", err)
	}
	p.sees = &search.Restriction{}
	for name := range p.ops {
		if _, err := p.call(name, "", "credentialType=Immunization"); err == nil {
			t.Errorf("$%s of a Patient who may not be seen", name)
		}
	}
}

// TestRevoked: a card, and a paper, stop to count when what they say of a dose is not so
// any more, and not when something else changes.
func TestRevoked(t *testing.T) {
	p := newPost(t)
	both, covid := p.issue(), p.issue("credentialType=#covid19")
	if again := p.issue(); health.Codes(again) == nil || rid(t, again) != rid(t, both) {
		t.Error("the same card has another identifier")
	}
	token := p.token()
	changed := func(ref fhir.Ref) {
		t.Helper()
		if err := p.ledger.Changed(t.Context(), ref, ref); err != nil { // to look twice does no harm
			t.Fatal(err)
		}
	}
	changed(p.put(`{"resourceType":"Immunization","id":"d1","status":"completed","vaccineCode":{"coding":[{"system":"http://hl7.org/fhir/sid/cvx","code":"146"}]},"patient":{"reference":"Patient/p1"},"occurrenceDateTime":"2025-05-15","lotNumber":"A1","note":[{"text":"other"}]}`))
	if p.verdict(both) != health.Valid {
		t.Error("a note revokes")
	}
	if paper, err := p.ledger.Paper(t.Context(), token); err != nil || !paper.Counts || paper.Initials != "XÑP" || len(paper.Doses) != 2 {
		t.Errorf("%+v %v", paper, err)
	}
	changed(p.put(`{"resourceType":"Immunization","id":"d1","status":"entered-in-error","vaccineCode":{"coding":[{"system":"http://hl7.org/fhir/sid/cvx","code":"146"}]},"patient":{"reference":"Patient/p1"},"occurrenceDateTime":"2025-05-15","lotNumber":"A1"}`))
	if p.verdict(both) != health.Revoked || p.verdict(covid) != health.Valid {
		t.Errorf("after a dose was refuted: %s, without that dose %s", p.verdict(both), p.verdict(covid))
	}
	if paper, err := p.ledger.Paper(t.Context(), token); err != nil || paper.Counts {
		t.Errorf("%+v %v", paper, err)
	}
	i, err := p.ledger.Issuer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	set, err := Set(i)
	if err != nil || len(set.Keys) != 1 || set.Keys[0].RevocationList != 2 || len(i.Lists[0].RIDs) != 1 || i.Lists[0].RIDs[0] != rid(t, both) {
		t.Errorf("%+v %+v", set, i.Lists)
	}
	// What was refuted by mistake is put right: a card of then stays revoked, a new one counts.
	changed(p.put(`{"resourceType":"Immunization","id":"d1","status":"completed","vaccineCode":{"coding":[{"system":"http://hl7.org/fhir/sid/cvx","code":"146"}]},"patient":{"reference":"Patient/p1"},"occurrenceDateTime":"2025-05-15","lotNumber":"A1","location":{"reference":"Location/l1"},"manufacturer":{"identifier":{"system":"http://hl7.org/fhir/sid/mvx","value":"PMC"}}}`))
	if again := p.issue(); p.verdict(again) != health.Valid || p.verdict(both) != health.Revoked {
		t.Errorf("a new card is %s, the old one %s", p.verdict(again), p.verdict(both))
	}
	if _, err := p.call("health-cards-revoke", ""); err != nil {
		t.Fatal(err)
	}
	if p.verdict(covid) != health.Revoked {
		t.Error("the patient took all cards back")
	}
}

func rid(t *testing.T, jws string) string {
	s, err := health.Parse(jws)
	if err != nil {
		t.Fatal(err)
	}
	return s.RID
}

// token prints a cartilla, and returns what its page is called.
func (p *post) token() string {
	p.Helper()
	a, err := p.call("cartilla", mediaHTML)
	if err != nil {
		p.Fatal(err)
	}
	html := string(a.Raw)
	_, after, ok := strings.Cut(html, "https://salud.example.gob.mx/verify/")
	if !ok || strings.Contains(html, "SECRETO") {
		p.Fatal(html)
	}
	return after[:32]
}

// TestRotation: keys follow one another; what old ones signed counts, what was signed by
// one in wrong hands does not.
func TestRotation(t *testing.T) {
	p := newPost(t)
	first := p.issue()
	if err := p.ledger.Ring.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	second := p.issue()
	a, _ := health.Parse(first)
	b, _ := health.Parse(second)
	if a.Key == b.Key || p.verdict(first) != health.Valid || p.verdict(second) != health.Valid {
		t.Errorf("%s and %s: %s, %s", a.Key, b.Key, p.verdict(first), p.verdict(second))
	}
	if err := p.ledger.Ring.Retire(t.Context(), b.Key); err != nil {
		t.Fatal(err)
	}
	third, _ := health.Parse(p.issue())
	if third.Key == b.Key || third.Key == a.Key || p.verdict(second) != health.Valid {
		t.Errorf("after a key was retired %s signs; its cards are %s", third.Key, p.verdict(second))
	}
	entries, err := p.store.Entries(t.Context(), KeyKind, "", "", 10)
	if err != nil || len(entries) != 3 || strings.Contains(string(entries[1].Value), "Private") {
		t.Errorf("%d keys; the private part of a retired one is kept: %v", len(entries), err)
	}
	if err := p.ledger.Ring.Revoke(t.Context(), a.Key, p.now); err != nil {
		t.Fatal(err)
	}
	if i, err := p.ledger.Issuer(t.Context()); p.verdict(first) != health.NoKey || err != nil || len(i.Keys) != 2 {
		t.Errorf("a key in wrong hands: %s", p.verdict(first))
	}
	if err := p.ledger.Ring.Retire(t.Context(), "nobody"); fhir.CodeOf(err) != fhir.NotFound {
		t.Error(err)
	}
}

// TestOtherServer: a card can be verified at once at every server, also by those that have
// read the keys before there was its key.
func TestOtherServer(t *testing.T) {
	p := newPost(t)
	other := *p.ledger
	other.Ring = &key.Ring{State: p.store, Kind: KeyKind, Now: p.ledger.Now}
	for range 2 { // the first key, then one that follows
		if _, err := other.Issuer(t.Context()); err != nil {
			t.Fatal(err)
		}
		r, err := other.Check(t.Context(), p.issue(), nil)
		if err != nil || r.Verdict != health.Valid {
			t.Fatalf("%v %v", r.Verdict, err)
		}
		if err := p.ledger.Ring.Rotate(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if i, err := other.Issuer(t.Context()); err != nil || len(i.Keys) != 2 {
		t.Errorf("%d keys are published: %v", len(i.Keys), err)
	}
}

// TestDDCC: the certificate has what WHO asks for, and its signature holds it.
func TestDDCC(t *testing.T) {
	p := newPost(t)
	if _, err := p.call("ddcc", ""); fhir.CodeOf(err) != fhir.Unprocessable || !strings.Contains(err.Error(), "doseNumber") {
		t.Errorf("a dose without its number: %v", err)
	}
	if _, err := p.call("ddcc", "", "immunization=d4"); fhir.CodeOf(err) != fhir.NotFound {
		t.Errorf("a refuted dose: %v", err)
	}
	a, err := p.call("ddcc", "", "immunization=Immunization/d1")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Type  string
		Entry []struct {
			FullURL  string
			Resource map[string]any
		}
		Signature struct{ Data string }
	}
	if err := json.Unmarshal(a.JSON, &doc); err != nil || doc.Type != "document" || len(doc.Entry) != 4 {
		t.Fatalf("%v %s", err, a.JSON)
	}
	jws, err := base64.StdEncoding.DecodeString(doc.Signature.Data)
	if err != nil || p.verdict(string(jws)) != health.Valid {
		t.Fatal(err)
	}
	s, _ := health.Parse(string(jws))
	var inner, outer map[string]any
	if json.Unmarshal(s.Bundle, &inner) != nil || json.Unmarshal(a.JSON, &outer) != nil {
		t.Fatal("no JSON")
	}
	delete(outer, "signature")
	if fmt.Sprint(inner) != fmt.Sprint(outer) {
		t.Errorf("what is signed is\n%v, not\n%v", inner, outer)
	}
	known := map[string]bool{}
	for _, e := range doc.Entry {
		known[e.FullURL] = true
	}
	for _, part := range strings.Split(string(a.JSON), `"reference":"`)[1:] {
		if ref, _, _ := strings.Cut(part, `"`); !known[ref] {
			t.Errorf("the document refers to %s, which it lacks", ref)
		}
	}
	if im := doc.Entry[3].Resource; im["lotNumber"] != "A1" || im["occurrenceDateTime"] != "2025-05-15" || !strings.Contains(fmt.Sprint(im["extension"]), "MEX") {
		t.Errorf("%v", im)
	}
}

// TestShare: a link leads to a card that can be verified, until its owner ends it.
func TestShare(t *testing.T) {
	p := newPost(t)
	a, err := p.call("health-link", "", "content=card", "content=summary", "label=Escuela", "expires=2026-12-31")
	if err != nil {
		t.Fatal(err)
	}
	l, err := link.Parse(p.parameter(a, "link"))
	if err != nil || l.Label != "Escuela" || l.Expires.Format(time.RFC3339) != "2027-01-01T06:00:00Z" {
		t.Fatalf("%+v %v", l, err)
	}
	name := l.URL[strings.LastIndexByte(l.URL, '/')+1:]
	m, _, err := p.links.Resolve(t.Context(), link.Asked{Name: name, Most: -1})
	if err != nil || len(m.Files) != 2 {
		t.Fatal(err)
	}
	_, content, err := link.Open(l.Key, m.Files[0].Embedded)
	if err != nil {
		t.Fatal(err)
	}
	cards, err := health.Find(content)
	if err != nil || len(cards) != 1 || p.verdict(cards[0]) != health.Valid {
		t.Errorf("%v %v", cards, err)
	}
	listed, err := p.call("health-links", "")
	if err != nil || !strings.Contains(string(listed.JSON), "Escuela") || strings.Contains(string(listed.JSON), name) {
		t.Errorf("%s %v", listed.JSON, err)
	}
	if _, err := p.call("health-link-revoke", ""); fhir.CodeOf(err) != fhir.Invalid {
		t.Errorf("which one: %v", err)
	}
	if _, err := p.call("health-link-revoke", "", "id="+p.parameter(a, "id")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := p.links.Resolve(t.Context(), link.Asked{Name: name, Most: -1}); fhir.CodeOf(err) != fhir.NotFound {
		t.Errorf("after it was ended: %v", err)
	}
	for params, code := range map[string]fhir.Code{
		"content=x": fhir.Invalid, "expires=tomorrow": fhir.Invalid, "expires=2020-01-01": fhir.Invalid, "long=yes": fhir.Invalid, "passcode=1": fhir.Invalid, "lable=x": fhir.Invalid, "link=shlink:/x": fhir.Invalid,
	} {
		if _, err := p.call("health-link", "", params); fhir.CodeOf(err) != code {
			t.Errorf("%s: %v", params, err)
		}
	}
}

// TestCartilla: the paper says what was given, in Spanish; whoever reads the database
// cannot make the token of its page.
func TestCartilla(t *testing.T) {
	p := newPost(t)
	a, err := p.call("cartilla", mediaHTML, "bilingual=true", "smart=true")
	if err != nil {
		t.Fatal(err)
	}
	html := string(a.Raw)
	for _, want := range []string{"Cartilla de vacunación / Vaccination record", "Xóchitl Ñáñez Peña", "NAPX250315MMCXXC03", "15/03/2025", "Mujer", "15/05/2025", "A1", "Centro de Salud Toluca CLUES MCSSA005225", "02/01/2026", "Hexavalente", " *", "Tarjeta de salud SMART"} {
		if !strings.Contains(html, want) {
			t.Errorf("it lacks %q", want)
		}
	}
	for _, never := range []string{"SECRETO", "03/01/2026", "04/01/2026"} {
		if strings.Contains(html, never) {
			t.Errorf("it has %q", never)
		}
	}
	token := p.token()
	if p.token() != token {
		t.Error("the same doses have another token")
	}
	entries, err := p.store.Entries(t.Context(), paperKind, "", "", 10)
	if err != nil || len(entries) != 1 || strings.Contains(entries[0].Key+string(entries[0].Value), token) || strings.Contains(string(entries[0].Value), "Peña") {
		t.Errorf("%d papers are kept: %s %v", len(entries), entries[0].Value, err)
	}
	if _, err := p.ledger.Paper(t.Context(), token+"x"); fhir.CodeOf(err) != fhir.NotFound {
		t.Error(err)
	}
	if pdf, err := p.call("cartilla", mediaPDF); err != nil || !strings.HasPrefix(string(pdf.Raw), "%PDF-") {
		t.Error(err)
	}
	if _, err := p.call("cartilla", mediaPDF, "smart=1"); fhir.CodeOf(err) != fhir.Invalid {
		t.Error(err)
	}
}

// TestForget: of a person whose record was removed for good nothing is left but the
// revocation of their cards, and links end.
func TestForget(t *testing.T) {
	p := newPost(t)
	card, err := p.call("health-cards-issue", "", "credentialType=Immunization")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.call("cartilla", mediaHTML); err != nil {
		t.Fatal(err)
	}
	shared, err := p.call("health-link", "", "label=Escuela", "long=true")
	if err != nil {
		t.Fatal(err)
	}
	l, err := link.Parse(p.parameter(shared, "link"))
	if err != nil {
		t.Fatal(err)
	}
	kinds := []string{issuedKind, doseKind, paperKind, "card-link", "card-link-file"}
	for _, kind := range kinds {
		if entries, err := p.store.Entries(t.Context(), kind, "", "", 10); err != nil || len(entries) == 0 {
			t.Fatalf("no entries of kind %s: %v", kind, err)
		}
	}
	for range 2 { // who goes on after a crash does it twice
		if err := p.ledger.Forget(t.Context(), fhir.Ref{Type: "Immunization", ID: "d1"}, fhir.Ref{Type: "Immunization", ID: "d2"}, fhir.Ref{Type: "Patient", ID: "p1"}); err != nil {
			t.Fatal(err)
		}
		if err := p.links.Forget(t.Context(), "p1"); err != nil {
			t.Fatal(err)
		}
	}
	for _, kind := range kinds {
		if entries, err := p.store.Entries(t.Context(), kind, "", "", 10); err != nil || len(entries) != 0 {
			t.Errorf("%d entries of kind %s are left: %v", len(entries), kind, err)
		}
	}
	if got := p.verdict(p.parameter(card, "verifiableCredential")); got != health.Revoked {
		t.Errorf("the card is %v", got)
	}
	if _, _, err := p.links.Resolve(t.Context(), link.Asked{Name: l.URL[strings.LastIndexByte(l.URL, '/')+1:], Most: -1}); fhir.CodeOf(err) != fhir.NotFound {
		t.Error(err)
	}
}

// TestStanding: when a record may not be shown any more, its cards are revoked, the page of
// its cartilla tells nothing, and what was shared is not handed out.
func TestStanding(t *testing.T) {
	p := newPost(t)
	stands := true
	standing := func(_ context.Context, patient string) (bool, error) {
		if patient != "p1" {
			t.Errorf("asked of %q", patient)
		}
		return stands, nil
	}
	p.ledger.Standing, p.links.Standing = standing, standing
	card, err := p.call("health-cards-issue", "", "credentialType=Immunization")
	if err != nil {
		t.Fatal(err)
	}
	jws, token := p.parameter(card, "verifiableCredential"), p.token()
	shared, err := p.call("health-link", "")
	if err != nil {
		t.Fatal(err)
	}
	l, err := link.Parse(p.parameter(shared, "link"))
	if err != nil {
		t.Fatal(err)
	}
	ask := link.Asked{Name: l.URL[strings.LastIndexByte(l.URL, '/')+1:]}
	m, _, err := p.links.Resolve(t.Context(), ask)
	if err != nil || m.Files[0].Location == "" {
		t.Fatal(err)
	}
	ticket := m.Files[0].Location[strings.LastIndexByte(m.Files[0].Location, '/')+1:]
	change := fhir.Ref{Type: "Patient", ID: "p1", Version: 2}
	if err := p.ledger.Changed(t.Context(), change); err != nil || p.verdict(jws) != health.Valid {
		t.Fatalf("a Patient changes: %v", err)
	}
	stands = false
	if err := p.ledger.Changed(t.Context(), change); err != nil || p.verdict(jws) != health.Revoked {
		t.Errorf("the card stands: %v", err)
	}
	if _, err := p.ledger.Paper(t.Context(), token); fhir.CodeOf(err) != fhir.NotFound {
		t.Errorf("the cartilla stands: %v", err)
	}
	if _, _, err := p.links.Resolve(t.Context(), ask); fhir.CodeOf(err) != fhir.NotFound {
		t.Errorf("the link stands: %v", err)
	}
	if _, _, err := p.links.File(t.Context(), ticket); fhir.CodeOf(err) != fhir.NotFound {
		t.Errorf("the file is handed out: %v", err)
	}
	stands = true
	if _, _, err := p.links.Resolve(t.Context(), ask); err != nil {
		t.Error(err)
	}
}
