package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// plainOf undoes a coding of HTTP.
var plainOf = map[string]func(r io.Reader) (io.Reader, error){
	"":     func(r io.Reader) (io.Reader, error) { return r, nil },
	"gzip": func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
	"zstd": func(r io.Reader) (io.Reader, error) { return zstd.NewReader(r) },
}

// exportParts: of a file as it is kept, a client that was interrupted asks for the rest; what
// is coded anew on the way is sent as a whole.
func exportParts(t *testing.T, a *asker, file string) {
	t.Helper()
	_, h, whole := a.do("GET", file, "", "Accept-Encoding", "zstd")
	tag, half := h.Get("ETag"), len(whole)/2
	if tag == "" || h.Get("Accept-Ranges") != "bytes" || h.Get("Content-Length") != fmt.Sprint(len(whole)) {
		t.Fatalf("%v", h)
	}
	rest := fmt.Sprintf("bytes=%d-", half)
	for name, tt := range map[string]struct {
		status int
		want   string
		header []string
	}{
		"the rest":                {http.StatusPartialContent, whole[half:], []string{"Accept-Encoding", "zstd", "Range", rest, "If-Range", tag}},
		"the rest of another one": {http.StatusOK, whole, []string{"Accept-Encoding", "zstd", "Range", rest, "If-Range", `"other"`}},
		"what is there already":   {http.StatusNotModified, "", []string{"Accept-Encoding", "zstd", "If-None-Match", tag}},
		"what is beyond it":       {http.StatusRequestedRangeNotSatisfiable, "", []string{"Accept-Encoding", "zstd", "Range", "bytes=99999999-"}},
	} {
		status, h, out := a.do("GET", file, "", tt.header...)
		if status != tt.status || status < 400 && out != tt.want || status == http.StatusPartialContent && h.Get("Content-Encoding") != "zstd" {
			t.Errorf("%s: %d, %d bytes of %d: %v", name, status, len(out), len(whole), h)
		}
	}
	status, h, out := a.do("GET", file, "", "Accept-Encoding", "identity", "Range", "bytes=0-9")
	if status != http.StatusOK || len(out) < 1000 || h.Get("ETag") == tag {
		t.Errorf("a part of what is not kept so: %d, %d bytes, %v", status, len(out), h)
	}
}

// exportRights: an app that consents bind exports what nobody refuses it, as each client
// likes it coded, and gets no file any more with fewer scopes, once somebody has refused it,
// or without its registration.
func exportRights(t *testing.T, where []string, sys *asker) {
	t.Helper()
	mustRun(t, where, "client", "add", "steward", "--role", "data-steward", "--scope", "system/*.rs")
	as := func(more ...string) *asker {
		return &asker{t: t, base: sys.base, token: strings.TrimSpace(mustRun(t, where, append([]string{"token", "--client", "steward"}, more...)...))}
	}
	for path, body := range map[string]string{
		"/Patient/refuses":     `{"resourceType":"Patient","id":"refuses"}`,
		"/Condition/c-refuses": `{"resourceType":"Condition","id":"c-refuses","subject":{"reference":"Patient/refuses"}}`,
	} {
		if status, _, out := sys.do("PUT", path, body); status != http.StatusCreated {
			t.Fatalf("%s: %d %s", path, status, out)
		}
	}
	steward := as()
	m := steward.exported(steward.ordered("/$export?_type=Condition,Patient"))
	before := steward.lines(m)
	if before["Condition/c-refuses"] == "" || before["Patient/refuses"] == "" || before["Condition/c-in"] == "" || len(m.Output) != 2 || m.Output[0].Type != "Condition" {
		t.Fatalf("%d resources: %+v", len(before), m)
	}
	file := strings.TrimPrefix(m.Output[0].URL, sys.base)
	_, _, want := steward.do("GET", file, "", "Accept-Encoding", "identity")
	for asked, coding := range map[string]string{"gzip": "gzip", "zstd": "zstd", "gzip, zstd": "zstd", "br": "", "gzip;q=0": ""} {
		status, h, out := steward.do("GET", file, "", "Accept-Encoding", asked)
		if status != http.StatusOK || h.Get("Content-Encoding") != coding || h.Get("Vary") != "Accept-Encoding" {
			t.Fatalf("%s: %d %v", asked, status, h)
		}
		r, err := plainOf[coding](strings.NewReader(out))
		if err != nil {
			t.Fatal(asked, err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, []byte(want)) {
			t.Errorf("%s: %v, %d bytes of %d", asked, err, len(got), len(want))
		}
	}
	exportParts(t, steward, file)
	refused := func(why string, a *asker, want int) {
		t.Helper()
		if status, _, out := a.do("GET", file, ""); status != want {
			t.Errorf("%s: %d %.300s", why, status, out)
		}
	}
	refused("with the scopes that it had", as(), http.StatusOK)
	refused("with a scope for less", as("--scope", "system/Patient.rs"), http.StatusForbidden)
	refused("with a scope for some of it", as("--scope", "system/Condition.rs?category=http://terminology.hl7.org/CodeSystem/condition-category|problem-list-item system/Patient.rs"), http.StatusForbidden)
	if status, _, out := sys.do("PUT", "/Consent/no", `{"resourceType":"Consent","id":"no","status":"active","scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},
		"category":[{"coding":[{"system":"http://loinc.org","code":"59284-0"}]}],"patient":{"reference":"Patient/refuses"},"dateTime":"2026-01-01","policyRule":{"text":"x"},"provision":{"type":"deny"}}`); status != http.StatusCreated {
		t.Fatalf("%d %s", status, out)
	}
	refused("since consents bind it", steward, http.StatusForbidden)
	m = steward.exported(steward.ordered("/$export?_type=Condition,Patient"))
	after := steward.lines(m)
	for ref := range before {
		if kept := after[ref] != ""; kept == strings.HasSuffix(ref, "refuses") {
			t.Errorf("%s, of which a patient refuses their records: it is exported: %v", ref, kept)
		}
	}
	file = strings.TrimPrefix(m.Output[0].URL, sys.base)
	refused("by then", steward, http.StatusOK)
	mustRun(t, where, "client", "remove", "steward")
	eventually(t, "a removed app gets no file", func() bool {
		status, _, _ := steward.do("GET", file, "")
		return status == http.StatusUnauthorized
	})
}
