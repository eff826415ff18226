package giis

import (
	"cmp"
	"slices"
	"time"
)

// visit is an encounter with what the row is made from.
type visit struct {
	ref       string // Encounter/id
	id        string
	encounter *encounter
	clues     string

	patient      *person
	staff        *person
	roles        []*role // of who gave the visit, at the facility
	coverages    []*coverage
	observations []*observation // of the visit, newest first
	requests     []*request     // of the visit
	conditions   map[string]*diagnosed
	others       []*visit // of the same patient at the same facility, before it
	catalogue    Catalogue

	codes []string // diagnoses in the order of their rank, as the guide writes them
	sure  []bool   // whether each is confirmed
	row   Row
}

// day returns the day of the visit, where it took place.
func (v *visit) day() time.Time {
	start := v.encounter.Period.Start
	t, _ := time.Parse(time.DateOnly, start[:min(len(start), 10)])
	return t
}

// staffID returns who gave the visit: the attender, or whoever comes first.
func (v *visit) staffID() string {
	first := ""
	for _, p := range v.encounter.Participant {
		id := p.Individual.of("Practitioner")
		if id == "" {
			continue
		}
		for i := range p.Type {
			if p.Type[i].code("http://terminology.hl7.org/CodeSystem/v3-ParticipationType") == "ATND" {
				return id
			}
		}
		first = cmp.Or(first, id)
	}
	return first
}

// diagnose works the diagnoses out: those that the encounter names by their rank, then
// others that were made in it, then its reasons.
func (v *visit) diagnose() {
	named := slices.Clone(v.encounter.Diagnosis)
	slices.SortStableFunc(named, func(a, b struct {
		Condition reference
		Rank      int
	}) int {
		return cmp.Compare(rank(a.Rank), rank(b.Rank))
	})
	seen := map[string]bool{}
	add := func(c *concept, sure bool) {
		code := Disease(c.code(systemICD))
		if code != "" && !seen[code] {
			seen[code] = true
			v.codes, v.sure = append(v.codes, code), append(v.sure, sure)
		}
	}
	of := func(c *diagnosed) {
		status := c.VerificationStatus.code("http://terminology.hl7.org/CodeSystem/condition-ver-status")
		if status != "entered-in-error" && status != "refuted" {
			add(&c.Code, status == "confirmed")
		}
	}
	for _, d := range named {
		if c := v.conditions[d.Condition.of("Condition")]; c != nil {
			of(c)
		}
	}
	var ids []string
	for id, c := range v.conditions {
		if c.Encounter.of("Encounter") == v.id {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	for _, id := range ids {
		of(v.conditions[id])
	}
	for i := range v.encounter.ReasonCode {
		add(&v.encounter.ReasonCode[i], false)
	}
}

// rank puts diagnoses without one last.
func rank(n int) int {
	if n <= 0 {
		return 1 << 30
	}
	return n
}

func (v *visit) disease(n int) string {
	if n < len(v.codes) {
		return v.codes[n]
	}
	return ""
}

// before returns whether the n-th diagnosis was made in a visit before this one.
func (v *visit) before(n int, yes, no string) string {
	if n >= len(v.codes) {
		return ""
	}
	for _, o := range v.others {
		if slices.Contains(o.codes, v.codes[n]) {
			return yes
		}
	}
	return no
}

// firstOfYear returns whether this is the first visit of its year.
func (v *visit) firstOfYear() string {
	for _, o := range v.others {
		if o.day().Year() == v.day().Year() {
			return "0"
		}
	}
	return "1"
}

// confirmed returns whether the n-th diagnosis is confirmed, where the catalogue has it
// among those to be confirmed.
func (v *visit) confirmed(n int) string {
	if n >= len(v.codes) || v.catalogue == nil {
		return ""
	}
	d, not := diagnoses[n], v.row
	not.set(d.confirmed, "-1")
	if v.catalogue.confirmation(&not, d.code, d.confirmed) == "" {
		return ""
	}
	if v.sure[n] {
		return "1"
	}
	return "0"
}
