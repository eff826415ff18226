package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/amate-health/amate/store/storetest"
)

// ingestion is a server with a folder of files to import.
type ingestion struct {
	t       *testing.T
	where   []string
	storage []string
	folder  string
	p       *process
	token   string
}

func newIngestion(t *testing.T, where ...string) *ingestion {
	in := &ingestion{t: t, folder: t.TempDir(), storage: where}
	in.where = append(slices.Clone(where), "--import-folder", in.folder, "--import-loopback")
	in.start()
	return in
}

// start starts the server, on another port each time, which its tokens are of.
func (in *ingestion) start() {
	in.p = startGuarded(in.t, in.where...)
	in.token = strings.TrimSpace(mustRun(in.t, in.storage, "token", "--role", "system"))
}

// write makes a file of lines.
func (in *ingestion) write(name string, lines ...string) {
	in.t.Helper()
	text := []byte(strings.Join(lines, "\n"))
	if strings.HasSuffix(name, ".gz") {
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		if _, err := z.Write(text); err != nil {
			in.t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			in.t.Fatal(err)
		}
		text = packed.Bytes()
	}
	if err := os.WriteFile(filepath.Join(in.folder, name), text, 0o600); err != nil {
		in.t.Fatal(err)
	}
}

// ask sends a request by token, and returns what is answered.
func (in *ingestion) ask(token, method, url, body string) (*http.Response, string, error) {
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		in.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Prefer", "respond-async")
	if body != "" {
		req.Header.Set("Content-Type", "application/fhir+json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp, string(text), err
}

// order orders an operation, and returns where to ask for what comes of it.
func (in *ingestion) order(operation, body string) string {
	in.t.Helper()
	method := http.MethodPost
	if body == "" {
		method = http.MethodGet
	}
	resp, text, err := in.ask(in.token, method, in.p.base+"/$"+operation, body)
	if err != nil || resp.StatusCode != http.StatusAccepted {
		in.t.Fatalf("%v %v: %s", err, resp, text)
	}
	return strings.TrimPrefix(resp.Header.Get("Content-Location"), in.p.base)
}

// taken is the manifest of what was imported.
type taken struct {
	Output, Error []struct {
		Type, URL, InputURL string
		Count               int
	}
}

// wait returns what came of an order.
func (in *ingestion) wait(at string) (m taken) {
	in.t.Helper()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		resp, text, err := in.ask(in.token, http.MethodGet, in.p.base+at, "")
		if err != nil {
			in.t.Fatal(err)
		}
		switch resp.StatusCode {
		case http.StatusAccepted:
			continue
		case http.StatusOK:
			if err := json.Unmarshal([]byte(text), &m); err != nil {
				in.t.Fatal(err, text)
			}
			return m
		}
		in.t.Fatalf("%s: %s", resp.Status, text)
	}
	in.t.Fatal("it is under way after two minutes")
	return m
}

// inputs returns the Parameters of files, each "Type url".
func inputsOf(files ...string) string {
	var parts []string
	for _, f := range files {
		typ, url, _ := strings.Cut(f, " ")
		parts = append(parts, fmt.Sprintf(`{"name":"input","part":[{"name":"type","valueCode":%q},{"name":"url","valueUri":%q}]}`, typ, url))
	}
	return `{"resourceType":"Parameters","parameter":[{"name":"inputFormat","valueCode":"application/fhir+ndjson"},` + strings.Join(parts, ",") + `]}`
}

func patientsAndMore(n int) (patients, heights []string) {
	for i := range n {
		patients = append(patients, fmt.Sprintf(`{"resourceType":"Patient","id":"p%d","gender":"female"}`, i))
		heights = append(heights, fmt.Sprintf(`{"resourceType":"Observation","id":"o%d","status":"final","code":{"text":"talla"},"subject":{"reference":"Patient/p%d"},"valueQuantity":{"value":%d,"unit":"cm"}}`, i, i, 100+i%80))
	}
	return patients, heights
}

// TestIngest: files are taken, what is wrong in them is told by line, the same once more
// changes nothing, and a server takes what another one has exported, although it is killed
// meanwhile.
func TestIngest(t *testing.T) {
	t.Parallel()
	here := []string{"--data", t.TempDir()}
	in := newIngestion(t, here...)
	patients, heights := patientsAndMore(700)
	patients[11], patients[13], patients[17] = `{"resourceType":"Patient","id":"p11","gender":"f"}`, `{"resourceType":`, `{"resourceType":"Patient","id":"../p17"}`
	in.write("pacientes.ndjson.gz", patients...)
	in.write("tallas.ndjson", heights...)
	order := inputsOf("Observation file:tallas.ndjson", "Patient file:pacientes.ndjson.gz")
	m := in.wait(in.order("import", order))
	if len(m.Output) != 2 || m.Output[1].Type != "Patient" || m.Output[1].Count != 697 || m.Output[0].Count != 700 || m.Output[0].InputURL != "file:tallas.ndjson" || len(m.Error) != 1 || m.Error[0].Count != 3 {
		t.Fatalf("%+v", m)
	}
	in.tells(m.Error[0].URL, map[int]string{12: "Patient.gender", 14: "json", 18: "Patient.id"})
	in.wait(in.order("import", order))
	if _, text, _ := in.ask(in.token, http.MethodGet, in.p.base+"/Observation/o7/_history", ""); strings.Count(text, `"versionId"`) != 1 {
		t.Errorf("the same again made another version: %s", text)
	}
	in.refusals(here)

	there := newIngestion(t, "--data", t.TempDir(), "--database", storetest.Postgres(t))
	exported := in.order("export", "")
	in.wait(exported)
	from := fmt.Sprintf(`{"resourceType":"Parameters","parameter":[{"name":"manifest","valueUrl":%q},{"name":"header","valueString":"Authorization: Bearer %s"}]}`, in.p.base+exported, in.token)
	at := there.order("import", from)
	there.p.kill()
	there.start()
	m = there.wait(at)
	if len(m.Error) != 0 {
		resp, text, err := there.ask(there.token, http.MethodGet, m.Error[0].URL, "")
		t.Fatalf("%+v: %v %v %s", m, resp, err, text)
	}
	for _, typ := range []string{"Patient", "Observation"} {
		if a, b := in.total(typ), there.total(typ); a != b || a < 697 {
			t.Errorf("%d %s here, %d there", a, typ, b)
		}
	}
}

// tells holds an error file to what it should tell of lines.
func (in *ingestion) tells(url string, want map[int]string) {
	in.t.Helper()
	resp, text, err := in.ask(in.token, http.MethodGet, url, "")
	if err != nil || resp.StatusCode != http.StatusOK {
		in.t.Fatal(err, resp, text)
	}
	for line := range strings.Lines(text) {
		var o struct {
			Issue []struct{ Extension []struct{ ValueInteger int } }
		}
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			in.t.Fatal(err, line)
		}
		for _, i := range o.Issue {
			n := i.Extension[0].ValueInteger
			if want[n] == "" || !strings.Contains(line, want[n]) {
				in.t.Errorf("of line %d: %s", n, line)
			}
			delete(want, n)
		}
	}
	if len(want) > 0 {
		in.t.Errorf("nothing is told of %v", want)
	}
}

// total counts the resources of a type.
func (in *ingestion) total(typ string) int {
	_, text, err := in.ask(in.token, http.MethodGet, in.p.base+"/"+typ+"?_summary=count", "")
	var found struct{ Total int }
	if err != nil || json.Unmarshal([]byte(text), &found) != nil {
		in.t.Fatal(err, text)
	}
	return found.Total
}

// refusals: what is wrong with an order is said at once, and who may not order is told so.
func (in *ingestion) refusals(where []string) {
	for body, want := range map[string]string{
		inputsOf("Patient file:../amate.db"):                                                  "400 the name of a file in the folder",
		inputsOf("Patient file:/etc/passwd"):                                                  "400 the name of a file in the folder",
		inputsOf("Patient https://169.254.169.254/"):                                          "400 not one of the public Internet",
		inputsOf("Patient http://example.org/a"):                                              "400 begins with https",
		inputsOf("Paciente file:a"):                                                           "400 has the type of its resources",
		inputsOf("Patient file:a", "Patient file:a"):                                          "400 comes once",
		`{"resourceType":"Parameters"}`:                                                       "400 give either input",
		strings.Replace(inputsOf("Patient file:a"), "application/fhir+ndjson", "text/csv", 1): "400 lines of JSON",
	} {
		resp, text, err := in.ask(in.token, http.MethodPost, in.p.base+"/$import", body)
		status, words, _ := strings.Cut(want, " ")
		if err != nil || fmt.Sprint(resp.StatusCode) != status || !strings.Contains(text, words) {
			in.t.Errorf("%s: %v %s, not %s", body, resp.Status, text, want)
		}
	}
	m := in.order("import", inputsOf("Patient file:nowhere.ndjson"))
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		resp, text, err := in.ask(in.token, http.MethodGet, in.p.base+m, "")
		if err != nil || time.Now().After(end) || resp.StatusCode == http.StatusOK {
			in.t.Fatal(err, resp, text)
		}
		if resp.StatusCode != http.StatusAccepted {
			if !strings.Contains(text, "input 1: there is no such file") {
				in.t.Errorf("%s: %s", resp.Status, text)
			}
			break
		}
	}
	for _, role := range []string{"clinician", "analyst", "auditor", "telehealth-app"} {
		token := strings.TrimSpace(mustRun(in.t, where, "token", "--role", role))
		resp, text, err := in.ask(token, http.MethodPost, in.p.base+"/$import", inputsOf("Patient file:pacientes.ndjson.gz"))
		if err != nil || resp.StatusCode != http.StatusForbidden {
			in.t.Errorf("%s: %v %s", role, resp, text)
		}
	}
}
