package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/store/job"
	"github.com/amate-health/amate/store/reindex"
	"github.com/amate-health/amate/store/storetest"
)

// sendBody makes a request with a body, and returns the status and the answer.
func sendBody(t testing.TB, method, url, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	media := "application/fhir+json"
	if method == http.MethodPatch {
		media = "application/json-patch+json"
	}
	req.Header.Set("Content-Type", media)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

// wants sends a request, and fails unless the answer has a status, and words in it.
func wants(t testing.TB, status int, method, url, body string, words ...string) string {
	t.Helper()
	got, text := sendBody(t, method, url, body)
	if got != status {
		t.Errorf("%s %s: %d %.300s, want %d", method, url, got, text, status)
	}
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%s %s: %q is not in %.500s", method, url, w, text)
		}
	}
	return text
}

// waitFor asks a URL until its answer has some word.
func waitFor(t testing.TB, url, word string) string {
	t.Helper()
	text := ""
	for deadline := time.Now().Add(5 * time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if _, text = sendBody(t, "GET", url, ""); strings.Contains(text, word) {
			return text
		}
	}
	t.Fatalf("%s: %q is not in %.500s", url, word, text)
	return ""
}

// places runs a test on a place for a database of each engine, at the same time.
func places(t *testing.T, test func(t *testing.T, where storage, flags []string)) {
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		s := storage{Data: t.TempDir()}
		test(t, s, []string{"--data", s.Data})
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		s := storage{Data: t.TempDir(), Database: storetest.Postgres(t)}
		test(t, s, []string{"--data", s.Data, "--database", s.Database})
	})
}

// searchParameter is a definition of one; more stands at its end.
func searchParameter(id, code, typ, expression, more string) string {
	return fmt.Sprintf(`{"resourceType":"SearchParameter","id":%q,"url":"http://example.org/%s","name":"x","status":"active","description":"x",
"code":%q,"base":["Patient"],"type":%q,"expression":%q%s}`, id, id, code, typ, expression, more)
}

// TestSearchParameters: parameters that are added over HTTP, to one of two servers.
func TestSearchParameters(t *testing.T) {
	t.Parallel()
	places(t, func(t *testing.T, where storage, flags []string) {
		p := startServe(t, flags...)
		other := p
		if where.Database != "" {
			other = startServe(t, flags...)
		}
		base := p.base
		wants(t, 201, "PUT", base+"/Organization/o", `{"resourceType":"Organization","id":"o","name":"Clínica"}`)
		for i, given := range []string{"Zoila", "Ana", "María"} {
			wants(t, 201, "PUT", fmt.Sprint(base, "/Patient/p", i), fmt.Sprintf(
				`{"resourceType":"Patient","id":"p%d","name":[{"given":[%q]}],"managingOrganization":{"reference":"Organization/o"}}`, i, given))
		}
		for name, c := range map[string]struct{ json, expression string }{
			"a code that is there": {searchParameter("x", "gender", "token", "Patient.gender", ""), "SearchParameter.code"},
			"no FHIRPath":          {searchParameter("x", "x", "token", "Patient.(", ""), "SearchParameter.expression"},
		} {
			wants(t, 422, "PUT", base+"/SearchParameter/x", c.json, `"expression":["`+c.expression+`"]`)
			bundle := `{"resourceType":"Bundle","type":"transaction","entry":[{"resource":` + c.json + `,"request":{"method":"PUT","url":"SearchParameter/x"}}]}`
			wants(t, 422, "POST", base, bundle, "Bundle.entry[0].resource")
			wants(t, 404, "GET", base+"/SearchParameter/x", "")
			if t.Failed() {
				t.Logf("that was %s", name)
			}
		}
		bundle := `{"resourceType":"Bundle","type":"transaction","entry":[
{"resource":` + searchParameter("first", "first", "string", "Patient.name.given", "") + `,"request":{"method":"PUT","url":"SearchParameter/first"}},
{"resource":` + searchParameter("home", "home", "reference", "Patient.managingOrganization", `,"target":["Organization"]`) + `,"request":{"method":"PUT","url":"SearchParameter/home"}}]}`
		wants(t, 200, "POST", base, bundle)
		refused := wants(t, 400, "GET", base+"/Patient?first=ana", "", "still being indexed", base+"/$reindex-status/")
		_, status, _ := strings.Cut(refused, `"see `)
		status, _, _ = strings.Cut(status, `"`)
		wants(t, 200, "GET", status, "", `"valueCode":"Patient"`, "Patient.first, Patient.home")
		waitFor(t, status, `"valueCode":"done"`)
		waitFor(t, base+"/Patient?first=maria", `"id":"p2"`) // the other may have done the job
		for _, server := range []*process{p, other} {        // the other has heard of it, too
			waitFor(t, server.base+"/Patient?first=ana&_summary=count", `"total":1`)
			list := wants(t, 200, "GET", server.base+"/Patient?_sort=first&_include=Patient:home", "", `"id":"o"`)
			if strings.Index(list, `"id":"p1"`) > strings.Index(list, `"id":"p2"`) || strings.Index(list, `"id":"p2"`) > strings.Index(list, `"id":"p0"`) {
				t.Errorf("sorted: %.600s", list)
			}
			wants(t, 200, "GET", server.base+"/Patient?home.name=clinica&_summary=count", "", `"total":3`)
			wants(t, 200, "GET", server.base+"/Organization?_has:Patient:home:first=ana", "", `"id":"o"`)
			wants(t, 200, "GET", server.base+"/metadata", "", `"definition":"http://example.org/first"`, "Patient:home")
		}
		if status, text := sendBody(t, "PATCH", base+"/SearchParameter/first", `[{"op":"replace","path":"/status","value":"retired"}]`); status != 200 {
			t.Errorf("patch: %d %s", status, text)
		}
		wants(t, 400, "GET", base+"/Patient?first=ana", "", "unknown search parameter")
		wants(t, 204, "DELETE", base+"/SearchParameter/home", "")
		wants(t, 400, "GET", base+"/Patient?home=Organization/o", "", "unknown search parameter")
		waitFor(t, other.base+"/Patient?home=Organization/o", "unknown search parameter")
		wants(t, 202, "POST", base+"/$reindex?type=Patient", "", `"valueCode":"Patient"`, "$reindex-status")
		wants(t, 400, "POST", base+"/$reindex?type=Patients", "", "did you mean Patient?")
		wants(t, 405, "GET", base+"/$reindex", "")
		wants(t, 404, "GET", base+"/$reindex-status/none", "", "no such job")
		wants(t, 200, "GET", base+"/$reindex-status", "", `"name":"job"`)
		if err := p.terminate(t); err != nil {
			t.Errorf("with jobs under way it ended with %v\n%s", err, p.log)
		}
	})
}

// TestReindexCommand: a database of an older program is reindexed by a server that
// starts, or by the command, and then not again. What an import brings is noticed.
func TestReindexCommand(t *testing.T) {
	t.Parallel()
	places(t, func(t *testing.T, where storage, flags []string) {
		file := filepath.Join(t.TempDir(), "all.ndjson")
		lines := []string{`{"resourceType":"Patient","id":"a","name":[{"given":["Ana"]}]}`, strings.ReplaceAll(searchParameter("first", "first", "string", "Patient.name.given", ""), "\n", "")}
		if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if status, text := runCommand(t, append([]string{"import", file}, flags...)...); status != exitDone {
			t.Fatal(text)
		}
		log := slog.New(slog.DiscardHandler)
		older := func() {
			o, err := where.open(t.Context(), log)
			if err != nil {
				t.Fatal(err)
			}
			defer o.Close()
			version, e, err := o.indexVersion(t.Context())
			if err != nil || version != reindex.Version {
				t.Fatalf("the index has version %d, %v", version, err)
			}
			e.Value = []byte("1")
			if err := o.Put(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
		older()
		if status, text := runCommand(t, append([]string{"reindex", "--type", "Nobody"}, flags...)...); status != exitUsage || !strings.Contains(text, "--type") {
			t.Errorf("an unknown type: %d %s", status, text)
		}
		status, text := runCommand(t, append([]string{"reindex"}, flags...)...)
		if status != exitDone || !strings.Contains(text, "2 resources in ") {
			t.Errorf("%d %s", status, text)
		}
		older()
		p := startServe(t, flags...)
		id := fmt.Sprintf("index-version-%d", reindex.Version)
		waitFor(t, p.base+"/$reindex-status/"+id, `"valueCode":"done"`)
		waitFor(t, p.base+"/Patient?first=ana&_summary=count", `"total":1`)
		if err := p.terminate(t); err != nil {
			t.Error(err)
		}
		if !strings.Contains(p.log.String(), "indexed by an older program") {
			t.Errorf("it does not say so: %s", p.log)
		}
		again := startServe(t, flags...)
		if err := again.terminate(t); err != nil || strings.Contains(again.log.String(), "indexed by an older program") {
			t.Errorf("%v, %s", err, again.log)
		}
		o, err := where.open(t.Context(), log)
		if err != nil {
			t.Fatal(err)
		}
		defer o.Close()
		if version, _, err := o.indexVersion(t.Context()); err != nil || version != reindex.Version {
			t.Errorf("version %d, %v", version, err)
		}
	})
}

// TestJobEndsMeanwhile: a job that ends between the two looks at the list is told of once, as
// what it came to.
func TestJobEndsMeanwhile(t *testing.T) {
	open := []job.Job{{ID: "1", Status: job.Running}, {ID: "2", Status: job.Queued}}
	ended := []job.Job{{ID: "1", Status: job.Done}, {ID: "0", Status: job.Done}}
	if got := unended(open, ended); len(got) != 1 || got[0].ID != "2" {
		t.Errorf("open are %+v", got)
	}
}

// TestJobParts: what is said of a job is FHIR, and of use.
func TestJobParts(t *testing.T) {
	o := &opened{}
	payload, err := json.Marshal(reindex.Scope{Types: []string{"Patient"}, Why: "x"})
	if err != nil {
		t.Fatal(err)
	}
	j := job.Job{ID: "7", Kind: reindex.Kind, Status: job.Running, Payload: payload, Created: time.Now(), Started: time.Now().Add(-time.Minute), Done: 50, Total: 100}
	text := string(parameters(o.jobParts(&j, "http://base")).JSON)
	for _, want := range []string{`{"resourceType":"Parameters","parameter":[`, `"valueUrl":"http://base/$reindex-status/7"`, `"name":"expected"`, `"valueDecimal":100`} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is not in %s", want, text)
		}
	}
	if line := jobLine(&j, time.Now(), true); !strings.HasPrefix(line, "[===============               ]  50%  50 of 100 resources") || !strings.HasSuffix(line, "1m0s left") {
		t.Errorf("%q", line)
	}
	if _, err := resourceTypes([]string{"Patient", "Nobody"}); fhir.CodeOf(err) != fhir.Invalid {
		t.Errorf("%v", err)
	}
}
