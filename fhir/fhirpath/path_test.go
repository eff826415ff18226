package fhirpath_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/fhirpath"
	"github.com/amate-health/amate/fhir/samples"
	"github.com/amate-health/amate/fhir/spec"
)

// TestSearchExpressions compiles the expression of every search parameter of every
// type. All but one have a direct plan.
func TestSearchExpressions(t *testing.T) {
	evaluated := map[string]bool{"Patient.deceased.exists() and Patient.deceased != false": true}
	compiled := 0
	for _, typ := range spec.Resources() {
		for _, p := range spec.Params(typ) {
			if p.Expression == "" {
				continue
			}
			e, err := fhirpath.Compile(p.Expression, fhirpath.Filtering)
			if err != nil {
				t.Errorf("%s.%s: %v", typ, p.Code, err)
				continue
			}
			compiled++
			paths, ok := e.Paths(spec.TypeOf(typ))
			if ok == evaluated[p.Expression] {
				t.Errorf("%s.%s: direct plan: %t: %s", typ, p.Code, ok, p.Expression)
			}
			if ok && len(paths) == 0 {
				t.Errorf("%s.%s leads nowhere: %s", typ, p.Code, p.Expression)
			}
			for _, c := range p.Components {
				if _, err := fhirpath.Compile(c.Expression, fhirpath.Filtering); err != nil {
					t.Errorf("%s.%s, component %s: %v", typ, p.Code, c.Definition, err)
				}
			}
		}
	}
	if compiled < 1384 {
		t.Errorf("only %d expressions", compiled)
	}
}

// TestPlansAgree holds, for every example, that walking the direct plan of each
// parameter finds the same elements as evaluating its expression.
func TestPlansAgree(t *testing.T) {
	files, err := filepath.Glob(samples.Path(t, "r4-examples") + "/*.json")
	if err != nil || len(files) < 300 {
		t.Fatalf("%d examples, %v", len(files), err)
	}
	found := 0
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		d, err := element.Parse(src)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		root := fhirpath.Root(d, 0)
		if root.Type == nil {
			continue
		}
		for _, p := range spec.Params(root.Type.Name) {
			if p.Expression == "" {
				continue
			}
			e, err := fhirpath.Compile(p.Expression, fhirpath.Filtering)
			if err != nil {
				t.Fatal(err)
			}
			paths, ok := e.Paths(root.Type)
			if !ok {
				continue
			}
			var walked, evaluated []element.Node
			for i := range paths {
				paths[i].Walk(d, 0, func(n element.Node) { walked = append(walked, n) })
			}
			out, err := e.Eval(d, 0, nil)
			if err != nil {
				t.Fatalf("%s, %s: %v", file, p.Expression, err)
			}
			for _, i := range out {
				if i.Node != element.None {
					evaluated = append(evaluated, i.Node)
				}
			}
			found += len(evaluated)
			// A union drops equal values, which a walk keeps.
			for _, n := range evaluated {
				if !slices.Contains(walked, n) && !contained(d, n) {
					t.Errorf("%s, %s: the plan misses node %d", filepath.Base(file), p.Expression, n)
				}
			}
			for _, n := range walked {
				if !slices.ContainsFunc(evaluated, func(o element.Node) bool { return o == n || same(d, o, n) }) {
					t.Errorf("%s, %s: the plan finds node %d too much", filepath.Base(file), p.Expression, n)
				}
			}
		}
	}
	if found < 3000 {
		t.Errorf("only %d elements found", found)
	}
}

// contained reports whether n is a Reference into the resource itself, which a
// filter does not follow.
func contained(d *element.Doc, n element.Node) bool {
	ref := d.Get(n, "reference")
	return ref != element.None && d.Text(ref)[0] == '#'
}

func same(d *element.Doc, a, b element.Node) bool { return string(d.Raw(a)) == string(d.Raw(b)) }

func TestWalkIndexAndFilter(t *testing.T) {
	d, err := element.Parse([]byte(`{"resourceType":"Bundle","entry":[
		{"resource":{"resourceType":"Composition","id":"a"}},
		{"resource":{"resourceType":"Patient","id":"b"}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for expr, want := range map[string][]string{
		"Bundle.entry[0].resource":  {"a"},
		"Bundle.entry[1].resource":  {"b"},
		"Bundle.entry[2].resource":  nil,
		"Bundle.entry.resource":     {"a", "b"},
		"Composition.entry.section": nil,
	} {
		e, err := fhirpath.Compile(expr)
		if err != nil {
			t.Fatal(err)
		}
		paths, ok := e.Paths(spec.TypeOf("Bundle"))
		if !ok {
			t.Fatalf("%s has no plan", expr)
		}
		var got []string
		for _, p := range paths {
			p.Walk(d, 0, func(n element.Node) { got = append(got, d.Text(d.Get(n, "id"))) })
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", expr, got, want)
		}
	}
}

func BenchmarkWalk(b *testing.B) {
	d, err := element.Parse([]byte(`{"resourceType":"Patient","id":"x","active":true,"name":[{"family":"Ek","given":["Ana","Luz"]}]}`))
	if err != nil {
		b.Fatal(err)
	}
	e, _ := fhirpath.Compile("Patient.name.given")
	paths, _ := e.Paths(spec.TypeOf("Patient"))
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		paths[0].Walk(d, 0, func(element.Node) { n++ })
	}
}

func BenchmarkEval(b *testing.B) {
	d, err := element.Parse([]byte(`{"resourceType":"Patient","id":"x","active":true,"name":[{"use":"official","family":"Ek","given":["Ana","Luz"]}]}`))
	if err != nil {
		b.Fatal(err)
	}
	e, _ := fhirpath.Compile("Patient.name.where(use='official').given")
	b.ReportAllocs()
	for b.Loop() {
		if out, err := e.Eval(d, 0, nil); err != nil || len(out) != 2 {
			b.Fatal(out, err)
		}
	}
}
