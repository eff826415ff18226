package match

import (
	"slices"
	"strconv"
	"strings"
)

// Key is a hash that records of one person are likely to share. Only records with a key
// in common are compared. Keys are stored, so that how they are made is fixed: another
// way is another KeyVersion.
type Key uint64

// KeyVersion is the version of how keys are made.
const KeyVersion = 1

// key hashes parts, each ended by a zero byte (FNV-1a, 64 bits).
func key(parts ...string) Key {
	h := uint64(14695981039346656037)
	for _, p := range parts {
		for i := range len(p) {
			h = (h ^ uint64(p[i])) * 1099511628211
		}
		h *= 1099511628211
	}
	return Key(h)
}

// keyring gathers keys.
type keyring []Key

// add adds the key of the parts, unless one of them is not known.
func (k *keyring) add(parts ...string) {
	for _, s := range parts {
		if s == "" {
			return
		}
	}
	*k = append(*k, key(parts...))
}

// once returns each of the keys once, in order.
func (k keyring) once() []Key {
	slices.Sort(k)
	return slices.Compact(k)
}

// personal returns the keys that no home is part of: numbers, names and birth.
func (p *Person) personal() keyring {
	var keys keyring
	for _, id := range p.IDs {
		keys.add("id", id.System, id.Value)
	}
	for _, phone := range p.Phones {
		keys.add("phone", phone)
	}
	p.nameKeys(keys.add)
	return keys
}

// Keys returns the keys of p, each once. Each joins parts that a slip in one field
// leaves whole in another key: a record is found as long as any two of name, birth,
// address, telephone and number have come through.
func (p *Person) Keys() []Key {
	keys := p.personal()
	given, family := sound(p.Given, 0), sound(p.Family, 0)
	for i := range p.Homes {
		h := &p.Homes[i]
		for _, place := range []string{h.Postcode, soundOfAll(h.Locality)} {
			keys.add("home-given", place, given)
			keys.add("home-family", place, family)
			keys.add("home-birth", place, p.year())
			keys.add("home", place, h.Number, sound(h.Street, 0))
		}
		keys.add("street", sound(h.Street, 0), h.Number, p.year())
		keys.add("street-given", sound(h.Street, 0), given)
		keys.add("street-family", sound(h.Street, 0), family)
	}
	if p.MotherID != "" && p.Birth.full() {
		keys.add("mother", p.MotherID, p.Birth.text())
	}
	return keys.once()
}

// IndexKeys returns those of the keys by which a record is kept in an index of many:
// a third fewer, since a home is named by its postcode alone where there is one, and
// only together with a name. What is lost are pairs of which neither names nor birth
// came through, and those could be no more than possible.
func (p *Person) IndexKeys() []Key {
	keys := p.personal()
	given, family := sound(p.Given, 0), sound(p.Family, 0)
	for i := range p.Homes {
		h := &p.Homes[i]
		place := h.Postcode
		if place == "" {
			place = soundOfAll(h.Locality)
		}
		keys.add("home-given", place, given, p.decade())
		keys.add("home-family", place, family, p.decade())
		keys.add("street", sound(h.Street, 0), h.Number, p.year())
	}
	if p.MotherID != "" && p.Birth.full() {
		keys.add("mother", p.MotherID, p.Birth.text())
	}
	return keys.once()
}

// decade is the decade of birth as a part of a key; "" when it is not known.
func (p *Person) decade() string {
	if p.Birth.Year == 0 {
		return ""
	}
	return strconv.Itoa(p.Birth.Year / 10)
}

// nameKeys adds those that are made of names and birth.
func (p *Person) nameKeys(add func(...string)) {
	given, family, second := sound(p.Given, 0), sound(p.Family, 0), sound(p.Family, 1)
	pair := []string{given, family}
	slices.Sort(pair) // also when the two were swapped
	add("names", pair[0], pair[1], p.year())
	both := []string{family, second}
	slices.Sort(both)
	add("surnames", given, both[0], both[1])
	if !p.Birth.full() {
		return
	}
	day := p.Birth.text()
	for i := range p.Given {
		add("given-birth", sound(p.Given, i), day)
	}
	add("family-birth", family, day)
	add("family-birth", second, day)
	for i := range p.Former {
		add("family-birth", sound(p.Former, i), day)
	}
	low, high := p.Birth.Month, p.Birth.Day
	if low > high {
		low, high = high, low
	}
	add("names-day", pair[0], pair[1], two(low), two(high))
	if p.Birth.Month != p.Birth.Day && p.Birth.Day <= 12 {
		swapped := Date{p.Birth.Year, p.Birth.Day, p.Birth.Month}.text()
		add("family-birth", family, min(day, swapped), "swapped")
	}
}

// year is the year of birth as a part of a key; "" when it is not known.
func (p *Person) year() string {
	if p.Birth.Year == 0 {
		return ""
	}
	return strconv.Itoa(p.Birth.Year)
}

// soundOfAll is how the words of a text sound, one after another.
func soundOfAll(text string) string { return Sound(strings.ReplaceAll(text, " ", "")) }

func sound(names []string, i int) string {
	if i >= len(names) {
		return ""
	}
	return Sound(names[i])
}
