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

	// Document returns the signed document Bundle that a stored Composition is part of,
	// as the caller may see it; nil when it is not signed. nil knows no signed documents.
	Document func(ctx context.Context, call *operation.Call, composition fhir.Resource) ([]byte, error)

	// Seals verifies the signatures of a document Bundle. nil shows them as not verified.
	Seals func(ctx context.Context, bundle []byte) ([]Seal, error)

	// Void says why a Composition with the status entered-in-error does not count. nil,
	// or a Void of nothing, says that it does not.
	Void func(ctx context.Context, call *operation.Call, composition fhir.Resource) (*Void, error)
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
	own := "urn:amate:operation:"
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
		if composition, err = s.compositionOf(ctx, call, r); err != nil {
			return nil, nil, err
		}
	} else {
		text = nil
		if s.Document != nil {
			if text, err = s.Document(ctx, call, r); err != nil {
				return nil, nil, err
			}
		}
		if text == nil {
			if text, err = s.gathered(ctx, call, r); err != nil {
				return nil, nil, err
			}
		}
	}
	if s.Seals != nil {
		if about.Seals, err = s.Seals(ctx, text); err != nil {
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

// voided says that a Composition does not count any more, where its status says so.
func (s *service) voided(ctx context.Context, call *operation.Call, composition fhir.Resource) (*Void, error) {
	doc, err := element.Parse(composition.JSON)
	if err != nil {
		return nil, err
	}
	d := &document{Doc: doc}
	if d.text(0, "status") != "entered-in-error" {
		return nil, nil
	}
	var v *Void
	if s.Void != nil {
		if v, err = s.Void(ctx, call, composition); err != nil {
			return nil, err
		}
	}
	if v == nil {
		v = &Void{}
	}
	return v, nil
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
		all = append(all, Addendum{Title: d.text(0, "title"), Date: d.text(0, "date"), Author: d.text(0, "author", "display"), Ref: found[i].Ref.Current().String()})
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
