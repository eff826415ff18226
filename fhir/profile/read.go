package profile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/spec"
)

// definition is a StructureDefinition, as far as it matters here.
type definition struct {
	ResourceType   string
	URL            string
	Version        string
	Name           string
	Title          string
	Kind           string
	Type           string
	BaseDefinition string
	Derivation     string
	Context        []Context
	Snapshot       struct{ Element []elementDefinition }
	Differential   struct{ Element []elementDefinition }
}

// elementDefinition is an ElementDefinition. Its values are among Values.
type elementDefinition struct {
	ID               string
	Path             string
	SliceName        string
	Min              *int
	Max              string
	MaxLength        int
	ContentReference string
	MustSupport      bool
	Type             []struct {
		Code          string
		Profile       []string
		TargetProfile []string
		Aggregation   []string
	}
	Slicing *struct {
		Discriminator []struct{ Type, Path string }
		Rules         string
		Ordered       bool
	}
	Binding    *struct{ Strength, ValueSet string }
	Constraint []struct{ Key, Severity, Human, Expression, Source string }

	Extension []struct {
		URL          string
		ValueInteger int
	}

	fixed, pattern      json.RawMessage
	least, most         json.RawMessage
	leastType, mostType string
}

// UnmarshalJSON reads an ElementDefinition, with its fixed[x] and pattern[x].
func (e *elementDefinition) UnmarshalJSON(text []byte) error {
	type plain elementDefinition
	if err := json.Unmarshal(text, (*plain)(e)); err != nil {
		return err
	}
	if !bytes.Contains(text, []byte(`"fixed`)) && !bytes.Contains(text, []byte(`"pattern`)) && !bytes.Contains(text, []byte(`Value`)) {
		return nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return err
	}
	for name, value := range members {
		switch {
		case strings.HasPrefix(name, "fixed"):
			e.fixed = value
		case strings.HasPrefix(name, "pattern"):
			e.pattern = value
		case strings.HasPrefix(name, "minValue"):
			e.least, e.leastType = value, typeOf(name[len("minValue"):])
		case strings.HasPrefix(name, "maxValue"):
			e.most, e.mostType = value, typeOf(name[len("maxValue"):])
		}
	}
	return nil
}

// readDefinition reads a StructureDefinition.
func readDefinition(text []byte) (*definition, error) {
	d := &definition{}
	if err := json.Unmarshal(text, d); err != nil {
		return nil, err
	}
	if d.ResourceType != "StructureDefinition" || d.URL == "" || d.Type == "" {
		return nil, fmt.Errorf("not a StructureDefinition with a url and a type")
	}
	return d, nil
}

// typeOf returns the type that ends the name of a choice: "date" for "Date".
func typeOf(suffix string) string {
	if suffix == "" || spec.TypeOf(suffix) != nil {
		return suffix
	}
	return strings.ToLower(suffix[:1]) + suffix[1:]
}

// limitOf parses a limit; nil when there is none.
func limitOf(raw json.RawMessage, typ string) (*Limit, error) {
	v, err := valueOf(raw)
	if v == nil || err != nil {
		return nil, err
	}
	return &Limit{*v, typ}, nil
}

// valueOf parses a fixed or pattern value; nil when there is none.
func valueOf(raw json.RawMessage) (*Value, error) {
	if raw == nil {
		return nil, nil
	}
	d, err := element.Parse([]byte(raw))
	if err != nil {
		return nil, err
	}
	return &Value{Doc: d, Node: 0}, nil
}
