package search_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/fhirpath"
	"github.com/amate-health/amate/fhir/samples"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
)

var escaper = strings.NewReplacer(`\`, `\\`, ",", `\,`, "|", `\|`, "$", `\$`)

// TestExamplesFindThemselves takes every value of every parameter in the published
// examples, writes it as a query would, and holds that the query finds the
// resource: so the two sides of each search type agree on real data.
func TestExamplesFindThemselves(t *testing.T) {
	files, err := filepath.Glob(samples.Path(t, "r4-examples") + "/*.json")
	if err != nil || len(files) < 300 {
		t.Fatalf("%d examples, %v", len(files), err)
	}
	asked := map[spec.SearchType]int{}
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		d, err := element.Parse(src)
		if err != nil {
			t.Fatal(err)
		}
		root := fhirpath.Root(d, 0)
		if root.Type == nil {
			continue
		}
		ix, err := search.Extract(d, 0, base)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		s := &search.Subject{Ref: fhir.Ref{Type: root.Type.Name}, Index: &ix}
		for _, p := range spec.Params(root.Type.Name) {
			if !search.Supported(p) || p.Type == spec.Composite || p.Type == spec.Special || p.Code == "_id" || p.Code == "_lastUpdated" {
				continue
			}
			for _, value := range valuesOf(t, d, root.Type, p) {
				q, err := search.Parse(root.Type.Name, []search.Param{{Name: p.Code, Value: value}}, search.Options{Base: base, Now: now})
				if err != nil {
					t.Errorf("%s: %s=%s: %v", filepath.Base(file), p.Code, value, err)
					continue
				}
				if ok, err := search.Holds(search.And(q.Where), s); err != nil || !ok {
					t.Errorf("%s is not found by %s=%s", filepath.Base(file), p.Code, value)
				}
				asked[p.Type]++
			}
		}
	}
	for typ, least := range map[spec.SearchType]int{spec.Token: 2000, spec.String: 300, spec.Reference: 1000, spec.Date: 200, spec.URI: 30, spec.Quantity: 30} {
		if asked[typ] < least {
			t.Errorf("only %d values of type %s", asked[typ], typ)
		}
	}
}

// valuesOf writes the values of p in a resource as queries would ask for them.
func valuesOf(t *testing.T, d *element.Doc, typ *spec.Type, p *spec.SearchParam) (all []string) {
	e, err := fhirpath.Compile(p.Expression, fhirpath.Filtering)
	if err != nil {
		t.Fatal(err)
	}
	paths, _ := e.Paths(typ)
	for i := range paths {
		paths[i].Walk(d, 0, func(n element.Node) { all = append(all, asQuery(d, n, paths[i].Type, p.Type)...) })
	}
	return all
}

func asQuery(d *element.Doc, n element.Node, t *spec.Type, search spec.SearchType) []string {
	text := func(name string) string {
		if c := d.Get(n, name); c != element.None && d.Kind(c) != element.Array {
			return escaper.Replace(d.Text(c))
		}
		return ""
	}
	switch {
	case t.Is("CodeableConcept"):
		var all []string
		if list := d.Get(n, "coding"); list != element.None {
			for c := d.First(list); c != element.None; c = d.Next(list, c) {
				all = append(all, asQuery(d, c, spec.TypeOf("Coding"), search)...)
			}
		}
		return all
	case t.Is("Coding"), t.Is("Identifier"):
		code, system := text("code"), text("system")
		if t.Is("Identifier") {
			code = text("value")
		}
		switch {
		case code == "" && system == "":
			return nil
		case code == "":
			return []string{system + "|"}
		}
		return []string{code, system + "|" + code}
	case t.Is("ContactPoint"):
		return nonEmpty(text("value"))
	case t.Is("HumanName"):
		return nonEmpty(text("family"), text("text"))
	case t.Is("Address"):
		return nonEmpty(text("city"), text("postalCode"), text("text"))
	case t.Is("Reference"):
		if ref := text("reference"); strings.HasPrefix(ref, "#") {
			return nil
		}
		return nonEmpty(text("reference"))
	case t.Is("Quantity"):
		if text("value") == "" || text("comparator") != "" {
			return nil
		}
		all := []string{text("value"), "ge" + text("value")}
		if text("code") != "" && text("system") != "" {
			all = append(all, text("value")+"|"+text("system")+"|"+text("code"))
		}
		if text("unit") != "" {
			all = append(all, "le"+text("value")+"||"+text("unit"))
		}
		return all
	case t != nil && t.Kind == spec.Primitive:
		if strings.HasPrefix(d.Text(n), "#") {
			return nil // into the resource itself
		}
		if search == spec.Date && !t.Is("date") && !t.Is("dateTime") && !t.Is("instant") {
			return nil // Procedure.performed can be a text as well
		}
		return nonEmpty(escaper.Replace(d.Text(n)))
	}
	return nil
}

func nonEmpty(list ...string) (all []string) {
	for _, s := range list {
		if s != "" {
			all = append(all, s)
		}
	}
	return all
}
