package ingest

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
)

// maxLine is how long a line may be.
const maxLine = 64 << 20

// A chunk ends with whichever comes first.
const (
	chunkLines = 200
	chunkBytes = 2 << 20
)

// plain returns what a file says that may be packed by gzip or zstd, which is told by how
// it begins.
//
// See https://www.rfc-editor.org/rfc/rfc1952#page-5 and https://www.rfc-editor.org/rfc/rfc8878#section-3.1.1.
func plain(r io.Reader) (io.Reader, func(), error) {
	b := bufio.NewReaderSize(r, 256<<10)
	head, err := b.Peek(4)
	if err != nil && err != io.EOF {
		return nil, nil, err
	}
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(b)
		return z, func() {}, err
	case bytes.Equal(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(b, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(64<<20))
		if err != nil {
			return nil, nil, err
		}
		return z, z.Close, nil
	}
	return b, func() {}, nil
}

// line is a line that holds something.
type line struct {
	number int // the first is 1
	text   []byte
	id     string // of its resource
	wrong  error  // why it cannot be taken
}

// reader reads the lines of a file.
type reader struct {
	r      *bufio.Reader
	typ    string
	number int
	held   *line // that the next chunk begins with; nil for none
	doc    element.Doc
}

// errLong is of a file that is not of lines.
var errLong = fhir.Errorf(fhir.TooLarge, "a line is longer than 64 MiB")

// line returns the next line that is not empty; io.EOF after the last. Its text is the
// caller's to keep.
func (r *reader) line() (line, error) {
	for {
		var whole []byte
		for {
			part, err := r.r.ReadSlice('\n')
			whole = append(whole, part...)
			if len(whole) > maxLine {
				return line{}, errLong
			}
			if err == nil || err == io.EOF && len(whole) > 0 {
				break
			}
			if !errors.Is(err, bufio.ErrBufferFull) {
				return line{}, err
			}
		}
		r.number++
		if whole = bytes.TrimSpace(whole); len(whole) > 0 {
			return line{number: r.number, text: whole}, nil
		}
	}
}

// chunk returns the next lines: as many as are sent at once, of different resources. With
// the last it returns io.EOF.
func (r *reader) chunk() (lines []line, err error) {
	seen := map[string]bool{}
	for size := 0; len(lines) < chunkLines && size < chunkBytes; {
		l, err := r.next()
		if err != nil {
			return lines, err
		}
		if seen[l.id] {
			r.held = &l
			break
		}
		lines = append(lines, l)
		seen[l.id] = l.id != ""
		size += len(l.text)
	}
	return lines, nil
}

// next is line, for one that is understood.
func (r *reader) next() (line, error) {
	if l := r.held; l != nil {
		r.held = nil
		return *l, nil
	}
	l, err := r.line()
	if err == nil {
		r.look(&l)
	}
	return l, err
}

// look finds out what is on a line.
func (r *reader) look(l *line) {
	if l.wrong = r.doc.Parse(l.text, element.Limits{}); l.wrong != nil {
		return
	}
	if r.doc.Kind(0) != element.Object {
		l.wrong = fhir.Errorf(fhir.Unprocessable, "a line is a resource")
		return
	}
	typ, id := r.doc.TextAt(0, "resourceType"), r.doc.TextAt(0, "id")
	switch {
	case typ != r.typ:
		l.wrong = fhir.Errorf(fhir.Unprocessable, "this file is said to be of %s", r.typ).At("resourceType")
	case !fhir.ValidID(id):
		l.wrong = fhir.Errorf(fhir.Unprocessable, "a resource that is imported has an id, at which it is put").At(r.typ + ".id")
	default:
		l.id = id
	}
}
