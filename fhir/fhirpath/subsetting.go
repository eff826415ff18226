package fhirpath

// See https://hl7.org/fhirpath/N1/#subsetting and https://hl7.org/fhirpath/N1/#combining.
var subsetting = map[string]function{
	"single":    plain(singleItem),
	"first":     plain(func(_ *run, in Collection) (Collection, error) { return in[:min(1, len(in))], nil }),
	"last":      plain(func(_ *run, in Collection) (Collection, error) { return in[max(0, len(in)-1):], nil }),
	"tail":      plain(func(_ *run, in Collection) (Collection, error) { return in[min(1, len(in)):], nil }),
	"skip":      withCollection(skip),
	"take":      withCollection(take),
	"intersect": withCollection(intersect),
	"exclude":   withCollection(exclude),
	"union":     withCollection(union),
	"combine":   withCollection(combine),
}

func singleItem(_ *run, in Collection) (Collection, error) {
	if len(in) > 1 {
		return nil, failure("single() found %d items", len(in))
	}
	return in, nil
}

func skip(_ *run, in, arg Collection) (Collection, error) {
	n, ok, err := integer(arg)
	if !ok {
		return nil, err
	}
	return in[max(0, min(n, int64(len(in)))):], nil
}

func take(_ *run, in, arg Collection) (Collection, error) {
	n, ok, err := integer(arg)
	if !ok {
		return nil, err
	}
	return in[:max(0, min(n, int64(len(in))))], nil
}

func intersect(r *run, in, arg Collection) (Collection, error) {
	var out Collection
	for _, i := range in {
		found, err := has(r, arg, i)
		if err != nil {
			return nil, err
		}
		if found {
			out = append(out, i)
		}
	}
	return distinct(r, nil, out)
}

func exclude(r *run, in, arg Collection) (Collection, error) {
	var out Collection
	for _, i := range in {
		found, err := has(r, arg, i)
		if err != nil {
			return nil, err
		}
		if !found {
			out = append(out, i)
		}
	}
	return out, nil
}

func combine(r *run, in, arg Collection) (Collection, error) {
	return append(in[:len(in):len(in)], arg...), r.step(len(in) + len(arg))
}
