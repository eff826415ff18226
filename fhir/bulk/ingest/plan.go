package ingest

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bulk"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/spec"
)

// Name is that of the operation, without the $.
const Name = "import"

// OperationURL is the canonical URL of its OperationDefinition.
const OperationURL = "https://github.com/amate-health/amate/fhir/OperationDefinition/import"

// Source is where files come from.
type Source interface {
	// Check refuses a URL from which nothing would be fetched, as far as that can be told
	// without asking for it. The error is for the caller.
	Check(url string) error
	// Open begins to read a file, with headers that its owner asks for.
	// Errors: *fhir.Error when asking again would be of no use.
	Open(ctx context.Context, url string, headers map[string]string) (io.ReadCloser, error)
}

// Sealer keeps what must not be read in the database.
type Sealer interface {
	Seal(plain []byte) []byte
	Open(sealed []byte) ([]byte, error)
}

// Importer is the work. Its fields must be set.
type Importer struct {
	Source Source
	Sealer Sealer
}

// Kind returns the work as bulk takes it.
func (im *Importer) Kind() bulk.Kind {
	return bulk.Kind{Name: Name, Plan: im.plan, Run: im.run, Manifest: manifest}
}

// Operation returns the operation by which it is ordered from s.
func Operation(s *bulk.Service) operation.Operation {
	return operation.Operation{Name: Name, URL: OperationURL, Scope: operation.OnSystem, Changes: true, Whole: true, Run: s.Order(Name)}
}

// plan is what was ordered.
type plan struct {
	Manifest string  `json:",omitempty"` // URL of the manifest that lists the inputs; "" for none
	Inputs   []input `json:",omitempty"`
	Headers  []byte  `json:",omitempty"` // of requests for files, sealed
}

// input is a file.
type input struct {
	Type string // of its resources
	URL  string
}

// mostInputs is how many files an order has at most.
const mostInputs = 10_000

func (im *Importer) plan(_ context.Context, call *operation.Call) (any, error) {
	if err := call.Only("inputFormat", "inputSource", "storageDetail", "input", "manifest", "header"); err != nil {
		return nil, err
	}
	format, err := call.In.Text("inputFormat")
	if err != nil {
		return nil, err
	}
	if format != "" && !slices.Contains([]string{"application/fhir+ndjson", "application/ndjson", "ndjson"}, format) {
		return nil, at("inputFormat", "files are of lines of JSON: application/fhir+ndjson").With("%.60q", format)
	}
	p := new(plan)
	if p.Manifest, err = call.In.Text("manifest"); err != nil {
		return nil, err
	}
	files := call.In.All("input")
	switch {
	case (p.Manifest == "") == (len(files) == 0):
		return nil, at("input", "give either input, once for each file, or manifest")
	case len(files) > mostInputs:
		return nil, at("input", fmt.Sprintf("an order has %d files at most", mostInputs))
	case p.Manifest != "":
		if err := im.Source.Check(p.Manifest); err != nil {
			return nil, at("manifest", "nothing is fetched from this URL: "+err.Error())
		}
	}
	for _, f := range files {
		p.Inputs = append(p.Inputs, input{Type: text(f, "type"), URL: text(f, "url")})
	}
	if err := im.check(p.Inputs); err != nil {
		return nil, err
	}
	headers, err := headersOf(call.In.All("header"))
	if err != nil || headers == nil {
		return p, err
	}
	p.Headers = im.Sealer.Seal(headers)
	return p, nil
}

// check refuses inputs that cannot be taken, and puts the others in order: what others
// refer to, before them.
func (im *Importer) check(inputs []input) error {
	seen := map[string]bool{}
	for _, f := range inputs {
		switch {
		case !spec.IsResource(f.Type):
			return at("input", "an input has the type of its resources, as its part type").With("%.60q", f.Type)
		case seen[f.URL]:
			return at("input", "a file comes once")
		}
		if err := im.Source.Check(f.URL); err != nil {
			return at("input", "nothing is fetched from the url of this "+f.Type+": "+err.Error())
		}
		seen[f.URL] = true
	}
	slices.SortStableFunc(inputs, func(a, b input) int { return cmp.Compare(rank(a.Type), rank(b.Type)) })
	return nil
}

// first are the types to which many others refer.
var first = []string{"Organization", "Location", "Practitioner", "PractitionerRole", "Patient", "Encounter"}

func rank(typ string) int {
	if i := slices.Index(first, typ); i >= 0 {
		return i
	}
	return len(first)
}

// text returns a part of a parameter.
func text(v operation.Value, name string) string {
	for _, p := range v.Parts(name) {
		return p.Text
	}
	return ""
}

func at(parameter, text string) *fhir.Error {
	return fhir.Errorf(fhir.Invalid, "%s", text).At("Parameters.parameter.where(name='" + parameter + "')")
}

// headersOf reads headers, as "Authorization: Bearer ...", each on a line.
func headersOf(all []operation.Value) ([]byte, error) {
	var lines []string
	for _, v := range all {
		name, value, ok := strings.Cut(v.Text, ":")
		if !ok || strings.TrimSpace(name) == "" || strings.ContainsAny(v.Text, "\r\n\x00") || strings.EqualFold(strings.TrimSpace(name), "host") {
			return nil, at("header", `a header is written as "Authorization: Bearer ..."`)
		}
		lines = append(lines, strings.TrimSpace(name)+":"+strings.TrimSpace(value))
	}
	if lines == nil {
		return nil, nil
	}
	return []byte(strings.Join(lines, "\n")), nil
}

// headers opens what headersOf made.
func (im *Importer) headers(sealed []byte) (map[string]string, error) {
	if sealed == nil {
		return nil, nil
	}
	plain, err := im.Sealer.Open(sealed)
	if err != nil {
		return nil, err
	}
	headers := map[string]string{}
	for line := range strings.Lines(string(plain)) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		headers[name] = value
	}
	return headers, nil
}
