package message

import "sync/atomic"

// counters count what became of messages.
type counters struct{ accepted, repeated, failed, rejected atomic.Int64 }

func (c *counters) add(u *unit) {
	switch {
	case u.answer.Again:
		c.repeated.Add(1)
	case u.verdict == Accept:
		c.accepted.Add(1)
	case u.verdict == Fail:
		c.failed.Add(1)
	default:
		c.rejected.Add(1)
	}
}

// Counts returns how many messages were written, were answered as before, failed and
// were rejected since the start.
func (p *Processor) Counts() (accepted, repeated, failed, rejected int64) {
	return p.count.accepted.Load(), p.count.repeated.Load(), p.count.failed.Load(), p.count.rejected.Load()
}
