package search_test

import (
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/search"
)

// TestExtractConcurrently: the plans of the types are made while they are in use,
// and buffers go from hand to hand, yet everyone gets the same.
func TestExtractConcurrently(t *testing.T) {
	sources := []string{
		observation,
		`{"resourceType":"Patient","name":[{"family":"Ek"}],"birthDate":"1990-01-01","generalPractitioner":[{"reference":"Practitioner/1"}]}`,
		`{"resourceType":"Encounter","status":"finished","class":{"code":"AMB"},"period":{"start":"2020"},"subject":{"reference":"Patient/1"}}`,
		`{"resourceType":"Basic"}`,
	}
	docs := make([]*element.Doc, len(sources))
	for i, s := range sources {
		d, err := element.Parse([]byte(s))
		if err != nil {
			t.Fatal(err)
		}
		docs[i] = d
	}
	results := make([][]search.Index, 8)
	var wait sync.WaitGroup
	for g := range results {
		wait.Go(func() {
			for i := range 200 {
				ix, err := search.Extract(docs[(i+g)%len(docs)], 0, base)
				if err != nil {
					t.Error(err)
					return
				}
				if i < len(docs) {
					results[g] = append(results[g], ix)
				}
			}
		})
	}
	wait.Wait()
	for g := range results {
		for i, ix := range results[g] {
			if first := results[0][(i+g)%len(docs)]; !reflect.DeepEqual(ix, first) {
				t.Errorf("%+v differs from %+v", ix, first)
			}
		}
	}
}

// TestIndexOutlivesDoc: an Index keeps nothing of the text it came from.
func TestIndexOutlivesDoc(t *testing.T) {
	src := []byte(`{"resourceType":"Patient","name":[{"family":"ek"}],"generalPractitioner":[{"reference":"Practitioner/abc"}]}`)
	d, err := element.Parse(src)
	if err != nil {
		t.Fatal(err)
	}
	ix, err := search.Extract(d, 0, base)
	if err != nil {
		t.Fatal(err)
	}
	for i := range src {
		src[i] = '#'
	}
	if ix.Links[0].Target != (fhir.Ref{Type: "Practitioner", ID: "abc"}) || ix.Strings[0].Exact != "ek" {
		t.Errorf("%+v", ix)
	}
}

func TestNotAResource(t *testing.T) {
	for _, src := range []string{`{}`, `[]`, `{"resourceType":"Foo"}`, `{"resourceType":7}`, `"x"`, `{"resourceType":"HumanName"}`} {
		d, err := element.Parse([]byte(src))
		if err != nil {
			t.Fatal(err)
		}
		if ix, err := search.Extract(d, 0, base); fhir.CodeOf(err) != fhir.Invalid {
			t.Errorf("%s: %+v, %v", src, ix, err)
		}
	}
}

// FuzzExtract holds that no JSON, however far from FHIR, makes extraction panic or
// give an untidy index.
func FuzzExtract(f *testing.F) {
	for _, seed := range []string{
		observation,
		`{"resourceType":"Patient","name":"x","telecom":[1,null,[{}],{"system":7}],"birthDate":{"a":1},"deceasedBoolean":"x","identifier":{"value":""}}`,
		`{"resourceType":"Observation","code":[{"coding":{"code":"x"}}],"valueSampledData":{"origin":3,"data":"NaN Inf 0x1p-2 E"},"subject":"Patient/1","valueQuantity":[{"value":"1"}]}`,
		`{"resourceType":"PlanDefinition","relatedArtifact":[{"type":"successor","resource":""}],"library":["","|","#","|1"],"action":[{"definitionUri":""}]}`,
		`{"resourceType":"Bundle","entry":[null,{"resource":{"resourceType":"Composition","id":""}}]}`,
		`{"resourceType":"RiskAssessment","prediction":[{"probabilityRange":{"low":[],"high":{"value":1e999}}}]}`,
		`{"resourceType":"ServiceRequest","occurrenceTiming":{"event":["x",1],"repeat":[{"boundsPeriod":{"start":"0000"}}]}}`,
		`{"resourceType":"Encounter","subject":{"reference":"/"},"period":{"start":"9999-12-31T23:59:60.9999999+14:00"}}`,
		`{"resourceType":"Location","position":{"longitude":1e400,"latitude":"x"}}`,
		`{"resourceType":"Location","position":[{"longitude":1,"latitude":-91},{"latitude":90,"longitude":-180}]}`,
		`{"resourceType":"Observation","code":{"coding":[{"system":"a"},{"code":"","display":"x"},{"code":"c","display":{"a":1}}],"text":7},"valueQuantity":{"value":1e308,"system":"http://unitsofmeasure.org","code":"kg"},"component":[{"code":null,"valueQuantity":{"value":0}},{}]}`,
		`{"resourceType":"Patient","text":{"div":"<div><!-- <b> x & &#0; &#x1F600; <"},"identifier":[{"type":{"coding":{"code":"x"},"text":[]},"value":"1"}],"contained":[{"resourceType":"Patient","contained":[{}]}]}`,
		`{"resourceType":"DocumentReference","relatesTo":[{"code":"replaces","target":{"reference":"#a"}},{"target":{"identifier":{}}}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		d, err := element.Parse(src)
		if err != nil {
			return
		}
		ix, err := search.Indexing{Base: base, FullText: true}.Extract(d, 0)
		if err != nil {
			return
		}
		if !slices.IsSorted(ix.Tokens) {
			t.Errorf("tokens are not sorted: %v", ix.Tokens)
		}
		for _, r := range ix.Dates {
			if r.Lo >= r.Hi {
				t.Errorf("empty range %+v", r)
			}
		}
		for _, a := range ix.Numbers {
			if !(a.Lo <= a.Hi && a.Value == a.Value) {
				t.Errorf("empty range %+v", a)
			}
		}
		for _, s := range ix.Strings {
			if s.Folded == "" || search.Fold(s.Folded) != s.Folded && len(s.Folded) < 490 {
				t.Errorf("%q is not folded", s.Folded)
			}
		}
		for _, w := range ix.Words {
			if _, ok := slices.BinarySearch(ix.Tokens, w.Posting); !ok || w.Text == "" || len(w.Text) > 500 {
				t.Errorf("the word %q has no posting", w.Text)
			}
		}
		for _, p := range ix.Places {
			if !(p.Lat >= -90 && p.Lat <= 90 && p.Lon >= -180 && p.Lon <= 180) {
				t.Errorf("%+v is not on the Earth", p)
			}
		}
		for _, l := range ix.Links {
			if !fhir.ValidID(l.Target.ID) {
				t.Errorf("link to %q", l.Target.ID)
			}
		}
	})
}
