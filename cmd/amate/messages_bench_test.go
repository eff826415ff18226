package main

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir/message/mllp"
)

// BenchmarkMessages is results of one value and of five values each, which are three and seven
// resources, sent over MLLP by four connections
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
		send := func(b *testing.B, count, values int) {
			done := make(chan error, lines)
			first := n
			n += count
			for l := range lines {
				go func() { done <- pipeline(c.mllp, first+l*count/lines, first+(l+1)*count/lines, patients, values) }()
			}
			for range lines {
				if err := <-done; err != nil {
					b.Fatal(err)
				}
			}
		}
		began := time.Now()
		send(b, patients, 5)
		b.Logf("%d patients are new: %.0f messages/s", patients, patients/time.Since(began).Seconds())
		for _, values := range []int{1, 5} {
			b.Run(fmt.Sprint("values=", values), func(b *testing.B) {
				before := c.work(b, s)
				for b.Loop() {
					send(b, 2000, values)
				}
				sent := float64(2000 * b.N)
				b.ReportMetric(sent/b.Elapsed().Seconds(), "messages/s")
				b.ReportMetric((c.work(b, s)-before).Seconds()*1000/sent, "cpu-ms/message")
			})
		}
	})
}

// work returns how much processor time the server has used, and PostgreSQL beside it. Where others
// use the machine as well, that says more than the time on the wall.
func (c *clinic) work(b *testing.B, s storage) time.Duration {
	b.Helper()
	if s.Database == "" {
		return worked(b, c.cmd.Process.Pid)
	}
	u, err := url.Parse(s.Database)
	if err != nil {
		b.Fatal(err)
	}
	file, err := os.ReadFile(filepath.Join(u.Query().Get("host"), "data", "postmaster.pid"))
	if err != nil {
		b.Fatal(err)
	}
	line, _, _ := strings.Cut(string(file), "\n")
	postmaster, err := strconv.Atoi(line)
	if err != nil {
		b.Fatal(err)
	}
	return worked(b, c.cmd.Process.Pid) + worked(b, postmaster)
}

// worked returns the processor time of a process and of its children.
//
// See https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html.
func worked(b *testing.B, process int) time.Duration {
	b.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		b.Fatal(err)
	}
	const tick = 10 * time.Millisecond // sysconf(_SC_CLK_TCK), which is 100 on Linux
	total := 0
	for _, file := range stats {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		pid, rest, _ := strings.Cut(string(text), " ")
		fields := strings.Fields(rest[strings.LastIndexByte(rest, ')')+1:])
		if pid != strconv.Itoa(process) && fields[1] != strconv.Itoa(process) {
			continue
		}
		for _, ticks := range fields[11:13] { // utime and stime
			n, err := strconv.Atoi(ticks)
			if err != nil {
				b.Fatal(err)
			}
			total += n
		}
	}
	return time.Duration(total) * tick
}

// ofPerson gives the patient of a message a name and a day of birth that no other has: the
// records of people who are alike would be compared with each other.
func ofPerson(n int, message string) string {
	syllables := []string{"BA", "CE", "DI", "FO", "GU", "HA", "LE", "MI", "NO", "PU", "RA", "SE", "TI", "VO", "XU", "ZA", "QUE", "LLI", "ÑO", "CHU"}
	name := syllables[n%20] + syllables[n/20%20] + syllables[(n*7+n/20*3)%20] + "^" + syllables[n*11%20] + syllables[(n/20+5)%20]
	born := time.Date(1940, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, n*67)
	return strings.Replace(strings.Replace(message, "PÉREZ^JUAN", name, 1), "19850315", born.Format("20060102"), 1)
}

// first leaves a message its first values.
func first(values int, message string) string {
	segments := strings.SplitAfter(message, "\r")
	kept := segments[:0]
	for _, s := range segments {
		if strings.HasPrefix(s, "OBX") {
			if values--; values < 0 {
				continue
			}
		}
		kept = append(kept, s)
	}
	return strings.Join(kept, "")
}

// pipeline sends messages from up to below to, and reads their answers meanwhile.
func pipeline(addr string, from, to, patients, values int) error {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(2 * time.Minute))
	go func() {
		var b []byte
		for n := from; n < to; n++ {
			b = mllp.Append(b[:0], []byte(first(values, ofPerson(n%patients, oru("LAB", fmt.Sprint("c", n), n%patients, fmt.Sprint("F", n), "13.5")))))
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
