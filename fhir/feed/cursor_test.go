package feed

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir"
)

// FuzzCursor: whatever a cursor is read from, it says the same when it is written and read
// again; and nothing is a cursor that was not sealed here.
func FuzzCursor(f *testing.F) {
	mark := fhir.Mark{Origin: 1<<64 - 1, Tx: 7, Key: -3, Version: 1 << 40}
	copied := strings.Repeat("0a", copyBytes)
	for _, c := range []cursor{
		{Copy: copied, Rights: "abc", Mark: mark, Log: 3, Done: true},
		{Copy: copied},
		{Copy: strings.ToUpper(copied), Done: true},
		{Copy: "x", Mark: mark},
		{Copy: copied, Log: -1},
		{Copy: copied, Mark: mark, Snapshot: &snapshot{Type: "Patient", After: "a"}},
	} {
		plain, err := c.plain()
		if err != nil {
			f.Fatal(err)
		}
		asJSON, err := json.Marshal(c)
		if err != nil {
			f.Fatal(err)
		}
		for _, b := range [][]byte{plain, asJSON} {
			if got, err := readCursor(b); err != nil || !reflect.DeepEqual(*got, c) {
				f.Errorf("%+v is read as %+v: %v", c, got, err)
			}
			f.Add(b)
			f.Add(b[:len(b)/2])
		}
	}
	f.Add([]byte{shortCursor})
	f.Add(append([]byte{shortCursor}, bytes.Repeat([]byte{0xff}, 80)...))
	f.Add([]byte(`{"l":9223372036854775807,"s":{}}`))
	here, elsewhere := New(Config{Key: []byte("here")}), New(Config{Key: []byte("elsewhere")})
	f.Fuzz(func(t *testing.T, plain []byte) {
		if _, err := here.open(string(plain)); fhir.CodeOf(err) != fhir.Invalid {
			t.Errorf("%q, which nobody sealed, is taken: %v", plain, err)
		}
		if _, err := here.open(base64.RawURLEncoding.EncodeToString(plain)); fhir.CodeOf(err) != fhir.Invalid {
			t.Errorf("%x, which nobody sealed, is taken: %v", plain, err)
		}
		c, err := readCursor(plain)
		if err != nil {
			return
		}
		text, err := here.seal(c)
		if err != nil {
			t.Fatal(err)
		}
		again, err := here.open(text)
		if err != nil || !reflect.DeepEqual(again, c) {
			t.Errorf("%+v was read again as %+v: %v", c, again, err)
		}
		if _, err := elsewhere.open(text); fhir.CodeOf(err) != fhir.Invalid {
			t.Errorf("a cursor of another server is taken: %v", err)
		}
		raw := []byte(text)
		raw[len(plain)%(len(raw)-1)] ^= 2 // of the last letter, not all bits count
		if _, err := here.open(string(raw)); err == nil {
			t.Error("a cursor is taken of which a letter is another")
		}
	})
}
