package schedule

// Shelf holds the versions of one schedule, the newest last.
type Shelf []*Schedule

// On returns the newest version that holds on a day, nil when none does.
func (s Shelf) On(day Date) *Schedule {
	for i := len(s) - 1; i >= 0; i-- {
		if day >= s[i].From && (s[i].To.IsZero() || day <= s[i].To) {
			return s[i]
		}
	}
	return nil
}
