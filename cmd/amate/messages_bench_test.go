package main

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir/message/mllp"
)

// BenchmarkMessages is results of five values each, sent over MLLP by four connections
// that do not wait for each answer, with access control and the audit trail on. The
// server is a process of its own. "new" are results of patients who are not known yet;
// "known" are further results of the same 400 patients, as a laboratory sends them.
func BenchmarkMessages(b *testing.B) {
	eachEngine(b, func(b *testing.B, s storage) {
		where := []string{"--data", s.Data}
		if s.Database != "" {
			where = append(where, "--database", s.Database)
		}
		registerSender(b, where, "lab", everyScope, "tables: {assigners: {H1: 'urn:h1'}}\n")
		c := startClinic(b, where)
		const patients, lines = 400, 4
		n := 0
		send := func(b *testing.B, count int) {
			done := make(chan error, lines)
			first := n
			n += count
			for l := range lines {
				go func() { done <- pipeline(c.mllp, first+l*count/lines, first+(l+1)*count/lines, patients) }()
			}
			for range lines {
				if err := <-done; err != nil {
					b.Fatal(err)
				}
			}
		}
		began := time.Now()
		send(b, patients)
		b.Logf("%d patients are new: %.0f messages/s", patients, patients/time.Since(began).Seconds())
		for b.Loop() {
			send(b, 2000)
		}
		b.ReportMetric(float64(2000*b.N)/b.Elapsed().Seconds(), "messages/s")
	})
}

// pipeline sends messages from up to below to, and reads their answers meanwhile.
func pipeline(addr string, from, to, patients int) error {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(2 * time.Minute))
	go func() {
		var b []byte
		for n := from; n < to; n++ {
			b = mllp.Append(b[:0], []byte(oru("LAB", fmt.Sprint("c", n), n%patients, fmt.Sprint("F", n), "13.5")))
			if _, err := conn.Write(b); err != nil {
				return // the reader notices
			}
		}
	}()
	in := mllp.NewReader(conn, 1<<20)
	for n := from; n < to; n++ {
		answer, err := in.Next()
		if err != nil {
			return err
		}
		if want := fmt.Sprint("MSA|AA|c", n, "\r"); !strings.Contains(string(answer), want) {
			return fmt.Errorf("%q, want %q", answer, want)
		}
	}
	return nil
}
