package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// The load of BenchmarkIsolation.
const (
	isolatedClients = 8
	isolatedRound   = 1500 * time.Millisecond
)

// BenchmarkIsolation: what 8 clients of clinics wait for reads and searches, alone, and
// beside the heaviest that an analyst may ask for: a query that joins everything with
// everything until its time is over, a view over all observations, an export of
// everything. Each is one client that asks again as soon as it was answered.
//
// The machine is never quiet, so that what is alone and what is beside somebody take turns,
// in rounds of 1.5 s; what is reported is the median, over the rounds, of the 95th percentile
// beside an analyst to the mean of those of the rounds alone before and after it. The
// clients wait a millisecond less than AMATE_ISOLATION_THINK says between two requests, not
// at all unless it is set: then they and the server take about three quarters of two processors,
// and the rest of the time both wait for each other and for the disk. The clients share the
// processors with the server, so that what delays them counts too.
//
// The server is a process of its own, with access control and the audit trail on. The
// records are of Synthea. AMATE_ISOLATION_ROUNDS is how many rounds there are of each, 12
// unless it says so; AMATE_ISOLATION_KINDS is which of "sql view export" there are, all
// unless it says so.
func BenchmarkIsolation(b *testing.B) {
	rounds := pollSetting(b, "AMATE_ISOLATION_ROUNDS", 12)
	paths := synthea(b, 60)
	eachEngine(b, func(b *testing.B, s storage) {
		where := []string{"--data", s.Data}
		if s.Database != "" {
			where = append(where, "--database", s.Database)
		}
		listen := freePort(b)
		mustRun(b, append(where, "--base-url", "http://"+listen+"/fhir"), append([]string{"import"}, paths...)...)
		p := startGuarded(b, append(where, "--listen", listen)...)
		i := &isolation{b: b, base: p.base, where: where, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2 * isolatedClients}}}
		i.begin()
		b.ResetTimer()
		for b.Loop() {
			for _, kind := range strings.Fields(cmp.Or(os.Getenv("AMATE_ISOLATION_KINDS"), "sql view export")) {
				i.compare(kind, rounds)
			}
		}
	})
}

// isolation is a server that clinics and analysts ask at a time.
type isolation struct {
	b       *testing.B
	base    string
	where   []string
	client  *http.Client
	clinic  string
	analyst string
	system  string // orders exports
	ids     []string
}

// begin signs in, finds who there is, and waits until the tables are made.
func (i *isolation) begin() {
	i.clinic = strings.TrimSpace(mustRun(i.b, i.where, "token", "--role", "clinician"))
	i.analyst = strings.TrimSpace(mustRun(i.b, i.where, "token", "--role", "analyst"))
	i.system = strings.TrimSpace(mustRun(i.b, i.where, "token", "--role", "system"))
	var set struct {
		Entry []struct{ Resource struct{ ID string } }
	}
	text, err := i.ask(i.b.Context(), i.clinic, "GET", "Patient?_count=200&_elements=id", nil)
	if err != nil || json.Unmarshal([]byte(text), &set) != nil || len(set.Entry) == 0 {
		i.b.Fatal(err, text)
	}
	for _, e := range set.Entry {
		i.ids = append(i.ids, e.Resource.ID)
	}
	for end := time.Now().Add(10 * time.Minute); ; time.Sleep(time.Second) {
		_, err := i.ask(i.b.Context(), i.analyst, "GET", sqlURL("SELECT count(*) AS n FROM amate_telehealth_visits, amate_observations"), nil)
		if err == nil {
			break
		}
		if time.Now().After(end) {
			i.b.Fatal(err)
		}
	}
	time.Sleep(5 * time.Second)
}

func sqlURL(query string) string {
	return "$sql-run?" + url.Values{"query": {query}, "_format": {"ndjson"}}.Encode()
}

// ask sends a request and returns what is answered. A status of 400 or more is an error.
func (i *isolation) ask(ctx context.Context, token, method, path string, header http.Header) (string, error) {
	if !strings.HasPrefix(path, "http") {
		path = i.base + "/" + path
	}
	req, err := http.NewRequestWithContext(ctx, method, path, nil)
	if err != nil {
		return "", err
	}
	for name, values := range header {
		req.Header[name] = values
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := i.client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= http.StatusBadRequest {
		err = fmt.Errorf("%s %s: %d %.300s", method, path, resp.StatusCode, text)
	}
	return string(text) + resp.Header.Get("Content-Location"), err
}

// compare reports how much longer clinics wait beside an analyst.
func (i *isolation) compare(kind string, rounds int) {
	var ratios, alone []float64
	before := i.round()
	for range rounds {
		ctx, stop := context.WithCancel(i.b.Context())
		var working sync.WaitGroup
		working.Go(func() { i.analyse(ctx, kind) })
		time.Sleep(300 * time.Millisecond)
		beside := i.round()
		stop()
		working.Wait()
		after := i.round()
		ratios = append(ratios, 2*beside/(before+after))
		alone = append(alone, before)
		before = after
	}
	i.b.Logf("%s: %.2f of %.1f ms", kind, ratios, median(alone))
	i.b.ReportMetric(median(ratios), "p95-"+kind+"/alone")
	i.b.ReportMetric(median(alone), "ms-alone-"+kind)
}

func median(all []float64) float64 {
	slices.Sort(all)
	return all[len(all)/2]
}

// analyse asks for the same again and again until ctx ends.
func (i *isolation) analyse(ctx context.Context, kind string) {
	for ctx.Err() == nil {
		var err error
		switch kind {
		case "sql":
			_, err = i.ask(ctx, i.analyst, "GET", sqlURL("SELECT count(*) AS n, max(a.value_number + b.value_number + c.value_number) AS m FROM amate_observations a, amate_observations b, amate_observations c"), nil)
		case "view":
			_, err = i.ask(ctx, i.analyst, "GET", "ViewDefinition/amate-observations/$viewdefinition-run?_format=csv", nil)
		case "export":
			err = i.export(ctx)
		}
		if err != nil && ctx.Err() == nil {
			i.b.Errorf("%s: %v", kind, err)
			return
		}
	}
}

// export orders everything, waits until it is there, and gives it up when ctx ends.
func (i *isolation) export(ctx context.Context) error {
	at, err := i.ask(ctx, i.system, "GET", "$export", http.Header{"Prefer": {"respond-async"}, "Accept": {"application/fhir+json"}})
	if err != nil {
		return err
	}
	_, at, _ = strings.Cut(at, "http://")
	if k := strings.LastIndex(at, "http://"); k >= 0 {
		at = at[k+len("http://"):]
	}
	at = "http://" + at
	defer i.ask(context.WithoutCancel(ctx), i.system, "DELETE", at, nil)
	for ctx.Err() == nil {
		text, err := i.ask(ctx, i.system, "GET", at, nil)
		if err != nil || strings.Contains(text, "transactionTime") {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
	return nil
}

// round has clinics ask for a while, and returns the 95th percentile of how long they wait,
// in milliseconds.
func (i *isolation) round() float64 {
	think := time.Duration(pollSetting(i.b, "AMATE_ISOLATION_THINK", 1)-1) * time.Millisecond
	end := time.Now().Add(isolatedRound)
	var clients sync.WaitGroup
	took := make([][]float64, isolatedClients)
	for n := range isolatedClients {
		clients.Go(func() {
			r := rand.New(rand.NewPCG(uint64(end.UnixNano()), uint64(n)))
			for time.Now().Before(end) {
				id := i.ids[r.IntN(len(i.ids))]
				path := []string{"Patient/" + id, "Patient/" + id, "Observation?_count=20&patient=" + id, "Condition?patient=" + id, "Patient?_count=5&_id=" + id}[r.IntN(5)]
				began := time.Now()
				if _, err := i.ask(i.b.Context(), i.clinic, "GET", path, nil); err != nil {
					i.b.Error(err)
					return
				}
				took[n] = append(took[n], time.Since(began).Seconds()*1000)
				if think > 0 {
					time.Sleep(think)
				}
			}
		})
	}
	clients.Wait()
	all := slices.Concat(took...)
	if len(all) == 0 {
		i.b.Fatal("nobody was answered")
	}
	slices.Sort(all)
	return all[len(all)*95/100]
}
