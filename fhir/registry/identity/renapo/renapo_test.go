package renapo

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/identity/check"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store/sqlite"
)

// registry answers one thing, as the real one would.
type registry struct {
	answer *Answer
	err    error
	hangs  bool
	asked  []string
}

func (*registry) Simulated() bool { return false }

func (r *registry) Validate(ctx context.Context, curp string) (*Answer, error) {
	r.asked = append(r.asked, curp)
	if r.hangs {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return r.answer, r.err
}

func (r *registry) SearchByData(context.Context, Person) ([]Answer, error) { return nil, nil }

// held is a store whose writes pass the hold of this server.
type held struct{ *sqlite.Store }

func (h held) Apply(ctx context.Context, b *bundle.Batch) ([]bundle.Result, error) {
	out := *b
	out.Holds = []bundle.Hold{check.Hold()}
	return h.Store.Apply(ctx, &out)
}

const (
	juan  = "PEGJ900512HJCRRS04"
	other = "BEML920313HCMLNS09"
)

func put(t *testing.T, h held, json string) error {
	t.Helper()
	src, err := bundle.Parse([]byte(json))
	if err != nil {
		t.Fatal(err)
	}
	c, err := bundle.Maker{}.Update(src, fhir.Ref{Type: "Patient", ID: src.ID()}, false)
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.Apply(t.Context(), &bundle.Batch{Changes: []bundle.Change{c}})
	return err
}

func read(t *testing.T, h held) string {
	t.Helper()
	r, err := h.Read(t.Context(), fhir.Ref{Type: "Patient", ID: "a"})
	if err != nil {
		t.Fatal(err)
	}
	return string(r.JSON)
}

// TestVerify: what the registry says decides what is noted, and nothing is noted when it
// says nothing.
func TestVerify(t *testing.T) {
	born := time.Date(1990, 5, 12, 0, 0, 0, 0, time.UTC)
	person := Person{Father: "PÉREZ", Born: born, Sex: "H"}
	for name, c := range map[string]struct {
		r       registry
		code    fhir.Code
		has     []string
		hasNot  []string
		changed bool
	}{
		"in force":         {registry{answer: &Answer{CURP: juan, Status: InForce, Person: person}}, 0, []string{"renapo-verified"}, []string{`"old"`}, true},
		"with history":     {registry{answer: &Answer{CURP: juan, Status: InForce, Person: person, Historical: []string{other}}}, 0, []string{`"use":"old"`, other, "renapo-verified"}, nil, true},
		"replaced":         {registry{answer: &Answer{CURP: juan, Status: Replaced, Current: other, Person: person}}, 0, []string{`"use":"official","system":"urn:oid:2.16.840.1.113883.4.629","value":"` + other, `"end":"`}, nil, true},
		"replaced by what": {registry{answer: &Answer{CURP: juan, Status: Replaced, Current: "NO", Person: person}}, 0, []string{`"unverified"`}, []string{"renapo-verified", `"NO"`}, true},
		"somebody else":    {registry{answer: &Answer{CURP: juan, Status: InForce, Person: Person{Father: "LOPEZ", Born: born, Sex: "H"}}}, 0, []string{"demographics-consistent"}, []string{"renapo-verified"}, true},
		"born otherwise":   {registry{answer: &Answer{CURP: juan, Status: InForce, Person: Person{Born: born.AddDate(1, 0, 0)}}}, 0, nil, []string{"renapo-verified"}, true},
		"not found":        {registry{answer: &Answer{CURP: juan, Status: NotFound}}, 0, []string{`"unverified"`}, []string{"renapo-verified"}, true},
		"simulated answer": {registry{answer: &Answer{CURP: juan, Status: InForce, Person: person, Simulated: true}}, 0, nil, []string{"renapo-verified"}, true},
		"unavailable":      {registry{err: errors.Join(ErrUnavailable, errors.New(juan))}, fhir.Unavailable, nil, []string{"verification"}, false},
		"says nothing":     {registry{}, fhir.Unavailable, nil, []string{"verification"}, false},
		"hangs":            {registry{hangs: true}, fhir.Unavailable, nil, []string{"verification"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "r.db"), sqlite.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			h := held{s}
			if err := put(t, h, `{"resourceType":"Patient","id":"a","identifier":[{"system":"urn:oid:2.16.840.1.113883.4.629","value":"`+juan+`"}],"name":[{"family":"Pérez García","given":["Jesús"]}],"birthDate":"1990-05-12","gender":"male"}`); err != nil {
				t.Fatal(err)
			}
			verify := Operations(Config{Store: h, Maker: func(string) bundle.Maker { return bundle.Maker{} }, Registry: &c.r, Timeout: 50 * time.Millisecond})[0]
			_, err = verify.Run(t.Context(), &operation.Call{Type: "Patient", ID: "a", In: operation.NewInputs(nil, nil), Restriction: search.Unrestricted})
			if fhir.CodeOf(err) != c.code || err != nil && strings.Contains(err.Error(), juan) {
				t.Fatalf("%v", err)
			}
			got := read(t, h)
			for _, text := range c.has {
				if !strings.Contains(got, text) {
					t.Errorf("%s is missing: %s", text, got)
				}
			}
			for _, text := range c.hasNot {
				if strings.Contains(got, text) {
					t.Errorf("%s is there: %s", text, got)
				}
			}
			if changed := strings.Contains(got, `"versionId":"2"`); changed != c.changed || len(c.r.asked) != 1 {
				t.Errorf("changed: %v, asked %v", changed, c.r.asked)
			}
			if err := put(t, h, strings.Replace(got, `"gender"`, `"language":"es","gender"`, 1)); err != nil { // what the server said may be kept
				t.Error(err)
			}
			if strings.Contains(got, "renapo-verified") && put(t, h, strings.ReplaceAll(got, juan, "SABC560626MDFLRN01")) == nil {
				t.Error("the confirmation was taken to another CURP")
			}
		})
	}
}

// TestSimulator: it makes nothing up, and marks what it says.
func TestSimulator(t *testing.T) {
	s := &Simulator{People: []Answer{{CURP: other, Status: Cancelled, Person: Person{Given: "Luis"}}}}
	for curp, want := range map[string]Status{juan: InForce, other: Cancelled, "PEGJ900512HJCRRS05": NotFound, "": NotFound} {
		a, err := s.Validate(t.Context(), curp)
		if err != nil || a.Status != want || !a.Simulated || a.CURP != curp {
			t.Errorf("%s: %+v, %v", curp, a, err)
		}
	}
	if found, err := s.SearchByData(t.Context(), Person{Given: "Ana"}); err != nil || len(found) != 0 {
		t.Errorf("it made somebody up: %v, %v", found, err)
	}
	if found, err := s.SearchByData(t.Context(), Person{Given: "LUIS"}); err != nil || len(found) != 1 || !found[0].Simulated {
		t.Errorf("%v, %v", found, err)
	}
	s.Down = true
	if _, err := s.Validate(t.Context(), juan); !errors.Is(err, ErrUnavailable) {
		t.Error(err)
	}
}
