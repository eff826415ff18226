package main

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir/samples"
	"github.com/amate-health/amate/store/storetest"
)

// exchanger sends requests to a server that asks who comes.
type exchanger struct {
	t *testing.T
	p *process
}

// said is what came back.
type said struct {
	status int
	header http.Header
	body   []byte
}

func (s said) String() string { return fmt.Sprintf("%d %.400s", s.status, s.body) }

// token returns a token of "amate token" for a role, and what else args say.
func (w *exchanger) token(where []string, args ...string) string {
	w.t.Helper()
	status, out, errs := amate(append(append([]string{"token", "--base-url", w.p.base}, where...), args...)...)
	if status != exitDone {
		w.t.Fatalf("amate token %v: %s", args, errs)
	}
	return strings.TrimSpace(out)
}

func (w *exchanger) ask(token, method, path, media string, body []byte, headers ...string) said {
	w.t.Helper()
	r, err := http.NewRequest(method, w.p.base+path, bytes.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	if media != "" {
		r.Header.Set("Content-Type", media)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	out, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return said{res.StatusCode, res.Header, out}
}

// created returns the path of what was created.
func (w *exchanger) created(s said) string {
	w.t.Helper()
	at, _, _ := strings.Cut(strings.TrimPrefix(s.header.Get("Location"), w.p.base), "/_history/")
	if s.status != http.StatusCreated || at == "" {
		w.t.Fatalf("not created: %s", s)
	}
	return at
}

// blobsIn counts the files of content in a folder, those on their way in included.
func blobsIn(t *testing.T, data string) (n int) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(data, "blobs"), func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && d.Name() != "name" {
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

const fhirJSON = "application/fhir+json"

func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // it never fails
	return b
}

// TestContentOfBinaries sends and fetches content by itself and within resources, kills
// the server between, and tries what must not pass.
func TestContentOfBinaries(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, s storage) {
		where := []string{"--data", s.Data}
		if s.Database != "" {
			where = append(where, "--database", s.Database)
		}
		args := append([]string{"--max-binary", "1MiB"}, where...)
		w := &exchanger{t: t, p: startGuarded(t, args...)}
		doctor := w.token(where, "--role", "clinician", "--user", "Practitioner/d")
		large := noise(300_000)

		at := w.created(w.ask(doctor, "POST", "/Binary", "application/octet-stream", large))
		second := append([]byte("\x89PNG\r\n\x1a\n"), noise(200_000)...)
		if got := w.ask(doctor, "PUT", at, "image/png", second, "If-Match", `W/"1"`); got.status != http.StatusOK {
			t.Fatalf("update: %s", got)
		}
		inside, _ := json.Marshal(map[string]any{"resourceType": "Binary", "contentType": "image/png", "data": base64.StdEncoding.EncodeToString(second)})
		same := w.created(w.ask(doctor, "POST", "/Binary", fhirJSON, inside))
		small := w.created(w.ask(doctor, "POST", "/Binary", "text/plain; charset=utf-8", []byte("hola")))
		if n := blobsIn(t, s.Data); n != 2 {
			t.Errorf("%d files hold two large contents, one of which came twice, and a small one", n)
		}

		w.p.kill()
		w.p = startGuarded(t, args...)
		doctor = w.token(where, "--role", "clinician", "--user", "Practitioner/d")
		for path, want := range map[string][]byte{at: second, at + "/_history/1": large, same: second, small: []byte("hola")} {
			if got := w.ask(doctor, "GET", path, "", nil); got.status != http.StatusOK || !bytes.Equal(got.body, want) {
				t.Errorf("%s: %d with %d bytes", path, got.status, len(got.body))
			}
			got := w.ask(doctor, "GET", path, "", nil, "Accept", fhirJSON)
			if !strings.Contains(string(got.body), `"data":"`+base64.StdEncoding.EncodeToString(want)+`"`) || strings.Contains(string(got.body), "_data") {
				t.Errorf("%s as a resource: %s", path, got)
			}
		}
		w.heads(doctor, at, second)
		w.refusals(doctor, at, where, s.Data)
	})
}

// heads holds what comes with content, and ranges of it.
func (w *exchanger) heads(token, at string, content []byte) {
	w.t.Helper()
	whole := w.ask(token, "GET", at, "", nil)
	for name, want := range map[string]string{
		"Content-Type": "image/png", "Etag": `W/"2"`, "X-Content-Type-Options": "nosniff", "Accept-Ranges": "bytes", "Content-Disposition": "inline",
	} {
		if got := whole.header.Get(name); got != want {
			w.t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if !strings.Contains(whole.header.Get("Content-Security-Policy"), "sandbox") {
		w.t.Errorf("the policy is %q", whole.header.Get("Content-Security-Policy"))
	}
	page := w.created(w.ask(token, "POST", "/Binary", "text/html", []byte("<script>alert(1)</script>")))
	if got := w.ask(token, "GET", page, "", nil, "Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"); got.header.Get("Content-Disposition") != "attachment" {
		w.t.Errorf("a page is shown: %v", got.header)
	}
	for _, c := range []struct {
		method, name, value string
		status              int
		want                []byte
	}{
		{"GET", "Range", "bytes=100-199", http.StatusPartialContent, content[100:200]},
		{"GET", "Range", "bytes=-5", http.StatusPartialContent, content[len(content)-5:]},
		{"GET", "Range", "bytes=999999999-", http.StatusRequestedRangeNotSatisfiable, nil},
		{"GET", "If-None-Match", `W/"2"`, http.StatusNotModified, []byte{}},
		{"GET", "Accept", "application/pdf", http.StatusNotAcceptable, nil},
		{"GET", "Accept", "image/*", http.StatusOK, content},
		{"HEAD", "Accept", "image/png", http.StatusOK, []byte{}},
	} {
		got := w.ask(token, c.method, at, "", nil, c.name, c.value)
		if got.status != c.status || c.want != nil && !bytes.Equal(got.body, c.want) {
			w.t.Errorf("%s with %s: %s is %d with %d bytes", c.method, c.name, c.value, got.status, len(got.body))
		}
	}
}

// refusals tries what must not pass, and looks whether anything of it is left.
func (w *exchanger) refusals(token, at string, where []string, data string) {
	w.t.Helper()
	before := blobsIn(w.t, data)
	kept := `{"resourceType":"Binary","contentType":"text/plain","_data":{"extension":[{"url":"https://github.com/amate-health/amate/fhir/StructureDefinition/kept-at","valueString":"` + fmt.Sprintf("%x", sha256.Sum256(nil)) + `.0.0"}]}}`
	for name, c := range map[string]struct {
		media  string
		body   []byte
		status int
	}{
		"too large":               {"application/octet-stream", noise(1<<20 + 1), http.StatusRequestEntityTooLarge},
		"a program as a picture":  {"image/png", append([]byte("MZ"), noise(100_000)...), http.StatusUnprocessableEntity},
		"a page as a picture":     {"image/png", []byte("\x89PNG\r\n\x1a\n<html>"), http.StatusUnprocessableEntity},
		"another's content":       {fhirJSON, []byte(kept), http.StatusUnprocessableEntity},
		"the same, escaped":       {fhirJSON, []byte(strings.Replace(kept, "kept-at", `kept-\u0061t`, 1)), http.StatusUnprocessableEntity},
		"a program in a resource": {fhirJSON, []byte(`{"resourceType":"Binary","contentType":"application/pdf","data":"TVqQAAMAAAAEAAAA"}`), http.StatusUnprocessableEntity},
		"without a type":          {"", []byte("x"), http.StatusUnsupportedMediaType},
	} {
		if got := w.ask(token, "POST", "/Binary", c.media, c.body); got.status != c.status {
			w.t.Errorf("%s: %s", name, got)
		}
	}
	patch := `[{"op":"add","path":"/_data","value":{"extension":[{"url":"https://github.com/amate-health/amate/fhir/StructureDefinition/kept-at","valueString":"x"}]}}]`
	if got := w.ask(token, "PATCH", at, "application/json-patch+json", []byte(patch)); got.status < 400 {
		w.t.Errorf("a patch says where data are: %s", got)
	}
	w.ask(w.token(where, "--role", "system"), "PUT", "/Patient/p", fhirJSON, []byte(`{"resourceType":"Patient","id":"p"}`))
	bound := w.created(w.ask(token, "POST", "/Binary", "text/plain", []byte("hola"), "X-Security-Context", "Patient/p"))
	if got := w.ask(token, "PUT", bound, "text/plain", []byte("hola")); got.status != http.StatusConflict {
		w.t.Errorf("what is about a patient becomes nobody's: %s", got)
	}
	patient := w.token(where, "--role", "patient", "--user", "Patient/p", "--patient", "p")
	if got := w.ask(patient, "POST", "/Binary", "application/octet-stream", noise(100_000)); got.status != http.StatusForbidden {
		w.t.Errorf("a patient sends content: %s", got)
	}
	if got := w.ask(patient, "GET", bound, "", nil); got.status != http.StatusOK || got.header.Get("X-Security-Context") != "Patient/p" {
		w.t.Errorf("a patient does not see what is theirs: %s", got)
	}
	if got := w.ask(patient, "GET", at, "", nil); got.status != http.StatusNotFound {
		w.t.Errorf("a patient sees what is nobody's: %s", got)
	}
	researcher := w.token(where, "--role", "researcher")
	if got := w.ask(researcher, "GET", at, "", nil); got.status != http.StatusForbidden {
		w.t.Errorf("a researcher, who sees Binaries without data, gets them: %s", got)
	}
	if got := w.ask(researcher, "GET", at, "", nil, "Accept", fhirJSON); strings.Contains(string(got.body), `"data"`) {
		w.t.Errorf("a researcher gets the data: %s", got)
	}
	w.cutOff(token)
	eventually(w.t, "nothing is left of what was refused", func() bool { return blobsIn(w.t, data) == before })
}

// TestOneFolderOfContent: a server that does not share the folder says so, and mixes up
// nothing.
func TestOneFolderOfContent(t *testing.T) {
	t.Parallel()
	database := storetest.Postgres(t)
	first := []string{"--data", t.TempDir(), "--database", database}
	a := &exchanger{t: t, p: startGuarded(t, first...)}
	token := a.token(first, "--role", "clinician", "--user", "Practitioner/d")
	large := noise(100_000)
	at := a.created(a.ask(token, "POST", "/Binary", "application/dicom", large))
	second := []string{"--data", t.TempDir(), "--database", database}
	b := &exchanger{t: t, p: startGuarded(t, second...)}
	token = b.token(second, "--role", "clinician", "--user", "Practitioner/d")
	if got := b.ask(token, "GET", at, "", nil); got.status != http.StatusServiceUnavailable {
		t.Errorf("content of the other server: %s", got)
	}
	if got := b.ask(token, "POST", "/Binary", "application/dicom", large); got.status != http.StatusServiceUnavailable {
		t.Errorf("large content goes into another folder: %s", got)
	}
	small := b.created(b.ask(token, "POST", "/Binary", "text/plain", []byte("hola")))
	if got := b.ask(token, "GET", small, "", nil); string(got.body) != "hola" {
		t.Errorf("small content: %s", got)
	}
}

// cutOff sends half of what it announces, and goes.
func (w *exchanger) cutOff(token string) {
	w.t.Helper()
	u, err := url.Parse(w.p.base)
	if err != nil {
		w.t.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		w.t.Fatal(err)
	}
	fmt.Fprintf(conn, "POST /fhir/Binary HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/octet-stream\r\nContent-Length: 900000\r\n\r\n", u.Host, token)
	_, _ = conn.Write(noise(400_000))
	conn.Close()
}

// TestContentIsNotHeld sends 200 MB up and down, and looks at the memory of the server.
func TestContentIsNotHeld(t *testing.T) {
	t.Parallel()
	where := []string{"--data", t.TempDir()}
	w := &exchanger{t: t, p: startGuarded(t, where...)}
	token := w.token(where, "--role", "clinician", "--user", "Practitioner/d")
	before := peak(t, w.p)
	const size = 200 << 20
	r, err := http.NewRequest("POST", w.p.base+"/Binary", io.LimitReader(zeros{}, size))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/dicom")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	at := w.created(said{res.StatusCode, res.Header, nil})
	if r, err = http.NewRequest("GET", w.p.base+at, nil); err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	if res, err = http.DefaultClient.Do(r); err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if n, err := io.Copy(io.Discard, res.Body); err != nil || n != size {
		t.Errorf("%d bytes came back: %v", n, err)
	}
	if after := peak(t, w.p); after > before+(40<<20) {
		t.Errorf("the memory of the server went from %d to %d MiB", before>>20, after>>20)
	}
	if got := w.ask(token, "GET", at, "", nil, "Accept", fhirJSON); got.status != http.StatusOK || !strings.Contains(string(got.body), "SUBSETTED") {
		t.Errorf("as a resource: %s", got)
	}
	if got := w.ask(token, "GET", "/Binary", "", nil); got.status != http.StatusOK || !strings.Contains(string(got.body), "SUBSETTED") {
		t.Errorf("in a search: %s", got)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

var highWater = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// peak is the most memory that a process has held, in bytes.
func peak(t *testing.T, p *process) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		t.Skip("SKIPPED: this system does not tell how much memory a process has:", err)
	}
	m := highWater.FindSubmatch(text)
	kb, err := strconv.ParseInt(string(m[1]), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kb << 10
}

// TestDocumentsOfPatients provides documents as IHE MHD has it, finds them, and holds who
// else sees them.
func TestDocumentsOfPatients(t *testing.T) {
	t.Parallel()
	files := samples.Files(t, "latam", "IHE.MHD.Minimal*.json")
	onBothEngines(t, func(t *testing.T, s storage) {
		where := []string{"--data", s.Data}
		if s.Database != "" {
			where = append(where, "--database", s.Database)
		}
		w := &exchanger{t: t, p: startGuarded(t, where...)}
		system := w.token(where, "--role", "system")
		doctor := w.token(where, "--role", "clinician", "--user", "Practitioner/d")
		for _, id := range []string{"p", "q"} {
			w.ask(system, "PUT", "/Patient/"+id, fhirJSON, []byte(`{"resourceType":"Patient","id":"`+id+`"}`))
		}
		sample, err := os.ReadFile(files[0])
		if err != nil {
			t.Fatal(err)
		}
		if got := w.ask(system, "POST", "/", fhirJSON, sample); got.status != http.StatusOK {
			t.Errorf("the sample: %s", got)
		}
		first := w.provide(doctor, "1", "")
		w.provide(doctor, "2", first)
		if got := w.ask(system, "GET", first, "", nil); !strings.Contains(string(got.body), `"status":"superseded"`) {
			t.Errorf("what was replaced: %s", got)
		}
		w.finds(doctor, 1, "/DocumentReference?patient=p&status=current")
		eventually(t, "the search parameters of MHD are searched by", func() bool {
			return w.ask(doctor, "GET", "/List?sourceId=urn:oid:1.2", "", nil).status == http.StatusOK && w.ask(doctor, "GET", "/DocumentReference?creation=ge2020", "", nil).status == http.StatusOK
		})
		w.finds(doctor, 2, "/List?code=submissionset&patient=p&sourceId=urn:oid:1.2")
		w.finds(doctor, 2, "/DocumentReference?patient=p&creation=2026-01-01")
		w.whoSees(where, doctor, system)
	})
}

// finds counts what a search finds.
func (w *exchanger) finds(token string, want int, path string) {
	w.t.Helper()
	got := w.ask(token, "GET", path, "", nil)
	var set struct{ Entry []struct{} }
	if err := json.Unmarshal(got.body, &set); err != nil || got.status != http.StatusOK || len(set.Entry) != want {
		w.t.Errorf("%s finds %d, want %d: %s", path, len(set.Entry), want, got)
	}
}

// provide submits a document of patient p, and returns its DocumentReference.
func (w *exchanger) provide(token, number, replaces string) string {
	w.t.Helper()
	relates := ""
	if replaces != "" {
		relates = `"relatesTo":[{"code":"replaces","target":{"reference":"` + strings.TrimPrefix(replaces, "/") + `"}}],`
	}
	got := w.ask(token, "POST", "/", fhirJSON, []byte(`{"resourceType":"Bundle","type":"transaction","meta":{"profile":["https://profiles.ihe.net/ITI/MHD/StructureDefinition/IHE.MHD.Minimal.ProvideBundle"]},"entry":[
	{"fullUrl":"urn:uuid:5eac3f2c-504a-47dd-b8b6-94691a0f4dd6","request":{"method":"POST","url":"List"},"resource":{"resourceType":"List","status":"current","mode":"working","date":"2026-01-01","subject":{"reference":"Patient/p"},
		"code":{"coding":[{"system":"https://profiles.ihe.net/ITI/MHD/CodeSystem/MHDlistTypes","code":"submissionset"}]},"extension":[{"url":"https://profiles.ihe.net/ITI/MHD/StructureDefinition/ihe-sourceId","valueIdentifier":{"value":"urn:oid:1.2"}}],
		"entry":[{"item":{"reference":"urn:uuid:987f3197-b863-4c0d-9a0d-75b0ee08d761"}}]}},
	{"fullUrl":"urn:uuid:987f3197-b863-4c0d-9a0d-75b0ee08d761","request":{"method":"POST","url":"DocumentReference"},"resource":{"resourceType":"DocumentReference","status":"current","subject":{"reference":"Patient/p"},`+relates+`
		"masterIdentifier":{"value":"`+number+`"},"content":[{"attachment":{"contentType":"text/plain","url":"urn:uuid:5c8ecb2a-8660-4e2c-960e-55998bcfff46","creation":"2026-01-01"}}]}},
	{"fullUrl":"urn:uuid:5c8ecb2a-8660-4e2c-960e-55998bcfff46","request":{"method":"POST","url":"Binary"},"resource":{"resourceType":"Binary","contentType":"text/plain","data":"aG9sYQ=="}}]}`))
	var answer struct {
		Entry []struct{ Response struct{ Location string } }
	}
	if err := json.Unmarshal(got.body, &answer); err != nil || got.status != http.StatusOK {
		w.t.Fatalf("provide: %s", got)
	}
	at, _, _ := strings.Cut(strings.TrimPrefix(answer.Entry[1].Response.Location, w.p.base), "/_history/")
	return at
}

// whoSees holds who else may see the documents of patient p.
func (w *exchanger) whoSees(where []string, doctor, system string) {
	w.t.Helper()
	own := w.token(where, "--role", "patient", "--user", "Patient/p", "--patient", "p")
	other := w.token(where, "--role", "patient", "--user", "Patient/q", "--patient", "q")
	var ref struct {
		Entry []struct {
			Resource struct {
				Content []struct{ Attachment struct{ URL string } }
			}
		}
	}
	if err := json.Unmarshal(w.ask(own, "GET", "/DocumentReference?status=current", "", nil).body, &ref); err != nil || len(ref.Entry) != 1 {
		w.t.Fatalf("the patient finds %v, %v", ref, err)
	}
	content := "/" + ref.Entry[0].Resource.Content[0].Attachment.URL
	docref := "/DocumentReference/$docref?patient=p"
	see := func(who, token string, status int, entries int) {
		w.t.Helper()
		if got := w.ask(token, "GET", content, "", nil); got.status != status || status == http.StatusOK && string(got.body) != "hola" {
			w.t.Errorf("%s fetches the document: %s", who, got)
		}
		if entries > 0 {
			w.finds(token, entries, docref)
		} else if got := w.ask(token, "GET", docref, "", nil); got.status != status {
			w.t.Errorf("%s asks for documents: %s", who, got)
		}
	}
	see("the patient", own, http.StatusOK, 2)
	see("the doctor", doctor, http.StatusOK, 2)
	see("another patient", other, http.StatusNotFound, 0)
	if got := w.ask(w.token(where, "--role", "vaccinator", "--user", "Practitioner/v"), "GET", docref, "", nil); got.status != http.StatusForbidden {
		w.t.Errorf("a vaccinator asks for documents: %s", got)
	}
	got := w.ask(system, "PUT", "/Consent/k", fhirJSON, []byte(`{"resourceType":"Consent","id":"k","status":"active","scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},
		"category":[{"coding":[{"system":"http://loinc.org","code":"59284-0"}]}],"patient":{"reference":"Patient/p"},"policyRule":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"OPTOUT"}]},"provision":{"type":"deny"}}`))
	if got.status != http.StatusCreated {
		w.t.Fatalf("consent: %s", got)
	}
	see("the doctor who is refused", doctor, http.StatusNotFound, 0)
	see("the patient who refuses", own, http.StatusOK, 2)
}
