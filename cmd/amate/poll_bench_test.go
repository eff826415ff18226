package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The load of BenchmarkClinics: 10,000 clinics that poll each minute, while others write.
const (
	pollsPerSecond  = 167
	writesPerSecond = 20
	patientsOfEach  = 20
	pollers         = 20 // tokens that the clinics share
	pollFor         = 20 * time.Second
)

// BenchmarkClinics: clinics that each follow their own patients, by the scope of their
// Organization, ask in turn whether there is anything, 167 times a second, which is
// 10,000 clinics once a minute; meanwhile 20 Observations are written a second, of
// patients of any of them. The server is a process of its own, with access control and
// the audit trail on. What is reported is the CPU time of that process, and of
// PostgreSQL, in percent of one core, while only the writes go on, and what the polls
// add to that. AMATE_POLL_CLINICS is how many clinics there are: 500 unless it says
// another number; of 10,000, the copies are made within a few minutes.
func BenchmarkClinics(b *testing.B) {
	clinics := 500
	if text := os.Getenv("AMATE_POLL_CLINICS"); text != "" {
		var err error
		if clinics, err = strconv.Atoi(text); err != nil {
			b.Fatal(err)
		}
	}
	eachEngine(b, func(b *testing.B, s storage) {
		where := []string{"--data", s.Data}
		if s.Database != "" {
			where = append(where, "--database", s.Database)
		}
		mustRun(b, where, "import", clinicsFile(b, clinics))
		p := startGuarded(b, where...)
		f := &followers{b: b, process: p, database: s.Database, next: make([]string, clinics), system: strings.TrimSpace(mustRun(b, where, "token", "--role", "system"))}
		for n := range pollers {
			f.tokens = append(f.tokens, strings.TrimSpace(mustRun(b, where, "token", "--role", "clinician", "--user", fmt.Sprint("Practitioner/d", n))))
		}
		f.begin()
		b.ResetTimer()
		for b.Loop() {
			alone := f.run(0)
			both := f.run(pollsPerSecond)
			b.ReportMetric(100*alone.server.Seconds()/pollFor.Seconds(), "%-writes-alone")
			b.ReportMetric(100*(both.server-alone.server).Seconds()/pollFor.Seconds(), "%-polls")
			b.ReportMetric(100*(both.database-alone.database).Seconds()/pollFor.Seconds(), "%-polls-database")
			b.ReportMetric(float64(both.told), "told")
			b.ReportMetric(float64((both.server-alone.server).Microseconds())/float64(both.polls), "cpu-µs/poll")
			b.ReportMetric(float64(both.polls)/pollFor.Seconds(), "polls/s")
		}
	})
}

// clinicsFile writes Organizations and their Patients as NDJSON.
func clinicsFile(b *testing.B, clinics int) string {
	name := filepath.Join(b.TempDir(), "clinics.ndjson")
	file, err := os.Create(name)
	if err != nil {
		b.Fatal(err)
	}
	w := bufio.NewWriter(file)
	for n := range clinics + 1 { // nobody follows the last one
		fmt.Fprintf(w, `{"resourceType":"Organization","id":"k%d","name":"Clínica %d"}`+"\n", n, n)
		for p := range patientsOfEach {
			fmt.Fprintf(w, `{"resourceType":"Patient","id":"k%d-%d","name":[{"family":"Ek"}],"managingOrganization":{"reference":"Organization/k%d"}}`+"\n", n, p, n)
		}
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	if err := file.Close(); err != nil {
		b.Fatal(err)
	}
	return name
}

// followers are the clinics.
type followers struct {
	b        *testing.B
	process  *process
	database string
	tokens   []string
	system   string
	next     []string // URL that each asks next
	at       int
	wrote    int
}

// spent is what a while has cost.
type spent struct {
	server, database time.Duration // CPU time
	polls, told      int64
}

func (f *followers) ask(clinic int) (told int, caughtUp bool) {
	req, err := http.NewRequest(http.MethodGet, f.next[clinic], nil)
	if err != nil {
		f.b.Error(err)
		return 0, true
	}
	req.Header.Set("Authorization", "Bearer "+f.tokens[clinic%len(f.tokens)])
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		f.b.Error(err)
		return 0, true
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	var a struct {
		Link  []struct{ Relation, URL string }
		Entry []json.RawMessage
	}
	if err != nil || resp.StatusCode != http.StatusOK || json.Unmarshal(text, &a) != nil {
		f.b.Errorf("%s %v: %.300s", resp.Status, err, text)
		return 0, true
	}
	for _, l := range a.Link {
		if l.Relation == "next" {
			f.next[clinic] = l.URL
		}
	}
	return len(a.Entry), bytes.Contains(text, []byte(`"caught-up"`))
}

// begin makes the copies.
func (f *followers) begin() {
	var at atomic.Int64
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for n := int(at.Add(1)) - 1; n < len(f.next) && !f.b.Failed(); n = int(at.Add(1)) - 1 {
				f.next[n] = fmt.Sprintf("%s/$changes?organization=k%d", f.process.base, n)
				for caughtUp := false; !caughtUp; {
					_, caughtUp = f.ask(n)
				}
				f.ask(n)
			}
		})
	}
	all.Wait()
}

// run writes, and polls so many times a second, for a while.
func (f *followers) run(polls int) spent {
	before := f.cpu()
	ctx, stop := context.WithTimeout(f.b.Context(), pollFor)
	defer stop()
	var all sync.WaitGroup
	var told, asked atomic.Int64
	every := func(n int, do func(n int)) {
		queue := make(chan int)
		for range 2 {
			all.Go(func() {
				for at := range queue {
					do(at)
				}
			})
		}
		all.Go(func() {
			defer close(queue)
			tick := time.NewTicker(time.Second / time.Duration(n))
			defer tick.Stop()
			for i := 0; ; i++ {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
					queue <- i
				}
			}
		})
	}
	every(writesPerSecond, func(n int) {
		n += f.wrote
		clinic := len(f.next) // so that nothing waits to be told when the polls begin
		if polls > 0 {
			clinic = n * 7919 % len(f.next)
		}
		f.write(n, clinic)
	})
	if polls > 0 {
		first := f.at
		every(polls, func(n int) {
			news, _ := f.ask((first + n) % len(f.next))
			told.Add(int64(news))
			asked.Add(1)
		})
	}
	all.Wait()
	f.wrote += int(pollFor.Seconds()) * writesPerSecond
	f.at += int(asked.Load())
	after := f.cpu()
	return spent{after.server - before.server, after.database - before.database, asked.Load(), told.Load()}
}

// write writes an Observation of a patient of a clinic.
func (f *followers) write(n, clinic int) {
	body := fmt.Sprintf(`{"resourceType":"Observation","id":"w%d","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/k%d-%d"}}`, n, clinic, n%patientsOfEach)
	req, err := http.NewRequest(http.MethodPut, fmt.Sprintf("%s/Observation/w%d", f.process.base, n), strings.NewReader(body))
	if err != nil {
		f.b.Error(err)
		return
	}
	req.Header.Set("Authorization", "Bearer "+f.system)
	req.Header.Set("Content-Type", "application/fhir+json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		f.b.Error(err)
		return
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode >= 300 {
		f.b.Errorf("a write: %s %v", resp.Status, err)
	}
}

// cpu returns the CPU time that the processes have taken.
func (f *followers) cpu() spent {
	s := spent{server: cpuOf(f.process.cmd.Process.Pid)}
	if f.database == "" {
		return s
	}
	u, err := url.Parse(f.database)
	if err != nil {
		f.b.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(u.Query().Get("host"), "data", "postmaster.pid"))
	if err != nil {
		f.b.Fatal(err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	children, err := os.ReadFile(fmt.Sprintf("/proc/%s/task/%s/children", first, first))
	if err != nil {
		f.b.Fatal(err)
	}
	for _, one := range append([]string{first}, strings.Fields(string(children))...) {
		if pid, err := strconv.Atoi(one); err == nil {
			s.database += cpuOf(pid)
		}
	}
	return s
}

// cpuOf returns the CPU time of a process, and of its children that have ended.
//
// See https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html.
func cpuOf(pid int) (ticks time.Duration) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	for i := 11; i < 15 && i < len(fields); i++ {
		n, err := strconv.ParseInt(fields[i], 10, 64)
		if err == nil {
			ticks += time.Duration(n) * 10 * time.Millisecond // USER_HZ is 100 on Linux
		}
	}
	return ticks
}
