package authz_test

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"slices"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/birth"
	"github.com/amate-health/amate/fhir/registry/birth/paper"
	"github.com/amate-health/amate/fhir/registry/birth/sinac"
	"github.com/amate-health/amate/fhir/registry/key"
)

// birthWays are the ways to certificates of birth: each is shown to whom its document is.
var birthWays = []way{
	{route: "$birth-find", method: "GET", path: "/$birth-find?from=2026-01-01&until=2027-01-01", act: "either", tells: certified},
	{route: "$birth-find", method: "GET", path: "/$birth-find?folio=FOLIO-n0", act: "either", tells: certified},
	{route: "$birth-find", method: "GET", path: "/$birth-find?folio=FOLIO-n1", act: "either", tells: certified},
	{route: "$birth-print", method: "GET", path: "/$birth-print?folio=FOLIO-n0", act: "either", tells: func(a *httptest.ResponseRecorder) []string { return rendered(a, "Composition/n0") }},
	{route: "$birth-print", method: "GET", path: "/$birth-print?folio=FOLIO-n1&_format=application/pdf", act: "either", tells: func(a *httptest.ResponseRecorder) []string { return rendered(a, "Composition/n1") }},
}

// ledger is a store with the certificates that rows say.
type ledger interface {
	birth.Store
	Apply(ctx context.Context, b *bundle.Batch) ([]bundle.Result, error)
}

// certify puts a certificate behind each Composition of the world.
func (w *world) certify() {
	store := w.store.(ledger)
	for _, ref := range w.order {
		o := w.all[ref]
		if typeOf(o) != "Composition" {
			continue
		}
		folio := "FOLIO-" + str(o, "id")
		c := birth.Certificate{
			Folio: folio, State: birth.Certified, Certified: time.Now(), Document: "none", Held: []fhir.Ref{{Type: "Composition", ID: str(o, "id")}},
			Mother: birth.Person{Ref: fhir.Ref{Type: "Patient", ID: "p1"}}, Newborn: birth.Person{Born: "2026-02-03", Ref: fhir.Ref{Type: "Patient", ID: "p2"}},
			Certifier: birth.Official{Facility: clues(0)},
		}
		value, err := json.Marshal(&c)
		if err != nil {
			w.t.Fatal(err)
		}
		row := fhir.Birth{
			Folio: folio, State: string(c.State), Facility: clues(0), Born: "2026-02-03", Certified: c.Certified, Row: make([]string, sinac.Columns), Value: value,
			Event: fhir.BirthEvent{Kind: "certified", At: c.Certified},
		}
		if _, err := store.Apply(context.Background(), &bundle.Batch{Births: []fhir.Birth{row}}); err != nil {
			w.t.Fatal(err)
		}
	}
}

// birthOperations are the operations that birthWays call.
func (w *world) birthOperations() []operation.Operation {
	store := w.store.(ledger)
	printing := paper.Operations(paper.Config{Store: store, Ledger: birth.Book{Rows: store}, Ring: &key.Ring{}, Page: func(string, string) string { return "" }})
	return append(birth.Operations(birth.Config{Store: store, Maker: func(base string) bundle.Maker { return bundle.Maker{Base: base} }}), printing...)
}

// certified returns the Compositions of the certificates that an answer tells of.
func certified(a *httptest.ResponseRecorder) (refs []string) {
	type parameter struct {
		Name  string
		Value string `json:"valueString"`
		Part  []struct {
			Name  string
			Value string `json:"valueString"`
		}
	}
	var answer struct{ Parameter []parameter }
	if a.Code != 200 || json.Unmarshal(a.Body.Bytes(), &answer) != nil {
		return nil
	}
	add := func(name, value string) {
		if id, ok := strings.CutPrefix(value, "FOLIO-"); ok && name == "folio" && !slices.Contains(refs, "Composition/"+id) {
			refs = append(refs, "Composition/"+id)
		}
	}
	for _, p := range answer.Parameter {
		add(p.Name, p.Value)
		for _, one := range p.Part {
			add(one.Name, one.Value)
		}
	}
	return refs
}
