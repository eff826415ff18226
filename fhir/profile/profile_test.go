package profile

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestPublished compiles every extension and profile of R4.
func TestPublished(t *testing.T) {
	r := NewRegistry()
	extensions := 0
	for url := range lines() {
		p, err := r.Profile(url)
		if err != nil {
			t.Error(err)
			continue
		}
		if p.Extension() {
			extensions++
			if len(p.Contexts) == 0 {
				t.Errorf("%s has no context", url)
			}
		}
	}
	if extensions != 393 {
		t.Errorf("%d extensions, want 393", extensions)
	}
}

// shelf is a source made of texts.
type shelf map[string]string

func (s shelf) Definition(url, _ string) ([]byte, error) {
	if text, ok := s[url]; ok {
		return []byte(text), nil
	}
	return nil, nil
}

func definitionOf(url, base string, elements ...string) string {
	return fmt.Sprintf(`{"resourceType":"StructureDefinition","url":%q,"type":"Observation","baseDefinition":%q,"derivation":"constraint","differential":{"element":[%s]}}`,
		url, base, strings.Join(elements, ","))
}

const observation = "http://hl7.org/fhir/StructureDefinition/Observation"

// show writes a tree in short.
func show(n *Node) string {
	var b strings.Builder
	b.WriteString(n.Name)
	if n.Slice != "" {
		b.WriteString(":" + n.Slice)
	}
	if n.Min > 0 || n.Max != Unbounded {
		fmt.Fprintf(&b, "%d..%d", n.Min, n.Max)
	}
	for _, t := range n.Types {
		b.WriteString("<" + t.Code + ">")
	}
	if n.Fixed != nil {
		b.WriteString("=" + string(n.Fixed.Doc.Raw(0)))
	}
	if n.Slices != nil || n.Kids != nil {
		b.WriteString("{")
		for _, s := range n.Slices {
			b.WriteString(show(s) + " ")
		}
		for _, k := range n.Kids {
			b.WriteString(show(k) + " ")
		}
		b.WriteString("}")
	}
	return b.String()
}

// TestCompile holds what differentials come to.
func TestCompile(t *testing.T) {
	for name, c := range map[string]struct {
		elements []string
		want     string
	}{
		"what R4 says anyway":   {[]string{`{"path":"Observation.status","min":1,"max":"1"}`, `{"path":"Observation.code","type":[{"code":"CodeableConcept"}]}`}, ""},
		"more is asked":         {[]string{`{"path":"Observation.category","min":1}`}, "{category1..-1 }"},
		"less is allowed":       {[]string{`{"path":"Observation.note","max":"0"}`}, "{note0..0 }"},
		"a fixed part":          {[]string{`{"path":"Observation.code.coding.system","fixedUri":"http://loinc.org"}`}, `{code{coding{system="http://loinc.org" } } }`},
		"a choice cut down":     {[]string{`{"path":"Observation.value[x]","type":[{"code":"string"}]}`}, "{value<string> }"},
		"a choice by shorthand": {[]string{`{"path":"Observation.valueQuantity","min":1}`}, "{value{value:valueQuantity1..-1<Quantity> } }"},
		"slices by id": {[]string{`{"id":"Observation.category","path":"Observation.category","slicing":{"discriminator":[{"type":"pattern","path":"$this"}],"rules":"open"}}`,
			`{"id":"Observation.category:a","path":"Observation.category","sliceName":"a","min":1}`,
			`{"id":"Observation.category:a.text","path":"Observation.category.text","fixedString":"x"}`}, `{category{category:a1..-1{text="x" } } }`},
		"slices by place": {[]string{`{"path":"Observation.category","slicing":{"discriminator":[{"type":"pattern","path":"$this"}],"rules":"open"}}`,
			`{"path":"Observation.category","sliceName":"a"}`, `{"path":"Observation.category.text","fixedString":"x"}`,
			`{"path":"Observation.category","sliceName":"b"}`, `{"path":"Observation.category.text","fixedString":"y"}`},
			`{category{category:a{text="x" } category:b{text="y" } } }`},
		"a slice of a slice": {[]string{`{"path":"Observation.category","slicing":{"discriminator":[{"type":"pattern","path":"$this"}],"rules":"open"}}`,
			`{"path":"Observation.category","sliceName":"a"}`, `{"path":"Observation.category.text","fixedString":"x"}`,
			`{"path":"Observation.category","sliceName":"a/b","min":1}`},
			`{category{category:a{text="x" } category:a/b1..-1{text="x" } } }`},
		"within a data type of R4": {[]string{`{"path":"Observation.component.valueCodeableConcept.coding.code","min":1}`}, "{component{value{value:valueCodeableConcept<CodeableConcept>{coding{code1..-1 } } } } }"},
	} {
		p, err := NewRegistry(shelf{"urn:p": definitionOf("urn:p", observation, c.elements...)}).Profile("urn:p")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := show(p.Root); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// TestDerived compiles a profile of a profile, from differentials alone.
func TestDerived(t *testing.T) {
	r := NewRegistry(shelf{
		"urn:a": definitionOf("urn:a", observation, `{"path":"Observation.category","min":1}`),
		"urn:b": definitionOf("urn:b", "urn:a", `{"path":"Observation.category","max":"2"}`, `{"path":"Observation.note","max":"0"}`),
	})
	p, err := r.Profile("urn:b")
	if err != nil || show(p.Root) != "{category1..2 note0..0 }" {
		t.Errorf("%v, %v", err, show(p.Root))
	}
	if p, err := r.Profile("urn:a"); err != nil || show(p.Root) != "{category1..-1 }" {
		t.Errorf("the base was changed: %v, %v", err, show(p.Root))
	}
}

func TestRefuses(t *testing.T) {
	r := NewRegistry(shelf{
		"urn:self":    definitionOf("urn:self", "urn:self"),
		"urn:one":     definitionOf("urn:one", "urn:two"),
		"urn:two":     definitionOf("urn:two", "urn:one"),
		"urn:orphan":  definitionOf("urn:orphan", "urn:nobody"),
		"urn:element": definitionOf("urn:element", observation, `{"path":"Observation.colour"}`),
		"urn:max":     definitionOf("urn:max", observation, `{"path":"Observation.note","max":"-1"}`),
		"urn:path":    definitionOf("urn:path", observation, `{"min":1}`),
		"urn:type":    strings.Replace(definitionOf("urn:type", observation), `"Observation"`, `"Thing"`, 1),
		"urn:json":    `{`,
	})
	for _, url := range []string{"urn:self", "urn:one", "urn:two", "urn:orphan", "urn:element", "urn:max", "urn:path", "urn:type", "urn:json"} {
		if _, err := r.Profile(url); err == nil {
			t.Errorf("%s is taken", url)
		}
	}
	if p, err := r.Profile("urn:nobody"); p != nil || err != nil {
		t.Errorf("what is not known: %v, %v", p, err)
	}
}

func FuzzCompile(f *testing.F) {
	f.Add(definitionOf("urn:p", observation, `{"path":"Observation.valueQuantity","min":1}`))
	f.Add(definitionOf("urn:p", "urn:p"))
	f.Add(definitionOf("urn:p", observation, `{"id":"Observation.category:a/b/c","path":"Observation.category","contentReference":"#Observation.component"}`))
	f.Add(definitionOf("urn:p", observation, `{"path":"Observation.code","slicing":{"discriminator":[{"type":"value","path":"extension('a').resolve().ofType(B).first()"}]}}`))
	f.Fuzz(func(t *testing.T, text string) {
		p, err := NewRegistry(shelf{"urn:p": text}).Profile("urn:p")
		if err == nil && (p == nil || p.Root == nil) {
			t.Error("neither a profile nor an error")
		}
	})
}

// failing is a source that fails once.
type failing struct {
	shelf
	failed bool
}

func (f *failing) Definition(url, version string) ([]byte, error) {
	if !f.failed {
		f.failed = true
		return nil, errors.New("no connection")
	}
	return f.shelf.Definition(url, version)
}

// TestSourceFails holds that what could not be read is asked for again.
func TestSourceFails(t *testing.T) {
	r := NewRegistry(&failing{shelf: shelf{"urn:a": definitionOf("urn:a", observation)}})
	if _, err := r.Profile("urn:a"); err == nil {
		t.Error("the failure is not told")
	}
	if p, err := r.Profile("urn:a"); err != nil || p == nil {
		t.Errorf("the second time: %v, %v", p, err)
	}
}
