package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/amate-health/amate/store/storetest"
)

// ledger is what the writers were told. It is compared with what the server has.
type ledger struct {
	mu       sync.Mutex
	updates  map[string]int // patient id -> the number in the last update that was acknowledged
	tried    map[string]int // patient id -> the number in the last update that was sent
	acked    map[string]bool
	answered int
}

// perTransaction is how many observations each transaction creates beside its patient.
const perTransaction = 4

func TestDurabilitySQLite(t *testing.T) {
	t.Parallel()
	args := []string{"--data", t.TempDir()}
	l := newLedger()
	for round := range 4 {
		p := startServe(t, args...)
		l.check(t, p.base)
		l.load(t, p.base, randomly(round), p.kill)
	}
	l.check(t, startServe(t, args...).base)
}

func TestDurabilityPostgres(t *testing.T) {
	t.Parallel()
	db := storetest.StartServer(t)
	args := []string{"--data", t.TempDir(), "--database", db.URL("postgres")}
	p := startServe(t, args...)
	l := newLedger()
	crash := func() {
		killPostgres(t, db.URL("postgres"))
		if err := db.CrashAndRestart(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	for round, kill := range []func(){
		p.kill,
		crash, // the server lives on, and finds its database again
		func() { p.kill(); crash() },
		func() { crash(); p.kill() },
	} {
		l.load(t, p.base, randomly(round), kill)
		if round != 1 {
			p = startServe(t, args...)
		}
		awaitReady(t, p)
		l.check(t, p.base)
	}
	if _, metrics := get(t, p.root("/metrics")); !strings.Contains(metrics, "\namate_store_connections_most ") {
		t.Error("/metrics does not tell of the connections to the database")
	}
}

func randomly(round int) time.Duration {
	return time.Duration(400+rand.IntN(600)+50*round) * time.Millisecond
}

// killPostgres ends all processes of a PostgreSQL with SIGKILL: the first of them,
// then its children.
func killPostgres(t *testing.T, connection string) {
	t.Helper()
	u, err := url.Parse(connection)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(u.Query().Get("host"), "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil {
		t.Fatal(err)
	}
	// A stopped parent makes no further children, so that none is left over.
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range append([]string{first}, strings.Fields(string(children))...) {
		if pid, err := strconv.Atoi(one); err == nil {
			_ = syscall.Kill(pid, syscall.SIGKILL) // a backend may have ended by itself
			for runs(pid) {
				time.Sleep(time.Millisecond)
			}
		}
	}
}

// runs reports whether a process is there, and not just waits to be buried.
func runs(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	state := strings.TrimSpace(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	return !strings.HasPrefix(state, "Z") && !strings.HasPrefix(state, "X")
}

// awaitReady waits until the server has its database again.
func awaitReady(t *testing.T, p *process) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if status, _ := get(t, p.root("/health/ready")); status == http.StatusOK {
			return
		}
	}
	t.Fatal("the server does not find its database again")
}

func newLedger() *ledger {
	return &ledger{updates: map[string]int{}, tried: map[string]int{}, acked: map[string]bool{}}
}

// load writes with several clients, and calls kill after a while, in the middle of it.
func (l *ledger) load(t *testing.T, base string, after time.Duration, kill func()) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	before := l.answered
	var clients sync.WaitGroup
	for range 6 {
		clients.Go(func() { l.client(ctx, base) })
	}
	began := time.Now()
	for time.Since(began) < after || l.count() == before && time.Since(began) < time.Minute { // it may be slow to begin
		time.Sleep(10 * time.Millisecond)
	}
	kill()
	stop()
	clients.Wait()
	if l.answered == before {
		t.Error("nothing was acknowledged before the kill")
	}
	t.Logf("%d writes acknowledged in %v", l.answered-before, after)
}

// client writes until something fails.
func (l *ledger) client(ctx context.Context, base string) {
	own := ""
	for n := 0; ; n++ {
		key := fmt.Sprintf("t%x", rand.Uint64())
		switch {
		case n%3 == 0:
			body := transactionOf(key, perTransaction)
			body = strings.ReplaceAll(body, `"name":[`, `"identifier":[{"system":"urn:tx","value":"`+key+`"}],"name":[`)
			body = strings.ReplaceAll(body, `"status":"final"`, `"status":"final","identifier":[{"system":"urn:tx","value":"`+key+`"}]`)
			if _, ok := write(ctx, http.MethodPost, base, body, http.StatusOK); !ok {
				return
			}
			l.note(func() { l.acked[key] = true })
		case own == "":
			id, ok := write(ctx, http.MethodPost, base+"/Patient", numbered("", 0), http.StatusCreated)
			if !ok {
				return
			}
			own = id
			l.note(func() { l.updates[own] = 0 })
		default:
			l.mu.Lock()
			l.tried[own] = n
			l.mu.Unlock()
			if _, ok := write(ctx, http.MethodPut, base+"/Patient/"+own, numbered(own, n), http.StatusOK); !ok {
				return
			}
			l.note(func() { l.updates[own] = n })
		}
	}
}

// count is how many writes were acknowledged.
func (l *ledger) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.answered
}

func (l *ledger) note(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answered++
	f()
}

// numbered is a patient whose name is a number.
func numbered(id string, n int) string { return patient(id, fmt.Sprintf("n%06d", n)) }

// write sends a write and returns the id of what it made, if it was acknowledged.
func write(ctx context.Context, method, url, body string, want int) (id string, acknowledged bool) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader([]byte(body)))
	if err != nil {
		return "", false
	}
	req.Header.Set("Content-Type", "application/fhir+json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", false
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != want {
		return "", false
	}
	_, id, _ = strings.Cut(res.Header.Get("Location"), "/Patient/")
	id, _, _ = strings.Cut(id, "/")
	return id, true
}

// held is what the server has of one resource.
type held struct {
	ID         string
	Identifier []struct{ Value string }
	Name       []struct{ Family string }
}

// check compares the server with the ledger. What was sent last, and not waited for, may
// be written while it looks; what is lost stays lost.
func (l *ledger) check(t *testing.T, base string) {
	t.Helper()
	found := l.differences(t, base)
	for end := time.Now().Add(time.Minute); len(found) > 0 && time.Now().Before(end); {
		time.Sleep(200 * time.Millisecond)
		found = l.differences(t, base)
	}
	for _, d := range found {
		t.Error(d)
	}
}

// differences says where the server differs from the ledger: whatever was
// acknowledged must be there, and of no transaction a part.
func (l *ledger) differences(t *testing.T, base string) (found []string) {
	t.Helper()
	differ := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	patients, parts := map[string]int{}, map[string]int{}
	for _, r := range all(t, base+"/Patient?_count=500") {
		if len(r.Identifier) > 0 {
			parts[r.Identifier[0].Value] += perTransaction + 1
			continue
		}
		n, err := strconv.Atoi(strings.TrimPrefix(r.Name[0].Family, "n"))
		if err != nil {
			differ("Patient/%s is called %s", r.ID, r.Name[0].Family)
		}
		patients[r.ID] = n
	}
	for _, r := range all(t, base+"/Observation?_count=500&_elements=identifier") {
		parts[r.Identifier[0].Value]--
	}
	for key, n := range parts {
		if n != 1 {
			differ("of transaction %s a part is there: %d", key, n)
		}
	}
	for key := range l.acked {
		if _, ok := parts[key]; !ok {
			differ("transaction %s was acknowledged, and is lost", key)
		}
	}
	for id, n := range l.updates {
		got, ok := patients[id]
		if !ok || got != n && got != l.tried[id] {
			differ("Patient/%s: update %d was acknowledged and %d tried; the server has %d (%v)", id, n, l.tried[id], got, ok)
		}
	}
	return found
}

// TestDurabilityNoticesLoss takes things away, each of which must be noticed.
func TestDurabilityNoticesLoss(t *testing.T) {
	p := startServe(t, "--data", t.TempDir())
	l := newLedger()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		l.client(ctx, p.base)
	}()
	for l.count() < 6 { // of transactions, and of a Patient
		select {
		case <-ended:
			t.Fatal("a write was refused")
		case <-time.After(10 * time.Millisecond):
		}
	}
	stop()
	<-ended
	l.check(t, p.base)

	l.acked["lost"] = true
	for id := range l.updates {
		l.updates[id], l.tried[id] = -2, -1
	}
	one := all(t, p.base+"/Observation?_count=1&_elements=identifier")[0]
	req, err := http.NewRequest(http.MethodDelete, p.base+"/Observation/"+one.ID, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if d := l.differences(t, p.base); len(d) != 3 {
		t.Errorf("a transaction, an update and a part of a transaction are lost; noticed %q", d)
	}
}

// all returns the resources of every page of a search.
func all(t *testing.T, next string) (resources []held) {
	t.Helper()
	for next != "" {
		status, body := get(t, next)
		var page struct {
			Link  []struct{ Relation, URL string }
			Entry []struct{ Resource held }
		}
		if err := json.Unmarshal([]byte(body), &page); err != nil || status != http.StatusOK {
			t.Fatalf("%s: %d %v %s", next, status, err, body)
		}
		for _, e := range page.Entry {
			resources = append(resources, e.Resource)
		}
		next = ""
		for _, link := range page.Link {
			if link.Relation == "next" {
				next = link.URL
			}
		}
	}
	return resources
}
