package sinac

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Problem is a rule that a row breaks.
type Problem struct {
	Column  Column
	Rule    string // stable key: "sinac-range"
	Text    string // what the rule wants, without any value of the row
	Warning bool   // unlikely, but it happens
}

// Check returns what is wrong with a row on the day of today. A column that is empty or
// unknown breaks no rule but that of being required.
func Check(r *Row, today time.Time) []Problem {
	k := checker{Row: r}
	for c := range columns {
		k.value(c)
	}
	k.dates(today)
	k.mother()
	k.children()
	k.prenatal()
	k.newborn()
	k.plurality()
	k.delivery()
	return k.problems
}

type checker struct {
	*Row
	problems []Problem
}

func (k *checker) wrong(c Column, rule, text string) {
	k.problems = append(k.problems, Problem{Column: c, Rule: rule, Text: text})
}

func (k *checker) odd(c Column, rule, text string) {
	k.problems = append(k.problems, Problem{Column: c, Rule: rule, Text: text, Warning: true})
}

var (
	clockForm   = regexp.MustCompile(`^([01]\d|2[0-3]):[0-5]\d$`)
	cluesForm   = regexp.MustCompile(`^[A-Z]{5}\d{6}$`)
	anomalyForm = regexp.MustCompile(`^Q\d\d[0-9X]$`)
)

// value checks a value by itself.
func (k *checker) value(c Column) {
	f, v := &fields[c], k.Row[c]
	switch {
	case v == "":
		if f.required {
			k.wrong(c, "sinac-required", "it must be stated")
		}
		return
	case slices.Contains(f.unknown, v):
		return
	case f.codes != nil:
		if _, ok := f.codes[v]; !ok {
			k.wrong(c, "sinac-code", "it is one of "+list(f.codes))
		}
		return
	}
	switch f.kind {
	case date:
		if _, err := time.Parse(dateLayout, v); err != nil {
			k.wrong(c, "sinac-date", "it is a day of the calendar, as dd/mm/aaaa")
		}
	case clock:
		if !clockForm.MatchString(v) && c == BornAt {
			k.wrong(c, "sinac-time", "it is a time, as hh:mm, from 00:00 to 23:59")
		} else if len(v) != 5 || v[2] != ':' || strings.Trim(v[:2]+v[3:], "0123456789") != "" || v[3] > '5' {
			k.wrong(c, "sinac-time", "it is a duration, as hh:mm")
		}
	case icd:
		if v != "0000" && !anomalyForm.MatchString(v) {
			k.wrong(c, "sinac-anomaly", "it is a code of CIE-10 from Q000 to Q99X, of 4 characters, or 0000 for none")
		}
	case clues:
		if v != "9998" && !cluesForm.MatchString(v) {
			k.wrong(c, "sinac-clues", "it is a CLUES, or 9998 for having none")
		}
	case free:
	default:
		k.number(c, f, v)
	}
}

func (k *checker) number(c Column, f *field, v string) {
	n, err := strconv.Atoi(v)
	if err != nil || v[0] == '+' || v[0] == '-' || f.kind == padded && len(v) != f.width {
		text := "it is a number"
		if f.kind == padded {
			text = "it has " + strconv.Itoa(f.width) + " digits"
		}
		k.wrong(c, "sinac-number", text)
		return
	}
	if n < f.low || n > f.hi {
		text := "it is from " + strconv.Itoa(f.low) + " to " + strconv.Itoa(f.hi)
		if len(f.unknown) > 0 {
			text += ", or " + f.unknown[len(f.unknown)-1] + " when it is not known"
		}
		k.wrong(c, "sinac-range", text)
	}
}

func list(codes map[string]string) string {
	keys := make([]string, 0, len(codes))
	for code := range codes {
		keys = append(keys, code)
	}
	slices.Sort(keys)
	return strings.Join(keys, ", ")
}

// dates: born before it was certified, and that not in the future.
func (k *checker) dates(today time.Time) {
	born, ok := k.Date(Born)
	if ok && born.After(today) {
		k.wrong(Born, "sinac-future", "the birth lies in the future")
	}
	certified, signed := k.Date(Certified)
	if signed && certified.After(today) && !(ok && born.After(today)) {
		k.wrong(Certified, "sinac-future", "the certification lies in the future")
	}
	if ok && signed && certified.Before(born) {
		k.wrong(Certified, "sinac-order", "the certification is not before the birth")
	}
}

// mother: her age follows from her birth, and is one to bear a child at.
func (k *checker) mother() {
	was, known := k.Date(MotherBorn)
	born, ok := k.Date(Born)
	if known && ok {
		age := born.Year() - was.Year()
		if born.Month() < was.Month() || born.Month() == was.Month() && born.Day() < was.Day() {
			age--
		}
		if stated, ok := k.Int(MotherAge); ok && stated != age {
			k.wrong(MotherAge, "sinac-mother-age", "the age of the mother on the day of the birth follows from her birth date")
		}
		if age < 9 || age > 59 {
			k.wrong(MotherBorn, "sinac-mother-age", "the mother is from 9 to 59 years old on the day of the birth")
		}
	}
	for _, place := range [][3]Column{{BornAbroad, MotherBirthState, MotherBirthTown}, {LivesAbroad, HomeState, HomeTown}} {
		if k.Row[place[0]] == Yes && (k.Known(place[1]) || k.Known(place[2])) {
			k.wrong(place[1], "sinac-abroad", "who is abroad is in no entity of Mexico: 88")
		}
	}
}

// children: the children of the mother so far.
func (k *checker) children() {
	pregnancies, p := k.Int(Pregnancies)
	live, l := k.Int(LiveBirths)
	surviving, s := k.Int(Surviving)
	if s && l && surviving > live {
		k.wrong(Surviving, "sinac-children", "no more children survive than were born alive")
	}
	total := 1
	if n, ok := k.Int(Total); ok {
		total = n
	}
	if p && l && live > pregnancies+total-1 {
		k.odd(LiveBirths, "sinac-children", "more children were born alive than there were pregnancies, the children of this birth counted")
	}
	if rank, ok := k.Int(BirthRank); ok && l {
		still, _ := k.Int(StillBirths)
		if rank > live+still {
			k.wrong(BirthRank, "sinac-children", "the rank of this child is no higher than the number of children")
		}
	}
}

// prenatal: without care there are no visits.
func (k *checker) prenatal() {
	visits, ok := k.Int(PrenatalVisits)
	switch k.Row[PrenatalCare] {
	case No:
		if ok && visits > 0 {
			k.wrong(PrenatalVisits, "sinac-prenatal", "without prenatal care there are no visits")
		}
		if k.Known(FirstVisitTrimester) && k.Row[FirstVisitTrimester] != "0" {
			k.wrong(FirstVisitTrimester, "sinac-prenatal", "without prenatal care the trimester of the first visit is 0")
		}
	case Yes:
		if ok && visits == 0 {
			k.wrong(PrenatalVisits, "sinac-prenatal", "with prenatal care there was at least one visit")
		}
		if k.Row[FirstVisitTrimester] == "0" {
			k.wrong(FirstVisitTrimester, "sinac-prenatal", "with prenatal care the first visit was in one of the trimesters")
		}
	}
}

// newborn: weight and length as they are seldom.
func (k *checker) newborn() {
	if g, ok := k.Int(Weight); ok && g >= fields[Weight].low && g <= fields[Weight].hi && (g < 250 || g > 7000) {
		k.odd(Weight, "sinac-weight", "newborns weigh from 250 to 7000 g")
	}
	if cm, ok := k.Int(Length); ok && cm >= fields[Length].low && cm <= fields[Length].hi && (cm < 20 || cm > 65) {
		k.odd(Length, "sinac-length", "newborns measure from 20 to 65 cm")
	}
	if a, b := k.Row[Anomaly1], k.Row[Anomaly2]; b != "" && b != "0000" && (a == b || a == "0000" || a == "") {
		k.wrong(Anomaly2, "sinac-anomaly", "a second anomaly is another one than the first")
	}
}

// plurality: one child is alone; of several, each has its place.
func (k *checker) plurality() {
	total, t := k.Int(Total)
	order, o := k.Int(Order)
	if t && o && order > total {
		k.wrong(Order, "sinac-plurality", "the place in the birth is no higher than the number of its children")
	}
	switch k.Row[Plurality] {
	case One:
		if t && total != 1 {
			k.wrong(Total, "sinac-plurality", "a single birth is of one child")
		}
	case Two, Three:
		if !o || !t {
			k.wrong(Order, "sinac-plurality", "in a multiple birth the place of the child and the number of children are stated")
			return
		}
		if two := k.Row[Plurality] == Two; two && total != 2 || !two && total < 3 {
			k.wrong(Total, "sinac-plurality", "twins are two, and what is more than twins is three or more")
		}
	}
}

// delivery: nobody uses forceps in a caesarean section.
func (k *checker) delivery() {
	if cesarean, ok := k.Int(Cesarean); ok && cesarean > 0 && cesarean < 8 && k.Row[Forceps] == Yes {
		k.wrong(Forceps, "sinac-delivery", "with a caesarean section no forceps are used: 2 or 8")
	}
}

// Flags says of a newborn what its figures mean: "preterm" (below 37 weeks),
// "low-birth-weight" (below 2500 g), "very-low-birth-weight" (below 1500 g).
func (r *Row) Flags() []string {
	var flags []string
	if weeks, ok := r.Int(Weeks); ok && weeks < 37 {
		flags = append(flags, "preterm")
	}
	if g, ok := r.Int(Weight); ok && g < 2500 {
		flags = append(flags, "low-birth-weight")
		if g < 1500 {
			flags = append(flags, "very-low-birth-weight")
		}
	}
	return flags
}
