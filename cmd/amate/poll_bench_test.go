package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/amate-health/amate/authz/client"
	"github.com/amate-health/amate/authz/scope"
	"github.com/amate-health/amate/authz/smart"
	"github.com/amate-health/amate/authz/token"
)

// The load of BenchmarkClinics: 10,000 clinics that poll each minute, while others write.
const (
	pollsPerSecond  = 167
	writesPerSecond = 20
	readsPerSecond  = 1000 // of a server in service
	patientsOfEach  = 20
	pollsAtOnce     = 256 // that may be under way: each waits until what was written before it is known
	jurisdictions   = 32  // that clinics are part of
)

// BenchmarkClinics: clinics that each follow their own patients, by the scope of their
// Organization, ask in turn whether there is anything, 167 times a second, which is
// 10,000 clinics once a minute; meanwhile 20 Observations are written a second, of
// patients of any of them, so that of 10,000 clinics every ninth is told something each
// time. Each clinic has an access token of its own, for an app of its own in the name of
// its CLUES, and is part of a jurisdiction.
//
// The server is a process of its own, with access control and the audit trail on; the
// clinics are in this one, whose CPU time does not count. What is reported is the CPU
// time of the server, and of all processes of PostgreSQL, as /proc/PID/stat has it, in
// percent of one core. Wall time is not looked at, so that the machine may do other things.
// Requests come over a few connections that stay open, as from a proxy before the server. It
// begins when the server has done what the import has left it to do.
//
// %-round: a round of all clinics, eight at a time, after as many writes as there are in a
// minute, if there is one each minute. Nothing is subtracted.
//
// %-in-service: what the polls add to a server in service, that answers 1,000 reads a
// second beside the writes. Without the polls the writes are of patients whom nobody follows;
// that is measured before and after, and the cheaper one counts.
//
// %-idle: the same, with no reads. A server that has nothing else to do wakes up for each
// poll, and that costs as much as to answer it: %-empty is what requests cost there, at the
// same pace, that are answered with nothing, for comparison.
//
// AMATE_POLL_CLINICS is how many clinics there are: 500 unless it says another number.
// AMATE_POLL_SECONDS is how long each of them lasts, 20 unless it says so. The figures
// in fhir/DECISIONS.md are of
//
//	AMATE_POLL_CLINICS=10000 AMATE_POLL_SECONDS=30 go test -run '^$' -bench Clinics -benchtime 1x -timeout 2h ./cmd/amate
func BenchmarkClinics(b *testing.B) {
	clinics, long := pollSetting(b, "AMATE_POLL_CLINICS", 500), time.Duration(pollSetting(b, "AMATE_POLL_SECONDS", 20))*time.Second
	eachEngine(b, func(b *testing.B, s storage) {
		f := newFollowers(b, s, clinics)
		f.indexed()
		f.settle()
		b.ResetTimer()
		for b.Loop() {
			f.report("empty", f.beside(long, pace{empty: pollsPerSecond}, 0))
			// What was written meanwhile is new to all of them: once around, not counted.
			f.run(time.Duration(clinics/pollsPerSecond+1)*time.Second, pace{polls: pollsPerSecond})
			f.report("idle", f.beside(long, pace{polls: pollsPerSecond}, 0))
			service := f.beside(long, pace{polls: pollsPerSecond}, readsPerSecond)
			f.report("in-service", service)
			f.everyone()
			round := f.round()
			b.ReportMetric(float64(service.told)/float64(service.polls), "told-of-one")
			b.ReportMetric(100*(round.server+round.database).Seconds()/60, "%-round")
			b.ReportMetric(float64(round.told), "told-in-round")
			b.ReportMetric(residentOf(b, f.process.cmd.Process.Pid), "server-MiB")
		}
	})
}

// BenchmarkTold: what a poll costs that is told something. Each clinic is told of one
// Observation at a time, among as many of others as there are clinics; eight poll at a time.
func BenchmarkTold(b *testing.B) {
	clinics := pollSetting(b, "AMATE_POLL_CLINICS", 500)
	eachEngine(b, func(b *testing.B, s storage) {
		f := newFollowers(b, s, clinics)
		b.ResetTimer()
		all := spent{}
		for b.Loop() {
			for range clinics {
				f.write(f.wrote, f.wrote%clinics)
				f.wrote++
			}
			one := f.everyone()
			all.server, all.database, all.polls, all.told = all.server+one.server, all.database+one.database, all.polls+one.polls, all.told+one.told
		}
		if all.told != all.polls {
			b.Errorf("%d of %d are told", all.told, all.polls)
		}
		b.ReportMetric(float64(all.server.Microseconds())/float64(all.polls), "cpu-µs/poll")
		b.ReportMetric(float64(all.database.Microseconds())/float64(all.polls), "database-µs/poll")
	})
}

// pollSetting reads a number from the environment.
func pollSetting(b *testing.B, name string, otherwise int) int {
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		b.Fatalf("%s=%s is no number", name, text)
	}
	return n
}

// clinicsFile writes Organizations and their Patients as NDJSON.
func clinicsFile(b *testing.B, clinics int) string {
	name := filepath.Join(b.TempDir(), "clinics.ndjson")
	file, err := os.Create(name)
	if err != nil {
		b.Fatal(err)
	}
	w := bufio.NewWriter(file)
	for n := range jurisdictions {
		fmt.Fprintf(w, `{"resourceType":"Organization","id":"j%d","name":"Jurisdicción %d"}`+"\n", n, n)
	}
	for n := range clinics + 1 { // nobody follows the last one
		fmt.Fprintf(w, `{"resourceType":"Organization","id":"k%d","identifier":[{"system":"urn:oid:2.16.840.1.113883.4.631","value":%q}],"name":"Clínica %d","partOf":{"reference":"Organization/j%d"}}`+"\n",
			n, cluesOf(n), n, n%jurisdictions)
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

// cluesOf returns the CLUES of a clinic.
func cluesOf(n int) string { return fmt.Sprintf("OCSSA%06d", n) }

// followers are the clinics.
type followers struct {
	b        *testing.B
	client   *http.Client
	process  *process
	database string
	tokens   []string // of each
	system   string
	next     []string // URL that each asks next
	at       int
	wrote    int
}

// newFollowers returns so many clinics that have caught up with a server of their own, which has
// nothing else to do.
func newFollowers(b *testing.B, s storage, clinics int) *followers {
	where := []string{"--data", s.Data}
	if s.Database != "" {
		where = append(where, "--database", s.Database)
	}
	listen := freePort(b)
	base := "http://" + listen + "/fhir" // the index of a database knows it
	mustRun(b, append(where, "--base-url", base), "import", clinicsFile(b, clinics))
	p := startGuarded(b, append(where, "--listen", listen)...)
	f := &followers{b: b, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2 * pollsAtOnce}}, process: p, database: s.Database, next: make([]string, clinics)}
	f.mint(s)
	f.begin()
	f.settle()
	return f
}

// spent is what a while has cost.
type spent struct {
	server, database time.Duration // CPU time
	polls, told      int64
	long             time.Duration
}

// mint makes the tokens, as "amate token" does.
func (f *followers) mint(s storage) {
	err := s.withAccess(f.b.Context(), slog.New(slog.DiscardHandler), f.process.base, func(a *access) error {
		system, err := a.minter.Access(smart.SystemClaims(&client.Client{ID: "writer", Roles: []string{"system"}}, scopesOf("system/*.cruds"), ""), token.Longest)
		f.system = system
		for n := 0; n < len(f.next) && err == nil; n++ {
			app := &client.Client{ID: fmt.Sprint("clinic-", n), Roles: []string{"clinic-system"}, Org: cluesOf(n)}
			var raw string
			raw, err = a.minter.Access(smart.SystemClaims(app, scopesOf("system/*.rs"), ""), token.Longest)
			f.tokens = append(f.tokens, raw)
		}
		return err
	})
	if err != nil {
		f.b.Fatal(err)
	}
}

// scopesOf returns the set of one scope.
func scopesOf(text string) scope.Set {
	set, _ := scope.Known(text)
	return set
}

func (f *followers) ask(clinic int) (told int, caughtUp bool) {
	req, err := http.NewRequest(http.MethodGet, f.next[clinic], nil)
	if err != nil {
		f.b.Error(err)
		return 0, true
	}
	req.Header.Set("Authorization", "Bearer "+f.tokens[clinic])
	resp, err := f.client.Do(req)
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

// settle waits until the server has nothing else to do.
func (f *followers) settle() {
	for quiet, tries := 0, 0; quiet < 3 && tries < 600; tries++ {
		before := f.cpu()
		select {
		case <-f.b.Context().Done():
			f.b.Fatal("it does not come to rest")
		case <-time.After(2 * time.Second):
		}
		if after := f.cpu(); after.server-before.server+after.database-before.database < 80*time.Millisecond {
			quiet++
		} else {
			quiet = 0
		}
	}
}

// round has all clinics ask once, after as many writes as there are in a minute.
func (f *followers) round() spent {
	for range 60 * writesPerSecond {
		f.write(f.wrote, f.wrote*7919%len(f.next))
		f.wrote++
	}
	return f.everyone()
}

// everyone has all clinics ask once, eight at a time.
func (f *followers) everyone() spent {
	before := f.cpu()
	var all sync.WaitGroup
	var at, told atomic.Int64
	for range 8 {
		all.Go(func() {
			for n := at.Add(1) - 1; n < int64(len(f.next)); n = at.Add(1) - 1 {
				news, _ := f.ask(int(n))
				told.Add(int64(news))
			}
		})
	}
	all.Wait()
	after := f.cpu()
	return spent{server: after.server - before.server, database: after.database - before.database, polls: int64(len(f.next)), told: told.Load()}
}

// pace is how many requests there are a second, beside the writes.
type pace struct{ polls, empty, reads int }

// beside returns what requests cost beside the writes, and beside so many reads a second.
func (f *followers) beside(long time.Duration, l pace, reads int) spent {
	alone := f.run(long, pace{reads: reads})
	l.reads = reads
	both := f.run(long, l)
	if again := f.run(long, pace{reads: reads}); again.server < alone.server {
		alone = again // the first had something else in it
	}
	both.server, both.database, both.long = both.server-alone.server, both.database-alone.database, long
	return both
}

// report reports what something costs, in percent of a core.
func (f *followers) report(what string, s spent) {
	f.b.ReportMetric(100*s.server.Seconds()/s.long.Seconds(), "%-"+what)
	if f.database != "" {
		f.b.ReportMetric(100*s.database.Seconds()/s.long.Seconds(), "%-"+what+"-database")
	}
}

// run sends requests for a while: always as many, if need be for longer.
func (f *followers) run(long time.Duration, l pace) spent {
	before, began := f.cpu(), time.Now()
	var all sync.WaitGroup
	var told, asked atomic.Int64
	every := func(n, workers int, do func(n int)) {
		if n == 0 {
			return
		}
		queue := make(chan int)
		for range workers {
			all.Go(func() {
				for at := range queue {
					do(at)
				}
			})
		}
		all.Go(func() {
			defer close(queue)
			for i := 0; i < n*int(long/time.Second) && f.b.Context().Err() == nil; i++ {
				time.Sleep(time.Until(began.Add(time.Duration(i) * time.Second / time.Duration(n))))
				queue <- i
			}
		})
	}
	first, wrote := f.at, f.wrote
	every(writesPerSecond, 4, func(n int) {
		n += wrote
		clinic := len(f.next) // so that nothing waits to be told when the polls begin
		if l.polls > 0 {
			clinic = n * 7919 % len(f.next)
		}
		f.write(n, clinic)
	})
	every(l.polls, pollsAtOnce, func(n int) {
		news, _ := f.ask((first + n) % len(f.next))
		told.Add(int64(news))
		asked.Add(1)
	})
	every(l.empty, pollsAtOnce, func(int) { f.get(strings.TrimSuffix(f.process.base, "/fhir") + "/health/live") })
	every(l.reads, 16, func(n int) {
		f.get(fmt.Sprintf("%s/Patient/k%d-%d", f.process.base, n*7919%len(f.next), n%patientsOfEach))
	})
	all.Wait()
	f.wrote += int(long/time.Second) * writesPerSecond
	f.at += int(asked.Load())
	after := f.cpu()
	return spent{server: after.server - before.server, database: after.database - before.database, polls: asked.Load(), told: told.Load()}
}

// get reads something.
func (f *followers) get(url string) []byte {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		f.b.Error(err)
		return nil
	}
	req.Header.Set("Authorization", "Bearer "+f.system)
	resp, err := f.client.Do(req)
	if err != nil {
		f.b.Error(err)
		return nil
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		f.b.Errorf("%s %v: %.300s", resp.Status, err, text)
	}
	return text
}

// indexed waits until the server has looked through the index once more, which it does a
// while after it was made.
func (f *followers) indexed() {
	open := regexp.MustCompile(`"name":"status","valueCode":"(queued|running)"`)
	for tries := 0; open.Match(f.get(f.process.base + "/$reindex-status")); tries++ {
		if tries == 300 {
			f.b.Fatal("it is reindexed for ever")
		}
		time.Sleep(time.Second)
	}
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
	resp, err := f.client.Do(req)
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

// residentOf returns how much memory a process has now, in MiB.
func residentOf(b *testing.B, pid int) float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	_, text, _ := strings.Cut(string(status), "VmRSS:")
	kib, err := strconv.ParseFloat(strings.Fields(text)[0], 64)
	if err != nil {
		b.Fatal(err)
	}
	return kib / 1024
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
