package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/amate-health/amate/store/storetest"
)

// killed is how many people a server exports that is killed meanwhile.
const killed = 12_000

// TestExportKilled: a server that is killed in the midst of a file goes on behind what was
// saved of it, and no line is there twice or missing.
func TestExportKilled(t *testing.T) {
	t.Parallel()
	lines := make([]string, killed)
	for i := range lines {
		lines[i] = fmt.Sprintf(`{"resourceType":"Patient","id":"k%d","gender":"female","name":[{"family":"%x"}]}`, i, sha256.Sum256([]byte{byte(i), byte(i >> 8)}))
	}
	people := filepath.Join(t.TempDir(), "people.ndjson")
	if err := os.WriteFile(people, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, more := range map[string][]string{"sqlite": nil, "postgres": {"--database", storetest.Postgres(t)}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := t.TempDir()
			where := append([]string{"--data", data}, more...)
			mustRun(t, where, "import", people)
			exportKilled(t, data, where)
		})
	}
}

func exportKilled(t *testing.T, data string, where []string) {
	address := freePort(t)
	start := func() *process {
		return startGuarded(t, append([]string{"--listen", address, "--export-most", "50", "--job-lease", "2s"}, where...)...)
	}
	p := start()
	a := &asker{t: t, base: p.base, token: strings.TrimSpace(mustRun(t, where, "token", "--role", "system"))}
	at := a.ordered("/$export?_type=Patient")
	for n := 1; !killedWithin(p, data, at); n++ {
		if a.exported(at); n == 40 {
			t.Fatal("no export was met in its midst")
		}
		at = a.ordered("/$export?_type=Patient")
	}
	start()
	m := a.exported(at)
	all := a.lines(m) // fails where one comes twice
	if len(all) != killed || len(m.Output) != 1 || m.Output[0].Count != killed {
		t.Errorf("%d people of %d: %+v", len(all), killed, m)
	}
	if n := frames(data, at); n < 2 { // a file has one that was begun anew
		t.Errorf("the file has %d frames: nothing was gone on with", n)
	}
}

// frames returns how many frames the file of an order has: another one begins behind what
// was saved of it.
func frames(data, at string) int {
	raw, _ := os.ReadFile(exportFile(data, at))
	return bytes.Count(raw, []byte{0x28, 0xb5, 0x2f, 0xfd})
}

// exportFile is where a server keeps the file of an order.
func exportFile(data, at string) string {
	return filepath.Join(data, "exports", at[strings.LastIndexByte(at, '/')+1:], "Patient.1.ndjson")
}

// killedWithin kills a server in the midst of the file of an order, behind what it has saved
// of it, unless it is done with it before.
func killedWithin(p *process, data, at string) bool {
	reached := func(n int, within time.Duration) bool {
		for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(time.Millisecond) {
			if frames(data, at) >= n {
				return true
			}
		}
		return false
	}
	if !reached(1, time.Minute) {
		return false
	}
	signal := func(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }
	signal(syscall.SIGSTOP)
	time.Sleep(300 * time.Millisecond) // so that it is time to save
	signal(syscall.SIGCONT)
	if !reached(2, 5*time.Second) { // it was done by then
		return false
	}
	p.kill()
	return true
}
