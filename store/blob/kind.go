package blob

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"mime"
	"os"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir"
)

// The first and the last bytes of content that are looked at.
const (
	headSize = 4 << 10
	tailSize = 1<<16 + 22 // the longest end of a ZIP archive
)

// magics are how content of a type begins.
var magics = map[string][]string{
	"application/pdf":             {"%PDF-"},
	"image/png":                   {"\x89PNG\r\n\x1a\n"},
	"image/jpeg":                  {"\xff\xd8\xff"},
	"image/jpg":                   {"\xff\xd8\xff"},
	"image/gif":                   {"GIF87a", "GIF89a"},
	"image/bmp":                   {"BM"},
	"image/tiff":                  {"II*\x00", "MM\x00*", "II+\x00", "MM\x00+"},
	"image/webp":                  {"RIFF"},
	"audio/wav":                   {"RIFF"},
	"application/zip":             {"PK\x03\x04", "PK\x05\x06"},
	"application/gzip":            {"\x1f\x8b"},
	"application/rtf":             {`{\rtf`},
	"text/rtf":                    {`{\rtf`},
	"application/x-7z-compressed": {"7z\xbc\xaf\x27\x1c"},
	"application/vnd.rar":         {"Rar!\x1a\x07"},
	"application/vnd.ms-excel":    {"\xd0\xcf\x11\xe0", "PK\x03\x04"},
	"application/msword":          {"\xd0\xcf\x11\xe0", "PK\x03\x04"},
	"application/vnd.oasis.opendocument.text":                                 {"PK\x03\x04"},
	"application/vnd.openxmlformats-officedocument.wordprocessingml.document": {"PK\x03\x04"},
	"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet":       {"PK\x03\x04"},
}

// programs are how what can be run begins.
var programs = []string{"MZ", "\x7fELF", "\xca\xfe\xba\xbe", "\xfe\xed\xfa\xce", "\xfe\xed\xfa\xcf", "\xce\xfa\xed\xfe", "\xcf\xfa\xed\xfe", "#!"}

// generic is what content may be called of which no more is known. It is never shown
// by a browser.
const generic = "application/octet-stream"

// Kind returns the media type of a Content-Type, without parameters, in lower case.
func Kind(contentType string) string {
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		kind, _, _ = strings.Cut(contentType, ";")
	}
	return strings.ToLower(strings.TrimSpace(kind))
}

// check refuses content that is not of the kind that it is declared to be, where
// that could harm who opens it.
func check(head, tail []byte, contentType string) error {
	kind := Kind(contentType)
	wrong := func(why string) error {
		return fhir.Errorf(fhir.Unprocessable, "the content is not what its contentType says: %s", why).With("contentType is %.100q", contentType).At("Binary.contentType")
	}
	if len(head) == 0 || kind == generic {
		return nil
	}
	begins := func(with string) bool { return bytes.HasPrefix(head, []byte(with)) }
	if slices.ContainsFunc(programs, begins) && (begins("\x7fELF") || begins("\xca\xfe\xba\xbe") || !strings.HasPrefix(kind, "text/")) || strings.HasPrefix(kind, "text/") && begins("MZ") && bytes.IndexByte(head, 0) >= 0 {
		return wrong("it is a program")
	}
	magic, known := magics[kind]
	if known && !slices.ContainsFunc(magic, begins) {
		return wrong("it begins otherwise")
	}
	if strings.HasPrefix(kind, "image/") && kind != "image/svg+xml" || kind == "application/pdf" {
		if archived(tail) {
			return wrong("it is an archive as well")
		}
	}
	if known && strings.HasPrefix(kind, "image/") {
		low := bytes.ToLower(head)
		for _, tag := range []string{"<script", "<html", "<!doctype html", "<svg", "<?php"} {
			if bytes.Contains(low, []byte(tag)) {
				return wrong("it is a page as well")
			}
		}
	}
	return nil
}

// archived reports whether content ends as a ZIP archive does, such as a JAR behind a
// picture.
//
// See https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, 4.3.16.
func archived(tail []byte) bool {
	for at := bytes.LastIndex(tail, []byte("PK\x05\x06")); at >= 0; at = bytes.LastIndex(tail[:at], []byte("PK\x05\x06")) {
		if end := tail[at:]; len(end) >= 22 && int(binary.LittleEndian.Uint16(end[20:])) <= len(end)-22 && binary.LittleEndian.Uint16(end[8:]) > 0 {
			return true
		}
	}
	return false
}

// checkBytes is check of content in memory.
func checkBytes(content []byte, contentType string) error {
	return check(content[:min(len(content), headSize)], content[max(0, len(content)-tailSize):], contentType)
}

// checkFile is check of the content of a file.
func checkFile(f *os.File, size int64, contentType string) error {
	head, tail := make([]byte, min(size, headSize)), make([]byte, min(size, tailSize))
	if _, err := f.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if _, err := f.ReadAt(tail, size-int64(len(tail))); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return check(head, tail, contentType)
}
