package main

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/amate-health/amate/store/storetest"
)

// rightsScene is a server with access control, and tokens of those who deal with it.
type rightsScene struct {
	*testing.T
	p      *process
	where  []string // flags that name its database
	tokens map[string]string
}

func newRightsScene(t *testing.T, where []string, flags ...string) *rightsScene {
	s := &rightsScene{T: t, where: where, tokens: map[string]string{}}
	s.p = startGuarded(t, append(flags, where...)...)
	for name, args := range map[string][]string{
		"system": {"--role", "system"}, "officer": {"--role", "arco-officer"}, "auditor": {"--role", "auditor"},
		"clinician": {"--role", "clinician", "--user", "Practitioner/d"}, "nurse": {"--role", "nurse", "--user", "Practitioner/d"},
		"researcher": {"--role", "researcher"}, "administrator": {"--role", "administrator"},
		"patient": {"--role", "patient", "--patient", "p"}, "other": {"--role", "patient", "--patient", "q"},
		"clinic": {"--role", "clinic-system"}, "guardian": {"--role", "guardian", "--user", "RelatedPerson/g"},
		"readonly": {"--role", "arco-officer", "--scope", "user/*.rs"},
	} {
		status, out, errs := amate(append(append([]string{"token"}, args...), where...)...)
		if status != exitDone {
			t.Fatalf("token of %s: %s", name, errs)
		}
		s.tokens[name] = strings.TrimSpace(out)
	}
	return s
}

// do sends a request as somebody, and returns the status and the body.
func (s *rightsScene) do(who, method, path, body string) (int, string) {
	s.Helper()
	req, err := http.NewRequest(method, s.p.base+"/"+path, strings.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	if s.tokens[who] == "" && who != "nobody" {
		s.Fatalf("nobody here is called %s", who)
	}
	req.Header.Set("Authorization", "Bearer "+s.tokens[who])
	if body != "" {
		req.Header.Set("Content-Type", "application/fhir+json")
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		s.Fatal(err)
	}
	return res.StatusCode, string(raw)
}

// must is do with the status that is expected.
func (s *rightsScene) must(want int, who, method, path, body string) string {
	s.Helper()
	status, got := s.do(who, method, path, body)
	if status != want {
		s.Fatalf("%s: %s %s: %d, want %d\n%.600s", who, method, path, status, want, got)
	}
	return got
}

// asks makes a Parameters of names and values, each a JSON member such as
// "valueCode":"x".
func asks(parts ...string) string {
	var list []string
	for i := 0; i < len(parts); i += 2 {
		list = append(list, fmt.Sprintf(`{"name":%q,%s}`, parts[i], parts[i+1]))
	}
	return `{"resourceType":"Parameters","parameter":[` + strings.Join(list, ",") + `]}`
}

func codeValue(s string) string { return fmt.Sprintf(`"valueCode":%q`, s) }
func textValue(s string) string { return fmt.Sprintf(`"valueString":%q`, s) }

// file makes a request, and returns the id of its Task.
func (s *rightsScene) file(who string, parts ...string) string {
	s.Helper()
	return idOf(s.must(http.StatusCreated, who, "POST", "Patient/p/$arco-request", asks(parts...)))
}

func idOf(body string) string {
	var r struct{ ID string }
	_ = json.Unmarshal([]byte(body), &r) // "" is no id, and leads nowhere
	return r.ID
}

func (s *rightsScene) resolve(want int, task, decision string, parts ...string) string {
	s.Helper()
	return s.must(want, "officer", "POST", "Task/"+task+"/$arco-resolve", asks(append([]string{"decision", codeValue(decision)}, parts...)...))
}

// rightsMark stands in the record of Patient/p, and nowhere else.
const rightsMark = "QXZVWKJHPG"

// fill writes the record of Patient/p, whose last act is of 2016, and some of another.
func (s *rightsScene) fill() {
	s.Helper()
	put := func(json string) {
		s.Helper()
		var r struct{ ResourceType, ID string }
		if err := jsonUnmarshal(json, &r); err != nil {
			s.Fatal(err)
		}
		s.must(http.StatusCreated, "system", "PUT", r.ResourceType+"/"+r.ID, json)
	}
	put(`{"resourceType":"Practitioner","id":"d","name":[{"family":"Tratante"}]}`)
	for _, id := range []string{"p", "q"} {
		mark := map[string]string{"p": rightsMark, "q": "Otra"}[id]
		put(`{"resourceType":"Patient","id":"` + id + `","identifier":[{"system":"urn:oid:2.16.840.1.113883.4.629","value":"ID` + mark + `"}],"name":[{"family":"` + mark + `"}],"birthDate":"1980-05-17"}`)
		put(`{"resourceType":"Encounter","id":"e` + id + `","status":"finished","class":{"code":"AMB"},"subject":{"reference":"Patient/` + id + `"},"period":{"start":"2016-05-01T10:00:00Z","end":"2016-05-01T11:00:00Z"},"reasonCode":[{"text":"` + mark + `"}]}`)
		for i := range 3 {
			put(fmt.Sprintf(`{"resourceType":"Observation","id":"o%s%d","status":"final","category":[{"coding":[{"system":"urn:k","code":"lab"}]}],"code":{"coding":[{"system":"urn:c","code":"C%s","display":"Dicho %s"}],"text":%q},"subject":{"reference":"Patient/%s"},"encounter":{"reference":"Encounter/e%s"},"effectiveDateTime":"2016-04-0%d","performer":[{"reference":"Practitioner/d"}],"valueQuantity":{"value":7%d,"unit":"kg"}}`,
				id, i, mark, mark, mark, id, id, i+1, i))
		}
	}
	put(`{"resourceType":"RelatedPerson","id":"g","active":true,"patient":{"reference":"Patient/p"},"relationship":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-RoleCode","code":"MTH"}]}],"name":[{"family":"` + rightsMark + `"}]}`)
	put(`{"resourceType":"Group","id":"panel","type":"person","actual":true,"member":[{"entity":{"reference":"Patient/p"}},{"entity":{"reference":"Patient/q"}}]}`)
}

func jsonUnmarshal(text string, into any) error { return json.Unmarshal([]byte(text), into) }

func eachRightsEngine(t *testing.T, f func(t *testing.T, where []string, contents func() string)) {
	data := t.TempDir()
	t.Run("sqlite", func(t *testing.T) {
		f(t, []string{"--data", data}, func() string {
			all := ""
			for _, name := range []string{"amate.db", "amate.db-wal"} {
				raw, err := os.ReadFile(filepath.Join(data, name))
				if err != nil && !os.IsNotExist(err) {
					t.Fatal(err)
				}
				all += string(raw)
			}
			return all
		})
	})
	t.Run("postgres", func(t *testing.T) {
		url := storetest.EmptyPostgres(t)
		f(t, []string{"--data", t.TempDir(), "--database", url}, func() string { return tablesText(t, url) })
	})
}

// tablesText is every row of every table of a PostgreSQL database, as text.
func tablesText(t *testing.T, url string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), `SET bytea_output = escape`); err != nil {
		t.Fatal(err)
	}
	rows, err := conn.Query(t.Context(), `SELECT c.relname FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'`)
	if err != nil {
		t.Fatal(err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	all := ""
	for _, name := range names {
		var text string
		if err := conn.QueryRow(t.Context(), `SELECT coalesce(string_agg(x::text, ' '), '') FROM "`+name+`" x`).Scan(&text); err != nil {
			t.Fatal(err)
		}
		all += text
	}
	return all
}

// TestRightsScopes: who may call which operation, and about whom.
func TestRightsScopes(t *testing.T) {
	t.Parallel()
	eachRightsEngine(t, func(t *testing.T, where []string, _ func() string) {
		s := newRightsScene(t, where)
		s.fill()
		access := asks("right", codeValue("acceso"))
		task := s.file("patient", "right", codeValue("acceso"))
		for _, tt := range []struct {
			path, body string
			may        map[string]int // others get 403
		}{
			{"Patient/p/$arco-request", access, map[string]int{"patient": 201, "guardian": 201, "officer": 201, "system": 201, "other": 404}},
			{"Patient/p/$arco-package", "", map[string]int{"patient": 200, "guardian": 200, "officer": 200, "readonly": 200, "system": 200, "other": 404}},
			{"Patient/p/$arco-unblock", asks("reason", textValue("x")), map[string]int{"officer": 409}},
			{"Patient/p/$legal-holds", "", map[string]int{"officer": 200, "readonly": 200, "system": 200}},
			{"Patient/p/$legal-hold", asks("action", codeValue("release"), "authority", textValue("a"), "number", textValue("n"), "reason", textValue("r")), map[string]int{"officer": 409}},
			{"Task/$arco-due", "", map[string]int{"officer": 200, "readonly": 200, "system": 200}},
			{"Task/" + task + "/$arco-resolve", asks("decision", codeValue("execute")), map[string]int{"officer": 409}},
		} {
			for who := range s.tokens {
				want, ok := tt.may[who]
				if !ok {
					want = http.StatusForbidden
				}
				method := "POST"
				if tt.body == "" {
					method = "GET"
				}
				if got, body := s.do(who, method, tt.path, tt.body); got != want {
					t.Errorf("%s: %s: %d, want %d\n%.300s", who, tt.path, got, want, body)
				}
			}
		}
		// Who asked sees the request, another patient does not; nobody writes it otherwise.
		for who, want := range map[string]int{"patient": 200, "guardian": 200, "officer": 200, "other": 404, "auditor": 403} {
			if got, body := s.do(who, "GET", "Task/"+task, ""); got != want {
				t.Errorf("%s reads the request: %d, want %d\n%.300s", who, got, want, body)
			}
		}
		forged := strings.Replace(s.must(200, "officer", "GET", "Task/"+task, ""), `"recibida"`, `"ejecutada"`, 1)
		for _, who := range []string{"system", "officer", "clinician"} {
			if got, body := s.do(who, "PUT", "Task/"+task, forged); got != 409 {
				t.Errorf("%s writes the request: %d\n%.300s", who, got, body)
			}
		}
		forged = strings.Replace(forged, task, "forged", 1)
		if got, body := s.do("system", "PUT", "Task/forged", forged); got != 409 {
			t.Errorf("a request is made by PUT: %d\n%.300s", got, body)
		}
		if got, _ := s.do("system", "DELETE", "Task/"+task, ""); got != 409 {
			t.Errorf("a request is deleted: %d", got)
		}
	})
}

// TestRightsRefuse: what a request must have.
func TestRightsRefuse(t *testing.T) {
	t.Parallel()
	s := newRightsScene(t, []string{"--data", t.TempDir()})
	s.fill()
	for body, want := range map[string]int{
		asks():                             400,
		asks("right", codeValue("olvido")): 400,
		asks("right", codeValue("acceso"), "nonsense", textValue("x")):                                                                                                                            400,
		asks("right", codeValue("acceso"), "requester", `"valueReference":{"reference":"Practitioner/d"}`):                                                                                        400,
		asks("right", codeValue("rectificacion")):                                                                                                                                                 400,
		asks("right", codeValue("rectificacion"), "target", `"valueReference":{"reference":"Observation/op0"}`):                                                                                   400,
		asks("right", codeValue("rectificacion"), "target", `"valueReference":{"reference":"Observation/oq0"}`, "correction", textValue("x")):                                                     400,
		asks("right", codeValue("rectificacion"), "target", `"valueReference":{"reference":"http://elsewhere/Observation/1"}`, "correction", textValue("x")):                                      400,
		asks("right", codeValue("rectificacion"), "target", `"valueReference":{"reference":"Observation/op0"}`, "patch", `"resource":{"resourceType":"Parameters","parameter":[{"name":"bad"}]}`): 400,
		asks("right", codeValue("oposicion")):                                                              400,
		asks("right", codeValue("oposicion"), "purpose", codeValue("TREAT")):                               400,
		asks("right", codeValue("acceso"), "reason", textValue(strings.Repeat("x", 21_000))):               413,
		asks("right", codeValue("acceso"), "evidence", `"valueReference":{"reference":"Observation/oq0"}`): 400,
		asks("right", codeValue("acceso"), "evidence", `"valueReference":{"reference":"Practitioner/d"}`):  400,
		asks("right", codeValue("acceso"), "right", codeValue("acceso")):                                   400,
	} {
		if got, answer := s.do("officer", "POST", "Patient/p/$arco-request", body); got != want || !strings.Contains(answer, "OperationOutcome") {
			t.Errorf("%.200s: %d, want %d\n%.300s", body, got, want, answer)
		}
	}
	if got := s.must(200, "officer", "GET", "Task?_summary=count", ""); !strings.Contains(got, `"total":0`) {
		t.Errorf("something was written all the same: %s", got)
	}
	task := s.file("guardian", "right", codeValue("acceso"))
	if got := s.must(200, "guardian", "GET", "Task/"+task, ""); !strings.Contains(got, `"requester":{"reference":"RelatedPerson/g"}`) {
		t.Errorf("the requester: %s", got)
	}
	s.resolve(400, task, "perhaps")
	s.resolve(400, task, "deny")
	s.resolve(400, task, "deny", "reason", textValue("x"))
	s.resolve(400, task, "extend")
	if got := s.resolve(200, task, "extend", "reason", textValue("Falta un estudio")); !strings.Contains(got, `"code":"prorrogada"`) {
		t.Error(got)
	}
	s.resolve(409, task, "extend", "reason", textValue("otra vez"))
	if got := s.resolve(200, task, "deny", "basis", textValue("LGPDPPSO art. 49"), "reason", textValue("no acreditó")); !strings.Contains(got, `"status":"rejected"`) || !strings.Contains(got, "LGPDPPSO art. 49") {
		t.Error(got)
	}
	s.resolve(409, task, "grant")
	if got := s.must(200, "officer", "GET", "Task/$arco-due", ""); !strings.Contains(got, `"total":0`) {
		t.Errorf("a closed request is due: %s", got)
	}
	other := s.file("patient", "right", codeValue("acceso"))
	for within, want := range map[string]string{"0": `"total":0`, "19": `"total":0`, "20": `"total":1`} {
		if got := s.must(200, "officer", "GET", "Task/$arco-due?within="+within, ""); !strings.Contains(got, want) || want == `"total":1` && !strings.Contains(got, other) {
			t.Errorf("due within %s: %s", within, got)
		}
	}
	s.must(400, "officer", "GET", "Task/$arco-due?within=soon", "")
	s.must(422, "officer", "POST", "Task/"+s.plainTask()+"/$arco-resolve", asks("decision", codeValue("grant")))
}

// plainTask writes a Task that is no request.
func (s *rightsScene) plainTask() string {
	s.must(201, "system", "PUT", "Task/plain", `{"resourceType":"Task","id":"plain","status":"requested","intent":"order","for":{"reference":"Patient/q"}}`)
	return "plain"
}

// TestRightsAccess: the package has all of the record, nothing of another, and what it
// says of itself is so.
func TestRightsAccess(t *testing.T) {
	t.Parallel()
	s := newRightsScene(t, []string{"--data", t.TempDir()})
	s.fill()
	s.must(201, "system", "PUT", "DocumentReference/doc", `{"resourceType":"DocumentReference","id":"doc","status":"current","subject":{"reference":"Patient/p"},"content":[{"attachment":{"contentType":"text/plain","data":"aG9sYQ=="}}]}`)
	task := s.file("patient", "right", codeValue("acceso"))
	s.resolve(200, task, "grant")
	if got := s.resolve(200, task, "execute"); !strings.Contains(got, `Patient/p/$arco-package`) || !strings.Contains(got, `"status":"completed"`) {
		t.Error(got)
	}
	raw := s.must(200, "patient", "GET", "Patient/p/$arco-package", "")
	z, err := zip.NewReader(bytes.NewReader([]byte(raw)), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[f.Name] = string(content)
	}
	for _, id := range []string{"Patient/p", "Encounter/ep", "Observation/op0", "Observation/op2", "DocumentReference/doc", "RelatedPerson/g", "Practitioner/d", "Task/" + task} {
		typ, name, _ := strings.Cut(id, "/")
		if !strings.Contains(files["expediente.json"], "/"+id+`"`) || !strings.Contains(files["ndjson/"+typ+".ndjson"], `"id":"`+name+`"`) {
			t.Errorf("%s is missing", id)
		}
	}
	for name, content := range files {
		if strings.Contains(content, "IDOtra") || strings.Contains(content, `"id":"oq`) {
			t.Errorf("%s has something of another patient", name)
		}
	}
	if files["adjuntos/DocumentReference-doc-1.txt"] != "hola" || !strings.HasPrefix(files["expediente.pdf"], "%PDF-") || !strings.Contains(files["LEEME.txt"], "NOM-024") {
		t.Errorf("the files are not what they should be: %d of them", len(files))
	}
	if !strings.Contains(files["accesos.ndjson"], `"resourceType":"AuditEvent"`) {
		t.Error("who looked is not told")
	}
	var manifest struct {
		Archivos []struct{ Nombre, SHA256 string }
	}
	if err := json.Unmarshal([]byte(files["manifiesto.json"]), &manifest); err != nil || len(manifest.Archivos) != len(files)-1 {
		t.Fatalf("the manifest lists %d of %d files: %v", len(manifest.Archivos), len(files), err)
	}
	for _, f := range manifest.Archivos {
		sum := sha256.Sum256([]byte(files[f.Nombre]))
		if hex.EncodeToString(sum[:]) != f.SHA256 {
			t.Errorf("%s has another hash", f.Nombre)
		}
	}
}

// TestRightsRectify: the correction is a new version, and says who made it and why.
func TestRightsRectify(t *testing.T) {
	t.Parallel()
	s := newRightsScene(t, []string{"--data", t.TempDir()})
	s.fill()
	patch := `"resource":{"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":"replace"},{"name":"path","valueString":"Observation.value.value"},{"name":"value","valueDecimal":99}]}]}`
	target := `"valueReference":{"reference":"Observation/op0"}`
	task := s.file("patient", "right", codeValue("rectificacion"), "target", target, "patch", patch, "evidence", `"valueReference":{"reference":"Observation/op1"}`)
	s.resolve(200, task, "grant")
	if got := s.must(200, "clinician", "GET", "Observation/op0", ""); !strings.Contains(got, `"value":70`) {
		t.Errorf("it is changed before it is carried out: %s", got)
	}
	if got := s.resolve(200, task, "execute"); !strings.Contains(got, `"code":"ejecutada"`) {
		t.Error(got)
	}
	if got := s.must(200, "clinician", "GET", "Observation/op0", ""); !strings.Contains(got, `"value":99`) || !strings.Contains(got, `"versionId":"2"`) {
		t.Error(got)
	}
	if got := s.must(200, "clinician", "GET", "Observation/op0/_history/1", ""); !strings.Contains(got, `"value":70`) {
		t.Error(got)
	}
	if got := s.must(200, "officer", "GET", "Provenance?target=Observation/op0", ""); !strings.Contains(got, "Rectificación") || !strings.Contains(got, "Task/"+task) {
		t.Error(got)
	}
	s.must(422, "patient", "POST", "Patient/p/$arco-request", asks("right", codeValue("rectificacion"), "target", `"valueReference":{"reference":"Task/`+task+`"}`, "correction", textValue("No fue así")))
	words := s.file("patient", "right", codeValue("rectificacion"), "target", target, "correction", textValue("Pesaba 98"))
	s.resolve(200, words, "grant")
	s.resolve(422, words, "execute")
	if got := s.resolve(200, words, "execute", "patch", strings.Replace(patch, "99", "98", 1)); !strings.Contains(got, `"code":"ejecutada"`) {
		t.Error(got)
	}
}

// TestRightsOppose: research is refused from then on, treatment goes on.
func TestRightsOppose(t *testing.T) {
	t.Parallel()
	s := newRightsScene(t, []string{"--data", t.TempDir()})
	s.fill()
	for who, want := range map[string]string{"researcher": `"total":3`, "clinician": `"total":3`} {
		if got := s.must(200, who, "GET", "Observation?patient=p&_summary=count", ""); !strings.Contains(got, want) {
			t.Errorf("%s before: %s", who, got)
		}
	}
	task := s.file("patient", "right", codeValue("oposicion"), "purpose", codeValue("HRESCH"))
	s.resolve(200, task, "grant")
	s.resolve(200, task, "execute")
	for who, want := range map[string]string{"researcher": `"entry"`, "clinician": `"entry"`} {
		_, got := s.do(who, "GET", "Observation?patient=p", "")
		if has := strings.Contains(got, want); has != (who == "clinician") {
			t.Errorf("%s after: %.300s", who, got)
		}
	}
}
