package fhirpath

import "time"

// See https://hl7.org/fhirpath/N1/#tree-navigation and https://hl7.org/fhirpath/N1/#current-date-and-time-functions.
var navigation = map[string]function{
	"children":    plain(childrenOf),
	"descendants": plain(descendantsOf),
	"now": plain(func(r *run, _ Collection) (Collection, error) {
		return values(Temporal{kind: "DateTime", precision: Second, at: r.time().Truncate(time.Millisecond), zoned: true, digits: 3}), nil
	}),
	"today": plain(func(r *run, _ Collection) (Collection, error) {
		return values(Temporal{kind: "Date", precision: Day, at: r.time()}), nil
	}),
	"timeOfDay": plain(func(r *run, _ Collection) (Collection, error) {
		t := r.time().Truncate(time.Millisecond)
		at := time.Date(1, 1, 1, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
		return values(Temporal{kind: "Time", precision: Second, at: at, digits: 3}), nil
	}),
}

func childrenOf(r *run, in Collection) (Collection, error) {
	var out Collection
	var err error
	for _, i := range in {
		if out, err = r.children(out, i); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// descendantsOf goes by generations: all children, then all of theirs, and so on.
func descendantsOf(r *run, in Collection) (Collection, error) {
	out, err := childrenOf(r, in)
	for at := 0; err == nil && at < len(out); at++ {
		out, err = r.children(out, out[at])
	}
	return out, err
}
