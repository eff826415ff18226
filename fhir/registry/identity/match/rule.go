package match

// The rules that stand above the sum of the weights.
const (
	SameVerified = "verified-identifier"   // a verified number and the birth date agree: one person
	OtherTwin    = "multiple-birth"        // another place in the order of a multiple birth: two people
	MaybeTwin    = "given-name-differs"    // all agrees but the given name: twins, siblings, parent and child
	OtherBirth   = "birthdate-differs"     // father and son of one name and one home
	MaybeSibling = "sex-differs"           // given names that differ by a letter, and the sex: MARIO and MARIA
	OtherPerson  = "number-of-another"     // a number agrees, and neither name nor birth: somebody used another's
	NotSure      = "too-little-to-compare" // what agrees is too little to join records by, however rare it is
)

// rule returns the grade of v when a rule decides it, and which.
func (m *Model) rule(v *Vector, a, b *Person, g Grade) (Grade, string) {
	numbered := v.agrees(Identifier, Close)
	switch {
	case v[Birth] == Equal && v[Given] != Different && verified(a.IDs, b.IDs):
		return Certain, SameVerified
	case g == Not:
		return g, ""
	case v[Twin] == Different && v[Identifier] != Equal:
		return Not, OtherTwin
	case v[Given] == Different && !numbered:
		return min(g, Possible), MaybeTwin
	case v[Given] == Different && (v[Later] == Different || v.others() < 2):
		return min(g, Possible), OtherPerson
	case v[Birth] == Different && !numbered:
		return min(g, Possible), OtherBirth
	case v[Given] != Equal && v[Sex] == Different && v[Identifier] != Equal:
		return min(g, Possible), MaybeSibling
	case !v.enough():
		if v.others() == 0 && !numbered {
			return Not, NotSure
		}
		return min(g, Possible), NotSure
	case !v.plenty():
		return min(g, Probable), NotSure
	}
	return g, ""
}

// agrees reports whether both records have f, and it compares at level l or better.
func (v *Vector) agrees(f Field, l Level) bool { return v[f] != Missing && v[f] <= l }

// atHome reports whether address or telephone agree.
func (v *Vector) atHome() bool {
	return v.agrees(Phone, Close) || v.agrees(Street, Close) && (v.agrees(Number, Close) || v.agrees(Locality, Close) || v.agrees(Postcode, Close))
}

// others counts which of birth, surname and home agree.
func (v *Vector) others() int {
	n := 0
	for _, is := range []bool{v.agrees(Birth, Similar), v.agrees(Family, Similar), v.atHome()} {
		if is {
			n++
		}
	}
	return n
}

// enough reports whether three of given name, surname, birth and home agree, or a number
// and one of them, or the given name and the home where neither surname nor birth speak
// against it: less is chance or a family.
func (v *Vector) enough() bool {
	named := v.agrees(Given, Close) || v.agrees(Given, Similar) && (v.atHome() || v.agrees(Identifier, Similar))
	n := v.others()
	if named {
		n++
	}
	return n >= 3 || n >= 1 && v.agrees(Identifier, Close) ||
		named && v.atHome() && v[Family] != Different && v[Birth] != Different
}

// plenty reports whether records may be joined without anybody looking: a number, and
// the name or the birth; or the given name to the letter, since JUAN and JULIAN may be
// twins, with birth and surname.
func (v *Vector) plenty() bool {
	if v.agrees(Identifier, Equal) && v.agrees(Given, Similar) && v.agrees(Birth, Close) {
		return true
	}
	return v.agrees(Given, Equal) && v.agrees(Birth, Close) && v.agrees(Family, Close) && v[Second] != Different && v[Later] != Different
}

// verified reports whether two records have a verified number in common.
func verified(a, b []ID) bool {
	for i := range a {
		for k := range b {
			if a[i].Verified && b[k].Verified && a[i].System == b[k].System && a[i].Value == b[k].Value && a[i].Value != "" {
				return true
			}
		}
	}
	return false
}
