package rest

import (
	"context"
	"net/http"
	"slices"
	"strconv"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
)

// metadata returns the CapabilityStatement, or, asked for it by mode, the
// TerminologyCapabilities.
//
// See https://hl7.org/fhir/R4/http.html#capabilities.
func (a *API) metadata(ctx context.Context, req *Request, _ Decision) (*Response, error) {
	if a.Terminology != nil && slices.Contains(req.Params, search.Param{Name: "mode", Value: "terminology"}) {
		body, err := a.Terminology(ctx)
		return &Response{Status: http.StatusOK, Body: body}, err
	}
	var loaded Conformance
	if a.Conformance != nil {
		var err error
		if loaded, err = a.Conformance(ctx); err != nil {
			return nil, err
		}
	}
	a.describe.Lock()
	defer a.describe.Unlock()
	catalogue := a.catalogue()
	if a.capabilities == nil || a.described != loaded.Stamp || a.catalogued != catalogue {
		a.capabilities, a.described, a.catalogued = a.capabilityStatement(&loaded, catalogue), loaded.Stamp, catalogue
	}
	return &Response{Status: http.StatusOK, Body: a.capabilities}, nil
}

// Conformance is what the server knows beyond R4 itself.
type Conformance struct {
	Stamp    string              // another one when anything has changed
	Guides   []string            // canonical URLs of implementation guides
	Profiles map[string][]string // canonical URLs of profiles, by the resource type that they are for
}

// capabilityStatement writes what routes and spec say: nothing in it is claimed
// by hand.
//
// See https://hl7.org/fhir/R4/capabilitystatement.html.
func (a *API) capabilityStatement(loaded *Conformance, catalogue *search.Catalogue) []byte {
	offered := map[Interaction]bool{}
	conditional := map[Interaction]bool{}
	for _, r := range routes {
		offered[r.interaction] = true
		if r.interaction == Batch { // the type of the Bundle tells them apart
			offered[Transaction] = true
		}
		if r.pattern == "/{type}" {
			conditional[r.interaction] = true
		}
	}
	p := &page{buf: make([]byte, 0, 512<<10)}
	p.buf = append(p.buf, '{')
	p.text("resourceType", "CapabilityStatement")
	p.text("url", a.base+"/metadata")
	p.text("status", "active")
	p.text("date", a.Now().UTC().Format(fhir.InstantLayout))
	p.text("kind", "instance")
	if len(a.Instantiates) > 0 {
		p.list("instantiates", a.Instantiates...)
	}
	if a.Software != "" {
		p.open("software")
		p.text("name", a.Software)
		p.close()
	}
	p.open("implementation")
	p.text("description", "FHIR R4 server")
	p.text("url", a.base)
	p.close()
	if len(loaded.Guides) > 0 {
		p.list("implementationGuide", loaded.Guides...)
	}
	p.text("fhirVersion", "4.0.1")
	p.list("format", mediaFHIR, "json", mediaFHIRXML, "xml")
	p.list("patchFormat", append(slices.Clone(patchMedia), mediaFHIRXML)...)
	p.member("rest")
	p.buf = append(p.buf, "[{"...)
	p.text("mode", "server")
	p.text("documentation", a.documentation())
	p.member("resource")
	p.buf = append(p.buf, '[')
	types := slices.DeleteFunc(slices.Clone(spec.Resources()), spec.Added) // no CapabilityStatement of R4 can name those
	for i, typ := range types {
		if i > 0 {
			p.buf = append(p.buf, ',')
		}
		a.capability(p, typ, offered, conditional, loaded.Profiles[typ], catalogue)
	}
	p.buf = append(p.buf, ']')
	p.interactions(offered, Transaction, Batch, SearchSystem, HistorySystem)
	p.searchParams(a.searchable(catalogue, ""))
	a.operations(p, "")
	p.compartments()
	p.buf = append(p.buf, "}]}"...)
	return p.buf
}

// documentation says what none of the elements of a CapabilityStatement has a place for.
func (a *API) documentation() string {
	text := "A batch or transaction of at most " + strconv.Itoa(a.limits.Entries) + " entries is taken."
	if a.State != nil {
		text += " What changes something can bear an " + keyHeader + ": sent again with the same, it is not done again and gets the same answer."
	}
	for _, typ := range spec.Resources() {
		if spec.Added(typ) {
			text += " What is said of all resources holds for " + typ + " as well, which is no resource of R4."
		}
	}
	if a.Documentation != "" {
		text += " " + a.Documentation
	}
	return text
}

// capability writes what is offered for one resource type.
func (a *API) capability(p *page, typ string, offered, conditional map[Interaction]bool, profiles []string, catalogue *search.Catalogue) {
	p.buf = append(p.buf, '{')
	p.text("type", typ)
	if list := a.Extensions[typ]; list != nil {
		p.member("extension")
		p.buf = append(p.buf, list...)
	}
	p.text("profile", "http://hl7.org/fhir/StructureDefinition/"+typ)
	if len(profiles) > 0 {
		p.list("supportedProfile", profiles...)
	}
	p.interactions(offered, Read, VRead, Update, Patch, Delete, HistoryInstance, HistoryType, Create, SearchType)
	p.text("versioning", "versioned-update")
	p.flag("readHistory", offered[VRead])
	p.flag("updateCreate", offered[Update])
	p.flag("conditionalCreate", offered[Create])
	if offered[Read] {
		p.text("conditionalRead", "full-support")
	}
	p.flag("conditionalUpdate", conditional[Update])
	if conditional[Delete] {
		how := "single"
		if a.DeleteMany {
			how = "multiple"
		}
		p.text("conditionalDelete", how)
	}
	p.list("referencePolicy", "literal", "logical")
	p.includes(catalogue, typ)
	p.searchParams(a.searchable(catalogue, typ))
	a.operations(p, typ)
	p.close()
}

// interactions writes those of names that are offered.
func (p *page) interactions(offered map[Interaction]bool, names ...Interaction) {
	p.member("interaction")
	p.buf = append(p.buf, '[')
	for _, name := range names {
		if !offered[name] {
			continue
		}
		if p.buf[len(p.buf)-1] != '[' {
			p.buf = append(p.buf, ',')
		}
		p.buf = append(p.buf, `{"code":`...)
		p.buf = append(element.Quote(p.buf, string(name)), '}')
	}
	p.buf = append(p.buf, ']')
}

// includes writes searchInclude: every reference parameter of the type.
func (p *page) includes(catalogue *search.Catalogue, typ string) {
	var names []string
	for _, sp := range catalogue.Params(typ) {
		if sp.Type == spec.Reference && catalogue.Searchable(sp) {
			names = append(names, typ+":"+sp.Code)
		}
	}
	if names != nil {
		p.list("searchInclude", names...)
	}
}

// searchable returns the parameters that a search of a type takes.
func (a *API) searchable(catalogue *search.Catalogue, typ string) (all []*spec.SearchParam) {
	for _, sp := range catalogue.Params(typ) {
		textual := sp.Code == "_text" || sp.Code == "_content"
		if catalogue.Searchable(sp) || textual && typ != "" && a.Search.FullText != nil && a.Search.FullText(typ) {
			all = append(all, sp)
		}
	}
	return all
}

// searchParams writes parameters of searches.
func (p *page) searchParams(all []*spec.SearchParam) {
	first := true
	for _, sp := range all {
		if first {
			p.member("searchParam")
			p.buf = append(p.buf, '[')
		} else {
			p.buf = append(p.buf, ',')
		}
		first = false
		p.buf = append(p.buf, '{')
		p.text("name", sp.Code)
		if sp.URL != "" {
			p.text("definition", sp.URL)
		}
		p.text("type", sp.Type.String())
		p.close()
	}
	if !first {
		p.buf = append(p.buf, ']')
	}
}

// list writes a member whose value is a list of strings.
func (p *page) list(name string, values ...string) {
	p.member(name)
	p.buf = append(p.buf, '[')
	for i, v := range values {
		if i > 0 {
			p.buf = append(p.buf, ',')
		}
		p.buf = element.Quote(p.buf, v)
	}
	p.buf = append(p.buf, ']')
}

// flag writes a member whose value is a boolean.
func (p *page) flag(name string, value bool) {
	p.member(name)
	if value {
		p.buf = append(p.buf, "true"...)
	} else {
		p.buf = append(p.buf, "false"...)
	}
}
