package merge

import "slices"

// restore returns now without what a merge did to a Patient: before and after are what
// it made of what. What somebody changed since stays. Where nothing was, it is before.
func restore(before, after, now object) object {
	out := now
	for _, name := range changedMembers(before, after) {
		b, a, n := before.Get(name), after.Get(name), now.Get(name)
		switch {
		case name == "meta":
			out = out.With(name, restoreMeta(b, a, n))
		case n == a:
			out = out.With(name, b)
		case len(items(b))+len(items(a)) > 0:
			out = out.With(name, array(restoreItems(items(b), items(a), items(n))))
		}
	}
	return out
}

// changedMembers lists the members in which two objects differ.
func changedMembers(before, after object) []string {
	var names []string
	for _, o := range []object{before, after} {
		for _, m := range o {
			if before.Get(m.Name) != after.Get(m.Name) && !slices.Contains(names, m.Name) {
				names = append(names, m.Name)
			}
		}
	}
	return names
}

// restoreItems takes out the items that came with the merge, and puts back those that it
// changed or left out, in front as they were.
func restoreItems(before, after, now []string) []string {
	var out []string
	for _, raw := range before {
		kept := slices.Contains(after, raw)
		if !kept || slices.Contains(now, raw) {
			out = append(out, raw)
		}
	}
	for _, raw := range now {
		if !slices.Contains(after, raw) && !slices.Contains(out, raw) {
			out = append(out, raw)
		}
	}
	return out
}

// restoreMeta does so for labels; version and time are the server's.
func restoreMeta(before, after, now string) string {
	b, a, n := mustObject(before), mustObject(after), mustObject(now)
	for _, name := range []string{"security"} {
		if b.Get(name) != a.Get(name) {
			n = n.With(name, array(restoreItems(items(b.Get(name)), items(a.Get(name)), items(n.Get(name)))))
		}
	}
	return n.String()
}
