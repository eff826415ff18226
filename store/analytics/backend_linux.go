package analytics

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sys/unix"
)

// holdBack puts the process of PostgreSQL that answers conn into r, where it is on this machine
// and the system permits it. Where there is no ration it gets the lowest priority. conn is of
// analysts alone, so that the process never needs its share for anybody else.
func (r *ration) holdBack(conn *pgx.Conn) error {
	pid, err := backendOf(conn)
	if err != nil {
		return err
	}
	if r.dir == "" {
		return errors.Join(r.missing, unix.Setpriority(unix.PRIO_PROCESS, pid, lowest))
	}
	return os.WriteFile(filepath.Join(r.dir, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0)
}

// ration is a group of processes of PostgreSQL which together have a small part of one processor
// while others are served, however much of it is free: what a query took beside them, it would
// take from caches and memory that they share, and it would be in the way for a moment of
// whoever wakes up.
//
// The kernel keeps them to it. A process may hold a lock of the database for which clinics wait,
// but is stopped for less than rationPeriod at once; and when the server dies, none stands still.
//
// See https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu-interface-files and
// https://docs.kernel.org/scheduler/sched-bwc.html for version 1.
type ration struct {
	dir         string // "" for none
	missing     error  // why there is none
	scant, free []setting

	mu   sync.Mutex
	held bool
}

// setting is what a file of a group says.
type setting struct{ file, text string }

// A group has so much time of a processor in each period, while others are served.
const (
	rationPart   = 2 * time.Millisecond
	rationPeriod = 20 * time.Millisecond
)

// rationName is how the groups of servers are called: with the number of their processes.
const rationName = "amate-analysts-"

// openRation makes a group.
func openRation() *ration {
	part, period := strconv.FormatInt(rationPart.Microseconds(), 10), strconv.FormatInt(rationPeriod.Microseconds(), 10)
	r := &ration{
		scant: []setting{{"cpu.weight", "1"}, {"cpu.max", part + " " + period}},
		free:  []setting{{"cpu.max", "max"}, {"cpu.weight", "100"}},
	}
	root := "/sys/fs/cgroup"
	if _, err := os.Stat(filepath.Join(root, "cpu", "cpu.shares")); err == nil {
		root = filepath.Join(root, "cpu")
		r.scant = []setting{{"cpu.shares", "2"}, {"cpu.cfs_period_us", period}, {"cpu.cfs_quota_us", part}}
		r.free = []setting{{"cpu.cfs_quota_us", "-1"}, {"cpu.shares", "1024"}}
	}
	r.missing = r.make(root)
	return r
}

// make makes the group in root, and removes those of servers that died.
func (r *ration) make(root string) error {
	old, err := filepath.Glob(filepath.Join(root, rationName+"*"))
	if err != nil {
		return err
	}
	for _, dir := range old {
		pid, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), rationName), "-")
		if _, err := os.Stat("/proc/" + pid); err != nil {
			_ = os.Remove(dir) // or it still has processes
		}
	}
	if r.dir, err = os.MkdirTemp(root, rationName+strconv.Itoa(os.Getpid())+"-"); err != nil {
		return err
	}
	if err := r.set(r.free); err != nil { // the controller is not there, or not for us
		err = errors.Join(err, os.Remove(r.dir))
		r.dir = ""
		return err
	}
	return nil
}

func (r *ration) set(all []setting) error {
	for _, s := range all {
		if err := os.WriteFile(filepath.Join(r.dir, s.file), []byte(s.text), 0); err != nil {
			return err
		}
	}
	return nil
}

// hold says whether others are served.
func (r *ration) hold(on bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.dir == "" || r.held == on {
		return nil
	}
	r.held = on
	if on {
		return r.set(r.scant)
	}
	return r.set(r.free)
}

// close removes the group once its processes have ended, which is soon after their connections
// have.
func (r *ration) close() error {
	if r.dir == "" {
		return nil
	}
	err := r.hold(false)
	for end := time.Now().Add(time.Second); err == nil && os.Remove(r.dir) != nil && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
	return err // what is left is removed by the next server
}

// errElsewhere says that a process of PostgreSQL cannot be told from others here.
var errElsewhere = errors.New("the database is on another machine, in another container, or behind a pooler")

// backendOf returns the process that answers conn: that which the database names, when it is
// known that this number means the same here. What it calls itself has the user and the
// database; over a network of this machine also our port, and over a socket it was made by
// the process that listens there.
func backendOf(conn *pgx.Conn) (int, error) {
	pid := int(conn.PgConn().PID())
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, errElsewhere
	}
	title, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return 0, errElsewhere
	}
	_, after, _ := bytes.Cut(stat, []byte(") "))
	fields := strings.Fields(string(after)) // state, parent, group, session
	if len(fields) < 4 || fields[3] != strconv.Itoa(pid) {
		return 0, errElsewhere
	}
	from, parent, err := caller(conn)
	if err != nil {
		return 0, err
	}
	config := conn.Config()
	name := " " + config.User + " " + cmp.Or(config.Database, config.User) + " " + from
	if !bytes.HasPrefix(title, []byte("postgres: ")) || !bytes.Contains(title, []byte(name)) || parent != 0 && fields[1] != strconv.Itoa(parent) {
		return 0, errElsewhere
	}
	return pid, nil
}

// caller returns what the database calls this end of a connection, and over a socket the
// process that listens there.
func caller(conn *pgx.Conn) (from string, listener int, err error) {
	c := conn.PgConn().Conn()
	if ours, err := netip.ParseAddrPort(c.LocalAddr().String()); err == nil {
		theirs, err := netip.ParseAddrPort(c.RemoteAddr().String())
		if err != nil || ours.Addr() != theirs.Addr() {
			return "", 0, errElsewhere
		}
		return fmt.Sprintf("%s(%d)", ours.Addr().Unmap(), ours.Port()), 0, nil
	}
	socket, ok := c.(syscall.Conn)
	if !ok {
		return "", 0, errElsewhere
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return "", 0, err
	}
	var peer *unix.Ucred
	var failed error
	if err := raw.Control(func(fd uintptr) { peer, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); err != nil || failed != nil {
		return "", 0, errors.Join(err, failed)
	}
	if peer.Pid <= 0 {
		return "", 0, errElsewhere
	}
	return "[local]", int(peer.Pid), nil
}
