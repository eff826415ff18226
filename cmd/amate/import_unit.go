package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"strconv"

	"github.com/google/uuid"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/spec"
)

// unit is work for one worker: a whole .json file, or some lines of an NDJSON file.
type unit struct {
	file  input
	lines []line     // of an NDJSON file; nil for a .json file
	track *lineTrack // of an NDJSON file
	last  int        // number of the last line looked at
}

// line is a line of an NDJSON file.
type line struct {
	number int // the first is 1
	text   []byte
}

// A unit of lines ends with whichever comes first.
const (
	unitLines = 500
	unitBytes = 4 << 20
	maxLine   = 64 << 20
)

var errLineTooLong = errors.New("a line is longer than 64 MiB")

// cut sends the units of a file.
func (im *importer) cut(ctx context.Context, f input, units chan<- unit) error {
	from, done := im.journal.position(ctx, im.store, f)
	if done {
		im.skipped.Add(1)
		im.progress.skip(f)
		return nil
	}
	if !f.lines {
		return send(ctx, units, unit{file: f})
	}
	text, err := f.open(&im.progress.bytes)
	if err != nil {
		return im.report.refuse(refusal{File: f.path}, err)
	}
	defer text.Close()
	track := newLineTrack(f, from)
	r := bufio.NewReaderSize(text, 256<<10)
	u, size := unit{file: f, track: track}, 0
	for number := 1; ; number++ {
		raw, err := readLine(r)
		if err != nil && err != io.EOF {
			return im.report.refuse(refusal{File: f.path, Line: number}, err)
		}
		if raw = bytes.TrimSpace(raw); len(raw) > 0 && number > from {
			u.lines = append(u.lines, line{number, raw})
			size += len(raw)
		}
		u.last = number
		if len(u.lines) == unitLines || size > unitBytes || err == io.EOF {
			track.sent(u.last, err == io.EOF)
			if e := send(ctx, units, u); e != nil {
				return e
			}
			u, size = unit{file: f, track: track}, 0
		}
		if err == io.EOF {
			im.progress.file()
			return nil
		}
	}
}

func send(ctx context.Context, units chan<- unit, u unit) error {
	select {
	case units <- u:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// readLine returns the next line, which is the caller's to keep, without its end.
// With the last it returns io.EOF.
func readLine(r *bufio.Reader) ([]byte, error) {
	var whole []byte
	for {
		part, err := r.ReadSlice('\n')
		whole = append(whole, part...)
		if len(whole) > maxLine {
			return nil, errLineTooLong
		}
		if err != bufio.ErrBufferFull {
			return whole, err
		}
	}
}

// idMaker makes ids out of what is imported, so that importing it once more finds
// what the first time made. They have the form of a UUID of version 8. Those of
// one file begin alike, which keeps them together in an index.
//
// See https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-8.
type idMaker [sha256.Size]byte

func idsOf(text []byte) idMaker { return sha256.Sum256(text) }

// id returns the id for the n-th resource.
func (m idMaker) id(n int) string {
	var u uuid.UUID
	copy(u[:12], m[:12])
	binary.BigEndian.PutUint32(u[12:], uint32(n))
	u[6] = u[6]&0x0f | 0x80
	u[8] = u[8]&0x3f | 0x80
	return u.String()
}

// put is a resource to be put at its id.
type put struct {
	line     int
	typ, id  string
	resource []byte
}

// readPut finds out where a resource is to be put. One without an id gets one.
func readPut(doc *element.Doc, l line) (put, error) {
	p := put{line: l.number, resource: l.text}
	if err := doc.Parse(l.text, element.Limits{}); err != nil {
		return p, err
	}
	if doc.Kind(0) != element.Object {
		return p, fhir.Errorf(fhir.Invalid, "a resource is a JSON object")
	}
	p.typ = memberText(doc, "resourceType")
	if !spec.IsResource(p.typ) {
		return p, fhir.Errorf(fhir.Invalid, "resourceType names no resource type of FHIR R4").With("it is %.100q", p.typ)
	}
	if doc.Get(0, "id") != element.None {
		if p.id = memberText(doc, "id"); !fhir.ValidID(p.id) {
			return p, fhir.Errorf(fhir.Unprocessable, "an id is 1 to 64 of the characters A-Z a-z 0-9 - .").With("it is %.100q", p.id).At(p.typ + ".id")
		}
		return p, nil
	}
	p.id = idsOf(l.text).id(l.number)
	p.resource = append([]byte(`{"id":"`+p.id+`",`), l.text[1:]...)
	return p, nil
}

func memberText(doc *element.Doc, name string) string {
	if n := doc.Get(0, name); n != element.None && doc.Kind(n) == element.String {
		return doc.Text(n)
	}
	return ""
}

// asTransaction writes puts as a Bundle, since Bundles are what can be planned.
func asTransaction(puts []put) (*bundle.Bundle, error) {
	text := []byte(`{"resourceType":"Bundle","type":"batch","entry":[`)
	for i, p := range puts {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(text, `{"resource":`...)
		text = append(text, p.resource...)
		text = append(text, `,"request":{"method":"PUT","url":`...)
		text = element.Quote(text, p.typ+"/"+p.id)
		text = append(text, "}}"...)
	}
	s, err := bundle.Parse(append(text, "]}"...))
	if err != nil {
		return nil, err
	}
	return bundle.Open(s, len(puts))
}

func entryName(index int) string { return "entry " + strconv.Itoa(index) }
