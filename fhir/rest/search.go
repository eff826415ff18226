package rest

import (
	"context"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
)

// Search is what searching and indexing need to know beyond R4. The zero value is
// R4 alone, without full text and terminology.
type Search struct {
	Catalogue   func() *search.Catalogue                              // the search parameters of the moment; nil is search.Standard
	FullText    func(typ string) bool                                 // whether resources of a type are indexed for _text and _content; nil is none
	Person      func(d *element.Doc, root element.Node) search.Person // by what a Patient is found among those who may be the same person; nil for nothing
	Terminology search.Terminology                                    // for :in, :not-in, :above and :below; nil refuses them
}

// catalogue returns the search parameters of the moment.
func (a *API) catalogue() *search.Catalogue {
	if a.Search.Catalogue == nil {
		return search.Standard
	}
	return a.Search.Catalogue()
}

// search finds resources of one type, or of all, by GET or by POST.
//
// See https://hl7.org/fhir/R4/http.html#search.
func (a *API) search(ctx context.Context, req *Request, d Decision) (*Response, error) {
	explained, err := a.takeExplain(req, d)
	if err != nil {
		return nil, err
	}
	q, err := search.Parse(req.Type, req.Params, a.searchOptions(req))
	if err != nil {
		return nil, err
	}
	if req.Compartment.ID != "" {
		if err := within(q, req.Compartment); err != nil {
			return nil, err
		}
	}
	q.After, q.Restriction, q.Bytes = req.end(), d.Restriction, a.limits.Answer
	if req.Form.Summary == "text" && len(q.Includes) > 0 {
		return nil, fhir.Errorf(fhir.Invalid, "_include and _revinclude cannot be combined with _summary=text")
	}
	if req.Form.Summary == "count" {
		q.Count, q.Total, q.Includes = 0, search.TotalAccurate, nil
	}
	if explained {
		return a.explanation(ctx, q)
	}
	res, err := a.Store.Search(ctx, q)
	if err != nil {
		return nil, err
	}
	return a.searchset(req, req.searchPath(), req.Params, &operation.Set{Result: *res, Self: q.Self, Ignored: q.Ignored})
}

func (a *API) searchOptions(req *Request) search.Options {
	o := search.Options{
		Lenient:      req.Prefer.Lenient,
		Base:         a.base,
		Now:          a.Now(),
		DefaultCount: a.limits.Count,
		MaxCount:     a.limits.MaxCount,
		Catalogue:    a.catalogue(),
		Terminology:  a.Search.Terminology,
		FullText:     a.Search.FullText,
	}
	if !req.Form.mask.Empty() {
		o.Hidden = req.Form.mask.Hides
	}
	return o
}

// searchset writes a page of results of what was asked for at path with params.
//
// See https://hl7.org/fhir/R4/bundle.html#searchset.
func (a *API) searchset(req *Request, path string, params []search.Param, res *operation.Set) (*Response, error) {
	p := newPage("searchset", res.Total, sizeOf(res.Matches, res.Included), &req.Form)
	next := ""
	if res.Next != "" {
		next = a.nextURL(req, path, params, res.Next)
	}
	p.links(a.queryURL(path, res.Self, &req.Form), next)
	for i := range res.Matches {
		if err := a.hit(p, &res.Matches[i], "match"); err != nil {
			return nil, err
		}
	}
	for i := range res.Included {
		if err := a.hit(p, &res.Included[i], "include"); err != nil {
			return nil, err
		}
	}
	if len(res.Ignored) > 0 {
		p.ignored(res.Ignored)
	}
	return p.response(), nil
}

// nextURL is the link to the page after the one that ended at cursor. It shows the
// size of the page: some clients add their own where a link shows none.
func (a *API) nextURL(req *Request, path string, params []search.Param, cursor string) string {
	shown := []search.Param{{Name: cursorParam, Value: a.sealCursor(req, &turn{principal: req.principal, params: params, end: cursor})}}
	for _, p := range params {
		if p.Name == "_count" {
			shown = append(shown, p)
		}
	}
	return a.queryURL(path, shown, &req.Form)
}

// hit writes one entry of a searchset.
func (a *API) hit(p *page, r *fhir.Resource, mode string) error {
	p.entry()
	p.text("fullUrl", a.url(r.Ref.Current()))
	if err := p.resource(r.JSON); err != nil {
		return err
	}
	p.open("search")
	p.text("mode", mode)
	p.close()
	p.close()
	return nil
}

// ignored writes the entry that says which parameters were passed over.
//
// See https://hl7.org/fhir/R4/search.html#errors.
func (p *page) ignored(names []string) {
	issues := make([]fhir.Issue, len(names))
	for i, name := range names {
		issues[i] = fhir.Issue{
			Severity: "warning", Type: "not-supported", Rule: "search-parameter",
			Details: "a search parameter was passed over", Diagnostics: name,
		}
	}
	p.entry()
	p.member("resource")
	p.buf = operation.AppendOutcome(p.buf, issues)
	p.open("search")
	p.text("mode", "outcome")
	p.close()
	p.close()
}
