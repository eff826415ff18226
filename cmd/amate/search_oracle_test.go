package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir/registry/demo"
	"github.com/amate-health/amate/store/storetest"
	"github.com/amate-health/amate/store/storetest/naive"
)

// TestSearchesFindWhatTheNaiveOneFinds compares the answers of both engines with
// those of package naive, which looks at every resource. AMATE_ORACLE_QUERIES says
// how many searches, AMATE_ORACLE_SEED where the random ones begin.
func TestSearchesFindWhatTheNaiveOneFinds(t *testing.T) {
	t.Parallel()
	queries, seed := setting(t, "AMATE_ORACLE_QUERIES", 400), setting(t, "AMATE_ORACLE_SEED", 1)
	t.Logf("%d searches from seed %d", queries, seed)
	engines := []*searched{
		startSearched(t, "SQLite", ""),
		startSearched(t, "PostgreSQL", storetest.Postgres(t)),
	}
	bundles := oracleData(t)
	for _, e := range engines {
		for _, b := range bundles {
			e.transaction(t, b)
		}
		e.fetch(t)
	}
	if d := engines[0].world.Differences(engines[1].world); len(d) > 0 {
		t.Fatalf("the engines do not hold the same resources: %v", d[:min(len(d), 10)])
	}
	t.Logf("%d resources", engines[0].world.Len())
	g := &naive.Generator{World: engines[0].world, Rand: rand.New(rand.NewPCG(uint64(seed), 4))}
	failures, found := 0, 0
	for range queries {
		q := g.Query()
		n := len(engines[0].world.Find(q))
		if n > 0 {
			found++
			if g.Rand.IntN(4) == 0 { // read it in several pages
				q.Count = 1 + n/(1+g.Rand.IntN(6))
			}
		}
		for _, e := range engines {
			why := e.disagrees(q)
			if why == "" {
				continue
			}
			var small *naive.Query
			small, why = e.shrink(q)
			t.Errorf("%s: %s\n%s", e.name, small, why)
			failures++
		}
		if failures >= setting(t, "AMATE_ORACLE_FAILURES", 10) {
			t.Fatal("too many failures")
		}
	}
	if found < queries/2 {
		t.Errorf("only %d of %d searches find anything", found, queries)
	}
}

func setting(t *testing.T, name string, otherwise int) int {
	t.Helper()
	if os.Getenv(name) == "" {
		return otherwise
	}
	n, err := strconv.Atoi(os.Getenv(name))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// oracleData returns transactions: a synthetic population, what is made to be
// nasty, and some patients of Synthea where they are there. Every entry has a fixed
// id, so that both engines hold the same.
func oracleData(t *testing.T) [][]byte {
	t.Helper()
	all := [][]byte{putAll(naive.Nasty)}
	for b := range demo.Population(demo.Options{Patients: 30, Seed: 7}) {
		all = append(all, b.JSON)
	}
	files, err := filepath.Glob(filepath.Join(repository(t), "../shared/data/synthea-r4-urn/*.json.gz"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Log("SKIPPED: no patients of Synthea in ../shared/data/synthea-r4-urn")
		return all
	}
	slices.SortFunc(files, func(a, b string) int { return int(fileSize(t, a) - fileSize(t, b)) })
	for _, file := range files[:6] {
		all = append(all, atFixedIDs(t, file))
	}
	return all
}

func fileSize(t *testing.T, file string) int64 {
	t.Helper()
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

func putAll(resources []string) []byte {
	var b bytes.Buffer
	b.WriteString(`{"resourceType":"Bundle","type":"transaction","entry":[`)
	for i, text := range resources {
		var r struct{ ResourceType, ID string }
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			panic(text + err.Error())
		}
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"resource":%s,"request":{"method":"PUT","url":"%s/%s"}}`, text, r.ResourceType, r.ID)
	}
	b.WriteString(`]}`)
	return b.Bytes()
}

// atFixedIDs reads a transaction of creates, and makes them updates at the ids that
// their resources bear.
func atFixedIDs(t *testing.T, file string) []byte {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var bundle map[string]any
	d := json.NewDecoder(unzipped)
	d.UseNumber()
	if err := d.Decode(&bundle); err != nil {
		t.Fatal(err)
	}
	for _, e := range bundle["entry"].([]any) {
		entry := e.(map[string]any)
		r := entry["resource"].(map[string]any)
		r["id"] = strings.TrimPrefix(entry["fullUrl"].(string), "urn:uuid:")
		entry["request"] = map[string]any{"method": "PUT", "url": fmt.Sprint(r["resourceType"], "/", r["id"])}
	}
	text, err := json.Marshal(bundle)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// searched is a server, and what it holds.
type searched struct {
	name  string
	base  string
	world *naive.World
}

// startSearched starts a server without what else is at work in one: nothing is written
// but what the test writes.
func startSearched(t *testing.T, name, database string) *searched {
	t.Helper()
	base, store := benchServer(t, storage{Data: t.TempDir(), Database: database})
	store.indexing.Base = base
	return &searched{name: name, base: base}
}

func (s *searched) transaction(t *testing.T, body []byte) {
	t.Helper()
	res, err := http.Post(s.base, "application/fhir+json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: transaction: %v %d %.2000s", s.name, err, res.StatusCode, answer)
	}
}

// page is a searchset, or a history.
type page struct {
	Total *int
	Link  []struct{ Relation, URL string }
	Entry []struct {
		Resource json.RawMessage
		Search   struct{ Mode string }
	}
}

func (p *page) next() string {
	for _, l := range p.Link {
		if l.Relation == "next" {
			return l.URL
		}
	}
	return ""
}

// page gets a page.
func (s *searched) page(url string) (*page, error) {
	res, err := http.Get(url)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%v %d %.600s", err, res.StatusCode, body)
	}
	p := new(page)
	return p, json.Unmarshal(body, p)
}

// fetch reads all resources from the history, which knows nothing of the index.
func (s *searched) fetch(t *testing.T) {
	t.Helper()
	s.world = naive.NewWorld(s.base, time.Now().UnixMicro())
	for url := s.base + "/_history?_count=1000"; url != ""; {
		p, err := s.page(url)
		if err != nil {
			t.Fatalf("%s: %s: %v", s.name, url, err)
		}
		for _, e := range p.Entry {
			if err := s.world.Add(e.Resource); err != nil {
				t.Fatalf("%s: %v", s.name, err)
			}
		}
		url = p.next()
	}
}
