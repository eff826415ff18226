package fhirpath

// See https://hl7.org/fhirpath/N1/#types and https://hl7.org/fhirpath/N1/#reflection.
var typing = map[string]function{
	"is":     {typed: isType},
	"as":     {typed: asType},
	"ofType": {typed: ofType},
	"type":   plain(typeInfo),
}

func isType(_ *run, in Collection, t *typeSpec) (Collection, error) {
	switch len(in) {
	case 0:
		return nil, nil
	case 1:
		return truths(t.holds(in[0])), nil
	}
	return nil, failure("is looks at one item, found %d", len(in))
}

func asType(r *run, in Collection, t *typeSpec) (Collection, error) {
	if len(in) > 1 {
		return nil, failure("as takes one item, found %d", len(in))
	}
	return ofType(r, in, t)
}

func ofType(_ *run, in Collection, t *typeSpec) (Collection, error) {
	var out Collection
	for _, i := range in {
		if t.holds(i) {
			out = append(out, i)
		}
	}
	return out, nil
}

func typeInfo(_ *run, in Collection) (Collection, error) {
	var out Collection
	for _, i := range in {
		if info, ok := i.info(); ok {
			out = append(out, Computed(info))
		}
	}
	return out, nil
}
