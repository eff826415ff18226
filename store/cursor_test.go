package store

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/store/query"
)

func sealer(t *testing.T, seed byte) *Sealer {
	t.Helper()
	s, err := NewSealer(bytes.Repeat([]byte{seed}, CursorKeySize))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestCursor(t *testing.T) {
	s := sealer(t, 1)
	p := &query.Position{Keys: []any{"Garcia", int64(5), nil}, Rkey: 7}
	cursor := s.seal(p, "search Patient")
	back, err := s.open(cursor, "search Patient")
	if err != nil || !reflect.DeepEqual(back, p) {
		t.Errorf("%+v comes back as %+v, %v", p, back, err)
	}
	if same := s.seal(p, "search Patient"); same == cursor {
		t.Error("equal places have equal cursors, so that they can be told from one another")
	}
	if first, err := s.open("", "search Patient"); first != nil || err != nil {
		t.Errorf("no cursor: %v, %v", first, err)
	}
	other := sealer(t, 2)
	for name, open := range map[string]func() (*query.Position, error){
		"another purpose": func() (*query.Position, error) { return s.open(cursor, "search Observation") },
		"another key":     func() (*query.Position, error) { return other.open(cursor, "search Patient") },
		"cut":             func() (*query.Position, error) { return s.open(cursor[:len(cursor)-1], "search Patient") },
		"not base64":      func() (*query.Position, error) { return s.open("!"+cursor, "search Patient") },
		"too long":        func() (*query.Position, error) { return s.open(strings.Repeat(cursor, 1000), "search Patient") },
		"short":           func() (*query.Position, error) { return s.open("AQ", "search Patient") },
	} {
		if p, err := open(); p != nil || fhir.CodeOf(err) != fhir.Invalid {
			t.Errorf("%s: %v, %v", name, p, err)
		}
	}
	if _, err := NewSealer([]byte("short")); err == nil {
		t.Error("a short key is taken")
	}
}

func FuzzOpenCursor(f *testing.F) {
	s, err := NewSealer(make([]byte, CursorKeySize))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(s.seal(&query.Position{Rkey: 1}, "x"))
	f.Add("")
	f.Add("AQAAAAAAAAAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, cursor string) {
		if p, err := s.open(cursor, "y"); cursor != "" && err == nil {
			t.Errorf("%q opens as %+v", cursor, p)
		}
	})
}
