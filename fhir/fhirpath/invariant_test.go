package fhirpath_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/fhirpath"
	"github.com/amate-health/amate/fhir/samples"
	"github.com/amate-health/amate/fhir/spec"
)

// invariants compiles each constraint once, with as read as R4 writes it: over many items.
type invariants map[string]*fhirpath.Expr

func (c invariants) get(t *testing.T, constraint *spec.Constraint) *fhirpath.Expr {
	t.Helper()
	e := c[constraint.Expression]
	if e == nil {
		var err error
		if e, err = fhirpath.Compile(constraint.Expression, fhirpath.Filtering); err != nil {
			t.Fatalf("%s: %v", constraint.Key, err)
		}
		c[constraint.Expression] = e
	}
	return e
}

// TestInvariantsCompile compiles every constraint of R4, and checks it against the
// definitions of the type that it is about.
func TestInvariantsCompile(t *testing.T) {
	keys, cache := map[string]bool{}, invariants{}
	try := func(about *spec.Type, c *spec.Constraint) {
		keys[c.Key] = true
		if err := cache.get(t, c).Check(nil, about); err != nil && !faulty[c.Key] {
			t.Errorf("%s of %s: %v\n\t%s", c.Key, about.Name, err, c.Expression)
		}
	}
	for _, typ := range everyType() {
		for _, c := range typ.Constraints {
			try(typ, c)
		}
		for i := range typ.Elements {
			for _, c := range typ.Elements[i].Constraints {
				if e := &typ.Elements[i]; e.Type != nil {
					try(e.Type, c)
				}
			}
		}
	}
	if len(keys) < 190 {
		t.Errorf("only %d constraints are in the table", len(keys))
	}
	t.Logf("%d constraints", len(keys))
}

// everyType returns the types that resources are made of, abstract ones included.
func everyType() []*spec.Type {
	var all []*spec.Type
	seen := map[*spec.Type]bool{nil: true}
	var add func(t *spec.Type)
	add = func(t *spec.Type) {
		if seen[t] {
			return
		}
		seen[t] = true
		all = append(all, t)
		add(t.Base)
		for i := range t.Elements {
			add(t.Elements[i].Type)
		}
	}
	for _, name := range spec.Resources() {
		add(spec.TypeOf(name))
	}
	return all
}

// faulty are constraints that R4 publishes on a type without the element that they
// name: ChargeItemDefinition has no name, and a decimal probability no low.
var faulty = map[string]bool{"cid-0": true, "ras-1": true}

// TestInvariantsRun evaluates every constraint on every element that it is about, in
// all published examples: none may end in an error.
func TestInvariantsRun(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(samples.Path(t, "r4-examples"), "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatal("no examples", err)
	}
	cache, failed, evaluated := invariants{}, map[string]int{}, 0
	every, err := fhirpath.Compile("$this | descendants()")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if len(src) > 300_000 {
			continue // the definitions of all types add minutes and nothing new
		}
		d, err := element.Parse(src)
		if err != nil {
			t.Fatal(err)
		}
		root := fhirpath.Root(d, 0)
		env := &fhirpath.Env{Resource: root, Steps: 20_000_000}
		items, err := every.EvalItem(root, env)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		hold := func(i fhirpath.Item, list []*spec.Constraint) {
			for _, c := range list {
				evaluated++
				if ok, err := cache.get(t, c).Holds(i, env); err != nil {
					t.Errorf("%s: %s: %v\n\t%s", filepath.Base(file), c.Key, err, c.Expression)
				} else if !ok {
					failed[c.Key]++
				}
			}
		}
		for _, i := range items {
			for typ := i.Type; typ != nil; typ = typ.Base {
				hold(i, typ.Constraints)
			}
			if i.Type == nil || i.Node == element.None {
				continue
			}
			for n := range i.Type.Elements {
				e := &i.Type.Elements[n]
				if len(e.Constraints) == 0 || e.Choice != "" || d.Get(i.Node, e.Name) == element.None {
					continue
				}
				members, err := cache.get(t, &spec.Constraint{Expression: "`" + e.Name + "`"}).EvalItem(i, env)
				if err != nil {
					t.Fatal(err)
				}
				for _, m := range members {
					hold(m, e.Constraints)
				}
			}
		}
	}
	t.Logf("%d evaluations; constraints that do not hold: %v", evaluated, failed)
}
