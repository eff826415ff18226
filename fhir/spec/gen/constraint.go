package main

import (
	"bytes"
	"fmt"
	"slices"
	"sort"
	"strings"
)

// constraint is an invariant of an element.
type constraint struct{ Key, Severity, Human, Expression string }

// corrected replaces expressions that 4.0.1 publishes with an error.
var corrected = map[string]string{
	// An "in" with several items on its left cannot be evaluated; FHIR-35990.
	"tim-9": "offset.empty() or (when.exists() and when.all(($this in ('C' | 'CM' | 'CD' | 'CV')).not()))",
	// Without a fullUrl, what is published comes to nothing instead of to true.
	"bdl-8": "fullUrl.empty() or fullUrl.contains('/_history/').not()",
	// "More than one" is what it says in words.
	"que-12": "enableWhen.count() > 1 implies enableBehavior.exists()",
	// Without a probability, what is published comes to nothing instead of to true.
	"ras-2": "probability.empty() or (probability is decimal implies (probability as decimal) <= 100)",
	// An element of the FHIR type is meant, not a System.Boolean.
	"que-7": "operator = 'exists' implies (answer is boolean)",
}

// labels gives every distinct constraint a label that no other has: its key, and
// a number where several constraints have been given one key.
func (d *definitions) labels() (map[constraint]string, []constraint) {
	var all []constraint
	seen := map[constraint]bool{}
	for _, s := range d.structures {
		for _, e := range s.Snapshot.Element {
			for _, c := range e.Constraint {
				if !seen[c] {
					seen[c] = true
					all = append(all, c)
				}
			}
		}
	}
	sort.Slice(all, func(i, j int) bool {
		a, b := all[i], all[j]
		if a.Key != b.Key {
			return a.Key < b.Key
		}
		return a.Expression < b.Expression
	})
	labels := map[constraint]string{}
	for i, c := range all {
		labels[c] = c.Key
		for n := 1; i >= n && all[i-n].Key == c.Key; n++ {
			labels[c] = fmt.Sprintf("%s#%d", c.Key, n+1)
		}
	}
	return labels, all
}

// writeConstraints writes every constraint once; types and elements name it.
func writeConstraints(b *bytes.Buffer, d *definitions) error {
	labels, all := d.labels()
	for _, c := range all {
		expression := c.Expression
		if better, ok := corrected[c.Key]; ok {
			expression = better
		}
		if strings.ContainsAny(expression+c.Human, "\t\n") {
			expression = strings.Join(strings.Fields(expression), " ")
			c.Human = strings.Join(strings.Fields(c.Human), " ")
		}
		fmt.Fprintf(b, "I\t%s\t%s\t%s\t%s\n", labels[c], c.Severity, expression, c.Human)
	}
	return nil
}

// constraintColumn lists the labels of the constraints in own that none of the
// types around has: "" when there are none.
func (d *definitions) constraintColumn(own []constraint, around ...string) string {
	if d.labelOf == nil {
		d.labelOf, _ = d.labels()
	}
	var labels []string
	for _, c := range own {
		if !slices.ContainsFunc(around, func(name string) bool { return d.constrained(name, c) }) {
			labels = append(labels, d.labelOf[c])
		}
	}
	return strings.Join(labels, ",")
}

// constrained reports whether the root of the type called name carries c.
func (d *definitions) constrained(name string, c constraint) bool {
	for s := d.structures[name]; s != nil; s = d.structures[strings.TrimPrefix(s.Base, structurePrefix)] {
		if slices.Contains(s.Snapshot.Element[0].Constraint, c) {
			return true
		}
	}
	return false
}
