package main

import (
	"bytes"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Things that no log, metric or URL of ours may hold.
const (
	plantedName  = "Xochiquetzalplanted"
	plantedCURP  = "PEGJ900512HJCRRS04"
	plantedID    = "planted-4711"
	plantedToken = "eyJplanted.eyJplanted.planted"
)

// TestNothingLeaks sends names, CURPs, ids and tokens by every way into the server,
// good and bad, and then looks for them in what it logs and shows to an operator.
func TestNothingLeaks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := startGuarded(t, "--data", dir, "--demo", "--log-level", "debug")
	var minted bytes.Buffer
	mint := bearer{Storage: storage{Data: dir}, Role: "system", For: time.Hour}
	if err := mint.Run(t.Context(), streams{out: &minted, err: io.Discard}, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	genuine := strings.TrimSpace(minted.String())
	person := strings.Replace(patient(plantedID, plantedName), `"name":[`, `"identifier":[{"system":"urn:oid:2.16.840.1.113883.4.629","value":"`+plantedCURP+`"}],"name":[`, 1)
	if !strings.Contains(person, plantedCURP) {
		t.Fatal(person)
	}
	query := "identifier=" + plantedCURP + "&family=" + plantedName
	statuses := map[int]int{}
	for _, as := range []string{genuine, plantedToken, ""} {
		for _, r := range [][3]string{
			{http.MethodPut, "/Patient/" + plantedID, person},
			{http.MethodPost, "/Patient", person},
			{http.MethodGet, "/Patient/" + plantedID, ""},
			{http.MethodGet, "/Patient/" + plantedID + "/_history/99", ""},
			{http.MethodGet, "/Patient/" + plantedName + plantedCURP, ""},
			{http.MethodGet, "/Patient?" + query, ""},
			{http.MethodGet, "/Patient?" + query + "&nonsense=" + plantedName, ""},
			{http.MethodGet, "/Patient?birthdate=" + plantedName, ""},
			{http.MethodPost, "/Patient/_search?" + query, ""},
			{http.MethodGet, "/" + plantedName + "/" + plantedCURP, ""},
			{http.MethodGet, "/Patient/$" + plantedName, ""},
			{http.MethodPost, "/Patient", strings.Replace(person, `"name":[`, `"gender":"`+plantedName+`","name":[`, 1)},
			{http.MethodPost, "/Patient", person[:len(person)-5]},
			{http.MethodPost, "", `{"resourceType":"Bundle","type":"transaction","entry":[{"resource":` + person + `,"request":{"method":"POST","url":"Patient","ifNoneExist":"` + query + `"}},{"request":{"method":"GET","url":"Patient/` + plantedName + `"}}]}`},
			{http.MethodPost, "", `{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","url":"Patient?` + query + `"}},{"request":{"method":"DELETE","url":"` + plantedName + `"}}]}`},
			{http.MethodPatch, "/Patient/" + plantedID, `[{"op":"replace","path":"/` + plantedName + `","value":"` + plantedCURP + `"}]`},
			{http.MethodDelete, "/Patient/" + plantedID, ""},
			{plantedName, "/Patient/" + plantedID, ""},
			{http.MethodGet, "/AuditEvent?patient=" + plantedID, ""},
		} {
			statuses[sends(t, p.base, r[0], r[1], r[2], as)]++
		}
	}
	if statuses[http.StatusUnauthorized] == 0 || statuses[http.StatusOK]+statuses[http.StatusCreated] == 0 || statuses[http.StatusBadRequest] == 0 {
		t.Fatalf("statuses %v: the mix does not reach what it should", statuses)
	}
	for _, path := range []string{"/oauth/token", "/oauth/token?client_secret=" + plantedToken} {
		res, err := http.PostForm(p.root(path), url.Values{
			"grant_type": {"client_credentials"}, "client_id": {"amate-system"}, "client_secret": {plantedToken}, "username": {plantedName},
		})
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
	}
	_, metrics := get(t, p.root("/metrics"))
	p.terminate(t)
	for where, text := range map[string]string{"the log": p.log.String(), "/metrics": metrics, "the greeting": p.said} {
		if text == "" {
			t.Errorf("%s is empty", where)
		}
		for _, secret := range []string{plantedName, plantedCURP, plantedID, plantedToken, genuine, strings.Split(genuine, ".")[2]} {
			if at := strings.Index(text, secret); at >= 0 {
				t.Errorf("%s holds %.20s: %s", where, secret, text[max(0, at-200):min(len(text), at+50)])
			}
		}
	}
	ownersOnly(t, dir)
}

// sends sends a request and returns the status of the answer.
func sends(t *testing.T, base, method, path, body, bearer string) int {
	t.Helper()
	req, err := http.NewRequest(method, base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/fhir+json")
	req.Header.Set("X-Request-Id", plantedName)
	if method == http.MethodPatch {
		req.Header.Set("Content-Type", "application/json-patch+json")
	}
	if strings.HasSuffix(path, "_search") {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}

// ownersOnly expects that nobody but its owner can read what is in dir.
func ownersOnly(t *testing.T, dir string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == dir {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		files++
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
		return nil
	})
	if err != nil || files < 3 {
		t.Errorf("%d files: %v", files, err)
	}
}
