package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/registry/demo"
	"github.com/amate-health/amate/store/storetest"
)

// benchClients is how many clients ask at a time.
const benchClients = 16

// over16 runs f b.N times in all, by benchClients clients with a source of chance each.
func over16(b *testing.B, f func(r *rand.Rand) error) {
	b.Helper()
	var left atomic.Int64
	left.Store(int64(b.N))
	var clients sync.WaitGroup
	b.ResetTimer()
	for i := range benchClients {
		clients.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(i)))
			for left.Add(-1) >= 0 {
				if err := f(r); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	clients.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "per_s")
}

// ask sends one request and returns the body. A status of 400 or more is an error.
func ask(client *http.Client, method, url, body string) (string, error) {
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/fhir+json")
	res, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	out, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode >= http.StatusBadRequest {
		err = fmt.Errorf("%s %s: %d %.200s", method, url, res.StatusCode, out)
	}
	return string(out), err
}

// benchClient takes no compression, which the bare server does not offer either.
func benchClient() *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: benchClients, DisableCompression: true}}
}

// benchServer serves a store as in service, logging and metrics included, until b ends.
func benchServer(b testing.TB, s storage) (base string, store *opened) {
	b.Helper()
	quiet := slog.New(slog.NewJSONHandler(io.Discard, nil))
	store, err := s.open(context.Background(), quiet)
	if err != nil {
		b.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server, err := (&serve{Validation: "base"}).server(ln, store, quiet)
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		server.run(ctx, quiet)
	}()
	b.Cleanup(func() {
		stop()
		<-ended
		store.Close()
	})
	return server.base, store
}

// BenchmarkReadOverHTTP is a read by id by 16 clients, beside the least that could
// do it: net/http around a SELECT by primary key of the same text.
func BenchmarkReadOverHTTP(b *testing.B) {
	read := func(b *testing.B, base string, ids []string) {
		client := benchClient()
		over16(b, func(r *rand.Rand) error {
			_, err := ask(client, "GET", base+"/"+ids[r.IntN(len(ids))], "")
			return err
		})
	}
	eachEngine(b, func(b *testing.B, s storage) {
		base, store := benchServer(b, s)
		ids := seedPatients(b, store)
		b.Run("amate", func(b *testing.B) { read(b, base, ids) })
		if s.Database != "" {
			b.Run("bare", func(b *testing.B) { read(b, bareServer(b, s.Database, store, ids), ids) })
		}
	})
}

// seedPatients fills the store with the demonstration, and names its people.
func seedPatients(b *testing.B, store *opened) (ids []string) {
	b.Helper()
	if err := seedDemo(context.Background(), store, demo.Options{Patients: demoPatients, Seed: demoSeed}, slog.New(slog.DiscardHandler)); err != nil {
		b.Fatal(err)
	}
	for n := range demoPatients {
		ids = append(ids, "Patient/"+demo.PatientID(demoSeed, n+1))
	}
	return ids
}

// bareServer serves the text of ids from a table of its own.
func bareServer(b *testing.B, database string, store *opened, ids []string) (base string) {
	b.Helper()
	ctx := context.Background()
	config, err := pgxpool.ParseConfig(database)
	if err != nil {
		b.Fatal(err)
	}
	config.MaxConns = benchClients
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(pool.Close)
	if _, err := pool.Exec(ctx, "CREATE TABLE IF NOT EXISTS bare (id text PRIMARY KEY, content text NOT NULL)"); err != nil {
		b.Fatal(err)
	}
	for _, id := range ids {
		ref, _ := fhir.ParseRef(id)
		res, err := store.Read(ctx, ref)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := pool.Exec(ctx, "INSERT INTO bare (id, content) VALUES ($1, $2) ON CONFLICT DO NOTHING", id, string(res.JSON)); err != nil {
			b.Fatal(err)
		}
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var content []byte
		if err := pool.QueryRow(r.Context(), "SELECT content FROM bare WHERE id = $1", r.URL.Path[1:]).Scan(&content); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/fhir+json")
		w.Write(content)
	}))
	b.Cleanup(s.Close)
	return s.URL
}

// BenchmarkCRUDOverHTTP is a life of a resource by 16 clients: create, read, find
// it, update, delete. per_s counts lives, each of five requests.
func BenchmarkCRUDOverHTTP(b *testing.B) {
	const body = `{"resourceType":"Observation",%s"status":%q,"code":{"coding":[{"system":"http://loinc.org","code":"8480-6"}]},` +
		`"subject":{"reference":"Patient/%d"},"effectiveDateTime":"2026-01-02T10:00:00-06:00","valueQuantity":{"value":%d,"unit":"mmHg","system":"http://unitsofmeasure.org","code":"mm[Hg]"}}`
	eachEngine(b, func(b *testing.B, s storage) {
		base, _ := benchServer(b, s)
		client := benchClient()
		over16(b, func(r *rand.Rand) error {
			patient, value := r.IntN(1000), 100+r.IntN(60)
			out, err := ask(client, "POST", base+"/Observation", fmt.Sprintf(body, "", "final", patient, value))
			if err != nil {
				return err
			}
			_, rest, _ := strings.Cut(out, `"id":"`)
			id, _, _ := strings.Cut(rest, `"`)
			at := base + "/Observation/" + id
			for _, step := range [][3]string{
				{"GET", at, ""},
				{"GET", fmt.Sprintf("%s/Observation?patient=%d&code=8480-6", base, patient), ""},
				{"PUT", at, fmt.Sprintf(body, `"id":"`+id+`",`, "amended", patient, value)},
				{"DELETE", at, ""},
			} {
				if _, err := ask(client, step[0], step[1], step[2]); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// BenchmarkImportOverHTTP is transactions of Synthea posted by four clients.
func BenchmarkImportOverHTTP(b *testing.B) {
	const clients = 4
	var bundles []string
	for _, path := range synthea(b, 60) {
		bundles = append(bundles, unzip(b, path))
	}
	eachEngine(b, func(b *testing.B, s storage) {
		resources := 0
		for b.Loop() {
			b.StopTimer()
			if s.Database != "" {
				s.Database = storetest.DurablePostgres(b)
			}
			s.Data = b.TempDir()
			base, _ := benchServer(b, s)
			client := benchClient()
			b.StartTimer()
			var next atomic.Int64
			var all sync.WaitGroup
			for range clients {
				all.Go(func() {
					for i := next.Add(1) - 1; int(i) < len(bundles); i = next.Add(1) - 1 {
						if _, err := ask(client, "POST", base, bundles[i]); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			all.Wait()
			for _, text := range bundles {
				resources += strings.Count(text, `"fullUrl"`)
			}
		}
		b.ReportMetric(float64(resources)/b.Elapsed().Seconds(), "resources/s")
	})
}

func unzip(b *testing.B, path string) string {
	b.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		b.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		b.Fatal(err)
	}
	return string(text)
}
