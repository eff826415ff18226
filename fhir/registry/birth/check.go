package birth

import (
	"crypto/sha256"
	"encoding/base64"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/registry/birth/sinac"
	"github.com/amate-health/amate/fhir/registry/identity"
)

// checker gathers what is wrong with a claim.
type checker struct {
	*claim
	today  time.Time
	issues []fhir.Issue
}

func (k *checker) add(severity, kind, rule, details, at string) {
	k.issues = append(k.issues, fhir.Issue{Severity: severity, Type: kind, Rule: rule, Details: details, Expression: at})
}

func (k *checker) wrong(rule, details, at string) {
	k.add("error", "business-rule", rule, details, at)
}

// odd adds a warning, which refuses a birth until the certifier acknowledges it.
func (k *checker) odd(rule, details, at string) {
	k.add("warning", "business-rule", rule, details, at)
}

// column is where a column of SINAC stands in the parameters.
func column(c sinac.Column) string { return "Parameters.parameter.where(name='" + c.String() + "')" }

// complete writes the columns that follow from others, and refuses such as say otherwise.
// certified is the day of the certification, facility the CLUES that certifies.
func (k *checker) complete(certified time.Time, facility string) {
	k.follows(sinac.Certified, certified.Format("02/01/2006"), "the day of the certification is that of the signature")
	k.follows(sinac.CertifyingFacility, facility, "births are certified in the caller's own establishment")
	k.follows(sinac.Born, spanishDate(k.newborn.Born), "the birth date is that of the newborn")
	k.follows(sinac.MotherBorn, spanishDate(k.mother.Born), "the birth date of the mother is hers")
	k.follows(sinac.Sex, map[string]string{"male": sinac.Man, "female": sinac.Woman, "unknown": "9"}[k.newborn.Sex], "the sex is that of the newborn")
	if was, ok := k.row.Date(sinac.MotherBorn); ok {
		if born, ok := k.row.Date(sinac.Born); ok && k.row[sinac.MotherAge] == "" {
			k.row.SetInt(sinac.MotherAge, years(was, born))
		}
	}
	if k.row[sinac.Plurality] == sinac.One {
		k.follows(sinac.Order, "1", "a single birth is of one child")
		k.follows(sinac.Total, "1", "a single birth is of one child")
	}
}

// follows sets a column, or says that it has another value than it must.
func (k *checker) follows(c sinac.Column, value, why string) {
	switch {
	case value == "":
	case k.row[c] == "":
		k.row[c] = value
	case k.row[c] != value:
		k.wrong("birth-agreement", c.String()+": "+why, column(c))
	}
}

func spanishDate(fhirDate string) string {
	if t, err := time.Parse(time.DateOnly, fhirDate); err == nil {
		return t.Format("02/01/2006")
	}
	return ""
}

// years are completed ones.
func years(from, to time.Time) int {
	n := to.Year() - from.Year()
	if to.Month() < from.Month() || to.Month() == from.Month() && to.Day() < from.Day() {
		n--
	}
	return n
}

// check holds the claim to all rules.
func (k *checker) check() {
	for _, p := range sinac.Check(&k.row, k.today) {
		severity, kind := "error", "value"
		switch {
		case p.Warning:
			severity = "warning"
		case p.Rule == "sinac-required":
			kind = "required"
		}
		k.add(severity, kind, p.Rule, p.Column.String()+": "+p.Text, column(p.Column))
	}
	k.facility()
	k.person(&k.mother, 'M', true)
	if k.father != nil {
		k.person(k.father, 'H', false)
	}
	if k.newborn.CURP != "" {
		k.wrong("birth-newborn-curp", "a newborn has no CURP before the civil registry registers the birth: see $birth-assign-curp", k.newborn.at)
	}
	if _, ok := k.row.Date(sinac.Born); !ok {
		k.wrong("birth-date", "the day of the birth is known", column(sinac.Born))
	}
}

// facility: electronic certificates are made in an establishment.
func (k *checker) facility() {
	clues := k.row[sinac.CertifyingFacility]
	if clues == "" || clues == "9998" {
		k.wrong("birth-facility", "a birth is certified in an establishment that has a CLUES", column(sinac.CertifyingFacility))
		return
	}
	for _, p := range identity.Check(identity.SystemCLUES, clues, k.today) {
		if !p.Warning {
			k.wrong(p.Rule, p.Text, column(sinac.CertifyingFacility))
		}
	}
}

// person: the CURP is one, and that of its bearer; a mother can be told from others.
func (k *checker) person(p *party, sex byte, mother bool) {
	if mother && (p.Name.Given == "" || p.Name.First == "") {
		k.wrong("birth-mother-name", "the mother has given names and a first surname", p.at+".resource.name")
	}
	if mother && p.CURP == "" && p.Born == "" {
		k.wrong("birth-mother-identity", "the mother has a CURP or a birth date, by which she is told from others", p.at+".resource")
	}
	if p.CURP == "" {
		return
	}
	at := p.at + ".resource.identifier.where(system='" + identity.SystemCURP + "').value"
	bearer := identity.Person{Given: p.Name.Given, Father: p.Name.First, Mother: p.Name.Second, Sex: sex}
	if t, err := time.Parse(time.DateOnly, p.Born); err == nil {
		bearer.Born = t
	}
	problems := identity.Check(identity.SystemCURP, p.CURP, k.today)
	for _, one := range append(problems, identity.CURPProblems(p.CURP, bearer)...) {
		if one.Warning {
			k.odd(one.Rule, one.Text, at)
		} else {
			k.wrong(one.Rule, one.Text, at)
		}
	}
}

// result returns what refuses the claim: errors, and warnings that nobody acknowledged.
// Else warnings are what is left to say.
func (k *checker) result() (warnings []fhir.Issue, err error) {
	refuses := false
	for i := range k.issues {
		one := &k.issues[i]
		switch {
		case one.Severity == "error":
			refuses = true
		case !slices.Contains(k.acknowledged, one.Rule) && !slices.Contains(k.acknowledged, "true"):
			refuses = true
			one.Details += "; to certify it all the same, give the parameter acknowledge with " + one.Rule
		}
	}
	if refuses {
		return nil, &fhir.Error{Code: fhir.Unprocessable, Issues: k.issues}
	}
	return k.issues, nil
}

// folioForm is what folios look like. The DGIS has not published how its own do.
var folioForm = regexp.MustCompile(`^[A-Z0-9-]{6,20}$`)

// order is the place of the newborn in the birth, from 1.
func order(r *sinac.Row) int {
	if n, ok := r.Int(sinac.Order); ok {
		return n
	}
	return 1
}

// marks returns which newborn a certificate is of: by the CURP of the mother, or by her
// name and birth date where she has none; and by the latter in any case.
func marks(mother *Person, r *sinac.Row) (guard, namesake string) {
	child := "|" + r[sinac.Born] + "|" + strconv.Itoa(order(r))
	namesake = digest("name|" + fold(mother.Name.String()) + "|" + mother.Born + child)
	if mother.CURP != "" {
		return digest("curp|" + mother.CURP + child), namesake
	}
	return namesake, namesake
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
