package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/amate-health/amate/store/storetest"
)

// TestOnceKilled: the server dies by SIGKILL while many write with an Idempotency-Key,
// again and again, until at least a few were killed between the commit and the answer.
// All send what was not answered once more, with the same key: each is there one time.
func TestOnceKilled(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) { onceKilled(t, "--data", t.TempDir()) })
	t.Run("postgres", func(t *testing.T) {
		onceKilled(t, "--data", t.TempDir(), "--database", storetest.StartServer(t).URL("postgres"))
	})
}

// pushed is a write that has to arrive.
type pushed struct{ path, key, body string }

func onceKilled(t *testing.T, args ...string) {
	const clients, enough, rounds = 24, 3, 15
	var all, open []pushed
	lost := 0
	for round := 0; lost < enough && round < rounds; round++ {
		p := startServe(t, args...)
		for _, w := range open {
			replayed, err := w.send(p.base)
			if err != nil {
				t.Fatalf("%s is not written after the restart: %v", w.key, err)
			}
			if replayed {
				lost++ // it had been committed, and the answer had not come
			}
		}
		all, open = append(all, open...), nil
		before := len(all)
		ctx, stop := context.WithCancel(t.Context())
		var mu sync.Mutex
		var writing sync.WaitGroup
		for c := range clients {
			writing.Go(func() {
				for n := 0; ctx.Err() == nil; n++ {
					w := newPush(fmt.Sprintf("k%d-%d-%d", round, c, n), n%2 == 0)
					replayed, err := w.send(p.base)
					mu.Lock()
					if err != nil {
						open = append(open, w)
					} else {
						all = append(all, w)
					}
					mu.Unlock()
					if err != nil {
						return
					}
					if replayed {
						t.Errorf("%s is said to be a repetition", w.key)
					}
				}
			})
		}
		for begun := 0; begun == 0 && ctx.Err() == nil; time.Sleep(randomly(0) / 2) { // it may be slow to begin
			mu.Lock()
			begun = len(all) + len(open) - before
			mu.Unlock()
		}
		p.kill()
		stop()
		writing.Wait()
	}
	p := startServe(t, args...)
	for _, w := range open {
		replayed, err := w.send(p.base)
		if err != nil {
			t.Fatal(err)
		}
		if replayed {
			lost++
		}
	}
	all = append(all, open...)
	for _, w := range all {
		if n := w.count(t, p.base); n != 1 {
			t.Errorf("%s is there %d times", w.key, n)
		}
	}
	t.Logf("%d writes, %d of them committed by a server that died before it answered", len(all), lost)
	if lost == 0 {
		t.Error("it never died between the commit and the answer: this shows nothing")
	}
}

// newPush makes a write of a new Patient: by a create, or in a transaction.
func newPush(key string, alone bool) pushed {
	patient := fmt.Sprintf(`{"resourceType":"Patient","identifier":[{"system":"urn:once","value":%q}]}`, key)
	if alone {
		return pushed{"/Patient", key, patient}
	}
	return pushed{"", key, `{"resourceType":"Bundle","type":"transaction","entry":[{"resource":` + patient + `,"request":{"method":"POST","url":"Patient"}}]}`}
}

// send sends it, and reports whether the answer is that of an earlier request.
func (w *pushed) send(base string) (replayed bool, err error) {
	req, err := http.NewRequest(http.MethodPost, base+w.path, strings.NewReader(w.body))
	if err != nil {
		return false, err
	}
	req.Header.Set("Content-Type", "application/fhir+json")
	req.Header.Set("Idempotency-Key", `"`+w.key+`"`)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return false, err
	}
	if resp.StatusCode >= 300 || !bytes.Contains(text, []byte("resourceType")) {
		return false, fmt.Errorf("%s: %s", resp.Status, text)
	}
	return resp.Header.Get("Idempotency-Replayed") == "true", nil
}

// count returns how often it is there.
func (w *pushed) count(t *testing.T, base string) int {
	t.Helper()
	_, text := get(t, base+"/Patient?_summary=count&identifier=urn:once%7C"+w.key)
	var found struct{ Total *int }
	if err := json.Unmarshal([]byte(text), &found); err != nil || found.Total == nil {
		t.Fatalf("%s: %v", text, err)
	}
	return *found.Total
}
