package record

import (
	"context"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/document/page"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
)

// Store finds resources.
type Store interface {
	Search(ctx context.Context, q *search.Query) (*search.Result, error)
}

// Config is what the operations work with. Store must be set.
type Config struct {
	Store Store
	Now   func() time.Time // nil is time.Now

	// Document returns the document Bundle of a signed Composition.
	// Errors: fhir.NotFound when the caller may not see it.
	Document func(ctx context.Context, call *operation.Call, composition fhir.Resource) ([]byte, error)

	// Seals verifies the signatures of a stored Composition or Bundle, whose document is
	// given. nil shows them as not verified.
	Seals func(ctx context.Context, call *operation.Call, of fhir.Ref, bundle []byte) ([]Seal, error)

	// Signed reports whether a stored resource belongs to a signed document. nil knows none.
	Signed func(json []byte) bool
}

// Operations returns the operations of this package.
//
//   - Encounter/[id]/$draft-note makes a draft of a document of a visit, with all that is
//     known of it already, so that only the texts are left to write.
//   - Composition/[id]/$render and Bundle/[id]/$render show a document to people, as a
//     PDF or an HTML page.
func Operations(cfg Config) []operation.Operation {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &service{cfg}
	own := "https://github.com/amate-health/amate/fhir/OperationDefinition/"
	return []operation.Operation{
		{
			Name: "draft-note", URL: own + "draft-note", Scope: operation.OnInstance, Types: []string{"Encounter"},
			Changes: true, Quotes: true, Run: s.draft,
		},
		{
			Name: "render", URL: own + "render", Scope: operation.OnInstance, Types: []string{"Composition", "Bundle"},
			Quotes: true, Media: []string{mediaHTML, mediaPDF}, Run: s.render,
		},
	}
}

type service struct{ Config }

const (
	mediaHTML = "text/html"
	mediaPDF  = "application/pdf"
)

// render answers $render. In FHIR's own formats there is nothing to show but a Binary,
// so a client that asks for none of the two gets the page.
func (s *service) render(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	for _, name := range call.In.Names() {
		return nil, fhir.Errorf(fhir.Invalid, "$render takes no parameters but _format: text/html or application/pdf").With("not %.100q", name)
	}
	r, err := s.read(ctx, call, call.Ref())
	if err != nil {
		return nil, err
	}
	text, about, err := s.shown(ctx, call, r)
	if err != nil {
		return nil, err
	}
	doc, err := element.Parse(text)
	if err != nil {
		return nil, err
	}
	p, err := Page(doc, about)
	if err != nil {
		return nil, err
	}
	return write(p, call.Media)
}

func write(p *page.Page, media string) (*operation.Answer, error) {
	if media == mediaPDF {
		raw, err := p.PDF()
		return &operation.Answer{Media: mediaPDF, Raw: raw}, err
	}
	raw, err := p.HTML()
	return &operation.Answer{Media: mediaHTML + "; charset=utf-8", Raw: raw}, err
}

// shown returns the document of r, a Composition or a Bundle, and what there is to say about it.
func (s *service) shown(ctx context.Context, call *operation.Call, r fhir.Resource) (text []byte, about *About, err error) {
	about, text = &About{}, r.JSON
	composition := r
	if r.Ref.Type == "Bundle" {
		composition, err = s.compositionOf(ctx, call, r)
	} else {
		text, err = s.documentOf(ctx, call, r, about)
	}
	if err != nil {
		return nil, nil, err
	}
	if s.Seals != nil && !about.Withheld {
		if about.Seals, err = s.Seals(ctx, call, r.Ref.Current(), text); err != nil {
			return nil, nil, err
		}
	}
	if composition.JSON == nil {
		return text, about, nil
	}
	if about.Addenda, err = s.addenda(ctx, call, composition.Ref); err != nil {
		return nil, nil, err
	}
	about.Voided, err = s.voided(ctx, call, composition)
	return text, about, err
}

// documentOf returns the signed document of a Composition, else what it would be now. Who
// may see the Composition and not the document is shown what they may see of it.
func (s *service) documentOf(ctx context.Context, call *operation.Call, r fhir.Resource, about *About) ([]byte, error) {
	if s.Signed != nil && s.Signed(r.JSON) {
		text, err := s.Document(ctx, call, r)
		if fhir.CodeOf(err) != fhir.NotFound {
			return text, err
		}
		about.Withheld = true
	}
	return s.gathered(ctx, call, r)
}

// compositionOf returns the stored Composition that a document Bundle was made of, as it
// is now; nothing when it is not here, or not shown to the caller.
func (s *service) compositionOf(ctx context.Context, call *operation.Call, r fhir.Resource) (fhir.Resource, error) {
	doc, err := element.Parse(r.JSON)
	if err != nil {
		return fhir.Resource{}, err
	}
	d, ok := read(doc)
	if !ok {
		return fhir.Resource{}, fhir.Errorf(fhir.Unprocessable, "the Bundle is no document: its first entry is no Composition")
	}
	id := d.text(d.comp, "id")
	if !fhir.ValidID(id) {
		return fhir.Resource{}, nil
	}
	c, err := s.read(ctx, call, fhir.Ref{Type: "Composition", ID: id})
	if fhir.CodeOf(err) == fhir.NotFound {
		return fhir.Resource{}, nil
	}
	return c, err
}

// voided says that a Composition does not count any more, where its status says so, and
// as far as the caller may see who did that, and why.
func (s *service) voided(ctx context.Context, call *operation.Call, composition fhir.Resource) (*Void, error) {
	doc, err := element.Parse(composition.JSON)
	if err != nil {
		return nil, err
	}
	if (&document{Doc: doc}).text(0, "status") != "entered-in-error" {
		return nil, nil
	}
	found, err := s.find(ctx, call, "Provenance", search.Param{Name: "target", Value: composition.Ref.Current().String()})
	if err != nil {
		return nil, err
	}
	v := &Void{}
	for i := range found {
		doc, err := element.Parse(found[i].JSON)
		if err != nil {
			return nil, err
		}
		d := &document{Doc: doc}
		if !d.coded(d.Get(0, "activity"), "http://terminology.hl7.org/CodeSystem/v3-DataOperation", "NULLIFY") {
			continue
		}
		v.Date, v.Reason, v.By = d.text(0, "recorded"), d.said(d.Get(0, "reason")), d.text(0, "agent", "who", "display")
		if ref, ok := fhir.ParseRef(d.text(0, "agent", "who", "reference")); ok && v.By == "" {
			v.By, err = s.nameOf(ctx, call, ref.Current())
		}
		return v, err
	}
	return v, nil
}

// nameOf is the name of a person, "" when the caller may not see them.
func (s *service) nameOf(ctx context.Context, call *operation.Call, ref fhir.Ref) (string, error) {
	r, err := s.read(ctx, call, ref)
	if fhir.CodeOf(err) == fhir.NotFound {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	doc, err := element.Parse(r.JSON)
	if err != nil {
		return "", err
	}
	d := &document{Doc: doc}
	return d.name(d.get(0, "name")), nil
}

// addenda returns the documents that the caller may see which add to ref.
//
// See https://hl7.org/fhir/R4/composition-definitions.html#Composition.relatesTo.
func (s *service) addenda(ctx context.Context, call *operation.Call, ref fhir.Ref) ([]Addendum, error) {
	found, err := s.find(ctx, call, "Composition", search.Param{Name: "related-ref", Value: ref.Current().String()}, search.Param{Name: "_sort", Value: "date"})
	if err != nil {
		return nil, err
	}
	var all []Addendum
	for i := range found {
		doc, err := element.Parse(found[i].JSON)
		if err != nil {
			return nil, err
		}
		d := &document{Doc: doc}
		if status := d.text(0, "status"); status != "final" && status != "amended" || !d.appends(ref) {
			continue
		}
		a := Addendum{Title: d.text(0, "title"), Date: d.text(0, "date"), Author: d.text(0, "author", "display"), Ref: found[i].Ref.Current().String()}
		if ref, ok := fhir.ParseRef(d.text(0, "author", "reference")); ok && a.Author == "" {
			if a.Author, err = s.nameOf(ctx, call, ref.Current()); err != nil {
				return nil, err
			}
		}
		all = append(all, a)
	}
	return all, nil
}

// appends reports whether the Composition d adds to ref.
func (d *document) appends(ref fhir.Ref) bool {
	for r := range d.each(0, "relatesTo") {
		if d.text(r, "code") == "appends" && endsIn(d.text(r, "targetReference", "reference"), ref) {
			return true
		}
	}
	return false
}
