package subscription

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/fhirpath"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
)

// Topic is what can be subscribed to, in the words of R5's SubscriptionTopic.
//
// See https://hl7.org/fhir/R5/subscriptiontopic.html.
type Topic struct {
	URL         string    `json:"url"`
	Title       string    `json:"title"`
	Description string    `json:"description"`
	Triggers    []Trigger `json:"resourceTrigger"`
	Filters     []Filter  `json:"canFilterBy,omitempty"`
}

// Trigger is a kind of change that makes an event.
type Trigger struct {
	Resource     string   `json:"resource"`
	Interactions []string `json:"supportedInteraction,omitempty"` // create, update, delete; none is all
	Criteria     Criteria `json:"queryCriteria,omitzero"`
	FHIRPath     string   `json:"fhirPathCriteria,omitempty"` // of the new version, of the old one for a deletion; with %previous and %current

	previous, current []search.Expr
	path              *fhirpath.Expr
}

// Criteria are searches that the version before and the new one must fit. One that is ""
// says nothing. A version that is not there fits none, unless the default for it says so.
type Criteria struct {
	Previous        string `json:"previous,omitempty"`
	ResultForCreate string `json:"resultForCreate,omitempty"` // test-passes or test-fails: of previous, when there is none
	Current         string `json:"current,omitempty"`
	ResultForDelete string `json:"resultForDelete,omitempty"` // of current, when there is none
	RequireBoth     bool   `json:"requireBoth,omitempty"`
}

// Filter is a search parameter that subscribers can narrow a topic by.
type Filter struct {
	Resource  string `json:"resource,omitempty"` // "" for all of the triggers that have it
	Parameter string `json:"filterParameter"`
}

//go:embed topic/*.json
var embedded embed.FS

// Topics returns the topics that come with this program.
func Topics() []*Topic {
	sub, err := fs.Sub(embedded, "topic")
	if err != nil {
		panic(err)
	}
	all, err := LoadTopics(sub)
	if err != nil {
		panic(err) // they are part of the program
	}
	return all
}

// LoadTopics reads the topics in the .json files of a folder, each in a file of its own,
// and checks them.
func LoadTopics(folder fs.FS) ([]*Topic, error) {
	names, err := fs.Glob(folder, "*.json")
	if err != nil {
		return nil, err
	}
	var all []*Topic
	for _, name := range names {
		text, err := fs.ReadFile(folder, name)
		if err != nil {
			return nil, err
		}
		t, err := ParseTopic(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if slices.ContainsFunc(all, func(o *Topic) bool { return o.URL == t.URL }) {
			return nil, fmt.Errorf("%s: the topic %s stands twice", name, t.URL)
		}
		all = append(all, t)
	}
	return all, nil
}

// ParseTopic reads a topic, and checks it.
func ParseTopic(text []byte) (*Topic, error) {
	t := &Topic{}
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(t); err != nil {
		return nil, err
	}
	if t.URL == "" || len(t.Triggers) == 0 {
		return nil, fmt.Errorf("a topic has a url, and at least one resourceTrigger")
	}
	for i := range t.Triggers {
		if err := t.Triggers[i].compile(); err != nil {
			return nil, fmt.Errorf("resourceTrigger[%d]: %w", i, err)
		}
	}
	for _, f := range t.Filters {
		if !slices.ContainsFunc(t.types(), func(typ string) bool { return t.filters(typ, f.Parameter) }) {
			return nil, fmt.Errorf("canFilterBy: none of its resources has the search parameter %s", f.Parameter)
		}
	}
	return t, nil
}

func (t *Trigger) compile() (err error) {
	if !spec.IsResource(t.Resource) {
		return fmt.Errorf("%q is no resource type", t.Resource)
	}
	for _, what := range t.Interactions {
		if !slices.Contains([]string{"create", "update", "delete"}, what) {
			return fmt.Errorf("supportedInteraction is create, update or delete, not %q", what)
		}
	}
	if t.previous, err = criterion(t.Resource, t.Criteria.Previous); err != nil {
		return fmt.Errorf("queryCriteria.previous: %w", err)
	}
	if t.current, err = criterion(t.Resource, t.Criteria.Current); err != nil {
		return fmt.Errorf("queryCriteria.current: %w", err)
	}
	if t.FHIRPath != "" {
		t.path, err = fhirpath.Compile(t.FHIRPath)
	}
	return err
}

// criterion reads a search that can be tried on a resource by itself.
func criterion(typ, query string) ([]search.Expr, error) {
	if query == "" {
		return nil, nil
	}
	params, err := search.SplitQuery(strings.TrimPrefix(query, typ+"?"))
	if err != nil {
		return nil, err
	}
	q, err := search.Parse(typ, params, search.Options{})
	if err != nil {
		return nil, err
	}
	if !local(q.Where) {
		return nil, fmt.Errorf("it looks at other resources")
	}
	return q.Where, nil
}

// local reports whether conditions can be tried on a resource by itself.
func local(where []search.Expr) bool {
	_, err := search.Holds(search.And(where), &search.Subject{Index: new(search.Index)})
	if fhir.CodeOf(err) == fhir.NotSupported {
		return false
	}
	for _, e := range where { // And ends with the first that does not hold
		if _, err := search.Holds(e, &search.Subject{Index: new(search.Index)}); err != nil {
			return false
		}
	}
	return true
}

// types are those of the triggers, each once.
func (t *Topic) types() (all []string) {
	for i := range t.Triggers {
		if typ := t.Triggers[i].Resource; !slices.Contains(all, typ) {
			all = append(all, typ)
		}
	}
	return all
}

// filters reports whether resources of a type can be filtered by a parameter.
func (t *Topic) filters(typ, param string) bool {
	if param != "_id" && search.Standard.Lookup(typ, param) == nil {
		return false
	}
	return slices.ContainsFunc(t.Filters, func(f Filter) bool {
		return f.Parameter == param && (f.Resource == "" || f.Resource == typ)
	})
}

// published is the topic as Basic holds it in R4: the elements of R5's resource are
// extensions there. See https://hl7.org/fhir/R5/versions.html#extensions.
func (t *Topic) published() compose.Object {
	const of = "http://hl7.org/fhir/5.0/StructureDefinition/extension-SubscriptionTopic."
	text := func(name, typ, value string) compose.Object {
		return compose.Object{"url": name, "value" + typ: value}
	}
	ext := []compose.Object{
		text(of+"url", "Uri", t.URL), text(of+"title", "String", t.Title), text(of+"status", "Code", "active"), text(of+"description", "Markdown", t.Description),
	}
	for i := range t.Triggers {
		tr := &t.Triggers[i]
		parts := []compose.Object{text("resource", "Uri", "http://hl7.org/fhir/StructureDefinition/"+tr.Resource)}
		for _, what := range tr.Interactions {
			parts = append(parts, text("supportedInteraction", "Code", what))
		}
		if c := tr.Criteria; c != (Criteria{}) {
			var q []compose.Object
			for _, s := range [][2]string{{"previous", c.Previous}, {"current", c.Current}} {
				if s[1] != "" {
					q = append(q, text(s[0], "String", s[1]))
				}
			}
			q = append(q, compose.Object{"url": "requireBoth", "valueBoolean": c.RequireBoth})
			parts = append(parts, compose.Object{"url": "queryCriteria", "extension": q})
		}
		if tr.FHIRPath != "" {
			parts = append(parts, text("fhirPathCriteria", "String", tr.FHIRPath))
		}
		ext = append(ext, compose.Object{"url": of + "resourceTrigger", "extension": parts})
	}
	for _, f := range t.Filters {
		parts := []compose.Object{text("filterParameter", "String", f.Parameter)}
		if f.Resource != "" {
			parts = append(parts, text("resource", "Uri", "http://hl7.org/fhir/StructureDefinition/"+f.Resource))
		}
		ext = append(ext, compose.Object{"url": of + "canFilterBy", "extension": parts})
	}
	return compose.Object{
		"resourceType": "Basic", "extension": ext,
		"code": compose.Object{"coding": []compose.Object{{"system": "http://hl7.org/fhir/fhir-types", "code": "SubscriptionTopic"}}},
	}
}
