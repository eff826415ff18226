package terminology

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/amate-health/amate/fhir"
)

func system(version, content string, codes ...string) string {
	var concepts []string
	for _, c := range codes {
		concepts = append(concepts, `{"code":"`+c+`"}`)
	}
	return `{"resourceType":"CodeSystem","url":"http://e/s","version":"` + version + `","content":"` + content + `","concept":[` + strings.Join(concepts, ",") + `]}`
}

func TestVersions(t *testing.T) {
	for _, pair := range [][2]string{
		{"", "1"}, {"1", "2"}, {"2", "10"}, {"1.9", "1.10"}, {"1.2", "1.2.0"}, {"2023-01", "2024-01"}, {"01", "2"}, {"1.0-beta", "1.0-rc"}, {"http://snomed.info/sct/9/version/20230101", "http://snomed.info/sct/9/version/20240101"},
	} {
		if !older(pair[0], pair[1]) || older(pair[1], pair[0]) {
			t.Errorf("%q is not older than %q", pair[0], pair[1])
		}
	}
	if older("1.0", "1.0") {
		t.Error("a version is older than itself")
	}
	v := known(t, system("1.9", "complete", "a"), system("1.10", "complete", "b"), system("2.0", "fragment", "c"), system("3", "not-present"))
	for asked, want := range map[string]string{"": "1.10", "1.9": "1.9", "2.0": "2.0"} {
		if s, err := v.System("http://e/s", asked); err != nil || s.Version != want {
			t.Errorf("%q: %v %v, want %s", asked, s, err, want)
		}
	}
	for _, asked := range []string{"3", "4"} {
		if _, err := v.System("http://e/s", asked); fhir.CodeOf(err) != fhir.NotFound {
			t.Errorf("%s: %v", asked, err)
		}
	}
}

// TestOverBase: what is stored stands for what R4 has, unless it says less.
func TestOverBase(t *testing.T) {
	const url = "http://hl7.org/fhir/administrative-gender"
	put := func(version, content string) *System {
		v := known(t, `{"resourceType":"CodeSystem","url":"`+url+`","version":"`+version+`","content":"`+content+`","concept":[{"code":"x"}]}`)
		s, err := v.System(url, "")
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for _, c := range []struct {
		version, content string
		wins             bool
	}{{"5.0.0", "complete", true}, {"4.0.1", "complete", true}, {"3.0.0", "complete", false}, {"5.0.0", "fragment", false}, {"5.0.0", "not-present", false}} {
		if _, ok := put(c.version, c.content).Find("x"); ok != c.wins {
			t.Errorf("%+v: %v", c, ok)
		}
	}
}

// TestChange: sets are worked out again when what they are made of changes, and kept
// when it does not.
func TestChange(t *testing.T) {
	r := New()
	at := func(id string) fhir.Ref { return fhir.Ref{Type: "CodeSystem", ID: id} }
	r.Change(map[fhir.Ref]*Item{
		at("1"):                       item(t, system("1", "complete", "a")),
		{Type: "ValueSet", ID: "1"}:   item(t, valueSet("http://e/vs", `{"include":[{"valueSet":["http://e/inner"]}]}`)),
		{Type: "ValueSet", ID: "2"}:   item(t, valueSet("http://e/inner", `{"include":[{"system":"http://e/s"}]}`)),
		{Type: "ConceptMap", ID: "1"}: item(t, `{"resourceType":"ConceptMap","url":"http://e/m"}`),
	})
	status := func(code string) Status { return r.Member("http://e/vs", "http://e/s", code, "").Status }
	if status("a") != In || status("b") != NotIn {
		t.Fatal(status("a"), status("b"))
	}
	before := r.View().Expansion(mustSet(t, r, "http://e/vs"))
	r.Change(map[fhir.Ref]*Item{at("9"): item(t, animals)})
	if r.View().Expansion(mustSet(t, r, "http://e/vs")) != before {
		t.Error("a set was worked out again although nothing that it depends on changed")
	}
	r.Change(map[fhir.Ref]*Item{at("1"): item(t, system("2", "complete", "b"))})
	if status("a") != NotIn || status("b") != In {
		t.Error("after a change:", status("a"), status("b"))
	}
	r.Change(map[fhir.Ref]*Item{at("1"): nil})
	if status("b") != UnknownSystem {
		t.Error("after the system has gone:", status("b"))
	}
	r.Change(map[fhir.Ref]*Item{{Type: "ValueSet", ID: "2"}: nil})
	if m := r.Member("http://e/vs", "http://e/s", "b", ""); m.Status != UnknownSystem || !strings.Contains(m.Problems[0], "http://e/inner") {
		t.Errorf("after the inner set has gone: %+v", m)
	}
	if _, err := r.View().Map("http://e/m", ""); err != nil {
		t.Error(err)
	}
}

func mustSet(t *testing.T, r *Registry, url string) *ValueSet {
	t.Helper()
	s, err := r.View().ValueSet(url, "")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestReadersAndWriters is for the race detector, and holds that every answer is of
// one moment: the code and its set change together.
func TestReadersAndWriters(t *testing.T) {
	r := New()
	change := func(n int) {
		code := fmt.Sprint("c", n%2)
		r.Change(map[fhir.Ref]*Item{
			{Type: "CodeSystem", ID: "1"}: item(t, system("1", "complete", code)),
			{Type: "ValueSet", ID: "1"}:   item(t, valueSet("http://e/vs", `{"include":[{"system":"http://e/s","concept":[{"code":"`+code+`"}]}]}`)),
		})
	}
	change(0)
	var readers sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if codes, _ := codesOf(r.View(), "http://e/vs"); len(codes) != 1 {
					t.Errorf("half a change is seen: %v", codes)
					return
				}
			}
		})
	}
	for n := range 200 {
		change(n)
	}
	close(stop)
	readers.Wait()
}

func TestSupplement(t *testing.T) {
	v := known(t, animals, `{"resourceType":"CodeSystem","url":"http://e/animals-nl","content":"supplement","supplements":"http://e/animals|1.2","concept":[{"code":"dog","designation":[{"language":"nl","value":"Hond"}]}]}`,
		`{"resourceType":"CodeSystem","url":"http://e/animals-fr","content":"supplement","supplements":"http://e/animals|9","concept":[{"code":"dog","designation":[{"language":"fr","value":"Chien"}]}]}`)
	s, err := v.System("http://e/animals", "")
	if err != nil {
		t.Fatal(err)
	}
	dog, _ := s.Find("dog")
	more := v.Supplements(dog)
	for langs, want := range map[string]string{"nl": "Hond", "fr": "Dog", "es": "Perro", "es-MX": "Chucho", "fr, es;q=0.8": "Perro", "en": "Dog", "": "Dog", "en-GB,es": "Dog"} {
		if got := dog.DisplayIn(ParseLanguages(langs), more...); got != want {
			t.Errorf("%s: %s, want %s", langs, got, want)
		}
	}
	if !v.Names(dog, "hond") || v.Names(dog, "Chien") {
		t.Error("names of supplements")
	}
}

func TestSubsumption(t *testing.T) {
	r := New()
	r.Change(map[fhir.Ref]*Item{{Type: "CodeSystem", ID: "1"}: item(t, animals)})
	s, err := r.View().System("http://e/animals", "")
	if err != nil {
		t.Fatal(err)
	}
	for pair, want := range map[[2]string]Relation{
		{"dog", "dog"}: Equivalent, {"animal", "puppy"}: Subsumes, {"puppy", "animal"}: SubsumedBy, {"pet", "puppy"}: Subsumes, {"bird", "dog"}: NotSubsumed,
	} {
		if got, err := s.Relate(pair[0], pair[1]); err != nil || got != want {
			t.Errorf("%v: %s %v, want %s", pair, got, err, want)
		}
	}
	if _, err := s.Relate("dog", "cat"); fhir.CodeOf(err) != fhir.NotFound {
		t.Error(err)
	}
	for _, c := range []struct {
		code  string
		above bool
		want  string
	}{{"animal", false, "animal dog bird puppy dodo"}, {"puppy", true, "puppy dog animal pet"}} {
		codes, err := r.Subsumed("http://e/animals", c.code, c.above)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(slices.Collect(codes), " "); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
	codes, err := r.Codes("http://hl7.org/fhir/ValueSet/administrative-gender")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for system, code := range codes {
		if system != "http://hl7.org/fhir/administrative-gender" || code == "" {
			t.Error(system, code)
		}
		n++
	}
	if n != 4 {
		t.Error(n)
	}
	if _, err := r.Codes("http://hl7.org/fhir/ValueSet/mimetypes"); fhir.CodeOf(err) != fhir.TooCostly {
		t.Error(err)
	}
}

func TestRules(t *testing.T) {
	for url, codes := range map[string]struct{ good, bad []string }{
		languages:  {[]string{"es", "es-MX", "nah", "zh-Hant-TW", "sl-rozaj-biske", "de-CH-1901", "es-419", "x-amate", "i-klingon", "en-a-bbb-x-a"}, []string{"", "e", "es_MX", "es-", "-es", "es-MX-MX", "español", "123"}},
		mediaTypes: {[]string{"text/plain", "image/svg+xml", "text/plain; charset=utf-8", `text/x;a="b c"`, "application/fhir+json"}, []string{"", "text", "text/", "/plain", "text/plain;", "text/pl ain", "text/plain; charset"}},
		uris:       {[]string{"urn:oid:1.2", "http://a/b?c#d", "mailto:a@b"}, []string{"", "a", "http://a b", ":x", "1http://x"}},
		UCUM:       {[]string{"mg/dL", "mm[Hg]", "10*3/uL", "1", "%"}, []string{"", "milligrams", "mg//dL", "MG/DL "}},
		currencies: {[]string{"MXN", "USD", "EUR", "XAU"}, []string{"", "mxn", "ZZZ", "$"}},
		countries:  {[]string{"MX", "MEX", "484", "US", "004"}, []string{"", "mx", "XX", "ZZ", "EU", "999", "UK"}},
	} {
		s, err := New().View().System(url, "")
		if err != nil {
			t.Fatal(err)
		}
		for _, code := range codes.good {
			if _, ok := s.Find(code); !ok {
				t.Errorf("%s: %q is refused", url, code)
			}
		}
		for _, code := range codes.bad {
			if _, ok := s.Find(code); ok {
				t.Errorf("%s: %q is taken", url, code)
			}
		}
	}
}
