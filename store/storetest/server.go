package storetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// errNoPostgres says that this machine has no PostgreSQL binaries.
var errNoPostgres = errors.New("no initdb and postgres in PATH or /usr/lib/postgresql/*/bin")

// Server is a private PostgreSQL that lives in a temporary directory.
type Server struct {
	dir   string // holds the cluster in data/ and the socket
	bin   string
	owner *syscall.Credential // nil when this process is not root
	fsync bool
	cmd   *exec.Cmd
	leash io.Closer // closing it ends the server
}

// startServer makes a cluster and starts it. With fsync off it is fast, and
// survives the death of its processes but not of the machine.
func startServer(ctx context.Context, fsync bool) (*Server, error) {
	bin, err := findBinaries()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "amate-pg-")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, bin: bin, fsync: fsync}
	if err := s.dropRoot(); err != nil {
		return nil, err
	}
	initdb := s.command(ctx, "initdb", "-D", s.data(), "-U", "amate", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions")
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	return s, s.start(ctx)
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// URL returns the connection string of database name.
func (s *Server) URL(name string) string {
	return "postgres://amate@/" + name + "?host=" + url.QueryEscape(s.dir)
}

// dropRoot hands the directory to a user that postgres agrees to run as.
func (s *Server) dropRoot() error {
	if os.Geteuid() != 0 {
		return nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		s.owner = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		return os.Chown(s.dir, int(uid), int(gid))
	}
	return errors.New("running as root, and no user postgres or nobody to start PostgreSQL as")
}

func (s *Server) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, name), args...)
	cmd.Dir = s.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.owner, Setpgid: true}
	return cmd
}

// leashed runs postgres until its standard input closes, which happens at the
// latest when this process dies, however it dies. Then it removes the directory,
// unless it was told to keep it.
const leashed = `"$1/postgres" -D "$2/data" -k "$2" -c listen_addresses= -c fsync=$3 -c log_min_messages=fatal \
  -c max_connections=200 -c max_wal_size=2GB >"$2/log" 2>&1 &
pid=$!
read word
case "$word" in
crash) kill -QUIT $pid; wait $pid ;;
*) kill -INT $pid; wait $pid; cd /; rm -rf "$2" ;;
esac`

func (s *Server) start(ctx context.Context) error {
	fsync := "off"
	if s.fsync {
		fsync = "on"
	}
	cmd := exec.Command("/bin/sh", "-c", leashed, "sh", s.bin, s.dir, fsync)
	cmd.Dir = s.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.owner, Setpgid: true}
	leash, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	s.cmd, s.leash = cmd, leash
	return s.await(ctx)
}

// await returns when the server answers. One that has to recover on a slow machine takes its
// time for that.
func (s *Server) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, s.URL("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-ctx.Done():
			log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			return fmt.Errorf("PostgreSQL does not answer: %w; its log: %s", err, log)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Stop ends the server and removes its directory.
func (s *Server) Stop() error {
	return errors.Join(s.leash.Close(), s.cmd.Wait())
}

// CrashAndRestart ends every process of the server at once, without a checkpoint, and starts it
// again on what it left.
func (s *Server) CrashAndRestart(ctx context.Context) error {
	pipe := s.leash.(io.Writer)
	if _, err := io.WriteString(pipe, "crash\n"); err != nil {
		return err
	}
	if err := s.cmd.Wait(); err != nil {
		// An immediate shutdown reports a failure, which is what was asked for.
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			return err
		}
	}
	return s.start(ctx)
}

// findBinaries returns the directory of initdb and postgres, the newest version first.
func findBinaries() (string, error) {
	var dirs []string
	if path, err := exec.LookPath("initdb"); err == nil {
		dirs = append(dirs, filepath.Dir(path))
	}
	installed, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	slices.SortFunc(installed, func(a, b string) int { return majorVersion(b) - majorVersion(a) })
	for _, dir := range append(dirs, installed...) {
		_, err1 := os.Stat(filepath.Join(dir, "initdb"))
		_, err2 := os.Stat(filepath.Join(dir, "postgres"))
		if err1 == nil && err2 == nil {
			return dir, nil
		}
	}
	return "", errNoPostgres
}

// majorVersion reads 15 from /usr/lib/postgresql/15/bin, 0 when there is none.
func majorVersion(bin string) int {
	n, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(bin, "/usr/lib/postgresql/"), "/bin"))
	return n
}
