package rights

import (
	"fmt"
	"time"
)

// Regime is how long one of the laws gives to whoever keeps the record, in business days.
type Regime struct {
	Name             string // "public", "private"
	Answer           int    // to say whether the request is granted, from when it came
	AnswerExtension  int    // by which that may be put off, once
	Execute          int    // to do what was granted, from when the answer was given
	ExecuteExtension int    // by which that may be put off, once; 0 for never
}

// The regimes. The law on the public sector allows the answer ten days more; that on
// the private one extends both periods by as much again.
var (
	Public  = Regime{Name: "public", Answer: 20, AnswerExtension: 10, Execute: 15}
	Private = Regime{Name: "private", Answer: 20, AnswerExtension: 20, Execute: 15, ExecuteExtension: 15}
)

// RegimeOf returns the regime called name. An operator whom another law binds takes the
// nearest one and changes its periods.
func RegimeOf(name string) (Regime, error) {
	for _, r := range []Regime{Public, Private} {
		if r.Name == name {
			return r, nil
		}
	}
	return Regime{}, fmt.Errorf("%q is no regime: public or private", name)
}

// Check reports periods that cannot be.
func (r *Regime) Check() error {
	if r.Answer < 1 || r.Execute < 1 || r.AnswerExtension < 0 || r.ExecuteExtension < 0 {
		return fmt.Errorf("periods of regime %s: at least one business day to answer and to execute", r.Name)
	}
	return nil
}

// term returns the deadline of a request in a state, given when it came and when it was
// granted; zero for a state in which nothing is owed.
func (r *Regime) term(c *Calendar, s State, came, granted time.Time) time.Time {
	switch s {
	case Received:
		return c.Add(came, r.Answer)
	case Extended:
		return c.Add(came, r.Answer+r.AnswerExtension)
	case Granted:
		return c.Add(granted, r.Execute)
	case Delayed:
		return c.Add(granted, r.Execute+r.ExecuteExtension)
	}
	return time.Time{}
}
