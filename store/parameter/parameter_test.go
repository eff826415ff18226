package parameter_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store/parameter"
	"github.com/amate-health/amate/store/reindex"
	"github.com/amate-health/amate/store/storetest"
)

func asError(err error, into **fhir.Error) bool { return errors.As(err, into) }

// TestLife: a parameter from its definition to its end.
func TestLife(t *testing.T) {
	each(t, func(t *testing.T, kind, place string) {
		s := start(t, kind, place)
		s.put(patient("a", "green"), patient("b", "brown"))
		s.refuses("Patient", "eyes", "unknown search parameter")
		s.put(definition("eyes", "Patient", "eyes", "token", eyes))
		s.refuses("Patient", "eyes", "still being indexed", "/$reindex-status/search-parameters-1")
		s.put(patient("c", "green")) // is indexed at once
		s.run()
		s.ready("Patient", "eyes")
		s.finds("Patient", "eyes", "green", "a c")
		s.finds("Patient", "eyes", "brown", "b")
		s.finds("Patient", "eyes:missing", "true", "")
		s.put(patient("d", "brown"))
		s.finds("Patient", "eyes", "brown", "b d")
		if id := s.params.Catalogue().Lookup("Patient", "eyes").ID; id != search.FirstAdded {
			t.Errorf("it has the number %d", id)
		}

		s.put(definition("eyes", "Patient", "eyes", "token", "Patient.name.family")) // another expression
		s.refuses("Patient", "eyes", "still being indexed")
		s.ready("Patient", "eyes")
		s.finds("Patient", "eyes", "green", "")
		s.put(definition("eyes", "Patient", "eyes", "string", "Patient.name.family")) // another type
		s.ready("Patient", "eyes")
		s.finds("Patient", "eyes", "ek", "a b c d")
		s.put(definition("eyes", "Patient", "gaze", "string", "Patient.name.family")) // another code: nothing to do
		s.finds("Patient", "gaze", "ek", "a b c d")
		s.refuses("Patient", "eyes", "unknown search parameter")

		retired := strings.Replace(definition("eyes", "Patient", "gaze", "string", "Patient.name.family"), `"active"`, `"retired"`, 1)
		s.put(retired)
		s.refuses("Patient", "gaze", "unknown search parameter")
		s.idle()
		s.unindexed(search.FirstAdded)
		s.put(definition("eyes", "Patient", "eyes", "token", eyes))
		s.ready("Patient", "eyes")
		s.finds("Patient", "eyes", "green", "a c")
		if id := s.params.Catalogue().Lookup("Patient", "eyes").ID; id != search.FirstAdded {
			t.Errorf("back again, it has the number %d", id)
		}
		s.remove("SearchParameter/eyes")
		s.refuses("Patient", "eyes", "unknown search parameter")
		s.idle()
		s.unindexed(search.FirstAdded)
		s.put(definition("other", "Patient", "eyes", "token", eyes))
		if id := s.params.Catalogue().Lookup("Patient", "eyes").ID; id != search.FirstAdded+1 {
			t.Errorf("another one has the number %d", id)
		}
		s.ready("Patient", "eyes")
		s.finds("Patient", "eyes", "green", "a c")
	})
}

// unindexed expects that nothing is indexed under a number any more: making the rows
// anew with the parameters of R4 alone, for Patients, changes nothing.
func (s *server) unindexed(id uint16) {
	s.Helper()
	if s.params.Catalogue().ByID(id) != nil {
		s.Errorf("%d is a parameter still", id)
	}
	found, err := s.Search(s.Context(), &search.Query{Type: "Patient", Count: 5000, Restriction: search.Unrestricted})
	if err != nil {
		s.Fatal(err)
	}
	var refs []fhir.Ref
	for i := range found.Matches {
		refs = append(refs, found.Matches[i].Ref.Current())
	}
	n, err := s.Reindex(s.Context(), refs, s.params.Indexer(parameter.Indexing{}), false)
	if err != nil || n != 0 {
		s.Errorf("%d of %d resources had rows that should be gone, %v", n, len(refs), err)
	}
}

// TestWrites: resources that come and change while the index is filled are all found
// when that is complete, and by what they are then.
func TestWrites(t *testing.T) {
	each(t, func(t *testing.T, kind, place string) {
		const before, writers = 2000, 4
		colours := []string{"green", "brown", "blue"}
		s := start(t, kind, place)
		for i := 0; i < before; i += 100 {
			var all []string
			for j := i; j < i+100; j++ {
				all = append(all, patient(fmt.Sprint("p", j), colours[j%3]))
			}
			s.put(all...)
		}
		second := start(t, kind, place) // hears of the parameter a little later
		s.run()
		second.run()
		var stop atomic.Bool
		var wg sync.WaitGroup
		want := make([]map[string]string, writers) // the last colour that was acknowledged
		for w := range writers {
			on := []*server{s, second}[w%2]
			want[w] = map[string]string{}
			wg.Go(func() {
				for i := 0; !stop.Load(); i++ {
					id := fmt.Sprint("p", (i*writers+w)%(before+400)) // of those no other writes
					colour := colours[(i+w)%3]
					change := on.change(patient(id, colour))
					time.Sleep(time.Duration(i%3) * time.Millisecond) // between it is indexed and written
					if _, err := on.Apply(t.Context(), &bundle.Batch{Changes: []bundle.Change{change}}); err != nil {
						t.Error(err)
						return
					}
					want[w][id] = colour
				}
			})
		}
		time.Sleep(100 * time.Millisecond)
		s.put(definition("eyes", "Patient", "eyes", "token", eyes))
		s.ready("Patient", "eyes")
		second.ready("Patient", "eyes")
		time.Sleep(50 * time.Millisecond)
		stop.Store(true)
		wg.Wait()
		s.idle() // one of them may have heard of it late, and then looks after what it wrote
		expected := map[string]string{}
		for i := range before {
			expected[fmt.Sprint("p", i)] = colours[i%3]
		}
		changed := 0
		for _, m := range want {
			for id, colour := range m {
				expected[id] = colour
				changed++
			}
		}
		t.Logf("%d resources were written meanwhile", changed)
		got := map[string]string{}
		for _, colour := range colours {
			ids, err := s.find("Patient", "eyes", colour)
			if err != nil {
				t.Fatal(err)
			}
			for _, id := range strings.Fields(ids) {
				if got[id] != "" {
					t.Errorf("%s is %s and %s", id, got[id], colour)
				}
				got[id] = colour
			}
		}
		wrong := 0
		for id, colour := range expected {
			if got[id] != colour {
				wrong++
			}
		}
		if wrong > 0 || len(got) != len(expected) {
			t.Errorf("of %d resources %d are found, %d wrongly or not", len(expected), len(got), wrong)
		}
		s.remove("SearchParameter/eyes")
		s.idle()
		s.unindexed(search.FirstAdded)
	})
}

// TestLate: a server that stood still, and hears of a parameter when its index is filled,
// has what it wrote meanwhile indexed once more.
func TestLate(t *testing.T) {
	each(t, func(t *testing.T, kind, place string) {
		s, late := start(t, kind, place), start(t, kind, place)
		s.put(patient("a", "green"), definition("kin", "Patient", "kin", "string", "Patient.name.family"))
		if err := late.params.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.run()
		s.idle()
		s.put(definition("eyes", "Patient", "eyes", "token", eyes))
		s.idle()
		s.finds("Patient", "eyes", "green", "a")
		late.put(patient("b", "green")) // it knows of no eyes
		time.Sleep(settle)
		if err := late.params.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.idle()
		s.finds("Patient", "eyes", "green", "a b")
		if err := late.params.Refresh(t.Context()); err != nil { // there is nothing new
			t.Fatal(err)
		}
		if jobs, err := s.queue.Open(t.Context(), ""); err != nil || len(jobs) != 0 {
			t.Errorf("jobs: %+v, %v", jobs, err)
		}
	})
}

// TestKilled: a server that dies while it fills the index is replaced by another,
// which goes on.
func TestKilled(t *testing.T) {
	const resources = 6000
	if argument := storetest.Child(); argument != "" {
		kind, place, _ := strings.Cut(argument, " ")
		s := start(t, kind, place)
		s.put(definition("eyes", "Patient", "eyes", "token", eyes))
		s.run()
		storetest.Say("began")
		<-t.Context().Done()
		return
	}
	each(t, func(t *testing.T, kind, place string) {
		s := start(t, kind, place)
		for i := 0; i < resources; i += 500 {
			var all []string
			for j := i; j < i+500; j++ {
				all = append(all, patient(fmt.Sprint("p", j), "green"))
			}
			s.put(all...)
		}
		storetest.KillChild(t, "TestKilled", kind+" "+place, 100*time.Millisecond)
		jobs, err := s.queue.Open(t.Context(), reindex.Kind)
		if err != nil || len(jobs) != 1 {
			t.Fatalf("after the death: %+v, %v", jobs, err)
		}
		s.run()
		s.ready("Patient", "eyes")
		found, err := s.find("Patient", "eyes", "green")
		if n := len(strings.Fields(found)); err != nil || n != resources {
			t.Errorf("%d are found, %v", n, err)
		}
		if j, err := s.queue.Get(t.Context(), jobs[0].ID); err != nil || j.Done != resources || j.Total != resources {
			t.Errorf("%+v, %v", j, err)
		}
	})
}

// TestForgotten: a resource whose server died before anyone heard of it is found at
// the next start, and so is its deletion.
func TestForgotten(t *testing.T) {
	each(t, func(t *testing.T, kind, place string) {
		s := start(t, kind, place)
		s.put(patient("a", "green"))
		change := s.change(definition("eyes", "Patient", "eyes", "token", eyes))
		if _, err := s.engine.Apply(t.Context(), &bundle.Batch{Changes: []bundle.Change{change}}); err != nil {
			t.Fatal(err)
		}
		next := start(t, kind, place)
		next.run()
		next.ready("Patient", "eyes")
		next.finds("Patient", "eyes", "green", "a")
		gone := bundle.Change{Op: bundle.Delete, Ref: fhir.Ref{Type: "SearchParameter", ID: "eyes"}}
		if _, err := s.engine.Apply(t.Context(), &bundle.Batch{Changes: []bundle.Change{gone}}); err != nil {
			t.Fatal(err)
		}
		last := start(t, kind, place)
		last.refuses("Patient", "eyes", "unknown search parameter")
		next.until("the other has heard of it", func() bool { return next.params.Catalogue().Lookup("Patient", "eyes") == nil })
		next.idle()
		next.unindexed(search.FirstAdded)
	})
}

// TestManyServers: servers that add parameters at the same time give each a number
// of its own, and know the same in the end.
func TestManyServers(t *testing.T) {
	each(t, func(t *testing.T, kind, place string) {
		const servers, each = 3, 5
		var all []*server
		for range servers {
			s := start(t, kind, place)
			s.run()
			all = append(all, s)
		}
		all[0].put(patient("a", "green"))
		var wg sync.WaitGroup
		for n, s := range all {
			wg.Go(func() {
				for i := range each {
					code := fmt.Sprintf("c%d-%d", n, i)
					if _, err := s.Apply(t.Context(), &bundle.Batch{Changes: []bundle.Change{s.change(definition(code, "Patient", code, "token", eyes))}}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		numbers := map[uint16]string{}
		for n := range servers {
			for i := range each {
				code := fmt.Sprintf("c%d-%d", n, i)
				for _, s := range all {
					s.ready("Patient", code)
					s.finds("Patient", code, "green", "a")
					id := s.params.Catalogue().Lookup("Patient", code).ID
					if numbers[id] != "" && numbers[id] != code {
						t.Errorf("%d stands for %s and %s", id, code, numbers[id])
					}
					numbers[id] = code
				}
			}
		}
		if len(numbers) != servers*each {
			t.Errorf("%d numbers", len(numbers))
		}
	})
}

// TestKinds: parameters of every type, for one base or several, with what they are
// searched by.
func TestKinds(t *testing.T) {
	each(t, func(t *testing.T, kind, place string) {
		s := start(t, kind, place)
		s.put(
			`{"resourceType":"Organization","id":"o","name":"Clínica"}`,
			`{"resourceType":"Patient","id":"a","birthDate":"2020-02-03","multipleBirthInteger":2,"managingOrganization":{"reference":"Organization/o"},"communication":[{"language":{"coding":[{"system":"urn:l","code":"es"}]},"preferred":true}],"contact":[{"name":{"family":"Muñoz"}}]}`,
			`{"resourceType":"Observation","id":"x","status":"final","code":{"coding":[{"system":"urn:c","code":"w"}]},"referenceRange":[{"low":{"value":3,"unit":"kg"}}]}`,
			`{"resourceType":"PlanDefinition","id":"y","status":"draft","library":["http://example.org/lib"]}`,
			definition("birth", "Patient", "born", "date", "Patient.birthDate"),
			definition("multiple", "Patient", "multiple", "number", "Patient.multipleBirth"),
			definition("org", "Patient", "manager", "reference", "Patient.managingOrganization", `,"target":["Organization"]`),
			definition("speaks", "Patient", "speaks", "token", "Patient.communication.language"),
			definition("kin", "Patient", "kin", "string", "Patient.contact.name.family"),
			definition("low", "Observation", "low", "quantity", "Observation.referenceRange.low"),
			definition("library", "PlanDefinition", "uses", "uri", "PlanDefinition.library"),
			definition("any", "Resource", "rules", "uri", "Resource.implicitRules"),
			definition("prefers", "Patient", "prefers", "composite", "Patient.communication",
				`,"component":[{"definition":"http://example.org/SearchParameter/speaks","expression":"language"},{"definition":"http://hl7.org/fhir/SearchParameter/Patient-active","expression":"preferred"}]`),
			definition("both", "Observation", "coded", "token", "Observation.code | Condition.code"),
		)
		s.run()
		s.idle()
		for _, c := range [][4]string{
			{"Patient", "born", "2020-02", "a"}, {"Patient", "born", "2021", ""}, {"Patient", "multiple", "gt1", "a"},
			{"Patient", "manager", "Organization/o", "a"}, {"Patient", "manager.name", "clinica", "a"},
			{"Organization", "_has:Patient:manager:born", "2020", "o"},
			{"Patient", "speaks", "urn:l|es", "a"}, {"Patient", "kin", "munoz", "a"}, {"Observation", "low", "3", "x"},
			{"PlanDefinition", "uses", "http://example.org/lib", "y"}, {"Patient", "prefers", "es$true", "a"}, {"Patient", "prefers", "es$false", ""},
			{"Patient", "_filter", "born eq 2020-02-03", "a"}, {"Observation", "coded", "w", "x"}, {"Observation", "rules:missing", "false", ""},
		} {
			s.finds(c[0], c[1], c[2], c[3])
		}
	})
}

// TestClash: a code that somebody has is not given twice, and is free once it is not
// needed any more.
func TestClash(t *testing.T) {
	each(t, func(t *testing.T, kind, place string) {
		s := start(t, kind, place)
		s.run()
		s.put(patient("a", "green"), definition("one", "Patient", "eyes", "token", eyes), definition("two", "Patient", "eyes", "string", "Patient.name.family"))
		s.ready("Patient", "eyes")
		s.finds("Patient", "eyes", "green", "a")
		s.remove("SearchParameter/one") // now there is room for the other
		s.ready("Patient", "eyes")
		s.finds("Patient", "eyes", "ek", "a")
	})
}

func TestCheck(t *testing.T) {
	e := engines["sqlite"]
	s := start(t, "sqlite", e.place(t))
	s.put(definition("eyes", "Patient", "eyes", "token", eyes))
	for name, c := range map[string]struct{ json, expression, words string }{
		"fine":             {definition("x", "Patient", "x", "token", eyes), "", ""},
		"itself":           {definition("eyes", "Patient", "eyes", "token", "Patient.language"), "", ""},
		"a draft":          {strings.Replace(definition("x", "Patient", "x", "token", "((("), "active", "draft", 1), "", ""},
		"one of R4 itself": {strings.Replace(definition("x", "Patient", "birthdate", "date", "Patient.birthDate"), "http://example.org/SearchParameter/x", "http://hl7.org/fhir/SearchParameter/individual-birthdate", 1), "", ""},
		"derived": {definition("x", "Patient", "name", "string", "Patient.name",
			`,"derivedFrom":"http://hl7.org/fhir/SearchParameter/Patient-name"`), "", ""},
		"no FHIRPath":      {definition("x", "Patient", "x", "token", "Patient.((("), "SearchParameter.expression", "FHIRPath"},
		"leads nowhere":    {definition("x", "Patient", "x", "token", "Patient.nothing"), "SearchParameter.expression", ""},
		"another type":     {definition("x", "Patient", "x", "date", "Patient.name"), "SearchParameter.expression", "date"},
		"a code of R4":     {definition("x", "Patient", "birthdate", "date", "Patient.birthDate"), "SearchParameter.code", "birthdate"},
		"an added code":    {definition("x", "Patient", "eyes", "token", eyes), "SearchParameter.code", "eyes"},
		"unknown base":     {definition("x", "Person2", "x", "token", eyes), "SearchParameter.base", "base"},
		"special":          {definition("x", "Patient", "x", "special", eyes), "SearchParameter.type", "special"},
		"no code":          {definition("x", "Patient", "", "token", eyes), "SearchParameter.code", "code"},
		"unknown part":     {definition("x", "Patient", "x", "composite", eyes, `,"component":[{"definition":"http://none","expression":"x"}]`), "SearchParameter.component.definition", "component"},
		"no part":          {definition("x", "Patient", "x", "composite", eyes), "SearchParameter.component", "component"},
		"unknown target":   {definition("x", "Patient", "x", "reference", "Patient.managingOrganization", `,"target":["Nobody"]`), "SearchParameter.target", "target"},
		"a code with dots": {definition("x", "Patient", "a.b:c", "token", eyes), "SearchParameter.code", "code"},
	} {
		d, err := element.Parse([]byte(c.json))
		if err != nil {
			t.Fatal(err)
		}
		issues := s.params.Check(d, 0)
		switch {
		case c.expression == "" && len(issues) > 0:
			t.Errorf("%s: %+v", name, issues)
		case c.expression != "" && (len(issues) != 1 || issues[0].Expression != c.expression || !strings.Contains(issues[0].Details, c.words) || issues[0].Severity != "error"):
			t.Errorf("%s: %+v, want %s and %q", name, issues, c.expression, c.words)
		}
	}
}

// TestUnchanged: what is known already costs nothing, and makes no job.
func TestUnchanged(t *testing.T) {
	e := engines["sqlite"]
	s := start(t, "sqlite", e.place(t))
	s.put(definition("eyes", "Patient", "eyes", "token", eyes))
	stamp := s.params.Stamp()
	if err := s.params.Changed(context.Background(), "eyes", "eyes", "none"); err != nil {
		t.Fatal(err)
	}
	if s.params.Stamp() != stamp {
		t.Errorf("the document went from %d to %d", stamp, s.params.Stamp())
	}
	if jobs, err := s.queue.Open(t.Context(), ""); err != nil || len(jobs) != 1 {
		t.Errorf("%+v, %v", jobs, err)
	}
}
