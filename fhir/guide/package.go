package guide

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Package is a package, read.
type Package struct {
	Name, Version string // "hl7.fhir.us.core", "6.1.0"
	Canonical     string
	Title         string
	Dependencies  []Dependency // sorted by name
	Definitions   []Definition // in the order of their files' names
	Refused       []Refusal
}

// Dependency is a package that another needs.
type Dependency struct{ Name, Version string }

// Definition is a conformance resource.
type Definition struct {
	Type, URL, Version string
	Name               string // of the file
	ID                 string // under which it is stored
	JSON               []byte // with that id
}

// Refusal is a file that was left out.
type Refusal struct{ File, Reason string }

// String returns name#version.
func (p *Package) String() string { return p.Name + "#" + p.Version }

// installed are the types that are taken from a package.
var installed = map[string]bool{
	"StructureDefinition": true, "ValueSet": true, "CodeSystem": true, "ConceptMap": true, "SearchParameter": true,
	"OperationDefinition": true, "NamingSystem": true, "Questionnaire": true, "CapabilityStatement": true,
	"ImplementationGuide": true,
}

// manifest is package.json.
type manifest struct {
	Name, Version, Canonical, Title string
	Dependencies                    map[string]string
	FHIRVersions                    []string `json:"fhirVersions"`
}

// file is one file of a package.
type file struct {
	name string
	text []byte
}

// build makes a package of its files.
func build(files []file) (*Package, error) {
	slices.SortFunc(files, func(a, b file) int { return cmp.Compare(a.name, b.name) })
	p := &Package{}
	var m *manifest
	for _, f := range files {
		if base(f.name) == "package.json" {
			m = &manifest{}
			if err := json.Unmarshal(f.text, m); err != nil {
				return nil, fmt.Errorf("package.json: %w", err)
			}
		}
	}
	if m == nil {
		if m = fromGuide(files); m == nil {
			return nil, fmt.Errorf("there is neither a package.json nor an ImplementationGuide")
		}
	}
	if m.Name == "" || m.Version == "" {
		return nil, fmt.Errorf("the package has no name or no version")
	}
	if len(m.FHIRVersions) > 0 && !slices.ContainsFunc(m.FHIRVersions, isR4) {
		return nil, fmt.Errorf("%s#%s is for FHIR %s, not for R4", m.Name, m.Version, strings.Join(m.FHIRVersions, ", "))
	}
	p.Name, p.Version, p.Canonical, p.Title = m.Name, m.Version, m.Canonical, m.Title
	for name, version := range m.Dependencies {
		p.Dependencies = append(p.Dependencies, Dependency{name, version})
	}
	slices.SortFunc(p.Dependencies, func(a, b Dependency) int { return cmp.Compare(a.Name, b.Name) })
	for _, f := range files {
		p.take(f)
	}
	return p, nil
}

func isR4(version string) bool { return strings.HasPrefix(version, "4.0") }

func base(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }

// fromGuide makes a manifest of the ImplementationGuide in a package without one.
func fromGuide(files []file) *manifest {
	for _, f := range files {
		if !strings.HasPrefix(base(f.name), "ImplementationGuide") {
			continue
		}
		var g struct {
			ResourceType, PackageID, Version, URL, Title string
			FHIRVersion                                  []string
			DependsOn                                    []struct{ PackageID, Version string }
		}
		if json.Unmarshal(f.text, &g) != nil || g.ResourceType != "ImplementationGuide" || g.PackageID == "" {
			continue
		}
		m := &manifest{Name: g.PackageID, Version: g.Version, Title: g.Title, FHIRVersions: g.FHIRVersion, Dependencies: map[string]string{}}
		m.Canonical, _, _ = strings.Cut(g.URL, "/ImplementationGuide/")
		for _, d := range g.DependsOn {
			if d.PackageID != "" {
				m.Dependencies[d.PackageID] = d.Version
			}
		}
		return m
	}
	return nil
}

// take adds a file when it holds a definition.
func (p *Package) take(f file) {
	name := base(f.name)
	if !strings.HasSuffix(name, ".json") || name == "package.json" || strings.HasPrefix(name, ".") {
		return
	}
	var r struct{ ResourceType, URL, Version, ID string }
	if err := json.Unmarshal(f.text, &r); err != nil {
		p.Refused = append(p.Refused, Refusal{f.name, "it is not JSON that can be read: " + err.Error()})
		return
	}
	if !installed[r.ResourceType] {
		return
	}
	d := Definition{Type: r.ResourceType, URL: r.URL, Version: r.Version, Name: f.name}
	key := r.URL
	if key == "" {
		if r.ID == "" {
			p.Refused = append(p.Refused, Refusal{f.name, "it has neither a url nor an id"})
			return
		}
		key = r.ID // a NamingSystem has no URL in R4
	}
	d.ID = p.id(d.Type, key)
	for _, other := range p.Definitions {
		if other.ID == d.ID && other.Type == d.Type {
			p.Refused = append(p.Refused, Refusal{f.name, other.Name + " defines the same"})
			return
		}
	}
	text, err := withID(f.text, d.ID)
	if err == nil && d.Type == "ImplementationGuide" {
		text, err = withoutBuild(text)
	}
	if err != nil {
		p.Refused = append(p.Refused, Refusal{f.name, err.Error()})
		return
	}
	d.JSON = text
	p.Definitions = append(p.Definitions, d)
}

// IDPrefix begins the ids under which definitions are stored.
const IDPrefix = "pkg-"

// id returns the id under which a definition is stored: always the same for one
// definition of one version of a package.
func (p *Package) id(typ, key string) string {
	sum := sha256.Sum256([]byte(p.Name + "\x00" + p.Version + "\x00" + typ + "\x00" + key))
	return IDPrefix + hex.EncodeToString(sum[:16])
}

// withoutBuild returns an ImplementationGuide without definition.parameter: that
// tells the program that builds a guide what to do, mostly in codes that R4 does
// not have.
func withoutBuild(text []byte) ([]byte, error) {
	var outer, inner map[string]json.RawMessage
	if err := json.Unmarshal(text, &outer); err != nil {
		return nil, err
	}
	if outer["definition"] == nil || json.Unmarshal(outer["definition"], &inner) != nil || inner["parameter"] == nil {
		return text, nil
	}
	delete(inner, "parameter")
	delete(outer, "definition")
	if len(inner) > 0 {
		definition, err := json.Marshal(inner)
		if err != nil {
			return nil, err
		}
		outer["definition"] = definition
	}
	return json.Marshal(outer)
}

// withID returns a resource with another id, and its members in their order.
func withID(text []byte, id string) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, fmt.Errorf("it is no JSON object")
	}
	out := []byte(`{"resourceType":`)
	var rest []byte
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		switch name := t.(string); name {
		case "resourceType":
			out = append(out, value...)
		case "id":
		default:
			quoted, err := json.Marshal(name)
			if err != nil {
				return nil, err
			}
			rest = append(append(append(append(rest, ','), quoted...), ':'), value...)
		}
	}
	out = append(out, `,"id":"`+id+`"`...)
	return append(append(out, rest...), '}'), nil
}
