// Package label puts security labels on records whose codes are of a sensitive
// matter, as they are written. A table says which codes; what somebody labels by hand
// stays beside it.
//
// See https://hl7.org/fhir/R4/security-labels.html.
package label

import (
	_ "embed"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/search"
)

//go:embed rules.csv
var embedded string

// coding is a code with its system.
type coding struct{ system, code string }

// restricted goes with every label of a matter.
var restricted = coding{"http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "R"}

// Rules say which codes get which labels. They do not change.
type Rules struct{ systems map[string]*ofSystem }

// ofSystem are the rules for the codes of one code system.
type ofSystem struct {
	exact  map[string][]coding // code -> labels
	begins []begin
}

// begin is the beginning of codes, and their label.
type begin struct {
	text  string
	label coding
}

// Default reads the table that is compiled in.
func Default() *Rules {
	r, err := Read(strings.NewReader(embedded))
	if err != nil {
		panic(err) // a test reads it
	}
	return r
}

// Read reads a table. Errors name the line.
func Read(in io.Reader) (*Rules, error) {
	r := &Rules{systems: map[string]*ofSystem{}}
	lines := csv.NewReader(in)
	lines.Comment, lines.TrimLeadingSpace, lines.FieldsPerRecord = '#', true, -1
	for {
		f, err := lines.Read()
		if errors.Is(err, io.EOF) {
			return r, nil
		}
		if err != nil {
			return nil, fmt.Errorf("labels: %w", err)
		}
		line, _ := lines.FieldPos(0)
		if len(f) != 4 || slices.Contains(f, "") {
			return nil, fmt.Errorf("labels: line %d has not 4 fields: system and code of the label, system, codes", line)
		}
		label := coding{strings.TrimSpace(f[0]), strings.TrimSpace(f[1])}
		system := strings.TrimSpace(f[2])
		of := r.systems[system]
		if of == nil {
			of = &ofSystem{exact: map[string][]coding{}}
			r.systems[system] = of
		}
		for code := range strings.FieldsSeq(f[3]) {
			if text, ok := strings.CutSuffix(code, "*"); ok {
				of.begins = append(of.begins, begin{text, label})
			} else {
				of.exact[code] = append(of.exact[code], label)
			}
		}
	}
}

// Batch returns b with labels on what it writes. index says what a resource is found
// by.
func (r *Rules) Batch(b *bundle.Batch, index func(*fhir.Resource) (search.Index, error)) *bundle.Batch {
	out := *b
	out.Changes = slices.Clone(b.Changes)
	for i := range out.Changes {
		c := &out.Changes[i]
		if c.Op == bundle.Delete || len(search.SubjectParams(c.Ref.Type)) == 0 {
			continue // it is about nobody
		}
		build := c.Build
		c.Build = func(env *bundle.Env, at fhir.Ref, current *fhir.Resource) (*bundle.Content, error) {
			content, err := build(env, at, current)
			if err != nil {
				return nil, err
			}
			return r.content(content, at, index)
		}
	}
	return &out
}

// docs lends arenas: every resource that is written is read here once more.
var docs = sync.Pool{New: func() any { return new(element.Doc) }}

// content returns c with the labels that it lacks; c itself when it lacks none.
func (r *Rules) content(c *bundle.Content, at fhir.Ref, index func(*fhir.Resource) (search.Index, error)) (*bundle.Content, error) {
	doc := docs.Get().(*element.Doc)
	defer docs.Put(doc)
	err := doc.Parse(c.Body.JSON, element.Limits{})
	if err != nil {
		return nil, err
	}
	wanted := r.wanted(doc)
	if len(wanted) == 0 {
		return c, nil
	}
	security := doc.Get(doc.Get(0, "meta"), "security")
	wanted = lacking(doc, security, wanted)
	if len(wanted) == 0 {
		return c, nil
	}
	out := &bundle.Content{Body: c.Body}
	out.Body.JSON = insert(c.Body.JSON, doc, security, c.Body.UpdatedAt, wanted)
	out.Index, err = index(&fhir.Resource{Ref: at, JSON: out.Body.JSON})
	return out, err
}

// wanted returns the labels of all codes in a resource, contained ones included.
func (r *Rules) wanted(doc *element.Doc) []coding {
	var labels []coding
	add := func(label coding) {
		if !slices.Contains(labels, label) {
			labels = append(labels, label)
		}
	}
	for n := element.Node(0); int(n) < doc.Len(); n++ {
		if doc.Kind(n) != element.Object {
			continue
		}
		named := doc.Get(n, "system")
		if named == element.None || doc.Kind(named) != element.String {
			continue
		}
		of := r.systems[string(doc.Bytes(named))]
		if of == nil {
			continue
		}
		code := text(doc, n, "code")
		if code == "" {
			continue
		}
		for _, label := range of.exact[code] {
			add(label)
		}
		for _, b := range of.begins {
			if strings.HasPrefix(code, b.text) {
				add(b.label)
			}
		}
	}
	if len(labels) > 0 {
		add(restricted)
	}
	return labels
}

func text(doc *element.Doc, n element.Node, name string) string {
	c := doc.Get(n, name)
	if c == element.None || doc.Kind(c) != element.String {
		return ""
	}
	return doc.Text(c)
}

// lacking returns those of wanted that are not among the labels that are there. Who
// said how confidential it is has the last word on that.
func lacking(doc *element.Doc, security element.Node, wanted []coding) []coding {
	if security == element.None || doc.Kind(security) != element.Array {
		return wanted
	}
	for n := doc.First(security); n != element.None; n = doc.Next(security, n) {
		has := coding{text(doc, n, "system"), text(doc, n, "code")}
		wanted = slices.DeleteFunc(wanted, func(l coding) bool {
			return l == has || l == restricted && has.system == restricted.system
		})
	}
	return wanted
}

// insert writes labels into the meta of json, behind its gaps.
func insert(json []byte, doc *element.Doc, security element.Node, gap int, labels []coding) []byte {
	var list []byte
	for i, l := range labels {
		if i > 0 {
			list = append(list, ',')
		}
		list = append(element.Quote(append(list, `{"system":`...), l.system), `,"code":`...)
		list = append(element.Quote(list, l.code), '}')
	}
	at := gap + 1
	switch {
	case security != element.None && doc.Kind(security) == element.Array && doc.First(security) != element.None:
		_, end := doc.Span(security)
		at, list = end-1, append([]byte{','}, list...)
	default:
		list = append(append([]byte(`,"security":[`), list...), ']')
	}
	return slices.Concat(json[:at], list, json[at:])
}
