package storetest

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// tick is the unit of times in /proc, which Linux fixes at a hundredth of a second.
const tick = 10 * time.Millisecond

// meter measures processor time, which other work on the machine disturbs less
// than it does the time on the wall: of this process, and of PostgreSQL.
type meter struct{ self, server time.Duration }

func startMeter() meter { return meter{selfTime(), serverTime()} }

// Measure starts to measure processor time, of this process and of PostgreSQL. What it
// returns adds the time per unit of work to the benchmark's result.
func Measure(b *testing.B) (report func(units int64, unit string)) {
	m := startMeter()
	return func(units int64, unit string) { m.report(b, units, unit) }
}

// report adds the time per unit of work since m was started to the benchmark's result.
func (m meter) report(b *testing.B, units int64, unit string) {
	n := float64(max(units, 1))
	b.ReportMetric(float64((selfTime()-m.self).Microseconds())/n, fmt.Sprintf("go-cpu-us/%s", unit))
	if server := serverTime() - m.server; server > 0 {
		b.ReportMetric(float64(server.Microseconds())/n, fmt.Sprintf("pg-cpu-us/%s", unit))
	}
}

func selfTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// serverTime is the processor time of all processes of the durable server so far, 0 when it is not running.
func serverTime() time.Duration {
	s := running.Load()
	if s == nil {
		return 0
	}
	postmaster, err := s.pid()
	if err != nil {
		return 0
	}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	var total time.Duration
	for _, path := range stats {
		p, ok := readStat(path)
		if ok && (p.pid == postmaster || p.parent == postmaster) {
			total += p.used
		}
	}
	return total
}

type process struct {
	pid, parent int
	used        time.Duration // its own, and that of its children that have ended
}

// readStat reads /proc/PID/stat, see proc(5).
func readStat(path string) (process, bool) {
	text, err := os.ReadFile(path)
	if err != nil {
		return process{}, false
	}
	head, tail, ok := strings.Cut(string(text), ") ")
	fields := strings.Fields(tail)
	if !ok || len(fields) < 15 {
		return process{}, false
	}
	pid, _ := strconv.Atoi(head[:strings.IndexByte(head, ' ')])
	parent, _ := strconv.Atoi(fields[1])
	p := process{pid: pid, parent: parent}
	for _, f := range fields[11:15] { // utime, stime, cutime, cstime
		n, _ := strconv.Atoi(f)
		p.used += time.Duration(n) * tick
	}
	return p, true
}

// pid returns the process id of the postmaster.
func (s *Server) pid() (int, error) {
	text, err := os.ReadFile(filepath.Join(s.data(), "postmaster.pid"))
	if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return strconv.Atoi(line)
}
