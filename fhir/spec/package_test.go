package spec

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"
)

// readPackage reads the package hl7.fhir.r4.core 4.0.1 again, by other means than the
// generator: files of one resource type, by file name, as plain JSON values.
func readPackage(t *testing.T, resourceType string) map[string]map[string]any {
	t.Helper()
	f, err := os.Open(filepath.Join("..", "..", "..", "shared", "data", "r4-core", "hl7.fhir.r4.core-4.0.1.tar.gz"))
	if err != nil {
		t.Skipf("NOT CHECKED against HL7's package, which is absent: %v", err)
	}
	defer f.Close()
	gz, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]map[string]any{}
	for r := tar.NewReader(gz); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(h.Name)
		if !strings.HasPrefix(name, resourceType+"-") {
			continue
		}
		var v map[string]any
		if err := json.NewDecoder(r).Decode(&v); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		found[name] = v
	}
}

// at follows keys into v; nil when there is nothing.
func at(v any, keys ...string) any {
	for _, k := range keys {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[k]
	}
	return v
}

func text(v any, keys ...string) string { s, _ := at(v, keys...).(string); return s }
func list(v any, keys ...string) []any  { l, _ := at(v, keys...).([]any); return l }
func flag(v any, keys ...string) bool   { b, _ := at(v, keys...).(bool); return b }
func lastPart(url string) string        { return url[strings.LastIndexByte(url, '/')+1:] }
func texts(v []any) (out []string) {
	for _, x := range v {
		out = append(out, x.(string))
	}
	return out
}

// unbound are the elements with a required binding whose codes R4 does not list.
var unbound = map[string]string{
	"http://hl7.org/fhir/ValueSet/mimetypes":  "BCP 13 is open",
	"http://hl7.org/fhir/ValueSet/currencies": "ISO 4217 is not in the package",
	"http://hl7.org/fhir/ValueSet/ucum-units": "UCUM is a grammar",
	"http://loinc.org/vs/LL379-9":             "LOINC's answer list is not in the package",
}

// TestTableIsThePackage checks every element of every StructureDefinition of R4,
// and that the table has none beyond those.
func TestTableIsThePackage(t *testing.T) {
	checked := map[string]bool{}
	structures := 0
	for file, sd := range readPackage(t, "StructureDefinition") {
		if text(sd, "kind") == "logical" || text(sd, "derivation") == "constraint" {
			continue
		}
		structures++
		name := text(sd, "name")
		typ := TypeOf(name)
		if typ == nil {
			t.Errorf("%s: no type %s", file, name)
			continue
		}
		base := ""
		if typ.Base != nil {
			base = typ.Base.Name
		}
		if typ.Abstract != flag(sd, "abstract") || base != lastPart(text(sd, "baseDefinition")) {
			t.Errorf("%s: abstract %v, base %q", name, typ.Abstract, base)
		}
		for _, e := range list(sd, "snapshot", "element") {
			path := text(e, "path")
			if path == name || typ.Kind == Primitive && strings.HasSuffix(path, ".value") {
				continue
			}
			for _, property := range checkElement(t, path, e) {
				checked[path[:strings.LastIndexByte(path, '.')]+"."+property] = true
			}
		}
	}
	if structures != 209 {
		t.Errorf("%d structures, want 209", structures)
	}
	for name, typ := range types {
		if base, _, _ := strings.Cut(name, "."); Added(base) {
			continue
		}
		for _, e := range typ.Elements {
			if !checked[name+"."+e.Name] {
				t.Errorf("%s.%s is not in the package", name, e.Name)
			}
		}
	}
}

// checkElement compares an ElementDefinition with the table and returns the JSON
// properties that it stands for.
func checkElement(t *testing.T, path string, e any) (properties []string) {
	dot := strings.LastIndexByte(path, '.')
	parent, name := TypeOf(path[:dot]), path[dot+1:]
	if parent == nil {
		t.Errorf("%s: no type %s", path, path[:dot])
		return nil
	}
	if text(e, "max") == "0" {
		if parent.Element([]byte(name)) != nil {
			t.Errorf("%s is forbidden", path)
		}
		return nil
	}
	stem, choice := strings.CutSuffix(name, "[x]")
	if ref := text(e, "contentReference"); ref != "" {
		checkProperty(t, path, e, parent, name, "", strings.TrimPrefix(ref, "#"), nil)
		return []string{name}
	}
	for _, typ := range list(e, "type") {
		code := text(typ, "code")
		property, choiceName := name, ""
		if choice {
			choiceName, property = stem, stem+strings.ToUpper(code[:1])+code[1:]
		}
		switch {
		case name == "id" && parent.Kind == ResourceKind:
			code = "id"
		case path == "Extension.url":
			code = "uri"
		case strings.HasPrefix(code, "http://hl7.org/fhirpath/"):
			code = "string"
		case code == "BackboneElement" || code == "Element":
			code = path
		}
		checkProperty(t, path, e, parent, property, choiceName, code, typ)
		properties = append(properties, property)
	}
	return properties
}

// checkProperty compares one JSON property: e defines it, typ is its entry in e.type
// or nil.
func checkProperty(t *testing.T, path string, e any, parent *Type, property, choice, code string, typ any) {
	got := parent.Element([]byte(property))
	if got == nil {
		t.Errorf("%s: no %s", path, property)
		return
	}
	if code == "Resource" {
		if !got.Resource || got.Type != nil {
			t.Errorf("%s holds a resource", path)
		}
	} else if got.Type == nil || got.Type != TypeOf(code) {
		t.Errorf("%s is no %s", path, code)
	}
	most := map[bool]string{true: "*", false: "1"}[got.Many]
	least, _ := at(e, "min").(float64)
	if got.Min != int(least) || most != text(e, "max") || got.Max != map[bool]int{true: 0, false: 1}[got.Many] {
		t.Errorf("%s: %d..%s", path, got.Min, most)
	}
	if got.Choice != choice || got.Summary != flag(e, "isSummary") || got.Modifier != flag(e, "isModifier") {
		t.Errorf("%s: %+v", path, *got)
	}
	if got.Simple != (len(list(typ, "profile")) > 0) {
		t.Errorf("%s: SimpleQuantity is %v", path, got.Simple)
	}
	var targets []string
	for _, url := range texts(list(typ, "targetProfile")) {
		targets = append(targets, lastPart(url))
	}
	sort.Strings(targets)
	if slices.Contains(targets, "Resource") {
		targets = nil
	}
	if !slices.Equal(targets, got.Targets) {
		t.Errorf("%s points to %v, want %v", path, got.Targets, targets)
	}
	url, _, _ := strings.Cut(text(e, "binding", "valueSet"), "|")
	if text(e, "binding", "strength") != "required" || unbound[url] != "" {
		url = ""
	}
	if has := got.Binding; (has == nil) != (url == "") || has != nil && has.URL != url {
		t.Errorf("%s is bound to %v, want %q", path, has, url)
	}
}

// TestValueSetsAreThePackage expands every bound value set again.
func TestValueSetsAreThePackage(t *testing.T) {
	systems := map[string]any{}
	for _, cs := range readPackage(t, "CodeSystem") {
		systems[text(cs, "url")] = cs
	}
	sets := map[string]any{}
	for _, vs := range readPackage(t, "ValueSet") {
		sets[text(vs, "url")] = vs
	}
	bound := map[string]*ValueSet{}
	for _, typ := range types {
		for _, e := range typ.Elements {
			if e.Binding != nil {
				bound[e.Binding.URL] = e.Binding
			}
		}
	}
	if len(bound) != 220 {
		t.Errorf("%d value sets, want 220", len(bound))
	}
	for url, got := range bound {
		want := map[string]bool{}
		for _, in := range list(sets[url], "compose", "include") {
			system := text(in, "system")
			concepts := list(in, "concept")
			if concepts == nil {
				concepts = list(systems[system], "concept")
			}
			addCodes(want, system, concepts)
		}
		have, codes := 0, map[string]bool{}
		for system, part := range got.Systems {
			for code := range part {
				if Added(code) {
					codes[code] = true
					continue
				}
				have++
				codes[code] = true
				if !want[system+"|"+code] {
					t.Errorf("%s has %s|%s", url, system, code)
				}
			}
		}
		if have != len(want) || have == 0 || len(codes) != len(got.Codes) {
			t.Errorf("%s has %d codes (%d without systems), want %d", url, have, len(got.Codes), len(want))
		}
	}
}

// addCodes puts "system|code" of concepts and those under them into codes, but for
// the abstract code "question" of item-type, the only one that may not be chosen.
func addCodes(codes map[string]bool, system string, concepts []any) {
	for _, c := range concepts {
		if key := system + "|" + text(c, "code"); key != "http://hl7.org/fhir/item-type|question" {
			codes[key] = true
		}
		addCodes(codes, system, list(c, "concept"))
	}
}

// TestParamsAreThePackage checks that each search parameter is one of the package's,
// and that its expression is a part of the published one.
func TestParamsAreThePackage(t *testing.T) {
	pairs := map[string]any{}
	for _, sp := range readPackage(t, "SearchParameter") {
		for _, base := range list(sp, "base") {
			pairs[base.(string)+" "+text(sp, "url")] = sp
		}
	}
	for _, p := range paramsByID[1:] {
		if Added(p.Base) {
			continue
		}
		sp := pairs[p.Base+" "+p.URL]
		if sp == nil || text(sp, "code") != p.Code || text(sp, "type") != p.Type.String() {
			t.Errorf("%s.%s is not %s", p.Base, p.Code, p.URL)
			continue
		}
		for _, part := range strings.Split(p.Expression, " | ") {
			if !strings.Contains(text(sp, "expression"), part) {
				t.Errorf("%s.%s: %q is not in %q", p.Base, p.Code, part, text(sp, "expression"))
			}
		}
		for _, target := range p.Targets {
			if !slices.Contains(texts(list(sp, "target")), target) {
				t.Errorf("%s.%s must not point to %s", p.Base, p.Code, target)
			}
		}
		for i, c := range list(sp, "component") {
			if text(c, "definition") != p.Components[i].Definition || text(c, "expression") != p.Components[i].Expression {
				t.Errorf("%s.%s: component %d is %+v", p.Base, p.Code, i, p.Components[i])
			}
		}
		delete(pairs, p.Base+" "+p.URL)
	}
	for pair, sp := range pairs {
		id := text(sp, "id")
		if strings.Contains(id, "-extensions-") || strings.Contains(id, "-genetic-") || strings.HasPrefix(id, "example") || id == "filter" {
			continue // defined with extensions and profiles; examples; the _filter language
		}
		t.Errorf("%s is missing", pair)
	}
}

func TestCompartmentsAreThePackage(t *testing.T) {
	for file, c := range readPackage(t, "CompartmentDefinition") {
		if strings.HasSuffix(file, "-example.json") {
			continue
		}
		name := text(c, "code")
		if !slices.Contains(Compartments(), name) {
			t.Errorf("no compartment %s", name)
		}
		members := 0
		for _, r := range list(c, "resource") {
			want := texts(list(r, "param"))
			if got := Compartment(name, text(r, "code")); !slices.Equal(got, want) {
				t.Errorf("%s in %s by %v, want %v", text(r, "code"), name, got, want)
			}
			if want != nil {
				members++
			}
		}
		if members != len(compartments[name]) {
			t.Errorf("%s has %d members, want %d", name, len(compartments[name]), members)
		}
	}
	if n := len(Compartments()); n != 5 {
		t.Errorf("%d compartments, want 5", n)
	}
}
