package rest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/chart"
	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/fhir/search"
)

// world is a server with a few wards of patients, and a caller who may see a
// random part of it. Every version of every resource carries a marker of its own,
// which must never come back when the resource is hidden.
type world struct {
	*server
	rand    *rand.Rand
	only    *search.Restriction // what the caller may see now
	wards   []string            // of patients, in order
	visible map[string]bool     // Type/id -> the caller may see it
	all     []string            // Type/id of everything
	next    int                 // for new markers
}

const patients = 8

// Check lets the caller do everything to what they may see.
func (w *world) Check(context.Context, *rest.Request) (rest.Decision, error) {
	return rest.Decision{Restriction: w.only, Principal: "caller"}, nil
}

// scopes runs f for random callers in worlds of their own.
func scopes(t *testing.T, f func(w *world)) { callers(t, 8, newStore, f) }

// scopesOn is scopes, with fewer callers, on the stores that open opens.
func scopesOn(t *testing.T, open func(testing.TB) rest.Store, f func(w *world)) {
	callers(t, 4, open, f)
}

func callers(t *testing.T, n uint64, open func(testing.TB) rest.Store, f func(w *world)) {
	for seed := range n {
		t.Run(fmt.Sprint("caller ", seed), func(t *testing.T) {
			w := &world{rand: rand.New(rand.NewPCG(seed, 1)), visible: map[string]bool{}, only: search.Unrestricted}
			store := open(t)
			w.server = serveOn(t, store, func(c *rest.Config) {
				c.Guard = w
				c.Operations = chart.Operations(store)
			})
			w.fill()
			w.confine()
			f(w)
		})
	}
}

// fill makes wards of patients with observations, in two versions each.
func (w *world) fill() {
	for i := range patients {
		w.wards = append(w.wards, string(rune('A'+w.rand.IntN(3))))
		w.all = append(w.all, fmt.Sprint("Patient/p", i), fmt.Sprint("Observation/o", i))
	}
	for range 2 {
		var entries []string
		for i := range patients {
			entries = append(entries,
				entry("", "PUT", fmt.Sprint("Patient/p", i), w.patient(i, w.wards[i]), ""),
				entry("", "PUT", fmt.Sprint("Observation/o", i), w.observation(i), ""))
		}
		w.want(200, w.do("POST", "/", bundleOf("transaction", entries...)))
	}
}

// marker returns a new text that tells which resource it comes from.
func (w *world) marker(ref string) string {
	w.next++
	return fmt.Sprintf("<%s:%d>", ref, w.next)
}

func (w *world) patient(i int, ward string) string {
	ref := fmt.Sprint("Patient/p", i)
	return fmt.Sprintf(`{"resourceType":"Patient","id":"p%d","identifier":[{"system":"http://ward","value":%q},{"system":"http://n","value":"%d"}],"name":[{"text":%q}]}`,
		i, ward, i, w.marker(ref))
}

func (w *world) observation(i int) string {
	ref := fmt.Sprint("Observation/o", i)
	return fmt.Sprintf(`{"resourceType":"Observation","id":"o%d","status":"final","code":{"text":%q},"subject":{"reference":"Patient/p%d"},"performer":[{"reference":"Patient/p%d"}]}`,
		i, w.marker(ref), i, (i+1)%patients)
}

// confine draws what the caller may see: some patients by id, or a ward by its
// identifier; and observations by id, all, or none.
func (w *world) confine() {
	only := &search.Restriction{Types: map[string][]search.Expr{}}
	if w.rand.IntN(2) == 0 {
		var ids []string
		for i := range patients {
			if w.rand.IntN(2) == 0 {
				ids = append(ids, fmt.Sprint("p", i))
				w.visible[fmt.Sprint("Patient/p", i)] = true
			}
		}
		only.Types["Patient"] = []search.Expr{search.IDs{Any: ids}}
	} else {
		ward := string(rune('A' + w.rand.IntN(3)))
		q, err := search.Parse("Patient", []search.Param{{Name: "identifier", Value: "http://ward|" + ward}}, search.Options{})
		if err != nil {
			w.t.Fatal(err)
		}
		only.Types["Patient"] = q.Where
		for i, is := range w.wards {
			w.visible[fmt.Sprint("Patient/p", i)] = is == ward
		}
	}
	switch w.rand.IntN(3) {
	case 0:
		only.Types["Observation"] = nil
		for i := range patients {
			w.visible[fmt.Sprint("Observation/o", i)] = true
		}
	case 1:
		i := w.rand.IntN(patients)
		only.Types["Observation"] = []search.Expr{search.IDs{Any: []string{fmt.Sprint("o", i)}}}
		w.visible[fmt.Sprint("Observation/o", i)] = true
	}
	w.only = only
}

// ask sends a request for the caller, and fails if anything hidden comes back.
func (w *world) ask(method, path, body string, headers ...string) *answer {
	w.t.Helper()
	a := w.do(method, path, body, headers...)
	w.sealed(method+" "+path, a)
	return a
}

func (w *world) sealed(what string, a *answer) {
	w.t.Helper()
	text := a.body + fmt.Sprint(a.header)
	text = strings.NewReplacer(`\u003c`, "<", `\u003e`, ">").Replace(text)
	for _, ref := range w.all {
		if !w.visible[ref] && strings.Contains(text, "<"+ref+":") {
			w.t.Errorf("%s: %s came back, which is hidden: %.500s", what, ref, text)
		}
	}
}

// truth returns the current version of everything, as someone who sees it all.
func (w *world) truth() map[string]string {
	w.t.Helper()
	now := map[string]string{}
	for _, ref := range w.all {
		r, _ := fhir.ParseRef(ref)
		res, err := w.store.Read(w.t.Context(), r)
		if err != nil {
			now[ref] = "code " + fmt.Sprint(fhir.CodeOf(err))
			continue
		}
		now[ref] = string(res.JSON)
	}
	return now
}

// untouched fails if anything hidden has changed since before.
func (w *world) untouched(before map[string]string) {
	w.t.Helper()
	for ref, now := range w.truth() {
		if !w.visible[ref] && now != before[ref] {
			w.t.Errorf("%s is hidden, and was changed to %.300s", ref, now)
		}
	}
}

// list returns the Type/id that a Bundle holds, of any mode, sorted.
func (w *world) list(a *answer) []string {
	w.t.Helper()
	var b struct {
		Entry []struct{ Resource json.RawMessage }
	}
	if err := json.Unmarshal([]byte(a.body), &b); err != nil {
		w.t.Fatal(err)
	}
	var refs []string
	for _, e := range b.Entry {
		var r struct{ ResourceType, ID string }
		_ = json.Unmarshal(e.Resource, &r)
		refs = append(refs, r.ResourceType+"/"+r.ID)
	}
	slices.Sort(refs)
	return refs
}

// expect lists, sorted, what is visible and of which f says that it matches.
func (w *world) expect(f func(typ string, i int) bool) []string {
	var refs []string
	for _, ref := range w.all {
		typ, id, _ := strings.Cut(ref, "/")
		if w.visible[ref] && f(typ, int(id[1]-'0')) {
			refs = append(refs, ref)
		}
	}
	slices.Sort(refs)
	return refs
}
