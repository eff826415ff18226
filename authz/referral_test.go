package authz_test

import (
	"context"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/referral"
	"github.com/amate-health/amate/fhir/rest"
)

// referralWays are the ways to refer, which tell that somebody has a record; nobody in
// these worlds is referred.
var referralWays = []way{
	{route: "$refer", method: "POST", path: "/Patient/p1/$refer", body: referred, act: "either", tells: about("p1")},
	{route: "$refer", method: "POST", path: "/Patient/p2/$refer", body: referred, act: "either", tells: about("p2")},
	{route: "$refer", method: "POST", path: "/Encounter/{id}/$refer", body: referred, act: "either"},
	{route: "$accept-referral", method: "POST", path: "/Task/{id}/$accept-referral", act: "either"},
	{route: "$reject-referral", method: "POST", path: "/Task/{id}/$reject-referral?reason=prueba", act: "either"},
	{route: "$schedule-referral", method: "POST", path: "/Task/{id}/$schedule-referral?appointment=a1", act: "either"},
	{route: "$answer-referral", method: "POST", path: "/Task/{id}/$answer-referral?summary=a&recommendations=b", act: "either"},
	{route: "$cancel-referral", method: "POST", path: "/Task/{id}/$cancel-referral?reason=prueba", act: "either"},
	{route: "$referrals", method: "GET", path: "/Task/$referrals?state=all", act: "either"},
}

const referred = `{"resourceType":"Parameters","parameter":[{"name":"clues","valueString":"XXXXX000000"},{"name":"reason","valueString":"prueba"}]}`

// workdays are all days.
type workdays struct{}

func (workdays) Add(day time.Time, n int) time.Time { return day.AddDate(0, 0, n) }

// sending is a store in which nobody was referred.
type sending struct{ rest.Store }

func (sending) Entry(context.Context, string, string) (fhir.Entry, error) {
	return fhir.Entry{}, fhir.Errorf(fhir.NotFound, "none")
}

func (sending) Entries(context.Context, string, string, string, int) ([]fhir.Entry, error) {
	return nil, nil
}

func (sending) Remove(context.Context, string, string, int64) error { return nil }

// referralOperations are the operations that referralWays call.
func (w *world) referralOperations() []operation.Operation {
	return referral.Operations(referral.Config{Store: sending{w.store}, Maker: func(base string) bundle.Maker { return bundle.Maker{Base: base} }, Calendar: workdays{}})
}

// TestReferralsRestricted: nobody learns by referring what they may not see.
func TestReferralsRestricted(t *testing.T) {
	told, refused := 0, 0
	for _, engine := range []string{"sqlite", "postgres"} {
		w := newWorld(t, 11, engines[engine])
		for range 25 {
			acts := []string{"read"}
			for _, op := range w.referralOperations() {
				acts = append(acts, "$"+op.Name)
			}
			w.also = []rule{{types: []string{"Patient", "Encounter", "Task"}, acts: acts, restriction: one(w, "all", "all", "all", "own-compartment", "own-unit", "own-jurisdiction", "self")}}
			w.policy()
			p := w.caller()
			p.Scopes = append(p.Scopes, one(w, "system/*.cruds", "patient/*.cruds", "user/*.cruds", "patient/*.rs"))
			w.asking = p
			w.proveAll(p, referralWays, &told, &refused)
			if t.Failed() {
				return
			}
		}
	}
	if told < 5 || refused < 10 {
		t.Errorf("%d answers and %d refusals, which proves nothing", told, refused)
	}
}
