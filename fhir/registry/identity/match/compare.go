package match

import "slices"

// Field is what two records are compared by.
type Field uint8

// The fields.
const (
	Given Field = iota
	Later       // given names after the first
	Family
	Second // later surnames, and those of before
	Suffix
	Birth
	Sex
	Identifier // numbers that a person has wherever they go
	Local      // record numbers of establishments
	Phone
	Street
	Number
	Locality
	State
	Postcode
	Mother
	Twin // order of birth
	fields
)

// Level is how two values of a field compare.
type Level uint8

// The levels. What they mean exactly, each comparison says.
const (
	Missing   Level = iota // one of the two is not known: nothing follows
	Equal                  // the same
	Close                  // the same but for a slip
	Similar                // partly the same, or swapped with another field
	Different              //
	levels
)

// Vector is how two records compare, field by field.
type Vector [fields]Level

var fieldNames = [fields]string{"given", "later-given", "family", "second-family", "suffix", "birthdate", "sex", "identifier", "record-number",
	"phone", "street", "house-number", "locality", "state", "postcode", "mother", "birth-order"}

var levelNames = [levels]string{"missing", "equal", "close", "similar", "different"}

// String returns the name of f, as parameters and explanations have it.
func (f Field) String() string { return fieldNames[f] }

// String returns the name of l.
func (l Level) String() string { return levelNames[l] }

// Compare compares two records.
func Compare(a, b *Person) Vector {
	var v Vector
	v.names(a, b)
	v[Suffix] = sameText(a.Suffix, b.Suffix)
	v[Birth] = dates(a.Birth, b.Birth)
	v[Sex] = sexes(a.Sex, b.Sex)
	v.identifiers(a.IDs, b.IDs)
	v[Phone] = phones(a.Phones, b.Phones)
	v.homes(a.Homes, b.Homes)
	v[Mother] = mothers(a, b)
	v[Twin] = twins(a, b)
	return v
}

// like compares two words: a slip of a letter is close, and so is a familiar form; what
// sounds the same is similar, and an initial to the word that it may stand for.
func like(a, b string) Level {
	if a == b {
		return Equal
	}
	if len(a) == 1 || len(b) == 1 {
		if a[0] == b[0] {
			return Similar
		}
		return Different
	}
	w := JaroWinkler(a, b)
	switch {
	case w >= 0.9, slices.Contains(familiar[a], b), slices.Contains(familiar[b], a):
		return Close
	case w >= 0.8 && edits(a, b) <= 2, w >= 0.77 && len(a) > 4 && len(b) > 4, begins(a, b):
		return Similar
	}
	if len(a) > 3 && len(b) > 3 && Sound(a) == Sound(b) {
		return Similar
	}
	return Different
}

// begins reports whether one is the beginning of the other, three letters or more.
func begins(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	return len(a) >= 3 && b[:len(a)] == a
}

// names compares given names and surnames. Where neither agrees but each does with the
// other, they were swapped.
func (v *Vector) names(a, b *Person) {
	v[Given], v[Later] = givens(a.Given, b.Given)
	v[Family], v[Second] = families(a, b)
	if v[Given] != Different || v[Family] != Different || len(a.Given) == 0 || len(b.Given) == 0 || len(a.Family) == 0 || len(b.Family) == 0 {
		return
	}
	if like(a.Given[0], b.Family[0]) <= Close && like(a.Family[0], b.Given[0]) <= Close {
		v[Given], v[Family] = Similar, Similar
	}
}

// givens compares given names: the first of both, or, where one record has left a name
// out (MARIA GUADALUPE and GUADALUPE), the best pair.
func givens(a, b []string) (first, later Level) {
	if len(a) == 0 || len(b) == 0 {
		return Missing, Missing
	}
	first = like(a[0], b[0])
	if len(a) > 1 && len(b) > 1 {
		later = like(a[1], b[1])
		if first == Different && (a[0] == b[1] || b[0] == a[1]) {
			first, later = Similar, Similar
		}
		if first == Similar && later == Different {
			first = Different // two names, and neither is the same
		}
		return first, later
	}
	if first == Different {
		for _, w := range a[1:] {
			first = min(first, oneOf(w, b[0]))
		}
		for _, w := range b[1:] {
			first = min(first, oneOf(w, a[0]))
		}
	}
	return first, Missing
}

// oneOf compares the only given name of a record with a later one of another.
func oneOf(later, only string) Level {
	switch like(later, only) {
	case Equal:
		return Close
	case Close, Similar:
		return Similar
	}
	return Different
}

// families compares surnames. Second is missing where only one record has a second
// one, as with people who use one, and women who took a husband's name.
func families(a, b *Person) (first, second Level) {
	if len(a.Family) == 0 || len(b.Family) == 0 {
		return Missing, former(a, b)
	}
	first = like(a.Family[0], b.Family[0])
	if len(a.Family) > 1 && len(b.Family) > 1 {
		second = like(a.Family[1], b.Family[1])
		if first == Different && second == Different && like(a.Family[0], b.Family[1]) <= Close && like(a.Family[1], b.Family[0]) <= Close {
			return Similar, Similar
		}
	} else {
		second = former(a, b)
	}
	if first == Different && (among(a.Family[0], b.Family[1:], b.Former) || among(b.Family[0], a.Family[1:], a.Former)) {
		first = Similar
	}
	return first, second
}

// former compares the surnames of before.
func former(a, b *Person) Level {
	if len(a.Former) == 0 || len(b.Former) == 0 {
		return Missing
	}
	return like(a.Former[0], b.Former[0])
}

// among reports whether a word is in one of the lists, but for a slip.
func among(w string, lists ...[]string) bool {
	for _, list := range lists {
		for _, other := range list {
			if like(w, other) <= Close {
				return true
			}
		}
	}
	return false
}

func sameText(a, b string) Level {
	switch {
	case a == "" || b == "":
		return Missing
	case a == b:
		return Equal
	}
	return Different
}

// dates compares days of birth: one digit wrong, two digits or day and month swapped
// is close; the same day in another year, or the same year with another part the
// same, is similar.
func dates(a, b Date) Level {
	switch {
	case a.Year == 0 || b.Year == 0:
		return Missing
	case !a.full() || !b.full():
		if a.Year == b.Year && (a.Month == b.Month || a.Month == 0 || b.Month == 0) {
			return Close
		}
		return Different
	case a == b:
		return Equal
	case a.Year == b.Year && a.Month == b.Day && a.Day == b.Month:
		return Close
	}
	switch edits(a.text(), b.text()) {
	case 1:
		return Close
	case 2:
		return Similar
	}
	same := 0
	for _, part := range [][2]int{{a.Year, b.Year}, {a.Month, b.Month}, {a.Day, b.Day}} {
		if part[0] == part[1] {
			same++
		}
	}
	switch {
	case same == 2:
		return Similar
	case !a.real() || !b.real():
		return Missing // a day that no calendar has says nothing
	}
	return Different
}

func sexes(a, b byte) Level {
	switch {
	case a == 0 || b == 0:
		return Missing
	case a == b:
		return Equal
	}
	return Different
}

// identifiers compares those of the same systems. A slip in one number says little
// where another number is the same.
func (v *Vector) identifiers(a, b []ID) {
	for i := range a {
		for k := range b {
			if a[i].System != b[k].System || a[i].Value == "" || b[k].Value == "" {
				continue
			}
			at := Identifier
			if a[i].Local || b[k].Local {
				at = Local
			}
			if l := numbers(a[i].Value, b[k].Value); v[at] == Missing || l < v[at] {
				v[at] = l
			}
		}
	}
}

// numbers compares numbers of which a slip leaves most as it was: in a short one, there
// is no telling a slip from another number.
func numbers(a, b string) Level {
	if a == b {
		return Equal
	}
	if len(a) < 5 || len(b) < 5 {
		return Different
	}
	switch edits(a, b) {
	case 1:
		return Close
	case 2:
		return Similar
	}
	return Different
}

func phones(a, b []string) Level {
	best := Missing
	for _, p := range a {
		for _, q := range b {
			l := numbers(p, q)
			if best == Missing || l < best {
				best = l
			}
		}
	}
	return best
}

// twins compares the order of birth of those who come from a multiple birth.
func twins(a, b *Person) Level {
	if !a.Multiple && !b.Multiple || a.Order == 0 || b.Order == 0 {
		return Missing
	}
	if a.Order == b.Order {
		return Equal
	}
	return Different
}

// mothers compares what is known of the mother.
func mothers(a, b *Person) Level {
	if a.MotherID != "" && b.MotherID != "" {
		return numbers(a.MotherID, b.MotherID)
	}
	if len(a.Mother) == 0 || len(b.Mother) == 0 {
		return Missing
	}
	return wordSets(a.Mother, b.Mother)
}

// wordSets compares texts by the words that they share.
func wordSets(a, b []string) Level {
	if len(a) > len(b) {
		a, b = b, a
	}
	same, alike := 0, 0
	for _, w := range a {
		best := Different
		for _, x := range b {
			best = min(best, like(w, x))
		}
		switch best {
		case Equal:
			same++
		case Close, Similar:
			alike++
		}
	}
	switch {
	case same == len(b):
		return Equal
	case same+alike == len(a):
		return Close
	case same+alike > 0:
		return Similar
	}
	return Different
}
