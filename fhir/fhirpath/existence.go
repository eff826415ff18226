package fhirpath

// See https://hl7.org/fhirpath/N1/#existence.
var existence = map[string]function{
	"empty":      plain(func(_ *run, in Collection) (Collection, error) { return truths(len(in) == 0), nil }),
	"exists":     {max: 1, eval: exists},
	"all":        {min: 1, max: 1, eval: all},
	"allTrue":    plain(every(true)),
	"allFalse":   plain(every(false)),
	"anyTrue":    plain(some(true)),
	"anyFalse":   plain(some(false)),
	"subsetOf":   withCollection(func(r *run, in, arg Collection) (Collection, error) { return within(r, in, arg) }),
	"supersetOf": withCollection(func(r *run, in, arg Collection) (Collection, error) { return within(r, arg, in) }),
	"count":      plain(func(_ *run, in Collection) (Collection, error) { return values(Integer(len(in))), nil }),
	"distinct":   plain(func(r *run, in Collection) (Collection, error) { return distinct(r, nil, in) }),
	"isDistinct": plain(isDistinct),
	"not":        plain(not),
}

func exists(r *run, s scope, in Collection, args []node) (Collection, error) {
	if len(args) == 0 {
		return truths(len(in) > 0), nil
	}
	found := false
	err := eachItem(r, s, in, args[0], func(_ int, out Collection) (bool, error) {
		l, err := truth(out)
		found = l == yes
		return !found, err
	})
	return truths(found), err
}

func all(r *run, s scope, in Collection, args []node) (Collection, error) {
	holds := true
	err := eachItem(r, s, in, args[0], func(_ int, out Collection) (bool, error) {
		l, err := truth(out)
		holds = l == yes
		return holds, err
	})
	return truths(holds), err
}

// every makes allTrue and allFalse.
func every(want bool) func(*run, Collection) (Collection, error) {
	return func(_ *run, in Collection) (Collection, error) {
		holds := true
		for _, i := range in {
			b, ok := i.System().(Boolean)
			if !ok {
				return nil, failure("expected Booleans only")
			}
			holds = holds && bool(b) == want
		}
		return truths(holds), nil
	}
}

// some makes anyTrue and anyFalse.
func some(want bool) func(*run, Collection) (Collection, error) {
	return func(_ *run, in Collection) (Collection, error) {
		found := false
		for _, i := range in {
			b, ok := i.System().(Boolean)
			if !ok {
				return nil, failure("expected Booleans only")
			}
			found = found || bool(b) == want
		}
		return truths(found), nil
	}
}

// within reports whether all items of a are among those of b.
func within(r *run, a, b Collection) (Collection, error) {
	for _, i := range a {
		found, err := has(r, b, i)
		if err != nil || !found {
			return truths(false), err
		}
	}
	return truths(true), nil
}

func isDistinct(r *run, in Collection) (Collection, error) {
	out, err := distinct(r, nil, in)
	return truths(len(out) == len(in)), err
}

func not(_ *run, in Collection) (Collection, error) {
	l, err := truth(in)
	switch l {
	case yes:
		l = no
	case no:
		l = yes
	}
	return l.collection(), err
}
