package feed

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"

	"github.com/amate-health/amate/fhir"
)

// cursor is a place in the life of a copy. It does not end to be good: what it names is
// kept as long as the copy is.
type cursor struct {
	Copy   string    `json:"c"`
	Rights string    `json:"r"` // that it was given out under
	Mark   fhir.Mark `json:"m"` // all changes up to it have been told
	Log    int       `json:"l"` // and so many of the log at the mark; see logged
	Done   bool      `json:"d"` // and there was nothing more to tell then

	Snapshot *snapshot `json:"s,omitempty"` // nil once everything has been told that was there at the Mark
}

// after reports whether c is a later place than another cursor.
func (c *cursor) after(o *cursor) bool {
	if c.Mark != o.Mark {
		return c.Mark.Compare(o.Mark) > 0
	}
	return c.Log > o.Log
}

// snapshot is how far everything has been told.
type snapshot struct {
	Type  string `json:"t"` // that comes next; "" before the first
	After string `json:"a"` // the store's cursor within it
}

func (f *Feed) seal(c *cursor) (string, error) {
	plain, err := c.plain()
	if err != nil {
		return "", err
	}
	nonce := make([]byte, f.sealer.NonceSize())
	rand.Read(nonce) // never fails
	return base64.RawURLEncoding.EncodeToString(f.sealer.Seal(nonce, nonce, plain, nil)), nil
}

// open reads a cursor. Errors: fhir.Invalid.
func (f *Feed) open(text string) (*cursor, error) {
	bad := fhir.Errorf(fhir.Invalid, "since is none that this server gave you: use the next link of the answer before")
	raw, err := base64.RawURLEncoding.DecodeString(text)
	n := f.sealer.NonceSize()
	if err != nil || len(raw) < n {
		return nil, bad
	}
	plain, err := f.sealer.Open(nil, raw[:n], raw[n:], nil)
	if err != nil {
		return nil, bad
	}
	c, err := readCursor(plain)
	if err != nil {
		return nil, bad
	}
	return c, nil
}

// readCursor reads what plain has written.
func readCursor(plain []byte) (*cursor, error) {
	c := &cursor{}
	if len(plain) > 0 && plain[0] == shortCursor {
		return c, c.parse(plain[1:])
	}
	return c, json.Unmarshal(plain, c)
}

// shortCursor is the first byte of a cursor of a copy that has no snapshot under way, in the
// form that takes the least time: nearly every poll brings one. Others are JSON.
const shortCursor = 1

func (c *cursor) plain() ([]byte, error) {
	id, err := hex.DecodeString(c.Copy)
	if c.Snapshot != nil || err != nil || len(id) != copyBytes || hex.EncodeToString(id) != c.Copy || c.Log < 0 || c.Log > math.MaxInt32 {
		return json.Marshal(c)
	}
	b := append(make([]byte, 0, 128), shortCursor)
	b = append(b, id...)
	for _, n := range [...]uint64{c.Mark.Origin, c.Mark.Tx, uint64(c.Mark.Key), uint64(c.Mark.Version), uint64(c.Log)} {
		b = binary.AppendUvarint(b, n)
	}
	if c.Done {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	return append(b, c.Rights...), nil
}

// parse reads a cursor of the short form, without its first byte.
func (c *cursor) parse(b []byte) error {
	bad := errors.New("this is no cursor")
	if len(b) < copyBytes {
		return bad
	}
	c.Copy, b = hex.EncodeToString(b[:copyBytes]), b[copyBytes:]
	var numbers [5]uint64
	for i := range numbers {
		n, size := binary.Uvarint(b)
		if size <= 0 {
			return bad
		}
		numbers[i], b = n, b[size:]
	}
	if len(b) == 0 || b[0] > 1 || numbers[4] > math.MaxInt32 {
		return bad
	}
	c.Mark = fhir.Mark{Origin: numbers[0], Tx: numbers[1], Key: int64(numbers[2]), Version: int64(numbers[3])}
	c.Log, c.Done, c.Rights = int(numbers[4]), b[0] == 1, string(b[1:])
	return nil
}

// copyBytes is the length of what names a copy, which cursors hold in hexadecimal digits.
const copyBytes = 16

// goOn returns where a call goes on that has come as far as c, which is zero at first.
// restart says that the client has to begin anew, and drop whatever it has: it asks for
// something else than before, has other rights, or the database was restored to an earlier
// state.
func (f *Feed) goOn(ctx context.Context, v *view, c *cursor) (at cursor, restart bool, err error) {
	if c.Rights == v.rights {
		if err = f.Changes.Check(ctx, c.Mark); err == nil {
			v.kept, err = f.copy(ctx, c.Copy)
		}
		if err == nil {
			return *c, false, nil
		}
		if code := fhir.CodeOf(err); code != fhir.Gone && code != fhir.NotFound {
			return at, false, err
		}
	}
	at, err = f.begin(ctx, v)
	return at, true, err
}

// begin makes a new copy, which is empty.
func (f *Feed) begin(ctx context.Context, v *view) (cursor, error) {
	id := make([]byte, copyBytes)
	rand.Read(id) // never fails
	c := &copied{id: hex.EncodeToString(id), Mark: v.end, Bits: v.bits(), Members: v.members, Looked: f.Now().UnixMicro()}
	if err := f.firstRoots(ctx, v, c); err != nil {
		return cursor{}, err
	}
	if err := f.save(ctx, c, nil); err != nil {
		return cursor{}, err
	}
	return cursor{Copy: c.id, Rights: v.rights, Mark: v.end, Snapshot: &snapshot{}}, nil
}
