package bulk

import (
	"slices"

	"github.com/klauspost/compress/zstd"
)

// File is a file of an order that is being written. What is written is there after a crash
// as of the last Run.Save: the file is cut off to that when the work goes on.
type File struct {
	run   *Run
	saved savedFile
	to    Appender
	out   *zstd.Encoder // nil where the file is plain
	dirty bool
	whole bool // of a form that cannot be gone on with
}

// File returns the file of an order that is called as o says, to be written on. The name is
// of letters, digits, dots and hyphens. A file whose form cannot be gone on with in the
// middle, such as Parquet, is made by Whole.
func (r *Run) File(o Output) (*File, error) { return r.open(o, false) }

// Whole is File for a file that is there only once it has been closed by Close: the work
// saves a position from before it, and makes it anew, as long as it is not.
func (r *Run) Whole(o Output) (*File, error) { return r.open(o, true) }

func (r *Run) open(o Output, whole bool) (*File, error) {
	if f := r.files[o.Name]; f != nil {
		return f, nil
	}
	o.Coded = o.Coded && !r.service.Plain
	f := &File{run: r, saved: savedFile{Output: o}, whole: whole}
	if i := slices.IndexFunc(r.saved.Files, func(s savedFile) bool { return s.Name == o.Name }); i >= 0 {
		f.saved = r.saved.Files[i]
	}
	var err error
	if f.to, err = r.service.Files.Append(r.ID, o.Name, f.saved.Size); err != nil {
		return nil, err
	}
	if o.Coded {
		// One thread, since several orders run beside each other. The window is of a size that
		// others must be able to read (https://www.rfc-editor.org/rfc/rfc9659#section-3).
		f.out, err = zstd.NewWriter(counting{f}, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(4<<20))
	}
	r.files[o.Name] = f
	return f, err
}

// counting writes to a file and counts.
type counting struct{ *File }

func (c counting) Write(p []byte) (int, error) {
	if err := c.run.service.disk.take(int64(len(p))); err != nil {
		return 0, err
	}
	n, err := c.to.Write(p)
	c.saved.Size += int64(n)
	return n, err
}

// Write appends to the file.
func (f *File) Write(p []byte) (int, error) {
	f.dirty = true
	if f.saved.Sight == "" && f.run.rights != nil && len(p) > 0 {
		f.saved.Sight = sight(f.run.rights.Restriction, &f.saved.Output)
	}
	if f.out != nil {
		return f.out.Write(p)
	}
	return counting{f}.Write(p)
}

// Add counts resources, or rows, that were written.
func (f *File) Add(n int64) { f.saved.Count += n }

// Count returns how many there are.
func (f *File) Count() int64 { return f.saved.Count }

// Size returns how many bytes have left for the disk, about.
func (f *File) Size() int64 { return f.saved.Size }

// Close ends the file: it is not written any more.
func (f *File) Close() error {
	if f.to == nil {
		return nil
	}
	err := f.settle()
	if closeErr := f.to.Close(); err == nil {
		err = closeErr
	}
	f.to, f.out, f.whole = nil, nil, false
	return err
}

// settle makes durable what was written. Coded content ends a frame there, so that the file
// can be cut off behind it: several frames are one content.
//
// See https://www.rfc-editor.org/rfc/rfc8878#section-3.1.
func (f *File) settle() error {
	if f.to == nil || !f.dirty {
		return nil
	}
	if f.out != nil {
		if err := f.out.Close(); err != nil {
			return err
		}
		f.out.Reset(counting{f})
	}
	f.dirty = false
	return f.to.Sync()
}

// settle makes all files durable, and returns them, those that are not whole aside.
func (r *Run) settle() ([]savedFile, error) {
	var all []savedFile
	for _, s := range r.saved.Files {
		if r.files[s.Name] == nil {
			all = append(all, s)
		}
	}
	for _, f := range r.files {
		if f.whole {
			continue
		}
		if err := f.settle(); err != nil {
			return nil, err
		}
		all = append(all, f.saved)
	}
	slices.SortFunc(all, func(a, b savedFile) int { return compareOutputs(&a.Output, &b.Output) })
	return all, nil
}

// abandon closes what is open.
func (r *Run) abandon() {
	for _, f := range r.files {
		if f.to != nil {
			_ = f.to.Close() // what counts was settled
		}
	}
}
