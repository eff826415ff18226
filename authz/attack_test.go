package authz_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/authz"
	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/rest"
)

// scene is a small world with the default policy: two patients, one of whom the
// attacker may see.
func scene(t *testing.T, open func(testing.TB) rest.Store) *world {
	w := &world{t: t, store: open(t), all: map[string]object{}}
	for _, text := range []string{
		`{"resourceType":"Organization","id":"o","identifier":[{"system":"urn:oid:2.16.840.1.113883.4.631","value":"DFSSA000001"}]}`,
		`{"resourceType":"Organization","id":"other","identifier":[{"system":"urn:oid:2.16.840.1.113883.4.631","value":"DFSSA000002"}]}`,
		`{"resourceType":"Practitioner","id":"d","name":[{"text":"x"}]}`,
		`{"resourceType":"Patient","id":"mine","name":[{"family":"Mio"}],"identifier":[{"system":"http://n","value":"1"}],"managingOrganization":{"reference":"Organization/o"}}`,
		`{"resourceType":"Patient","id":"theirs","name":[{"family":"SECRETO"}],"identifier":[{"system":"http://n","value":"2"}],"birthDate":"1980-05-17","managingOrganization":{"reference":"Organization/other"}}`,
		`{"resourceType":"Observation","id":"a","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/mine"},"hasMember":[{"reference":"Observation/b"}]}`,
		`{"resourceType":"Observation","id":"b","status":"final","code":{"text":"SECRETO"},"subject":{"reference":"Patient/theirs"}}`,
		`{"resourceType":"Observation","id":"shared","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/theirs"},"performer":[{"reference":"Patient/mine"}]}`,
		`{"resourceType":"RelatedPerson","id":"r","patient":{"reference":"Patient/mine"}}`,
		`{"resourceType":"Encounter","id":"e","status":"finished","class":{"code":"AMB"},"subject":{"reference":"Patient/theirs"},"serviceProvider":{"reference":"Organization/other"}}`,
	} {
		w.put(decode(t, text))
	}
	w.guard = authz.NewGuard(authz.GuardConfig{Store: w.store, Base: base})
	w.serve()
	return w
}

func decode(t *testing.T, text string) object {
	var o object
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	return o
}

// The callers of attacks.
var (
	mine     = &authz.Principal{ID: "mine", Roles: []string{"patient"}, User: fhir.Ref{Type: "Patient", ID: "mine"}, Patient: "mine", Scopes: []string{"patient/*.cruds"}}
	app      = &authz.Principal{ID: "app", Roles: []string{"clinician"}, User: fhir.Ref{Type: "Practitioner", ID: "d"}, Patient: "mine", Scopes: []string{"patient/*.cruds"}}
	doctor   = &authz.Principal{ID: "doctor", Roles: []string{"clinician"}, User: fhir.Ref{Type: "Practitioner", ID: "d"}, Org: "DFSSA000001", Scopes: []string{"user/*.cruds"}}
	analyst  = &authz.Principal{ID: "analyst", Roles: []string{"analyst"}, Scopes: []string{"user/*.rs"}}
	scholar  = &authz.Principal{ID: "scholar", Roles: []string{"researcher"}, Scopes: []string{"user/*.rs"}}
	steward  = &authz.Principal{ID: "steward", Roles: []string{"data-steward"}, Scopes: []string{"user/*.rs"}}
	system   = &authz.Principal{ID: "system", Roles: []string{"system"}, Scopes: []string{"system/*.cruds"}}
	midwife  = &authz.Principal{ID: "midwife", Roles: []string{"birth-certifier"}, Org: "DFSSA000001", Scopes: []string{"user/*.cruds"}}
	guardian = &authz.Principal{ID: "guardian", Roles: []string{"guardian"}, User: fhir.Ref{Type: "RelatedPerson", ID: "r"}, Scopes: []string{"user/*.cruds"}}
	arco     = &authz.Principal{ID: "arco", Roles: []string{"arco-officer"}, Scopes: []string{"user/*.cruds"}}
)

// byMe names the attacker as the performer of a result.
const byMe = `,"performer":[{"reference":"Patient/mine"}]`

const ofTheirs = `{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/theirs"}%s}`

// TestAttacks: each tries to learn of, or to change, what the caller may not see.
// Where two requests differ only in that one names what is hidden and the other what
// does not exist, the answers must not differ.
func TestAttacks(t *testing.T) {
	attacks := []struct {
		name         string
		p            *authz.Principal
		method, path string
		body         string
		headers      []string
		status       int
		alike        string // in place of theirs or b: something that does not exist
	}{
		{name: "read of another patient", p: mine, method: "GET", path: "/Patient/theirs", status: 404, alike: "nobody"},
		{name: "read of another's result", p: app, method: "GET", path: "/Observation/b", status: 404, alike: "z"},
		{name: "version of another's result", p: app, method: "GET", path: "/Observation/b/_history/1", status: 404, alike: "z"},
		{name: "history of another's result", p: app, method: "GET", path: "/Observation/b/_history", status: 404, alike: "z"},
		{name: "everything of another patient", p: mine, method: "GET", path: "/Patient/theirs/$everything", status: 404, alike: "nobody"},
		{name: "compartment of another patient", p: mine, method: "GET", path: "/Patient/theirs/Observation", status: 200},
		{name: "include out of the compartment", p: app, method: "GET", path: "/Observation?_include=Observation:has-member&_include:iterate=Observation:subject", status: 200},
		{name: "chain by a hidden name", p: app, method: "GET", path: "/Observation?has-member.subject:Patient.family=SECRETO&_summary=count", status: 200},
		{name: "count of what refers", p: mine, method: "GET", path: "/Patient?_has:Observation:subject:_id=b&_summary=count", status: 200},
		{name: "as another user in a batch", p: mine, method: "POST", path: "/", body: entries("batch", get("Patient/theirs")), status: 200},
		{name: "If-None-Exist as an oracle", p: app, method: "POST", path: "/Observation", body: fmt.Sprintf(ofTheirs, ""), headers: []string{"If-None-Exist", "_id=b"}, status: 403, alike: "z"},
		{name: "result for another patient", p: app, method: "POST", path: "/Observation", body: fmt.Sprintf(ofTheirs, ""), status: 403},
		{name: "result for another patient, in a transaction", p: app, method: "POST", path: "/", body: entries("transaction", `{"resource":`+fmt.Sprintf(ofTheirs, "")+`,"request":{"method":"POST","url":"Observation"}}`), status: 403},
		{name: "result for another patient, as its performer", p: mine, method: "POST", path: "/Observation", body: fmt.Sprintf(ofTheirs, byMe), status: 403},
		{name: "the same by an app in the patient's record", p: app, method: "POST", path: "/Observation", body: fmt.Sprintf(ofTheirs, byMe), status: 403},
		{name: "the same by a guardian", p: guardian, method: "POST", path: "/Observation", body: fmt.Sprintf(ofTheirs, byMe), status: 403},
		{name: "answers for another patient, as their author", p: mine, method: "POST", path: "/QuestionnaireResponse", body: `{"resourceType":"QuestionnaireResponse","status":"completed","subject":{"reference":"Patient/theirs"},"author":{"reference":"Patient/mine"}}`, status: 403},
		{name: "message to another patient's record, as its sender", p: mine, method: "POST", path: "/Communication", body: `{"resourceType":"Communication","status":"completed","subject":{"reference":"Patient/theirs"},"sender":{"reference":"Patient/mine"}}`, status: 403},
		{name: "a professional's time taken without an agenda", p: mine, method: "POST", path: "/Appointment", body: `{"resourceType":"Appointment","status":"booked","start":"2026-11-23T09:00:00Z","end":"2026-11-23T20:00:00Z","participant":[{"actor":{"reference":"Patient/mine"},"status":"accepted"},{"actor":{"reference":"Practitioner/d"},"status":"accepted"}]}`, status: 403},
		{name: "appointment that another patient shares", p: mine, method: "POST", path: "/Appointment", body: `{"resourceType":"Appointment","status":"proposed","participant":[{"actor":{"reference":"Patient/mine"},"status":"accepted"},{"actor":{"reference":"Patient/theirs"},"status":"accepted"}]}`, status: 403},
		{name: "result of another patient taken over by its performer", p: app, method: "PUT", path: "/Observation/shared", body: `{"resourceType":"Observation","id":"shared","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/mine"}}`, status: 404},
		{name: "own result moved to another patient", p: app, method: "PUT", path: "/Observation/a", body: fmt.Sprintf(ofTheirs, `,"id":"a"`), status: 403},
		{name: "own result moved by a patch", p: app, method: "PATCH", path: "/Observation/a", body: `[{"op":"replace","path":"/subject/reference","value":"Patient/theirs"}]`, headers: []string{"Content-Type", "application/json-patch+json"}, status: 403},
		{name: "another's result taken over", p: app, method: "PUT", path: "/Observation/b", body: `{"resourceType":"Observation","id":"b","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/mine"}}`, status: 404, alike: "z"},
		{name: "the same with a version", p: app, method: "PUT", path: "/Observation/b", body: `{"resourceType":"Observation","id":"b","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/mine"}}`, headers: []string{"If-Match", `W/"1"`}, status: 404, alike: "z"},
		{name: "the same with another version", p: app, method: "PUT", path: "/Observation/b", body: `{"resourceType":"Observation","id":"b","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/mine"}}`, headers: []string{"If-Match", `W/"7"`}, status: 404, alike: "z"},
		{name: "the same, to create only", p: app, method: "PUT", path: "/Observation/b", body: `{"resourceType":"Observation","id":"b","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/mine"}}`, headers: []string{"If-None-Match", "*"}, status: 404, alike: "z"},
		{name: "the same by a criterion", p: app, method: "PUT", path: "/Observation?_id=b", body: `{"resourceType":"Observation","id":"b","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/mine"}}`, status: 404, alike: "z"},
		{name: "patch of another's result", p: app, method: "PATCH", path: "/Observation/b", body: `[{"op":"test","path":"/status","value":"final"}]`, headers: []string{"Content-Type", "application/json-patch+json", "If-Match", `W/"1"`}, status: 404, alike: "z"},
		{name: "analyst reads one record", p: analyst, method: "GET", path: "/Patient/theirs", status: 403},
		{name: "analyst reads an old version", p: analyst, method: "GET", path: "/Patient/theirs/_history/1", status: 403},
		{name: "analyst searches", p: analyst, method: "GET", path: "/Observation?code=x", status: 403},
		{name: "analyst counts", p: analyst, method: "GET", path: "/Patient?_id=theirs&_summary=count", status: 403},
		{name: "analyst finds by what is public", p: analyst, method: "GET", path: "/Organization?_has:Patient:organization:_id=theirs", status: 200},
		{name: "analyst includes", p: analyst, method: "GET", path: "/Organization?_revinclude=Patient:organization", status: 200},
		{name: "analyst is told of changes", p: analyst, method: "GET", path: "/$changes?_type=Patient", status: 200},
		{name: "analyst takes all of a patient", p: analyst, method: "GET", path: "/Patient/theirs/$everything", status: 403},
		{name: "steward reads one record", p: steward, method: "GET", path: "/Patient/theirs", status: 403},
		{name: "steward searches", p: steward, method: "GET", path: "/Patient?family=SECRETO", status: 403},
		{name: "steward writes", p: steward, method: "PUT", path: "/Patient/theirs", body: `{"resourceType":"Patient","id":"theirs"}`, status: 403},
		{name: "researcher by name", p: scholar, method: "GET", path: "/Patient?family=SECRETO", status: 403},
		{name: "researcher by name, in a chain", p: scholar, method: "GET", path: "/Observation?subject:Patient.family=SECRETO", status: 403},
		{name: "researcher by name, the other way round", p: scholar, method: "GET", path: "/Organization?_has:Patient:organization:family=SECRETO", status: 403},
		{name: "researcher by name, in an operation", p: scholar, method: "GET", path: "/Observation/$lastn?patient:Patient.family=SECRETO", status: 403},
		{name: "researcher sorts by birth", p: scholar, method: "GET", path: "/Patient?_sort=birthdate", status: 403},
		{name: "researcher by a day of birth", p: scholar, method: "GET", path: "/Patient?birthdate=1980-05-17", status: 403},
		{name: "researcher by full text", p: scholar, method: "GET", path: "/Patient?_content=SECRETO", status: 403},
		{name: "researcher asks leniently", p: scholar, method: "GET", path: "/Patient?family=SECRETO", headers: []string{"Prefer", "handling=lenient"}, status: 403},
		{name: "researcher by a filter", p: scholar, method: "GET", path: "/Patient?_filter=family+eq+SECRETO", status: 403},
		{name: "researcher reads", p: scholar, method: "GET", path: "/Patient/theirs", status: 200},
		{name: "researcher reads the name element", p: scholar, method: "GET", path: "/Patient/theirs?_elements=name,birthDate", status: 200},
		{name: "researcher reads an old version", p: scholar, method: "GET", path: "/Patient/theirs/_history/1", status: 200},
		{name: "researcher writes", p: scholar, method: "PUT", path: "/Patient/theirs", body: `{"resourceType":"Patient","id":"theirs"}`, status: 403},
		{name: "clinician blocks a record", p: doctor, method: "PUT", path: "/Observation/b", body: `{"resourceType":"Observation","id":"b","meta":{"security":[{"system":"` + authz.LabelSystem + `","code":"` + authz.Blocked + `"}]},"status":"final","code":{"text":"x"}}`, status: 403},
		{name: "midwife writes for another unit", p: midwife, method: "POST", path: "/Encounter", body: `{"resourceType":"Encounter","status":"finished","class":{"code":"IMP"},"serviceProvider":{"reference":"Organization/other"}}`, status: 403},
		{name: "midwife writes for a patient of another unit", p: midwife, method: "POST", path: "/Observation", body: fmt.Sprintf(ofTheirs, ""), status: 403},
		{name: "administrator reads records", p: &authz.Principal{ID: "admin", Roles: []string{"administrator"}, Scopes: []string{"user/*.cruds"}}, method: "GET", path: "/Patient/theirs", status: 403},
		{name: "a role that is none", p: &authz.Principal{ID: "x", Roles: []string{"root"}, Scopes: []string{"system/*.cruds"}}, method: "GET", path: "/Patient/theirs", status: 403},
		{name: "no scopes", p: &authz.Principal{ID: "x", Roles: []string{"system"}}, method: "GET", path: "/Patient/theirs", status: 403},
		{name: "a patient scope without a patient", p: &authz.Principal{ID: "x", Roles: []string{"clinician"}, Scopes: []string{"patient/*.cruds"}}, method: "GET", path: "/Patient/theirs", status: 403},
		{name: "emergency without a reason", p: &authz.Principal{ID: "x", Roles: []string{"clinician"}, Purpose: "BTG", Scopes: []string{"user/*.rs"}, Expires: time.Now().Add(time.Minute)}, method: "GET", path: "/Patient/theirs", status: 403},
		{name: "emergency for ever", p: &authz.Principal{ID: "x", Roles: []string{"clinician"}, Purpose: "BTG", Reason: "r", Scopes: []string{"user/*.rs"}, Expires: time.Now().Add(24 * time.Hour)}, method: "GET", path: "/Patient/theirs", status: 403},
	}
	for engine, open := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			w := scene(t, open)
			for _, tt := range attacks {
				a := w.ask(tt.p, tt.method, tt.path, tt.body, tt.headers...)
				if a.Code != tt.status {
					t.Errorf("%s: %d, want %d: %s", tt.name, a.Code, tt.status, a.Body)
				}
				if strings.Contains(a.Body.String(), `"SECRETO"`) || strings.Contains(a.Body.String(), "05-17") && tt.p == scholar && a.Code == 200 || strings.Contains(a.Body.String(), `"total":1`) {
					t.Errorf("%s: it tells of what is hidden: %s", tt.name, a.Body)
				}
				if tt.alike == "" {
					continue
				}
				other := strings.NewReplacer("theirs", tt.alike, "/b", "/"+tt.alike, "=b", "="+tt.alike, `"b"`, `"`+tt.alike+`"`)
				for i := range tt.headers {
					tt.headers[i] = other.Replace(tt.headers[i])
				}
				b := w.ask(tt.p, tt.method, other.Replace(tt.path), strings.ReplaceAll(tt.body, `"b"`, `"`+tt.alike+`"`), tt.headers...)
				if b.Code != a.Code || other.Replace(a.Body.String()) != b.Body.String() || fmt.Sprint(tags(a)) != fmt.Sprint(tags(b)) {
					t.Errorf("%s: hidden and missing differ:\n%d %v %s\n%d %v %s", tt.name, a.Code, tags(a), a.Body, b.Code, tags(b), b.Body)
				}
			}
			for _, ref := range []string{"Patient/theirs", "Observation/a", "Observation/b"} {
				if r, err := w.store.Read(t.Context(), mustRef(ref)); err != nil || r.Ref.Version != 1 {
					t.Errorf("%s was changed: %v %v", ref, r.Ref, err)
				}
			}
		})
	}
}

// tags are the headers that could tell of a resource.
func tags(a *httptest.ResponseRecorder) []string {
	return []string{a.Header().Get("ETag"), a.Header().Get("Last-Modified"), a.Header().Get("Location"), a.Header().Get("Content-Location")}
}

// TestRefusalsStay: whom a patient refuses something cannot lift the refusal, even
// where they may see it and change Consents of others.
func TestRefusalsStay(t *testing.T) {
	const consent = `{"resourceType":"Consent","id":"%s","status":"%s","scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},"category":[{"text":"x"}],"patient":{"reference":"Patient/mine"},"provision":{"type":"deny","class":[{"system":"http://hl7.org/fhir/resource-types","code":"Observation"}],"actor":[{"role":{"text":"x"},"reference":{"reference":"Practitioner/%s"}}]}}`
	emergency := *doctor
	emergency.Purpose, emergency.Reason, emergency.Expires = "BTG", "r", time.Now().Add(time.Minute)
	for engine, open := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			w := scene(t, open)
			w.put(decode(t, fmt.Sprintf(consent, "against", "active", "d")))
			w.put(decode(t, fmt.Sprintf(consent, "other", "active", "other")))
			patch := []string{"Content-Type", "application/json-patch+json"}
			for _, tt := range []struct {
				p                  *authz.Principal
				method, path, body string
				headers            []string
				status             int
			}{
				{doctor, "GET", "/Consent/against", "", nil, 200},
				{doctor, "GET", "/Observation/a", "", nil, 404},
				{doctor, "PUT", "/Consent/against", fmt.Sprintf(consent, "against", "inactive", "d"), nil, 404},
				{doctor, "PUT", "/Consent?_id=against", fmt.Sprintf(consent, "against", "inactive", "d"), nil, 404},
				{doctor, "PATCH", "/Consent/against", `[{"op":"replace","path":"/status","value":"inactive"}]`, patch, 404},
				{doctor, "POST", "/", entries("transaction", `{"resource":`+fmt.Sprintf(consent, "against", "inactive", "d")+`,"request":{"method":"PUT","url":"Consent/against"}}`), nil, 404},
				{&emergency, "PUT", "/Consent/against", fmt.Sprintf(consent, "against", "inactive", "d"), nil, 404},
				{doctor, "GET", "/Observation/a", "", nil, 404},
				{doctor, "PUT", "/Consent/other", fmt.Sprintf(consent, "other", "inactive", "other"), nil, 200},
				{system, "PUT", "/Consent/against", fmt.Sprintf(consent, "against", "inactive", "d"), nil, 200},
				{doctor, "GET", "/Observation/a", "", nil, 200},
			} {
				if a := w.ask(tt.p, tt.method, tt.path, tt.body, tt.headers...); a.Code != tt.status {
					t.Errorf("%s %s %s: %d, want %d: %s", tt.p.ID, tt.method, tt.path, a.Code, tt.status, a.Body)
				}
			}
		})
	}
}

// TestAllowed: what is not refused works: the same callers do their work.
func TestAllowed(t *testing.T) {
	for engine, open := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			w := scene(t, open)
			for _, tt := range []struct {
				p                  *authz.Principal
				method, path, body string
				status             int
			}{
				{mine, "GET", "/Patient/mine", "", 200},
				{mine, "GET", "/Patient/mine/$everything", "", 200},
				{app, "POST", "/Observation", `{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/mine"}}`, 201},
				{mine, "POST", "/Observation", `{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/mine"},"performer":[{"reference":"Patient/mine"}]}`, 201},
				{mine, "GET", "/Observation/shared", "", 200},
				{mine, "POST", "/Appointment", `{"resourceType":"Appointment","status":"proposed","participant":[{"actor":{"reference":"Patient/mine"},"status":"accepted"},{"actor":{"reference":"Practitioner/d"},"status":"needs-action"}]}`, 201},
				{guardian, "POST", "/Observation", `{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/mine"}}`, 201},
				{app, "PUT", "/Observation/a", `{"resourceType":"Observation","id":"a","status":"amended","code":{"text":"x"},"subject":{"reference":"Patient/mine"}}`, 200},
				{doctor, "POST", "/Observation", fmt.Sprintf(ofTheirs, ""), 201},
				{doctor, "GET", "/Observation?subject:Patient.family=SECRETO", "", 200},
				{doctor, "PUT", "/Observation/new", `{"resourceType":"Observation","id":"new","status":"final","code":{"text":"x"}}`, 404},
				{system, "PUT", "/Observation/new", `{"resourceType":"Observation","id":"new","status":"final","code":{"text":"x"}}`, 201},
				{midwife, "POST", "/Observation", `{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/mine"}}`, 201},
				{midwife, "POST", "/", entries("transaction",
					`{"fullUrl":"urn:uuid:11111111-1111-4111-8111-111111111111","resource":{"resourceType":"Patient","managingOrganization":{"reference":"Organization/o"}},"request":{"method":"POST","url":"Patient"}}`,
					`{"resource":{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"urn:uuid:11111111-1111-4111-8111-111111111111"}},"request":{"method":"POST","url":"Observation"}}`), 200},
				{midwife, "POST", "/", entries("transaction",
					`{"fullUrl":"urn:uuid:11111111-1111-4111-8111-111111111111","resource":{"resourceType":"Patient","managingOrganization":{"reference":"Organization/other"}},"request":{"method":"POST","url":"Patient"}}`,
					`{"resource":{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"urn:uuid:11111111-1111-4111-8111-111111111111"}},"request":{"method":"POST","url":"Observation"}}`), 403},
				{scholar, "GET", "/Patient?gender=male", "", 200},
				{analyst, "GET", "/Patient?gender=male", "", 403},
				{steward, "GET", "/Patient?gender=male", "", 403},
				{arco, "PUT", "/Observation/b", `{"resourceType":"Observation","id":"b","meta":{"security":[{"system":"` + authz.LabelSystem + `","code":"` + authz.Blocked + `"}]},"status":"final","code":{"text":"x"},"subject":{"reference":"Patient/theirs"}}`, 200},
			} {
				if a := w.ask(tt.p, tt.method, tt.path, tt.body); a.Code != tt.status {
					t.Errorf("%s: %s %s: %d, want %d: %s", tt.p.ID, tt.method, tt.path, a.Code, tt.status, a.Body)
				}
			}
			w.guard.Written(&fhir.Resource{JSON: []byte(authz.Blocked)})
			for p, want := range map[*authz.Principal]int{system: 404, doctor: 404, arco: 200} {
				for _, path := range []string{"/Observation/b", "/Observation/b/_history", "/Observation/b/_history/1"} {
					if a := w.ask(p, "GET", path, ""); a.Code != want {
						t.Errorf("%s: %s, which is blocked: %d, want %d", p.ID, path, a.Code, want)
					}
				}
			}
		})
	}
}

// TestCursorsOfOthers: the link to a next page is good for who got it only.
func TestCursorsOfOthers(t *testing.T) {
	w := scene(t, engines["sqlite"])
	a := w.ask(doctor, "GET", "/Patient?_count=1&_sort=family", "")
	var b struct {
		Link []struct{ Relation, URL string }
	}
	if err := json.Unmarshal(a.Body.Bytes(), &b); err != nil || len(b.Link) != 2 {
		t.Fatalf("%s", a.Body)
	}
	if a := w.ask(doctor, "GET", b.Link[1].URL, ""); a.Code != 200 {
		t.Errorf("own: %d %s", a.Code, a.Body)
	}
	if a := w.ask(system, "GET", b.Link[1].URL, ""); a.Code != 400 {
		t.Errorf("of another: %d %s", a.Code, a.Body)
	}
}

// TestWrongPatient: of a result that was filed with the wrong patient, the right one
// sees only what came after the correction.
func TestWrongPatient(t *testing.T) {
	w := scene(t, engines["sqlite"])
	w.put(decode(t, `{"resourceType":"Observation","id":"b","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/mine"}}`))
	for path, want := range map[string]int{"/Observation/b": 200, "/Observation/b/_history/2": 200, "/Observation/b/_history/1": 404} {
		if a := w.ask(app, "GET", path, ""); a.Code != want {
			t.Errorf("%s: %d, want %d", path, a.Code, want)
		}
	}
	for _, path := range []string{"/Observation/b/_history", "/Observation/_history", "/_history"} {
		if a := w.ask(app, "GET", path, ""); a.Code != 200 || strings.Contains(a.Body.String(), "SECRETO") {
			t.Errorf("%s: %d %s", path, a.Code, a.Body)
		}
	}
}

// TestEmergency: to break the glass lifts consents, is told, and does not open what
// is blocked.
func TestEmergency(t *testing.T) {
	w := scene(t, engines["sqlite"])
	told := 0
	w.guard.Alarm = func(context.Context, *authz.Principal, *rest.Request) { told++ }
	w.put(decode(t, `{"resourceType":"Consent","id":"k","status":"active","scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},"category":[{"text":"x"}],"patient":{"reference":"Patient/theirs"},"policyRule":{"text":"x"},"provision":{"type":"deny"}}`))
	w.guard.Written(&fhir.Resource{Ref: fhir.Ref{Type: "Consent"}})
	glass := *doctor
	glass.Purpose, glass.Reason, glass.Expires = "BTG", "paciente inconsciente", time.Now().Add(10*time.Minute)
	if a := w.ask(doctor, "GET", "/Observation/b", ""); a.Code != 404 {
		t.Errorf("before: %d", a.Code)
	}
	if a := w.ask(&glass, "GET", "/Observation/b", ""); a.Code != 200 || told != 1 {
		t.Errorf("with the glass broken: %d, told %d times", a.Code, told)
	}
}

// TestManyConditions: what may be written depends on one other resource for each
// entry, and it is written all the same.
func TestManyConditions(t *testing.T) {
	const n = 15
	for engine, open := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			w := scene(t, open)
			var posts, patches []string
			for i := range n {
				w.put(decode(t, fmt.Sprintf(`{"resourceType":"Patient","id":"p%d","managingOrganization":{"reference":"Organization/o"}}`, i)))
				w.put(decode(t, fmt.Sprintf(`{"resourceType":"Observation","id":"o%d","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/p%d"}}`, i, i)))
				posts = append(posts, fmt.Sprintf(`{"resource":{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/p%d"}},"request":{"method":"POST","url":"Observation"}}`, i))
				patches = append(patches, fmt.Sprintf(`{"resource":{"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":"replace"},{"name":"path","valueString":"Observation.status"},{"name":"value","valueCode":"amended"}]}]},"request":{"method":"PATCH","url":"Observation/o%d"}}`, i))
			}
			theirs := fmt.Sprintf(`{"resource":%s,"request":{"method":"POST","url":"Observation"}}`, fmt.Sprintf(ofTheirs, ""))
			for _, tt := range []struct {
				name    string
				entries []string
				status  int
			}{{"new", posts, 200}, {"changed", patches, 200}, {"one of another unit", append(posts[:n-1:n-1], theirs), 403}} {
				if a := w.ask(midwife, "POST", "/", entries("transaction", tt.entries...)); a.Code != tt.status {
					t.Errorf("%s: %d, want %d: %s", tt.name, a.Code, tt.status, a.Body)
				}
			}
		})
	}
}
