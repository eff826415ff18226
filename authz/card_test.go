package authz_test

import (
	"context"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/card"
	"github.com/amate-health/amate/fhir/registry/card/link"
	"github.com/amate-health/amate/fhir/registry/key"
)

// cardWays are the ways to what a person can show of their vaccinations. There are none in
// these worlds: what they tell is who the person is.
var cardWays = []way{
	{route: "$health-cards-issue", method: "POST", path: "/Patient/p1/$health-cards-issue?credentialType=Immunization", act: "either", tells: about("p1")},
	{route: "$cartilla", method: "GET", path: "/Patient/p1/$cartilla?_format=text/html", act: "either", tells: about("p1")},
	{route: "$cartilla", method: "GET", path: "/Patient/p2/$cartilla?smart=true", act: "either", tells: about("p2")},
	{route: "$ddcc", method: "GET", path: "/Patient/p1/$ddcc", act: "either", tells: about("p1")},
	{route: "$health-cards-revoke", method: "POST", path: "/Patient/p2/$health-cards-revoke", act: "either", tells: about("p2")},
	{route: "$health-link", method: "POST", path: "/Patient/p1/$health-link?content=summary", act: "either", tells: about("p1")},
	{route: "$health-links", method: "GET", path: "/Patient/p1/$health-links", act: "either", tells: about("p1")},
	{route: "$health-link-revoke", method: "POST", path: "/Patient/p1/$health-link-revoke?id=x", act: "either", tells: about("p1")},
}

// about returns the Patient that an answer is about, unless it is that there is none. 422
// says that there are no vaccinations, which only who sees the Patient may be told.
func about(id string) func(*httptest.ResponseRecorder) []string {
	return func(a *httptest.ResponseRecorder) []string {
		if a.Code == 200 || a.Code == 422 {
			return []string{"Patient/" + id}
		}
		return shown(a)
	}
}

// pocket keeps what cards leave behind.
type pocket struct {
	mu  sync.Mutex
	all map[string]fhir.Entry
}

func (p *pocket) Entry(_ context.Context, kind, key string) (fhir.Entry, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e, ok := p.all[kind+" "+key]; ok {
		return e, nil
	}
	return fhir.Entry{}, fhir.Errorf(fhir.NotFound, "none")
}

func (p *pocket) Entries(_ context.Context, kind, group, after string, _ int) (found []fhir.Entry, _ error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.all {
		if e.Kind == kind && (group == "" || e.Group == group) && e.Key > after {
			found = append(found, e)
		}
	}
	slices.SortFunc(found, func(a, b fhir.Entry) int { return strings.Compare(a.Key, b.Key) })
	return found, nil
}

func (p *pocket) Put(_ context.Context, entries ...fhir.Entry) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range entries {
		if p.all[e.Kind+" "+e.Key].Version != e.Version {
			return fhir.Errorf(fhir.Conflict, "another version")
		}
	}
	for _, e := range entries {
		e.Version++
		p.all[e.Kind+" "+e.Key] = e
	}
	return nil
}

func (p *pocket) Remove(_ context.Context, kind, key string, _ int64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.all, kind+" "+key)
	return nil
}

// cardOperations are the operations that cardWays call.
func (w *world) cardOperations() []operation.Operation {
	state := &pocket{all: map[string]fhir.Entry{}}
	secret := []byte("a secret")
	return card.Operations(card.Config{
		Store:  w.store,
		Ledger: &card.Ledger{State: state, Store: w.store, Ring: &key.Ring{State: state, Kind: card.KeyKind}, Secret: secret, URL: "https://h/cards", Now: time.Now},
		Links:  &link.Service{State: state, Secret: secret, URL: "https://h/cards/links", Now: time.Now},
		Page:   func(token string) string { return "https://h/verify/" + token },
		Summary: func(context.Context, *operation.Call) (*operation.Answer, error) {
			return &operation.Answer{JSON: []byte(`{"resourceType":"Bundle"}`)}, nil
		},
	})
}

// TestCardsRestricted: cards, papers and links are made for who sees the Patient, and for
// nobody else; who sees them only in part gets none.
func TestCardsRestricted(t *testing.T) {
	made, refused := 0, 0
	for _, engine := range []string{"sqlite", "postgres"} {
		w := newWorld(t, 7, engines[engine])
		for range 25 {
			acts := []string{"read", "$health-cards-issue", "$cartilla", "$ddcc", "$health-cards-revoke", "$health-link", "$health-links", "$health-link-revoke"}
			w.also = []rule{{types: []string{"Patient", "Immunization"}, acts: acts, restriction: one(w, "all", "own-compartment", "own-compartment", "own-unit", "own-jurisdiction", "self")}}
			w.policy()
			p := w.caller()
			p.Scopes = append(p.Scopes, one(w, "system/*.cruds", "patient/*.cruds", "user/*.cruds", "patient/*.rs"))
			w.asking = p
			for _, way := range cardWays {
				tells := way.tells
				way.tells = func(a *httptest.ResponseRecorder) []string {
					if a.Code == 200 {
						made++
					} else if a.Code == 403 || a.Code == 404 {
						refused++
					}
					return tells(a)
				}
				w.proveWay(p, &way, w.all[w.order[0]])
			}
			if t.Failed() {
				return
			}
		}
	}
	if made < 10 || refused < 10 {
		t.Errorf("%d answers and %d refusals, which proves nothing", made, refused)
	}
}
