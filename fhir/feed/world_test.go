package feed_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/amate-health/amate/authz"
	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/feed"
	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store"
	"github.com/amate-health/amate/store/postgres"
	"github.com/amate-health/amate/store/sqlite"
	"github.com/amate-health/amate/store/storetest"
)

// engine is a store with its feed.
type engine interface {
	rest.Store
	authz.State
	Feed() *store.Feed
	store.FeedPruner
	Purge(ctx context.Context, refs []fhir.Ref, x store.Indexer) (store.Purged, error)
}

var engines = map[string]func(testing.TB) engine{
	"sqlite": func(t testing.TB) engine {
		s, err := sqlite.Open(t.Context(), t.TempDir()+"/amate.db", sqlite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	},
	"postgres": func(t testing.TB) engine {
		s, err := postgres.Open(t.Context(), storetest.Postgres(t), postgres.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	},
}

// heeded tells the guard of what is written.
type heeded struct {
	engine
	guard *authz.Guard
}

func (h *heeded) Apply(ctx context.Context, b *bundle.Batch) ([]bundle.Result, error) {
	results, err := h.engine.Apply(ctx, b)
	for i := range results {
		h.guard.Written(&results[i].Resource)
	}
	return results, err
}

// system may do everything; the others have their roles. Each is chosen by a header.
var people = map[string]*authz.Principal{
	"keeper":     {ID: "keeper", Roles: []string{"system", "arco-officer"}, Scopes: []string{"system/*.cruds"}, Purpose: "HOPERAT"},
	"system":     {ID: "system", Roles: []string{"system"}, Scopes: []string{"system/*.cruds"}, Purpose: "TREAT"},
	"clinician":  {ID: "clinician", Roles: []string{"clinician"}, Scopes: []string{"system/*.cruds"}, Purpose: "TREAT", Org: "CLUES0"},
	"other":      {ID: "other", Roles: []string{"clinician"}, Scopes: []string{"system/*.rs"}, Purpose: "TREAT", Org: "CLUES1"},
	"vaccinator": {ID: "vaccinator", Roles: []string{"vaccinator"}, Scopes: []string{"system/*.rs"}, Purpose: "TREAT", Org: "CLUES0"},
	"clinic":     {ID: "clinic", Roles: []string{"clinic-system"}, Scopes: []string{"system/*.rs"}, Purpose: "TREAT", Org: "CLUES0"},
	"far":        {ID: "far", Roles: []string{"clinic-system"}, Scopes: []string{"system/*.rs"}, Purpose: "TREAT", Org: "CLUES1"},
	"certifier":  {ID: "certifier", Roles: []string{"birth-certifier"}, Scopes: []string{"system/*.rs"}, Purpose: "TREAT", Org: "CLUES0"},
	"patient":    {ID: "patient", Roles: []string{"patient"}, Scopes: []string{"patient/*.rs"}, Purpose: "PATRQT", Patient: "p1"},
}

// world is a server with what happens on it.
type world struct {
	t    testing.TB
	url  string
	rand *rand.Rand

	engine engine
	shown  *hooked // what answers are read from
	inside *hooked // what the server reads in its own interest
}

func newWorld(t testing.TB, seed uint64, open func(testing.TB) engine) *world {
	s := open(t)
	router := chi.NewRouter()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p := people[r.Header.Get("X-Who")]; p != nil {
			r = r.WithContext(p.With(r.Context()))
		}
		router.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	w := &world{t: t, url: server.URL + "/fhir", rand: rand.New(rand.NewPCG(seed, 7)), engine: s}
	guard := authz.NewGuard(authz.GuardConfig{Store: s, Base: w.url, Seen: s.Feed().Seen})
	h := &heeded{s, guard}
	w.shown, w.inside = &hooked{engine: s}, &hooked{engine: s}
	s.Feed().Pause(5 * time.Millisecond)
	f := feed.New(feed.Config{Store: w.shown, Inside: w.inside, Changes: s.Feed(), Key: bytes.Repeat([]byte{1}, 32), Shown: func(context.Context, *search.Restriction, []fhir.Resource) error { return nil }})
	api, err := rest.New(rest.Config{Store: h, State: s, Guard: guard, BaseURL: w.url, CursorKey: bytes.Repeat([]byte{2}, 32), Operations: f.Operations()})
	if err != nil {
		t.Fatal(err)
	}
	api.Mount(router)
	return w
}

// do sends a request and returns the status and the body.
func (w *world) do(ctx context.Context, who, method, url, body string, headers ...string) (int, []byte, error) {
	if !strings.HasPrefix(url, "http") {
		url = w.url + url
	}
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("X-Who", who)
	if body != "" {
		req.Header.Set("Content-Type", "application/fhir+json")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	return resp.StatusCode, out, err
}

// put writes a resource as the system; a conflict of two writers is no failure.
func (w *world) put(resource string) {
	w.t.Helper()
	var r struct{ ResourceType, ID string }
	if err := json.Unmarshal([]byte(resource), &r); err != nil {
		w.t.Fatalf("%s: %v", resource, err)
	}
	status, body, err := w.do(context.Background(), "keeper", "PUT", "/"+r.ResourceType+"/"+r.ID, resource)
	// What is blocked may be changed, and not made.
	if err != nil || status >= 300 && status != 409 && !(status == 403 && strings.Contains(resource, "bloqueado")) {
		w.t.Errorf("PUT %s: %d %s %v", resource, status, body, err)
	}
}

func (w *world) remove(ref string) {
	w.t.Helper()
	if status, body, err := w.do(context.Background(), "keeper", "DELETE", "/"+ref, ""); err != nil || status >= 300 && status != 409 && status != 404 {
		w.t.Errorf("DELETE %s: %d %s %v", ref, status, body, err)
	}
}

// How many there are of each.
const orgs, patients, encounters, observations = 3, 10, 8, 40

const blocked = `"security":[{"system":"https://github.com/amate-health/amate/fhir/CodeSystem/etiqueta","code":"bloqueado"}],`

// meta blocks one resource in so many.
func meta(r *rand.Rand, in int) string {
	if r.IntN(in) == 0 {
		return `"meta":{` + blocked + `"source":"urn:x"},`
	}
	return ""
}

func patientOf(r *rand.Rand, n int) string {
	return fmt.Sprintf(`{"resourceType":"Patient",%s"id":"p%d","birthDate":"19%02d","managingOrganization":{"reference":"Organization/o%d"}}`, meta(r, 12), n, r.IntN(100), r.IntN(orgs))
}

func groupOf(r *rand.Rand, n int) string {
	var members []string
	for p := range patients {
		switch r.IntN(6) {
		case 0, 1, 2:
			members = append(members, fmt.Sprintf(`{"entity":{"reference":"Patient/p%d"}}`, p))
		case 3:
			members = append(members, fmt.Sprintf(`{"entity":{"reference":"Patient/p%d"},"inactive":true}`, p))
		case 4:
			members = append(members, fmt.Sprintf(`{"entity":{"reference":"Patient/p%d"},"period":{"end":"2020-01-01"}}`, p))
		}
	}
	if len(members) == 0 {
		members = append(members, `{"entity":{"reference":"Patient/p0"}}`)
	}
	return fmt.Sprintf(`{"resourceType":"Group","id":"g%d","type":"person","actual":true,"member":[%s]}`, n, strings.Join(members, ","))
}

func consentOf(r *rand.Rand, n int) string {
	deny := []string{
		`"type":"deny"`,
		`"type":"deny","actor":[{"role":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ParticipationType","code":"IRCP"}]},"reference":{"reference":"Organization/o0"}}]`,
		`"type":"deny","class":[{"system":"http://hl7.org/fhir/resource-types","code":"Observation"}]`,
		`"type":"permit"`,
	}[r.IntN(4)]
	status := []string{"active", "active", "inactive"}[r.IntN(3)]
	return fmt.Sprintf(`{"resourceType":"Consent","id":"c%d","status":%q,"scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},`+
		`"category":[{"coding":[{"system":"http://loinc.org","code":"59284-0"}]}],"policyRule":{"text":"x"},"patient":{"reference":"Patient/p%d"},"provision":{%s}}`, n, status, r.IntN(patients), deny)
}

func encounterOf(r *rand.Rand, n int) string {
	return fmt.Sprintf(`{"resourceType":"Encounter",%s"id":"e%d","status":"finished","class":{"code":"AMB"},"subject":{"reference":"Patient/p%d"},"serviceProvider":{"reference":"Organization/o%d"}}`,
		meta(r, 15), n, r.IntN(patients), r.IntN(orgs))
}

func observationOf(r *rand.Rand, n int) string {
	encounter := ""
	if r.IntN(2) == 0 {
		encounter = fmt.Sprintf(`"encounter":{"reference":"Encounter/e%d"},`, r.IntN(encounters))
	}
	return fmt.Sprintf(`{"resourceType":"Observation",%s"id":"b%d","status":"final","code":{"text":"x"},%s"subject":{"reference":"Patient/p%d"},"valueInteger":%d}`,
		meta(r, 10), n, encounter, r.IntN(patients), r.IntN(1000))
}

func provenanceOf(r *rand.Rand, n int) string {
	return fmt.Sprintf(`{"resourceType":"Provenance","id":"v%d","target":[{"reference":"Observation/b%d"}],"recorded":"2026-01-01T00:00:00Z","agent":[{"who":{"reference":"Patient/p%d"}}]}`,
		n, r.IntN(observations), r.IntN(patients))
}

// settle fills the world.
func (w *world) settle() {
	for n := range orgs {
		w.put(fmt.Sprintf(`{"resourceType":"Organization","id":"o%d","name":"x","identifier":[{"system":"http://clues","value":"CLUES%d"}]}`, n, n))
	}
	for n := range patients {
		w.put(patientOf(w.rand, n))
	}
	for n := range encounters {
		w.put(encounterOf(w.rand, n))
	}
	for n := range observations {
		w.put(observationOf(w.rand, n))
	}
	w.put(groupOf(w.rand, 0))
	w.put(groupOf(w.rand, 1))
}

// happen does one random thing.
func (w *world) happen(r *rand.Rand) {
	switch n := r.IntN(40); {
	case n < 20:
		w.put(observationOf(r, r.IntN(observations)))
	case n < 24:
		w.remove(fmt.Sprintf("Observation/b%d", r.IntN(observations)))
	case n < 28:
		w.put(encounterOf(r, r.IntN(encounters)))
	case n < 30:
		w.put(patientOf(r, r.IntN(patients)))
	case n < 33:
		w.put(groupOf(r, r.IntN(2)))
	case n < 36:
		w.put(consentOf(r, r.IntN(4)))
	case n < 37:
		w.remove(fmt.Sprintf("Consent/c%d", r.IntN(4)))
	case n < 39:
		w.put(provenanceOf(r, r.IntN(10)))
	default:
		w.remove(fmt.Sprintf("Encounter/e%d", r.IntN(encounters)))
	}
}

// all returns what a search under somebody's rights finds, page by page.
func (w *world) all(who, path string) map[string]string {
	w.t.Helper()
	found := map[string]string{}
	for url := path; url != ""; {
		status, body, err := w.do(context.Background(), who, "GET", url, "")
		if err == nil && (status == 403 || status == 404) {
			return found
		}
		var a answer
		if err != nil || status != 200 || json.Unmarshal(body, &a) != nil {
			w.t.Fatalf("%s: %d %s %v", url, status, body, err)
		}
		for _, e := range a.Entry {
			var r struct{ ResourceType, ID string }
			if err := json.Unmarshal(e.Resource, &r); err != nil {
				w.t.Fatal(err)
			}
			found[r.ResourceType+"/"+r.ID] = string(e.Resource)
		}
		url = ""
		for _, l := range a.Link {
			if l.Relation == "next" {
				url = l.URL
			}
		}
	}
	return found
}

var types = []string{"Organization", "Patient", "Encounter", "Observation", "Group", "Consent", "Provenance"}

// seen returns everything that somebody can see by searching type by type.
func (w *world) seen(who string) map[string]string {
	found := map[string]string{}
	for _, typ := range types {
		maps.Copy(found, w.all(who, "/"+typ+"?_count=100"))
	}
	return found
}

// body is what the truth is read from.
type body struct {
	Subject, Patient, ServiceProvider, ManagingOrganization, Encounter struct{ Reference string }
	Agent                                                              []struct{ Who struct{ Reference string } }
	Target                                                             []struct{ Reference string }
	Member                                                             []struct {
		Entity   struct{ Reference string }
		Inactive bool
		Period   struct{ End string }
	}
}

func read(text string) (b body) {
	_ = json.Unmarshal([]byte(text), &b) // the zero body for what is not there
	return b
}

// truth reads, as plain JSON, what a client must have.
func (w *world) truth(who, scope string) map[string]string {
	visible := w.seen(who)
	name, value, _ := strings.Cut(scope, "=")
	if name == "" {
		return visible
	}
	var in func(ref, text string) bool
	of := func(patients ...string) func(ref, text string) bool {
		return func(ref, text string) bool {
			b := read(text)
			for _, p := range patients {
				refs := []string{ref, b.Subject.Reference, b.Patient.Reference}
				for _, m := range b.Member {
					refs = append(refs, m.Entity.Reference)
				}
				if slices.Contains(refs, "Patient/"+p) {
					return true
				}
			}
			return false
		}
	}
	switch name {
	case "_type":
		in = func(ref, _ string) bool { return strings.HasPrefix(ref, value+"/") }
	case "patient":
		in = of(value)
	case "group":
		var ids []string
		for _, m := range read(visible["Group/"+value]).Member {
			if !m.Inactive && m.Period.End == "" {
				ids = append(ids, strings.TrimPrefix(m.Entity.Reference, "Patient/"))
			}
		}
		about := of(ids...)
		in = func(ref, text string) bool {
			return ref == "Group/"+value || !strings.HasPrefix(ref, "Group/") && about(ref, text)
		}
	case "organization":
		org := "Organization/" + value
		in = func(ref, text string) bool {
			b := read(text)
			// What may not be seen leads nowhere.
			patient := visible[b.Subject.Reference+b.Patient.Reference]
			return ref == org || b.ServiceProvider.Reference == org || b.ManagingOrganization.Reference == org ||
				read(patient).ManagingOrganization.Reference == org || read(visible[b.Encounter.Reference]).ServiceProvider.Reference == org
		}
	}
	found := map[string]string{}
	for ref, text := range visible {
		if in(ref, text) {
			found[ref] = text
		}
	}
	return found
}
