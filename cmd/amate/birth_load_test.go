package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/registry/birth"
	"github.com/amate-health/amate/fhir/search"
)

// TestBirthsAtOnce: 200 births certified at one hospital at once have 200 folios.
func TestBirthsAtOnce(t *testing.T) {
	t.Parallel()
	eachMaternity(t, func(m *maternity) {
		m.who(midwife)
		folios := map[string]bool{}
		var mu sync.Mutex
		var all sync.WaitGroup
		work := make(chan int)
		for range 16 {
			all.Go(func() {
				for i := range work {
					c, err := m.quietly(fmt.Sprintf("Madre%c%c", 'a'+i/20, 'a'+i%20))
					mu.Lock()
					if err != nil {
						m.Error(err)
					}
					folios[c.text("folio")] = true
					mu.Unlock()
				}
			})
		}
		for i := range 200 {
			work <- i
		}
		close(work)
		all.Wait()
		if len(folios) != 200 {
			m.Errorf("200 births have %d folios", len(folios))
		}
		status, out, errs := amate(append([]string{"birth", "export", "--year", fmt.Sprint(m.born.Year())}, m.where...)...)
		if lines := strings.Count(out, "\n"); status != exitDone || lines != 201 {
			m.Errorf("%d lines were exported: %s", lines, errs)
		}
	})
}

// quietly certifies a birth, and fails nothing.
func (m *maternity) quietly(given string) (returned, error) {
	var a returned
	post := func(body string) (string, error) {
		req, err := http.NewRequest("POST", m.base+"/$birth-certify", strings.NewReader(body))
		if err != nil {
			return "", err
		}
		req.Header.Set("Authorization", "Bearer "+m.tokens[midwife])
		req.Header.Set("Content-Type", "application/fhir+json")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return "", err
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err == nil && res.StatusCode != 200 {
			err = fmt.Errorf("%d %s", res.StatusCode, text)
		}
		return string(text), err
	}
	mother := strings.ReplaceAll(personJSON("Patient", given, "", "2000-05-17", "female"), `"gender"`, `"active":true,"gender"`)
	prepared, err := post(m.claim(m.doctor, given, map[string]string{"mother": mother}))
	if err != nil {
		return a, err
	}
	text, err := post(m.signed(m.doctor, prepared))
	if err != nil {
		return a, err
	}
	return a, json.Unmarshal([]byte(text), &a)
}

// TestBirthKilled: a server is killed while births are certified. Each birth is there with
// all that was made from it, or not at all.
func TestBirthKilled(t *testing.T) {
	eachMaternity(t, func(m *maternity) {
		m.who(midwife)
		var done sync.Map
		var all sync.WaitGroup
		failed := make(chan error, 4)
		for worker := range 4 {
			all.Go(func() {
				for i := range 1000 {
					c, err := m.quietly(fmt.Sprintf("Madre%c%c%c", 'a'+worker, 'a'+i/20, 'a'+i%20))
					if err != nil {
						failed <- err
						return
					}
					done.Store(c.text("folio"), true)
				}
			})
		}
		for enough := 0; enough < 12; {
			select {
			case err := <-failed:
				m.Fatalf("before the server was killed: %v", err)
			case <-time.After(20 * time.Millisecond):
			}
			enough = 0
			done.Range(func(any, any) bool { enough++; return true })
		}
		m.server.kill()
		all.Wait()
		m.whole(&done)
	})
}

// whole looks at a database whose server was killed.
func (m *maternity) whole(answered *sync.Map) {
	m.Helper()
	where := storage{Data: m.where[1]}
	if len(m.where) > 2 {
		where.Database = m.where[3]
	}
	ctx := context.Background()
	store, err := where.open(ctx, slog.New(slog.DiscardHandler))
	if err != nil {
		m.Fatal(err)
	}
	defer store.Close()
	certified := 0
	err = birth.Book{Rows: store}.Each(ctx, birth.Query{}, func(c *birth.Certificate) error {
		certified++
		answered.Delete(c.Folio)
		for _, ref := range append(c.Held, c.Newborn.Ref, c.Mother.Ref, fhir.Ref{Type: "Bundle", ID: c.Document}) {
			if _, err := store.Read(ctx, ref); err != nil {
				m.Errorf("%s lacks %s: %v", c.Folio, ref, err)
			}
		}
		events, err := store.BirthEvents(ctx, c.Folio)
		if err != nil || len(events) != 2 {
			m.Errorf("%s has the steps %v, %v", c.Folio, events, err)
		}
		return nil
	})
	if err != nil {
		m.Fatal(err)
	}
	answered.Range(func(folio, _ any) bool {
		m.Errorf("%s was acknowledged and is lost", folio)
		return true
	})
	found, err := store.Search(ctx, &search.Query{Type: "Composition", Total: search.TotalAccurate, Restriction: search.Unrestricted})
	if err != nil || found.Total != int64(certified) {
		m.Errorf("%d documents of %d certificates (%v)", found.Total, certified, err)
	}
}

// TestBirthFolios: a node brings a folio of its own range, once.
func TestBirthFolios(t *testing.T) {
	t.Parallel()
	m := newMaternity(t, []string{"--data", t.TempDir()})
	run := func(want int, args ...string) string {
		t.Helper()
		status, out, errs := amate(append(append([]string{"birth", "folios"}, args...), m.where...)...)
		if status != want {
			t.Fatalf("%v: %d %s", args, status, errs)
		}
		return out
	}
	mine := strings.Fields(run(exitDone, "allocate", "--clues", hospital, "--count", "5", "--node", "sierra"))
	if len(mine) != 2 || !strings.HasSuffix(mine[1], "00005") {
		t.Fatal(mine)
	}
	run(exitUsage, "allocate", "--clues", "NADA", "--count", "5", "--node", "x")
	run(exitUsage, "allocate", "--clues", hospital, "--count", "5")
	run(exitDone, "allocate", "--clues", hospital, "--count", "10", "--prefix", "DGIS", "--node", "sierra")
	run(exitFailed, "allocate", "--clues", elsewhere, "--count", "10", "--prefix", "DGIS", "--first", "10", "--node", "x")
	if list := run(exitDone, "list"); !strings.Contains(list, "DGIS000001") || !strings.Contains(list, "sierra") {
		t.Error(list)
	}
	c := m.certify("Nora", map[string]string{"folio": mine[1]})
	if c.text("folio") != mine[1] {
		t.Errorf("%+v", c)
	}
	if text := m.do(409, midwife, "POST", "$birth-certify", m.claim(m.doctor, "Otra", map[string]string{"folio": mine[1]})); !strings.Contains(text, "used already") {
		t.Error(text)
	}
	after := m.certify("Paz", nil)
	if next := after.text("folio"); !strings.HasSuffix(next, "00006") {
		t.Errorf("the server's own are %s", next)
	}
}

// TestBirthFiles: published births are loaded once, and come out again as they were.
func TestBirthFiles(t *testing.T) {
	dir, where := t.TempDir(), []string{"--data", t.TempDir()}
	file := filepath.Join(dir, "sinac.csv")
	old := "ENT_NACM,EDADM,FECH_NACM,ENT_RES,MPO_RES,NUM_EMB,FECH_NACH,HORA_NACH,SEXOH,GESTACH,PESOH,APGARH,PRODUCTO,INST_NAC,CLUES,ENT_NAC,MPO_NAC,CERT_POR,FECH_CERT,OTRA\n" +
		"20,20,17/05/1998,20,067,1,03/10/2018,04:35,1,39,3150,9,1,1,OCSSA003966,20,067,1,04/10/2018,x\n" +
		"20,20,17/05/1998,20,067,1,03/10/2019,04:35,9,99,90000,9,1,1,OCSSA003966,20,067,1,04/10/2019,x\n" +
		"20,20,17/05/1998,20,067,1,99/99/2018,04:35,1,39,3150,9,1,1,OCSSA003966,20,067,1,04/10/2018,x\n"
	if err := os.WriteFile(file, []byte(old), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"3 rows, 2 added, 0 there already, 1 left out", "3 rows, 0 added, 2 there already, 1 left out"} {
		status, out, errs := amate(append([]string{"birth", "import", file}, where...)...)
		if status != exitDone || !strings.Contains(out, want) || !strings.Contains(errs, "line 3: PESO") || !strings.Contains(errs, "OTRA") {
			t.Fatalf("%d %s %s", status, out, errs)
		}
	}
	target := filepath.Join(dir, "2018.csv")
	if status, _, errs := amate(append([]string{"birth", "export", "--year", "2018", "--out", target}, where...)...); status != exitDone {
		t.Fatal(errs)
	}
	out, err := os.ReadFile(target)
	if err != nil || bytes.Count(out, []byte("\n")) != 2 || !bytes.Contains(out, []byte(",03/10/2018,04:35,1,39,,3150,9,")) {
		t.Errorf("%s %v", out, err)
	}
}
