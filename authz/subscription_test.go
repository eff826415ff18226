package authz_test

import (
	"context"
	"testing"

	"github.com/amate-health/amate/authz"
	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/subscription"
)

// subscriptionWays are the ways to ask for events. There are no Subscriptions in these
// worlds: what they are sent is proved where they are.
var subscriptionWays = []way{
	{route: "$status", method: "GET", path: "/Subscription/$status", act: "either"},
	{route: "$status", method: "GET", path: "/Subscription/{id}/$status", act: "either"},
	{route: "$events", method: "GET", path: "/Subscription/{id}/$events?content=full-resource", act: "either"},
	{route: "$get-ws-binding-token", method: "GET", path: "/Subscription/{id}/$get-ws-binding-token", act: "either"},
	{route: "$subscription-topics", method: "GET", path: "/$subscription-topics", act: "either"},
}

// subscribed is a store in which nothing is kept of Subscriptions.
type subscribed struct{ rest.Store }

func (subscribed) Entry(context.Context, string, string) (fhir.Entry, error) {
	return fhir.Entry{}, fhir.Errorf(fhir.NotFound, "none")
}

func (subscribed) Entries(context.Context, string, string, string, int) ([]fhir.Entry, error) {
	return nil, nil
}

func (subscribed) Put(context.Context, ...fhir.Entry) error { return nil }

func (subscribed) Remove(context.Context, string, string, int64) error { return nil }

// subscriptionOperations are the operations that subscriptionWays call.
func (w *world) subscriptionOperations() []operation.Operation {
	return subscription.New(w.t.Context(), subscription.Config{
		Store: subscribed{w.store}, Shown: w.store.Search, Topics: subscription.Topics(), Base: base, Key: make([]byte, 32),
	}).Operations()
}

// TestSubscriptionScopes: by the default policy, who may have Subscriptions sees those that
// they made, in the bounds of their token.
func TestSubscriptionScopes(t *testing.T) {
	guard := authz.NewGuard(authz.GuardConfig{Store: engines["sqlite"](t), Base: base})
	ours, others := ownedBy(t, "me"), ownedBy(t, "somebody")
	mine := &search.Subject{Ref: fhir.Ref{Type: "Subscription", ID: "a"}, Index: &ours}
	theirs := &search.Subject{Ref: fhir.Ref{Type: "Subscription", ID: "b"}, Index: &others}
	for _, c := range []struct {
		role, purpose, scope string
		create, read, all    bool
	}{
		{"clinician", "TREAT", "user/*.cruds", true, true, false},
		{"clinician", "TREAT", "user/*.rs", false, true, false},
		{"clinician", "TREAT", "user/Observation.cruds", false, false, false},
		{"clinician", "HRESCH", "user/*.cruds", false, false, false},
		{"clinic-system", "TREAT", "system/*.cruds", true, true, false},
		{"telehealth-app", "TREAT", "user/*.cruds", true, true, false},
		{"patient", "PATRQT", "patient/*.cruds", true, true, false},
		{"patient", "PATRQT", "patient/Subscription.cruds", true, true, false},
		{"system", "HOPERAT", "system/*.cruds", true, true, true},
		{"analyst", "HRESCH", "system/*.cruds", false, false, false},
		{"auditor", "HOPERAT", "user/*.cruds", false, false, false},
		{"statistician", "HOPERAT", "user/*.cruds", false, false, false},
	} {
		p := &authz.Principal{ID: "me", Roles: []string{c.role}, Purpose: c.purpose, Scopes: []string{c.scope}, Patient: "p1", User: fhir.Ref{Type: "Patient", ID: "p1"}}
		ctx := p.With(t.Context())
		name := c.role + " " + c.scope
		if _, err := guard.Check(ctx, &rest.Request{Interaction: rest.Create, Type: "Subscription"}); (err == nil) != c.create {
			t.Errorf("%s: create: %v", name, err)
		}
		d, err := guard.Check(ctx, &rest.Request{Interaction: rest.SearchType, Type: "Subscription"})
		if (err == nil) != c.read {
			t.Errorf("%s: search: %v", name, err)
		}
		if err != nil {
			continue
		}
		for _, one := range []struct {
			subject *search.Subject
			want    bool
		}{{mine, true}, {theirs, c.all}} {
			ok := d.Restriction.Open()
			if !ok {
				ok, err = search.Holds(search.And(d.Restriction.Types["Subscription"]), one.subject)
			}
			if err != nil || ok != one.want {
				t.Errorf("%s: sees %s %t, want %t (%v)", name, one.subject.Ref.ID, ok, one.want, err)
			}
		}
	}
}

// ownedBy is what a Subscription of somebody is found by.
func ownedBy(t *testing.T, principal string) search.Index {
	t.Helper()
	d, err := element.Parse([]byte(`{"resourceType":"Subscription","meta":{"tag":[{"system":"` + fhir.OwnerSystem + `","code":"` + fhir.OwnerCode(principal) + `"}]}}`))
	if err != nil {
		t.Fatal(err)
	}
	ix, err := search.Extract(d, 0, base)
	if err != nil {
		t.Fatal(err)
	}
	return ix
}
