package main

import (
	"encoding/json"
	"fmt"
	"sort"
	"strings"

	"github.com/amate-health/amate/fhir/spec/published"
)

// version is the only release of FHIR that is read.
const version = "4.0.1"

// definitions holds what the package defines, keyed by name or canonical URL.
type definitions struct {
	structures   map[string]*structure // by type name; profiles and logical models left out
	valueSets    map[string]*valueSet  // by URL
	codeSystems  map[string]*codeSystem
	params       []*searchParam // by id
	compartments []*compartment // by code
	labelOf      map[constraint]string
}

// structure is a StructureDefinition of a type.
type structure struct {
	Name       string
	Type       string
	Kind       string
	Abstract   bool
	Derivation string
	Base       string `json:"baseDefinition"`
	Version    string `json:"fhirVersion"`
	Snapshot   struct{ Element []element }
}

// element is an ElementDefinition.
type element struct {
	Path             string
	Min              int
	Max              string
	Type             []elementType
	ContentReference string
	IsSummary        bool
	IsModifier       bool
	Binding          struct{ Strength, ValueSet string }
	Constraint       []constraint
}

type elementType struct {
	Code          string
	Profile       []string
	TargetProfile []string
	Extension     []struct{ URL, ValueURL string }
}

type valueSet struct {
	URL     string
	Compose struct {
		Include []include
		Exclude []json.RawMessage
	}
}

type include struct {
	System   string
	Concept  []struct{ Code string }
	Filter   []json.RawMessage
	ValueSet []string
}

type codeSystem struct {
	URL     string
	Content string
	Concept []concept
}

type concept struct {
	Code     string
	Property []struct {
		Code         string
		ValueBoolean bool
	}
	Concept []concept
}

type searchParam struct {
	ID, URL, Code, Type, Expression string
	Base, Target                    []string
	Component                       []struct{ Definition, Expression string }
}

type compartment struct {
	ID, Code string
	Resource []struct {
		Code  string
		Param []string
	}
}

// read reads the package at name, in any of the forms that the command takes.
func read(name string) (*definitions, error) {
	d := &definitions{
		structures:  map[string]*structure{},
		valueSets:   map[string]*valueSet{},
		codeSystems: map[string]*codeSystem{},
	}
	if err := published.Each(name, d.add); err != nil {
		return nil, err
	}
	if len(d.structures) == 0 || len(d.params) == 0 {
		return nil, fmt.Errorf("%s holds no R4 definitions", name)
	}
	sort.Slice(d.params, func(i, j int) bool { return d.params[i].ID < d.params[j].ID })
	sort.Slice(d.compartments, func(i, j int) bool { return d.compartments[i].Code < d.compartments[j].Code })
	return d, nil
}

// add takes in one file of the package; its name begins with the resource type.
func (d *definitions) add(name string, body []byte) error {
	var err error
	kind, _, _ := strings.Cut(name, "-")
	switch kind {
	case "StructureDefinition":
		s := &structure{}
		err = json.Unmarshal(body, s)
		if s.Kind != "logical" && s.Derivation != "constraint" && s.Version == version {
			d.structures[s.Name] = s
		}
	case "ValueSet":
		v := &valueSet{}
		err = json.Unmarshal(body, v)
		d.valueSets[v.URL] = v
	case "CodeSystem":
		c := &codeSystem{}
		err = json.Unmarshal(body, c)
		d.codeSystems[c.URL] = c
	case "SearchParameter":
		p := &searchParam{}
		err = json.Unmarshal(body, p)
		d.params = append(d.params, p)
	case "CompartmentDefinition":
		c := &compartment{}
		err = json.Unmarshal(body, c)
		d.compartments = append(d.compartments, c)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
