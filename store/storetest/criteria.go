package storetest

import (
	"fmt"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/search"
)

// identified is a Patient with an identifier.
func identified(id, value string) string {
	return fmt.Sprintf(`{"resourceType":"Patient","id":%q,"identifier":[{"system":"urn:curp","value":%q}]}`, id, value)
}

// when returns c under the condition of a search.
func (f *fixture) when(text string, c bundle.Change) bundle.Change {
	c.Where = query(f, text)
	return c
}

// creating returns the Change that creates a resource given as JSON.
func creating(f *fixture, json string) bundle.Change {
	c := resource(f, json)
	c.Op = bundle.Create
	return c
}

var criteriaTests = map[string]func(*fixture){
	"create unless there": func(f *fixture) {
		const same = "Patient?identifier=urn:curp|1"
		if r := f.apply(f.when(same, creating(f, identified("a", "1"))))[0]; r.Outcome != bundle.Created || r.Resource.Ref.ID != "a" {
			f.Errorf("first: %+v", r)
		}
		r := f.apply(f.when(same, creating(f, identified("b", "1"))))[0]
		if r.Outcome != bundle.Unchanged || r.Resource.Ref != ref("Patient/a/_history/1") || len(r.Resource.JSON) == 0 {
			f.Errorf("second: %+v", r)
		}
		f.gone("Patient/b", fhir.NotFound)
		f.load(identified("c", "1"))
		f.refuse(fhir.MultipleMatches, 0, f.when(same, creating(f, identified("d", "1"))))
	},
	"create unless there, twice in a batch": func(f *fixture) {
		const same = "Patient?identifier=urn:curp|1"
		r := f.apply(f.when(same, creating(f, identified("a", "1"))), f.when(same, creating(f, identified("b", "1"))))
		if r[0].Outcome != bundle.Created || r[1].Outcome != bundle.Unchanged || r[1].Resource.Ref != r[0].Resource.Ref {
			f.Errorf("%+v", r)
		}
		f.finds(same, "a")
	},
	"update by criterion": func(f *fixture) {
		const same = "Patient?identifier=urn:curp|1"
		if r := f.apply(f.when(same, resource(f, identified("a", "1"))))[0]; r.Outcome != bundle.Created || r.Resource.Ref.ID != "a" {
			f.Errorf("no match: %+v", r)
		}
		changed := resource(f, `{"resourceType":"Patient","id":"x","identifier":[{"system":"urn:curp","value":"1"}],"active":true}`)
		if r := f.apply(f.when(same, changed))[0]; r.Outcome != bundle.Updated || r.Resource.Ref != ref("Patient/a/_history/2") {
			f.Errorf("one match: %+v", r)
		}
		fixed := f.when(same, resource(f, identified("other", "1")))
		fixed.FixedID = true
		f.refuse(fhir.Invalid, 0, fixed)
		taken := f.when("Patient?identifier=urn:curp|2", resource(f, identified("a", "2")))
		taken.FixedID = true
		f.refuse(fhir.Conflict, 0, taken)
		f.load(identified("c", "1"))
		f.refuse(fhir.MultipleMatches, 0, f.when(same, resource(f, identified("d", "1"))))
	},
	"version and criterion": func(f *fixture) {
		f.load(identified("a", "1"))
		c := f.when("Patient?identifier=urn:curp|1", resource(f, `{"resourceType":"Patient","id":"a","active":true}`))
		c.IfMatch = 2
		f.refuse(fhir.Stale, 0, c)
		c.IfMatch = 1
		f.apply(c)
	},
	"patch by criterion": func(f *fixture) {
		f.load(identified("a", "1"), identified("b", "2"), identified("c", "2"))
		patch := func(text string) bundle.Change {
			return f.when(text, bundle.Change{Op: bundle.Patch, Ref: ref("Patient/unused"), Build: fixed("patched", search.Index{})})
		}
		if r := f.apply(patch("Patient?identifier=1"))[0]; r.Outcome != bundle.Updated || r.Resource.Ref != ref("Patient/a/_history/2") {
			f.Errorf("one match: %+v", r)
		}
		f.refuse(fhir.NotFound, 0, patch("Patient?identifier=9"))
		f.refuse(fhir.MultipleMatches, 0, patch("Patient?identifier=2"))
	},
	"delete by criterion": func(f *fixture) {
		f.load(identified("a", "1"), identified("b", "2"), identified("c", "2"))
		by := func(text string, many bool) bundle.Change {
			return f.when(text, bundle.Change{Op: bundle.Delete, Ref: fhir.Ref{Type: "Patient"}, Many: many})
		}
		if r := f.apply(by("Patient?identifier=9", false))[0]; r.Outcome != bundle.Absent {
			f.Errorf("no match: %+v", r)
		}
		f.refuse(fhir.MultipleMatches, 0, by("Patient?identifier=2", false))
		if r := f.apply(by("Patient?identifier=1", false))[0]; r.Outcome != bundle.Removed || r.Resource.Ref != ref("Patient/a/_history/2") {
			f.Errorf("one match: %+v", r)
		}
		r := f.apply(by("Patient?identifier=2", true))[0]
		if r.Outcome != bundle.Removed || len(r.Deleted) != 2 {
			f.Errorf("many: %+v", r)
		}
		if r := f.apply(by("Patient?identifier=2", true))[0]; r.Outcome != bundle.Absent || len(r.Deleted) != 0 {
			f.Errorf("many, again: %+v", r)
		}
		f.finds("Patient", "")
	},
	"conditional references": func(f *fixture) {
		f.load(identified("a", "1"), identified("b", "2"), identified("c", "2"))
		refers := func(lookup string) (bundle.Result, error) {
			c := bundle.Change{Op: bundle.Create, Ref: ref("Observation/o"),
				Build: func(env *bundle.Env, at fhir.Ref, _ *fhir.Resource) (*bundle.Content, error) {
					return resource(f, observation(at.ID, env.Lookups[0].String(), "x", "2020", "1")).Build(env, at, nil)
				}}
			r, err := f.s.Apply(f.ctx, &bundle.Batch{Changes: []bundle.Change{c}, Lookups: []*search.Query{query(f, lookup)}})
			if err != nil {
				return bundle.Result{}, err
			}
			return r[0], nil
		}
		_, err := refers("Patient?identifier=2")
		f.failed(err, fhir.MultipleMatches, -1)
		_, err = refers("Patient?identifier=9")
		f.failed(err, fhir.Unprocessable, -1)
		if _, err := refers("Patient?identifier=1"); err != nil {
			f.Fatal(err)
		}
		f.finds("Observation?patient=a", "o")
	},
	"a reference to what the batch creates": func(f *fixture) {
		const same = "Patient?identifier=urn:curp|1"
		observe := func(id string) bundle.Change {
			return bundle.Change{Op: bundle.Create, Ref: ref("Observation/" + id),
				Build: func(env *bundle.Env, at fhir.Ref, _ *fhir.Resource) (*bundle.Content, error) {
					return resource(f, observation(at.ID, env.Targets[0].String(), "x", "2020", "1")).Build(env, at, nil)
				}}
		}
		f.apply(f.when(same, creating(f, identified("a", "1"))), observe("o1"))
		f.apply(f.when(same, creating(f, identified("b", "1"))), observe("o2"))
		f.finds("Observation?patient=a", "o1 o2")
		f.gone("Patient/b", fhir.NotFound)
		// A conditional reference finds what the same batch makes under that criterion.
		late := bundle.Change{Op: bundle.Create, Ref: ref("Observation/o3"),
			Build: func(env *bundle.Env, at fhir.Ref, _ *fhir.Resource) (*bundle.Content, error) {
				return resource(f, observation(at.ID, env.Lookups[0].String(), "x", "2020", "1")).Build(env, at, nil)
			}}
		const other = "Patient?identifier=urn:curp|5"
		_, err := f.s.Apply(f.ctx, &bundle.Batch{
			Changes: []bundle.Change{f.when(other, creating(f, identified("e", "5"))), late}, Lookups: []*search.Query{query(f, other)},
		})
		if err != nil {
			f.Fatal(err)
		}
		f.finds("Observation?patient=e", "o3")
	},
	"a conditional reference to what the batch creates without a condition": func(f *fixture) {
		refers := func(id string) bundle.Change {
			return bundle.Change{Op: bundle.Create, Ref: ref("Observation/" + id),
				Build: func(env *bundle.Env, at fhir.Ref, _ *fhir.Resource) (*bundle.Content, error) {
					patient := "Patient/open"
					if env.Lookups[0] != (fhir.Ref{}) {
						patient = env.Lookups[0].String()
					}
					return resource(f, observation(at.ID, patient, "x", "2020", "1")).Build(env, at, nil)
				}}
		}
		apply := func(lookup string, changes ...bundle.Change) error {
			_, err := f.s.Apply(f.ctx, &bundle.Batch{Changes: changes, Lookups: []*search.Query{query(f, lookup)}})
			return err
		}
		if err := apply("Patient?identifier=urn:curp|1", refers("o1"), creating(f, identified("a", "1")), creating(f, identified("b", "2"))); err != nil {
			f.Fatal(err)
		}
		f.finds("Observation?patient=a", "o1")
		err := apply("Patient?identifier=urn:curp|3", refers("o2"), creating(f, identified("c", "3")), creating(f, identified("d", "3")))
		f.failed(err, fhir.MultipleMatches, -1)
		err = apply("Patient?identifier=urn:curp|4", refers("o2"), creating(f, identified("c", "3")))
		f.failed(err, fhir.Unprocessable, -1)
		f.gone("Patient/c", fhir.NotFound)
	},
}
