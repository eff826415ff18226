package source

import (
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/terminology"
)

// System is a code system read from files.
type System struct {
	URL, Version, Name, Title string
	Language                  string // of displays
	Copyright                 string
	Hierarchy                 string // hierarchyMeaning, "" when no concept has parents
	Properties                []terminology.PropertyDef
	Concepts                  []Concept
}

// Concept is a concept of a System.
type Concept struct {
	Code, Display, Definition string
	Parents                   []string // codes
	Inactive                  bool
	Designations              []terminology.Designation
	Properties                []terminology.Property
}

// Most concepts that one resource holds. A system of more is kept in parts: reading
// and indexing it would make every search that finds it slow.
const (
	maxWhole = 5_000
	maxPart  = 20_000
)

// Resource is a resource to be stored at its type and id.
type Resource struct {
	Type, ID string
	JSON     []byte
}

// Resources returns what stands for s in a store: a CodeSystem with the given id,
// complete, or, for a large system, one without concepts and the Binaries that hold
// them (terminology.PartsURL).
func (s *System) Resources(id string) ([]Resource, error) {
	if len(s.Concepts) <= maxWhole {
		body := s.head(id, "complete")
		return []Resource{{"CodeSystem", id, append(appendConcepts(append(body, `,"concept":`...), s.Concepts), '}')}}, nil
	}
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBetterCompression), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	var parts []Resource
	extensions := []byte(`,"extension":[`)
	for from := 0; from < len(s.Concepts); from += maxPart {
		some := s.Concepts[from:min(from+maxPart, len(s.Concepts))]
		text := element.Quote([]byte(`{"resourceType":"CodeSystem","status":"active","content":"fragment","url":`), s.URL)
		text = append(appendConcepts(append(text, `,"concept":`...), some), '}')
		part := PartID(id, len(parts))
		body := []byte(`{"resourceType":"Binary","id":"` + part + `","contentType":"` + terminology.PartType + `","data":"`)
		body = append(base64.StdEncoding.AppendEncode(body, z.EncodeAll(text, nil)), `"}`...)
		if len(parts) > 0 {
			extensions = append(extensions, ',')
		}
		extensions = append(extensions, `{"url":"`+terminology.PartsURL+`","valueReference":{"reference":"Binary/`+part+`"}}`...)
		parts = append(parts, Resource{"Binary", part, body})
	}
	body := append(append(s.head(id, "not-present"), extensions...), `]}`...)
	return append(parts, Resource{"CodeSystem", id, body}), nil
}

// PartID returns the id of the Binary that holds part n, from 0, of the code system
// with an id.
func PartID(id string, n int) string {
	suffix := ".part" + strconv.Itoa(n+1)
	return id[:min(len(id), 64-len(suffix))] + suffix
}

// head writes the members of the CodeSystem up to its concepts.
func (s *System) head(id, content string) []byte {
	out := []byte(`{"resourceType":"CodeSystem","id":"` + id + `"`)
	add := func(name, value string) {
		if value != "" {
			out = element.Quote(append(append(append(out, `,"`...), name...), `":`...), value)
		}
	}
	add("language", s.Language)
	add("url", s.URL)
	add("version", s.Version)
	add("name", s.Name)
	add("title", s.Title)
	out = append(out, `,"status":"active"`...)
	add("copyright", s.Copyright)
	out = append(out, `,"caseSensitive":true`...)
	add("hierarchyMeaning", s.Hierarchy)
	add("content", content)
	out = strconv.AppendInt(append(out, `,"count":`...), int64(len(s.Concepts)), 10)
	defs := append([]terminology.PropertyDef{
		{Code: "parent", URI: "http://hl7.org/fhir/concept-properties#parent", Type: "code"},
		{Code: "inactive", URI: "http://hl7.org/fhir/concept-properties#inactive", Type: "boolean"},
	}, s.Properties...)
	for i, d := range defs {
		out = append(out, [...]string{`,"property":[{"code":`, `,{"code":`}[min(i, 1)]...)
		out = element.Quote(out, d.Code)
		add("uri", d.URI)
		add("description", d.Description)
		add("type", d.Type)
		out = append(out, '}')
	}
	return append(out, ']')
}

func appendConcepts(out []byte, concepts []Concept) []byte {
	out = append(out, '[')
	for i := range concepts {
		if i > 0 {
			out = append(out, ',')
		}
		out = concepts[i].append(out)
	}
	return append(out, ']')
}

func (c *Concept) append(out []byte) []byte {
	out = element.Quote(append(out, `{"code":`...), c.Code)
	if c.Display != "" {
		out = element.Quote(append(out, `,"display":`...), c.Display)
	}
	if c.Definition != "" {
		out = element.Quote(append(out, `,"definition":`...), c.Definition)
	}
	for i, d := range c.Designations {
		out = append(out, [...]string{`,"designation":[{`, `,{`}[min(i, 1)]...)
		if d.Language != "" {
			out = append(element.Quote(append(out, `"language":`...), d.Language), ',')
		}
		if d.Use != "" {
			out = append(append(append(out, `"use":`...), d.Use...), ',')
		}
		out = append(element.Quote(append(out, `"value":`...), d.Value), '}')
	}
	if len(c.Designations) > 0 {
		out = append(out, ']')
	}
	properties := c.Properties
	if c.Inactive {
		properties = append(properties[:len(properties):len(properties)], terminology.Property{Code: "inactive", Type: "valueBoolean", Value: "true"})
	}
	for _, p := range c.Parents {
		properties = append(properties[:len(properties):len(properties)], terminology.Property{Code: "parent", Type: "valueCode", Value: p})
	}
	for i, p := range properties {
		out = append(out, [...]string{`,"property":[{"code":`, `,{"code":`}[min(i, 1)]...)
		out = append(append(append(element.Quote(out, p.Code), `,"`...), p.Type...), `":`...)
		if p.Type == "valueBoolean" {
			out = append(out, p.Value...)
		} else {
			out = element.Quote(out, p.Value)
		}
		out = append(out, '}')
	}
	if len(properties) > 0 {
		out = append(out, ']')
	}
	return append(out, '}')
}

// IDFor makes a resource id out of the URL of a code system: its last words.
func IDFor(url string) string {
	var b strings.Builder
	for _, r := range strings.TrimPrefix(strings.TrimPrefix(url, "https://"), "http://") {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.':
			b.WriteRune(r)
		default:
			b.WriteByte('-')
		}
	}
	id := strings.Trim(b.String(), "-.")
	if len(id) > 56 {
		id = strings.TrimLeft(id[len(id)-56:], "-.")
	}
	return id
}
