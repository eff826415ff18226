package fhirpath

import "slices"

// sortKey is an argument of sort(): what to sort by, and in which direction.
type sortKey struct {
	by         node
	descending bool
}

// sorted is an item with the values of its keys, nil where a key is empty.
type sorted struct {
	item Item
	keys []Value
}

// sortItems is sort(): by the items themselves, or by keys. A minus before a key
// turns the order round, whatever its type. Items without a key come first either way.
func sortItems(r *run, s scope, in Collection, args []node) (Collection, error) {
	keys := make([]sortKey, 0, len(args))
	for _, a := range args {
		if u, ok := a.(*unary); ok && u.minus {
			keys = append(keys, sortKey{u.x, true})
			continue
		}
		keys = append(keys, sortKey{by: a})
	}
	if len(args) == 0 {
		keys = append(keys, sortKey{by: this{}})
	}
	list := make([]sorted, len(in))
	for i := range in {
		list[i] = sorted{in[i], make([]Value, len(keys))}
		for k, key := range keys {
			out, err := key.by.eval(r, scope{this: in[i : i+1 : i+1], index: i, total: s.total, vars: s.vars.inner()})
			if err != nil {
				return nil, err
			}
			if len(out) == 0 {
				continue
			}
			if list[i].keys[k], err = single(out); err != nil {
				return nil, err
			}
		}
	}
	var failed error
	slices.SortStableFunc(list, func(a, b sorted) int {
		if failed == nil {
			failed = r.step(10)
		}
		c, err := compareKeys(a, b, keys)
		if failed == nil {
			failed = err
		}
		return c
	})
	if failed != nil {
		return nil, failed
	}
	out := make(Collection, len(list))
	for i := range list {
		out[i] = list[i].item
	}
	return out, nil
}

func compareKeys(a, b sorted, keys []sortKey) (int, error) {
	for k, key := range keys {
		x, y := a.keys[k], b.keys[k]
		switch {
		case x == nil && y == nil:
			continue
		case x == nil:
			return -1, nil
		case y == nil:
			return 1, nil
		}
		c, _, err := order(x, y)
		if err != nil {
			return 0, err
		}
		if key.descending {
			c = -c
		}
		if c != 0 {
			return c, nil
		}
	}
	return 0, nil
}
