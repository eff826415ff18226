package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/google/uuid"

	"github.com/amate-health/amate/store/storetest"
)

// TestAuditSurvivesKill: of every request that was answered before the server was
// killed, and before its database was, there is an AuditEvent.
func TestAuditSurvivesKill(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		dir := t.TempDir()
		auditSurvives(t, storage{Data: dir}, func(p *process) { p.kill() })
	})
	t.Run("postgres", func(t *testing.T) {
		db := storetest.StartServer(t)
		s := storage{Data: t.TempDir(), Database: db.URL("postgres")}
		auditSurvives(t, s, func(p *process) {
			killPostgres(t, s.Database)
			p.kill()
			if err := db.CrashAndRestart(context.Background()); err != nil {
				t.Fatal(err)
			}
		})
	})
}

func auditSurvives(t *testing.T, s storage, kill func(*process)) {
	args := []string{"--data", s.Data}
	if s.Database != "" {
		args = append(args, "--database", s.Database)
	}
	var answered answers
	for round := range 2 {
		p := startServe(t, args...)
		answered.load(t, p, round, kill)
	}
	startServe(t, args...).terminate(t) // which takes over what was left, and links it
	there := map[string]bool{}
	for _, line := range export(t, s) {
		var e struct {
			Entity []struct {
				What struct{ Identifier struct{ Value string } }
			}
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		for _, x := range e.Entity {
			there[x.What.Identifier.Value] = true
		}
	}
	lost := 0
	for _, id := range answered.ids {
		if !there[id] {
			lost++
		}
	}
	if lost > 0 || len(answered.ids) < 100 {
		t.Errorf("of %d requests that were answered, %d are not in the audit trail", len(answered.ids), lost)
	}
	t.Logf("%d requests answered, %d on record", len(answered.ids), len(there))
	verified(t, s)
}

// answers are the ids of requests that were answered.
type answers struct {
	mu  sync.Mutex
	ids []string
}

func (a *answers) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.ids)
}

// load reads, searches, writes, and asks for what is not there, until kill.
func (a *answers) load(t *testing.T, p *process, round int, kill func(*process)) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	var clients sync.WaitGroup
	for range 6 {
		clients.Go(func() {
			for n := 0; ; n++ {
				id := uuid.NewString()
				if !askAs(ctx, id, p.base, n) {
					return
				}
				a.mu.Lock()
				a.ids = append(a.ids, id)
				a.mu.Unlock()
			}
		})
	}
	began, before := time.Now(), a.count()
	for wait := randomly(round); time.Since(began) < wait || a.count() < before+60 && time.Since(began) < 2*time.Minute; {
		time.Sleep(10 * time.Millisecond) // a busy machine answers few in that time
	}
	kill(p)
	stop()
	clients.Wait()
}

// askAs sends one of several requests, and reports whether it was answered.
func askAs(ctx context.Context, id, base string, n int) bool {
	method, path, body := http.MethodGet, "", ""
	switch n % 5 {
	case 0:
		method, path, body = http.MethodPost, "/Patient", patient("", "Kill")
	case 1:
		path = "/Patient/nobody" + fmt.Sprint(rand.IntN(10))
	case 2:
		path = "/Patient?family=kill&_count=3"
	case 3:
		method, path, body = http.MethodPut, "/Patient/shared", patient("shared", fmt.Sprintf("Kill%d", rand.Int()))
	case 4:
		method, body = http.MethodPost, `{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","url":"Patient/shared"}},{"request":{"method":"DELETE","url":"Patient/nothing"}}]}`
	}
	req, err := http.NewRequestWithContext(ctx, method, base+path, strings.NewReader(body))
	if err != nil {
		return false
	}
	req.Header.Set("Content-Type", "application/fhir+json")
	req.Header.Set("X-Request-Id", id)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	var all bytes.Buffer
	_, err = all.ReadFrom(res.Body)
	// What could not be answered for a database that is away counts as well, if it was said.
	return err == nil
}

// export returns the lines of "amate audit export".
func export(t *testing.T, s storage) []string {
	t.Helper()
	var out bytes.Buffer
	e := trailExport{Storage: s, BaseURL: "http://x/fhir"}
	if err := e.Run(t.Context(), streams{out: &out, err: os.Stderr}, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(out.String()), "\n")
}

// verified runs "amate audit verify", which must find nothing.
func verified(t *testing.T, s storage) {
	t.Helper()
	var out bytes.Buffer
	v := trailVerify{Storage: s}
	if err := v.Run(t.Context(), streams{out: &out, err: os.Stderr}, slog.New(slog.DiscardHandler)); err != nil {
		t.Errorf("%v\n%s", err, out.String())
	}
	t.Log(strings.TrimSpace(out.String()))
}

// TestAuditFailsClosed: where the journal cannot be written nothing is answered, and
// nothing is changed without its record.
func TestAuditFailsClosed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := startServe(t, "--data", dir)
	if status, _ := get(t, p.base+"/Patient/x"); status != http.StatusNotFound {
		t.Fatalf("status %d", status)
	}
	files, err := filepath.Glob(filepath.Join(dir, "audit", "*"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	limitFileSize(t, p) // as if the disk was full
	status, body := get(t, p.base+"/Patient/x")
	if status != http.StatusServiceUnavailable || !strings.Contains(body, "audit trail") {
		t.Errorf("status %d: %s", status, body)
	}
}

// limitFileSize keeps a process from making any file longer than it is.
//
// See https://man7.org/linux/man-pages/man2/prlimit.2.html.
func limitFileSize(t *testing.T, p *process) {
	t.Helper()
	const fileSize = 1 // RLIMIT_FSIZE
	limit := syscall.Rlimit{Cur: 1, Max: 1}
	_, _, failed := syscall.Syscall6(syscall.SYS_PRLIMIT64, uintptr(p.cmd.Process.Pid), fileSize, uintptr(unsafe.Pointer(&limit)), 0, 0, 0)
	if failed != 0 {
		t.Skipf("SKIPPED: the limit of a process cannot be set: %v", failed)
	}
}
