package renapo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir/registry/identity"
)

// Simulator stands in for the registry where there is none: in demonstrations and tests. It
// knows the people that it was told of, and of any other CURP says only what its form says.
// Its answers are marked, and never count as a confirmation.
type Simulator struct {
	People []Answer         // what it answers, by CURP
	Down   bool             // it cannot be reached
	Delay  time.Duration    // before it answers
	Now    func() time.Time // nil is time.Now
}

// Simulated implements Registry.
func (s *Simulator) Simulated() bool { return true }

// Validate implements Registry.
func (s *Simulator) Validate(ctx context.Context, curp string) (*Answer, error) {
	if err := s.wait(ctx); err != nil {
		return nil, err
	}
	curp = strings.ToUpper(strings.TrimSpace(curp))
	i := slices.IndexFunc(s.People, func(a Answer) bool { return a.CURP == curp })
	if i >= 0 {
		a := s.People[i]
		a.Simulated = true
		return &a, nil
	}
	now := time.Now
	if s.Now != nil {
		now = s.Now
	}
	a := &Answer{CURP: curp, Status: NotFound, Simulated: true}
	if faults := identity.CheckCURP(curp, now()); len(faults) == 0 || len(faults) == 1 && faults[0] == identity.RudeWord {
		a.Status = InForce
	}
	return a, nil
}

// SearchByData implements Registry: it looks among the people that it was told of. It does
// not make a CURP out of data.
func (s *Simulator) SearchByData(ctx context.Context, p Person) ([]Answer, error) {
	if err := s.wait(ctx); err != nil {
		return nil, err
	}
	same := func(a, b string) bool {
		return b == "" || strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(b))
	}
	var all []Answer
	for _, a := range s.People {
		q := a.Person
		born := p.Born.IsZero() || q.Born.Format(time.DateOnly) == p.Born.Format(time.DateOnly)
		if born && same(q.Given, p.Given) && same(q.Father, p.Father) && same(q.Mother, p.Mother) && same(q.Sex, p.Sex) && same(q.Entity, p.Entity) {
			a.Simulated = true
			all = append(all, a)
		}
	}
	return all, nil
}

func (s *Simulator) wait(ctx context.Context) error {
	if s.Down {
		return fmt.Errorf("simulator: %w", ErrUnavailable)
	}
	if s.Delay == 0 {
		return nil
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(s.Delay):
		return nil
	}
}
