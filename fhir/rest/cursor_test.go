package rest

import (
	"bytes"
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
)

func TestCursorBelongsToItsPlace(t *testing.T) {
	a := &API{sealer: newSealer(bytes.Repeat([]byte{7}, 32))}
	params := []search.Param{{Name: "name", Value: "Xochiquetzal"}, {Name: "_count", Value: "2"}}
	req := Request{Interaction: SearchType, Type: "Patient", principal: "ana"}
	sealed := a.sealCursor(&req, &turn{principal: "ana", params: params, end: "engine|cursor\x00"})
	if raw, _ := base64.RawURLEncoding.DecodeString(sealed); bytes.Contains(raw, []byte("Xochi")) {
		t.Error("the link shows what is searched for")
	}
	with := func(r Request, values ...string) *Request {
		r.Params = nil
		for _, v := range values {
			r.Params = append(r.Params, search.Param{Name: cursorParam, Value: v})
		}
		return &r
	}
	again := with(req, sealed)
	if err := a.resume(again); err != nil || again.end() != "engine|cursor\x00" || !slices.Equal(again.Params, params) {
		t.Fatalf("%q, %v, %v", again.end(), again.Params, err)
	}
	if err := again.checkTurn(); err != nil {
		t.Error(err)
	}
	if again.principal = "eva"; again.checkTurn() == nil {
		t.Error("the link of another caller was taken")
	}
	flip := []byte(sealed)
	flip[len(flip)-2] ^= 1
	more := with(req, sealed)
	more.Params = append(more.Params, search.Param{Name: "name", Value: "x"})
	bad := map[string]*Request{
		"tampered":      with(req, string(flip)),
		"no base64":     with(req, "!!!"),
		"short":         with(req, "AAAA"),
		"empty":         with(req, ""),
		"more":          more,
		"twice":         with(req, sealed, sealed),
		"other type":    with(Request{Interaction: SearchType, Type: "Observation"}, sealed),
		"other kind":    with(Request{Interaction: HistoryType, Type: "Patient"}, sealed),
		"other patient": with(Request{Interaction: SearchType, Type: "Patient", ID: "1"}, sealed),
	}
	for name, r := range bad {
		if err := a.resume(r); fhir.CodeOf(err) != fhir.Invalid {
			t.Errorf("%s: %v, %v", name, r.Params, err)
		}
	}
	other := &API{sealer: newSealer(bytes.Repeat([]byte{8}, 32))}
	if err := other.resume(with(req, sealed)); err == nil {
		t.Error("a cursor of another key was taken")
	}
}

// TestCursorsStayShort: a query of many values does not make a link that a server
// or a browser refuses.
func TestCursorsStayShort(t *testing.T) {
	a := &API{sealer: newSealer(bytes.Repeat([]byte{7}, 32))}
	var codes []string
	for i := range 1000 {
		codes = append(codes, "http://loinc.org|"+string(rune('0'+i%10))+strings.Repeat("7", i%5)+"-4")
	}
	sealed := a.sealCursor(&Request{}, &turn{params: []search.Param{{Name: "code", Value: strings.Join(codes, ",")}}})
	if len(sealed) > 4096 {
		t.Errorf("%d bytes", len(sealed))
	}
}
