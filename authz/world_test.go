package authz_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/amate-health/amate/authz"
	"github.com/amate-health/amate/authz/rbac"
	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/chart"
	"github.com/amate-health/amate/fhir/document/mhd"
	"github.com/amate-health/amate/fhir/document/summary"
	"github.com/amate-health/amate/fhir/registry/identity/mpi"
	"github.com/amate-health/amate/fhir/registry/record"
	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store/postgres"
	"github.com/amate-health/amate/store/sqlite"
	"github.com/amate-health/amate/store/storetest"
)

const base = "http://amate.test/fhir"

// engines open an empty store of each kind.
var engines = map[string]func(testing.TB) rest.Store{
	"sqlite": func(t testing.TB) rest.Store {
		s, err := sqlite.Open(t.Context(), t.TempDir()+"/amate.db", sqlite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	},
	"postgres": func(t testing.TB) rest.Store {
		s, err := postgres.Open(t.Context(), storetest.Postgres(t), postgres.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	},
}

// object is a resource as plain JSON.
type object = map[string]any

// rule is a line of a random policy.
type rule struct {
	types       []string
	acts        []string
	restriction string
	mask        bool
}

// world is a server with a population, a policy and consents, all random. What it
// shows is judged by reading the resources as plain JSON.
type world struct {
	t       *testing.T
	rand    *rand.Rand
	store   rest.Store
	guard   *authz.Guard
	api     *rest.API
	all     map[string]object // by Type/id
	order   []string
	rules   []rule   // of the one role, "nurse"
	also    []rule   // that are among them in any case
	exports *exports // that were ordered
	bound   bool

	asking *authz.Principal
}

// lacking is a purpose for which a consent must permit.
const lacking = "HRESCH"

func newWorld(t *testing.T, seed uint64, open func(testing.TB) rest.Store) *world {
	w := &world{t: t, rand: rand.New(rand.NewPCG(seed, 7)), store: open(t), all: map[string]object{}}
	w.populate()
	w.documents()
	w.consents()
	for _, ref := range w.order {
		w.put(w.all[ref])
	}
	w.certify()
	w.policy()
	return w
}

// put writes a resource, as someone who may do everything.
func (w *world) put(o object) {
	w.t.Helper()
	api, err := rest.New(rest.Config{Store: w.store, Guard: authz.Open{}, BaseURL: base, CursorKey: bytes.Repeat([]byte{1}, 32), Search: rest.Search{Person: mpi.Index(reading)}})
	if err != nil {
		w.t.Fatal(err)
	}
	body, _ := json.Marshal(o)
	r := httptest.NewRequest("PUT", fmt.Sprintf("%s/%s/%s", base, o["resourceType"], o["id"]), bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/fhir+json")
	a := httptest.NewRecorder()
	api.ServeHTTP(a, r)
	if a.Code != 200 && a.Code != 201 {
		w.t.Fatalf("put %s: %d %s", body, a.Code, a.Body)
	}
}

func (w *world) add(o object) {
	ref := fmt.Sprint(o["resourceType"], "/", o["id"])
	meta, _ := o["meta"].(object)
	if meta == nil {
		meta = object{}
		o["meta"] = meta
	}
	meta["tag"] = []any{object{"system": "http://marker", "code": "~" + ref + "~"}}
	w.all[ref] = o
	w.order = append(w.order, ref)
}

// one draws one of the given.
func one[T any](w *world, from ...T) T { return from[w.rand.IntN(len(from))] }

func (w *world) chance(percent int) bool { return w.rand.IntN(100) < percent }

const (
	nPatients = 4
	nOrgs     = 4
	codeA     = "http://loinc.org|1-1"
	codeB     = "http://loinc.org|2-2"
)

func reference(format string, args ...any) object {
	return object{"reference": fmt.Sprintf(format, args...)}
}

func concept(token string) object {
	system, code, _ := strings.Cut(token, "|")
	return object{"coding": []any{object{"system": system, "code": code}}}
}

// labels draws security labels.
func (w *world) labels() object {
	var list []any
	for _, code := range []string{"N", "R", "V"} {
		if w.chance(15) {
			list = append(list, object{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": code})
			break
		}
	}
	if w.chance(15) {
		list = append(list, object{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "HIV"})
	}
	if w.chance(10) {
		list = append(list, object{"system": authz.LabelSystem, "code": authz.Blocked})
	}
	if list == nil {
		return object{}
	}
	return object{"security": list}
}

// populate makes establishments under a jurisdiction, people and their records.
func (w *world) populate() {
	w.add(object{"resourceType": "Organization", "id": "j0", "name": "Jurisdicción", "identifier": []any{object{"system": "urn:j", "value": "J0"}}})
	for i := range nOrgs {
		o := object{"resourceType": "Organization", "id": fmt.Sprint("o", i), "name": "Unidad", "identifier": []any{object{"system": "urn:oid:2.16.840.1.113883.4.631", "value": clues(i)}}}
		if i < 2 {
			o["partOf"] = reference("Organization/j0")
		}
		w.add(o)
	}
	for i := range 2 {
		w.add(object{"resourceType": "Practitioner", "id": fmt.Sprint("d", i), "name": []any{object{"text": "Médico"}}})
	}
	for i := range nPatients {
		w.add(object{
			"resourceType": "Patient", "id": fmt.Sprint("p", i), "meta": w.labels(), "birthDate": fmt.Sprintf("19%d0-0%d-11", i+5, i+1),
			"name":                 []any{object{"family": fmt.Sprint("SECRETO", i)}},
			"identifier":           []any{object{"system": "http://n", "value": fmt.Sprint("SECRETO-N", i)}},
			"managingOrganization": reference("Organization/o%d", w.rand.IntN(nOrgs)),
		})
		w.add(object{"resourceType": "RelatedPerson", "id": fmt.Sprint("r", i), "patient": reference("Patient/p%d", i), "name": []any{object{"text": "SECRETO"}}})
	}
	for i := range 2 * nPatients {
		w.add(object{
			"resourceType": "Encounter", "id": fmt.Sprint("e", i), "meta": w.labels(), "status": "finished",
			"class": object{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"}, "subject": reference("Patient/p%d", i%nPatients),
			"serviceProvider": reference("Organization/o%d", w.rand.IntN(nOrgs)), "period": object{"start": "2026-01-12T10:00:00-06:00"},
		})
	}
	for i := range 5 * nPatients {
		patient := w.rand.IntN(nPatients)
		o := object{
			"resourceType": "Observation", "id": fmt.Sprint("b", i), "meta": w.labels(), "status": "final", "code": concept(one(w, codeA, codeB)),
			"subject": reference("Patient/p%d", patient), "category": []any{concept("http://c|" + one(w, "lab", "vital")), concept("http://c|laboratory")},
			"note": []any{object{"text": "SECRETO"}}, "valueString": "SECRETO", "effectiveDateTime": fmt.Sprintf("2026-01-%02d", 1+w.rand.IntN(28)),
		}
		if w.chance(60) {
			o["encounter"] = reference("Encounter/e%d", patient+nPatients*w.rand.IntN(2))
		}
		if w.chance(20) {
			o["performer"] = []any{reference("Patient/p%d", w.rand.IntN(nPatients))}
		}
		w.add(o)
	}
	for i := range 2 * nPatients {
		w.add(object{"resourceType": "Condition", "id": fmt.Sprint("c", i), "meta": w.labels(), "code": concept(one(w, codeA, codeB)), "subject": reference("Patient/p%d", w.rand.IntN(nPatients))})
	}
}

// documents makes what has no subject of its own: documents, their content, and who
// wrote what.
func (w *world) documents() {
	for i := range nPatients {
		w.add(object{
			"resourceType": "DocumentReference", "id": fmt.Sprint("f", i), "meta": w.labels(), "status": "current", "subject": reference("Patient/p%d", w.rand.IntN(nPatients)),
			"content": []any{object{"attachment": object{"contentType": "text/plain"}}},
		})
	}
	for i := range 2 * nPatients {
		own, other := w.rand.IntN(nPatients), w.rand.IntN(nPatients)
		entry := func(o object) any { return object{"fullUrl": fmt.Sprintf("urn:uuid:%d", w.rand.Int()), "resource": o} }
		result := object{"resourceType": "Observation", "status": "final", "code": concept(codeA), "subject": reference("Patient/p%d", one(w, own, own, other))}
		o := object{"resourceType": "Bundle", "id": fmt.Sprint("u", i), "meta": w.labels(), "type": "collection", "entry": []any{entry(result)}}
		if w.chance(50) {
			o["type"], o["timestamp"], o["identifier"] = "document", "2026-01-01T00:00:00Z", object{"system": "urn:d", "value": fmt.Sprint(i)}
			o["entry"] = []any{entry(object{
				"resourceType": "Composition", "status": "final", "type": concept(codeA), "date": "2026-01-01", "title": "SECRETO",
				"author": []any{reference("Practitioner/d0")}, "subject": reference("Patient/p%d", own),
			}), entry(result)}
		}
		w.add(o)
	}
	w.compositions()
	for i := range 3 * nPatients {
		o := object{"resourceType": "Binary", "id": fmt.Sprint("x", i), "meta": w.labels(), "contentType": "text/plain", "data": "SECRETO="}
		if w.chance(80) {
			o["securityContext"] = reference("%s%d", one(w, "Patient/p", "DocumentReference/f", "DocumentReference/f", "Observation/b"), w.rand.IntN(nPatients))
		}
		w.add(o)
	}
	for i := range 2 * nPatients {
		o := object{
			"resourceType": "Provenance", "id": fmt.Sprint("v", i), "meta": w.labels(), "recorded": "2026-01-01T00:00:00Z",
			"agent": []any{object{"who": reference("Practitioner/d0")}},
		}
		var targets []any
		for range 1 + w.rand.IntN(2) {
			targets = append(targets, reference("%s%d", one(w, "Patient/p", "Observation/b", "Encounter/e", "Bundle/u", "Practitioner/d"), w.rand.IntN(2)))
		}
		o["target"] = targets
		w.add(o)
	}
}

func clues(i int) string { return fmt.Sprintf("DFSSA00000%d", i) }

// consents draws what patients permit and refuse.
func (w *world) consents() {
	for i := range w.rand.IntN(2 * nPatients) {
		o := object{
			"resourceType": "Consent", "id": fmt.Sprint("k", i), "status": one(w, "active", "active", "active", "inactive"),
			"scope":      concept("http://terminology.hl7.org/CodeSystem/consentscope|" + one(w, "patient-privacy", "patient-privacy", "patient-privacy", "treatment")),
			"category":   []any{concept("http://loinc.org|59284-0")},
			"patient":    reference("Patient/p%d", w.rand.IntN(nPatients)),
			"policyRule": concept("http://terminology.hl7.org/CodeSystem/v3-ActCode|" + one(w, "OPTIN", "OPTOUT")),
			"provision":  w.provision(0),
		}
		w.add(o)
	}
}

func (w *world) provision(depth int) object {
	p := object{}
	if depth > 0 || w.chance(50) {
		p["type"] = one(w, "permit", "deny")
	} else {
		p["period"] = object{"start": "2020-01-01"}
	}
	ask := 25
	if w.chance(ask) {
		p["period"] = one(w, object{"start": "2020-01-01"}, object{"end": "2020-01-01"}, object{"start": "2020-01-01", "end": "2090"}, object{"start": "2090-01-01"})
	}
	if w.chance(ask) {
		actor := object{"role": concept("http://terminology.hl7.org/CodeSystem/v3-ParticipationType|IRCP")}
		actor["reference"] = one(w,
			reference("Practitioner/d%d", w.rand.IntN(2)), reference("Organization/o%d", w.rand.IntN(nOrgs)), reference("Organization/j0"),
			object{"identifier": object{"system": search.SystemRole, "value": "nurse"}},
			object{"identifier": object{"system": "urn:oid:2.16.840.1.113883.4.631", "value": clues(w.rand.IntN(nOrgs))}})
		p["actor"] = []any{actor}
	}
	if w.chance(ask) {
		p["purpose"] = []any{object{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": one(w, "TREAT", "ETREAT", "HRESCH")}}
	}
	if w.chance(ask) {
		p["class"] = []any{object{"system": "http://hl7.org/fhir/resource-types", "code": one(w, "Observation", "Condition", "Patient", "Encounter", "Bundle", "Binary")}}
	}
	if w.chance(ask) {
		p["securityLabel"] = []any{one(w,
			object{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": one(w, "N", "R", "V")},
			object{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "HIV"})}
	}
	if w.chance(ask) {
		p["code"] = []any{concept(one(w, codeA, codeB))}
	}
	if w.chance(10) {
		p["dataPeriod"] = object{"start": "2020-01-01"} // this server does not look at it
	}
	if depth < 3 {
		for range w.rand.IntN(3) {
			inner, _ := p["provision"].([]any)
			p["provision"] = append(inner, w.provision(depth+1))
		}
	}
	return p
}

// policy draws the rules of the role.
func (w *world) policy() {
	w.rules, w.bound = nil, w.chance(80)
	lines := []string{}
	for _, r := range w.also {
		w.rules = append(w.rules, r)
		lines = append(lines, fmt.Sprintf("p, nurse, *, %s, %s, *, allow, %s, none", strings.Join(r.types, " "), strings.Join(r.acts, " "), r.restriction))
	}
	for range 1 + w.rand.IntN(4) {
		r := rule{types: one(w, []string{"*"}, []string{"Observation", "Condition"}, []string{"Patient", "RelatedPerson", "Encounter"}, []string{"demographics", "clinical"}, []string{"Organization", "Practitioner", "Consent"}, []string{"Bundle", "Binary", "Provenance", "DocumentReference", "Observation"})}
		r.acts = one(w, []string{"read", "search"}, []string{"read"}, []string{"search"}, []string{"read", "search", "create", "update", "delete", "$everything", "$lastn", "$docref", "$summary", "$draft-note", "$render", "$arco-package", "$arco-due", "$arco-request", "$legal-holds", "$match", "$birth-find", "$birth-print"})
		r.restriction = one(w, "all", "all", "own-compartment", "own-unit", "own-jurisdiction", "?category=http://c|lab", "all-and-blocked", "wards", "own-unit & ?status=final", "self")
		if w.chance(60) {
			r.acts = append(slices.Clone(r.acts), "$arco-package")
		}
		r.mask = w.chance(20)
		if r.mask {
			r.acts = []string{"read", "search", "$everything", "$summary", "$draft-note", "$render", "$arco-package", "$match"}
		}
		if strings.Contains(r.restriction, "?") {
			r.types = []string{"Observation"}
		}
		mask := "none"
		if r.mask {
			mask = "de-identified"
		}
		w.rules = append(w.rules, r)
		lines = append(lines, fmt.Sprintf("p, nurse, *, %s, %s, *, allow, %s, %s", strings.Join(r.types, " "), strings.Join(r.acts, " "), r.restriction, mask))
	}
	files := fstest.MapFS{}
	for _, name := range rbac.Files() {
		data, err := fs.ReadFile(rbac.Embedded(), name)
		if err != nil {
			w.t.Fatal(err)
		}
		files[name] = &fstest.MapFile{Data: data}
	}
	files["policy.csv"] = &fstest.MapFile{Data: []byte(strings.Join(lines, "\n"))}
	if !w.bound {
		files["roles.csv"].Data = bytes.Replace(files["roles.csv"].Data, []byte("Nurse, TREAT, bound"), []byte("Nurse, TREAT, free"), 1)
	}
	p, err := rbac.Load(files)
	if err != nil {
		w.t.Fatal(err)
	}
	w.guard = authz.NewGuard(authz.GuardConfig{Store: w.store, Base: base, Policy: p, NeedConsent: []string{lacking}})
	w.serve()
}

func (w *world) serve() {
	var err error
	w.api, err = rest.New(rest.Config{
		Store: w.store, Guard: w.guard, BaseURL: base, CursorKey: bytes.Repeat([]byte{1}, 32), Operations: append(append(chart.Operations(w.store), mhd.Operations(w.store)...), append(summary.Operations(summary.Config{Store: w.store, Software: "Amate"}), append(record.Operations(record.Config{Store: w.store}), append(append(w.rightsOperations(), w.changesOperations()...), append(w.giisOperations(), append(append(append(append(append(append(append(w.doseOperations(), w.forecastOperations()...), w.campaignOperations()...), append(append(append(w.cardOperations(), w.agendaOperations()...), append(w.subscriptionOperations(), append(w.prescriptionOperations(), append(append(w.viewOperations(), w.exportOperations()...), w.referralOperations()...)...)...)...), w.measureOperations()...)...), w.identityOperations()...), w.mergeOperations()...), w.birthOperations()...), w.documentOperations()...)...)...)...)...)...), DeleteMany: true,
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// caller draws who asks.
func (w *world) caller() *authz.Principal {
	p := &authz.Principal{ID: fmt.Sprint("caller", w.rand.IntN(1000)), Roles: []string{"nurse"}, Purpose: one(w, "", "TREAT", "ETREAT", lacking)}
	p.User = one(w, fhir.Ref{}, fhir.Ref{Type: "Practitioner", ID: fmt.Sprint("d", w.rand.IntN(2))}, fhir.Ref{Type: "Patient", ID: fmt.Sprint("p", w.rand.IntN(nPatients))},
		fhir.Ref{Type: "RelatedPerson", ID: fmt.Sprint("r", w.rand.IntN(nPatients))})
	if w.chance(60) {
		p.Org = clues(w.rand.IntN(nOrgs))
	}
	if w.chance(50) {
		p.Patient = fmt.Sprint("p", w.rand.IntN(nPatients))
	}
	for range 1 + w.rand.IntN(3) {
		s := one(w, "patient/", "user/", "user/", "system/") + one(w, "*", "*", "Observation", "Patient", "Condition", "Encounter", "Bundle", "Binary") + "." + one(w, "rs", "rs", "cruds", "r", "s")
		if strings.HasPrefix(s[strings.IndexByte(s, '/'):], "/Observation") && w.chance(50) {
			s += "?category=http%3A%2F%2Fc%7C" + one(w, "lab", "vital")
		}
		p.Scopes = append(p.Scopes, s)
	}
	return p
}

func mustRef(s string) fhir.Ref {
	ref, ok := fhir.ParseRef(s)
	if !ok {
		panic(s)
	}
	return ref
}

// ask sends a request for p.
func (w *world) ask(p *authz.Principal, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	w.t.Helper()
	target := path
	if !strings.HasPrefix(path, "http") {
		target = base + path
	}
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/fhir+json")
	}
	r.Header.Set("Accept", "application/fhir+json") // of a Binary too, not its content
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	a := httptest.NewRecorder()
	w.api.ServeHTTP(a, r.WithContext(p.With(r.Context())))
	if err := unzip(a); err != nil {
		w.t.Fatal(err)
	}
	if a.Code >= http.StatusInternalServerError && a.Code != http.StatusNotImplemented {
		w.t.Fatalf("%s %s: %d %s", method, path, a.Code, a.Body)
	}
	return a
}

// marker finds what tells from which resource a text comes.
var marker = regexp.MustCompile(`~([A-Za-z]+/[a-z0-9]+)~`)

// shown lists the resources of which something is in an answer.
func shown(a *httptest.ResponseRecorder) []string {
	var refs []string
	for _, m := range marker.FindAllStringSubmatch(a.Body.String()+fmt.Sprint(a.Header()), -1) {
		refs = append(refs, m[1])
	}
	slices.Sort(refs)
	return slices.Compact(refs)
}
