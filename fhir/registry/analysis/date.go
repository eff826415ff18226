package analysis

import (
	"time"
)

// cut returns a date, dateTime or instant as its year, month or week. What is less exact
// already stays. A week is the date of its Monday. The day counts where it was written:
// in the zone of the text. An instant has to be one, and is the first of what it is in.
func cut(b []byte, a act, instant bool) (string, bool) {
	if len(b) < 4 || !digits(b[:4]) {
		return "", false
	}
	text := string(b)
	switch {
	case a == onlyYear || len(b) == 4:
		return text[:4], true
	case len(b) < 7 || b[4] != '-' || !digits(b[5:7]):
		return "", false
	}
	out := text[:7]
	if a == onlyWeek && len(b) >= len(time.DateOnly) {
		at, err := time.Parse(time.DateOnly, text[:len(time.DateOnly)])
		if err != nil {
			return "", false
		}
		out = at.AddDate(0, 0, -(int(at.Weekday())+6)%7).Format(time.DateOnly)
	}
	if !instant {
		return out, true
	}
	if len(out) == 7 {
		out += "-01"
	}
	return out + "T00:00:00Z", true
}

func digits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// identifies reports whether a text has something in it that names a person or resource:
// a CURP or RFC of a person, a UUID, an address of mail.
func identifies(b []byte) bool {
	run, letters := 0, 0
	for i, c := range b {
		switch {
		case c == '@':
			return true
		case c >= '0' && c <= '9':
			run++
			// AAAA000000 begins a CURP and an RFC, whatever follows. A CLUES has five letters.
			if run == 6 && letters == 4 {
				return true
			}
			continue
		case c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z':
			if run > 0 {
				letters = 0
			}
			letters++
		default:
			letters = 0
			if c == '-' && i >= 8 && uuid(b[i-8:]) {
				return true
			}
		}
		run = 0
	}
	return false
}

// uuid reports whether b begins with a UUID.
func uuid(b []byte) bool {
	if len(b) < 36 {
		return false
	}
	for i, c := range b[:36] {
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F') {
				return false
			}
		}
	}
	return true
}
