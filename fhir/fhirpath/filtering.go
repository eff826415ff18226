package fhirpath

// See https://hl7.org/fhirpath/N1/#filtering-and-projection.
var filtering = map[string]function{
	"where":     {min: 1, max: 1, eval: where},
	"select":    {min: 1, max: 1, eval: project},
	"repeat":    {min: 1, max: 1, eval: repeat},
	"aggregate": {min: 1, max: 2, eval: aggregate},
	"trace":     {min: 1, max: 2, eval: trace},
	"sort":      {max: 10, eval: sortItems},
	"coalesce":  {min: 1, max: 20, eval: coalesce},
}

func where(r *run, s scope, in Collection, args []node) (Collection, error) {
	var kept Collection
	err := eachItem(r, s, in, args[0], func(i int, out Collection) (bool, error) {
		l, err := truth(out)
		if l == yes {
			kept = append(kept, in[i])
		}
		return true, err
	})
	return kept, err
}

func project(r *run, s scope, in Collection, args []node) (Collection, error) {
	var all Collection
	err := eachItem(r, s, in, args[0], func(_ int, out Collection) (bool, error) {
		all = append(all, out...)
		return true, r.step(len(out))
	})
	return all, err
}

// repeat applies the projection to what it gives until nothing new comes. Elements
// are told apart by where they stand, computed values by equality.
func repeat(r *run, s scope, in Collection, args []node) (Collection, error) {
	var all Collection
	type place struct {
		doc  any
		node int32
		side int32
	}
	seen := map[place]bool{}
	for len(in) > 0 {
		var fresh Collection
		err := eachItem(r, s, in, args[0], func(_ int, out Collection) (bool, error) {
			for _, i := range out {
				if i.Doc == nil {
					found, err := has(r, all, i)
					if err != nil {
						return false, err
					}
					if found {
						continue
					}
				} else {
					at := place{i.Doc, int32(i.Node), int32(i.Side)}
					if seen[at] {
						continue
					}
					seen[at] = true
				}
				fresh, all = append(fresh, i), append(all, i)
			}
			return true, r.step(len(out))
		})
		if err != nil {
			return nil, err
		}
		in = fresh
	}
	return all, nil
}

// coalesce returns the first of its arguments that is not empty.
func coalesce(r *run, s scope, in Collection, args []node) (Collection, error) {
	if len(in) == 1 {
		s.this = in
	}
	for _, a := range args {
		out, err := a.eval(r, s)
		if err != nil || len(out) > 0 {
			return out, err
		}
	}
	return nil, nil
}

func aggregate(r *run, s scope, in Collection, args []node) (Collection, error) {
	total, err := optional(r, s, args, 1)
	for i := 0; err == nil && i < len(in); i++ {
		total, err = args[0].eval(r, scope{this: in[i : i+1 : i+1], index: i, total: total, vars: s.vars.inner()})
	}
	return total, err
}

// trace hands items to Env.Trace and returns its input.
func trace(r *run, s scope, in Collection, args []node) (Collection, error) {
	name, err := args[0].eval(r, s)
	if err != nil {
		return nil, err
	}
	label, _, err := text(name)
	if err != nil {
		return nil, err
	}
	shown := in
	if len(args) == 2 {
		if shown, err = project(r, s, in, args[1:]); err != nil {
			return nil, err
		}
	}
	if r.env.Trace != nil {
		r.env.Trace(label, shown)
	}
	return in, nil
}
