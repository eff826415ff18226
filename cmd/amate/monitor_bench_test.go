package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// BenchmarkMeasurements is readings from home, with access control and the audit trail on,
// in deliveries of one and of fifty, of 200 patients by four clients. Each patient has two
// rules, so that every reading is looked at, and one reading in a hundred calls for an
// alert. The server is a process of its own; what it still does after the last answer
// counts.
func BenchmarkMeasurements(b *testing.B) {
	eachEngine(b, func(b *testing.B, s storage) {
		where := []string{"--data", s.Data}
		if s.Database != "" {
			where = append(where, "--database", s.Database)
		}
		c := &clinic{process: startGuarded(b, where...), where: where}
		h := newHomes(b, c, 200)
		for _, size := range []int{1, 50} {
			b.Run(fmt.Sprint("readings=", size), func(b *testing.B) {
				before := c.work(b, s)
				sent := 0
				for b.Loop() {
					h.deliver(b, 400, size)
					sent += 400 * size
				}
				b.ReportMetric(float64(sent)/b.Elapsed().Seconds(), "readings/s")
				h.rest(b, s)
				b.ReportMetric((c.work(b, s)-before).Seconds()*1000/float64(sent), "cpu-ms/reading")
			})
		}
	})
}

// homes are patients who measure.
type homes struct {
	*clinic
	token string
	n     int // readings that were sent
	all   int // patients
}

func newHomes(b *testing.B, c *clinic, patients int) *homes {
	status, out, errs := amate(append([]string{"token", "--role", "system"}, c.where...)...)
	if status != exitDone {
		b.Fatal(errs)
	}
	h := &homes{clinic: c, token: strings.TrimSpace(out), all: patients}
	for i := range patients {
		h.post(b, "PUT", fmt.Sprintf("Patient/p%d", i), fmt.Sprintf(`{"resourceType":"Patient","id":"p%d"}`, i))
		h.post(b, "POST", "Goal", fmt.Sprintf(`{"resourceType":"Goal","lifecycleStatus":"active","description":{"text":"x"},"subject":{"reference":"Patient/p%d"},"target":[%s,%s]}`, i,
			limitOf("8867-4", 150, "/min"), limitOf("8480-6", 180, "mm[Hg]")))
	}
	return h
}

// limitOf is a rule with an upper limit.
func limitOf(code string, high int, unit string) string {
	return fmt.Sprintf(`{"extension":[{"url":"https://github.com/amate-health/amate/fhir/StructureDefinition/monitoring-rule","extension":[{"url":"priority","valueCode":"routine"}]}],
	"measure":{"coding":[{"system":"http://loinc.org","code":%q}]},"detailRange":{"high":{"value":%d,"system":"http://unitsofmeasure.org","code":%q}}}`, code, high, unit)
}

func (h *homes) post(b testing.TB, method, path, body string) {
	if err := h.tell(method, path, body); err != nil {
		b.Fatal(err)
	}
}

func (h *homes) tell(method, path, body string) error {
	req, err := http.NewRequest(method, h.base+"/"+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+h.token)
	req.Header.Set("Content-Type", "application/fhir+json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	out, err := io.ReadAll(res.Body)
	if err == nil && (res.StatusCode >= http.StatusBadRequest || strings.Contains(string(out), `"refused","valueUnsignedInt":`) && !strings.Contains(string(out), `"refused","valueUnsignedInt":0`)) {
		err = fmt.Errorf("%s: %d %.300s", path, res.StatusCode, out)
	}
	return err
}

// deliver sends deliveries by four clients.
func (h *homes) deliver(b testing.TB, count, size int) {
	done := make(chan error, 4)
	at := time.Now().Format(time.RFC3339)
	first := h.n
	h.n += count * size
	for c := range 4 {
		go func() {
			for i := c; i < count; i += 4 {
				var readings []string
				for k := range size {
					id := first + i*size + k
					rate := 60 + id%60
					if id%100 == 7 {
						rate = 160
					}
					if k%2 == 0 {
						readings = append(readings, fmt.Sprintf(`{"id":"%d","code":"8867-4","value":%d,"unit":"/min","at":%q}`, id, rate, at))
					} else {
						readings = append(readings, fmt.Sprintf(`{"id":"%d","code":"85354-9","value":"%d/60","at":%q}`, id, 100+id%40, at))
					}
				}
				body := fmt.Sprintf(`{"patient":"Patient/p%d","readings":[%s]}`, i%h.all, strings.Join(readings, ","))
				if err := h.tell("POST", "Observation/$measurements", body); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range 4 {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
}

// rest waits until the server has done what it does after its answers.
func (h *homes) rest(b *testing.B, s storage) {
	for last := h.work(b, s); ; {
		time.Sleep(time.Second)
		now := h.work(b, s)
		if now-last < 60*time.Millisecond {
			return
		}
		last = now
	}
}
