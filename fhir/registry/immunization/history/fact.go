package history

import (
	_ "embed"
	"strings"
	"sync"

	"github.com/amate-health/amate/fhir/registry/immunization/code"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
)

// observation.tsv tells by which codes records write CDC's observations, which schedules
// ask for by number: from CDC's CDSi supporting data (SNOMED CT codes, and CVX codes for
// allergies to a vaccine; public domain), with those of CIE-10 and, for antibodies, of
// LOINC added. s is SNOMED CT, i CIE-10, l LOINC and c CVX; a star stands for any rest.
//
//go:embed observation.tsv
var observationFile string

// Kinds of facts.
const (
	problem   = "problem"   // a Condition, or an Observation that says so
	confirmed = "confirmed" // a Condition with verificationStatus confirmed
	lab       = "lab"       // an Observation with a positive result
	allergy   = "allergy"   // a severe AllergyIntolerance
	product   = "product"   // an Immunization, of what is no vaccine
)

const (
	icd10 = "http://hl7.org/fhir/sid/icd-10"
	loinc = "http://loinc.org"
)

// fact is an observation that a code stands for.
type fact struct {
	code   string // of the observation
	kind   string
	passes bool // it holds only while the record says so
}

// facts is the shared table by coding. Codes that end with * are filed under what stands
// before it, with the star.
var facts = sync.OnceValue(func() map[coding][]fact {
	all := map[coding][]fact{}
	systems := map[byte]string{'s': code.SystemSNOMED, 'i': icd10, 'l': loinc, 'c': code.SystemCVX}
	for line := range strings.Lines(observationFile) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if line[0] == '#' {
			continue
		}
		for c := range strings.SplitSeq(f[3], ",") {
			at := coding{systems[c[0]], c[2:]}
			all[at] = append(all[at], fact{code: f[0], kind: f[1], passes: f[2] == "now"})
		}
	}
	return all
})

// factsOf returns the table of a schedule's own.
func factsOf(s *schedule.Schedule) map[coding][]fact {
	var all map[coding][]fact
	for _, o := range s.Observations {
		kind := o.Kind
		if kind == "" {
			kind = problem
		}
		for _, c := range o.Codes {
			system, value, ok := strings.Cut(c, "|")
			if !ok {
				continue
			}
			if all == nil {
				all = map[coding][]fact{}
			}
			at := coding{code.System(system), value}
			all[at] = append(all[at], fact{code: o.Code, kind: kind, passes: o.Passes})
		}
	}
	return all
}

// meant calls f with the facts of the given kinds that one of the codings stands for.
func (r *Reader) meant(codings []coding, f func(fact), kinds ...string) {
	for _, c := range codings {
		if strings.Contains(c.system, "icd-10") || strings.Contains(c.system, "cie-10") {
			c.system = icd10
		}
		for _, table := range []map[coding][]fact{facts(), r.own} {
			if len(table) == 0 {
				continue
			}
			take(table[c], f, kinds)
			for n := 1; n <= len(c.code) && n <= maxStem; n++ {
				take(table[coding{c.system, c.code[:n] + "*"}], f, kinds)
			}
		}
	}
}

// maxStem is how long a code before a star is at most.
const maxStem = 8

func take(found []fact, f func(fact), kinds []string) {
	for _, one := range found {
		for _, k := range kinds {
			if one.kind == k {
				f(one)
			}
		}
	}
}
