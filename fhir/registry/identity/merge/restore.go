package merge

import "slices"

// restore returns now without what a merge did to a Patient: before and after are what
// it made of what. What somebody changed since stays. Where nothing was, it is before.
func restore(before, after, now object) object {
	out := now
	for _, name := range changedMembers(before, after) {
		b, a, n := before.get(name), after.get(name), now.get(name)
		switch {
		case name == "meta":
			out = out.with(name, restoreMeta(b, a, n))
		case n == a:
			out = out.with(name, b)
		case len(items(b))+len(items(a)) > 0:
			out = out.with(name, array(restoreItems(items(b), items(a), items(n))))
		}
	}
	return out
}

// changedMembers lists the members in which two objects differ.
func changedMembers(before, after object) []string {
	var names []string
	for _, o := range []object{before, after} {
		for _, m := range o {
			if before.get(m.name) != after.get(m.name) && !slices.Contains(names, m.name) {
				names = append(names, m.name)
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
		if b.get(name) != a.get(name) {
			n = n.with(name, array(restoreItems(items(b.get(name)), items(a.get(name)), items(n.get(name)))))
		}
	}
	return n.String()
}
