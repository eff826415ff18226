package validate

// document checks that what the Composition is made of is in the bundle, and that
// the bundle holds nothing else.
//
// See https://hl7.org/fhir/R4/documents.html#content.
func (x *inspection) document(s *subject) {
	if len(s.bundle.entries) == 0 {
		return
	}
	first := s.bundle.entries[0]
	if first.resource == nil || first.resource.item.Type == nil || first.resource.item.Type.Name != "Composition" {
		return // bdl-11
	}
	c := first.resource
	for _, name := range []string{"subject", "encounter", "author", "custodian"} {
		for _, r := range c.all(name) {
			x.present(s, first, r)
		}
	}
	for _, a := range c.all("attester") {
		for _, r := range a.all("party") {
			x.present(s, first, r)
		}
	}
	for _, e := range c.all("event") {
		for _, r := range e.all("detail") {
			x.present(s, first, r)
		}
	}
	x.sections(s, first, c)
	x.reachable(s, first)
}

func (x *inspection) sections(s *subject, first *bundleEntry, p *place) {
	for _, section := range p.all("section") {
		for _, name := range []string{"author", "focus", "entry"} {
			for _, r := range section.all(name) {
				x.present(s, first, r)
			}
		}
		x.sections(s, first, section)
	}
}

// present reports a Reference at p, in entry from, that leads to no entry of the
// bundle, or to several.
func (x *inspection) present(s *subject, from *bundleEntry, p *place) {
	ref := p.text("reference")
	if ref == "" || ref[0] == '#' {
		return
	}
	switch found := s.bundle.find(from, ref); {
	case len(found) == 0:
		x.report("error", "not-found", "bundle-reference", "the reference leads to nothing in the bundle", quote([]byte(ref)), p)
	case len(found) > 1:
		x.fail("bundle-reference-ambiguous", "the reference leads to several entries of the bundle", quote([]byte(ref)), p)
	}
}

// reachable reports entries that no chain of references, in either direction,
// connects with the Composition.
func (x *inspection) reachable(s *subject, first *bundleEntry) {
	b := s.bundle
	links := make([][]int, len(b.entries)) // undirected
	for _, e := range b.entries {
		if e.resource == nil {
			continue
		}
		eachReference(e.resource, func(ref string) {
			for _, to := range b.find(e, ref) {
				links[e.position] = append(links[e.position], to.position)
				links[to.position] = append(links[to.position], e.position)
			}
		})
	}
	seen := make([]bool, len(b.entries))
	queue := []int{first.position}
	seen[first.position] = true
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		for _, to := range links[at] {
			if !seen[to] {
				seen[to] = true
				queue = append(queue, to)
			}
		}
	}
	for i, e := range b.entries {
		if !seen[i] && e.resource != nil {
			x.report("error", "informational", "bundle-unreachable", "no reference connects the entry with the Composition", quote([]byte(e.fullURL)), e.at)
		}
	}
}

// eachReference calls f with every literal reference below p, and every canonical
// and URI that may name another entry.
func eachReference(p *place, f func(string)) {
	if p.item.Type == nil {
		return
	}
	for _, k := range p.kids() {
		if k.primitive() {
			switch {
			case k.elem.Name == "reference" && p.item.Type.Name == "Reference",
				k.item.Type.Name == "canonical", k.item.Type.Name == "uri", k.item.Type.Name == "url":
				if v := k.value(); v != "" && v[0] != '#' {
					f(v)
				}
			}
			continue
		}
		eachReference(k, f)
	}
}
