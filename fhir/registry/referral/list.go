package referral

import (
	"context"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
)

// pageOf is how many referrals a page has.
const pageOf = 50

// list answers Task/$referrals: the referrals that the caller's establishment received or
// sent, in pages, what was changed last first.
//
// Parameters: direction, received (the default) or sent; state, one of States, or open (the
// default), overdue, closed, all; patient; clues, where there is no access control.
func (s *service) list(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := call.Only("direction", "state", "patient", "clues"); err != nil {
		return nil, err
	}
	ask := map[string]string{}
	self := []search.Param{}
	for _, name := range []string{"direction", "state", "clues", "_count"} {
		v, err := call.In.Text(name)
		if err != nil {
			return nil, err
		}
		if ask[name] = v; v != "" {
			self = append(self, search.Param{Name: name, Value: v})
		}
	}
	home, err := s.home(ctx, call, ask["clues"])
	if err != nil {
		return nil, err
	}
	params := []search.Param{{Name: "code", Value: System + "|" + codeReferral}, {Name: "_sort", Value: "-_lastUpdated"}}
	switch ask["direction"] {
	case "", "received":
		params = append(params, search.Param{Name: "owner", Value: home.ref.String()})
	case "sent":
		params = append(params, search.Param{Name: "requester", Value: home.ref.String()})
	default:
		return nil, fhir.Errorf(fhir.Invalid, "the parameter direction is received or sent").With("it is %.40q", ask["direction"])
	}
	codes, err := statesOf(ask["state"])
	if err != nil {
		return nil, err
	}
	if codes != "" {
		params = append(params, search.Param{Name: "business-status", Value: codes})
	}
	patient, err := call.Reference("patient", "Patient")
	if err != nil {
		return nil, err
	}
	if patient.ID != "" {
		params = append(params, search.Param{Name: "patient", Value: patient.String()})
		self = append(self, search.Param{Name: "patient", Value: patient.String()})
	}
	if ask["_count"] != "" {
		params = append(params, search.Param{Name: "_count", Value: ask["_count"]})
	}
	most := call.MaxCount
	if most <= 0 {
		most = 500
	}
	q, err := search.Parse("Task", params, search.Options{Base: call.Base, DefaultCount: min(pageOf, most), MaxCount: most})
	if err != nil {
		return nil, err
	}
	q.Restriction, q.After, q.Bytes = call.Restriction, call.Cursor, call.MaxBytes
	found, err := s.Store.Search(ctx, q)
	if err != nil {
		return nil, err
	}
	return &operation.Answer{Set: &operation.Set{Result: *found, Self: self}}, nil
}

// home is the establishment that the caller acts for. Without access control, clues says it.
func (s *service) home(ctx context.Context, call *operation.Call, clues string) (*place, error) {
	if call.Caller.Roles != nil {
		if call.Caller.Org == "" {
			return nil, mine(call, &place{}, "")
		}
		if clues != "" && !strings.EqualFold(clues, call.Caller.Org) {
			return nil, fhir.Errorf(fhir.Forbidden, "you act for another establishment: leave out the parameter clues")
		}
		clues = call.Caller.Org
	}
	if clues == "" {
		return nil, fhir.Errorf(fhir.Invalid, "the parameter clues says of which establishment")
	}
	p, err := s.placeBy(ctx, search.Unrestricted, clues)
	if err == nil && p == nil {
		err = fhir.Errorf(fhir.Unprocessable, "no active Organization has the CLUES of the establishment").With("%.40q", clues)
	}
	return p, err
}

// statesOf returns the search for states; "" for all.
func statesOf(asked string) (string, error) {
	var codes []string
	add := func(pick func(State) bool) {
		for _, s := range States() {
			if pick(s) {
				codes = append(codes, StateSystem+"|"+string(s))
			}
		}
	}
	switch {
	case asked == "" || asked == "open":
		add(State.Open)
	case asked == "closed":
		add(func(s State) bool { return !s.Open() })
	case asked == "all":
	case asked == overdue:
		codes = []string{StateSystem + "|" + overdue}
	case slices.Contains(States(), State(asked)):
		codes = []string{StateSystem + "|" + asked}
	default:
		return "", fhir.Errorf(fhir.Invalid, "the parameter state is open, overdue, closed, all, or one of %v", States()).With("it is %.40q", asked)
	}
	return strings.Join(codes, ","), nil
}
