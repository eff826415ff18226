package summary

import (
	"strings"
	"time"

	"github.com/amate-health/amate/fhir/element"
)

// each calls f with the items of a member of n that is a list.
func each(d *element.Doc, n element.Node, name string, f func(element.Node)) {
	list := d.Get(n, name)
	if list == element.None || d.Kind(list) != element.Array {
		return
	}
	for c := d.First(list); c != element.None; c = d.Next(list, c) {
		f(c)
	}
}

// has reports whether a CodeableConcept, or one of a list of them, has a code. system "" is any.
func has(d *element.Doc, concept element.Node, system string, codes ...string) bool {
	if concept == element.None {
		return false
	}
	if d.Kind(concept) == element.Array {
		for c := d.First(concept); c != element.None; c = d.Next(concept, c) {
			if has(d, c, system, codes...) {
				return true
			}
		}
		return false
	}
	found := false
	each(d, concept, "coding", func(c element.Node) {
		if found || system != "" && d.TextAt(c, "system") != system {
			return
		}
		code := d.TextAt(c, "code")
		for _, want := range codes {
			found = found || code == want
		}
	})
	return found
}

// code returns the first code of a CodeableConcept, whatever its system.
func code(d *element.Doc, concept element.Node) string {
	is := ""
	each(d, concept, "coding", func(c element.Node) {
		if is == "" {
			is = d.TextAt(c, "code")
		}
	})
	return is
}

// names returns what a CodeableConcept is known as: its codings, or else its text.
func names(d *element.Doc, concept element.Node) []string {
	var all []string
	each(d, concept, "coding", func(c element.Node) {
		if is := d.TextAt(c, "code"); is != "" {
			all = append(all, d.TextAt(c, "system")+"|"+is)
		}
	})
	if all == nil {
		if t := strings.ToLower(strings.TrimSpace(d.TextAt(concept, "text"))); t != "" {
			all = append(all, " "+t) // no system begins with a space
		}
	}
	return all
}

// typed returns the member of n whose name begins with stem, such as "effective", and its name.
func typed(d *element.Doc, n element.Node, stem string) (element.Node, string) {
	for c := d.First(n); c != element.None; c = d.Next(n, c) {
		name := string(d.Name(c))
		if rest, ok := strings.CutPrefix(name, stem); ok && rest != "" && rest[0] >= 'A' && rest[0] <= 'Z' {
			return c, name
		}
	}
	return element.None, ""
}

// moment returns the date that an element[x] begins with, as written; "" for none.
func moment(d *element.Doc, n element.Node, stem string) string {
	c, name := typed(d, n, stem)
	switch {
	case c == element.None:
		return ""
	case strings.HasSuffix(name, "DateTime"), strings.HasSuffix(name, "Instant"):
		return d.Text(c)
	case strings.HasSuffix(name, "Period"):
		if start := d.TextAt(c, "start"); start != "" {
			return start
		}
		return d.TextAt(c, "end")
	}
	return ""
}

// reference returns what a member of n refers to, as written.
func reference(d *element.Doc, n element.Node, name string) string {
	return d.TextAt(d.Get(n, name), "reference")
}

// ended reports whether a date, with its whole extent, is before now. A month that is not
// over has not ended.
func ended(when string, now time.Time) bool {
	if when == "" {
		return false
	}
	at, ok := instant(when)
	if !ok {
		return false
	}
	switch {
	case len(when) == 4:
		at = at.AddDate(1, 0, 0)
	case len(when) == 7:
		at = at.AddDate(0, 1, 0)
	case len(when) == 10:
		at = at.AddDate(0, 0, 1)
	}
	return at.Before(now)
}

// instant reads a date or time.
func instant(when string) (time.Time, bool) {
	layout := time.RFC3339
	switch len(when) {
	case 4:
		layout = "2006"
	case 7:
		layout = "2006-01"
	case 10:
		layout = time.DateOnly
	}
	at, err := time.Parse(layout, when)
	return at, err == nil
}

// newer orders dates, the newest first; no date comes last.
func newer(a, b string) int {
	if len(a) > 10 && len(b) > 10 && a[len(a)-6:] != b[len(b)-6:] {
		at, oka := instant(a)
		bt, okb := instant(b)
		if oka && okb {
			return bt.Compare(at)
		}
	}
	return strings.Compare(b, a)
}
