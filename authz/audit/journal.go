package audit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/google/uuid"

	"github.com/amate-health/amate/fhir"
)

// journal is a folder of files to which events are appended. A file belongs to the
// process that holds a lock on it; those of processes that have ended are adopted.
type journal struct {
	dir string

	mu      sync.Mutex
	file    *os.File // that is written to
	size    int64    // bytes of it
	dirty   bool     // it has bytes that were not synced
	buf     []byte
	retired []*os.File // full, and not shipped yet
}

const (
	journalSuffix = ".journal"
	hiddenSuffix  = ".new"
	journalMagic  = "amate audit 1\n"
	segmentSize   = 8 << 20 // bytes from which on another file is begun
	recordHead    = 4 + 4 + 16 + 4
	recordMost    = 64 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// openJournal makes the folder, which only its owner may read, and begins a file. It
// returns the files that other processes left behind, locked, the oldest first.
func openJournal(dir string) (j *journal, left []*os.File, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, err
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, nil, err
	}
	if left, err = adopt(dir); err != nil {
		return nil, nil, err
	}
	j = &journal{dir: dir}
	if err := j.begin(); err != nil {
		closeAll(left)
		return nil, nil, err
	}
	return j, left, nil
}

// adopt locks the files of processes that have ended.
func adopt(dir string) (left []*os.File, err error) {
	names, err := filepath.Glob(filepath.Join(dir, "*"+journalSuffix))
	if err != nil {
		return nil, err
	}
	slices.Sort(names) // their names begin with their time
	for _, name := range names {
		f, err := os.OpenFile(name, os.O_RDWR, 0)
		if errors.Is(err, os.ErrNotExist) {
			continue // another process has just shipped it
		}
		if err != nil {
			closeAll(left)
			return nil, err
		}
		if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil || !sameFile(f, name) {
			f.Close() // in use, or gone
			continue
		}
		left = append(left, f)
	}
	return left, nil
}

// sameFile reports whether f is still what stands under its name: between opening
// and locking it, another process may have shipped and removed it.
func sameFile(f *os.File, name string) bool {
	a, err1 := f.Stat()
	b, err2 := os.Stat(name)
	return err1 == nil && err2 == nil && os.SameFile(a, b)
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// begin starts another file. It gets its name once it is locked, so that nobody
// takes it for one that was left behind.
func (j *journal) begin() error {
	name := filepath.Join(j.dir, uuid.Must(uuid.NewV7()).String()+journalSuffix)
	hidden := name + hiddenSuffix
	f, err := os.OpenFile(hidden, os.O_RDWR|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	fail := func(err error) error {
		f.Close()
		os.Remove(hidden)
		return err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return fail(err)
	}
	if _, err := f.WriteString(journalMagic); err != nil {
		return fail(err)
	}
	if err := os.Rename(hidden, name); err != nil {
		return fail(err)
	}
	if err := syncDir(j.dir); err != nil {
		return err
	}
	if j.file != nil {
		j.retired = append(j.retired, j.file)
	}
	j.file, j.size = f, int64(len(journalMagic))
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// append writes events with one write(2), after which they survive the death of this
// process. Half of a record is taken back, so that what comes next can be read.
func (j *journal) append(events []fhir.Event) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.size >= segmentSize {
		if err := j.rotate(); err != nil {
			return err
		}
	}
	j.buf = j.buf[:0]
	for i := range events {
		j.buf = appendRecord(j.buf, &events[i])
	}
	n, err := j.file.Write(j.buf)
	if err != nil {
		if n > 0 {
			err = errors.Join(err, j.file.Truncate(j.size))
		}
		return err
	}
	j.size += int64(n)
	j.dirty = true
	if cap(j.buf) > 1<<20 {
		j.buf = nil
	}
	return nil
}

// appendRecord writes the lengths, a checksum of the rest, the ID, the keys and the
// content.
func appendRecord(b []byte, e *fhir.Event) []byte {
	start := len(b)
	b = binary.BigEndian.AppendUint32(b, uint32(len(e.Content)))
	b = append(b, 0, 0, 0, 0)
	b = append(b, e.ID[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(e.Keys)))
	for _, k := range e.Keys {
		b = binary.BigEndian.AppendUint64(b, uint64(k))
	}
	b = append(b, e.Content...)
	binary.BigEndian.PutUint32(b[start+4:], crc32.Checksum(b[start+8:], castagnoli))
	return b
}

// rotate begins another file, once what is in this one is on the disk.
func (j *journal) rotate() error {
	if err := j.file.Sync(); err != nil {
		return err
	}
	j.dirty = false
	return j.begin()
}

// sync brings what was appended onto the disk.
func (j *journal) sync() error {
	j.mu.Lock()
	f, dirty := j.file, j.dirty
	j.dirty = false
	j.mu.Unlock()
	if !dirty {
		return nil
	}
	err := f.Sync() // without the lock: nobody waits for the disk
	if errors.Is(err, os.ErrClosed) {
		return nil // it was shipped in the meantime
	}
	return err
}

// readable returns the file to be shipped next and how far it may be read. It is
// full when nothing will be added.
func (j *journal) readable() (f *os.File, size int64, full bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.retired) > 0 {
		f := j.retired[0]
		if info, err := f.Stat(); err == nil {
			return f, info.Size(), true
		}
		return f, 0, true
	}
	return j.file, j.size, false
}

// shipped removes the file that readable returned, which was full.
func (j *journal) shipped(f *os.File) error {
	j.mu.Lock()
	if len(j.retired) > 0 && j.retired[0] == f {
		j.retired = j.retired[1:]
	}
	j.mu.Unlock()
	return remove(f)
}

func remove(f *os.File) error { return errors.Join(os.Remove(nameOf(f)), f.Close()) }

// nameOf returns where f stands: a file of ours has been renamed since it was made.
func nameOf(f *os.File) string { return strings.TrimSuffix(f.Name(), hiddenSuffix) }

// close ends the journal. A file whose records were all shipped, up to at, is removed.
func (j *journal) close(at int64) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	err := j.file.Sync()
	closeAll(j.retired)
	if at == j.size && len(j.retired) == 0 {
		return errors.Join(err, remove(j.file))
	}
	return errors.Join(err, j.file.Close())
}

// errDamaged says that a journal holds what nobody wrote there.
var errDamaged = errors.New("damaged")

// readRecords reads records of f from offset at on, up to size and about most bytes.
// It returns where it ended. A record that is not whole ends it without an error if
// nothing follows: the process died while it wrote it, before it answered.
func readRecords(f *os.File, at, size int64, most int) (events []fhir.Event, end int64, err error) {
	if at == 0 {
		head := make([]byte, len(journalMagic))
		n, err := f.ReadAt(head, 0)
		if n < len(head) && (err == nil || errors.Is(err, io.EOF)) && strings.HasPrefix(journalMagic, string(head[:n])) {
			return nil, size, nil // it died even sooner
		}
		if string(head) != journalMagic {
			return nil, 0, errors.Join(fmt.Errorf("journal %s: %w: it does not begin as one", filepath.Base(nameOf(f)), errDamaged))
		}
		at = int64(len(journalMagic))
	}
	if at >= size {
		return nil, at, nil
	}
	buf := make([]byte, min(size-at, int64(most)))
	if _, err := f.ReadAt(buf, at); err != nil {
		return nil, at, err
	}
	for {
		e, n, need := nextRecord(buf)
		switch {
		case n > 0:
			events = append(events, e)
			buf, at = buf[n:], at+int64(n)
			continue
		case need == 0 && len(buf) > 0:
			return events, at, fmt.Errorf("journal %s at byte %d: %w", filepath.Base(nameOf(f)), at, errDamaged)
		case len(events) > 0 || len(buf) == 0:
			return events, at, nil
		case at+int64(need) > size:
			return nil, at, nil // it is not whole
		}
		buf = make([]byte, need) // a record larger than most
		if _, err := f.ReadAt(buf, at); err != nil {
			return nil, at, err
		}
	}
}

// nextRecord reads the record at the start of b: n is its length, 0 when it is not
// whole, for which need bytes are needed, or not good, when need is 0.
func nextRecord(b []byte) (e fhir.Event, n, need int) {
	if len(b) < recordHead {
		return e, 0, recordHead
	}
	length, keys := int(binary.BigEndian.Uint32(b)), int(binary.BigEndian.Uint32(b[24:]))
	if length > recordMost || keys > recordMost/8 {
		return e, 0, 0
	}
	start := recordHead + 8*keys
	if n = start + length; len(b) < n {
		return e, 0, n
	}
	if crc32.Checksum(b[8:n], castagnoli) != binary.BigEndian.Uint32(b[4:]) {
		return e, 0, 0
	}
	copy(e.ID[:], b[8:])
	e.Month = month(e.ID)
	e.Keys = make([]int64, keys)
	for i := range e.Keys {
		e.Keys[i] = int64(binary.BigEndian.Uint64(b[recordHead+8*i:]))
	}
	e.Content = b[start:n:n]
	return e, n, n
}
