package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// shell runs a script as a reader of the manual would, and returns what it prints.
// A curl that gets an error status fails it.
func shell(t *testing.T, script string) string {
	t.Helper()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("SKIPPED, THE EXAMPLES WERE NOT TRIED: there is no curl on this machine")
	}
	cmd := exec.Command("bash", "-euo", "pipefail", "-c", "curl() { command curl -sS --fail-with-body \"$@\"; echo; }\n"+script)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("%v\n%s\n%s%s", err, script, out, errs.String())
	}
	return string(out)
}

// TestDemonstration starts the server as "make run" does, and does what it says can be tried.
func TestDemonstration(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := startGuarded(t, "--data", dir, "--demo", "--demo-people=false")
	getToken := regexp.MustCompile(`(?m)^  (TOKEN=.*)$`).FindString(p.said)
	tries := regexp.MustCompile(`(?m)^  (curl .*)$`).FindAllStringSubmatch(p.said, -1)
	if getToken == "" || len(tries) != 3 {
		t.Fatalf("it names %d things to try:\n%s", len(tries), p.said)
	}
	for _, try := range tries {
		hits(t, try[1], shell(t, getToken+"\n"+try[1]))
	}
	untilTabled(t, dir)
	showsEverything(t, p, dir)
	here := strings.NewReplacer("http://127.0.0.1:8080/fhir", p.base, "go run ./cmd/amate", program(t), "./amate-data", dir)
	for _, block := range testedBlocks(t) {
		script := here.Replace(block)
		shell(t, script)
		first := regexp.MustCompile(`(?m)^(TOKEN=|fhir\(\)).*$`).FindAllString(script, -1)
		lines := regexp.MustCompile(`(?m)^fhir (?:[^\n'\\]|\\(?s:.)|'[^']*')*$`).FindAllString(script, -1) // what is quoted may have several lines
		if len(first) != 2 || len(lines) < 3 {
			t.Errorf("%d requests in\n%s", len(lines), block)
		}
		for _, one := range lines {
			hits(t, one, shell(t, strings.Join(append(first, one), "\n")))
		}
	}
	if err := p.terminate(t); err != nil {
		t.Errorf("after SIGTERM it ended with %v\n%s", err, p.log)
	}

	before := time.Now()
	again := startServe(t, "--data", dir, "--demo", "--demo-people=false")
	if strings.Contains(again.log.String(), "made what happens") {
		t.Error("the second start made what happens in the demonstration again")
	}
	t.Logf("ready on an existing database after %v", time.Since(before))
	if _, body := get(t, again.base+"/Patient?_id=mx1-1&_summary=count"); !strings.Contains(body, `"total":1`) {
		t.Errorf("the second start has %s", body)
	}
	if _, body := get(t, again.base+"/Patient/mx1-1/_history"); strings.Count(body, `"fullUrl"`) != 1 {
		t.Errorf("the second start made the population again: %s", body)
	}
}

var lastTable = regexp.MustCompile(`(?m)^amate_telehealth_visits .* current$`)

// untilTabled waits until the tables of analysts are made.
func untilTabled(t *testing.T, data string) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !lastTable.MatchString(mustRun(t, []string{"--data", data}, "analytics", "status")); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the tables of analysts are not made after two minutes")
		}
	}
}

// hits fails unless what a curl line printed is a resource, and a search found something.
func hits(t *testing.T, line, out string) {
	t.Helper()
	if strings.Contains(line, "_format=csv") {
		if rows := strings.Count(strings.TrimSpace(out), "\n"); rows < 1 || strings.Contains(out, "OperationOutcome") {
			t.Errorf("%s\nprinted no rows: %s", line, out)
		}
		return
	}
	var body struct {
		ResourceType string
		Entry        []json.RawMessage
	}
	if err := json.Unmarshal([]byte(out), &body); err != nil {
		t.Errorf("%s\nprinted no JSON: %v\n%s", line, err, out)
		return
	}
	switch {
	case body.ResourceType == "OperationOutcome", body.ResourceType == "":
		t.Errorf("%s\nprinted %s", line, out)
	case body.ResourceType == "Bundle" && len(body.Entry) == 0:
		t.Errorf("%s\nfound nothing: %s", line, out)
	}
}

// testedBlocks returns the shell blocks of the README that stand after a line "<!-- tested -->".
func testedBlocks(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository(t), "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for _, m := range regexp.MustCompile("(?s)<!-- tested -->\n```sh\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		blocks = append(blocks, m[1])
	}
	if len(blocks) < 2 {
		t.Errorf("the README has %d blocks to test", len(blocks))
	}
	return blocks
}

// TestGreetingWithoutDemonstration does what an empty server says can be tried.
func TestGreetingWithoutDemonstration(t *testing.T) {
	t.Parallel()
	p := startServe(t, "--data", t.TempDir())
	tries := regexp.MustCompile(`(?m)^  (curl .*)$`).FindAllStringSubmatch(p.said, -1)
	if len(tries) != 3 {
		t.Fatalf("it names %d things to try:\n%s", len(tries), p.said)
	}
	for _, try := range tries {
		hits(t, try[1], shell(t, try[1]))
	}
}

func TestHealthMetricsAndLog(t *testing.T) {
	t.Parallel()
	p := startServe(t, "--data", t.TempDir(), "--log-format", "json")
	for path, want := range map[string]string{"/health/live": "live", "/health/ready": "ready"} {
		eventually(t, path+" says "+want, func() bool { // a busy machine may take longer than readyWithin
			status, body := get(t, p.root(path))
			return status == 200 && strings.Contains(body, want)
		})
	}
	const secret = "zapopan-secret"
	get(t, p.base+"/Patient/"+secret)
	get(t, p.base+"/Patient?name="+secret)
	if status, _ := get(t, p.base+"/Patient?_summary=count"); status != 200 {
		t.Errorf("a search answered %d", status)
	}
	_, metrics := get(t, p.root("/metrics"))
	for _, want := range []string{
		`amate_http_requests_total{interaction="read",status="404"} 1`, `amate_http_requests_total{interaction="search-type",status="200"} 2`,
		`amate_http_request_duration_seconds_count{interaction="read"} 1`, `amate_store_duration_seconds_count{operation="search"}`,
		"amate_build_info{", "go_goroutines", "process_resident_memory_bytes",
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("/metrics has no %s", want)
		}
	}
	if err := p.terminate(t); err != nil {
		t.Errorf("after SIGTERM it ended with %v", err)
	}
	requests := 0
	for line := range strings.Lines(p.log.String()) {
		var l map[string]any
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Errorf("a line of the log is no JSON: %s", line)
		}
		if l["msg"] != "request" {
			continue
		}
		requests++
		for _, member := range []string{"request", "method", "interaction", "type", "status", "ms"} {
			if _, ok := l[member]; !ok {
				t.Errorf("the log has no %s: %s", member, line)
			}
		}
	}
	if requests != 3 {
		t.Errorf("the log has %d requests, want 3\n%s", requests, p.log)
	}
	if strings.Contains(p.log.String()+metrics, secret) {
		t.Errorf("an id or a query value is in the log or the metrics:\n%s", p.log)
	}
	if !strings.Contains(p.log.String(), "THERE IS NO ACCESS CONTROL") {
		t.Error("the log does not say that there is no access control")
	}
}

// TestStopFinishesWhatItAccepted stops the server while a request is on its way in.
func TestStopFinishesWhatItAccepted(t *testing.T) {
	t.Parallel()
	p := startServe(t, "--data", t.TempDir())
	body, write := io.Pipe()
	req, err := http.NewRequest(http.MethodPost, p.base+"/Patient", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/fhir+json")
	req.Header.Set("Expect", "100-continue") // so that what is written below is written once the server reads
	slow := http.Client{Transport: &http.Transport{ExpectContinueTimeout: time.Hour}}
	answered := make(chan int, 1)
	go func() {
		res, err := slow.Do(req)
		if err != nil {
			t.Error(err)
			answered <- 0
			return
		}
		res.Body.Close()
		answered <- res.StatusCode
	}()
	if _, err := io.WriteString(write, `{"resourceType":"Patient",`); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	refused := false
	for began := time.Now(); !refused && time.Since(began) < drainWithin/2; time.Sleep(20 * time.Millisecond) {
		res, err := http.Get(p.root("/health/live"))
		if refused = err != nil; !refused {
			res.Body.Close()
		}
	}
	if !refused {
		t.Error("it takes new requests while it stops")
	}
	if _, err := io.WriteString(write, `"active":true}`); err != nil {
		t.Fatal(err)
	}
	write.Close()
	if status := <-answered; status != http.StatusCreated {
		t.Errorf("what was accepted was answered with %d", status)
	}
	if <-p.ended; p.status != nil {
		t.Errorf("it ended with %v\n%s", p.status, p.log)
	}
}
