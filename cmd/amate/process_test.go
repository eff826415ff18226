package main

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestMain removes the program that a test may have built. Tests wait for programs half of
// their time, so that half as many more run at a time as there are processors.
func TestMain(m *testing.M) {
	flag.Parse()
	if most := flag.Lookup("test.parallel"); most.Value.String() == most.DefValue {
		if err := flag.Set("test.parallel", strconv.Itoa((3*runtime.GOMAXPROCS(0)+1)/2)); err != nil {
			panic(err)
		}
	}
	os.Setenv("AMATE_DEMO_PEOPLE", "true") // what else there is in a demonstration is for those who try it, and for its own test
	status := m.Run()
	if builtIn != "" {
		os.RemoveAll(builtIn)
	}
	os.Exit(status)
}

var builtIn string // the folder of the program, once it is built

var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "amate-program-")
	if err != nil {
		return "", err
	}
	builtIn = dir
	program := filepath.Join(dir, "amate")
	out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return program, nil
})

// program builds amate, once, and returns where it is.
func program(t testing.TB) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// process is a running server.
type process struct {
	cmd    *exec.Cmd
	base   string        // FHIR base URL
	said   string        // what it printed when it began to listen
	log    *bytes.Buffer // whole once it has ended
	ended  chan struct{}
	status error // once ended
}

// startServe starts "amate serve" with args on a port of the machine's choice, and
// returns when it listens.
func startServe(t testing.TB, args ...string) *process {
	t.Helper()
	p, err := tryServe(t, args...)
	if err != nil {
		t.Fatalf("amate serve: %v\n%s", err, p.log)
	}
	return p
}

func tryServe(t testing.TB, args ...string) (*process, error) {
	t.Helper()
	return tryCommand(t, append([]string{"serve", "--insecure-no-auth", "--listen", "127.0.0.1:0"}, args...)...)
}

// startGuarded is startServe with access control.
func startGuarded(t testing.TB, args ...string) *process {
	t.Helper()
	p, err := tryCommand(t, append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...)
	if err != nil {
		t.Fatalf("amate serve: %v\n%s", err, p.log)
	}
	return p
}

func tryCommand(t testing.TB, args ...string) (*process, error) {
	t.Helper()
	p := &process{log: new(bytes.Buffer), ended: make(chan struct{})}
	p.cmd = exec.Command(program(t), args...)
	p.cmd.Stderr = p.log
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return p, err
	}
	if err := p.cmd.Start(); err != nil {
		return p, err
	}
	t.Cleanup(func() {
		if t.Failed() {
			time.Sleep(time.Second) // for what its log holds back
		}
		p.kill()
		if t.Failed() && p.troubled() != "" {
			t.Logf("amate %s said:\n%s", args[0], p.troubled())
		}
	})
	greeted := make(chan bool, 1)
	go func() {
		said, _ := readGreeting(out)
		p.said = said
		greeted <- strings.Contains(said, "Try:")
		_, _ = io.Copy(io.Discard, out)
		p.status = p.cmd.Wait()
		close(p.ended)
	}()
	select {
	case ok := <-greeted:
		if !ok {
			<-p.ended
			return p, fmt.Errorf("it ended with %v instead of serving", p.status)
		}
	case <-time.After(3 * time.Minute):
		return p, fmt.Errorf("it does not listen after three minutes")
	}
	_, base, _ := strings.Cut(p.said, "answers FHIR R4 at ")
	p.base, _, _ = strings.Cut(base, "\n")
	return p, nil
}

// readGreeting returns the greeting, which ends with an empty line after the things to try.
func readGreeting(r io.Reader) (string, error) {
	var b strings.Builder
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		b.WriteString(lines.Text() + "\n")
		if lines.Text() == "" && strings.Contains(b.String(), "Try:\n  ") {
			break
		}
	}
	return b.String(), lines.Err()
}

// kill ends the process as kill -9 does.
func (p *process) kill() {
	if p.cmd.Process != nil {
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

// troubled returns what the log of an ended process warns of, or tells as a fault.
func (p *process) troubled() string {
	var b strings.Builder
	for line := range strings.Lines(p.log.String()) {
		if strings.Contains(line, `"level":"ERROR"`) || strings.Contains(line, `"level":"WARN"`) || strings.Contains(line, "panic") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// terminate sends SIGTERM and returns how the process ended.
func (p *process) terminate(t testing.TB) error {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.ended:
		return p.status
	case <-time.After(drainWithin + time.Minute):
		t.Fatal("it goes on after SIGTERM")
		return nil
	}
}

// root returns the URL of something beside the FHIR base, such as "/metrics".
func (p *process) root(path string) string { return strings.TrimSuffix(p.base, "/fhir") + path }

// get returns the status and the body of a GET.
func get(t testing.TB, url string) (int, string) {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}
