package page

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"sync"
	"unicode/utf16"
)

// file is a PDF file being written (ISO 32000-1, 7.5): numbered objects, of which those
// that are no streams are kept together in compressed ones.
type file struct {
	objects []object // number n is at n-1
}

type object struct {
	dict   string // or any other object, where stream is nil
	stream []byte
}

// next returns the number of an object to be set later.
func (f *file) next() int {
	f.objects = append(f.objects, object{})
	return len(f.objects)
}

func (f *file) set(id int, content string) { f.objects[id-1] = object{dict: content} }

func (f *file) add(content string) int {
	id := f.next()
	f.set(id, content)
	return id
}

// stream adds a compressed stream whose dictionary has further entries.
func (f *file) stream(entries string, data []byte) int {
	id := f.next()
	z := deflate(data)
	f.objects[id-1] = object{fmt.Sprintf("<</Length %d /Filter /FlateDecode%s>>", len(z), entries), z}
	return id
}

// open adds a stream that tools can read without taking it apart.
func (f *file) open(entries string, data []byte) int {
	id := f.next()
	f.objects[id-1] = object{fmt.Sprintf("<</Length %d%s>>", len(data), entries), data}
	return id
}

func deflate(data []byte) []byte {
	var b bytes.Buffer
	w := deflaters.Get().(*zlib.Writer)
	defer deflaters.Put(w)
	w.Reset(&b)
	w.Write(data) // a buffer takes everything
	w.Close()
	return b.Bytes()
}

// deflaters are kept, since each has tables of half a megabyte.
var deflaters = sync.Pool{New: func() any { return zlib.NewWriter(nil) }}

// together is how many objects are kept in one stream.
const together = 200

// bytes returns the file. The id is a digest of what it says.
func (f *file) bytes(catalog, info int, id []byte) []byte {
	rows := make([]row3, len(f.objects)+1)
	rows[0] = row3{0, 0, 65535}
	out := bytes.NewBufferString("%PDF-1.7\n%\xE2\xE3\xCF\xD3\n")
	var small []int
	for i, o := range f.objects {
		if o.stream == nil {
			small = append(small, i+1)
			continue
		}
		rows[i+1] = row3{1, out.Len(), 0}
		writeStream(out, i+1, o.dict, o.stream)
	}
	for len(small) > 0 {
		n := min(together, len(small))
		number := len(rows)
		for i, id := range small[:n] {
			rows[id] = row3{2, number, i}
		}
		rows = append(rows, row3{1, out.Len(), 0})
		f.group(out, number, small[:n])
		small = small[n:]
	}
	start, number := out.Len(), len(rows)
	rows = append(rows, row3{1, start, 0})
	var table []byte
	for _, r := range rows {
		table = append(table, byte(r.kind))
		table = binary.BigEndian.AppendUint32(table, uint32(r.a))
		table = binary.BigEndian.AppendUint16(table, uint16(r.b))
	}
	table = deflate(table)
	key := hex.EncodeToString(id)
	writeStream(out, number, fmt.Sprintf(
		"<</Type /XRef /Size %d /W [1 4 2] /Root %d 0 R /Info %d 0 R /ID [<%s> <%s>] /Length %d /Filter /FlateDecode>>",
		len(rows), catalog, info, key, key, len(table)), table)
	fmt.Fprintf(out, "startxref\n%d\n%%%%EOF\n", start)
	return out.Bytes()
}

// row3 is an entry of the cross-reference stream (7.5.8): 1 and an offset, or 2, the
// stream that holds the object and its place there.
type row3 struct{ kind, a, b int }

// group writes objects as one stream (7.5.7).
func (f *file) group(out *bytes.Buffer, number int, ids []int) {
	var index, content []byte
	for _, id := range ids {
		index = fmt.Appendf(index, "%d %d ", id, len(content))
		content = append(content, f.objects[id-1].dict...)
		content = append(content, '\n')
	}
	z := deflate(append(index, content...))
	writeStream(out, number, fmt.Sprintf("<</Type /ObjStm /N %d /First %d /Length %d /Filter /FlateDecode>>",
		len(ids), len(index), len(z)), z)
}

func writeStream(out *bytes.Buffer, number int, dict string, data []byte) {
	fmt.Fprintf(out, "%d 0 obj\n%s\nstream\n", number, dict)
	out.Write(data)
	out.WriteString("\nendstream\nendobj\n")
}

// textString returns a text string (7.9.2.2).
func textString(s string) string {
	b := []byte{0xFE, 0xFF}
	for _, u := range utf16.Encode([]rune(clean(s))) {
		b = binary.BigEndian.AppendUint16(b, u)
	}
	return "<" + hex.EncodeToString(b) + ">"
}

// number returns a number with at most two decimals.
func number(v float64) string { return string(appendNumber(nil, v)) }

func appendNumber(b []byte, v float64) []byte {
	n := len(b)
	b = strconv.AppendFloat(b, v, 'f', 2, 64)
	for b[len(b)-1] == '0' {
		b = b[:len(b)-1]
	}
	if b[len(b)-1] == '.' {
		b = b[:len(b)-1]
	}
	if string(b[n:]) == "-0" {
		b = append(b[:n], '0')
	}
	return b
}
