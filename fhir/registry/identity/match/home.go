package match

// homes compares addresses. Of several, the pair counts that agrees in most.
func (v *Vector) homes(a, b []Home) {
	best, found := Vector{}, false
	score := 0
	for i := range a {
		for k := range b {
			var w Vector
			w.home(&a[i], &b[k])
			if s := w.agreement(); !found || s > score {
				best, score, found = w, s, true
			}
		}
	}
	for _, f := range homeFields {
		v[f] = best[f]
	}
}

var homeFields = []Field{Street, Number, Locality, State, Postcode}

// agreement counts how far the parts of two addresses agree.
func (v *Vector) agreement() int {
	n := 0
	for _, f := range homeFields {
		if v[f] != Missing {
			n += int(Different) - int(v[f])
		}
	}
	return n
}

func (v *Vector) home(a, b *Home) {
	if len(a.Street) > 0 && len(b.Street) > 0 {
		v[Street] = wordSets(a.Street, b.Street)
	}
	if a.Number != "" && b.Number != "" {
		v[Number] = houseNumbers(a.Number, b.Number)
	}
	if a.Locality != "" && b.Locality != "" {
		v[Locality] = like(a.Locality, b.Locality)
	}
	v[State] = sameText(a.State, b.State)
	if a.Postcode != "" && b.Postcode != "" {
		v[Postcode] = numbers(a.Postcode, b.Postcode)
	}
}

// houseNumbers compares numbers of houses, which are short: one that is the beginning
// or the end of the other is close.
func houseNumbers(a, b string) Level {
	switch {
	case a == b:
		return Equal
	case edits(a, b) == 1:
		return Close
	}
	return Different
}
