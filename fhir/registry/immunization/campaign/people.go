package campaign

import (
	"context"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/registry/identity"
	"github.com/amate-health/amate/fhir/search"
)

const atOnce = 400 // resources that are looked for in one search

// seen returns those of some resources of a type that a caller may see, by id.
func seen(ctx context.Context, s interface {
	Search(ctx context.Context, q *search.Query) (*search.Result, error)
}, r *search.Restriction, typ string, ids []string) (map[string]*fhir.Resource, error) {
	found := make(map[string]*fhir.Resource, len(ids))
	for from := 0; from < len(ids); from += atOnce {
		some := ids[from:min(from+atOnce, len(ids))]
		page, err := s.Search(ctx, &search.Query{Type: typ, Where: []search.Expr{search.IDs{Any: some}}, Count: len(some), Restriction: r})
		if err != nil {
			return nil, err
		}
		for i := range page.Matches {
			found[page.Matches[i].Ref.ID] = &page.Matches[i]
		}
	}
	return found, nil
}

// contact is how a person is found.
type contact struct{ curp, name, phone, sex, born string }

func contactOf(d *element.Doc) (c contact) {
	for n := range d.Items(0, "identifier") {
		if c.curp == "" && d.TextAt(n, "system") == identity.SystemCURP && d.TextAt(n, "use") != "old" {
			c.curp = d.TextAt(n, "value")
		}
	}
	for n := range d.Items(0, "name") {
		if use := d.TextAt(n, "use"); c.name == "" && use != "old" && use != "maiden" {
			c.name = nameOf(d, n)
		}
	}
	c.phone = phoneOf(d, 0)
	for n := range d.Items(0, "contact") {
		if c.phone == "" {
			c.phone = phoneOf(d, n)
		}
	}
	c.sex, c.born = d.TextAt(0, "gender"), d.TextAt(0, "birthDate")
	return c
}

// nameOf writes a HumanName as a list has it.
func nameOf(d *element.Doc, n element.Node) string {
	if text := d.TextAt(n, "text"); text != "" {
		return text
	}
	var words []string
	for g := range d.Items(n, "given") {
		words = append(words, d.Text(g))
	}
	return strings.TrimSpace(strings.Join(words, " ") + " " + d.TextAt(n, "family"))
}

// phoneOf returns a telephone of a Patient, or of who is named to be called for them.
func phoneOf(d *element.Doc, of element.Node) string {
	for n := range d.Items(of, "telecom") {
		if system := d.TextAt(n, "system"); (system == "phone" || system == "sms") && d.TextAt(n, "use") != "old" {
			return d.TextAt(n, "value")
		}
	}
	return ""
}

// plain keeps a spreadsheet from taking a text for a formula.
func plain(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) && strings.Trim(s, "+0123456789 ") != "" {
		return "'" + s
	}
	return s
}
