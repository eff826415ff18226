package rbac

import (
	"io/fs"
	"strings"
	"time"
)

// Texts are the files of a policy by name, as they are stored in a database.
type Texts map[string]string

// Open implements fs.FS.
func (t Texts) Open(name string) (fs.File, error) {
	text, ok := t[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &textFile{Reader: strings.NewReader(text), name: name, size: int64(len(text))}, nil
}

// textFile is an open file of Texts, and says what it is.
type textFile struct {
	*strings.Reader
	name string
	size int64
}

func (f *textFile) Close() error               { return nil }
func (f *textFile) Stat() (fs.FileInfo, error) { return textInfo{f}, nil }

type textInfo struct{ f *textFile }

func (i textInfo) Name() string       { return i.f.name }
func (i textInfo) Size() int64        { return i.f.size }
func (i textInfo) Mode() fs.FileMode  { return 0o444 }
func (i textInfo) ModTime() time.Time { return time.Time{} }
func (i textInfo) IsDir() bool        { return false }
func (i textInfo) Sys() any           { return nil }
